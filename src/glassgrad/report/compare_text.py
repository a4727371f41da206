"""A comparison as tables in 80 columns: how often, how well, what to beware of, why runs fail, what to do next."""

import math
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from glassgrad.comparison import Camp, Comparison, Row, same_task
from glassgrad.contenders import Contender
from glassgrad.locale import language, say
from glassgrad.report.plain import WIDTH, plain_lines
from glassgrad.statistics import Interval, too_few
from glassgrad.why import Why

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.measure import Measurement
    from rich.table import Table

NONE = "–"


def compare_text(comparison: Comparison, causes: Sequence[Why] = (), width: int = WIDTH) -> str:
    """All of it as plain text."""
    return "\n".join(plain_lines(compare_parts(comparison, causes), width))


def compare_parts(comparison: Comparison, causes: Sequence[Why] = ()) -> "Iterator[RenderableType]":
    """What `glassgrad compare` prints, piece by piece."""
    from rich.text import Text

    yield Text(title(comparison), style="bold")
    yield ""
    yield _table(how_often(comparison))
    yield ""
    yield _table(how_well(comparison))
    yield ""
    yield _listed(legend(comparison), style="dim")
    found = list(warnings(comparison))
    yield from [""] if found else []
    for warning in found:
        yield Text(warning, style="yellow")
    for why in causes:
        yield from _why_parts(why)
    yield ""
    sentence, command = _next(comparison, causes)
    yield Text(sentence, style="dim")
    yield Text(f"  {command}", no_wrap=True, overflow="ignore")


def title(comparison: Comparison) -> str:
    """How many runs, and of which seeds."""
    first = int(comparison.runs[0].seeds[0])
    one = "_one" if comparison.asked == 1 else ""
    key = "compare.title_stopped" if comparison.stopped else f"compare.title{one}"
    done = sum(len(runs) for runs in comparison.runs)
    return say(
        key,
        runs=f"{comparison.asked:,}",
        first=first,
        last=first + comparison.asked - 1,
        done=f"{done:,}",
        every=f"{comparison.asked * (len(comparison.runs) + len(comparison.missing)):,}",
        seconds=f"{sum(runs.seconds for runs in comparison.runs):.2g}",
    )


Cells = tuple[list[str], list[list[str]]]  # headings, and a line an experiment


def how_often(comparison: Comparison) -> Cells:
    """How often it was solved, and how sure it is that this differs from the first row."""
    several = len(comparison.rows) > 1
    keys = ["solved", "rate", "ever", *(["better", "p"] if several else [])]
    lines = []
    for label, row in zip(comparison.labels, comparison.rows, strict=True):
        cells = [f"{row.solved:,}", _percents(row.rate), f"{100 * row.ever_solved / row.runs:.1f}"]
        better = NONE if row.better is None else _percents(row.better)
        p = NONE if row.p_value is None else _p(row.p_value)
        lines.append([label, *cells, *([better, p] if several else [])])
    return ["", *(say(f"compare.{key}") for key in keys)], lines


def how_well(comparison: Comparison) -> Cells:
    """The errors, and the steps that it took."""
    lines = []
    for label, row in zip(comparison.labels, comparison.rows, strict=True):
        steps = NONE if math.isinf(row.steps.value) else f"{row.steps.value:,.0f}"
        lines.append([label, _numbers(row.median_error), _numbers(row.iqm), steps])
    return ["", *(say(f"compare.{key}") for key in ("median", "iqm", "steps"))], lines


def _table(cells: Cells) -> "Table":
    from rich.table import Table

    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold cyan")
    table.add_column("", overflow="fold", ratio=1, min_width=12)
    for heading in cells[0][1:]:
        table.add_column(heading, justify="right", no_wrap=True)
    for label, *rest in cells[1]:
        table.add_row(_Label(label), *rest)
    return table


class _Label:
    """A label that a narrow column breaks after a space or a sign, not within a word."""

    def __init__(self, label: str) -> None:
        self.label = label

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "Iterator[RenderableType]":
        from rich.text import Text

        yield Text("\n".join(_broken(self.label, options.max_width)))

    def __rich_measure__(self, console: "Console", options: "ConsoleOptions") -> "Measurement":
        from rich.measure import Measurement

        return Measurement(min(12, options.max_width), min(len(self.label), options.max_width))


def _broken(label: str, room: int) -> list[str]:
    """A label in lines of at most so many characters, broken after a space or a sign, not within a word.

    Example:
        >>> _broken("output_activation=linear", 20)
        ['output_activation=', 'linear']
    """
    lines = [""]
    for piece in re.findall(r"[\w.]+\W*|\W+", label):
        if lines[-1] and len((lines[-1] + piece).rstrip()) > room:
            lines.append("")
        lines[-1] += piece
    return [line.rstrip() for line in lines]


def legend(comparison: Comparison) -> list[tuple[str, str]]:
    """What the columns mean: heading and meaning."""
    keys = ["solved", "ever", "error", "iqm", "steps", *(["better", "p"] if len(comparison.rows) > 1 else [])]
    first, spacing = comparison.labels[0], _spacing(comparison)
    few = say("compare.few") if any(too_few(len(runs), comparison.level) for runs in comparison.runs) else ""
    return [(say(f"compare.{key}"), say(f"compare.{key}_means", first=first, spacing=spacing, few=few)) for key in keys]


def _spacing(comparison: Comparison) -> str:
    """How far apart the checkpoints are: in steps, if that is the same for all."""
    apart = {int(gap) for runs in comparison.runs for gap in np.diff(runs.checkpoints, prepend=0)}
    if apart == {1}:
        return say("compare.each")
    if len(apart) == 1:
        return say("compare.every", steps=f"{apart.pop():,}")
    return say("compare.spread", most=max(len(runs.checkpoints) for runs in comparison.runs))


def _listed(pairs: Sequence[tuple[str, str]], style: str) -> "Table":
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False, style=style)
    table.add_column("", no_wrap=True)
    table.add_column("", overflow="fold", ratio=1)
    for pair in pairs:
        table.add_row(*pair)
    return table


def warnings(comparison: Comparison) -> Iterator[str]:
    """What a reader of the table should beware of."""
    first = comparison.contenders[0].experiment
    labels = comparison.labels
    pairs = list(zip(labels, comparison.contenders, strict=True))
    others = [label for label, contender in pairs if not same_task(first, contender.experiment)]
    if others:
        yield say("compare.other_task", names=", ".join(others), first=labels[0])
    yield from unfinished(comparison)
    for name, row in zip(labels, comparison.rows, strict=True):
        if row.diverged:
            yield say("compare.diverged", name=name, count=f"{row.diverged:,}")
        if row.camps is not None:
            yield say("compare.camps", name=name, first=_camp(row.camps[1]), second=_camp(row.camps[0]))
        if row.ever_solved - row.solved > max(1, 0.05 * row.runs):
            yield say("compare.lost", name=name, count=f"{row.ever_solved - row.solved:,}")
        if _opposed(comparison.rows[0], row):
            yield say("compare.opposed", name=name, first=labels[0])


def unfinished(comparison: Comparison) -> Iterator[str]:
    """Which rows are partial, and which are not there, since it was stopped."""
    for name, row in zip(comparison.labels, comparison.rows, strict=True):
        if row.runs < comparison.asked:
            yield say("compare.fewer", name=name, runs=f"{row.runs:,}", asked=f"{comparison.asked:,}")
    if comparison.missing:
        yield say("compare.missing", names=", ".join(comparison.missing))


def _opposed(first: Row, row: Row) -> bool:
    """Whether it is surely solved more often than the first, yet mostly has the larger error; or the reverse."""
    if row.better is None or row.p_value is None or row.p_value >= 0.05 or row.better.low <= 0.5 <= row.better.high:
        return False
    return (row.rate.value > first.rate.value) != (row.better.value > 0.5)


def _camp(camp: Camp) -> str:
    kind = "error" if camp.answer is None else "answer"
    what = f"{camp.error:.2g}" if camp.answer is None else f"{camp.answer:.2f}"
    said = say(f"compare.camp_{kind}", share=percent(camp.share, 0), **{kind: what})
    return said if camp.seed is None else said + say("compare.camp_seed", seed=camp.seed)


def why_cells(why: Why) -> tuple[str, list[list[str]], list[str]]:
    """Why runs fail: a heading, a line a cause (count, cause, seed), and notes."""
    if not why.failed:
        return say("why.none", name=why.contender.name), [], []
    heading = say("why.title", name=why.contender.name, failed=f"{why.failed:,}", runs=f"{why.runs:,}")
    lines, notes = [], []
    for cause in why.causes:
        seed = NONE if cause.seed is None else say("why.seed", seed=cause.seed)
        lines.append([f"{'' if cause.exact else '≈ '}{cause.count:,}", str(getattr(cause.reading, language())), seed])
    if not all(cause.exact for cause in why.causes):
        notes.append(say("why.looked_at", count=why.looked_at))
    if why.stopped:
        notes.append(say("why.stopped", count=why.looked_at, unsorted=f"{why.unsorted:,}"))
    if any(cause.seed is None for cause in why.causes):
        notes.append(say("why.untried" if why.stopped else "why.rounding"))
    return heading, lines, notes


def _why_parts(why: Why) -> "Iterator[RenderableType]":
    from rich.table import Table
    from rich.text import Text

    heading, lines, notes = why_cells(why)
    yield ""
    yield Text(heading, style="bold" if why.failed else "green")
    if lines:
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
        table.add_column("", justify="right", no_wrap=True)
        table.add_column("", overflow="fold", ratio=1)
        table.add_column("", no_wrap=True, style="dim")
        for line in lines:
            table.add_row(*line)
        yield table
    for note in notes:
        yield Text(note, style="dim")


def _next(comparison: Comparison, causes: Sequence[Why]) -> tuple[str, str]:
    """What to do next, and its command: a run that failed, to be watched; or one that did not, where none failed."""
    for why in causes:
        for cause in why.causes:
            if cause.seed is not None:
                return _look(why.contender), why.contender.command(cause.seed)
    if comparison.failing is None:
        first = comparison.contenders[0]
        return _look(first), first.command(int(comparison.runs[0].seeds[0]))
    contender, seed, sure = comparison.failing
    if not sure:
        return _look(contender, "untried" if sure is None else "rounding"), contender.command(seed)
    return _look(contender, "watch" if causes else "why"), contender.command(seed)


def _look(contender: Contender, key: str = "watch") -> str:
    note = say("compare.next_note") if contender.compiled else ""
    return say(f"compare.next_{key}", note=note)


def percent(share: float, digits: int = 1) -> str:
    """A share in percent."""
    return f"{100 * share:.{digits}f} %"


def _percents(interval: Interval) -> str:
    value, low, high = (f"{100 * share:.1f}" for share in interval)
    return f"{value} [{low}, {high}]"


def _numbers(interval: Interval) -> str:
    value, low, high = map(short, interval)
    return f"{value} [{NONE if math.isnan(interval.low) else f'{low}, {high}'}]"


def short(value: float) -> str:
    """A number in two digits.

    Example:
        >>> short(0.01234), short(4.56), short(0.8), short(6.68e-8), short(float("inf"))
        ('0.012', '4.6', '0.80', '6.7e-8', '∞')
    """
    if not math.isfinite(value):
        return "∞"
    if value and not 1e-4 <= abs(value) < 1e4:
        digits, _, power = f"{value:.1e}".partition("e")
        return f"{digits}e{int(power)}"
    return f"{value:#.2g}".rstrip(".") if abs(value) < 10 else f"{value:,.0f}"


def _p(value: float) -> str:
    return "<0.001" if value < 0.001 else f"{value:.3f}"


__all__ = [
    "compare_parts",
    "compare_text",
    "how_often",
    "how_well",
    "legend",
    "percent",
    "short",
    "title",
    "unfinished",
    "warnings",
    "why_cells",
]
