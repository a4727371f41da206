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
NOTHING = {"seconds": None, "peak_memory_mib": None}


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


def expected(known: list[tuple[int, float]], value: int) -> float:
    """Seconds that a point will take, on the line through the last two (value, seconds); 0 where there are fewer.

    Example:
        >>> expected([(10, 1.0), (110, 2.0)], 1110)
        12.0
    """
    if len(known) < 2:
        return 0.0
    (first, before), (last, seconds) = known[-2:]
    return seconds + max(0.0, seconds - before) / (last - first) * (value - last)


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
            guess = expected(known, value)
            if guess > budget:
                entry |= {**NOTHING, "skipped": f"expected to take {guess:.0f} s", "expected_seconds": guess}
            else:
                tell(f"growth: {axis} {value}")
                try:
                    entry |= piece("growth", axis, value)
                    known.append((value, entry["seconds"]))
                except Failed as failure:
                    entry |= {**NOTHING, "skipped": str(failure)}
            found.append(entry)
    return found
