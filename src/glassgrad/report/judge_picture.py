"""The picture of a verdict: the expected update and the objective that it climbs, over the output.

Blue: from here an output is drawn to a right answer; orange: to a wrong one; white: nothing moves. A full dot attracts,
a hollow one repels, arrows show the way.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from glassgrad.draws import Floats
from glassgrad.errors import ExperimentError
from glassgrad.experiment import Experiment
from glassgrad.judged import Judgement
from glassgrad.method import method
from glassgrad.plots import FAILED, INK, LINE, PAPER, SOFT, SOLVED, complete_svg, save_picture, style
from glassgrad.report.judge_several_text import along, listed
from glassgrad.rl.judge.beside import Beside
from glassgrad.rl.judge.experiment import asked
from glassgrad.rl.judge.outputs import policy_outputs
from glassgrad.rl.judge.profile import Axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ARROWS = 14  # along the axis
REACHED = (0.12, 0.88)  # of an axis with ends: what lies closer to them may be endlessly steep and is cut off
STEEP = 1.8  # if it reaches so many times as far as the rest


def figure(found: Judgement) -> "Figure":
    """The picture as a Figure.

    Raises:
        ExperimentError: no output moves alone, so there is nothing to draw.

    Example:
        >>> import glassgrad as gg
        >>> len(figure(gg.judge("knob", runs=0)).axes)
        2
    """
    _check(found)
    with style() as said:
        return _Picture(found, said).draw()


def nothing_to_draw(found: Judgement) -> ExperimentError | None:
    """Why there is no picture, if there is none."""
    if found.several is None or len(found.profile.o):
        return None
    if found.several.perturbed:
        return _of_weights(len(found.several.outputs))
    return _of_outputs(found.several.outputs, found.several.policy)


def refuse(experiment: Experiment) -> None:
    """See, before anything is judged or trained, whether there will be a picture.

    Raises:
        ExperimentError: no output moves alone, so there is nothing to draw.
    """
    of = method(experiment)
    if of.tried:
        raise _of_weights(len(of.tried))
    if of.network.outputs > 1 and Beside(experiment, of, asked(of)[0], trained=False).one is None:
        raise _of_outputs(of.outputs, policy_outputs(of))


def _of_weights(count: int) -> ExperimentError:
    return ExperimentError("judge.no_picture_weights", weights=count)


def _of_outputs(outputs: Sequence[str], policy: Sequence[str]) -> ExperimentError:
    """Those that decide the answer move together; or all, where one decides, and others move its update."""
    return ExperimentError("judge.no_picture", outputs=listed(policy if len(policy) > 1 else outputs))


def _check(found: Judgement) -> None:
    if error := nothing_to_draw(found):
        raise error


def save(found: Judgement, file: str) -> None:
    """Write the picture to a file that ends in .png, .svg or .html.

    Raises:
        DataError: it ends otherwise, or cannot be written.
        ExperimentError: no output moves alone, so there is nothing to draw.
    """
    _check(found)
    save_picture(file, lambda said: _Picture(found, said).draw(), lambda: svg(found), found.to_html)


def svg(found: Judgement) -> str:
    """The picture as SVG, complete in itself."""
    with style() as said:
        return complete_svg(_Picture(found, said).draw(), said("judge_title", name=found.name))


class _Picture:
    def __init__(self, found: Judgement, words: Any) -> None:
        self.found, self.words = found, words
        self.axis, self.shown = found.profile.axis, found.profile.drawn

    def draw(self) -> "Figure":
        from matplotlib.figure import Figure

        made = Figure(figsize=(8, 6.2), layout="constrained")
        above, below = made.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": (1.25, 1)})
        for ax in (above, below):
            self.basins(ax)
            if self.found.profile.wanted is not None:
                ax.axvline(self.found.profile.wanted, color=INK, lw=0.9, ls=(0, (1, 2)))
        self.update(above)
        self.objective(below)
        above.set_title(self.words("judge_title", name=self.found.name))
        below.set_xlabel(self.words("judge_output", o=along(self.found)))
        room = 0.012 * (self.axis.right - self.axis.left)
        below.set_xlim(self.axis.left - room, self.axis.right + room)
        made.legend(handles=self.keys(), loc="outside lower center", ncols=3, frameon=False, fontsize=8)
        return made

    def basins(self, ax: "Axes") -> None:
        """The stretches of the axis by where they lead."""
        for (low, high), right in self.ways():
            low, high = max(low, self.axis.left), min(high, self.axis.right)
            if right is not None and low < high:
                ax.axvspan(low, high, color=SOLVED if right else FAILED, alpha=0.13, lw=0, zorder=0)

    def ways(self) -> list[tuple[tuple[float, float], bool | None]]:
        """Each basin, and whether it leads to a right answer; None if it leads nowhere, or that is unknown."""
        right = dict(zip((point.at for point in self.found.points), self.found.right, strict=True))
        known = self.found.truth is not None
        return [
            ((basin.low, basin.high), right.get(basin.goal.at) if basin.goal is not None and known else None)
            for basin in self.found.basins
        ]

    def update(self, ax: "Axes") -> None:
        """The expected update, beside the gradient of the expected reward."""
        o, mean, error = self.shown.o, self.shown.mean, self.shown.error
        ax.axhline(0, color=LINE, lw=1.2)
        slope = self.shown.slope
        if slope is not None:
            ax.plot(*_broken(o, slope.mean(axis=0)), color=SOFT, lw=1.6, ls=(0, (4, 2)))
        ax.plot(*_broken(o, mean), color=INK, lw=1.8)
        if np.any(error):
            ax.errorbar(o, mean, 2 * error, fmt="o", ms=3, lw=0.9, color=INK)
        ax.set_ylim(*_room([mean, *([] if slope is None else [slope.mean(axis=0)])], o, self.axis))
        self.points(ax)
        self.arrows(ax)
        ax.set_ylabel(self.words("judge_update", o=along(self.found)))

    def points(self, ax: "Axes") -> None:
        for point in self.found.points:
            at = min(max(point.at, self.axis.left), self.axis.right)
            face = INK if point.attracting else PAPER
            ax.plot(at, 0, "o", ms=7, mfc=face, mec=INK, mew=1.4, zorder=5, clip_on=False)

    def arrows(self, ax: "Axes") -> None:
        """Which way an output moves, along the line of 0."""
        width = self.axis.right - self.axis.left
        at = self.axis.left + width * (np.arange(ARROWS) + 0.5) / ARROWS
        ways = np.sign(np.interp(at, self.shown.o, np.where(self.shown.moves, self.shown.mean, 0.0)))
        for place, way in zip(at, ways, strict=True):
            if way:
                to, since = (place + 0.011 * width * way, 0.0), (place - 0.011 * width * way, 0.0)
                arrow = {"arrowstyle": "-|>", "color": INK, "lw": 1.0, "mutation_scale": 9}
                ax.annotate("", xy=to, xytext=since, arrowprops=arrow)

    def objective(self, ax: "Axes") -> None:
        """What is climbed, 0 at the wanted output, and the expected reward moved to the same."""
        climbed, reward = self.found.climbed, self.shown.reward
        ax.plot(climbed.o, climbed.value, color=INK, lw=1.8)
        rows = [np.interp(self.shown.o, climbed.o, climbed.value)]
        if reward is not None:
            mean = reward.mean(axis=0)
            base = self.found.profile.wanted
            middle = base if base is not None else float(np.median(self.shown.o))
            rows.append(mean - np.interp(middle, self.shown.o, mean))
            ax.plot(self.shown.o, rows[-1], color=SOFT, lw=1.6, ls=(0, (4, 2)))
        ax.set_ylim(*_room(rows, self.shown.o, self.axis))
        ax.set_ylabel(self.words("judge_objective"))

    def keys(self) -> list[Any]:
        from matplotlib.lines import Line2D
        from matplotlib.patches import Patch

        lines = [
            Line2D(
                [],
                [],
                color=INK,
                lw=1.8,
                label=f"{self.words('judge_update', o=along(self.found))}; {self.words('judge_objective')}",
            ),
        ]
        if self.shown.slope is not None:
            told = f"{self.words('judge_slope')}; {self.words('judge_reward')}"
            lines.append(Line2D([], [], color=SOFT, lw=1.6, ls=(0, (4, 2)), label=told))
        if self.found.profile.wanted is not None:
            lines.append(Line2D([], [], color=INK, lw=0.9, ls=(0, (1, 2)), label=self.words("judge_truth")))
        there = {right for _, right in self.ways()}
        patches = [
            Patch(color=colour, alpha=0.3, lw=0, label=self.words(key))
            for right, colour, key in ((True, SOLVED, "judge_right"), (False, FAILED, "judge_wrong"))
            if right in there
        ]
        return [*lines, *patches]


def _broken(o: Floats, values: Floats) -> tuple[Floats, Floats]:
    """A curve with gaps where it jumps from one sign to the other."""
    steps, width, reach = np.abs(np.diff(values)), float(o[-1] - o[0]), float(np.ptp(values[np.isfinite(values)]))
    jumps = (steps > 0.1 * reach) & (np.diff(o) < 0.012 * width) & (values[1:] * values[:-1] <= 0)
    at = np.flatnonzero(jumps) + 1
    return np.insert(o, at, np.nan), np.insert(values, at, np.nan)


def _room(rows: list[Floats], o: Floats, axis: Axis) -> tuple[float, float]:
    """What is drawn of the other axis: all values, but those that run away at the ends, with some air."""
    low, high = (axis.left + share * (axis.right - axis.left) for share in REACHED)
    inside = (o >= low) & (o <= high) if axis.bounded else np.ones(len(o), dtype=bool)
    spans = [_span(np.concatenate([row[part] for row in rows])) for part in (inside, slice(None))]
    (least, most), whole = spans
    if whole[1] - whole[0] <= STEEP * (most - least):
        least, most = whole
    air = 0.08 * (most - least) or 1.0
    return least - air, most + air


def _span(values: Floats) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    return (min(float(finite.min()), 0.0), max(float(finite.max()), 0.0)) if len(finite) else (-1.0, 1.0)


__all__ = ["figure", "nothing_to_draw", "refuse", "save", "svg"]
