"""The terminal: styled lines, progress on standard error, JSON alone on standard output."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from glassgrad.errors import DataError
from glassgrad.files import try_out, writing
from glassgrad.locale import say

if TYPE_CHECKING:
    from rich.console import RenderableType

    from glassgrad.watched import Progress

STYLES = {
    "title": "bold",
    "heading": "bold cyan",
    "step": "bold",
    "dim": "dim",
    "answer": "bold",
    "good": "green",
    "bad": "bold red",
    "warning": "yellow",
    "": "",
}


def utf8() -> None:
    """Chinese and signs such as … on a console whose code page lacks them: replaced rather than a crash."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            encoding = "utf-8" if not stream.isatty() or sys.platform == "win32" else stream.encoding
            reconfigure(encoding=encoding, errors="replace")


def show(lines: Iterable[tuple[str, str]]) -> None:
    """Print lines as they come, each in its style on a terminal, plain elsewhere."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
    for style, line in lines:
        if console.is_terminal:
            console.print(Text(line, style=STYLES[style]))
        else:
            print(line)


def parts(plain: Callable[[], str], styled: "Iterable[RenderableType]") -> None:
    """Tables and texts: styled and as wide as the terminal; plain and 80 columns wide elsewhere."""
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        sys.stdout.write(plain() + "\n")
        return
    console.width = max(console.width, 80)
    for part in styled:
        console.print(part)


def tell(message: str) -> None:
    """A message for the person, on standard error."""
    print(message, file=sys.stderr)


def write(text: str, out: str | None) -> None:
    """Text to a file, or to standard output.

    Raises:
        DataError: the file cannot be written.
    """
    if out is None or out == "-":
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        return
    with writing(out) as path:
        path.write_text(text, encoding="utf-8", newline="\n")
    tell(say("cli.written", file=out))


def check_file(option: str, file: str, endings: tuple[str, ...]) -> None:
    """Refuse a file that cannot be written, before anything is trained for it.

    Raises:
        DataError: its ending is none of these, or it cannot be written.
    """
    if not file.lower().endswith(endings):
        raise DataError("compare.ending", file=file, option=option, known=", ".join(endings))
    try_out(file)


@contextmanager
def progress(title: str, left: bool = True) -> "Iterator[Progress]":
    """A bar on standard error, once something takes more than a moment.

    left: with the time left, which needs steps that all take as long; else with the time gone.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda step, steps: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[done]}"),
        TimeRemainingColumn() if left else TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=None, done="")
        yield lambda step, steps: bar.update(task, completed=step, total=steps, done=f"{step:,}/{steps:,}")
