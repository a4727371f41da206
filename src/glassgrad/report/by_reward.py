"""Learning by reward: who sees what, and one step of REINFORCE, number by number."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from glassgrad.draws import Floats
from glassgrad.equations import Equation, Step, plain_number, substituted
from glassgrad.estimated import Estimates, estimators
from glassgrad.formula.evaluate import evaluate
from glassgrad.formula.latex import latex
from glassgrad.formula.text import show
from glassgrad.formula.tree import Apply, Tree, symbols
from glassgrad.judged import Judgement, judge
from glassgrad.locale import Text, text
from glassgrad.network import gradient_name
from glassgrad.report.feedback import KINDS
from glassgrad.watched import Watch, watch

EXPERIMENT = "add-reinforce"
STEP = 108  # the first one that begins with the question 5 + 3
STEPPED = "-abs(round(a) - t)"


@dataclass(frozen=True)
class ByReward:
    """What the part on reward is made of.

    run: REINFORCE, up to the step that is shown. smooth, stepped: the estimators, without and with a rounded answer.
    verdicts: one for each kind of feedback.
    """

    run: Watch
    smooth: Estimates
    stepped: Estimates
    verdicts: tuple[Judgement, ...]

    @property
    def step(self) -> Step:
        """The step that is shown."""
        return self.run.step(STEP)

    def value(self, name: str) -> float:
        """A number of the sample that is shown, or of its step."""
        return self.step.at(self.step.evaluated.values[name])


def by_reward() -> ByReward:
    """Train up to the step, estimate the gradient, judge each kind of feedback; about two seconds.

    Example:
        >>> found = by_reward()
        >>> [one.verdict for one in found.verdicts], found.run.check.passed
        (['labels', 'derivative', 'observed', 'neither'], True)
    """
    return ByReward(
        watch(EXPERIMENT, steps=STEP, every=STEP - 1),
        estimators(),
        estimators(reward=STEPPED),
        tuple(judge(name, runs=0) for name in KINDS),
    )


@dataclass(frozen=True)
class Seen:
    """A term with the plain words beside it, what it is in this step, and whether the learner sees it."""

    term: Text
    plain: Text
    here: Text
    sees: Text
    visible: bool


def seen(found: ByReward) -> tuple[Seen, ...]:
    """State, policy, action, reward, and what the environment keeps to itself."""
    moment, of = found.step.moment, found.run.of
    here = {name: plain_number(found.value(name)) for name in (of.output_name, "a", "t", "reward")}
    sigma = plain_number(of.pieces["policy"].numbers["sigma"])
    normal = text("by_reward.policy_here", o=here[of.output_name], sigma=sigma)
    question = of.task.question(tuple(map(float, moment.inputs[found.step.sample])))
    return (
        _seen("state", "state", _both(question), "yes"),
        _seen("policy", "policy", normal, "yes"),
        _seen("action", "action", _both(f"a = {here['a']}"), "yes"),
        _seen("reward", "reward", _both(here["reward"]), "number"),
        _seen("environment", "truth", _both(f"t = {here['t']}"), "no"),
        _seen("environment", "formula", _both(of.pieces["reward"].formula), "no"),
    )


def _seen(term: str, plain: str, here: Text, sees: str) -> Seen:
    names = text(f"by_reward.{term}"), text(f"by_reward.{plain}_plain")
    return Seen(*names, here, text(f"by_reward.sees_{sees}"), sees != "no")


def _both(same: str) -> Text:
    return Text(same, same)


@dataclass(frozen=True)
class Told:
    """A number of the step in words, and as `name = symbolic = substituted = value`; "" where there is no formula."""

    words: Text
    name: str
    symbolic: str
    substituted: str
    value: float
    latex: str


def told(found: ByReward) -> tuple[Told, ...]:
    """From the noise to the gradient of one weight, in the order in which it happens."""
    of, step = found.run.of, found.step
    weight = gradient_name(_weight(found))
    samples = len(step.moment.inputs)
    return (
        Told(text("by_reward.noise"), "noise", "", "", found.value("noise"), ""),
        _told(text("by_reward.answer"), step.equation("a")),
        _told(text("by_reward.log_probability"), step.equation("logp")),
        _told(text("by_reward.reward_earned"), step.equation("reward")),
        Told(text("by_reward.baseline"), "baseline", "", "", found.value("baseline"), ""),
        _advantage(found),
        _told(text("by_reward.arrives"), step.equation(gradient_name(of.output_name))),
        _told(text("by_reward.weight", samples=samples), step.equation(weight)),
    )


def _told(words: Text, equation: Equation) -> Told:
    return Told(words, equation.name, equation.symbolic, equation.substituted, equation.value, equation.latex)


def _advantage(found: ByReward) -> Told:
    """What the objective stops: how much better than usual the answer was."""
    step = found.step
    tree, values = _stopped(step.by_name["dlogp"].line.tree), step.evaluated.values
    value = step.at(evaluate(tree, {name: values[name] for name in symbols(tree)}))
    return Told(text("by_reward.advantage"), "", show(tree), substituted(tree, values, step.sample), value, latex(tree))


def _stopped(tree: Tree) -> Tree:
    """The part inside of stop(…)."""
    assert isinstance(tree, Apply)
    return tree.arguments[0] if tree.function == "stop" else _stopped(tree.arguments[-1])


def _weight(found: ByReward) -> str:
    """The weight of the output unit that this sample moves most."""
    net, values = found.run.of.network, found.step.evaluated.values
    units = [(net.weight_name(net.last, 0, j), net.source_name(net.last, j)) for j in net.units(net.last - 1)]
    return max(units, key=lambda pair: abs(found.step.at(values[pair[1]])))[0]


def moves(found: ByReward) -> Text:
    """Which way this sample moves the output, and why."""
    output = found.run.of.output_name
    better = _advantage(found).value > 0
    way = text("by_reward.down" if found.value(gradient_name(output)) > 0 else "by_reward.up")
    o, a, t = (plain_number(found.value(name)) for name in (output, "a", "t"))
    return text("by_reward.better" if better else "by_reward.worse", way=way, o=o, a=a, t=t)


def ways(found: ByReward) -> Text:
    """How many samples of the step move their output the right way."""
    output = found.run.of.output_name
    values: dict[str, Floats] = found.step.evaluated.values
    right = -values[gradient_name(output)] * (values["t"] - values[output]) > 0
    samples, towards = len(right), int(np.sum(right))
    return text("by_reward.ways", samples=samples, right=towards, wrong=samples - towards)


def curve(found: ByReward, places: int = 121) -> dict[str, Any]:
    """The policy as a picture: how likely each answer is around the output; where output, answer and truth are."""
    output = found.value(found.run.of.output_name)
    sigma = float(found.run.of.pieces["policy"].numbers["sigma"])
    marks = {"o": output, "a": found.value("a"), "t": found.value("t")}
    reach = max(3.5 * sigma, *(1.3 * abs(at - output) for at in marks.values()))
    x = np.linspace(output - reach, output + reach, places)
    return {"x": x.tolist(), "y": np.exp(-((x - output) ** 2) / (2 * sigma**2)).tolist(), "sigma": sigma, **marks}


__all__ = ["ByReward", "by_reward", "curve", "moves", "seen", "told", "ways"]
