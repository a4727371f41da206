"""The picture of estimators beside the exact gradient: how far off each is, how noisy, and parameter by parameter.

Blue: no bias was seen; orange: one was; grey: too few answers to tell. Made with matplotlib's objects alone, as the
pictures of a comparison are.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from glassgrad.estimated import Estimates
from glassgrad.plots import FAILED, INK, LINE, PAPER, SOFT, SOLVED, complete_svg, save_picture, style
from glassgrad.report.estimators_json import leading
from glassgrad.rl.estimate import Column, Estimate, judged

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ERRORS = 3  # standard errors that a bar reaches to each side
ACROSS = 4  # small pictures side by side


def figure(found: Estimates) -> "Figure":
    """The picture as a Figure.

    Example:
        >>> import glassgrad as gg
        >>> len(figure(gg.estimators(samples=20_000)).axes)
        2
    """
    with style() as said:
        return _Picture(found, said).draw()


def save(found: Estimates, file: str) -> None:
    """Write the picture to a file that ends in .png, .svg or .html.

    Raises:
        DataError: it ends otherwise, or cannot be written.
    """
    save_picture(file, lambda said: _Picture(found, said).draw(), lambda: svg(found), found.to_html)


def svg(found: Estimates) -> str:
    """The picture as SVG, complete in itself."""
    with style() as said:
        return complete_svg(_Picture(found, said).draw(), said("estimators_title"))


class _Picture:
    def __init__(self, found: Estimates, words: Any) -> None:
        self.found, self.words, self.all = found, words, found.estimates
        self.columns = [leading(found, one) for one in self.all]
        self.names = [one.estimator.name for one in self.all]
        self.several = found.experiment is not None

    def draw(self) -> "Figure":
        from matplotlib.figure import Figure

        dots = [one for one in self.all if np.any(one.standard_error > 0)] if self.several else []
        top, down = 0.9 + 0.27 * len(self.all), -(-len(dots) // ACROSS)
        heights = [top, *([0.5 + 1.9 * down] if dots else [])]
        made = Figure(figsize=(10, sum(heights)), layout="constrained")
        parts = list(made.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0])
        for part in parts:
            part.set_facecolor(PAPER)
        left, right = parts[0].subplots(1, 2, sharey=True, gridspec_kw={"width_ratios": (1.7, 1)})
        self.means(left)
        self.noise(right)
        if dots:
            parts[1].suptitle(self.words("estimators_dots"), x=0.012, ha="left", fontsize=9.5, color=INK)
            panels = parts[1].subplots(down, ACROSS, squeeze=False)
            self.parameters(list(panels.flat), dots)
        return made

    def means(self, ax: "Axes") -> None:
        """Each mean with its standard errors; what lies outside is written at the edge."""
        exact = self.columns[0].exact
        low, high = _reach(self.columns)
        ax.axvline(exact, color=INK, lw=1.0)
        ax.axvline(0, color=LINE, lw=1.0, zorder=0.5)
        for place, (one, column) in enumerate(zip(self.all, self.columns, strict=True)):
            colour = _colour(column, one)
            if not math.isfinite(column.mean):
                continue
            ends = column.mean - ERRORS * column.standard_error, column.mean + ERRORS * column.standard_error
            ax.plot(ends, [place, place], color=colour, lw=4, alpha=0.4, solid_capstyle="butt")
            if low <= column.mean <= high:
                ax.plot(column.mean, place, "o", ms=4.5, color=colour)
            else:
                side = -1 if column.mean < low else 1
                edge, arrow = (low, "◂ ") if side < 0 else (high, " ▸")
                said = f"{arrow}{column.mean:.3g}" if side < 0 else f"{column.mean:.3g}{arrow}"
                ax.text(edge, place, said, ha="left" if side < 0 else "right", va="center", color=colour, fontsize=8)
        ax.set(xlim=(low, high), ylim=(len(self.all) - 0.4, -0.6))
        ax.set_xlabel(self.words("estimators_along") if self.several or not self.found.normal_question else "d/dmu")
        ax.set_yticks(range(len(self.all)), self.names, color=INK, fontsize=8.5)
        ax.tick_params(axis="y", length=0)
        ax.set_title(self.words("estimators_mean", samples=f"{self.all[0].samples:,}"))
        ax.grid(axis="y", visible=False)

    def noise(self, ax: "Axes") -> None:
        """The standard deviation of one answer, on a logarithmic axis."""
        spreads = [math.sqrt(column.variance) for column in self.columns]
        some = [spread for spread in spreads if spread > 0 and math.isfinite(spread)]
        least = 0.6 * min(some, default=1.0)
        for place, (spread, one, column) in enumerate(zip(spreads, self.all, self.columns, strict=True)):
            if spread > 0 and math.isfinite(spread):
                ax.barh(place, spread - least, left=least, height=0.5, color=_colour(column, one), alpha=0.75, lw=0)
            else:
                ax.text(least * 1.1, place, self.words("estimators_no_noise"), va="center", color=SOFT, fontsize=8)
        ax.set(xscale="log", xlim=(least, 1.5 * max(some, default=1.0)))
        ax.set_title(self.words("estimators_noise"))
        ax.tick_params(axis="y", length=0, labelleft=False)
        ax.grid(axis="y", visible=False)

    def parameters(self, panels: Sequence["Axes"], shown: Sequence[Estimate]) -> None:
        """Each parameter's mean against its exact value."""
        exact = self.found.exact
        low, high = _air(float(exact.min()), float(exact.max()))
        for ax, one in zip(panels, shown, strict=False):
            ax.plot([low, high], [low, high], color=INK, lw=0.7)
            bars = ERRORS * one.standard_error
            ax.errorbar(exact, one.mean, bars, fmt="o", ms=3, lw=0.9, color=_colour(None, one), alpha=0.8)
            bottom, top = _air(min(low, float(one.mean.min())), max(high, float(one.mean.max())))
            ax.set(xlim=(low, high), ylim=(bottom, top))
            ax.set_title(one.estimator.name, fontsize=8.5)
            ax.locator_params(nbins=5)
        for ax in panels[len(shown) :]:
            ax.set_visible(False)


def _air(low: float, high: float) -> tuple[float, float]:
    """A range with some room at both ends."""
    room = 0.08 * (high - low) or 1e-12
    return low - room, high + room


def _colour(column: Column | None, one: Estimate) -> str:
    verdict = one.verdict if column is None else judged([column], one.samples)
    return SOFT if verdict == "few" else SOLVED if verdict == "none" else FAILED


def _reach(columns: Sequence[Column]) -> tuple[float, float]:
    """What is drawn of the axis: from beyond 0 to beyond twice the exact value, and means that are not far outside."""
    exact = columns[0].exact
    size = abs(exact) or max((abs(column.mean) for column in columns if math.isfinite(column.mean)), default=1.0) or 1.0
    near = [column.mean for column in columns if abs(column.mean) < 2.5 * size]
    return min([-0.1 * size, exact, *near]) - 0.12 * size, max([0.1 * size, exact, *near]) + 0.12 * size


__all__ = ["figure", "save", "svg"]
