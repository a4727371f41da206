"""A comparison as tables in 80 columns: how often, how well, what to beware of, why runs fail, what to do next."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from glassgrad.comparison import Camp, Comparison, same_task
from glassgrad.locale import language, say
from glassgrad.report.plain import WIDTH, plain_lines
from glassgrad.statistics import Interval
from glassgrad.why import Why

if TYPE_CHECKING:
    from rich.console import RenderableType
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
        yield from _why(why)
    yield ""
    sentence, command = _next(comparison, causes)
    yield Text(sentence, style="dim")
    yield Text(f"  {command}", no_wrap=True, overflow="ignore")


def title(comparison: Comparison) -> str:
    """How many runs, and of which seeds."""
    seeds = comparison.runs[0].seeds
    key = "compare.title_stopped" if comparison.stopped else "compare.title"
    done = sum(len(runs) for runs in comparison.runs)
    return say(
        key,
        runs=f"{comparison.asked:,}",
        first=int(seeds[0]),
        last=int(seeds[0]) + comparison.asked - 1,
        done=f"{done:,}",
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
    for line in cells[1]:
        table.add_row(*line)
    return table


def legend(comparison: Comparison) -> list[tuple[str, str]]:
    """What the columns mean: heading and meaning."""
    keys = ["solved", "ever", "error", "iqm", "steps", *(["better", "p"] if len(comparison.rows) > 1 else [])]
    first = comparison.labels[0]
    return [(say(f"compare.{key}"), say(f"compare.{key}_means", first=first)) for key in keys]


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
    for name, row in zip(labels, comparison.rows, strict=True):
        if row.runs < comparison.asked:
            yield say("compare.fewer", name=name, runs=row.runs, asked=comparison.asked)
        if row.diverged:
            yield say("compare.diverged", name=name, count=f"{row.diverged:,}")
        if row.camps is not None:
            yield say("compare.camps", name=name, first=_camp(row.camps[1]), second=_camp(row.camps[0]))
        if row.ever_solved - row.solved > max(1, 0.05 * row.runs):
            yield say("compare.lost", name=name, count=f"{row.ever_solved - row.solved:,}")


def _camp(camp: Camp) -> str:
    share = percent(camp.share, 0)
    if camp.answer is not None:
        return say("compare.camp_answer", share=share, answer=f"{camp.answer:.2f}", seed=camp.seed)
    return say("compare.camp_error", share=share, error=f"{camp.error:.2g}", seed=camp.seed)


def _why(why: Why) -> "Iterator[RenderableType]":
    from rich.table import Table
    from rich.text import Text

    yield ""
    if not why.failed:
        yield Text(say("why.none", name=why.contender.name), style="green")
        return
    yield Text(say("why.title", name=why.contender.name, failed=f"{why.failed:,}", runs=f"{why.runs:,}"), style="bold")
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("", overflow="fold", ratio=1)
    table.add_column("", no_wrap=True, style="dim")
    for cause in why.causes:
        count = f"{'' if cause.exact else '≈ '}{cause.count:,}"
        table.add_row(count, str(getattr(cause.reading, language())), say("why.seed", seed=cause.seed))
    yield table
    if not all(cause.exact for cause in why.causes):
        yield Text(say("why.looked_at", count=why.looked_at), style="dim")


def _next(comparison: Comparison, causes: Sequence[Why]) -> tuple[str, str]:
    """What to do next, and its command: a run that failed, to be watched; or one that did not, where none failed."""
    for why in causes:
        if why.causes:
            return say("compare.next_watch"), why.contender.command(why.causes[0].seed)
    for contender, runs in zip(comparison.contenders, comparison.runs, strict=True):
        failed = runs.seeds[~runs.solved]
        if len(failed):
            return say("compare.next_watch" if causes else "compare.next_why"), contender.command(int(failed[0]))
    return say("compare.next_watch"), comparison.contenders[0].command(int(comparison.runs[0].seeds[0]))


def percent(share: float, digits: int = 1) -> str:
    """A share in percent."""
    return f"{100 * share:.{digits}f} %"


def _percents(interval: Interval) -> str:
    value, low, high = (f"{100 * share:.1f}" for share in interval)
    return f"{value} [{low}, {high}]"


def _numbers(interval: Interval) -> str:
    value, low, high = map(short, interval)
    return f"{value} [{low}, {high}]"


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


__all__ = ["compare_parts", "compare_text", "how_often", "how_well", "legend", "percent", "short", "title", "warnings"]
