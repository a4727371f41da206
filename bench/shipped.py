"""How long each shipped experiment takes: its first run ever, the first of a new process, 1,000 runs after that."""

import time
from collections.abc import Callable
from typing import Any

from bench.machine import nothing_compiled
from bench.piece import Failed, piece

RUNS = 1000


def measure(tell: Callable[[str], None]) -> dict[str, Any]:
    """Three times in seconds, by name (`first_use`, `new_process`, `runs`); a text where there are none."""
    from glassgrad.tables.experiments import BY_NAME

    found: dict[str, Any] = {}
    for name in BY_NAME:
        tell(f"shipped, {name}")
        try:
            with nothing_compiled():  # for each: some share their code
                first, again = piece("shipped", name), piece("shipped", name)
        except Failed as failure:
            found[name] = str(failure)
            continue
        runs = min(first["runs"], again["runs"])  # others on the machine can only make it longer
        found[name] = {"first_use": first["start"], "new_process": again["start"], "runs": runs}
    return found


def one(name: str) -> dict[str, float]:
    """Seconds until this process has trained a run, what it imports included; and of 1,000 runs from then on."""
    began = time.perf_counter()
    from glassgrad.engines.compiled import train_many
    from glassgrad.tables.experiments import shipped

    train_many(shipped(name).change(steps=1), range(1))
    started = time.perf_counter()
    train_many(shipped(name), range(RUNS))
    return {"start": started - began, "runs": time.perf_counter() - started}
