"""Estimators of the policy gradient beside the exact one: for one question, or at a step of a run, as an object."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from glassgrad.doors import from_keywords
from glassgrad.draws import Floats
from glassgrad.errors import ExperimentError, FormulaError
from glassgrad.experiment import LAST_SEED, MAX_STEPS, Experiment
from glassgrad.formula.evaluate import evaluate
from glassgrad.formula.parser import parse
from glassgrad.formula.text import show
from glassgrad.formula.tree import symbols
from glassgrad.method import Method, method
from glassgrad.rl.arriving import Arriving, arriving, of_run
from glassgrad.rl.estimate import SAMPLES, Estimate, estimate
from glassgrad.rl.estimators import Estimator, own
from glassgrad.rl.in_training import check, in_training, questions
from glassgrad.rl.network import flat
from glassgrad.rl.several_outputs import shared
from glassgrad.rl.situation import Situation, one_choice, one_question

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from glassgrad.record import Record

Progress = Callable[[int, int], None]
QUESTION: dict[str, float] = {"mu": 6.3, "sigma": 1.5, "truth": 7.0}
"""The question that is looked at if none is given."""
AFTER = 100  # updates, if nobody says


class Taken(NamedTuple):
    """The gradient that the run itself used at this step: how long it is along the exact one, and its direction.

    shared: outputs beside the policy's, such as a critic, whose loss moves the same units: their part is in it.
    """

    scale: float
    cosine: float
    answers: int
    shared: tuple[str, ...] = ()


@dataclass(frozen=True)
class Estimates:
    """Estimators of the policy gradient, each beside the exact one.

    situation: the questions, and the exact gradient. estimates: one an estimator. seed: of the answers.
    experiment, step: of which run, and after how many updates; None for one question. taken: the run's own gradient.

    Example:
        >>> import glassgrad as gg
        >>> found = gg.estimators(mu=6.3, sigma=1.5, truth=7, reward="-abs(round(a) - t)")
        >>> float(found["pathwise"].mean[0]), f"{found.exact[0]:.4f}"
        (0.0, '0.3657')
    """

    situation: Situation
    estimates: tuple[Estimate, ...]
    seed: int
    experiment: Experiment | None = None
    step: int | None = None
    taken: Taken | None = None

    def __getitem__(self, name: str) -> Estimate:
        for found in self.estimates:
            if found.estimator.name == name:
                return found
        raise KeyError(name)

    @property
    def parameters(self) -> tuple[str, ...]:
        """What the gradient is taken by: ("mu", "sigma"), logits, or a network's numbers."""
        return self.situation.parameters

    @property
    def exact(self) -> Floats:
        """The exact gradient of the expected reward (parameters)."""
        return self.situation.gradient

    @property
    def mean(self) -> Floats:
        """What the estimators give on average (estimators, parameters)."""
        return np.stack([found.mean for found in self.estimates])

    @property
    def standard_error(self) -> Floats:
        """The standard errors of these means (estimators, parameters)."""
        return np.stack([found.standard_error for found in self.estimates])

    @property
    def normal_question(self) -> bool:
        """Whether it is one question with a normal answer: then the first parameter, mu, leads."""
        return "sigma" in self.situation.variables

    @property
    def reward(self) -> str:
        """The reward's formula."""
        return show(self.situation.reward)

    def to_json(self) -> list[dict[str, Any]]:
        """A list of rows, as the command line prints it."""
        from glassgrad.report.estimators_json import estimators_json

        return estimators_json(self)

    def to_text(self) -> str:
        """The tables that `glassgrad estimators` prints, as plain text."""
        from glassgrad.report.estimators_text import estimators_text

        return estimators_text(self)

    def to_html(self) -> str:
        """The picture and the tables as one offline page."""
        from glassgrad.report.estimators_html import estimators_html

        return estimators_html(self)

    def plot(self, file: str | None = None) -> "Figure":
        """The picture, as a matplotlib Figure; written to a file (.png, .svg, .html) if one is named."""
        from glassgrad.report.estimators_picture import figure, save

        if file is not None:
            save(self, file)
        return figure(self)

    def __repr__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        from glassgrad.report.estimators_html import fragment

        return fragment(self)


def estimators(
    name: str | Experiment | None = None,
    *,
    step: int | None = None,
    mu: float | None = None,
    sigma: float | None = None,
    logits: float | tuple[float, ...] | str | None = None,
    truth: float | str | None = None,
    reward: str | None = None,
    objective: str | None = None,
    samples: int = SAMPLES,
    seed: int | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> Estimates:
    """Hold every estimator of the policy gradient against the exact gradient.

    One question: mu, sigma, truth, reward; the answer is mu + sigma*noise. Or logits: a choice of 1 with probability
    sigmoid(z), of several one of 0, 1, … with softmax. What is not given is that of the page docs/estimators.md.
    A run: the name of an experiment (or a file, or an Experiment) and its settings; step: after so many updates.
    There, sigma answers with o + sigma*noise, whatever the policy is.
    objective: your own, as one more estimator. samples: answers for each. seed: of the run, and of the answers.

    Raises:
        GlassgradError: something cannot be read, or does not fit together.

    Example:
        >>> import glassgrad as gg
        >>> found = gg.estimators("add-reinforce", step=20, samples=20_000)
        >>> found["group_mean"].verdict, f"{found['group_mean'].scale:.1f}"
        ('biased', '0.9')
    """
    if name is None:
        if settings or step is not None:
            raise ExperimentError("estimators.needs_name", setting=next(iter(settings), "step"))
        asked = {"mu": mu, "sigma": sigma, "truth": truth}
        situation = _question(asked, logits, "distance" if reward is None else reward)
        more = _own(objective, situation)
        found = estimate(situation, samples=samples, seed=_seed(seed), more=more, progress=progress)
        return Estimates(situation, found, _seed(seed))
    both = next((option for option, value in (("mu", mu), ("logits", logits)) if value is not None), None)
    if both is not None:
        raise ExperimentError("estimators.not_both", setting=both)
    given = {"truth": truth, "reward": reward, "objective": objective, "seed": seed, **settings}
    experiment = from_keywords(name, **{key: value for key, value in given.items() if value is not None})
    return _at_step(experiment, step, sigma, samples, progress)


def _question(asked: dict[str, float | str | None], logits: Any, reward: str) -> Situation:
    truth = _number("truth", asked["truth"], 1.0 if logits is not None else QUESTION["truth"])
    if logits is None:
        mu, sigma = (_number(name, asked[name], QUESTION[name]) for name in ("mu", "sigma"))
        return one_question(reward, truth, mu, sigma)
    extra = next((name for name in ("mu", "sigma") if asked[name] is not None), None)
    if extra is not None:
        raise ExperimentError("estimators.choice_or_normal", setting=extra)
    return one_choice("right" if reward == "distance" else reward, truth, _logits(logits))


def _logits(given: Any) -> tuple[float, ...]:
    if isinstance(given, str):
        given = [part for part in given.split(",") if part.strip()]
    every = given if isinstance(given, list | tuple | np.ndarray) else (given,)
    return tuple(_number("logits", value, 0.0) for value in every)


def _number(setting: str, given: Any, usual: float) -> float:
    """A number, or a formula that is one: 7, "7", "3 + 4"."""
    if given is None:
        return usual
    try:
        return float(evaluate(parse(given, ()), {})) if isinstance(given, str) else float(given)
    except FormulaError as error:
        raise error.within(setting) from None
    except (TypeError, ValueError):
        raise ExperimentError("estimators.number", setting=setting, came=str(given)[:30]) from None


def _seed(seed: int | None) -> int:
    found = 0 if seed is None else seed
    if not _whole(found, 0, LAST_SEED):
        raise ExperimentError("experiment.range", setting="seed", low=0, high=LAST_SEED, came=found)
    return found


def _whole(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and bool(low <= value <= high)


def _own(objective: str | None, situation: Situation) -> list[tuple[Estimator, Arriving]]:
    """A user's own objective as one more row."""
    row = own(objective) if objective is not None else None
    lines = arriving(row, situation) if row is not None else None
    return [(row, lines)] if row is not None and lines is not None else []


def _at_step(
    experiment: Experiment, step: int | None, sigma: float | None, samples: int, progress: Progress | None
) -> Estimates:
    after = min(AFTER, experiment.steps) if step is None else step
    if not _whole(after, 0, experiment.steps):
        raise ExperimentError("experiment.range", setting="step", low=0, high=experiment.steps, came=after)
    of = method(experiment)
    if of.tried and sigma is None:
        raise ExperimentError("estimators.perturbed", policy=of.pieces["policy"].name[:40], name=experiment.name)
    check(of, sigma)  # what cannot be estimated is refused before anything is trained
    record = _trained(experiment, of, after, progress)
    if record.steps < after:
        raise ExperimentError("estimators.ended", step=after, status=record.status)
    parameters = record.parameters_at(after + 1)
    situation = in_training(of, parameters, after + 1, sigma)
    more: list[tuple[Estimator, Arriving]] = []
    taken = None
    if sigma is None and record.kept(after + 1):
        moment = record.moment(after + 1)
        row = own(of.pieces["objective"].name, size=experiment.group)
        more = [(row, of_run(of, moment.lines, after + 1, situation))]
        used = -flat(of, moment.gradients) * situation.moving
        others = shared(of, flat(of, parameters), questions(of), situation)
        taken = None if of.regulariser else _taken(used, situation.gradient, len(moment.inputs), others)
    found = estimate(situation, samples=samples, seed=experiment.seed, more=more, progress=progress)
    return Estimates(situation, found, experiment.seed, experiment, after, taken)


def _trained(experiment: Experiment, of: Method, after: int, progress: Progress | None) -> "Record":
    """The run so far, and one more update for its own gradient; where no schedule reads its end, beyond its end too."""
    from glassgrad.engines.torch import train

    ends = any("steps" in symbols(line.tree) for line in of.optimizer_program.lines)
    steps = experiment.steps if ends else min(after + 1, MAX_STEPS)
    return train(experiment.change(steps=steps), every=max(1, after), progress=progress, until=after + 1)


def _taken(gradient: Floats, exact: Floats, answers: int, others: tuple[str, ...]) -> Taken | None:
    size, length = float(np.linalg.norm(gradient)), float(np.linalg.norm(exact))
    if not size or not length or not np.isfinite(size):
        return None
    along = float(gradient @ exact) / length
    return Taken(along / length, along / size, answers, others)


__all__ = ["Estimates", "Taken", "estimators"]
