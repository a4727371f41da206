"""To watch a run: one training with everything that can be said about it, as an object."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from glassgrad.check import Check, check_results
from glassgrad.draws import Floats
from glassgrad.engines.replay import final_outputs, outputs
from glassgrad.equations import MOST, Step
from glassgrad.errors import ExperimentError
from glassgrad.experiment import Experiment
from glassgrad.files import writing
from glassgrad.insight import Units, answers, errors, units
from glassgrad.method import Method, method
from glassgrad.record import Record
from glassgrad.steps import equations_of_a_step, families

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Answer:
    """A question, what is true, and what the network answers."""

    question: str
    inputs: tuple[float, ...]
    truth: float
    answer: float


@dataclass(frozen=True)
class Watch:
    """One run behind glass.

    record: every number of every step. every: the steps shown are 1, 1 + every, 1 + 2*every, ….
    sample: which sample of a step's batch is shown in full. asked: the questions that are worked out at the end.
    plant: a formula's family whose values are multiplied by 1.0005, to see the check catch it.

    Example:
        >>> import glassgrad as gg
        >>> run = gg.watch("knob", seed=1)
        >>> run.solved, len(run.shown)
        (False, 1)
    """

    record: Record
    every: int = 100
    sample: int = 0
    asked: tuple[tuple[float, ...], ...] = ()
    plant: str | None = None
    _steps: dict[int, Step] = field(default_factory=dict, repr=False, compare=False)

    @property
    def experiment(self) -> Experiment:
        return self.record.experiment

    @property
    def of(self) -> Method:
        return method(self.experiment)

    @cached_property
    def shown(self) -> tuple[int, ...]:
        """The steps that are shown."""
        return tuple(step for step in range(1, self.record.steps + 1, self.every) if self.record.kept(step))

    def step(self, number: int) -> Step:
        """The equations of one step, at the chosen sample.

        Raises:
            ExperimentError: the run has no such step.
        """
        if not self.record.kept(number):
            raise ExperimentError("watch.step", step=number, steps=self.record.steps)
        if number not in self._steps:
            moment = self.record.moment(number)
            self._steps[number] = Step(self.experiment, moment, self.place(number), self.plant)
        return self._steps[number]

    def place(self, number: int) -> int:
        """Where the chosen sample stands in a step's batch: the last one, if the last batch of a pass is smaller."""
        return min(self.sample, len(self.record.batch(number)[0]) - 1)

    @cached_property
    def check(self) -> Check:
        """Every number of the shown steps held against PyTorch's; nothing if they are too many."""
        if self.too_large:
            return Check(self.experiment.precision)
        return check_results(self.experiment, [self.step(number) for number in self.shown])

    @cached_property
    def tests(self) -> tuple[Answer, ...]:
        """The asked questions, answered by the final network."""
        inputs = np.array(self.asked or self.of.task.asked, dtype=np.float64).reshape(-1, len(self.of.task.inputs))
        truth, output = self.of.task.true(inputs), final_outputs(self.record, inputs)
        given = answers(self.experiment, self.record.final, inputs, output)
        return tuple(
            Answer(self.of.task.question(tuple(x)), tuple(map(float, x)), float(t), float(a))
            for x, t, a in zip(inputs, truth, given, strict=True)
        )

    @cached_property
    def errors(self) -> Floats:
        """|answer - truth| on every question of the domain."""
        return errors(self.experiment, self.record.final, self.of.task.domain())

    @property
    def solved(self) -> bool:
        """Whether every question of the domain is answered within the task's tolerance."""
        return bool(np.all(self.errors < self.of.task.tolerance))

    @cached_property
    def units(self) -> Units:
        """The hidden units that no longer take part."""
        return units(self.experiment, self.record.final)

    @cached_property
    def output(self) -> Floats:
        """The network's output for the chosen sample, at every step that was kept (else NaN)."""
        return outputs(self.record, self.sample)

    def equations_count(self) -> int:
        """How many equations the shown steps have."""
        return equations_of_a_step(self.experiment, MOST) * len(self.shown)

    @property
    def too_large(self) -> bool:
        """Whether one step alone has more equations than a report may have; then only its numbers are shown."""
        return equations_of_a_step(self.experiment, MOST) > MOST

    def check_size(self) -> None:
        """Refuse a report with too many equations, and say how to show less.

        Raises:
            ExperimentError: there are more than 10,000.
        """
        count = self.equations_count()
        if count > MOST:
            one = count // len(self.shown)
            most = MOST // one
            every = -(-self.record.steps // most) if most else self.record.steps
            key = "watch.too_many" if most else "watch.too_large"
            raise ExperimentError(key, count=f"{count:,}", most=f"{MOST:,}", every=every)

    def to_json(self) -> dict[str, Any]:
        """Everything as one object of the command line's contract."""
        from glassgrad.report.watch_json import watch_json

        return watch_json(self)

    def plot(self, file: str | None = None) -> "Figure":
        """The loss and reward curves, as a matplotlib Figure; written to a file (.png, .svg, .pdf) if one is named."""
        from glassgrad.curve import curve

        figure = curve(self.record)
        if file is not None:
            with writing(file) as path:
                figure.savefig(path)
        return figure

    def to_text(self) -> str:
        """What `glassgrad watch` prints, as plain text."""
        from glassgrad.report.watch_text import watch_text

        return watch_text(self)

    def to_html(self) -> str:
        """The report as one offline page."""
        from glassgrad.report.page import page

        return page([self])

    def __repr__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        import html

        return f'<iframe srcdoc="{html.escape(self.to_html())}" width="100%" height="720" style="border:0"></iframe>'


@np.errstate(all="ignore")
def watch(
    name: str | Experiment = "add",
    *,
    every: int = 100,
    sample: int = 1,
    ask: str | Sequence[str] = (),
    progress: Progress | None = None,
    plant: str | None = None,
    engine: str = "torch",
    **settings: Any,
) -> Watch:
    """Train one network and keep everything.

    name: a shipped experiment, a TOML file, or an Experiment; settings: what to change in it (`seed=3`, `steps=500`,
        `objective="abs(o - t)"`, …).
    every: show steps 1, 1 + every, …. sample: which sample of the batch to show in full, from 1.
    ask: questions for the final network, as "12 + 30". engine: torch, or compiled.

    Raises:
        GlassgradError: something cannot be read, or does not fit together.

    Example:
        >>> import glassgrad as gg
        >>> run = gg.watch("add-linear", seed=3)
        >>> print(run.tests[0].question, "=", f"{run.tests[0].answer:.2f}")
        5 + 3 = 8.00
    """
    from glassgrad.doors import from_keywords

    experiment = from_keywords(name, **settings)
    if every < 1:
        raise ExperimentError("experiment.range", setting="every", low=1, high=experiment.steps, came=every)
    of = method(experiment)
    seen = experiment.samples if of.task.data is None else of.task.data.trained
    seen = min(experiment.batch or seen, seen)
    if not 1 <= sample <= seen:
        raise ExperimentError("watch.sample", sample=sample, samples=seen)
    asked = tuple(of.task.parse_question(question) for question in ([ask] if isinstance(ask, str) else ask))
    if not np.all(np.isfinite(asked)):
        raise ExperimentError("task.question", came=str(ask)[:40], example=of.task.question(of.task.asked[0]))
    if plant is not None and plant not in (known := families(experiment)):
        raise ExperimentError("watch.plant", name=plant[:30], known=", ".join(known))
    return Watch(_trained(experiment, engine, every, progress), every, sample - 1, asked, plant)


def _trained(experiment: Experiment, engine: str, every: int, progress: Progress | None) -> Record:
    if engine == "compiled":
        from glassgrad.engines.compiled import train_one

        return train_one(experiment)
    if engine != "torch":
        raise ExperimentError("experiment.choice", setting="engine", known="torch, compiled", came=engine)
    from glassgrad.engines.torch import train

    return train(experiment, every=every, progress=progress)


__all__ = ["Answer", "Watch", "watch"]
