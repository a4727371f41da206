"""`glassgrad watch`: one run, as text, JSON or an offline page."""

import json
import sys
from typing import Any

import typer

from glassgrad.cli.terminal import progress, show, tell, write
from glassgrad.errors import ExperimentError
from glassgrad.locale import say
from glassgrad.report.watch_text import place, watch_lines, watch_text
from glassgrad.watched import Watch
from glassgrad.watched import watch as watched

FORMATS = ("text", "json", "html")


def run(
    name: str,
    *,
    every: int,
    sample: int,
    ask: tuple[str, ...],
    full: bool,
    graph: bool,
    plant: str | None,
    engine: str,
    form: str,
    out: str | None,
    settings: dict[str, Any],
) -> None:
    """Train, show, check; exit status 1 if the check fails."""
    if form not in FORMATS:
        raise ExperimentError("experiment.choice", setting="--format", known=", ".join(FORMATS), came=form)
    with progress(say("cli.training")) as tick:
        found = watched(
            name, every=every, sample=sample, ask=ask, progress=tick, plant=plant, engine=engine, **settings
        )
    for note in found.of.notes if form != "text" else ():
        tell(say("report.warning", text=note))
    if form == "text" and out is None:
        show(watch_lines(found, full=full, graph=graph))
    else:
        write(_formatted(found, form, full, graph), out)
    if not found.check.passed:
        if form != "text" or out is not None:
            tell(
                say(
                    "report.check_failed",
                    where=place(found.check.worst),
                    difference=f"{found.check.largest_difference:.1e}",
                    allowed=f"{found.check.tolerance:g}",
                )
            )
        sys.stdout.flush()
        raise typer.Exit(1)


def _formatted(found: Watch, form: str, full: bool, graph: bool) -> str:
    if form == "json":
        return json.dumps(found.to_json(), ensure_ascii=False, allow_nan=False)
    return found.to_html() if form == "html" else watch_text(found, full=full, graph=graph)
