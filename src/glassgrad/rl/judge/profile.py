"""The expected update of one question as a function of its output, at places along the axis, and what goes with it."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassgrad.draws import Floats
from glassgrad.method import Formula

Along = Callable[[Floats], Floats]
"""The expected update at some outputs."""

WINDOW = 10.0  # an axis without ends is drawn this far to each side of the wanted output, or as far as that is from 0
FAR = (1e2, 1e3, 1e4)  # and it is looked at so many windows away, too
NEAR_END, NOT_SO_NEAR = 12.0, 3.0  # an axis with two ends is drawn as sigmoid(s) for |s| up to this
RANGE = np.concatenate([np.linspace(-100, 100, 2001), np.linspace(-5, 5, 2001), [-1e9, 1e9]])
CLOSE = 3  # one in so many more lies close to the wanted one, where answers scatter
DECILES = np.arange(1, 10) / 10
AROUND = (-4.0, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 4.0)  # in standard deviations of the answers
FLAT = 1e-9  # a smaller share of the largest update away from the ends is none


@dataclass(frozen=True)
class Axis:
    """The outputs that there may be, from low to high, and the part that is drawn: from left to right.

    near: outputs around the wanted one, where answers that scatter make a difference.
    """

    low: float
    high: float
    left: float
    right: float
    near: tuple[float, ...] = ()

    @property
    def bounded(self) -> bool:
        """Whether it has two ends."""
        return bool(np.isfinite(self.low) and np.isfinite(self.high))

    def places(self, count: int, far: bool = True) -> Floats:
        """So many outputs along what is drawn, dense towards two ends, those of `spread`, and some far outside.

        far: whether to go close to ends and far outside: not where answers are drawn, and the rare ones weigh most.
        """
        if self.bounded:
            s = np.linspace(-1, 1, count) * (NEAR_END if far else NOT_SO_NEAR)
            return np.unique([*(self.low + (self.high - self.low) / (1 + np.exp(-s))), *self.spread()])
        width = self.right - self.left
        below = [self.left - times * width for times in FAR if far and not np.isfinite(self.low)]
        above = [self.right + times * width for times in FAR if far and not np.isfinite(self.high)]
        close = list(np.linspace(self.near[0], self.near[-1], count // CLOSE)) if self.near and far else []
        return np.unique([*below, *np.linspace(self.left, self.right, count), *close, *self.spread(), *above])

    def spread(self) -> Floats:
        """Nine outputs: evenly spread over what is drawn, or around the wanted one where answers scatter."""
        return np.array(self.near) if self.near else self.left + (self.right - self.left) * DECILES


def axis(low: float, high: float, wanted: float, sigma: float | None = None) -> Axis:
    """An axis from low to high, drawn around the wanted output. sigma: the deviation of the answers, if they scatter.

    Example:
        >>> axis(0.0, 1.0, 0.8).spread()[:3]
        array([0.1, 0.2, 0.3])
        >>> axis(-np.inf, np.inf, 8.0, sigma=0.5).near
        (6.0, 7.0, 7.5, 7.75, 8.0, 8.25, 8.5, 9.0, 10.0)
    """
    reach = max(WINDOW, abs(wanted))
    left = low if np.isfinite(low) and (np.isfinite(high) or low > wanted - 2 * reach) else wanted - reach
    right = high if np.isfinite(high) and (np.isfinite(low) or high < wanted + 2 * reach) else wanted + reach
    near = () if sigma is None else tuple(wanted + sigma * away for away in AROUND)
    return Axis(low, high, left, right, near if all(low < o < high for o in near) else ())


def reach(activation: Formula) -> tuple[float, float]:
    """The least and the largest output; infinite where it goes far beyond a million.

    Example:
        >>> from glassgrad.method import method
        >>> from glassgrad.tables.experiments import shipped
        >>> reach(method(shipped("knob")).output_activation)
        (0.0, 1.0)
    """
    from glassgrad.formula.evaluate import evaluate

    values = np.asarray(evaluate(activation.tree, {"z": RANGE, **activation.numbers, **activation.learned}))
    values = np.broadcast_to(values, RANGE.shape)
    values = values[~np.isnan(values)]
    low, high = (float(values.min()), float(values.max())) if values.size else (-np.inf, np.inf)
    return low if low > -1e6 else -np.inf, high if high < 1e6 else np.inf


@dataclass(frozen=True)
class Profile:
    """The expected update -dL/do, and the expected reward J, at places along the axis.

    o: the places, in order. update (repetitions, places): one repetition where it is exact.
    reward, slope (repetitions, places): J and dJ/do; None where there is none, or it cannot be had.
    written (repetitions, places): minus the slope of the objective's own value, as if nothing were stopped.
    wanted: the output whose answer is the truth; None if none has it. at: the expected update anywhere, if it is
    exact. closely: how closely its roots are worth finding, as a share of the distance between places.
    tolerance: where it is exact, the largest difference that counts as none, as a share of the update.
    """

    axis: Axis
    o: Floats
    update: Floats
    reward: Floats | None = None
    slope: Floats | None = None
    written: Floats | None = None
    wanted: float | None = None
    at: Along | None = field(default=None, repr=False)
    closely: float = 1e-15
    tolerance: float = 1e-6

    @property
    def exact(self) -> bool:
        """Whether it was computed, not estimated."""
        return len(self.update) == 1

    @cached_property
    def mean(self) -> Floats:
        """The expected update (places)."""
        return np.asarray(self.update.mean(axis=0))

    @cached_property
    def error(self) -> Floats:
        """Its standard error (places); 0 where it is exact."""
        return standard_error(self.update)

    @cached_property
    def moves(self) -> NDArray[np.bool_]:
        """Where the update is more than a billionth of its largest value away from the ends."""
        margin = 0.1 * (self.axis.right - self.axis.left) if self.axis.bounded else 0.0
        inside = (self.o >= self.axis.left + margin) & (self.o <= self.axis.right - margin) & np.isfinite(self.mean)
        return np.abs(self.mean) > FLAT * float(np.max(np.abs(self.mean[inside]), initial=0.0))

    def only(self, places: NDArray[Any]) -> "Profile":
        """The same at some of its places, given as a mask or indices."""
        others = (self.reward, self.slope, self.written)
        reward, slope, written = (None if rows is None else rows[:, places] for rows in others)
        update = self.update[:, places]
        return replace(self, o=self.o[places], update=update, reward=reward, slope=slope, written=written)

    @property
    def nine(self) -> "Profile":
        """The part at the nine places of the axis."""
        return self.only(np.isin(self.o, self.axis.spread()))

    @property
    def drawn(self) -> "Profile":
        """The part that lies in the window, where the update is a finite number."""
        inside = (self.o >= self.axis.left) & (self.o <= self.axis.right) & np.isfinite(self.mean)
        return self.only(inside)


NOWHERE = Profile(Axis(-np.inf, np.inf, 0.0, 0.0), np.empty(0), np.empty((1, 0)))
"""Where no single output can be moved alone."""


def standard_error(rows: Floats) -> Floats:
    """Of the mean over repetitions; 0 of one."""
    if len(rows) == 1:
        return np.zeros(rows.shape[1])
    with np.errstate(all="ignore"):
        return np.asarray(rows.std(axis=0, ddof=1) / np.sqrt(len(rows)))


__all__ = ["NOWHERE", "Along", "Axis", "Profile", "axis", "reach", "standard_error"]
