"""`glassgrad list`: what ships, each with its formula."""

import json

from glassgrad.cli.terminal import show, write
from glassgrad.errors import ExperimentError
from glassgrad.report.shelf import shelf_json, shelf_lines


def run(kind: str | None, form: str) -> None:
    """Print one kind, or all."""
    if form not in ("text", "json"):
        raise ExperimentError("experiment.choice", setting="--format", known="text, json", came=form)
    if form == "json":
        write(json.dumps(shelf_json(kind), ensure_ascii=False), None)
    else:
        show(list(shelf_lines(kind)))
