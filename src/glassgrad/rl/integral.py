"""The mean of a reward over normal answers, and its derivatives, by quadrature to the last digits.

    J = E[r(a)], a = mu + sigma*z        dJ/dmu = E[(r - c)*z]/sigma        dJ/dsigma = E[(r - c)*(z**2 - 1)]/sigma

The score form needs no derivative of r, so it is right for steps too; any number c may be taken away, since E[z] and
E[z**2 - 1] are 0. Between the kinks of r Gauss and Legendre's rule is exact to rounding; intervals on which it is not
yet are halved. Near what may be steep or infinite the intervals shrink geometrically.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from glassgrad.draws import Floats
from glassgrad.errors import ExperimentError
from glassgrad.formula.evaluate import evaluate
from glassgrad.formula.functions import Array
from glassgrad.formula.text import number_text, show
from glassgrad.formula.tree import Tree
from glassgrad.rl.kinks import At, kinks

NODES, WEIGHTS = np.polynomial.legendre.leggauss(16)
CORE = 12.0  # so many standard deviations always count
BEYOND = (16.0, 22.0, 30.0, 38.0)  # and so many, while they still weigh something; then the density underflows
PANEL = 0.5  # the longest interval, in standard deviations
NEGLIGIBLE, LEAST = 1e-15, 1e-30  # a tail that is smaller than this share of all, or than this, is left out
TARGET = 1e-14  # of an interval's error, as a share of the whole
HALVINGS = 40
GRADED = np.ldexp(1.0, -np.arange(1, 50))
RESOLUTION = 2.0**-40  # intervals are not made shorter than this share of what a stands at: digits end
SEEN = 6.0  # standard deviations: answers that may well come up
REFUSED = 1e-6  # a share of the whole that stays uncertain: then there is no such number


class Integral(NamedTuple):
    """The expected reward, its two derivatives, and how far they may be off."""

    value: float
    mu: float
    sigma: float
    error: float


def integral(reward: Tree, mu: float, sigma: float, values: Mapping[str, Array]) -> Integral:
    """E[r(a)] for a = mu + sigma*z, z standard normal, and its derivatives in mu and sigma.

    reward: a formula in a, and in names that `values` has.

    Raises:
        ExperimentError: the reward is not a number somewhere, or has no finite mean.

    Example:
        >>> from glassgrad.formula.parser import parse
        >>> found = integral(parse("-abs(a - 7)"), 6.3, 1.5, {})
        >>> f"{found.mu:.10f} {found.sigma:.10f}"
        '0.3592616182 -0.7155668583'
    """
    return _Integral(reward, mu, sigma, values).run()


class _Integral:
    def __init__(self, reward: Tree, mu: float, sigma: float, values: Mapping[str, Array]) -> None:
        self.reward, self.mu, self.sigma = reward, mu, sigma
        self.at: At = lambda z: {**values, "a": mu + sigma * z}
        self.shortest = RESOLUTION * (abs(mu) / sigma + CORE)
        middle = self.rewards(np.array([1e-3]), checked=False)[0]
        self.level = float(middle) if np.isfinite(middle) else 0.0

    def run(self) -> Integral:
        total, size, error = self.over(-CORE, CORE)
        for side in (-1, 1):
            inner = CORE
            for outer in BEYOND:
                part, weight, doubt = self.over(*sorted((side * inner, side * outer)))
                total, size, error, inner = total + part, size + weight, error + doubt, outer
                if np.all(weight <= NEGLIGIBLE * size + LEAST):
                    break
            else:
                raise self.no_mean()
        if np.any(error > REFUSED * size + LEAST):
            raise self.no_mean()
        mean, slope, spread = (float(number) for number in total)
        return Integral(self.level + mean, slope / self.sigma, spread / self.sigma, float(error[1] / self.sigma))

    def over(self, low: float, high: float) -> tuple[Floats, Floats, Floats]:
        """The three integrals from low to high, those of their absolute values, and their errors."""
        edges = self.edges(low, high)
        left, right = edges[:-1], edges[1:]
        rough, size = self.panels(left, right)
        total, error, whole = np.zeros(3), np.zeros(3), size.sum(axis=0)
        for halving in range(HALVINGS + 1):
            middle = (left + right) / 2
            first, second = self.panels(left, middle), self.panels(middle, right)
            fine, doubt = first[0] + second[0], np.abs(first[0] + second[0] - rough)
            good = np.all(doubt <= np.maximum(TARGET * whole, 1e-14 * size), axis=1) | (halving == HALVINGS)
            good |= right - left < 2 * self.shortest
            total, error = total + fine[good].sum(axis=0), error + doubt[good].sum(axis=0)
            if good.all():
                break
            bad = ~good
            left, right = np.concatenate([left[bad], middle[bad]]), np.concatenate([middle[bad], right[bad]])
            rough = np.concatenate([first[0][bad], second[0][bad]])
            size = np.concatenate([first[1][bad], second[1][bad]])
        return total, whole, error

    def edges(self, low: float, high: float) -> Floats:
        found = kinks(self.reward, self.at, low, high)
        away = GRADED[self.shortest < GRADED]
        near = (found.steep[:, None] + np.concatenate([-away, away, [0.0]])).ravel()
        regular = np.linspace(low, high, int(np.ceil((high - low) / PANEL)) + 1)
        every = np.unique(np.concatenate([regular, found.points, near[(near > low) & (near < high)]]))
        return every[np.diff(every, prepend=-np.inf) > self.shortest / 2]  # one root, found twice, is one

    def panels(self, left: Floats, right: Floats) -> tuple[Floats, Floats]:
        """The integrals of (r - c)*(1, z, z**2 - 1)*density over each interval, and of their absolute values."""
        half = (right - left) / 2
        z = ((left + right) / 2)[:, None] + half[:, None] * NODES  # (intervals, nodes)
        weight = half[:, None] * WEIGHTS * np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
        above = (self.rewards(z) - self.level) * weight
        parts = above[:, :, None] * np.stack([np.ones_like(z), z, z * z - 1], axis=-1)
        return parts.sum(axis=1), np.abs(parts).sum(axis=1)

    def rewards(self, z: Floats, checked: bool = True) -> Floats:
        found = np.array(np.broadcast_to(evaluate(self.reward, self.at(z)), z.shape), dtype=np.float64)
        if checked and not np.all(np.isfinite(found)):
            bad = z[~np.isfinite(found)]
            if np.all(np.abs(bad) > CORE):  # it has grown beyond all numbers
                raise self.no_mean()
            plain = bad[np.argmax(np.abs(bad) * (np.abs(bad) < SEEN))]  # not the one next to the edge
            place = self.mu + self.sigma * float(plain)
            raise ExperimentError(
                "estimators.not_finite", reward=show(self.reward), answer=number_text(float(f"{place:.4g}"))
            )
        return found

    def no_mean(self) -> ExperimentError:
        return ExperimentError("estimators.no_mean", reward=show(self.reward))


__all__ = ["Integral", "integral"]
