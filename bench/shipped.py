"""How long 1,000 runs of each shipped experiment take on the compiled engine, once it is compiled."""

import time
from typing import Any

RUNS = 1000


def measure() -> dict[str, Any]:
    """Seconds, by name; a text where an experiment cannot be run."""
    from glassgrad.engines.compiled import train_many
    from glassgrad.errors import GlassgradError
    from glassgrad.tables.experiments import BY_NAME, shipped

    found: dict[str, Any] = {}
    for name in BY_NAME:
        try:
            train_many(shipped(name), range(16))
            began = time.perf_counter()
            train_many(shipped(name), range(RUNS))
            found[name] = time.perf_counter() - began
        except GlassgradError as error:
            found[name] = str(error)
    return found
