"""Four sentences that are told about such scripts, each tried on many runs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from glassgrad.engines.torch import train
from glassgrad.experiment import Experiment
from glassgrad.insight import errors, forward, slopes, solved
from glassgrad.locale import Text, text
from glassgrad.method import method
from glassgrad.record import Record
from glassgrad.tables.experiments import shipped

Tick = Callable[[int, int], None]
Verdict = Literal["true", "false", "partly"]

ADD_RUNS, KNOB_RUNS = 10, 200
NEAR = 0.05


@dataclass(frozen=True)
class Claim:
    """A sentence, what was measured, and the verdict that follows from the numbers."""

    claim: Text
    verdict: Verdict
    measured: Text
    command: str


def runs(experiment: Experiment, count: int, tick: Tick | None = None) -> Iterator[Record]:
    """The runs of seeds 0, 1, …, count - 1."""
    for seed in range(count):
        if tick is not None:
            tick(seed, count)
        yield train(experiment.change(seed=seed))


def weights_approach_one(add_runs: int = ADD_RUNS, tick: Tick | None = None) -> Claim:
    """ "The weights approach 1": of single weights, of local slopes, and without a hidden layer."""
    experiment = shipped("add")
    domain = method(experiment).task.domain()
    weights, near, total = [], 0, 0
    for record in runs(experiment, add_runs, tick):
        weights += np.ravel(record.final["W1"]).tolist() + np.ravel(record.final["W2"]).tolist()
        found = slopes(experiment, record.final, domain)
        near += sum(max(abs(slope - 1) for slope in one.slopes) < NEAR for one in found)
        total += len(found)
    single = float(np.mean(np.abs(np.array(weights) - 1) < NEAR))
    linear = shipped("add-linear")
    reached = sum(bool(np.all(np.abs(r.final["W1"] - 1) < NEAR)) for r in runs(linear, add_runs))
    local = near / total
    verdict: Verdict = "true" if single > 0.9 else "partly" if reached == add_runs or local > 0.9 else "false"
    measured = text(
        "claims.weights.measured",
        runs=add_runs,
        single=f"{single:.0%}",
        local=f"{local:.0%}",
        reached=reached,
    )
    return Claim(text("claims.weights.claim"), verdict, measured, "glassgrad watch add-linear")


def reward_is_reinforcement() -> Claim:
    """ "Back-propagating the reward is reinforcement learning": compared, number for number, with regression."""
    through = shipped("add-through-reward")
    regression = through.change(reward=None, objective="mae")
    first, second = train(through), train(regression)
    largest = max(float(np.max(np.abs(first.parameters[name] - second.parameters[name]))) for name in first.parameters)
    verdict: Verdict = "false" if largest == 0 else "partly"
    measured = text("claims.reward.measured", steps=first.steps, largest=f"{largest:g}")
    return Claim(
        text("claims.reward.claim"),
        verdict,
        measured,
        "glassgrad watch add-through-reward --objective mae --reward distance",
    )


def knob_reaches(knob_runs: int = KNOB_RUNS, tick: Tick | None = None) -> Claim:
    """ "The knob learns to sit at 0.8": where runs end."""
    experiment = shipped("knob")
    ends = np.array([_end(experiment, record) for record in runs(experiment, knob_runs, tick)])
    reached = int(np.sum(np.abs(ends - 0.8) < NEAR))
    below, above = int(np.sum(ends < 0.8 - NEAR)), int(np.sum(ends > 0.8 + NEAR))
    verdict: Verdict = "false" if reached == 0 else "true" if reached == knob_runs else "partly"
    measured = text("claims.knob.measured", runs=knob_runs, reached=reached, below=below, above=above)
    return Claim(text("claims.knob.claim"), verdict, measured, "glassgrad watch knob --seed 1 --every 10")


def _end(experiment: Experiment, record: Record) -> float:
    return float(forward(experiment, record.final, method(experiment).task.domain())["o"][0])


def learned_to_add(add_runs: int = ADD_RUNS, tick: Tick | None = None) -> Claim:
    """ "It has learned to add": inside of the digits that it saw, and outside."""
    found = {}
    for name in ("add", "sub"):
        experiment = shipped(name)
        outside = method(experiment).task.extrapolation()
        assert outside is not None
        records = list(runs(experiment, add_runs, tick))
        far = [float(errors(experiment, record.final, outside).mean()) for record in records]
        found[name] = (sum(solved(experiment, record.final) for record in records), float(np.median(far)))
    inside = all(count == add_runs for count, _ in found.values())
    far_right = all(error < 0.5 for _, error in found.values())
    verdict: Verdict = (
        "true" if inside and far_right else "false" if not any(c for c, _ in found.values()) else "partly"
    )
    (add, add_far), (sub, sub_far) = found["add"], found["sub"]
    measured = text(
        "claims.learned.measured",
        runs=add_runs,
        add=add,
        sub=sub,
        add_far=f"{add_far:.2g}",
        sub_far=f"{sub_far:.3g}",
    )
    return Claim(text("claims.learned.claim"), verdict, measured, "glassgrad watch sub --ask '30 - 12'")


def claims(add_runs: int = ADD_RUNS, knob_runs: int = KNOB_RUNS, tick: Tick | None = None) -> tuple[Claim, ...]:
    """All four, measured now."""
    return (
        weights_approach_one(add_runs, tick),
        reward_is_reinforcement(),
        knob_reaches(knob_runs, tick),
        learned_to_add(add_runs, tick),
    )
