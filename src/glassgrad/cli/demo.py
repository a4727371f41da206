"""`glassgrad demo`: the shipped experiments, every number, in the order of a lesson; and the report."""

from pathlib import Path

from glassgrad.cli.terminal import progress, show, tell, write
from glassgrad.locale import say
from glassgrad.report.claims import claims
from glassgrad.report.demo import SHOWN, Demo, demo_lines
from glassgrad.report.feedback import feedback
from glassgrad.report.page import page
from glassgrad.watched import watch


def run(folder: str) -> None:
    """Train, show, check, write the report; exit status 1 if a check fails."""
    import typer

    with progress(say("cli.training")) as tick:
        watches = {}
        for i, (label, name, settings) in enumerate(SHOWN):
            tell(say("demo.training", name=name, number=i + 1, count=len(SHOWN)))
            watches[label] = watch(name, progress=tick, **settings)
        tell(say("demo.claims"))
        measured = claims(tick=tick)
    lesson = Demo(watches, feedback(), measured)
    show(demo_lines(lesson))
    report = Path(folder) / "report.html"
    write(page(list(watches.values()), lesson.table, measured), str(report))
    show(
        [
            ("answer", say("demo.report", file=report)),
            ("", say("report.next", command="glassgrad watch sub --seed 7")),
        ]
    )
    if not lesson.passed:
        raise typer.Exit(1)
