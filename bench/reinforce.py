"""REINFORCE on the compiled engine: environment steps a second, and the errors reached."""

import time
from typing import Any

import numpy as np

from bench.a2c import STEPS

# for few samples: as many as A2C gets, in smaller batches with a higher rate than `add-reinforce` has
FRUGAL = {"samples": 10, "steps": STEPS // 10, "optimizer": "adam(lr=0.03)"}


def trained(runs: int, settings: dict[str, Any]) -> dict[str, Any]:
    """Train `add-reinforce`, with some settings changed; compiled before the clock starts."""
    from glassgrad.engines.compiled import train_many
    from glassgrad.tables.experiments import shipped

    experiment = shipped("add-reinforce").change(**settings)
    train_many(experiment, range(16))
    began = time.perf_counter()
    found = train_many(experiment, range(runs))
    took = time.perf_counter() - began
    each = experiment.samples * experiment.steps
    lower, median, upper = (float(q) for q in np.nanquantile(found.mean_error, [0.25, 0.5, 0.75]))
    return {
        "rate": runs * each / took, "runs": runs, "steps": each, "error": median, "lower": lower, "upper": upper,
        "solved": float(found.solved.mean()),
    }  # fmt: skip


def measure(runs: int) -> dict[str, Any]:
    """The shipped experiment; and one that makes do with as many environment steps as A2C gets."""
    return {**trained(runs, {}), "frugal": trained(runs, FRUGAL)}
