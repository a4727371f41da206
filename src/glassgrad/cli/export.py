"""`glassgrad export`: an experiment to take along."""

from typing import Any

from glassgrad.cli.terminal import write
from glassgrad.exports import export


def run(name: str, to: str, out: str | None, settings: dict[str, Any]) -> None:
    """Write it to a file, or to standard output."""
    write(export(name, to, **settings), out)
