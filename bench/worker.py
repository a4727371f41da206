"""A competitor in a process of its own: thread pools, flags and memory of one do not disturb the others."""

import multiprocessing
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any

from bench.machine import installed
from bench.outcome import Outcome
from bench.variant import Variant


class Failure(Exception):
    """A competitor could not do its work; the message says why."""


@dataclass(frozen=True)
class Measurement:
    """One measurement: so many runs in so many seconds, and what they ended with."""

    runs: int
    seconds: float
    outcome: Outcome

    @property
    def rate(self) -> float:
        """Runs a second."""
        return self.runs / self.seconds


class Worker:
    """The process of a competitor.

    module: a file of `bench` with `variants(quick, …)`, perhaps `NEEDS` and `ENVIRONMENT`. options: of `variants`.

    Raises:
        Failure: what it needs is not installed, or it failed.
    """

    def __init__(self, module: str, quick: bool, **options: Any) -> None:
        needs = getattr(import_module(f"bench.{module}"), "NEEDS", "torch")
        if not installed(needs):
            raise Failure(f"{needs} is not there")
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, module, quick, options), daemon=True)
        self._process.start()
        theirs.close()
        self.labels: list[str] = self._answer()

    def prepare(self, variant: int) -> float:
        """Compile a variant; how long that took."""
        self._connection.send(("prepare", variant))
        return float(self._answer())

    def train(self, variant: int, runs: int, first: int = 0) -> Measurement:
        """Train runs of a variant, at least so many, from seed `first` on."""
        self._connection.send(("train", variant, runs, first))
        answer: Measurement = self._answer()
        return answer

    def stop(self) -> None:
        """End the process."""
        self._connection.close()
        self._process.join(5)
        if self._process.is_alive():
            self._process.terminate()

    def _answer(self) -> Any:
        try:
            answer = self._connection.recv()
        except EOFError:
            raise Failure("its process ended") from None
        if isinstance(answer, Failure):
            raise answer
        return answer


def _serve(connection: Connection, module: str, quick: bool, options: dict[str, Any]) -> None:
    try:
        found = import_module(f"bench.{module}")
        os.environ.update(getattr(found, "ENVIRONMENT", {}))  # before its library is imported
        variants: Sequence[Variant] = found.variants(quick, **options)
        connection.send([variant.label for variant in variants])
        while True:
            request, which, *how = connection.recv()
            connection.send(_prepared(variants[which]) if request == "prepare" else _trained(variants[which], *how))
    except (EOFError, KeyboardInterrupt):
        return
    except Exception as error:  # noqa: BLE001  (whatever it is, the others go on)
        connection.send(Failure(f"{type(error).__name__}: {error}"))


def _prepared(variant: Variant) -> float:
    began = time.perf_counter()
    variant.prepare()
    return time.perf_counter() - began


def _trained(variant: Variant, runs: int, first: int) -> Measurement:
    runs = -(-runs // variant.unit) * variant.unit
    began = time.perf_counter()
    result = variant.train(range(first, first + runs))
    seconds = time.perf_counter() - began
    return Measurement(runs, seconds, variant.judge(result))
