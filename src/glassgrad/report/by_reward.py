"""Learning by reward: who sees what, one step of REINFORCE, estimators of its gradient, verdicts, which tool when."""

from collections.abc import Iterable, Iterator
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
from glassgrad.report.estimators_text import four, three
from glassgrad.report.feedback import KINDS
from glassgrad.report.judge_text import place
from glassgrad.report.labels_and_reward import LabelsAndReward
from glassgrad.rl.estimate import Column, Estimate, judged
from glassgrad.watched import Watch, watch

EXPERIMENT = "add-reinforce"
STEP = 91  # the first one that begins with the question 5 + 3
STEPPED = "-abs(round(a) - t)"
ESTIMATORS = ("reinforce", "baseline", "pathwise", "log_output")
"""The most telling ones."""


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
    """Train up to the step, estimate the gradient, judge each kind of feedback; about two seconds."""
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


@dataclass(frozen=True)
class Estimated:
    """An estimator of dJ/dmu: with the smooth reward and with the stepped one; verdicts as none, biased, all."""

    name: str
    reading: Text
    smooth: Column
    stepped: Column
    verdicts: tuple[str, str]

    @property
    def judged(self) -> tuple[Text, Text]:
        first, second = (text(f"estimators.verdict_{verdict}") for verdict in self.verdicts)
        return first, second


def estimated(found: ByReward) -> tuple[Estimated, ...]:
    """The estimators beside the exact gradient."""
    return tuple(_estimated(name, found.smooth[name], found.stepped[name]) for name in ESTIMATORS)


def _estimated(name: str, smooth: Estimate, stepped: Estimate) -> Estimated:
    first, second = (judged([one.columns[0]], one.samples) for one in (smooth, stepped))
    return Estimated(name, smooth.estimator.reading, smooth.columns[0], stepped.columns[0], (first, second))


def about(found: ByReward) -> Text:
    """Of which question the gradient is."""
    here = found.smooth.situation
    mu, sigma = (plain_number(float(here.variables[name][0])) for name in ("o", "sigma"))
    return text(
        "by_reward.estimated",
        truth=_truth(found),
        mu=mu,
        sigma=sigma,
        samples=f"{found.smooth.estimates[0].samples:,}",
        smooth=found.smooth.reward,
        stepped=found.stepped.reward,
    )


def reading(found: ByReward) -> Text:
    """What the table of estimators says."""
    without, with_one, output = (found.smooth[name].columns[0] for name in ("reinforce", "baseline", "log_output"))
    return text(
        "by_reward.rounded",
        truth=_truth(found),
        without=three(without.variance),
        with_one=three(with_one.variance),
        log_output=four(output.mean),
        smooth=four(output.exact),
        **_steps(found),
    )


def _truth(found: ByReward) -> str:
    return plain_number(float(found.smooth.situation.values["t"][0]))


def _steps(found: ByReward) -> dict[str, str]:
    """What the differentiated stepped reward says, and what is right."""
    pathwise = found.stepped["pathwise"].columns[0]
    return {"pathwise": four(pathwise.mean), "exact": four(pathwise.exact)}


@dataclass(frozen=True)
class Judged:
    """A verdict in three parts: what it learns from, the evidence that decides, what it climbs."""

    name: str
    verdict: str
    learns: Text
    evidence: Text
    climbs: Text


def verdicts(found: ByReward) -> Iterator[Judged]:
    """Each kind of feedback, judged."""
    for one in found.verdicts:
        verdict = one.verdict
        numbers = {name: place(value) for letter in "cef" for name, value in one[letter].numbers.items()}
        stopped = one["b"].numbers.get("boxed")
        numbers["stopped"] = place(None if stopped is None else 100 * stopped)
        yield Judged(
            one.name,
            verdict,
            text(f"by_reward.learns_{verdict}"),
            text(f"by_reward.evidence_{verdict}", **numbers),
            _climbs(one),
        )


def _climbs(one: Judgement) -> Text:
    """The objective that is climbed, and where that leads."""
    goals = [(place(point.at), right) for point, right in zip(one.points, one.right, strict=True) if point.attracting]
    places = _joined("or", [at for at, _ in goals])
    right = text("judge.right" if all(right for _, right in goals) else "judge.wrong")
    return text("by_reward.climbs", name=one.objectives[0].objective.reading, places=places, right=right)


def asked(found: ByReward) -> Text:
    """In which questions it was judged."""
    questions = dict.fromkeys(one.question for one in found.verdicts)
    return text("by_reward.judged", questions=_joined("and", questions))


def _joined(between: str, names: Iterable[str]) -> Text:
    """Names with a word between them."""
    return Text(*(word.join(names) for word in text(f"by_reward.{between}")))


@dataclass(frozen=True)
class Tool:
    """What one has, what to use, and why, with what it costs."""

    have: Text
    use: Text
    why: Text
    experiment: str


def tools(found: ByReward, labels: LabelsAndReward) -> tuple[Tool, ...]:
    """When which is the right tool, by the numbers of the comparison."""
    ways = {"labels": "", "derivative": "-through-reward", "observed": "-reinforce"}
    cost = {way: _cost(labels, ending) for way, ending in ways.items()}
    times = labels["add" + ways["observed"]].samples / labels["add"].samples
    failures = next((one.forecast.failures for one in found.verdicts if one.forecast and one.verdict == "neither"), 0.0)
    return (
        _tool("labels", KINDS[0], **cost["labels"]),
        _tool("derivative", KINDS[1], **cost["derivative"]),
        _tool("observed", KINDS[2], **cost["observed"], times=f"{times:,.0f}"),
        _tool("steps", "", **_steps(found)),
        _tool("neither", KINDS[3], failures=f"{100 * failures:.0f}"),
    )


def _tool(kind: str, experiment: str, **values: Any) -> Tool:
    have, use = text(f"by_reward.have_{kind}"), text(f"by_reward.use_{kind}")
    return Tool(have, use, text(f"by_reward.why_{kind}", **values), experiment)


def _cost(labels: LabelsAndReward, ending: str) -> dict[str, str]:
    """How many questions a run drew for add, and how often add and sub were solved, in percent."""
    add, sub = labels["add" + ending], labels["sub" + ending]
    rates = {entry.task: f"{100 * entry.row.rate.value:.1f}" for entry in (add, sub)}
    return {"samples": f"{add.samples:,}", **rates}


def settings(labels: LabelsAndReward) -> Text:
    """With which settings the three kinds were compared."""
    kinds = [labels[name].experiment for name in KINDS[:3]]
    return text("by_reward.settings", settings="; ".join(f"{kind.name}: {kind.optimizer}" for kind in kinds))


def curve(found: ByReward, places: int = 121) -> dict[str, Any]:
    """The policy as a picture: how likely each answer is around the output; where output, answer and truth are."""
    output = found.value(found.run.of.output_name)
    sigma = float(found.run.of.pieces["policy"].numbers["sigma"])
    marks = {"o": output, "a": found.value("a"), "t": found.value("t")}
    reach = max(3.5 * sigma, *(1.3 * abs(at - output) for at in marks.values()))
    x = np.linspace(output - reach, output + reach, places)
    return {"x": x.tolist(), "y": np.exp(-((x - output) ** 2) / (2 * sigma**2)).tolist(), "sigma": sigma, **marks}


__all__ = [
    "ByReward", "about", "asked", "by_reward", "curve", "estimated", "moves", "reading", "seen", "settings", "told",
    "tools", "verdicts", "ways",
]  # fmt: skip
