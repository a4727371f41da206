"""`glassgrad judge`: what a training learns from, which objective it climbs, what becomes of it: text, JSON, a page."""

import json
from collections.abc import Sequence
from typing import Any

import typer

from glassgrad.cli.terminal import check_file, parts, progress, tell, write
from glassgrad.doors import from_keywords
from glassgrad.errors import ExperimentError
from glassgrad.judged import Judgement
from glassgrad.judged import judge as judged
from glassgrad.locale import say
from glassgrad.plots import ENDINGS
from glassgrad.report.judge_picture import refuse
from glassgrad.report.judge_text import judge_parts

FORMATS = ("text", "json", "html")


def run(
    name: str, *, runs: int | None, form: str, plot: Sequence[str], out: str | None, settings: dict[str, Any]
) -> None:
    """Judge, show; exit status 1 if the runs contradict a prediction."""
    if form not in FORMATS:
        raise ExperimentError("experiment.choice", setting="--format", known=", ".join(FORMATS), came=form)
    for file in plot:
        check_file("--plot", file, ENDINGS)
    if plot:
        refuse(from_keywords(name, **settings))
    with progress(say("judge.training")) as tick:
        found = judged(name, runs=runs, progress=tick, **settings)
    if form == "text" and out is None:
        parts(found.to_text, judge_parts(found))
    else:
        write(_formatted(found, form), out)
    for file in plot:
        found.plot(file)
        tell(say("cli.written", file=file))
    if not found.held:
        raise typer.Exit(1)


def _formatted(found: Judgement, form: str) -> str:
    if form == "json":
        return json.dumps(found.to_json(), ensure_ascii=False, allow_nan=False)
    return found.to_html() if form == "html" else found.to_text()
