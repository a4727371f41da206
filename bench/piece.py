"""A measurement that wants a process of its own: `python -m bench piece NAME …` prints its result as JSON."""

import json
import subprocess
import sys
from importlib import import_module
from typing import Any

# by name: the file of `bench`, its function, and how its arguments are read
PIECES: dict[str, tuple[str, tuple[type, ...]]] = {
    "peak": ("measure", (float,)),
    "a2c": ("measure", (int, int)),
    "reinforce": ("measure", (int,)),
    "shipped": ("one", (str,)),
    "growth": ("point", (str, int)),
}


class Failed(Exception):
    """The process ended without a result; the message says why."""


def piece(name: str, *arguments: object) -> dict[str, Any]:
    """Measure a piece in a new process.

    Raises:
        Failed: it did not come to its end.
    """
    command = [sys.executable, "-m", "bench", "piece", name, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = done.stderr.strip().splitlines()
        raise Failed(last[-1] if last else f"it ended with {done.returncode}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def run(name: str, arguments: list[str]) -> str:
    """Measure a piece in this process; its result as a line of JSON.

    Raises:
        KeyError: there is no such piece.
    """
    function, types = PIECES[name]
    read = [kind(argument) for kind, argument in zip(types, arguments, strict=True)]
    return json.dumps(getattr(import_module(f"bench.{name}"), function)(*read))
