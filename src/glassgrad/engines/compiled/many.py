"""Thousands of runs at once: blocks of seeds on all cores, each run the same alone and in company."""

import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassgrad.draws import philox_key
from glassgrad.engines.compiled.layout import table
from glassgrad.engines.compiled.plan import Plan, group_memory, memory, plan
from glassgrad.engines.compiled.training import COLUMNS, KEYS, PURPOSES
from glassgrad.experiment import Experiment
from glassgrad.method import method
from glassgrad.runs import CURVES, Runs, single

Progress = Callable[[int, int], None]
BLOCK_SECONDS = 0.05  # about how long a block of runs should take: progress and Ctrl-C wait for no more


def keys(of: Plan, seeds: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """The Philox keys of each run, two words for each purpose; 0 where nothing is drawn for it."""
    body, found = of.kernel.body, np.zeros((len(seeds), KEYS), np.uint32)
    drawn = {
        "noise": "noise" in body.reads, "uniform": "uniform" in body.reads, "dropout": of.experiment.dropout > 0,
        "minibatch": bool(body.experiment.batch), "weights": bool(body.of.tried),
    }  # fmt: skip
    for i, purpose in enumerate(PURPOSES):
        if drawn[purpose]:
            found[:, 2 * i : 2 * i + 2] = [philox_key(int(seed), purpose) for seed in seeds]
    return found


def run_block(
    of: Plan, seeds: NDArray[np.uint32], stop: NDArray[np.int8], curves: int = 0, history: NDArray[Any] | None = None
) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Train a block of runs on this thread: their table (runs, 6), and the curves of the first of them."""
    out = np.full((len(seeds), COLUMNS), np.nan)
    traced = np.full((min(curves, len(seeds)), len(of.marks)), np.nan, of.dtype)
    moments = of.moments and history is None
    arrays = of.arrays | memory(of) | (group_memory(of) if moments else {})
    arrays |= {"seeds": seeds, "keys": keys(of, seeds), "out": out, "curves": traced, "stop": stop}
    if history is not None:
        arrays["history"] = history
    numbers = of.numbers | {"traced": len(traced), "recorded": history is not None}
    of.kernel.call(table(arrays, numbers), len(seeds), moments=moments)
    return out, traced


def train_many(
    experiment: Experiment,
    seeds: Sequence[int],
    progress: Progress | None = None,
    *,
    distinct: bool | None = None,
    threads: int | None = None,
) -> Runs:
    """Train one experiment with many seeds.

    Run s is the same alone and in any company, on any number of threads. Ctrl-C keeps the runs that are finished.

    Raises:
        ExperimentError: the experiment has something that this engine cannot run.

    Example:
        >>> from glassgrad.tables.experiments import shipped
        >>> int(train_many(shipped("knob"), range(100)).solved.sum())
        0
    """
    of = plan(experiment, distinct)
    began = time.perf_counter()
    wanted = np.asarray(seeds, np.uint32)
    tables, curves = _Blocks(of, wanted, progress, threads or os.cpu_count() or 1).run()
    rows = np.concatenate(tables) if tables else np.zeros((0, COLUMNS))
    done, marks = len(rows), of.marks.astype(np.int32)
    rows[rows[:, 3] > 0, :2] = np.nan  # diverged: there is nothing after the last update
    return Runs(
        experiment, wanted[:done], single(rows[:, 0]), single(rows[:, 1]),
        rows[:, 1] < method(experiment).task.tolerance, rows[:, 2].astype(np.int32), rows[:, 3].astype(np.int32),
        rows[:, 4].astype(np.int16), marks, np.concatenate([*curves, np.zeros((0, len(marks)))])[:CURVES]
        .astype(np.float32), time.perf_counter() - began,
    )  # fmt: skip


class _Blocks:
    """Blocks of seeds on a pool of threads, a few ahead of what is finished; their tables in the order of the seeds."""

    def __init__(self, of: Plan, seeds: NDArray[np.uint32], progress: Progress | None, threads: int) -> None:
        self.of, self.seeds, self.progress, self.threads = of, seeds, progress, threads
        self.stop = np.zeros(1, np.int8)
        self.tables: dict[int, tuple[NDArray[np.float64], NDArray[Any]]] = {}
        self.size = 4
        self.lock = threading.Lock()

    def run(self) -> tuple[list[NDArray[np.float64]], list[NDArray[Any]]]:
        first = 0
        with ThreadPoolExecutor(self.threads) as pool:
            waiting: dict[Future[float], int] = {}
            try:
                while first < len(self.seeds) or waiting:
                    while first < len(self.seeds) and len(waiting) < 2 * self.threads:
                        share = -(-(len(self.seeds) - first) // self.threads)  # so that all threads end together
                        block = self.seeds[first : first + self.whole(min(self.size, share))]
                        waiting[pool.submit(self.block, first, block)] = len(block)
                        first += len(block)
                    finished, _ = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
                    self.adapt([(future.result(), waiting.pop(future)) for future in finished])
                    if self.progress is not None and finished:
                        self.progress(self.done(), len(self.seeds))
            except KeyboardInterrupt:
                self.stop[0] = 1
        return self.finished()

    def done(self) -> int:
        """How many runs are finished; blocks arrive meanwhile."""
        with self.lock:
            return sum(len(table) for table, _ in self.tables.values())

    def block(self, first: int, seeds: NDArray[np.uint32]) -> float:
        began = time.perf_counter()
        result = run_block(self.of, seeds, self.stop, max(0, CURVES - first))
        if not self.stop[0]:
            with self.lock:
                self.tables[first] = result
        return time.perf_counter() - began

    def whole(self, size: int) -> int:
        """A size that wastes nothing."""
        return -(-size // self.of.together) * self.of.together

    def adapt(self, took: list[tuple[float, int]]) -> None:
        """Blocks of about BLOCK_SECONDS."""
        for seconds, count in took:
            rate = count / max(seconds, 1e-6)
            self.size = int(min(max(1, rate * BLOCK_SECONDS), 4 * self.size, 4096))

    def finished(self) -> tuple[list[NDArray[np.float64]], list[NDArray[Any]]]:
        """The tables of all runs before the first that is missing."""
        tables, curves, at = [], [], 0
        while at in self.tables:
            table, traced = self.tables[at]
            tables.append(table)
            curves.append(traced)
            at += len(table)
        return tables, curves
