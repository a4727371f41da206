"""Slips in 80 columns: each with what is wrong, how often it is solved right and wrong, and what gives it away."""

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

from glassgrad.experiment import Experiment
from glassgrad.locale import Text, language, say
from glassgrad.report.compare_text import title, unfinished
from glassgrad.report.plain import WIDTH, plain_lines
from glassgrad.report.shelf import said
from glassgrad.report.slips import Entry, Side, Slips
from glassgrad.statistics import Interval
from glassgrad.tables.experiments import shipped

if TYPE_CHECKING:
    from rich.console import RenderableType

LEAST = 0.001  # p-values below are not told apart


def slips_text(found: Slips, width: int = WIDTH) -> str:
    """All of it as plain text."""
    return "\n".join(plain_lines(slips_parts(found), width))


def slips_parts(found: Slips) -> "Iterator[RenderableType]":
    """What `glassgrad compare slips` prints, piece by piece."""
    from rich.padding import Padding
    from rich.text import Text as Styled

    yield Styled(title(found.comparison), style="bold")
    for note in unfinished(found.comparison):
        yield Styled(note, style="yellow")
    yield ""
    yield _table(found)
    yield ""
    yield Styled(say("slips.legend"), style="dim")
    for entry in found.entries:
        yield ""
        yield Styled(entry.slip.name, style="bold cyan")
        yield Padding(_in(entry.slip.reading), (0, 0, 0, 2))
        yield Padding(say("slips.found", said=_in(entry.said)), (0, 0, 0, 2))
        yield Padding(Styled(say("slips.shows", where=_in(entry.slip.shows)), style="dim"), (0, 0, 0, 2))
    if found.elsewhere:
        yield ""
        yield Styled(say("slips.elsewhere"), style="bold")
    for row in found.elsewhere:
        yield ""
        yield Styled(row.name, style="bold cyan")
        yield Padding(_in(row.reading), (0, 0, 0, 2))
        yield Padding(say("slips.found", said=row.test), (0, 0, 0, 2))
        yield Padding(Styled(say("slips.shows", where=_in(row.shows)), style="dim"), (0, 0, 0, 2))
    if len(found.entries) == 1:
        yield from _commands(found.entries[0])


def _in(pair: Text) -> str:
    return str(getattr(pair, language()))


def _table(found: Slips) -> "RenderableType":
    from rich.table import Table

    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold cyan")
    table.add_column(say("slips.slip"), no_wrap=True)
    for heading in map(say, ("slips.right", "slips.wrong", "slips.difference", "slips.p")):
        table.add_column(heading, justify="right", no_wrap=True)
    for entry in found.entries:
        table.add_row(entry.slip.name.removeprefix("slip-"), *cells(entry))
    return table


def cells(entry: Entry) -> list[str]:
    """Solved right and wrong in percent, the difference in points, and p."""
    p = f"<{LEAST}" if entry.p_value < LEAST else f"{entry.p_value:.2g}"
    return [_percents(entry.right.rate), _percents(entry.wrong.rate), f"{100 * entry.difference:+.1f}", p]


def _percents(rate: Interval) -> str:
    return "{:.1f} [{:.1f}, {:.1f}]".format(*(100 * share for share in rate))


def _commands(entry: Entry) -> "Iterator[RenderableType]":
    """How to look at each of the two."""
    from rich.text import Text as Styled

    yield ""
    yield Styled(say("slips.commands"), style="dim")
    for side in (entry.right, entry.wrong):
        yield Styled(f"  {_command(entry, side)}", no_wrap=True, overflow="ignore")


def _command(entry: Entry, side: Side) -> str:
    if side is entry.wrong:
        return f"glassgrad watch {entry.slip.name}"
    base, of = shipped(entry.slip.base), side.experiment
    changed = [name for name in {**entry.slip.both, **entry.slip.right} if getattr(base, name) != getattr(of, name)]
    return " ".join(["glassgrad watch", base.name, *(_option(of, name) for name in changed)])


def _option(of: Experiment, name: str) -> str:
    value = getattr(of, name)
    return f"--{name}" if value is True else f"--{name} {shlex.quote(said(value))}"


__all__ = ["cells", "slips_parts", "slips_text"]
