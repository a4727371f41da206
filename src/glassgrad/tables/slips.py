"""Slips: mistakes that are made everywhere, on purpose. One row a slip; its sentences are in `locale/slips.toml`.

A row is an experiment that is right, and the few settings that make it wrong. Both run, and both can be held against
the exact gradient: `at` says at which outputs, as a formula in t, and `goal` what the update should climb.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from glassgrad.errors import ExperimentError
from glassgrad.experiment import Experiment
from glassgrad.locale import Text, text
from glassgrad.tables.experiments import EXPERIMENTS, shipped
from glassgrad.tables.row import unknown

PREFIX = "slip-"
Check = Literal["scale", "diverged", "ratio", "same"]
"""scale: the mean update against the exact gradient; diverged: not a number; ratio: PPO's ratio; same: no effect."""


@dataclass(frozen=True)
class Slip:
    """A mistake, as settings of an experiment.

    base: the shipped experiment. wrong, right: what is set in the wrong and in the right one, if anything; both: in
    both of them. check: what gives it away. at: the outputs at which the update is looked at. goal: what the output
    should climb, in o (o1, o2), t and reward. output: which output is looked at. source: where it is seen or explained.
    """

    name: str
    base: str
    wrong: Mapping[str, Any]
    source: str
    right: Mapping[str, Any] = field(default_factory=dict)
    both: Mapping[str, Any] = field(default_factory=dict)
    check: Check = "scale"
    at: str = "4.5 + 0.5*t"
    goal: str = "reward"
    output: int = 1

    @property
    def experiment(self) -> Experiment:
        """The experiment with the slip."""
        return shipped(self.base).change(name=self.name, **self.both, **self.wrong)

    @property
    def correct(self) -> Experiment:
        """The same without the slip."""
        changes = {**self.both, **self.right}
        return shipped(self.base).change(**changes, **({"name": self.name + "-right"} if changes else {}))

    @property
    def reading(self) -> Text:
        """What is wrong, in one sentence."""
        return text(f"slips.{self.name}.wrong")

    @property
    def shows(self) -> Text:
        """Where it shows."""
        return text(f"slips.{self.name}.shows")


@dataclass(frozen=True)
class Elsewhere:
    """A mistake that a one-step task cannot show in its training: an environment makes it. test: what finds it."""

    name: str
    test: str

    @property
    def reading(self) -> Text:
        """What is wrong, in one sentence."""
        return text(f"slips.{self.name}.wrong")

    @property
    def shows(self) -> Text:
        """Where it shows."""
        return text(f"slips.{self.name}.shows")


def _baseline(objective: str) -> str:
    """An objective with the running mean of past rewards as its baseline, as `reinforce_baseline` has it."""
    return f"state baseline = 0; objective = {objective}; baseline = 0.9*baseline + 0.1*mean(reward)"


_CLIPPED = "a = stop(min(max(o + 0.5*noise, 0), 18)); logp = -(a - o)**2/(2*0.5**2)"
_UNCLIPPED = "u = stop(o + 0.5*noise); a = min(max(u, 0), 18); logp = -(u - o)**2/(2*0.5**2)"
_THROUGH = "a = o + 0.5*noise; logp = -(a - o)**2/(2*0.5**2)"
_INSIDE = "p = min(max(o, 0.000001), 0.999999); bonus = 0.3*(-p*log(p) - (1 - p)*log(1 - p))"
_CRITIC: dict[str, Any] = {
    "network": (2, 5, 2), "apart": True, "policy": "a = stop(o1 + 0.5*noise); logp = -(a - o1)**2/(2*0.5**2)",
}  # fmt: skip
_ACTOR_CRITIC = "adv = {}; objective = -{}*{} + 0.5*(o2 - {})**2"
_ACTOR_CRITIC_RIGHT = {"objective": _ACTOR_CRITIC.format("stop(reward - o2)", "adv", "logp", "stop(reward)")}
_PPO = (
    "ratio = exp(logp - {}); adv = stop(reward - others(reward)); "
    "objective = -min(ratio*adv, max(min(ratio, 1.2), 0.8)*adv)"
)
_NORMALISED = "-stop((reward - mean(reward))/{})*logp"
_MSE_WARNING = "PyTorch's warning “Using a target size that is different to the input size” (mse_loss)"

SLIPS = {
    slip.name: slip
    for slip in (
        Slip("slip-broadcast-labels", "add", {"objective": "(o - mean(t))**2"}, _MSE_WARNING, goal="-(o - t)**2"),
        Slip("slip-broadcast-advantage", "add-reinforce",
             {"objective": _baseline("-stop(mean(reward) - baseline)*logp")}, _MSE_WARNING),
        Slip("slip-own-sample", "add-reinforce", {"objective": "-stop(reward - mean(reward))*logp"},
             "Kool, van Hoof & Welling 2019", {"objective": "-stop(reward - others(reward))*logp"}, {"samples": 8}),
        Slip("slip-clipped-answer", "add-reinforce", {"policy": _CLIPPED}, "Fujita & Maeda 2018",
             {"policy": _UNCLIPPED}, at="0.2"),
        Slip("slip-reparameterised", "add-reinforce", {"policy": _THROUGH},
             "torch.distributions: rsample in place of sample"),
        Slip("slip-logp-stopped", "add-reinforce",
             {"objective": _ACTOR_CRITIC.format("stop(reward - o2)", "adv", "stop(logp)", "stop(reward)")},
             "log-probabilities stored with torch.no_grad(), as for old ones", _ACTOR_CRITIC_RIGHT, _CRITIC),
        Slip("slip-advantage-not-stopped", "add-reinforce",
             {"objective": _ACTOR_CRITIC.format("reward - o2", "adv", "logp", "stop(reward)")},
             "Mnih et al. 2016, where the advantage is a constant", _ACTOR_CRITIC_RIGHT, _CRITIC,
             goal="-0.5*(o2 - reward)**2", output=2),
        Slip("slip-target-not-stopped", "add-reinforce",
             {"objective": _ACTOR_CRITIC.format("stop(reward - o2)", "adv", "logp", "reward")},
             "Sutton & Barto 2018, section 9.3 (semi-gradients)", _ACTOR_CRITIC_RIGHT, _CRITIC, "same",
             goal="-0.5*(o2 - reward)**2", output=2),
        Slip("slip-normalised-one", "add-reinforce", {"objective": _NORMALISED.format("std(reward)")},
             "torch.std of a single number", both={"samples": 1}, check="diverged"),
        Slip("slip-normalised-equal", "choose", {"objective": _NORMALISED.format("std(reward)")},
             "frac_reward_zero_std in the logs of TRL",
             {"objective": _NORMALISED.format("(std(reward) + 0.0001)")}, check="diverged", at="0.25 + 0.5*t"),
        Slip("slip-entropy-sign", "choose",
             {"objective": f"{_INSIDE}; {_baseline('-stop(reward - baseline)*logp + bonus')}"}, "Williams & Peng 1991",
             {"objective": f"{_INSIDE}; {_baseline('-stop(reward - baseline)*logp - bonus')}"},
             at="0.25 + 0.5*t", goal="reward + 0.3*(-o*log(o) - (1 - o)*log(1 - o))"),
        Slip("slip-ratio-one", "add-reinforce", {"objective": _PPO.format("stop(logp)")}, "Schulman et al. 2017 (PPO)",
             {"objective": _PPO.format("old(logp)")}, {"passes": 4}, "ratio"),
        Slip("slip-reward-times-log", "knob-fixed", {"objective": "-stop(reward)*log(o)"},
             "the script of the volume knob", at="0.5"),
    )
}  # fmt: skip
"""By name: slip-broadcast-labels, slip-broadcast-advantage, …, each an experiment of its own."""

ELSEWHERE = (
    Elsewhere("filler-row", "tests/test_slips.py: test_a_filler_row_is_half_of_what_is_collected"),
    Elsewhere("truncation-as-end", "tests/test_environments.py: Truncated"),
    Elsewhere("overlapping-seeds", "tests/test_slips.py: test_seeds_that_are_counted_up_overlap"),
    Elsewhere("seed-ignored", "tests/test_environments.py: Unseeded, SeedForgotten"),
)
"""What environments get wrong: no setting of an experiment makes these, and a test has each of them."""


def named(name: str) -> Experiment:
    """An experiment that ships, or one of the slips.

    Raises:
        ExperimentError: there is none of this name; the message has the nearest one.

    Example:
        >>> named("slip-own-sample").objective
        '-stop(reward - mean(reward))*logp'
    """
    if name in SLIPS:
        return SLIPS[name].experiment
    if name.startswith(PREFIX):
        near = unknown("experiment", name, {**EXPERIMENTS, **SLIPS}).values["nearest"]
        raise ExperimentError("experiment.unknown", name=name, nearest=near)
    return shipped(name)


__all__ = ["ELSEWHERE", "SLIPS", "Check", "Elsewhere", "Slip", "named"]
