"""What an output earns: the expected reward J of one question, and dJ/do, as functions of the output."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from glassgrad.draws import Floats
from glassgrad.errors import ExperimentError, GlassgradError
from glassgrad.formula.derivative import derivative
from glassgrad.formula.evaluate import evaluate, is_aggregate
from glassgrad.formula.tree import Tree, symbols, walk
from glassgrad.rl.exact import bernoulli, normal, without_stop
from glassgrad.rl.in_training import chance_of, reward_of
from glassgrad.rl.judge.expected import Sampled, mean_of
from glassgrad.rl.judge.feedback import CHANCE, REWARD, Feedback
from glassgrad.rl.situation import earned, inlined

Rows = Callable[[Floats], tuple[Floats, Floats]]
STEP = 1e-4  # of a difference quotient, as a share of what the axis shows


@dataclass(frozen=True)
class Earned:
    """J and dJ/do. sampled: how answers are drawn, where that is known: normally around the output, or as a choice."""

    rows: Rows
    sampled: Sampled | None = None


def earning(of: Feedback, width: float) -> Earned | None:
    """What outputs earn; None where there is no reward, or no expected reward that could be computed.

    width: of what the axis shows.
    """
    if REWARD not in of.of.pieces:
        return None
    tree = inlined(of.lines, REWARD)
    if any(is_aggregate(part) for part in walk(tree)):
        return None
    drawn = set(CHANCE) & set(symbols(inlined(of.lines, of.of.program.latest["a"])))
    if not drawn and not set(CHANCE) & set(symbols(tree)):
        return Earned(_plain(tree, of))
    sampled = _sampled(of)
    if sampled is None:
        return Earned(_by_differences(tree, of, width)) if len(drawn) == 1 else None
    try:
        reward = reward_of(of.of, 1)
    except GlassgradError:  # it reads more than the answer and the question
        return Earned(_by_differences(tree, of, width), sampled)
    return Earned(_of_sampled(reward, sampled, of), sampled)


def _sampled(of: Feedback) -> Sampled | None:
    try:
        return Sampled(chance_of(of.of, 1).sigma)
    except GlassgradError:
        return None


def _plain(tree: Tree, of: Feedback) -> Rows:
    """Nothing is left to chance: the reward of the output's answer, and its derivative."""
    slope = derivative(without_stop(tree), "o")

    def rows(o: Floats) -> tuple[Floats, Floats]:
        known = {**of.values, "o": o}
        value, steep = (np.broadcast_to(evaluate(part, known), o.shape).astype(np.float64) for part in (tree, slope))
        return value, steep

    return rows


def _of_sampled(reward: Tree, sampled: Sampled, of: Feedback) -> Rows:
    def rows(o: Floats) -> tuple[Floats, Floats]:
        if sampled.sigma is None:
            right, left = (earned(reward, np.full_like(o, answer), of.values) for answer in (1.0, 0.0))
            found = bernoulli(o, right, left)
            return found.value, found.slopes["o"]
        found = normal(reward, o, sampled.sigma, of.values)
        return found.value, found.slopes["mu"]

    return lambda o: _where_it_can_be(rows, o)


def _where_it_can_be(rows: Rows, o: Floats) -> tuple[Floats, Floats]:
    """J and dJ/do, NaN at outputs where they are no numbers.

    Raises:
        ExperimentError: that is everywhere.
    """
    try:
        return rows(o)
    except ExperimentError:
        if len(o) < 2:
            raise
    found = np.full((2, len(o)), np.nan)
    for i in range(len(o)):
        try:
            found[:, i] = np.concatenate(rows(o[i : i + 1]))
        except ExperimentError:
            if i == len(o) - 1 and not np.any(np.isfinite(found)):
                raise
    return found[0], found[1]


def _by_differences(tree: Tree, of: Feedback, width: float) -> Rows:
    """J by quadrature, dJ/do by central differences of it, to the fourth order."""
    h = STEP * width

    def rows(o: Floats) -> tuple[Floats, Floats]:
        value, *near = (mean_of(tree, of.values, o + k * h) for k in (0, -2, -1, 1, 2))
        return value, (near[0] - 8 * near[1] + 8 * near[2] - near[3]) / (12 * h)

    return rows


__all__ = ["Earned", "earning"]
