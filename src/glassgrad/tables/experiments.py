"""The experiments that ship, by name."""

from dataclasses import dataclass
from typing import Any

from glassgrad.errors import ExperimentError
from glassgrad.experiment import Experiment
from glassgrad.locale import Text
from glassgrad.tables.row import unknown


@dataclass(frozen=True, slots=True)
class Shipped:
    """An experiment and what it is, in one line."""

    experiment: Experiment
    title: Text


_THROUGH: dict[str, Any] = {
    "fresh": True, "samples": 1, "reward": "distance", "objective": "reward", "optimizer": "adam(lr=0.01)",
}  # fmt: skip
_REINFORCE: dict[str, Any] = {
    "fresh": True, "samples": 80, "steps": 3000, "policy": "gaussian(sigma=0.5)", "reward": "distance",
    "objective": "reinforce_baseline(decay=0.9)", "optimizer": "adam(lr=0.06)",
    "schedule": "warmup_cosine(warmup=300)",
}  # fmt: skip
_KNOB: dict[str, Any] = {
    "task": "knob", "network": (1, 1), "output_activation": "sigmoid", "reward": "closeness", "samples": 1,
    "steps": 50, "optimizer": "adam(lr=0.1)",
}  # fmt: skip

EXPERIMENTS = {
    shipped.experiment.name: shipped
    for shipped in (
        Shipped(Experiment("add"), Text("addition, learned from labels", "从标签学加法")),
        Shipped(Experiment("sub", task="sub"), Text("subtraction, learned from labels", "从标签学减法")),
        Shipped(Experiment("add-linear", network=(2, 1)),
                Text("addition without a hidden layer: the weights become 1",
                     "没有隐藏层的加法：权重会变成 1")),
        Shipped(Experiment("add-through-reward", **_THROUGH),
                Text("addition, through the derivative of the reward", "对奖励的公式求导，学加法")),
        Shipped(Experiment("sub-through-reward", task="sub", **_THROUGH),
                Text("subtraction, through the derivative of the reward", "对奖励的公式求导，学减法")),
        Shipped(Experiment("add-reinforce", **_REINFORCE),
                Text("addition from observed rewards (REINFORCE)", "只看得到奖励的数值，学加法（REINFORCE）")),
        Shipped(Experiment("sub-reinforce", task="sub", **_REINFORCE),
                Text("subtraction from observed rewards (REINFORCE)",
                     "只看得到奖励的数值，学减法（REINFORCE）")),
        Shipped(Experiment("knob", objective="log_output", **_KNOB),
                Text("a volume knob, by stopped reward times log of the output: it never gets there",
                     "音量旋钮，用截断的奖励乘以输出的对数：永远停不到 0.8")),
        Shipped(Experiment("knob-fixed", objective="reward", **_KNOB),
                Text("the same knob, through the derivative of the reward", "同一个旋钮，对奖励的公式求导")),
        Shipped(Experiment("both", task="both", network=(3, 8, 1), steps=2000, optimizer="adam(lr=0.03)"),
                Text("addition and subtraction in one network", "一个网络同时做加法和减法")),
        Shipped(Experiment("both-through-reward", task="both", network=(3, 8, 1),
                           **_THROUGH | {"samples": 10, "steps": 5000}),
                Text("addition and subtraction in one network, through the derivative of the reward",
                     "对奖励的公式求导，一个网络同时学加法和减法")),
        Shipped(Experiment("both-reinforce", task="both", network=(3, 8, 1),
                           **_REINFORCE | {"optimizer": "adam(lr=0.025)"}),
                Text("addition and subtraction in one network, from observed rewards (REINFORCE)",
                     "只看得到奖励的数值，一个网络同时学加法和减法（REINFORCE）")),
        Shipped(Experiment("choose", task="choose", network=(3, 8, 1), output_activation="sigmoid",
                           samples=48, fresh=True, steps=1000, policy="bernoulli", reward="right",
                           objective="reinforce_baseline(decay=0.9)", optimizer="adam(lr=0.03)", schedule="cosine"),
                Text("choose + or -, by right or wrong alone", "选 + 还是选 -，只知道对错")),
    )
}  # fmt: skip
"""By name: add, sub, …, choose."""


def shipped(name: str) -> Experiment:
    """An experiment that ships.

    Raises:
        ExperimentError: there is none of this name; the message has the nearest one.

    Example:
        >>> shipped("knob").steps
        50
    """
    if name not in EXPERIMENTS:
        near = unknown("experiment", name, EXPERIMENTS).values["nearest"]
        raise ExperimentError("experiment.unknown", name=name, nearest=near)
    return EXPERIMENTS[name].experiment
