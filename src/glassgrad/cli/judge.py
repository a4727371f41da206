"""`glassgrad judge`: what a training learns from, which objective it climbs, what becomes of it: text, JSON, a page."""

import json
from pathlib import Path
from typing import Any

import typer

from glassgrad.cli.terminal import parts, progress, tell, write
from glassgrad.errors import DataError, ExperimentError
from glassgrad.judged import Judgement
from glassgrad.judged import judge as judged
from glassgrad.locale import say
from glassgrad.report.judge_picture import ENDINGS
from glassgrad.report.judge_text import judge_parts

FORMATS = ("text", "json", "html")


def run(name: str, *, runs: int | None, form: str, plot: str | None, out: str | None, settings: dict[str, Any]) -> None:
    """Judge, show; exit status 1 if the runs contradict a prediction."""
    if form not in FORMATS:
        raise ExperimentError("experiment.choice", setting="--format", known=", ".join(FORMATS), came=form)
    if plot is not None:
        _check(plot)
    with progress(say("judge.training")) as tick:
        found = judged(name, runs=runs, progress=tick, **settings)
    if form == "text" and out is None:
        parts(found.to_text, judge_parts(found))
    else:
        write(_formatted(found, form), out)
    if plot is not None:
        found.plot(plot)
        tell(say("cli.written", file=plot))
    if not found.held:
        raise typer.Exit(1)


def _formatted(found: Judgement, form: str) -> str:
    if form == "json":
        return json.dumps(found.to_json(), ensure_ascii=False, allow_nan=False)
    return found.to_html() if form == "html" else found.to_text()


def _check(file: str) -> None:
    if not file.lower().endswith(ENDINGS):
        raise DataError("compare.ending", file=file, option="--plot", known=", ".join(ENDINGS))
    try:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError("cli.cannot_write", file=file, reason=error.strerror or str(error)) from None
