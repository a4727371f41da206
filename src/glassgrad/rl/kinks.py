"""Where a formula in the answer a has kinks, steps and poles: found from its tree, solved for a.

`abs(u)`, `sign(u)`, `relu(u)` turn where u = 0; `max(u, v)`, `min(u, v)` and a condition where u = v; `round(u)` steps
at every half number. Between two such points a formula is smooth. The arguments are searched from the inside out:
between its own kinks and turning points u is monotone, so that a change of sign has exactly one root in it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from glassgrad.draws import Floats
from glassgrad.errors import ExperimentError
from glassgrad.formula.derivative import derivative
from glassgrad.formula.evaluate import evaluate
from glassgrad.formula.functions import COMPARISONS, Array
from glassgrad.formula.simplify import add
from glassgrad.formula.tree import Apply, Number, Tree, negative, symbols

At = Callable[[Floats], dict[str, Array]]
"""The values of a formula's symbols at some points."""

CELLS, POINTS = 64, 17  # an interval is searched in so many cells, each at so many points
MOST = 200_000  # steps within one interval
SOFTPLUS_TURNS = 20.0  # where the table's softplus goes over to its argument
_COMPARING = {row.name for row in COMPARISONS}


@dataclass(frozen=True)
class Kinks:
    """points: where the formula is not smooth. steep: near these it may be steep, or infinite."""

    points: Floats
    steep: Floats


def kinks(tree: Tree, at: At, low: float, high: float) -> Kinks:
    """The kinks, steps and poles of a formula between two points.

    Raises:
        ExperimentError: there are more than 200,000.

    Example:
        >>> from glassgrad.formula.parser import parse
        >>> kinks(parse("-abs(round(a) - 7)"), lambda z: {"a": z}, 5.0, 9.0).points
        array([5.5, 6.5, 7.5, 8.5])
    """
    search = _Search(at, low, high)
    search.visit(tree)
    return Kinks(_sorted(search.found), _sorted(search.steep))


def _sorted(found: list[Floats]) -> Floats:
    return np.unique(np.concatenate([np.empty(0), *found]))


class _Search:
    """Goes through a tree, the innermost functions first, and collects."""

    def __init__(self, at: At, low: float, high: float) -> None:
        self.at, self.low, self.high = at, low, high
        self.grid = np.linspace(low, high, CELLS + 1)
        self.found: list[Floats] = []
        self.steep: list[Floats] = []
        self.seen: set[Tree] = set()

    def visit(self, tree: Tree) -> None:
        """Search a part of the tree and all in it; what stands in it several times is searched once."""
        if not isinstance(tree, Apply) or tree in self.seen:
            return
        self.seen.add(tree)
        if "a" not in symbols(tree):
            return
        for part in tree.arguments:
            self.visit(part)
        match tree:
            case Apply("abs" | "relu" | "sign", (u,)):
                self.roots(u)
            case Apply("max" | "min", (u, v)):
                self.roots(_difference(u, v))
            case Apply(name, (u, v)) if name in _COMPARING:
                self.roots(_difference(u, v))
            case Apply("round", (u,)):
                self.steps(u)
            case Apply("tanh" | "sigmoid" | "erf", (u,)):
                self.roots(u, steep=True)
            case Apply("softplus", (u,)):
                self.roots(u, steep=True)
                self.roots(add((u, Number(-SOFTPLUS_TURNS))))
            case Apply("exp", (u,)):
                self.turns(u)
            case Apply("log" | "sqrt", (u,)):
                self.roots(u, steep=True)
                self.turns(u)
            case Apply("/", (_, u)):
                self.roots(u, steep=True)
                self.turns(u)
            case Apply("**", (u, exponent)) if not (isinstance(exponent, Number) and _whole(exponent.value)):
                self.roots(u, steep=True)
                self.turns(u)
            case _:
                pass

    def edges(self, *more: Floats) -> Floats:
        """The ends of intervals on which all that is inside is smooth, each no longer than a cell of the grid."""
        return _sorted([self.grid, *self.found, *more])

    def roots(self, u: Tree, steep: bool = False) -> None:
        """Where u is 0."""
        if "a" not in symbols(u):
            return
        edges = self.edges(self.turning(u))
        left, right = self.changes(u, edges)
        self.keep(self.bisected(u, left, right, np.zeros_like(left)), steep)

    def steps(self, u: Tree) -> None:
        """Where u passes a half number."""
        left, right = _cells(self.edges(self.turning(u)))
        before, after = self.value(u, left), self.value(u, right)
        finite = np.isfinite(before) & np.isfinite(after)
        left, right, before, after = left[finite], right[finite], before[finite], after[finite]
        least, most = np.floor(np.minimum(before, after) - 0.5), np.ceil(np.maximum(before, after) - 0.5)
        if np.sum(most - least) > MOST:
            raise ExperimentError("estimators.too_many_steps", most=f"{MOST:,}")
        times = (most - least).astype(np.int64) + 1  # a level too many at either end, against rounding
        nth = np.arange(times.sum()) - np.repeat(np.cumsum(times) - times, times)
        levels = np.repeat(least, times) + nth + 0.5
        passed = (np.repeat(before, times) >= levels) != (np.repeat(after, times) >= levels)
        left, right = np.repeat(left, times)[passed], np.repeat(right, times)[passed]
        self.keep(self.bisected(u, left, right, levels[passed]), steep=False)

    def turns(self, u: Tree) -> None:
        """Where u is largest or smallest: exp(-1000*(a - t)**2) has its peak there, 1/(1 + a**2) too."""
        self.steep.append(self.turning(u))

    def turning(self, u: Tree) -> Floats:
        """The roots of u's derivative."""
        slope = _slope(u)
        if "a" not in symbols(slope):
            return np.empty(0)
        left, right = self.changes(slope, self.edges())
        return self.bisected(slope, left, right, np.zeros_like(left))

    def changes(self, u: Tree, edges: Floats) -> tuple[Floats, Floats]:
        """Small intervals at whose ends u has different signs."""
        left, right = _cells(edges)
        before, after = self.value(u, left), self.value(u, right)
        differ = ((before >= 0) != (after >= 0)) & ~np.isnan(before) & ~np.isnan(after)
        return left[differ], right[differ]

    def bisected(self, u: Tree, left: Floats, right: Floats, levels: Floats) -> Floats:
        """The place in each interval at which u passes a level, to the last digit."""
        if not len(left):
            return left
        above = self.value(u, left) >= levels
        left, right = self.nearer(u, left, right, levels)
        for _ in range(70):
            middle = (left + right) / 2
            if np.all((middle <= left) | (middle >= right)):
                break
            same = (self.value(u, middle) >= levels) == above
            left, right = np.where(same, middle, left), np.where(same, right, middle)
        return (left + right) / 2

    def nearer(self, u: Tree, left: Floats, right: Floats, levels: Floats) -> tuple[Floats, Floats]:
        """Much smaller intervals, where a straight line through the ends has found the place already."""
        at_left, at_right = self.value(u, left), self.value(u, right)
        with np.errstate(all="ignore"):
            guess = left + (levels - at_left) / (at_right - at_left) * (right - left)
        room = 1e-14 * (np.abs(guess) + right - left)
        low, high = np.clip(guess - room, left, right), np.clip(guess + room, left, right)
        found = ((self.value(u, low) >= levels) != (self.value(u, high) >= levels)) & np.isfinite(guess)
        return np.where(found, low, left), np.where(found, high, right)

    def keep(self, points: Floats, steep: bool) -> None:
        self.found.append(points)
        if steep:
            self.steep.append(points)

    def value(self, tree: Tree, points: Floats) -> Floats:
        found = np.asarray(evaluate(tree, self.at(points)), dtype=np.float64)
        return found if found.shape == points.shape else np.broadcast_to(found, points.shape)


@lru_cache(maxsize=256)
def _slope(u: Tree) -> Tree:
    return derivative(u, "a")


def _difference(u: Tree, v: Tree) -> Tree:
    return add((u, negative(v)))


def _whole(exponent: float) -> bool:
    return exponent >= 0 and exponent.is_integer()


def _cells(edges: Floats) -> tuple[Floats, Floats]:
    """The ends of small intervals between some points: POINTS of them from each to the next."""
    share = np.linspace(0, 1, POINTS)
    inside = edges[:-1, None] + (edges[1:] - edges[:-1])[:, None] * share
    return inside[:, :-1].ravel(), inside[:, 1:].ravel()


__all__ = ["At", "Kinks", "kinks"]
