"""The command line `glassgrad`: `demo`, `watch`, `list`, `export`."""

from glassgrad.cli.main import main

__all__ = ["main"]
