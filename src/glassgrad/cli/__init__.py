"""The command line `glassgrad`: `demo`, `watch`, `compare`, `list`, `export`."""

from glassgrad.cli.main import main

__all__ = ["main"]
