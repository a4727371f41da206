"""Many runs of one experiment: what statistics need of each, and nothing that grows with the number of steps."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from glassgrad.experiment import Experiment
from glassgrad.insight import errors, units
from glassgrad.method import method

CHECKPOINTS = 50  # how often within a run the error is measured
CURVES = 1000  # of so many runs the learning curve is kept

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Runs:
    """One row a run, in the order of the seeds.

    mean_error, max_error (runs): |answer - truth| over the whole domain after the last update, NaN if it diverged.
    solved (runs): every question within the task's tolerance after the last update.
    solved_at (runs): the first checkpoint at which it was solved, 0 if it never was.
    diverged_at (runs): the step whose loss was not finite, 0 if there is none. dead (runs): units that stay 0.
    checkpoints: steps at which errors were measured; curves (some runs, checkpoints): their mean error there.
    """

    experiment: Experiment
    seeds: NDArray[np.uint32]
    mean_error: NDArray[np.float32]
    max_error: NDArray[np.float32]
    solved: NDArray[np.bool_]
    solved_at: NDArray[np.int32]
    diverged_at: NDArray[np.int32]
    dead: NDArray[np.int16]
    checkpoints: NDArray[np.int32]
    curves: NDArray[np.float32]
    seconds: float

    def __len__(self) -> int:
        return len(self.seeds)


def checkpoints(steps: int) -> NDArray[np.int32]:
    """The steps at which a run is looked at: evenly spread, the last one included.

    Example:
        >>> checkpoints(100)[-1], len(checkpoints(1000))
        (np.int32(100), 50)
    """
    return np.unique(np.linspace(steps / min(CHECKPOINTS, steps), steps, min(CHECKPOINTS, steps)).astype(np.int32))


def train_slowly(experiment: Experiment, seeds: Sequence[int], progress: Progress | None = None) -> Runs:
    """The same many runs on the torch engine, one after the other: the reference."""
    from glassgrad.engines.torch import train

    began = time.perf_counter()
    marks, task = checkpoints(experiment.steps), method(experiment).task
    domain = task.domain()
    rows: list[tuple[float, float, bool, int, int, int]] = []
    curves: list[list[float]] = []
    for done, seed in enumerate(seeds):
        if progress is not None:
            progress(done, len(seeds))
        record = train(experiment.change(seed=int(seed)))
        if record.status.startswith("stopped"):
            raise KeyboardInterrupt
        diverged = record.steps if record.status.startswith("diverged") else 0
        gaps = [
            errors(experiment, record.parameters_at(int(mark) + 1), domain)
            if not diverged or mark < diverged
            else np.full(len(domain), np.nan)
            for mark in marks
        ]
        right = [bool(np.all(gap < task.tolerance)) for gap in gaps]
        at = int(marks[right.index(True)]) if True in right else 0
        rows.append(
            (gaps[-1].mean(), gaps[-1].max(), right[-1], at, diverged, len(units(experiment, record.final).dead))
        )
        if len(curves) < CURVES:
            curves.append([gap.mean() for gap in gaps])
    mean, most, solved, at_, diverged_, dead = zip(*rows, strict=True)
    return Runs(
        experiment,
        np.asarray(seeds, np.uint32),
        single(mean),
        single(most),
        np.asarray(solved, np.bool_),
        np.asarray(at_, np.int32),
        np.asarray(diverged_, np.int32),
        np.asarray(dead, np.int16),
        marks,
        np.asarray(curves, np.float32),
        time.perf_counter() - began,
    )


def single(errors: ArrayLike) -> NDArray[np.float32]:
    """Errors as a table of runs keeps them: beyond single precision they are infinite.

    Example:
        >>> single([0.5, 1e60])
        array([0.5, inf], dtype=float32)
    """
    with np.errstate(over="ignore"):
        return np.asarray(errors, np.float64).astype(np.float32)
