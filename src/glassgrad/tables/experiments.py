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
_CRITIC: dict[str, Any] = _REINFORCE | {"network": (2, 5, 2), "apart": True, "policy": "gaussian_first(sigma=0.5)"}
_FEWER: dict[str, Any] = _CRITIC | {"samples": 48, "optimizer": "adam(lr=0.03)"}
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
                           **_REINFORCE | {"optimizer": "adam(lr=0.035)", "steps": 2500}),
                Text("addition and subtraction in one network, from observed rewards (REINFORCE)",
                     "只看得到奖励的数值，一个网络同时学加法和减法（REINFORCE）")),
        Shipped(Experiment("choose", task="choose", network=(3, 8, 1), output_activation="sigmoid",
                           samples=48, fresh=True, steps=1000, policy="bernoulli", reward="right",
                           objective="reinforce_baseline(decay=0.9)", optimizer="adam(lr=0.03)", schedule="cosine"),
                Text("choose + or -, by right or wrong alone", "选 + 还是选 -，只知道对错")),
    )
}  # fmt: skip
"""By name: add, sub, …, choose."""

METHODS = {
    shipped.experiment.name: shipped
    for shipped in (
        Shipped(Experiment("add-leave-one-out", **_REINFORCE | {"objective": "reinforce_leave_one_out"}),
                Text("REINFORCE with the mean reward of all other answers as its baseline",
                     "REINFORCE，以其他所有回答的平均奖励为基线（留一法）")),
        Shipped(Experiment("sub-leave-one-out", task="sub", **_REINFORCE | {"objective": "reinforce_leave_one_out"}),
                Text("the same for subtraction", "同样的方法，学减法")),
        Shipped(Experiment("add-actor-critic", **_CRITIC | {"objective": "actor_critic"}),
                Text("a second network, the critic, learns which reward to expect",
                     "第二个网络（评论员）学着预测奖励")),
        Shipped(Experiment("add-a2c", **_FEWER | {"network": (2, 5, 3), "policy": "gaussian_learned(least=0.1)",
                                                   "objective": "a2c", "clip": 0.5}),
                Text("advantage actor-critic, sigma learned too, with a bonus for entropy",
                     "优势演员-评论员（A2C），sigma 也是学来的，另有熵的奖励")),
        Shipped(Experiment("add-ppo", **_FEWER | {"objective": "ppo", "passes": 4, "steps": 6000}),
                Text("proximal policy optimisation: four updates from the same answers, with a critic",
                     "近端策略优化（PPO）：同一批回答更新四遍，带评论员")),
        Shipped(Experiment("add-ppo-entropy", **_FEWER | {"network": (2, 5, 3), "objective": "ppo_entropy",
                                                           "policy": "gaussian_learned(least=0.1)", "passes": 4,
                                                           "clip": 0.5}),
                Text("proximal policy optimisation with sigma learned too, and a bonus for entropy",
                     "近端策略优化（PPO），sigma 也是学来的，另有熵的奖励")),
        Shipped(Experiment("add-grpo", **_REINFORCE | {"objective": "grpo", "group": 8, "passes": 4, "steps": 6000}),
                Text("group relative policy optimisation: eight answers to each question, four updates from them",
                     "组内相对策略优化（GRPO）：每道题八个回答，用它们更新四遍")),
        Shipped(Experiment("add-evolution", **_REINFORCE | {"objective": "reinforce_group", "group": 4, "samples": 32,
                                                            "steps": 1500, "policy": "evolution(sigma=0.01)",
                                                            "optimizer": "adam(lr=0.01)"}),
                Text("evolution strategies: the weights are perturbed, not the answers",
                     "进化策略：随机扰动的是权重，不是回答")),
        Shipped(Experiment("add-categorical", network=(2, 16, 19), activation="tanh", fresh=True, samples=100,
                           steps=10000, policy="categorical(first=0)", reward="right",
                           objective="reinforce_log(least=0.003, bonus=0.6, until=9000)",
                           optimizer="adam(lr=0.02)", schedule="cosine"),
                Text("one of the answers 0 to 18, by right or wrong alone", "从 0 到 18 中选一个回答，只知道对错")),
    )
}  # fmt: skip
"""Further methods of learning from observed rewards, by name; docs/methods.md tells of each."""

BY_NAME = {**EXPERIMENTS, **METHODS}


def shipped(name: str) -> Experiment:
    """An experiment that ships.

    Raises:
        ExperimentError: there is none of this name; the message has the nearest one.

    Example:
        >>> shipped("knob").steps
        50
    """
    if name not in BY_NAME:
        near = unknown("experiment", name, BY_NAME).values["nearest"]
        raise ExperimentError("experiment.unknown", name=name, nearest=near)
    return BY_NAME[name].experiment
