"""What was measured of learning by reward: estimators of its gradient, verdicts, and which tool when."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from glassgrad.equations import plain_number
from glassgrad.judged import Judgement
from glassgrad.locale import Text, text
from glassgrad.report.by_reward import ByReward
from glassgrad.report.estimators_text import four, three
from glassgrad.report.feedback import KINDS
from glassgrad.report.judge_text import place
from glassgrad.report.labels_and_reward import LabelsAndReward
from glassgrad.rl.estimate import Column, Estimate, judged

ESTIMATORS = ("reinforce", "baseline", "pathwise", "log_output")
"""The most telling ones."""


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
    failures = next(
        (one.forecast.failures for one in found.verdicts if one.forecast and one.verdict == "neither"), None
    )
    return (
        _tool("labels", KINDS[0], **cost["labels"]),
        _tool("derivative", KINDS[1], **cost["derivative"]),
        _tool("observed", KINDS[2], **cost["observed"], times=f"{times:,.0f}"),
        _tool("steps", "", **_steps(found)),
        _tool("neither", KINDS[3], failures=f"{100 * (failures or 0.0):.0f}"),
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


__all__ = ["about", "asked", "estimated", "reading", "settings", "tools", "verdicts"]
