"""All measurements in one run, as one value."""

from collections.abc import Callable
from functools import partial
from typing import Any

from bench import compiled, flops, growth, shipped
from bench.contest import contest
from bench.machine import description, installed
from bench.piece import Failed, piece
from bench.problem import PASSING, WIDER

SPEEDS = (
    "eager",
    "torch_batched",
    "jax_vmap",
    "jax_best_all",
    "jax_best_distinct",
    "compiled_all",
    "compiled_distinct",
)
"""Competitors in complete runs of `add` a second."""


def measure(quick: bool, tell: Callable[[str], None], only: tuple[str, ...] = SPEEDS) -> dict[str, Any]:
    """What `python -m bench runs` writes: numbers by name (null: could not be measured), growth, details."""
    rounds, seconds = (3, 1.0) if quick else (7, 3.0)
    there = installed(compiled.NEEDS)
    peak = _or_reason("peak", tell, piece, "peak", 1 if quick else 3)
    add = contest({name: {"module": name} for name in SPEEDS if name in only}, quick, rounds, seconds, tell)
    again = _or_reason("peak", tell, piece, "peak", 1 if quick else 3)
    peak = max(peak, again, key=lambda each: float(each.get("gflops", 0)))
    wider = {} if quick else networks(tell, there)
    sb3 = _or_reason("sb3_a2c", tell, piece, "a2c", *((1, 1) if quick else (0, 3)))
    learned = _or_reason("reinforce", tell, piece, "reinforce", 256 if quick else 2048) if there else {}
    rate = add.get("compiled_distinct", {}).get("rate")
    return {
        **{name: add.get(name, {}).get("rate") for name in SPEEDS},
        "fma_fraction": fraction(rate, peak.get("gflops"), flops.by_moments()),
        "reinforce": learned.get("rate"),
        "sb3_a2c": sb3.get("rate"),
        "growth": growth.measure(2 if quick else 300, tell, quick),
        "details": {
            "machine": description(),
            "quick": quick,
            "add": add,
            "peak": peak,
            "fma_fraction_of_passes": fraction(rate, peak.get("gflops"), flops.run(100)),
            "fma_fraction_of_passes_all": fraction(
                add.get("compiled_all", {}).get("rate"), peak.get("gflops"), flops.run(1000)
            ),
            "flops": {"moments": flops.by_moments(), "distinct": flops.run(100), "all": flops.run(1000)},
            "networks": wider,
            "sb3_a2c": sb3,
            "reinforce": learned,
            "shipped": shipped.measure(tell) if there and not quick else {},
        },
    }


def fraction(rate: float | None, gflops: float | None, operations: int) -> float | None:
    """The part of the machine's peak that so many runs a second are, if each takes so many operations.

    Example:
        >>> round(fraction(10_000, 200, flops.run(100)), 2)
        0.31
    """
    return None if rate is None or not gflops else rate * operations / (gflops * 1e9)


def networks(tell: Callable[[str], None], there: bool) -> dict[str, Any]:
    """Wider and deeper networks against JAX; activations beside each other, where steps go through the questions."""
    found: dict[str, Any] = {}
    for network in WIDER:
        entrants = {side: {"module": f"{side}_wider", "network": network} for side in ("jax", "compiled")}
        found[network] = contest(entrants, False, 3, 2.0, partial(_at, tell, network))
    entrants = {name: {"module": "compiled_wider", "network": name} for name in PASSING} if there else {}
    rates = contest(entrants, False, 5, 1.0, tell) if entrants else {}
    return found | {name: {"compiled": rate} for name, rate in rates.items()}


def _at(tell: Callable[[str], None], network: str, said: str) -> None:
    tell(f"{network}, {said}")


def _or_reason(
    name: str, tell: Callable[[str], None], measured: Callable[..., Any], *arguments: object
) -> dict[str, Any]:
    tell(name)
    try:
        found: dict[str, Any] = measured(*arguments)
    except Failed as failure:
        tell(f"{name}: left out, {failure}")
        return {"rate": None, "reason": str(failure)}
    return found
