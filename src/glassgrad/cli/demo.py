"""`glassgrad demo`: the shipped experiments, every number, in the order of a lesson; and the report."""

from pathlib import Path

import typer

from glassgrad.cli.terminal import progress, show, tell, write
from glassgrad.errors import DataError
from glassgrad.locale import say
from glassgrad.report.demo import demo, demo_lines


def run(folder: str) -> None:
    """Train, show, check, write the report; exit status 1 if a check fails."""
    report = Path(folder) / "report.html"
    _check_folder(report)
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


def _check_folder(report: Path) -> None:
    """Find out before the training, not after it, that the report cannot be written.

    Raises:
        DataError: its folder cannot be made or written to.
    """
    try:
        report.parent.mkdir(parents=True, exist_ok=True)
        report.open("a").close()
    except OSError as error:
        raise DataError("cli.cannot_write", file=report, reason=error.strerror or str(error)) from None
