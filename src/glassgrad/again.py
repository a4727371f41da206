"""Runs that are trained again, one by one, as `watch` does: the same seed, and every step kept.

The compiled engine rounds otherwise when it trains many, and near the border between solved and failed a run hangs on
rounding: what is named as a run to look at has to end again as the table says.
"""

import itertools
import math
import time
from collections.abc import Callable, Iterable

import numpy as np

from glassgrad.contenders import Contender
from glassgrad.experiment import Experiment
from glassgrad.insight import errors
from glassgrad.method import method
from glassgrad.record import Record
from glassgrad.runs import Runs
from glassgrad.study import one_run

TRIES = 12  # so many runs are trained again to find one that ends as the table has it
SECONDS = 0.5  # after which no more are
MOST_KEPT, MOST_WORK = 1e7, 2e9  # steps*weights, steps*weights*samples: a run that is trained again by the way


def light(experiment: Experiment) -> bool:
    """Whether a single run with its whole record takes about a second at most, and little memory."""
    numbers = experiment.steps * sum(math.prod(shape) for shape in method(experiment).network.shapes().values())
    return numbers <= MOST_KEPT and numbers * experiment.samples <= MOST_WORK


def seed_that(
    has: Callable[[Experiment, Record], bool], contender: Contender, runs: Runs, places: Iterable[int]
) -> int | None:
    """The first seed whose run, trained again as `watch` does, has something, too; None if none of a few does."""
    began = time.perf_counter()
    for place in itertools.islice(places, TRIES):
        experiment = runs.experiment.change(seed=int(runs.seeds[place]))
        record = one_run(experiment, contender.compiled)
        if record.status.startswith("stopped"):
            raise KeyboardInterrupt
        if has(experiment, record):
            return experiment.seed
        if time.perf_counter() - began > SECONDS:
            break
    return None


def fails(experiment: Experiment, record: Record) -> bool:
    """Whether a run diverged, or does not answer every question right in the end."""
    of = method(experiment).task
    return record.status != "finished" or not np.all(errors(experiment, record.final, of.domain()) < of.tolerance)
