"""How many answers carry the spread of a column: where few do, the mean of many answers is not yet normal.

A rare answer that counts much is hardly drawn: mean and spread are then both too small, and an unbiased estimator looks
biased. With c, what one answer adds to REINFORCE less its mean (the exact expected reward being the baseline), the
share that carries is E[c**2]**2/E[c**4]: 1/3 where c is normal, p where only answers of probability p count.
"""

import numpy as np

from glassgrad.draws import Floats
from glassgrad.formula.adjoint import adjoints
from glassgrad.formula.evaluate import evaluate
from glassgrad.formula.functions import Array
from glassgrad.rl.situation import Situation

REACH, NODES = 8.0, 401  # normal answers are looked at within so many sigma, at so many places


@np.errstate(all="ignore")
def carrying(situation: Situation, direction: Floats) -> Floats:
    """The share of all answers that carries the spread of each parameter, then along a direction; inf without a spread.

    All answers are gone through, drawn or not: it is a property of the situation.

    Example:
        >>> from glassgrad.rl.situation import one_choice
        >>> found = carrying(one_choice("right", 1, (0.0, 9.0, 0.0)), np.array([0.0, 1.0, 0.0]))
        >>> [f"{share:.5f}" for share in found]  # z1 and z3 are moved by what is chosen once in 8,000 times
        ['0.00012', '0.00025', '0.00012', '0.00025']
    """
    chances, scored = _answers(situation)
    moved = {name: np.column_stack([slope, slope @ direction]) for name, slope in situation.slopes.items()}
    second = fourth = np.zeros(len(direction) + 1)
    for question, chance in enumerate(chances):
        each = [(scored[name][question], slope[question]) for name, slope in moved.items()]
        if len(each) == 1:  # the slope is a factor then
            ((c, factor),) = each
        else:
            c, factor = sum(np.outer(*pair) for pair in each), np.ones(len(direction) + 1)
        squares = np.square(c - chance @ c)
        second = second + chance @ squares * factor**2
        fourth = fourth + chance @ np.square(squares) * factor**4
    return np.where(fourth > 0, second**2 / fourth / situation.questions, np.inf)


def _answers(situation: Situation) -> tuple[Floats, dict[str, Floats]]:
    """The probability of each answer (questions, answers), and by variable (reward - J)*dlogp/dv."""
    noise = np.linspace(-REACH, REACH, NODES)
    columns = {**situation.values, **situation.variables}
    known: dict[str, Array] = {name: value[:, None] if np.ndim(value) else value for name, value in columns.items()}
    known[situation.chance] = noise if situation.chance == "noise" else np.float64(0.5)
    back = adjoints(situation.policy, "logp", dict.fromkeys(situation.variables, "sample"))
    for line in (*situation.policy, *back):
        known[line.name] = evaluate(line.tree, known)
        if line.name == "a" and situation.choices:
            known["a"] = np.array(situation.choices)
    shape = (situation.questions, NODES if situation.chance == "noise" else len(situation.choices))
    chance = np.broadcast_to(np.exp(-(noise**2) / 2 if situation.chance == "noise" else known["logp"]), shape)
    above = evaluate(situation.reward, known) - situation.exact.value[:, None]
    scored = {name: above * known.get(f"d{name}", 0.0) for name in situation.variables}
    finite = {name: _finite(value, shape, chance) for name, value in scored.items()}
    return chance / chance.sum(axis=1, keepdims=True), finite


def _finite(value: Array, shape: tuple[int, int], chance: Floats) -> Floats:
    """What is added by each answer that can be given; 0 for others, and at a pole."""
    found = np.broadcast_to(value, shape)
    return np.where((chance > 0) & np.isfinite(found), found, 0.0)


__all__ = ["carrying"]
