"""Four sentences that are told about such scripts, each tried on many runs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from glassgrad import statistics
from glassgrad.ends import Parameters, ends
from glassgrad.engines.torch import train
from glassgrad.experiment import Experiment
from glassgrad.insight import forward, slopes
from glassgrad.locale import Text, text
from glassgrad.method import method
from glassgrad.report.compare_text import short
from glassgrad.report.labels_and_reward import LabelsAndReward
from glassgrad.statistics import Interval, wilson
from glassgrad.tables.experiments import shipped

Tick = Callable[[int, int], None]
Verdict = Literal["true", "false", "partly"]

RUNS = 1000
NEAR = 0.05


@dataclass(frozen=True)
class Claim:
    """A sentence, what was measured, and the verdict that follows from the numbers."""

    claim: Text
    verdict: Verdict
    measured: Text
    command: str


def _ends(experiment: Experiment, runs: int, tick: Tick | None = None) -> Iterator[Parameters | None]:
    """The networks with which the runs of seeds 0, 1, …, runs - 1 end."""
    for done, end in enumerate(ends(experiment, range(runs))):
        if tick is not None and done % 16 == 0:
            tick(done, runs)
        yield end


def weights_approach_one(runs: int = RUNS, tick: Tick | None = None) -> Claim:
    """ "The weights approach 1": of single weights, of local slopes, and without a hidden layer."""
    shares = [_near_one(shipped("add"), end) for end in _ends(shipped("add"), runs, tick)]
    single, local = (statistics.mean(share) for share in zip(*shares, strict=True))
    linear = _ends(shipped("add-linear"), runs, tick)
    reached = sum(end is not None and bool(np.all(np.abs(end["W1"] - 1) < NEAR)) for end in linear)
    verdict: Verdict = "true" if single.value > 0.9 else "partly" if reached == runs or local.value > 0.9 else "false"
    measured = text(
        "claims.weights.measured",
        runs=f"{runs:,}",
        single=_percent(single),
        local=_percent(local),
        reached=f"{reached:,}",
        share=_percent(wilson(reached, runs)),
    )
    return Claim(text("claims.weights.claim"), verdict, measured, "glassgrad watch add-linear")


def _near_one(experiment: Experiment, end: Parameters | None) -> tuple[float, float]:
    """Of one network: the share of its weights near 1, and of the questions around which its slopes are near 1."""
    if end is None:
        return 0.0, 0.0
    weights = np.concatenate([np.ravel(values) for name, values in end.items() if name.startswith("W")])
    around = np.array([one.slopes for one in slopes(experiment, end, method(experiment).task.domain())])
    return float(np.mean(np.abs(weights - 1) < NEAR)), float(np.mean(np.all(np.abs(around - 1) < NEAR, axis=1)))


def reward_is_reinforcement() -> Claim:
    """ "Back-propagating the reward is reinforcement learning": compared, number for number, with regression."""
    through = shipped("add-through-reward")
    regression = through.change(reward=None, objective="mae")
    first, second = train(through), train(regression)
    largest = max(float(np.max(np.abs(first.parameters[name] - second.parameters[name]))) for name in first.parameters)
    verdict: Verdict = "false" if largest == 0 else "partly"
    measured = text("claims.reward.measured", steps=f"{first.steps:,}", largest=f"{largest:g}")
    return Claim(
        text("claims.reward.claim"),
        verdict,
        measured,
        "glassgrad watch add-through-reward --objective mae --reward distance",
    )


def knob_reaches(runs: int = RUNS, tick: Tick | None = None) -> Claim:
    """ "The knob learns to sit at 0.8": where runs end."""
    experiment = shipped("knob")
    at = np.array([_end(experiment, end) for end in _ends(experiment, runs, tick)])
    reached = int(np.sum(np.abs(at - 0.8) < NEAR))
    below, above = int(np.sum(at <= 0.8 - NEAR)), int(np.sum(at >= 0.8 + NEAR))
    verdict: Verdict = "false" if reached == 0 else "true" if reached == runs else "partly"
    measured = text(
        "claims.knob.measured",
        runs=f"{runs:,}",
        reached=f"{reached:,}",
        share=_percent(wilson(reached, runs)),
        below=f"{below:,}",
        falls=_percent(wilson(below, runs)),
        above=f"{above:,}",
    )
    return Claim(text("claims.knob.claim"), verdict, measured, "glassgrad watch knob --seed 1 --every 10")


def _end(experiment: Experiment, end: Parameters | None) -> float:
    return np.nan if end is None else float(forward(experiment, end, method(experiment).task.domain())["o"][0])


def learned_to_add(found: LabelsAndReward) -> Claim:
    """ "It has learned to add": inside of the digits that it saw, and outside."""
    add, sub = found["add"], found["sub"]
    solved = [entry.row.solved / entry.row.runs for entry in (add, sub)]
    far = [entry.outside for entry in (add, sub) if entry.outside is not None]
    everywhere = min(solved) == 1 and all(error.value < 0.5 for error in far)
    verdict: Verdict = "true" if everywhere else "partly" if max(solved) > 0 else "false"
    low, high = method(add.experiment).task.outside or ("", "")
    measured = text(
        "claims.learned.measured",
        runs=f"{add.row.runs:,}",
        low=low,
        high=high,
        add=f"{add.row.solved:,}",
        add_rate=_percent(add.row.rate),
        sub=f"{sub.row.solved:,}",
        sub_rate=_percent(sub.row.rate),
        **dict(zip(("add_far", "sub_far"), map(_number, far), strict=True)),
    )
    return Claim(text("claims.learned.claim"), verdict, measured, "glassgrad watch sub --ask '30 - 12'")


def _percent(share: Interval) -> Text:
    value, low, high = (f"{100 * part:.1f}" for part in share)
    return text("claims.percent", value=value, low=low, high=high)


def _number(interval: Interval) -> str:
    value, low, high = map(short, interval)
    return f"{value} [{low}, {high}]"


def claims(found: LabelsAndReward, runs: int = RUNS, tick: Tick | None = None) -> tuple[Claim, ...]:
    """All four, measured now; the last from the runs of a comparison of labels and reward."""
    return (
        weights_approach_one(runs, tick),
        reward_is_reinforcement(),
        knob_reaches(runs, tick),
        learned_to_add(found),
    )
