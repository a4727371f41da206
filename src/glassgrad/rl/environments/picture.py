"""An episode to look at: the question, and the answer beside the truth on a line of all answers."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from glassgrad.formula.text import number_text
from glassgrad.locale import Language, language, text
from glassgrad.rl.environments.rules import Outcome, Rules

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MODES = ("ansi", "rgb_array")
WIDTH = 49  # signs of the line of answers
SIZE, DPI = (6.4, 2.4), 100  # of the picture, in inches

Frame = str | NDArray[np.uint8]


@dataclass(frozen=True)
class Scene:
    """A question of some rules, and what became of its answer (the i-th of an outcome), if it has one."""

    rules: Rules
    question: int
    outcome: Outcome | None = None
    i: int = 0

    @property
    def truth(self) -> float:
        return float(self.rules.truth[self.question])

    @property
    def answer(self) -> float | None:
        return None if self.outcome is None else float(self.outcome.answer[self.i])

    @property
    def right(self) -> bool:
        return self.outcome is not None and bool(self.outcome.is_success[self.i])

    @property
    def title(self) -> str:
        """5 + 3 = 7.40, or 5 + 3 = ?"""
        return f"{self.rules.written(self.question)} = {'?' if self.answer is None else self.number(self.answer)}"

    def number(self, value: float) -> str:
        """An answer, with two decimals where it need not be whole."""
        return number_text(value) if self.rules.discrete else f"{value:.2f}"

    def verdict(self, chosen: Language) -> str:
        """truth 8, off by 0.60: not right; reward -0.60"""
        if self.outcome is None:
            return str(getattr(text("environments.open"), chosen))
        key = "environments.right" if self.right else "environments.wrong"
        error, reward = float(self.outcome.error[self.i]), float(self.outcome.reward[self.i])
        said = text(key, truth=number_text(self.truth), error=self.number(error), reward=f"{reward:.2f}")
        return str(getattr(said, chosen))


def frame(scene: Scene, mode: str) -> Frame:
    """A scene as text, or as a picture of shape (240, 640, 3).

    Example:
        >>> from glassgrad.rl.environments.rules import rules
        >>> print(frame(Scene(rules("knob", False, "closeness", (0, 1)), 0), "ansi").splitlines()[0])
        knob(1) = ?
    """
    return _drawn(scene) if mode == "rgb_array" else _lines(scene)


def _lines(scene: Scene) -> str:
    low, high = scene.rules.lowest, scene.rules.highest
    line = ["─"] * WIDTH
    if scene.answer is not None:
        places = [round((value - low) / (high - low) * (WIDTH - 1)) for value in (scene.truth, scene.answer)]
        line[places[0]] = "┼"
        line[places[1]] = "◉" if places[0] == places[1] else "●"
    ends = number_text(low), number_text(high)
    return "\n".join((scene.title, f"{ends[0]} ├{''.join(line)}┤ {ends[1]}", scene.verdict(language())))


def _drawn(scene: Scene) -> NDArray[np.uint8]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from glassgrad.plots import FAILED, INK, SOFT, SOLVED, style

    with style() as said:
        figure = Figure(figsize=SIZE, dpi=DPI)
        canvas = FigureCanvasAgg(figure)
        figure.text(0.5, 0.74, scene.title, ha="center", fontsize=26, color=INK)
        _line(figure.add_axes((0.08, 0.34, 0.84, 0.3)), scene, SOLVED if scene.right else FAILED)
        figure.text(0.5, 0.08, scene.verdict(said.language), ha="center", fontsize=11, color=SOFT)
        canvas.draw()  # type: ignore[no-untyped-call]
    return np.array(canvas.buffer_rgba())[:, :, :3].copy()  # type: ignore[no-untyped-call]


def _line(axes: "Axes", scene: Scene, colour: str) -> None:
    """The line of answers; a stroke at the truth, a dot at the answer, and the error between them."""
    from glassgrad.plots import INK, LINE

    low, high = scene.rules.lowest, scene.rules.highest
    margin = 0.03 * (high - low)
    axes.set(xlim=(low - margin, high + margin), ylim=(-1, 1), xticks=_ticks(scene.rules), yticks=[])
    axes.spines[:].set_visible(False)
    axes.grid(visible=False)
    axes.plot([low, high], [0, 0], color=LINE, lw=3, solid_capstyle="round")
    axes.tick_params(axis="x", length=0)
    if scene.answer is not None:
        axes.plot([scene.truth, scene.answer], [0, 0], color=colour, lw=3)
        axes.plot([scene.truth] * 2, [-0.6, 0.6], color=INK, lw=2)
        axes.plot(scene.answer, 0, "o", ms=13, color=colour)


def _ticks(of: Rules) -> NDArray[np.float64]:
    """At most 11 numbers from the lowest answer to the highest, whole ones where there are such."""
    span = of.highest - of.lowest
    parts = next(n for n in range(10, 0, -1) if span % n == 0 or (span <= 1 and not of.discrete))
    return np.linspace(of.lowest, of.highest, parts + 1)
