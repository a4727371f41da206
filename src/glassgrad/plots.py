"""Pictures of a comparison: how often it is solved, where the runs end, how they get there.

Blue is solved, orange is not: two colours that nobody confuses. Made with matplotlib's objects alone, so that a
notebook's own figures and settings are never touched.
"""

import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glassgrad.comparison import Comparison, Row
from glassgrad.errors import DataError
from glassgrad.files import writing
from glassgrad.locale import Language, language, text
from glassgrad.method import method
from glassgrad.runs import CURVES, Runs

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from glassgrad.why import Why

ENDINGS = (".png", ".svg", ".html")
INK, SOFT, LINE, PAPER, SOLVED, FAILED = "#23272c", "#5d6571", "#dcd8ce", "#fffffe", "#2b6cab", "#b8560f"
DARK = {INK: "#e8e5de", SOFT: "#a9afb7", LINE: "#3a4047", PAPER: "#16191d", SOLVED: "#7fb2e6", FAILED: "#f0a05c"}
GROUPS = (SOLVED, FAILED, "#2a8f6f", "#a4508b", "#8a7a1f", "#4d5bbf")
MARKS = "osD^vP"
CHINESE = (
    "Noto Sans CJK SC", "Source Han Sans SC", "PingFang SC", "Microsoft YaHei", "SimHei", "Hiragino Sans GB",
    "WenQuanYi Zen Hei", "Noto Serif CJK SC", "SimSun",
)  # fmt: skip
MOST_CURVES = 12  # learning curves in one picture
RUGS = 400  # single runs drawn below a distribution
LEAST = 1e-8  # errors below are drawn here


def figure(comparison: Comparison) -> "Figure":
    """The pictures as one Figure.

    Example:
        >>> from glassgrad.comparison import compare
        >>> len(figure(compare("knob", "knob-fixed", runs=10)).axes)
        4
    """
    with style() as said:
        return _Picture(comparison, said).draw()


def save(comparison: Comparison, file: str, causes: "Sequence[Why]" = ()) -> None:
    """Write the pictures to a file that ends in .png, .svg or .html; the page has the causes of failure, too.

    Raises:
        DataError: it ends otherwise, or cannot be written.
    """
    from glassgrad.report.compare_html import compare_html

    def page() -> str:
        return compare_html(comparison, causes)

    save_picture(file, lambda said: _Picture(comparison, said).draw(), lambda: svg(comparison), page)


def save_picture(
    file: str, draw: "Callable[[_Words], Figure]", svg: Callable[[], str], html: Callable[[], str]
) -> None:
    """Write a picture in the form that a file's ending names.

    Raises:
        DataError: it is none of ENDINGS, or the file cannot be written.
    """
    if not file.lower().endswith(ENDINGS):
        raise DataError("compare.ending", file=file, option="--plot", known=", ".join(ENDINGS))
    with writing(file) as path:
        if file.lower().endswith(".png"):
            with style() as said:
                draw(said).savefig(path, dpi=160)
        else:
            path.write_text(svg() if file.lower().endswith(".svg") else html(), encoding="utf-8", newline="\n")


def svg(comparison: Comparison) -> str:
    """The pictures as SVG, complete in itself."""
    with style() as said:
        return complete_svg(_Picture(comparison, said).draw(), said.title)


def complete_svg(picture: "Figure", title: str) -> str:
    """A picture as SVG, complete in itself: letters as shapes, colours for light and dark; to be called in a style."""
    stream = io.StringIO()
    picture.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    drawn = stream.getvalue()
    drawn = drawn[drawn.index("<svg") :].replace("*{stroke-linejoin", ".gg-plot *{stroke-linejoin")
    for colour in DARK:
        drawn = drawn.replace(f": {colour}", f": var(--gg{colour[1:]})")
    light = "".join(f"--gg{one[1:]}:{one};" for one in DARK)
    both = "".join(f"--gg{one[1:]}:light-dark({one},{other});" for one, other in DARK.items())
    dark = "".join(f"--gg{one[1:]}:{other};" for one, other in DARK.items())
    sheet = (
        f"<style>.gg-plot{{{light}}}@media (prefers-color-scheme:dark){{.gg-plot:root{{{dark}}}}}"
        f"@supports (color:light-dark(red,red)){{.gg-plot{{{both}}}.gg-plot:root{{color-scheme:light dark}}}}</style>"
    )
    label = f'class="gg-plot" role="img" aria-label="{title}"'
    return re.sub(r"<svg ([^>]*)>", lambda found: f"<svg {label} {found[1]}>{sheet}", drawn, count=1)


class _Words:
    """The texts of a picture: Chinese if a font for it is there, else English."""

    def __init__(self, chosen: Language) -> None:
        self.language = chosen

    def __call__(self, key: str, **values: object) -> str:
        return str(getattr(text(f"plots.{key}", **values), self.language))

    @property
    def title(self) -> str:
        return self("title")


@contextmanager
def style() -> Iterator[_Words]:
    """matplotlib's settings for these pictures only, and the words in a language whose letters can be drawn."""
    import matplotlib as mpl
    from matplotlib.font_manager import fontManager

    there = {font.name for font in fontManager.ttflist}
    chinese = [name for name in CHINESE if name in there][:1]
    wanted = language()
    family = [*chinese, "DejaVu Sans"] if wanted == "zh" else ["DejaVu Sans", *chinese]
    settings: dict[str, Any] = {
        "font.family": family, "font.size": 9, "text.color": INK, "axes.labelcolor": SOFT, "axes.edgecolor": LINE,
        "xtick.color": SOFT, "ytick.color": SOFT, "axes.facecolor": PAPER, "figure.facecolor": PAPER,
        "savefig.facecolor": PAPER, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True,
        "grid.color": LINE, "grid.linewidth": 0.6, "axes.axisbelow": True, "axes.titlesize": 9.5,
        "axes.titlelocation": "left", "axes.titlecolor": INK, "axes.labelsize": 8.5, "xtick.labelsize": 8,
        "ytick.labelsize": 8, "svg.fonttype": "path", "svg.hashsalt": "glassgrad", "axes.unicode_minus": False,
    }  # fmt: skip
    with mpl.rc_context(settings):  # type: ignore[arg-type]
        yield _Words("zh" if wanted == "zh" and chinese else "en")


class Sweep(NamedTuple):
    """A number that is varied: its name, and for each line of the picture the rows at its values."""

    name: str
    lines: dict[str, list[tuple[float, Row]]]


def sweep(comparison: Comparison) -> Sweep | None:
    """The number that is varied, if one is, at three values or more: a learning rate, a number of steps.

    Example:
        >>> from glassgrad.comparison import compare
        >>> sweep(compare("knob", vary=["optimizer=adam(lr=0.1),adam(lr=0.2),adam(lr=0.3)"], runs=2)).name
        'lr'
    """
    written = [_numbers(label) for label in comparison.labels]
    shared = [name for name in written[0] if all(name in one for one in written)]
    best: Sweep | None = None
    for name in shared:
        lines: dict[str, list[tuple[float, Row]]] = {}
        for numbers, row in zip(written, comparison.rows, strict=True):
            value, rest = numbers[name]
            lines.setdefault(rest, []).append((value, row))
        if len({numbers[name][0] for numbers in written}) < 3:
            continue
        if best is None or len(lines) < len(best.lines):
            best = Sweep(name, {rest: sorted(points, key=lambda point: point[0]) for rest, points in lines.items()})
    return best if best is not None and len(best.lines) <= len(GROUPS) else None


_NUMBER = re.compile(r"(\w+)=(-?\d+\.?\d*(?:[eE][-+]?\d+)?)(?![\w.-])")


def _numbers(label: str) -> dict[str, tuple[float, str]]:
    """The numbers of a label by name: the value, and what remains of the label without it.

    Example:
        >>> _numbers("add adam(lr=0.1, beta1=0.5)")["lr"]
        (0.1, 'add adam(beta1=0.5)')
    """
    found = {}
    for match in _NUMBER.finditer(label):
        rest = label[: match.start()] + label[match.end() :]
        rest = re.sub(r"\(\s*\)|(?<=\()\s*,\s*|,\s*(?=\))", "", rest)
        found[match[1]] = float(match[2]), " ".join(rest.split())
    return found


class _Picture:
    """All panels: success and final errors side by side, success against a varied number, learning curves."""

    def __init__(self, comparison: Comparison, words: _Words) -> None:
        self.comparison, self.words = comparison, words
        self.rows, self.runs, self.labels = comparison.rows, comparison.runs, comparison.labels
        self.sweep = sweep(comparison)
        self.curves = min(len(self.rows), MOST_CURVES)
        self.across = min(4, self.curves)
        self.some = any(len(runs.curves) < len(runs) for runs in self.runs)

    def draw(self) -> "Figure":
        from matplotlib.figure import Figure

        down = -(-self.curves // self.across)
        heights = [0.55 + 0.42 * len(self.rows), *([2.6] if self.sweep else []), 1.75 * down]
        made = Figure(figsize=(10, sum(heights) + 1.15 * len(heights) - 0.1), layout="constrained")
        made.get_layout_engine().set(h_pad=0.12, w_pad=0.1, hspace=0.06)  # type: ignore[union-attr, call-arg]
        parts = list(
            made.subfigures(len(heights), 1, height_ratios=[height + 1.0 for height in heights], squeeze=False)[:, 0]
        )
        for part in parts:
            part.set_facecolor(PAPER)
        left, right = parts[0].subplots(1, 2, sharey=True, gridspec_kw={"width_ratios": (1, 1.7)})
        self.success(left)
        self.ends(right)
        if self.sweep:
            self.against(parts[1].subplots(), self.sweep)
        panels = parts[-1].subplots(down, self.across, sharey=True, squeeze=False)
        self.learning(list(panels.flat))
        return made

    def success(self, ax: "Axes") -> None:
        """The share solved, with its interval; a ring at the share that was ever solved."""
        for place, row in enumerate(self.rows):
            ax.plot([100 * row.rate.low, 100 * row.rate.high], [place, place], color=SOLVED, lw=5, alpha=0.35,
                    solid_capstyle="butt")  # fmt: skip
            ax.plot(100 * row.ever_solved / row.runs, place, "o", ms=7, mfc="none", mec=SOFT, mew=0.8)
            ax.plot(100 * row.rate.value, place, "o", ms=5, color=SOLVED)
            side = -1 if row.rate.value > 0.5 else 1
            rate = 100 * row.rate.value
            ax.annotate(f"{rate:.1f} %", (rate, place), (9 * side, 5), textcoords="offset points", fontsize=8,
                        ha="right" if side < 0 else "left", va="bottom")  # fmt: skip
        ax.set(xlim=(-3, 103), ylim=(len(self.rows) - 0.45, -0.65), xlabel=self.words("solved_axis"))
        ax.set_yticks(range(len(self.rows)), [_short(label) for label in self.labels], color=INK, fontsize=9)
        ax.tick_params(axis="y", length=0)
        ax.set_title(self.words("how_often"))
        ax.grid(axis="y", visible=False)

    def ends(self, ax: "Axes") -> None:
        """Where the runs end: a histogram of each one's largest error, blue where it is solved."""
        errors = [np.maximum(_largest(runs), LEAST) for runs in self.runs]
        finite = np.concatenate([one[np.isfinite(one)] for one in errors])
        tolerances = [method(runs.experiment).task.tolerance for runs in self.runs]
        low, high = _reach(finite, tolerances)
        edges = np.logspace(np.log10(low), np.log10(high), 81)
        for place, (error, tolerance) in enumerate(zip(errors, tolerances, strict=True)):
            self.hump(ax, place, error[np.isfinite(error)], edges, tolerance)
            lost = int(np.sum(~np.isfinite(error)))
            if lost:
                said = self.words("diverged", count=f"{lost:,}")
                ax.annotate(said, (1, place - 0.12), xycoords=("axes fraction", "data"), ha="right", va="bottom",
                            color=FAILED, fontsize=8)  # fmt: skip
            ax.plot([tolerance, tolerance], [place + 0.2, place - 0.62], color=INK, lw=0.9, ls=(0, (3, 2)))
        ax.set(xscale="log", xlim=(low, high), xlabel=self.words("largest_axis"))
        ax.minorticks_off()
        ax.set_title(self.words("where_they_end"))
        ax.grid(axis="y", visible=False)
        ax.tick_params(axis="y", length=0, labelleft=False)

    def hump(self, ax: "Axes", place: int, error: NDArray[Any], edges: NDArray[Any], tolerance: float) -> None:
        """One row's histogram, and its single runs below."""
        for mine, colour in ((error < tolerance, SOLVED), (error >= tolerance, FAILED)):
            counts, _ = np.histogram(error, edges)
            own, _ = np.histogram(error[mine], edges)
            height = 0.6 * own / max(1, counts.max())
            ax.stairs(place - height, edges, baseline=place, fill=True, color=colour, alpha=0.85, lw=0)
            few = error[:RUGS][mine[:RUGS]]
            x = np.stack([few, few, np.full_like(few, np.nan)], axis=1).ravel()  # one path for all: a lighter file
            y = np.tile([place + 0.07, place + 0.19, np.nan], len(few))
            ax.plot(x, y, lw=0.5, color=colour, alpha=0.5, solid_capstyle="butt")
        ax.axhline(place, color=LINE, lw=0.8, zorder=0.5)

    def against(self, ax: "Axes", found: Sweep) -> None:
        """The share solved against the number that is varied."""
        for (rest, points), colour, mark in zip(found.lines.items(), GROUPS, MARKS, strict=False):
            x = [value for value, _ in points]
            rates = np.array([row.rate for _, row in points]) * 100
            spread = np.abs(rates[:, 1:].T - rates[:, 0])
            ax.errorbar(x, rates[:, 0], spread, color=colour, marker=mark, ms=5, lw=1.4, capsize=3, label=rest)
        values = [value for points in found.lines.values() for value, _ in points]
        if min(values) > 0 and max(values) / min(values) >= 8:
            ax.set_xscale("log")
        ax.set_xticks(sorted(set(values)), [f"{value:g}" for value in sorted(set(values))])
        ax.minorticks_off()
        name = self.words("learning_rate") if found.name == "lr" else found.name
        ax.set(ylim=(-3, 103), xlabel=name, ylabel=self.words("solved_axis"))
        ax.set_title(self.words("against", name=name))
        if len(found.lines) > 1:
            ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5))

    def learning(self, panels: Sequence["Axes"]) -> None:
        """Learning curves: the run in the middle, the middle half, and nine of ten."""
        bounds: list[float] = []
        for ax, runs, label in zip(panels, self.runs, self.labels, strict=False):
            curves = np.maximum(np.where(np.isfinite(runs.curves), runs.curves, np.inf), LEAST)
            five, quarter, half, three, most = np.quantile(
                curves, [0.05, 0.25, 0.5, 0.75, 0.95], axis=0, method="inverted_cdf"
            )
            drawn = [*five, *most]
            bounds += [value for value in drawn if np.isfinite(value)]
            top = 1e30
            ax.fill_between(runs.checkpoints, five, np.minimum(most, top), color=SOLVED, alpha=0.16, lw=0)
            ax.fill_between(runs.checkpoints, quarter, np.minimum(three, top), color=SOLVED, alpha=0.32, lw=0)
            ax.plot(runs.checkpoints, half, color=SOLVED, lw=1.6)
            ax.set_title(_short(label), fontsize=8.5)
            ax.set(yscale="log", xlim=(0, runs.experiment.steps), xlabel=self.words("step_axis"))
        for ax in panels[self.curves :]:
            ax.set_visible(False)
        for ax in panels:
            ax.minorticks_off()
        panels[0].set_ylim(0.7 * min(bounds, default=0.1), 1.6 * max(bounds, default=1.0))
        for ax in panels[:: self.across]:
            ax.set_ylabel(self.words("mean_axis"))
        figure_of = panels[0].figure
        said = self.words("learning") + (self.words("first_runs", most=f"{CURVES:,}") if self.some else "")
        said += self.words("first_rows", drawn=self.curves, rows=len(self.rows)) if self.curves < len(self.rows) else ""
        figure_of.suptitle(said, x=0.012, ha="left", fontsize=9.5, color=INK)


def _largest(runs: Runs) -> NDArray[np.float64]:
    errors = runs.max_error.astype(np.float64)
    return np.where((runs.diverged_at > 0) | ~np.isfinite(errors), np.inf, errors)


def _reach(finite: NDArray[np.float64], tolerances: Sequence[float]) -> tuple[float, float]:
    """The range of errors that is drawn: all of them, and the tolerances, with some air."""
    every = np.concatenate([finite, np.asarray(tolerances)])
    return 0.6 * float(every.min()), 1.7 * float(every.max())


def _short(name: str, most: int = 34) -> str:
    """A long name on two lines, cut at its end."""
    if len(name) <= most:
        return name
    head, _, rest = name.partition(" ")
    rest = rest if len(rest) <= most else rest[: most - 1] + "…"
    return f"{head[:most]}\n{rest}" if rest else head[: most - 1] + "…"
