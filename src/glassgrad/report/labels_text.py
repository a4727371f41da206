"""Labels against reward in 80 columns: what each kind of feedback needs, what it reaches, and a picture of letters."""

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from glassgrad.locale import Text, language, say
from glassgrad.report.compare_text import short, title, unfinished
from glassgrad.report.labels_and_reward import Entry, LabelsAndReward, asked_outside, ranges
from glassgrad.report.plain import WIDTH, plain_lines

if TYPE_CHECKING:
    from rich.console import RenderableType

NAMES = 20  # columns of the names beside the picture
LEAST = 1e-6  # errors below are drawn here
RIGHT = 0.5  # an answer that is off by less is right


def labels_and_reward_parts(found: LabelsAndReward) -> "Iterator[RenderableType]":
    """What `glassgrad compare labels-and-reward` prints: what each kind needs, what it reaches, and the picture."""
    from rich.text import Text as Styled

    yield Styled(title(found.comparison), style="bold")
    for note in unfinished(found.comparison):
        yield Styled(note, style="yellow")
    for entry in {entry.arrives: entry for entry in found.entries}.values():
        yield ""
        yield Styled(_said(entry.feedback), style="bold cyan")
        yield f"  dL/do = {entry.arrives}"
        yield Styled("  " + say("labels.knows", what=_said(entry.knows)), style="dim")
    yield ""
    yield _table(found)
    yield ""
    yield Styled(table_legend(found), style="dim")
    yield ""
    for line in picture(found):
        yield Styled(line, no_wrap=True, overflow="ignore")
    yield Styled(picture_legend(found), style="dim")


def labels_and_reward_text(found: LabelsAndReward, width: int = WIDTH) -> str:
    """The same as plain text."""
    return "\n".join(plain_lines(labels_and_reward_parts(found), width))


def table_lines(found: LabelsAndReward, width: int = WIDTH) -> list[str]:
    """The table alone, as lines."""
    return plain_lines([_table(found)], width)


def _said(pair: Text) -> str:
    return str(getattr(pair, language()))


def _table(found: LabelsAndReward) -> "RenderableType":
    from rich.table import Table

    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold cyan")
    table.add_column("", overflow="fold", ratio=1)
    for heading in (
        say("labels.rate"),
        *ranges(found),
        *map(say, ("labels.steps", "labels.samples", "labels.seconds")),
    ):
        table.add_column(heading, justify="right", no_wrap=True)
    for entry in found.entries:
        table.add_row(entry.experiment.name, *cells(entry))
    return table


def cells(entry: Entry) -> list[str]:
    """What the table says of one experiment: solved in percent, errors inside and outside, steps, samples, seconds."""
    rate, low, high = (f"{100 * share:.1f}" for share in entry.row.rate)
    return [
        f"{rate} [{low}, {high}]",
        short(entry.inside.value),
        "–" if entry.outside is None else short(entry.outside.value),
        f"{entry.experiment.steps:,}",
        f"{entry.samples:,}",
        short(entry.row.seconds),
    ]


def table_legend(found: LabelsAndReward) -> str:
    """What the columns mean."""
    inside, outside = ranges(found)
    return say("labels.legend", inside=inside, outside=outside, asked=_said(asked_outside(found)))


def picture_legend(found: LabelsAndReward) -> str:
    """What the signs of the picture mean."""
    inside, outside = ranges(found)
    return say("labels.picture", inside=inside, outside=outside)


def picture(found: LabelsAndReward, width: int = WIDTH - 2) -> list[str]:
    """Each experiment's error inside of its training (●) and far outside (○), from left to right by powers of ten."""
    errors = [value for entry in found.entries for value in _errors(entry).values()] + [RIGHT]
    low, high = math.floor(math.log10(min(errors))), math.ceil(math.log10(max(errors)))
    a_power = (width - NAMES - 1) / max(1, high - low)

    def place(value: float) -> int:
        return NAMES + round(a_power * (math.log10(value) - low))

    lines, task = [_ticks(low, high, place)], found.entries[0].task
    for entry in found.entries:
        lines += [""] if entry.task != task else []
        lines.append(_row(entry, place, width))
        task = entry.task
    return lines


def _errors(entry: Entry) -> dict[str, float]:
    """The errors that can be drawn, by their sign."""
    both = {"●": entry.inside, "○": entry.outside}
    return {sign: max(one.value, LEAST) for sign, one in both.items() if one is not None and math.isfinite(one.value)}


def _row(entry: Entry, place: Callable[[float], int], width: int) -> str:
    signs = list(entry.experiment.name[: NAMES - 1].ljust(width))
    places = {sign: place(value) for sign, value in _errors(entry).items()}
    for at in range(min(places.values(), default=0), max(places.values(), default=0)):
        signs[at] = "─"
    signs[place(RIGHT)] = "│" if signs[place(RIGHT)] == " " else "┼"
    for sign, at in places.items():
        signs[at] = sign
    return "".join(signs).rstrip()


def _ticks(low: int, high: int, place: Callable[[float], int]) -> str:
    signs = [" "] * (place(10.0**high) + 8)
    for power in range(low, high + 1):
        name = f"{10.0**power:g}"
        start = place(10.0**power) - (len(name) - 1 if power == high else 0)  # the last one ends with the picture
        signs[start : start + len(name)] = name
    return "".join(signs).rstrip()


__all__ = [
    "cells",
    "labels_and_reward_parts",
    "labels_and_reward_text",
    "picture",
    "picture_legend",
    "table_legend",
    "table_lines",
]
