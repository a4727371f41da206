"""The settings of an experiment as options of the command line: one row each, used by every command that takes them."""

import inspect
import re
import unicodedata
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

import typer

from glassgrad.errors import ExperimentError
from glassgrad.locale import say, text


class Setting(NamedTuple):
    """An option and the field of an experiment that it sets."""

    flag: str
    field: str
    type: type
    metavar: str = ""


SETTINGS = (
    Setting("--seed", "seed", int),
    Setting("--steps", "steps", int),
    Setting("--samples", "samples", int),
    Setting("--batch", "batch", int),
    Setting("--fresh/--no-fresh", "fresh", bool),
    Setting("--group", "group", int),
    Setting("--passes", "passes", int),
    Setting("--network", "network", str, "2-5-1"),
    Setting("--apart/--no-apart", "apart", bool),
    Setting("--activation", "activation", str, "NAME|FORMULA"),
    Setting("--output-activation", "output_activation", str, "NAME|FORMULA"),
    Setting("--init", "init", str, "NAME|VALUES"),
    Setting("--task", "task", str, "NAME"),
    Setting("--truth", "truth", str, "FORMULA"),
    Setting("--data", "data", str, "FILE.csv"),
    Setting("--held-out", "held_out", float),
    Setting("--policy", "policy", str, "NAME|LINES"),
    Setting("--reward", "reward", str, "NAME|FORMULA"),
    Setting("--objective", "objective", str, "NAME|LINES"),
    Setting("--regulariser", "regulariser", str, "NAME|FORMULA"),
    Setting("--dropout", "dropout", float),
    Setting("--clip", "clip", float),
    Setting("--optimizer", "optimizer", str, "NAME|LINES"),
    Setting("--schedule", "schedule", str, "NAME|FORMULA"),
    Setting("--precision", "precision", str, "single|double"),
)


_NUMBERS = {int: ("integer", "{:.0f}", "100"), float: ("number", "{:g}", "0.1")}
"""For options that are numbers: what is expected, how a number is written, and one that often will do."""


def reader(option: str, kind: Any) -> Callable[[Any], Any] | None:
    """What reads an option that is a number, and refuses what is none in our own words; None for other options."""
    if kind not in _NUMBERS:
        return None
    expected, form, usual = _NUMBERS[kind]

    def read(written: Any) -> Any:
        try:
            return kind(written)
        except ValueError:
            meant = re.sub(r"(?<=\d)[,_ ](?=\d{3})", "", written)  # 1,000 is meant for 1000, as is 1e3
            fix = form.format(float(meant)) if re.fullmatch(r"[+-]?\d{1,9}(\.0*)?(e\d)?", meant) else usual
            came, names = written[:40], text(f"doors.{expected}")
            raise ExperimentError("cli.number", option=option, expected=names, came=came, example=fix) from None

    return read


def narrow(text: str, cells: int = 40) -> str:
    """A help text broken into lines of at most so many cells, if it is Chinese: typer counts characters, not cells."""
    lines, room, wide = [""], cells, 0
    for piece in re.findall(r"[!-~]+|.", text):
        width = sum(1 + (unicodedata.east_asian_width(sign) in "WF") for sign in piece)
        wide += width > len(piece)
        if width > room and piece not in "，。：；、）":
            lines.append("")
            room = cells
        lines[-1] += piece
        room -= width
    return "\b\n" + "\n".join(map(str.strip, lines)) if wide and len(lines) > 1 else text


def with_settings(command: Callable[..., None], without: tuple[str, ...] = ()) -> Callable[..., None]:
    """Give a command all settings as options (but some); it receives those that were given as `settings`."""
    rows = tuple(row for row in SETTINGS if row.field not in without)

    def run(**values: Any) -> None:
        settings = {row.field: values.pop(row.field) for row in rows}
        command(**values, settings={name: value for name, value in settings.items() if value is not None})

    own = [p for p in inspect.signature(command).parameters.values() if p.name != "settings"]
    added = [
        inspect.Parameter(
            row.field,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[
                row.type | None,
                typer.Option(
                    row.flag,
                    metavar=row.metavar or None,
                    help=narrow(say(f"option.{row.field}")),
                    show_default=False,
                    parser=reader(row.flag, row.type),
                ),
            ],
        )
        for row in rows
    ]
    run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own] + added
    )
    run.__annotations__ = {p.name: p.annotation for p in [*own, *added]}
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    return run
