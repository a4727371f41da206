"""The environments by their ids in Gymnasium: one row each."""

from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np

from glassgrad.rl.environments.rules import rules

NEARLY = 0.95  # of whole answers: so many have to be right


@dataclass(frozen=True)
class Row:
    """name: glassgrad/name-v0. reward: that of the experiment of this task. answers: where the truth does not say."""

    name: str
    task: str
    reward: str
    discrete: bool = False
    answers: tuple[float, float] | None = None

    @property
    def id(self) -> str:
        return f"glassgrad/{self.name}-v0"

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the environment."""
        plain = {"task": self.task, "reward": self.reward, "discrete": self.discrete}
        return plain if self.answers is None else {**plain, "answers": self.answers}


ROWS = (
    Row("Add", "add", "distance"),
    Row("AddDiscrete", "add", "distance", discrete=True),
    Row("Sub", "sub", "distance"),
    Row("SubDiscrete", "sub", "distance", discrete=True),
    Row("Both", "both", "distance"),
    Row("BothDiscrete", "both", "distance", discrete=True),
    Row("Choose", "choose", "right", discrete=True),  # + or -: there is nothing between
    Row("Knob", "knob", "closeness", answers=(0, 1)),  # a knob turns all the way
)


def threshold(row: Row) -> float:
    """The mean reward from which on an environment counts as solved, computed from the reward's formula.

    Continuous answers: as if each were off by exactly the task's tolerance. Whole ones: as if 19 of 20 were right
    and the others off by 1. It is in terms of the row's own reward; another reward has another scale.

    Example:
        >>> [round(threshold(row), 4) for row in ROWS if row.name in ("Add", "AddDiscrete", "Choose", "Knob")]
        [-0.5, -0.05, 0.95, 0.75]
    """
    of = rules(**row.settings)
    every = np.arange(len(of.truth))
    right, off = (
        float(of.outcome(every, of.truth + error).reward.mean())
        for error in (0.0, 1.0 if row.discrete else of.task.tolerance)
    )
    return NEARLY * right + (1 - NEARLY) * off if row.discrete else off


def register() -> None:
    """Make the ids known to `gymnasium.make` and `gymnasium.make_vec`."""
    for row in ROWS:
        if row.id not in gymnasium.registry:
            gymnasium.register(
                row.id,
                entry_point="glassgrad.rl.environments.environment:Environment",
                vector_entry_point="glassgrad.rl.environments.vector:VectorEnvironment",
                reward_threshold=round(threshold(row), 9),
                kwargs=row.settings,
            )
