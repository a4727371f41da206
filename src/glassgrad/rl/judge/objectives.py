"""The table of objectives that have a name, and which of them an expected update climbs. One row an objective.

A row is a formula, or the slope of one, in the output o, the wanted output t, the expected reward J, its slope dJ, and
dW, the slope of minus the objective as it is written, as if nothing in it were stopped. Of several outputs there are
slopes only: also dH, of the entropy of what is drawn, and dS, of minus the answer's mean squared error.
An update climbs it if it is its slope, up to a factor: compared in numbers, over all places of a profile.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from glassgrad.draws import Floats
from glassgrad.formula.derivative import derivative
from glassgrad.formula.evaluate import evaluate
from glassgrad.formula.parser import parse
from glassgrad.formula.tree import Tree, symbols
from glassgrad.locale import Text, text
from glassgrad.rl.judge.profile import Profile, standard_error

FALSE_ALARM = 0.001  # of what is drawn: how often the right name is refused
SURE = 6.0  # standard errors by which a factor has to differ from 0, and a second one too
NAMES = ("o", "t", "J", "dJ", "dW", "dH", "dS")


@dataclass(frozen=True)
class Objective:
    """An objective with a name.

    formula: in o and t; "" where only slopes are known. slopes: what it is made of; the first one's factor is its own.
    said: what it is called for readers, where that is not its name.
    """

    name: str
    formula: str = ""
    slopes: tuple[str, ...] = ()
    said: str = ""

    @property
    def trees(self) -> tuple[Tree, ...]:
        """The slopes; that of a formula is its derivative."""
        if self.formula:
            return (derivative(parse(self.formula, NAMES), "o"),)
        return tuple(parse(slope, NAMES) for slope in self.slopes)

    @property
    def reading(self) -> Text:
        """What it is, in a few words."""
        return text(f"judge.objective_{self.said or self.name}")


OBJECTIVES = (
    Objective("expected_reward", slopes=("dJ",)),
    Objective("squared_error", "-(o - t)**2"),
    Objective("absolute_error", "-abs(o - t)"),
    Objective("likelihood", "t*log(o) + (1 - t)*log(1 - o)"),
    Objective("reward_over_output", slopes=("J/o",)),
    Objective("reward_over_rest", slopes=("J/(1 - o)",)),
    Objective("integral_of_reward", slopes=("J",)),
    Objective("more_output", "o"),
    Objective("written", slopes=("dW",)),
    Objective("reward_and_entropy", slopes=("dJ", "log((1 - o)/o)")),
    Objective("reward_and_squared_error", slopes=("dJ", "-2*(o - t)")),
)
"""In the order in which they are tried; the last two are mixtures."""

OF_SEVERAL = (
    Objective("expected_reward", slopes=("dJ",)),
    Objective("squared_error", slopes=("dS",)),
    Objective("log_reward", slopes=("dJ/max(J, 0)",)),
    Objective("written", slopes=("dW",)),
    Objective("reward_and_entropy", slopes=("dJ", "dH"), said="reward_and_entropy_of_answers"),
    Objective("log_reward_and_entropy", slopes=("dJ/max(J, 0)", "dH")),
    Objective("reward_and_squared_error", slopes=("dJ", "dS")),
)
"""The same for several outputs, as far as they are known there; the last three are mixtures."""


OF_WEIGHTS = (
    Objective("expected_reward", slopes=("dJ",), said="perturbed_reward"),
    Objective("squared_error", slopes=("dS",), said="perturbed_squared_error"),
    Objective("log_reward", slopes=("dJ/max(J, 0)",), said="perturbed_log_reward"),
    Objective("reward_and_squared_error", slopes=("dJ", "dS")),
)
"""The same for weights that are perturbed: of the answers that these give."""


class Fit(NamedTuple):
    """An objective held against an update: update = factors*slopes, and what is left.

    errors: standard errors of the factors. residual: the largest difference, as a share of the update there and its
    usual size. p_value: how probable such a largest difference is by chance; None where nothing was drawn, and
    tolerance decides.
    """

    objective: Objective
    factors: tuple[float, ...]
    errors: tuple[float, ...]
    residual: float
    p_value: float | None
    tolerance: float = 1e-6

    @property
    def holds(self) -> bool:
        """Whether the update climbs it, or descends it: up to a factor, and within tolerance or chance."""
        sure = all(abs(one) > SURE * error for one, error in zip(self.factors, self.errors, strict=True))
        return sure and (self.residual <= self.tolerance if self.p_value is None else self.p_value >= FALSE_ALARM)

    @property
    def factor(self) -> float:
        """How often the objective's slope fits into the update; negative if it is descended."""
        return self.factors[0]


def named(profiles: Sequence[Profile], table: Sequence[Objective] = OBJECTIVES) -> tuple[Fit, ...]:
    """The objectives that an expected update climbs, in every question, with the same factor.

    `written` only where nothing else does, mixtures only where nothing simpler does. The numbers are the first
    question's.

    Example:
        >>> from glassgrad.rl.judge.profile import Axis
        >>> o = np.linspace(0.1, 0.9, 9)
        >>> profile = Profile(Axis(0, 1, 0, 1), o, (0.6 - 2*o)[None], wanted=0.3)
        >>> [fit.objective.name for fit in named([profile])]
        ['squared_error']
    """
    return simplest([fits[0] for row in table if (fits := _everywhere(profiles, row))])


def simplest(fits: Sequence[Fit]) -> tuple[Fit, ...]:
    """Those without a mixture; or else the objective as it is written; or else mixtures."""
    simple = [fit for fit in fits if len(fit.factors) == 1 and fit.objective.name != "written"]
    return tuple(simple or [fit for fit in fits if fit.objective.name == "written"] or fits)


def _everywhere(profiles: Sequence[Profile], row: Objective) -> list[Fit]:
    """The fits of one objective in all questions that move; none if it fails in one, or the factors differ."""
    found = [fitted(profile, row) for profile in profiles if np.any(profile.mean)]
    fits = [fit for fit in found if fit is not None and fit.holds]
    if len(fits) < len(found) or not fits:
        return []
    first = fits[0]
    for fit in fits[1:]:
        for one, other, error, more in zip(first.factors, fit.factors, first.errors, fit.errors, strict=True):
            if abs(one - other) > 10 * first.tolerance * abs(one) + SURE * float(np.hypot(error, more)):
                return []
    return fits


def fitted(profile: Profile, objective: Objective) -> Fit | None:
    """An objective held against a profile; None where it reads what there is not."""
    some = profile.drawn
    rows = [_slopes(some, tree) for tree in objective.trees]
    if not np.any(some.mean):
        return None
    if any(row is None for row in rows):
        return None
    slopes = np.stack([row for row in rows if row is not None])  # (slopes, repetitions, places)
    finite = np.all(np.isfinite(slopes), axis=(0, 1)) & some.moves
    if finite.sum() < 4 + len(rows):
        return None
    return best_fit(objective, some.update[:, finite], slopes[:, :, finite], profile.tolerance)


def _slopes(profile: Profile, tree: Tree) -> Floats | None:
    """A slope (repetitions, places)."""
    known = {"o": profile.o[None], "t": profile.wanted, "J": profile.reward, "dJ": profile.slope}
    known["dW"] = profile.written
    if any(known[name] is None for name in symbols(tree)):
        return None
    return np.array(np.broadcast_to(evaluate(tree, known), profile.update.shape), dtype=np.float64)


def best_fit(
    objective: Objective, update: Floats, slopes: Floats, tolerance: float, size: Floats | None = None
) -> Fit | None:
    """Least squares with the weights of relative differences: what is small counts as much as what is large.

    size (places): or in these units; the residual is then a multiple of them.
    """
    mean, means = update.mean(axis=0), slopes.mean(axis=1)
    size = np.abs(mean) + np.median(np.abs(mean)) if size is None else size
    if not np.any(means) or (len(means) > 1 and np.linalg.matrix_rank(means / size, tol=1e-9) < len(means)):
        return None
    inverse = np.linalg.pinv(means / size)  # (places, slopes)
    if len(update) == 1:
        factors = (mean / size) @ inverse
        left = np.abs(mean - factors @ means) / size
        return Fit(objective, tuple(map(float, factors)), (0.0,) * len(factors), float(left.max()), None, tolerance)
    factors = _factors(mean / size, slopes / size)
    rest = update - np.einsum("k,krp->rp", factors, slopes)
    moved = (rest / size) @ inverse  # the factors, from repetition to repetition: they share the noise of what is left
    errors, error = standard_error(moved), standard_error(rest - moved @ means)
    beyond = np.maximum(0.0, np.abs(rest.mean(axis=0)) - tolerance * size)
    with np.errstate(all="ignore"):
        z = np.where(beyond > 0, beyond / error, 0.0)
    return Fit(
        objective,
        tuple(map(float, factors)),
        tuple(map(float, errors)),
        float(np.max(np.abs(rest.mean(axis=0)) / size)),
        largest(z),
        tolerance,
    )


def _factors(mean: Floats, slopes: Floats) -> Floats:
    """Least squares for slopes that are estimates, too: one half of the repetitions is the instrument of the other.

    Squares of noise in the slopes would make the factors too small.
    """
    halves = slopes[:, ::2].mean(axis=1), slopes[:, 1::2].mean(axis=1)
    pairs = (halves, halves[::-1])
    return np.asarray(np.mean([np.linalg.solve(one @ other.T, one @ mean) for one, other in pairs], axis=0))


def largest(z: Floats) -> float:
    """How probable such a largest |z| is, or a larger one, among so many normal ones (Šidák)."""
    one = math.erfc(float(np.max(np.abs(z))) / math.sqrt(2))
    return -math.expm1(len(z) * math.log1p(-one)) if one < 1 else 1.0


__all__ = [
    "FALSE_ALARM", "OBJECTIVES", "OF_SEVERAL", "OF_WEIGHTS", "Fit", "Objective", "best_fit", "fitted", "largest",
    "named", "simplest",
]  # fmt: skip
