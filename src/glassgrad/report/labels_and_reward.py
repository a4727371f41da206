"""Labels against reward: the same tasks learned by three kinds of feedback, and what each of them needs and reaches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from glassgrad.comparison import Comparison, Row, Train, compare, one_run
from glassgrad.experiment import Experiment
from glassgrad.formula.text import show
from glassgrad.insight import errors
from glassgrad.locale import Text, language, say, text
from glassgrad.method import method
from glassgrad.report.compare_json import compare_json
from glassgrad.report.compare_text import short
from glassgrad.report.feedback import arriving
from glassgrad.runs import Progress
from glassgrad.tables.experiments import EXPERIMENTS, shipped

if TYPE_CHECKING:
    from rich.console import RenderableType

TASKS = ("add", "sub", "both")
KINDS = {"": "add", "-through-reward": "add-through-reward", "-reinforce": "add-reinforce"}
"""The ending of an experiment's name, and the experiment that stands for its kind of feedback."""
OUTSIDE = 5  # runs that are also asked far outside of what they trained on


@dataclass(frozen=True)
class Entry:
    """One task by one kind of feedback.

    arrives: dL/do. knows: what must be known. samples: how many questions were drawn in a run. outside: the median,
    over a few runs, of the mean error on questions from a range far outside of training.
    """

    task: str
    feedback: Text
    arrives: str
    knows: Text
    experiment: Experiment
    samples: int
    outside: float | None
    row: Row


@dataclass(frozen=True)
class LabelsAndReward:
    """The whole comparison: three tasks by three kinds of feedback, over the same seeds."""

    comparison: Comparison
    entries: tuple[Entry, ...]

    def to_json(self) -> list[dict[str, Any]]:
        """The rows of the comparison, each with what its feedback needs."""
        return [
            {
                **row,
                "task": entry.task,
                "feedback": entry.feedback._asdict(),
                "arrives": entry.arrives,
                "knows": entry.knows._asdict(),
                "samples": entry.samples,
                "steps": entry.experiment.steps,
                "error_outside": entry.outside,
            }
            for row, entry in zip(compare_json(self.comparison), self.entries, strict=True)
        ]


def experiments() -> list[Experiment]:
    """Each task by each kind of feedback; what does not ship has the settings of its kind, and its task's network.

    Example:
        >>> [experiment.name for experiment in experiments()][-3:]
        ['both', 'both-through-reward', 'both-reinforce']
    """
    return [_experiment(task, ending) for task in TASKS for ending in KINDS]


def _experiment(task: str, ending: str) -> Experiment:
    name = task + ending
    if name in EXPERIMENTS:
        return shipped(name)
    return shipped(KINDS[ending]).change(name=name, task=task, network=shipped(task).network)


def labels_and_reward(
    runs: int = 10_000, seed0: int = 0, progress: Progress | None = None, train: Train | None = None, **settings: Any
) -> LabelsAndReward:
    """Train all of them, and say what each needed."""
    found = compare(*experiments(), runs=runs, seed0=seed0, progress=progress, train=train, **settings)
    kinds = {task + ending: (task, kind) for task in TASKS for ending, kind in KINDS.items()}
    return LabelsAndReward(found, tuple(_entry(found, i, *kinds[name]) for i, name in enumerate(found.names)))


def _entry(found: Comparison, place: int, task: str, kind: str) -> Entry:
    experiment, runs = found.contenders[place].experiment, found.runs[place]
    return Entry(
        task,
        text(f"feedback.{kind}.name"),
        show(arriving(method(experiment))),
        text(f"feedback.{kind}.knows"),
        experiment,
        experiment.samples * (experiment.steps if experiment.fresh else 1),
        _outside(experiment, [int(seed) for seed in runs.seeds[:OUTSIDE]]),
        found.rows[place],
    )


def _outside(experiment: Experiment, seeds: Sequence[int]) -> float | None:
    """The median of the mean errors far outside; None where there is no outside."""
    task, found = method(experiment).task, []
    for seed in seeds:
        asked = task.extrapolation(seed)
        if asked is None:
            return None
        record = one_run(experiment.change(seed=seed))
        found.append(errors(experiment, record.final, asked).mean() if record.status == "finished" else np.inf)
    middle = float(np.median(found))
    return middle if np.isfinite(middle) else None


def labels_and_reward_parts(found: LabelsAndReward) -> "Iterator[RenderableType]":
    """What `glassgrad compare labels-and-reward` prints: what each kind needs, then what it reaches."""
    from rich.text import Text as Styled

    from glassgrad.report.compare_text import title

    yield Styled(title(found.comparison), style="bold")
    for entry in {entry.arrives: entry for entry in found.entries}.values():
        yield ""
        yield Styled(_said(entry.feedback), style="bold cyan")
        yield f"  dL/do = {entry.arrives}"
        yield Styled("  " + say("labels.knows", what=_said(entry.knows)), style="dim")
    yield ""
    yield _table(found)
    yield ""
    yield Styled(say("labels.legend", runs=OUTSIDE), style="dim")


def _said(pair: Text) -> str:
    return str(getattr(pair, language()))


def _table(found: LabelsAndReward) -> "RenderableType":
    from rich.table import Table

    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold cyan")
    table.add_column("", overflow="fold", ratio=1)
    for key in ("rate", "inside", "outside", "steps", "samples", "seconds"):
        table.add_column(say(f"labels.{key}"), justify="right", no_wrap=True)
    for entry in found.entries:
        rate, low, high = (f"{100 * share:.1f}" for share in entry.row.rate)
        outside = "–" if entry.outside is None else short(entry.outside)
        table.add_row(
            entry.experiment.name,
            f"{rate} [{low}, {high}]",
            short(entry.row.median_error.value),
            outside,
            f"{entry.experiment.steps:,}",
            f"{entry.samples:,}",
            short(entry.row.seconds),
        )
    return table


def labels_and_reward_text(found: LabelsAndReward, width: int = 80) -> str:
    """The same as plain text."""
    import io

    from rich.console import Console

    stream = io.StringIO()
    console = Console(file=stream, width=width, highlight=False, color_system=None)
    for part in labels_and_reward_parts(found):
        console.print(part)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines())
