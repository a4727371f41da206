"""Where an expected update leads: its fixed points, which of them attract, and from where.

A fixed point is an output at which the update changes its sign: it attracts if the update points towards it from both
sides. An end of the axis attracts if the update next to it points there. Where the update is less than a billionth of
its largest value away from the ends, nothing moves.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from glassgrad.draws import Floats
from glassgrad.rl.judge.profile import Axis, Profile

Kind = Literal["attracts", "repels", "end", "edge"]
"""end: of the axis, which attracts; edge: of a stretch where nothing moves, which is reached and not left."""

UNSURE = 3.0  # standard errors: a smaller estimate has no sign


@dataclass(frozen=True)
class FixedPoint:
    """An output that stays, or a place that outputs are drawn to. error: its standard error."""

    at: float
    kind: Kind
    error: float = 0.0

    @property
    def attracting(self) -> bool:
        """Whether outputs move towards it."""
        return self.kind != "repels"


@dataclass(frozen=True)
class Basin:
    """The outputs from low to high that end in one place; goal None: nothing moves there."""

    low: float
    high: float
    goal: FixedPoint | None


@dataclass(frozen=True)
class Landscape:
    """All fixed points and basins along an axis, from low to high."""

    points: tuple[FixedPoint, ...]
    basins: tuple[Basin, ...]


@dataclass(frozen=True)
class _Stretch:
    """A piece of the axis on which the update has one sign."""

    low: float
    high: float
    sign: int


def landscape(profile: Profile) -> Landscape:
    """The fixed points and basins of a profile.

    Example:
        >>> from glassgrad.rl.judge.profile import Axis
        >>> o = np.linspace(-3, 3, 61) + 0.01
        >>> found = landscape(Profile(Axis(-np.inf, np.inf, -3, 3), o, (o - o**3)[None]))
        >>> [(round(point.at, 2) + 0.0, point.kind) for point in found.points]
        [(-1.0, 'attracts'), (0.0, 'repels'), (1.0, 'attracts')]
    """
    finite = np.isfinite(profile.mean)
    some = replace(profile.only(finite), axis=_limited(profile, finite))
    if not finite.any():
        return Landscape((), ())
    stretches, borders = _stretches(some, _signs(some))
    points = list(borders)
    basins: list[Basin] = []
    for i, stretch in enumerate(stretches):
        if not stretch.sign:
            basins.append(Basin(stretch.low, stretch.high, None))
            continue
        goal = _goal(some, stretches, borders, i)
        if goal.kind in ("end", "edge"):
            points.append(goal)
        if basins and basins[-1].goal == goal:
            basins[-1] = Basin(basins[-1].low, stretch.high, goal)
        else:
            basins.append(Basin(stretch.low, stretch.high, goal))
    order = sorted(dict.fromkeys(points), key=lambda point: point.at)
    return Landscape(tuple(order), tuple(basins))


def _limited(profile: Profile, finite: NDArray[np.bool_]) -> Axis:
    """The axis as far as the update is a number."""
    axis, o = profile.axis, profile.o
    low = axis.low if finite[0] or not finite.any() else float(o[np.argmax(finite)])
    high = axis.high if finite[-1] or not finite.any() else float(o[len(o) - 1 - np.argmax(finite[::-1])])
    return replace(axis, low=low, high=high)


def _signs(profile: Profile) -> Floats:
    """1, -1, 0 where nothing moves, NaN where an estimate is too small to have a sign."""
    mean = profile.mean
    signs = np.where(profile.moves, np.sign(mean), 0.0)
    return np.where((np.abs(mean) < UNSURE * profile.error) & (profile.error > 0), np.nan, signs)


def _stretches(profile: Profile, signs: Floats) -> tuple[list[_Stretch], list[FixedPoint]]:
    """The axis in pieces of one sign, and the fixed points between them (one less than pieces, or an edge for each)."""
    sure = [int(i) for i in np.flatnonzero(np.abs(signs) == 1)]
    low, high = profile.axis.low, profile.axis.high
    if not sure:
        return ([_Stretch(low, high, 0)] if not np.isnan(signs).any() else []), []
    stretches: list[_Stretch] = []
    points: list[FixedPoint] = []
    start = low
    if np.sum(signs[: sure[0]] == 0) > 1:
        start = _middle(profile, sure[0] - 1)
        stretches.append(_Stretch(low, start, 0))
    for i, j in pairwise(sure):
        sign = int(signs[i])
        if np.sum(signs[i + 1 : j] == 0) > 1:
            first, last = _middle(profile, i), _middle(profile, j - 1)
            stretches += [_Stretch(start, first, sign), _Stretch(first, last, 0)]
            start = last
        elif signs[j] != sign:
            point = _point(profile, i, j)
            stretches.append(_Stretch(start, point.at, sign))
            points.append(point)
            start = point.at
    end, sign = high, int(signs[sure[-1]])
    if np.sum(signs[sure[-1] + 1 :] == 0) > 1:
        end = _middle(profile, sure[-1])
        stretches += [_Stretch(start, end, sign), _Stretch(end, high, 0)]
    else:
        stretches.append(_Stretch(start, end, sign))
    return stretches, points


def _middle(profile: Profile, i: int) -> float:
    return float((profile.o[i] + profile.o[i + 1]) / 2)


def _point(profile: Profile, i: int, j: int) -> FixedPoint:
    """The place between two others at which the update changes its sign."""
    left, right = profile.mean[i], profile.mean[j]
    kind: Kind = "attracts" if left > 0 else "repels"
    if profile.at is not None:
        return FixedPoint(_root(profile, float(profile.o[i]), float(profile.o[j])), kind)
    share = left / (left - right)
    width = float(profile.o[j] - profile.o[i])
    error = float(np.hypot(profile.error[i], profile.error[j]) / abs(left - right)) * width
    return FixedPoint(float(profile.o[i]) + float(share) * width, kind, error)


def _root(profile: Profile, low: float, high: float) -> float:
    """A change of sign, to the last digits: of a jump, its place."""
    from scipy.optimize import brentq

    at = profile.at
    assert at is not None
    closely = profile.closely * (high - low) + 1e-300
    return float(brentq(lambda o: float(at(np.array([o]))[0]), low, high, xtol=closely, rtol=1e-15, maxiter=500))


def _goal(profile: Profile, stretches: Sequence[_Stretch], points: Sequence[FixedPoint], i: int) -> FixedPoint:
    """Where outputs of a stretch go: the fixed point next to it, the edge of what is flat, or the axis' end."""
    stretch = stretches[i]
    at = stretch.high if stretch.sign > 0 else stretch.low
    found = next((point for point in points if point.at == at), None)
    if found is not None:
        return found
    return FixedPoint(at, "end" if at in (profile.axis.low, profile.axis.high) else "edge")


__all__ = ["Basin", "FixedPoint", "Landscape", "landscape"]
