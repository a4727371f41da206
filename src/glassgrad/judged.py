"""The verdict on a training by reward: what it learns from, which objective it follows, what will become of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from glassgrad.draws import Floats
from glassgrad.errors import ExperimentError
from glassgrad.experiment import Experiment
from glassgrad.formula.text import show
from glassgrad.method import Method, method
from glassgrad.rl.judge.basins import Basin, FixedPoint, Landscape, landscape
from glassgrad.rl.judge.beside import Beside
from glassgrad.rl.judge.climbed import Climbed, climbed
from glassgrad.rl.judge.critic import Critic, critics
from glassgrad.rl.judge.ends import ends
from glassgrad.rl.judge.evidence import Evidence, Source, evidence, sources
from glassgrad.rl.judge.experiment import FEWER, asked, look, question, view
from glassgrad.rl.judge.forecast import Forecast, forecast, measured
from glassgrad.rl.judge.objectives import Fit, named
from glassgrad.rl.judge.outside import REPETITIONS, Look
from glassgrad.rl.judge.perturbed import Perturbed
from glassgrad.rl.judge.profile import NOWHERE, Profile
from glassgrad.rl.judge.script import LossFunction, Reward, Script, outputs_of, untouched
from glassgrad.rl.judge.several import Several
from glassgrad.rl.judge.starts import basin_of, even_widths, first_outputs

if TYPE_CHECKING:
    import torch
    from matplotlib.figure import Figure

Progress = Callable[[int, int], None]
RUNS, MANY_RUNS, MOST_RUNS = 1_000, 100_000, 10_000_000
"""How many runs are trained if nobody says: of a network whose first output has a formula, with one question, many."""
TOLERANCE = 0.005  # of a user's own script: a fixed point this near to the truth, as a share of the axis, is right


@dataclass(frozen=True)
class Judgement:
    """What a training learns from, which objective it climbs, where it leads.

    name: of the experiment or the loss function. question: as it is asked. sources: what it learns from, the most
    telling first. arrives: dL/do as a formula; "" of a user's own script. objectives: those with a name that the
    expected update climbs. evidence: (a) to (f). profile: the expected update along the axis of outputs.
    climbed: its integral. points, basins: where it leads. right: of each point, whether it answers right.
    start: the output before training, of this seed. truth: the right answer, if it is known. forecast: shares of
    basins and failures, predicted and measured; None of a user's own script. unmeasured: why nothing was trained.

    Of several outputs, several has them all, and critics what those follow that the answer does not read. Profile,
    points and basins are then those of the first output, the others held; empty where no output moves alone. Where the
    policy perturbs the weights, several has the weights in place of outputs.

    Example:
        >>> import glassgrad as gg
        >>> found = gg.judge("knob", runs=1000)
        >>> found.verdict, found.objectives[0].objective.name, f"{found.forecast.shares[0].predicted:.4f}"
        ('neither', 'reward_over_output', '0.6822')
    """

    name: str
    question: str
    sources: tuple[Source, ...]
    arrives: str
    objectives: tuple[Fit, ...]
    evidence: tuple[Evidence, ...]
    profile: Profile = field(repr=False)
    climbed: Climbed = field(repr=False)
    points: tuple[FixedPoint, ...]
    basins: tuple[Basin, ...]
    right: tuple[bool, ...]
    start: float
    truth: float | None
    forecast: Forecast | None = None
    experiment: Experiment | None = None
    unmeasured: str = ""
    several: Several | None = field(default=None, repr=False)
    critics: tuple[Critic, ...] = ()

    @property
    def verdict(self) -> Source:
        """What it learns from: labels, derivative (of the reward), observed (rewards), or neither."""
        return self.sources[0]

    @property
    def held(self) -> bool:
        """Whether no prediction was contradicted by the runs."""
        return self.forecast is None or self.forecast.held

    @property
    def goal(self) -> float | None:
        """Where the output goes from where it starts; None if it stays."""
        here = basin_of(np.array([self.start]), self.basins)[0] if self.basins else -1
        goal = self.basins[here].goal if here >= 0 else None
        return None if goal is None else goal.at

    def __getitem__(self, letter: str) -> Evidence:
        for piece in self.evidence:
            if piece.letter == letter:
                return piece
        raise KeyError(letter)

    @property
    def output(self) -> Floats:
        """The outputs at which it was looked (places)."""
        return self.profile.o

    @property
    def update(self) -> Floats:
        """The expected update -dL/do there (places)."""
        return self.profile.mean

    def to_json(self) -> dict[str, Any]:
        """One object, as the command line prints it."""
        from glassgrad.report.judge_json import judge_json

        return judge_json(self)

    def to_text(self) -> str:
        """What `glassgrad judge` prints, as plain text."""
        from glassgrad.report.judge_text import judge_text

        return judge_text(self)

    def to_html(self) -> str:
        """The text and the picture as one offline page."""
        from glassgrad.report.judge_html import judge_html

        return judge_html(self)

    def plot(self, file: str | None = None) -> "Figure":
        """The picture, as a matplotlib Figure; written to a file (.png, .svg, .html) if one is named."""
        from glassgrad.report.judge_picture import figure, save

        if file is not None:
            save(self, file)
        return figure(self)

    def __repr__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        from glassgrad.report.judge_html import fragment

        return fragment(self)


def judge(
    what: "str | Experiment | LossFunction",
    model: "torch.nn.Module | None" = None,
    batch: Any = None,
    *,
    reward: "str | Reward | None" = None,
    truth: Any = None,
    between: tuple[float, float] | None = None,
    repetitions: int | None = None,
    runs: int | None = None,
    seed: int | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> Judgement:
    """Say what a training learns from, with evidence, which objective it climbs, and what will become of it.

    An experiment: its name (or a file, or an Experiment) and settings; runs: how many are trained, 0 for none.

    A loss function of your own, `loss_fn(model, batch)`, or `loss_fn(model, batch, reward)`, which calls
    `reward(answer, truth)`; the model gives one number for each row of the batch. reward: the function that is handed
    to it. truth: of each row, if the reward is not called with it. between: the least and the largest output that the
    model can give, if its last layer does not tell. repetitions: calls at each output, where chance has a part. seed:
    of all chance.

    Raises:
        GlassgradError: something cannot be read, does not fit together, or cannot be judged.

    Example:
        >>> import torch, glassgrad as gg
        >>> def loss_fn(model, batch):
        ...     x, t = batch
        ...     return ((model(x) - t)**2).mean()
        >>> found = gg.judge(loss_fn, torch.nn.Linear(2, 1), (torch.ones(4, 2), torch.full((4, 1), 8.0)), truth=8)
        >>> found.verdict, found.objectives[0].objective.name
        ('labels', 'squared_error')
    """
    if callable(what) and not isinstance(what, Experiment):
        extra = next(iter(settings), "runs" if runs is not None else None)
        if extra is not None:
            raise ExperimentError("judge.of_experiments", setting=extra)
        if isinstance(reward, str) or (reward is not None and not callable(reward)):
            raise ExperimentError("judge.reward_function")
        return _script(what, model, batch, reward, truth, between, repetitions, seed)
    given = {"model": model, "batch": batch, "between": between, "repetitions": repetitions}
    extra = next((name for name, value in given.items() if value is not None), None)
    if extra is not None:
        raise ExperimentError("judge.of_scripts", setting=extra)
    own = {"reward": reward, "truth": truth, "seed": seed}
    settings |= {name: value for name, value in own.items() if value is not None}
    return _judged(_experiment(what, settings), runs, progress)


def _experiment(what: Any, settings: dict[str, Any]) -> Experiment:
    from glassgrad.doors import from_keywords

    if not isinstance(what, str | Experiment):
        raise ExperimentError("judge.what", came=type(what).__name__)
    return from_keywords(what, **settings)


def _judged(experiment: Experiment, runs: int | None, progress: Progress | None) -> Judgement:
    of = method(experiment)
    questions = asked(of)
    count = _runs(runs, experiment, of, questions[0])
    beside = Beside(experiment, of, questions[0], count > 0) if of.network.outputs > 1 else None
    one = of if beside is None else beside.one
    if of.tried:
        found = _together(experiment, of, questions[0], Perturbed(experiment, of, questions[0], count > 0))
    elif one is not None:
        found = _along(experiment, of, one, questions, beside)
    else:
        assert beside is not None
        found = _together(experiment, of, questions[0], beside)
    told = found.forecast
    if not count or told is None:
        return found
    try:
        return replace(found, forecast=measured(told, ends(experiment, of, count, found.profile.axis.low, progress)))
    except ExperimentError as error:  # the engine that trains many cannot run it
        if runs is not None:
            raise
        return replace(found, unmeasured=str(error))


def _along(
    experiment: Experiment, of: Method, one: Method, questions: Sequence[Floats], beside: Beside | None
) -> Judgement:
    """The verdict on one output, moved along its axis. one: the method with this output alone."""
    from glassgrad.report.feedback import arriving

    views = [view(experiment, one, question(one, inputs)) for inputs in questions]
    first, seen = views[0], look(views[0])
    profiles = [seen.profile, *(other.profile(other.places(FEWER)) for other in views[1:])]
    lands = [landscape(profile) for profile in profiles]
    names, right = named(profiles), _right(first.right, lands[0])
    seen = seen if beside is None else beside.joined(seen)
    arrives = "" if beside is not None else show(arriving(of)) if of.backward else "0"
    return Judgement(
        name=experiment.name,
        question=of.task.question(tuple(map(float, first.place.inputs))),
        sources=sources(seen),
        arrives=arrives,
        objectives=names,
        evidence=evidence(seen, names, lands[0], right),
        profile=seen.profile,
        climbed=climbed(seen.profile, first.kinks()),
        points=lands[0].points,
        basins=lands[0].basins,
        right=right,
        start=_start(experiment, of, first.place.inputs),
        truth=first.place.truth,
        forecast=forecast(experiment, of, views, lands),
        experiment=experiment,
        several=None if beside is None else beside.seen,
        critics=() if beside is None else critics(beside.seen),
    )


def _together(experiment: Experiment, of: Method, inputs: Floats, beside: Beside | Perturbed) -> Judgement:
    """The verdict on outputs that decide the answer together, or on weights, so that none can be moved alone."""
    names = beside.seen.named()
    return Judgement(
        name=experiment.name,
        question=of.task.question(tuple(map(float, inputs))),
        sources=sources(beside.looks),
        arrives="",
        objectives=names,
        evidence=beside.evidence(names),
        profile=NOWHERE,
        climbed=climbed(NOWHERE, np.empty(0)),
        points=(),
        basins=(),
        right=(),
        start=_start(experiment, of, inputs),
        truth=float(of.task.true(inputs[None])[0]),
        forecast=Forecast((), None, 0, 1),
        experiment=experiment,
        several=beside.seen,
        critics=critics(beside.seen),
    )


def _runs(runs: int | None, experiment: Experiment, of: Method, inputs: Floats) -> int:
    if runs is None:
        return MANY_RUNS if len(of.task.domain()) == 1 and even_widths(experiment, of, inputs) is not None else RUNS
    given: object = runs
    if isinstance(given, bool) or not isinstance(given, int | np.integer) or not 0 <= runs <= MOST_RUNS:
        raise ExperimentError("experiment.range", setting="runs", low=0, high=f"{MOST_RUNS}", came=runs)
    return int(runs)


def _right(answers_right: Callable[[Floats], Any], land: Landscape) -> tuple[bool, ...]:
    return tuple(bool(answers_right(np.array([point.at]))[0]) for point in land.points)


def _start(experiment: Experiment, of: Method, inputs: Floats) -> float:
    return float(first_outputs(experiment, of, inputs[None], drawn=1)[0, 0])


def _script(
    loss_fn: LossFunction,
    model: Any,
    batch: Any,
    reward: Reward | None,
    truth: Any,
    between: Sequence[float] | None,
    repetitions: int | None,
    seed: int | None,
) -> Judgement:
    count: Any = REPETITIONS if repetitions is None else repetitions
    if isinstance(count, bool) or not isinstance(count, int) or not 2 <= count <= 1_000_000:
        raise ExperimentError("experiment.range", setting="repetitions", low=2, high=1_000_000, came=count)
    low, high = outputs_of(model) if between is None else _between(between)
    with untouched(model):
        script = Script(loss_fn, model, batch, reward, truth, 0 if seed is None else seed)
        seen_by = Look(script, (low, high), count)
        seen = seen_by.looks()
        land = landscape(seen.profile)
        climbs = climbed(seen.profile, np.empty(0))
        others = [Look(script, (low, high), count, row).along() for row in script.questions[1:]]
    names = named([seen.profile, *others])
    width = seen.profile.axis.right - seen.profile.axis.left
    right = tuple(
        seen_by.truth is not None and abs(point.at - seen_by.truth) < TOLERANCE * width + 3 * point.error
        for point in land.points
    )
    return Judgement(
        name=getattr(loss_fn, "__name__", type(loss_fn).__name__),
        question="",
        sources=sources(seen),
        arrives="",
        objectives=names,
        evidence=evidence(seen, names, land, right),
        profile=seen.profile,
        climbed=climbs,
        points=land.points,
        basins=land.basins,
        right=right,
        start=float(script.first[0]),
        truth=seen_by.truth,
    )


def _between(between: Sequence[float]) -> tuple[float, float]:
    try:
        low, high = map(float, between)
    except (TypeError, ValueError):
        raise ExperimentError("judge.between", came=str(between)[:30]) from None
    if not low < high:
        raise ExperimentError("judge.between", came=str(between)[:30])
    return low, high


__all__ = ["Judgement", "judge"]
