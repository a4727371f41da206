"""The objective that an update climbs, found by integrating it: as numbers, and as a formula where one fits.

Between its kinks an update is compared with c1 + c2*o + c3/o + c4/(1 - o), whose integral is
c1*o + c2*o**2/2 + c3*log(o) - c4*log(1 - o).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from glassgrad.draws import Floats
from glassgrad.formula.evaluate import evaluate
from glassgrad.formula.parser import parse
from glassgrad.formula.text import number_text, show
from glassgrad.rl.judge.profile import Axis, Profile

POINTS = 40  # at which a formula is fitted, in each piece
FITS = 1e-9  # the largest difference, as a share of the update
NODES, WEIGHTS = np.polynomial.legendre.leggauss(8)
INTEGRALS = ("o", "o**2", "log(o)", "log(1 - o)")
SLOPES = ("1", "2*o", "1/o", "-1/(1 - o)")


@dataclass(frozen=True)
class Piece:
    """The objective from low to high, up to a constant, as a formula in o."""

    low: float
    high: float
    formula: str


@dataclass(frozen=True)
class Climbed:
    """The objective U at some outputs, 0 at the wanted one (or the middle). pieces: formulas, if they fit."""

    o: Floats
    value: Floats
    pieces: tuple[Piece, ...] = ()

    def unbounded(self, axis: Axis) -> tuple[float, ...]:
        """The ends of an axis at which the formula grows beyond all bounds."""
        if not self.pieces:
            return ()
        ends = ((axis.low, self.pieces[0]), (axis.high, self.pieces[-1]))
        found = ((end, evaluate(parse(piece.formula, ("o",)), {"o": end})) for end, piece in ends if np.isfinite(end))
        return tuple(end for end, value in found if value == np.inf)


def climbed(profile: Profile, kinks: Floats) -> Climbed:
    """The integral of an expected update over the output. kinks: where it turns or jumps.

    Example:
        >>> from glassgrad.rl.judge.profile import Axis
        >>> o, at = np.linspace(0.1, 0.9, 9), lambda o: 5 - 3/o
        >>> found = climbed(Profile(Axis(0, 1, 0, 1), o, at(o)[None], at=at), np.empty(0))
        >>> found.pieces[0].formula, f"{found.value[-1] - found.value[0]:.6f}", found.unbounded(Axis(0, 1, 0, 1))
        ('5*o - 3*log(o)', '-2.591674', (0,))
    """
    drawn = profile.drawn
    if len(drawn.o) < 2:
        return Climbed(drawn.o, np.zeros(len(drawn.o)))
    o = np.unique(np.concatenate([drawn.o, kinks[(kinks > drawn.o[0]) & (kinks < drawn.o[-1])]]))
    value = _by_nodes(profile, o) if profile.at is not None and profile.closely < 1e-12 else _by_spline(drawn, o)
    base = o[len(o) // 2] if profile.wanted is None else profile.wanted
    return Climbed(o, value - np.interp(base, o, value), _pieces(profile, kinks))


def _by_nodes(profile: Profile, o: Floats) -> Floats:
    assert profile.at is not None
    half = np.diff(o) / 2
    at = (o[:-1] + half)[:, None] + half[:, None] * NODES
    parts = (profile.at(at.ravel()).reshape(at.shape) @ WEIGHTS) * half
    return np.concatenate([[0.0], np.cumsum(parts)])


def _by_spline(drawn: Profile, o: Floats) -> Floats:
    """Of an update that is smooth because answers scatter, or that was drawn."""
    from scipy.interpolate import PchipInterpolator

    return np.asarray(PchipInterpolator(drawn.o, drawn.mean).antiderivative()(o))


def _pieces(profile: Profile, kinks: Floats) -> tuple[Piece, ...]:
    """A formula for each piece between kinks; none if one of them has none."""
    axis, at = profile.axis, profile.at
    if at is None or profile.closely > 1e-12 or len(kinks) > 3:
        return ()
    edges = [axis.left, *(kink for kink in kinks if axis.left < kink < axis.right), axis.right]
    ends = [axis.low, *edges[1:-1], axis.high]
    found = []
    for i in range(len(edges) - 1):
        formula = _fitted(*_sampled(profile, edges[i], edges[i + 1]))
        if formula is None:
            return ()
        found.append(Piece(float(ends[i]), float(ends[i + 1]), formula))
    return tuple(found)


def _sampled(profile: Profile, low: float, high: float) -> tuple[Floats, Floats]:
    assert profile.at is not None
    o = (low + high) / 2 - (high - low) / 2 * np.cos(np.pi * (np.arange(POINTS) + 0.5) / POINTS)
    return o, profile.at(o)


def _fitted(o: Floats, update: Floats) -> str | None:
    """The formula whose slope is the update, with as few terms as do."""
    if not np.all(np.isfinite(update)):
        return None
    if not np.any(update):
        return "0"
    size = np.abs(update) + np.median(np.abs(update))
    for count in (1, 2, 3):
        for terms in combinations(range(len(SLOPES)), count):
            slopes = np.stack([np.broadcast_to(evaluate(parse(SLOPES[k], ("o",)), {"o": o}), o.shape) for k in terms])
            factors = np.linalg.lstsq((slopes / size).T, update / size, rcond=None)[0]
            if np.max(np.abs(factors @ slopes - update) / size) < FITS:
                return _written(terms, factors)
    return None


def _written(terms: Sequence[int], factors: Floats) -> str:
    """A sum of terms with their factors, in ten digits."""
    written = ""
    for k, factor in zip(terms, factors, strict=True):
        size = number_text(abs(float(f"{factor:.10g}")))
        sign = ("-" if factor < 0 else "") if not written else (" - " if factor < 0 else " + ")
        written += sign + (INTEGRALS[k] if size == "1" else f"{size}*{INTEGRALS[k]}")
    return show(parse(written, ("o",)))


__all__ = ["Climbed", "Piece", "climbed"]
