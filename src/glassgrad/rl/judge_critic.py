"""What the outputs follow that the answer does not read: a critic's follows the mean reward, and that is regression."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from glassgrad.rl.judge_objectives import Objective, best_fit
from glassgrad.rl.judge_several import TOLERANCE, Several

LEAST = 3  # places, of which one settles the factor
Followed = Literal["mean_reward", "nothing", "other"]
MEAN_REWARD = Objective("mean_reward", slopes=("J - o",))  # of minus half the squared error against J


@dataclass(frozen=True)
class Critic:
    """An output beside the policy's. follows: the mean reward J, if its expected update is factor*(J - o).

    error: of the factor, where it was drawn.
    """

    output: str
    follows: Followed
    factor: float = 0.0
    error: float = 0.0


def critics(seen: Several) -> tuple[Critic, ...]:
    """Each output that the answer does not read."""
    return tuple(_followed(seen, name) for name in seen.others)


def _followed(seen: Several, name: str) -> Critic:
    update = seen.update[:, :, seen.outputs.index(name)]
    if not np.any(update):
        return Critic(name, "nothing")
    if seen.reward is None:
        return Critic(name, "other")
    away = seen.reward - np.array([place.outputs[name] for place in seen.places])
    good = np.isfinite(away) & np.all(np.isfinite(update), axis=0)
    if good.sum() < LEAST:
        return Critic(name, "other")
    fit = best_fit(MEAN_REWARD, update[:, good], np.broadcast_to(away, update.shape)[None][:, :, good], TOLERANCE)
    if fit is None or not fit.holds or fit.factor < 0:
        return Critic(name, "other")
    return Critic(name, "mean_reward", fit.factor, fit.errors[0])


__all__ = ["Critic", "critics"]
