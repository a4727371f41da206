"""How the cost of the compiled engine grows with runs, units, samples and steps: each point in its own process."""

import time
from collections.abc import Callable
from typing import Any

from bench import compiled
from bench.machine import installed
from bench.piece import Failed, piece

AXES: dict[str, tuple[int, ...]] = {
    "runs": (10, 100, 1_000, 10_000, 100_000, 1_000_000),
    "units": (5, 8, 16, 32, 64, 128, 256),
    "samples": (10, 100, 1_000, 10_000, 100_000),
    "steps": (10, 100, 1_000, 10_000, 100_000),
}
RUNS = {"units": 128, "samples": 1_000, "steps": 1_000}  # of the axes other than runs


def experiment_of(axis: str, value: int) -> tuple[int, dict[str, Any]]:
    """How many runs, and the settings of `add`.

    Example:
        >>> experiment_of("units", 16)
        (128, {'network': (2, 16, 1)})
    """
    if axis == "runs":
        return value, {}
    return RUNS[axis], {"network": (2, value, 1)} if axis == "units" else {axis: value}


def point(axis: str, value: int) -> dict[str, Any]:
    """Train in this very process: seconds, once compiled, and the process's peak memory."""
    runs, settings = experiment_of(axis, value)
    compiled.train(range(8), {**settings, "steps": min(10, int(settings.get("steps", 10)))})
    began = time.perf_counter()
    compiled.train(range(runs), settings)
    return {"seconds": time.perf_counter() - began, "peak_memory_mib": peak_memory()}


def peak_memory() -> float | None:
    """The most memory that this process has had, in MiB; None where the system does not say."""
    try:
        import resource
        import sys
    except ImportError:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def expected(axis: str, values: list[tuple[int, float]], value: int) -> float:
    """Seconds that a point will take, from the last one: as if cost grew with the value.

    Example:
        >>> expected("runs", [(1000, 2.0)], 10000)
        20.0
    """
    if not values:
        return 0.0
    last, seconds = values[-1]
    return seconds * value / last


def measure(budget: float, tell: Callable[[str], None], quick: bool = False) -> list[dict[str, Any]]:
    """A list of {axis, value, runs, seconds, peak_memory_mib}.

    What is expected to take more seconds than the budget is skipped, with the reason; quick: every second value only.
    """
    if not installed(compiled.NEEDS):
        return []
    found = []
    for axis, values in AXES.items():
        known: list[tuple[int, float]] = []
        for value in values[:: 2 if quick else 1]:
            entry: dict[str, Any] = {"axis": axis, "value": value, "runs": experiment_of(axis, value)[0]}
            guess = expected(axis, known, value)
            if guess > budget:
                entry |= {"seconds": None, "peak_memory_mib": None, "skipped": f"expected to take {guess:.0f} s"}
            else:
                tell(f"growth: {axis} {value}")
                try:
                    entry |= piece("growth", axis, value)
                    known.append((value, entry["seconds"]))
                except Failed as failure:
                    entry |= {"seconds": None, "peak_memory_mib": None, "skipped": str(failure)}
            found.append(entry)
    return found
