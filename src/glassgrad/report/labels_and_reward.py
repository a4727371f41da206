"""Labels against reward: the same tasks learned by three kinds of feedback, and what each of them needs and reaches."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from glassgrad.comparison import Comparison, Row, compare, failed_last
from glassgrad.draws import Floats
from glassgrad.ends import ends
from glassgrad.experiment import Experiment
from glassgrad.formula.latex import latex
from glassgrad.formula.text import show
from glassgrad.insight import errors
from glassgrad.locale import Text, text
from glassgrad.method import method
from glassgrad.report.compare_json import plain, row_json
from glassgrad.report.compare_text import short
from glassgrad.report.feedback import arriving
from glassgrad.runs import Progress
from glassgrad.statistics import Interval, median
from glassgrad.study import Train
from glassgrad.tables.experiments import shipped
from glassgrad.task import Task

TASKS = ("add", "sub", "both")
KINDS = {"": "add", "-through-reward": "add-through-reward", "-reinforce": "add-reinforce"}
"""The ending of an experiment's name, and the experiment that stands for its kind of feedback."""
OBSERVED = KINDS["-reinforce"]
OUTSIDE, OUTSIDE_OBSERVED = 1000, 200  # runs that are also asked far outside; by REINFORCE, which takes longer


class Half(NamedTuple):
    """Where the middle half of the runs lies."""

    low: float
    high: float


@dataclass(frozen=True)
class Entry:
    """One task by one kind of feedback.

    kind: the experiment that stands for the kind. arrives, latex: dL/do. knows: what must be known.
    samples: how many questions were drawn in a run. inside, outside: the median over runs of their mean error, on the
    questions of training and far outside of them (None where there is no outside), and where half of the runs lie.
    asked_outside: how many runs were asked far outside.
    """

    task: str
    kind: str
    arrives: str
    latex: str
    experiment: Experiment
    samples: int
    row: Row
    inside_half: Half
    outside: Interval | None
    outside_half: Half | None
    asked_outside: int

    @property
    def feedback(self) -> Text:
        return text(f"feedback.{self.kind}.name")

    @property
    def knows(self) -> Text:
        return text(f"feedback.{self.kind}.knows")

    @property
    def short(self) -> Text:
        """The kind of feedback in a word or two."""
        return text(f"labels.short.{self.kind}")

    @property
    def inside(self) -> Interval:
        return self.row.median_error

    def to_json(self) -> dict[str, Any]:
        """The row of the comparison, with what its feedback needs, and what it reaches outside."""
        more: dict[str, Any] = plain(
            {
                "task": self.task,
                "truth": method(self.experiment).task.truth,
                "kind": self.kind,
                "feedback": self.feedback,
                "short": self.short,
                "arrives": self.arrives,
                "latex": self.latex,
                "knows": self.knows,
                "samples": self.samples,
                "steps": self.experiment.steps,
                "error_half": list(self.inside_half),
                "error_outside": self.outside and self.outside.value,
                "error_outside_low": self.outside and self.outside.low,
                "error_outside_high": self.outside and self.outside.high,
                "error_outside_half": self.outside_half and list(self.outside_half),
                "runs_outside": self.asked_outside,
            }
        )
        return row_json(self.row) | more


@dataclass(frozen=True)
class LabelsAndReward:
    """The whole comparison: three tasks by three kinds of feedback, over the same seeds."""

    comparison: Comparison
    entries: tuple[Entry, ...]

    def to_json(self) -> list[dict[str, Any]]:
        """The rows of the comparison, each with what its feedback needs."""
        asked = self.comparison.asked
        return [entry.to_json() | {"asked": asked, "stopped": entry.row.runs < asked} for entry in self.entries]

    def __getitem__(self, name: str) -> Entry:
        """The entry of one experiment."""
        return next(entry for entry in self.entries if entry.experiment.name == name)

    @property
    def seconds(self) -> float:
        """How long all runs took to train."""
        return sum(entry.row.seconds for entry in self.entries)


def experiments() -> list[Experiment]:
    """Each task by each kind of feedback.

    Example:
        >>> [experiment.name for experiment in experiments()][-3:]
        ['both', 'both-through-reward', 'both-reinforce']
    """
    return [shipped(task + ending) for task in TASKS for ending in KINDS]


def labels_and_reward(
    runs: int = 10_000, seed0: int = 0, progress: Progress | None = None, train: Train | None = None, **settings: Any
) -> LabelsAndReward:
    """Train all of them, and say what each needed."""
    found = compare(*experiments(), runs=runs, seed0=seed0, progress=progress, train=train, **settings)
    kinds = {task + ending: (task, kind) for task in TASKS for ending, kind in KINDS.items()}
    return LabelsAndReward(found, tuple(_entry(found, i, *kinds[name]) for i, name in enumerate(found.names)))


def _entry(found: Comparison, place: int, task: str, kind: str) -> Entry:
    experiment, runs = found.contenders[place].experiment, found.runs[place]
    tree = arriving(method(experiment))
    seeds = [int(seed) for seed in runs.seeds[: OUTSIDE_OBSERVED if kind == OBSERVED else OUTSIDE]]
    outside = far(experiment, seeds)
    return Entry(
        task,
        kind,
        show(tree),
        latex(tree),
        experiment,
        experiment.samples * (experiment.steps if experiment.fresh else 1),
        found.rows[place],
        _half(failed_last(runs)),
        None if outside is None else median(outside, found.level, seed=0),
        None if outside is None else _half(outside),
        0 if outside is None else len(seeds),
    )


def far(experiment: Experiment, seeds: Sequence[int]) -> Floats | None:
    """Each run's mean error far outside of what it trained on, inf if it diverged; None where there is no outside."""
    task = method(experiment).task
    if task.outside is None:
        return None
    return np.array(
        [
            np.inf if end is None else errors(experiment, end, _asked(task, seed)).mean()
            for seed, end in zip(seeds, ends(experiment, seeds), strict=True)
        ]
    )


@lru_cache(maxsize=len(KINDS) * OUTSIDE)
def _asked(task: Task, seed: int) -> Floats:
    """A run's questions from far outside: the same, by whichever feedback its task is learned."""
    questions = task.extrapolation(seed)
    assert questions is not None
    return questions


def _half(sample: Floats) -> Half:
    low, high = np.quantile(sample, [0.25, 0.75], method="inverted_cdf")
    return Half(float(low), float(high))


def ranges(found: LabelsAndReward) -> tuple[str, str]:
    """Which numbers are inside of training, and which outside: 0..9 and 10..1000."""
    task = method(found.entries[0].experiment).task
    inside, outside = task.draws[0], task.outside or ("", "")
    return f"{inside.low:g}..{inside.high:g}", f"{outside[0]}..{outside[1]}"


def asked_outside(found: LabelsAndReward) -> Text:
    """How many runs were asked far outside."""
    observed = {entry.asked_outside for entry in found.entries if entry.kind == OBSERVED}
    others = {entry.asked_outside for entry in found.entries if entry.kind != OBSERVED}
    return text("labels.asked", runs=f"{max(others, default=0):,}", observed=f"{max(observed, default=0):,}")


def reading(found: LabelsAndReward) -> Text:
    """What the whole table says, in words and numbers."""
    entries, (inside, outside) = found.entries, ranges(found)
    first, last = found[TASKS[0]], found[TASKS[0] + "-reinforce"]
    return text(
        "labels.reading",
        labels=f"{first.samples:,}",
        observed=f"{last.samples:,}",
        inside=inside,
        outside=outside,
        **_between("in", [entry.inside for entry in entries]),
        **_between("out", [entry.outside for entry in entries]),
        **_between("both", [entry.outside for entry in entries if entry.task == "both"]),
    )


def _between(name: str, all_: Sequence[Interval | None]) -> dict[str, str]:
    values = [one.value for one in all_ if one is not None]
    return {f"{name}_low": short(min(values)), f"{name}_high": short(max(values))}
