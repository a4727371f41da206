"""`glassgrad demo`: the shipped experiments, every number, in the order of a lesson; and the report."""

from pathlib import Path

import typer

from glassgrad.cli.terminal import progress, show, tell, write
from glassgrad.files import try_out
from glassgrad.locale import say
from glassgrad.report.demo import demo, demo_lines


def run(folder: str) -> None:
    """Train, show, check, write the report; exit status 1 if a check fails."""
    report = Path(folder) / "report.html"
    try_out(report)
    with progress(say("cli.training")) as tick:
        lesson = demo(progress=tick, tell=tell)
    show(demo_lines(lesson))
    write(lesson.to_html(), str(report))
    show(
        [
            ("answer", say("demo.report", file=report)),
            ("", say("report.next", command="glassgrad watch sub --seed 7")),
        ]
    )
    if not lesson.passed:
        raise typer.Exit(1)
