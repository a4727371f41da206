"""What the outputs follow that the answer does not read: a critic's follows the mean reward, and that is regression."""

from dataclasses import dataclass
from itertools import compress
from typing import Literal

import numpy as np

from glassgrad.rl.judge.objectives import Objective, best_fit
from glassgrad.rl.judge.outputs import distinct
from glassgrad.rl.judge.several import TOLERANCE, Several

Followed = Literal["mean_reward", "off", "flees", "nothing", "other", "unknown"]
LEAST = 4  # distinct places, of which one or two settle the factors
MEAN_REWARD = Objective("mean_reward", slopes=("J - o",))  # of minus half the squared error against J
OFF = Objective("off", slopes=("J - o", "1"))


@dataclass(frozen=True)
class Critic:
    """An output beside the policy's. follows: the mean reward J, if its expected update is factor*(J + offset - o).

    offset: 0 of "mean_reward", else it is "off". A negative factor: it "flees". error: of the factor, where it was
    drawn. "unknown": no mean reward is known, or at too few places.
    """

    output: str
    follows: Followed
    factor: float = 0.0
    offset: float = 0.0
    error: float = 0.0


def critics(seen: Several) -> tuple[Critic, ...]:
    """Each output that the answer does not read."""
    return tuple(_followed(seen, name) for name in seen.others)


def _followed(seen: Several, name: str) -> Critic:
    update = seen.update[:, :, seen.outputs.index(name)]
    update = update if np.any(update != update[:1]) else update[:1]  # what is exact need not be repeated
    if not np.any(update):
        return Critic(name, "nothing")
    if seen.reward is None:
        return Critic(name, "unknown")
    away = seen.reward - np.array([place.outputs[name] for place in seen.places])
    good = np.isfinite(away) & np.all(np.isfinite(update), axis=0)
    if distinct(list(compress(seen.places, good))) < LEAST:
        return Critic(name, "unknown")
    rows = np.stack([np.broadcast_to(row, update.shape)[:, good] for row in (away, np.ones_like(away))])
    for row in (MEAN_REWARD, OFF):
        fit = best_fit(row, update[:, good], rows[: len(row.slopes)], TOLERANCE)
        if fit is not None and fit.holds:
            offset = fit.factors[1] / fit.factor if row is OFF else 0.0
            follows: Followed = "flees" if fit.factor < 0 else "off" if row is OFF else "mean_reward"
            return Critic(name, follows, fit.factor, offset, fit.errors[0])
    return Critic(name, "other")


__all__ = ["Critic", "critics"]
