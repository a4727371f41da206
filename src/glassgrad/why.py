"""Why runs fail: each failing run by its cause, with a run of each to look at.

Divergence, dead units, and a solution that was found and lost again stand in the table of runs. For the other causes
some runs are trained again and looked at closely; those that are not looked at are counted with the one that is most
like them. A run to look at is one that fails in that way when it is trained again, as `watch` does.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassgrad.again import fails, seed_that
from glassgrad.comparison import failed_last
from glassgrad.contenders import Contender
from glassgrad.experiment import Experiment
from glassgrad.insight import answers, errors, units
from glassgrad.locale import Text, text
from glassgrad.method import method
from glassgrad.record import Record
from glassgrad.runs import Progress, Runs, checkpoints
from glassgrad.study import one_run

LOOKED_AT = 50  # so many failing runs are trained again
PATIENCE = 20.0  # seconds, after which no more are
NEAR = 3  # tolerances: nearer than this to solved is near
FALLING = 0.9  # the error of the last tenth, over that before: less is still improving

Mark = tuple[str, str]  # a kind of cause, and its detail: ("few", "0 + 0")


@dataclass(frozen=True)
class Cause:
    """A way to fail.

    kind: diverged, dead, unsteady, few, slow, or basin. detail: which question is missed, or where the runs end.
    count: how many runs; exact: whether each of them was looked at, or stands in the table. seed: one that fails so
    when it is trained again; None if none of those tried does (such runs hang on rounding), or none was tried.
    """

    kind: str
    detail: str
    count: int
    exact: bool
    seed: int | None

    @property
    def reading(self) -> Text:
        """The cause in words."""
        return text(f"why.{self.kind}_at" if self.detail else f"why.{self.kind}", detail=self.detail)

    def to_json(self) -> dict[str, Any]:
        """The cause as JSON."""
        return {**asdict(self), "reading": self.reading}


@dataclass(frozen=True)
class Why:
    """The failing runs of one experiment: how many, the causes, the commonest first, and how many were looked at.

    stopped: whether it was stopped before all were; then the causes hold only those that are known.
    """

    contender: Contender
    failed: int
    runs: int
    looked_at: int
    causes: tuple[Cause, ...]
    stopped: bool = False

    @property
    def unsorted(self) -> int:
        """How many failing runs have no cause, because it was stopped."""
        return self.failed - sum(cause.count for cause in self.causes)


def why(contender: Contender, runs: Runs, progress: Progress | None = None, stopped: bool = False) -> Why:
    """The failing runs by their cause; Ctrl-C ends it early, and what is found is kept.

    stopped: look at none, and say only what stands in the table.

    Example:
        >>> from glassgrad.comparison import compare
        >>> found = compare("knob", runs=10)
        >>> {cause.kind for cause in found.why()[0].causes}
        {'basin'}
    """
    table = dict(_table(runs))
    known = {i: mark for i, mark in table.items() if mark is not None}
    open_ = [i for i, mark in table.items() if mark is None]
    seen: dict[int, Mark] = {}
    alike: dict[int, int] = {}
    sure: dict[Mark, int] = {}  # a seed of each, that fails again
    began = time.perf_counter()
    try:
        for mark in () if stopped else dict.fromkeys(known.values()):
            places = (i for i, own in known.items() if own == mark)
            seed = seed_that(_has(mark), contender, runs, places)
            sure |= {} if seed is None else {mark: seed}
        for i in () if stopped else open_[:LOOKED_AT]:
            if seen and time.perf_counter() - began > PATIENCE:
                break
            if progress is not None:
                progress(len(seen), min(LOOKED_AT, len(open_)))
            curve = runs.curves[i].astype(np.float64) if i < len(runs.curves) else None
            seen[i], fails = _look(contender, int(runs.seeds[i]), curve)
            if fails:
                sure.setdefault(seen[i], int(runs.seeds[i]))
        if seen and not stopped:
            alike = _most_alike(runs, list(seen), [i for i in open_ if i not in seen])
    except KeyboardInterrupt:
        stopped = True
    guessed = Counter(seen[j] for j in alike.values())
    causes = _counted([*known.values(), *seen.values()], guessed, sure)
    return Why(contender, len(table), len(runs), len(seen), causes, stopped)


def to_look_at(runs: Runs) -> int:
    """How many failing runs will be trained again, since their cause does not stand in the table."""
    return sum(1 for _ in islice((i for i, mark in _table(runs) if mark is None), LOOKED_AT))


def _table(runs: Runs) -> Iterator[tuple[int, Mark | None]]:
    """The failing runs, each with its cause if the table of runs has it."""
    return ((int(i), _from_table(runs, int(i))) for i in np.flatnonzero(~runs.solved))


def _from_table(runs: Runs, i: int) -> Mark | None:
    """The cause of a failing run as far as the table of runs has it."""
    hidden = runs.experiment.hidden_units
    if runs.diverged_at[i] > 0 or not np.isfinite(runs.mean_error[i]):
        return "diverged", ""
    if hidden and runs.dead[i] == hidden:
        return "dead", ""
    task = method(runs.experiment).task
    # an answer to a single question may have passed the right one by; many are not all right by chance
    return ("unsteady", "") if runs.solved_at[i] > 0 and len(task.domain()) > 1 else None


def _has(mark: Mark) -> Callable[[Experiment, Record], bool]:
    """Whether a run that was trained again fails in this way, which stands in the table."""

    def has(experiment: Experiment, record: Record) -> bool:
        if record.status != "finished" or mark[0] == "diverged":
            return record.status.startswith("diverged") and mark[0] == "diverged"
        alive = len(units(experiment, record.final).dead) < experiment.hidden_units
        return fails(experiment, record) and not (mark[0] == "dead" and alive)

    return has


def _look(contender: Contender, seed: int, curve: NDArray[np.float64] | None) -> tuple[Mark, bool]:
    """The cause, from the run itself, trained again, and whether it fails again.

    curve: its mean errors at the checkpoints, where they were kept.
    """
    experiment = contender.experiment.change(seed=seed)
    record, task = one_run(experiment, contender.compiled), method(experiment).task
    if record.status.startswith("stopped"):
        raise KeyboardInterrupt
    if record.status != "finished":
        return ("diverged", ""), True
    domain = task.domain()
    gap = errors(experiment, record.final, domain)
    missed = domain[gap >= task.tolerance]
    if not len(missed):
        return ("unsteady", ""), False
    if len(missed) <= len(domain) / 20:
        return ("few", task.question(tuple(missed[0])) if len(missed) == 1 else ""), True
    if curve is None:
        marks = [mark for mark in checkpoints(experiment.steps) if record.rows[mark + 1] >= 0]
        curve = np.array([errors(experiment, record.parameters_at(int(m) + 1), domain).mean() for m in marks])
    if _improving(curve):
        return ("slow", ""), True
    if gap.max() < NEAR * task.tolerance and len(domain) > 1:
        return ("unsteady", ""), True
    end = f"{round(float(answers(experiment, record.final, domain)[0]), 1) + 0.0:.1f}" if len(domain) == 1 else ""
    return ("basin", end), True


def _improving(curve: NDArray[np.float64]) -> bool:
    """Whether the error was still falling: the last tenth against the stretch from 60 % to 80 %.

    Example:
        >>> _improving(np.linspace(2, 1, 50)), _improving(np.ones(50))
        (True, False)
    """
    n = len(curve)
    before, after = curve[int(0.6 * n) : max(int(0.8 * n), int(0.6 * n) + 1)], curve[min(int(0.9 * n), n - 1) :]
    return bool(after.mean() < FALLING * before.mean())


def _most_alike(runs: Runs, seen: Sequence[int], others: Sequence[int]) -> dict[int, int]:
    """For each run that was not looked at the one, looked at, whose errors are most like its own."""
    with np.errstate(divide="ignore"):
        places = np.log(np.stack([failed_last(runs), runs.max_error.astype(np.float64)], axis=1) + 1e-30)
    places = np.column_stack([places, 0.5 * (runs.solved_at > 0)])
    known = places[list(seen)]
    return {i: seen[int(np.argmin(np.sum((known - places[i]) ** 2, axis=1)))] for i in others}


def _counted(marks: Sequence[Mark], guessed: Counter[Mark], sure: Mapping[Mark, int]) -> tuple[Cause, ...]:
    """The causes, the commonest first; the seed is that of a run that surely has it."""
    counts = Counter(marks) + guessed
    found = [Cause(*mark, count, mark not in guessed, sure.get(mark)) for mark, count in counts.items()]
    return tuple(sorted(found, key=lambda cause: -cause.count))
