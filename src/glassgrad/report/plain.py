"""What rich draws, as plain text."""

import io
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType

WIDTH = 80


def plain_lines(parts: "Iterable[RenderableType]", width: int = WIDTH) -> list[str]:
    """Lines without styles; a text that must not be wrapped, as a command, stays one line.

    Example:
        >>> plain_lines(["one two three"], width=8)
        ['one two', 'three']
    """
    from rich.console import Console

    stream = io.StringIO()
    console = Console(file=stream, width=width, highlight=False, color_system=None)
    for part in parts:
        console.print(part, soft_wrap=bool(getattr(part, "no_wrap", False)))
    return [line.rstrip() for line in stream.getvalue().splitlines()]
