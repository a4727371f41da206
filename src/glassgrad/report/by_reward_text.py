"""Learning by reward in 80 columns: lines with a style, as the demo prints them."""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len

from glassgrad.equations import plain_number
from glassgrad.locale import Text, language, say
from glassgrad.report import by_reward as parts
from glassgrad.report import by_reward_tools as measured
from glassgrad.report.by_reward import EXPERIMENT, STEP, STEPPED, ByReward, Told
from glassgrad.report.estimators_text import four, three
from glassgrad.report.labels_and_reward import LabelsAndReward
from glassgrad.report.plain import WIDTH, plain_lines
from glassgrad.rl.estimate import Column

if TYPE_CHECKING:
    pass

Line = tuple[str, str]  # style, text
PIECE = re.compile(r"(?:[“（]*(?:[\u4e00-\u9fff]|[^\s\u3000-\uffef“”]+)|[“（])[，。；：、）”？]*\s*")
"""What stays on one line: a word, or one Chinese character, with the marks around it."""


def by_reward_lines(found: ByReward, labels: LabelsAndReward) -> Iterator[Line]:
    """The whole part: who sees what, one step, the estimators, the verdicts, which tool when."""
    yield from paragraph(say("view.reward-lead"))
    yield "", ""
    yield from _seen(found)
    yield "", ""
    yield from _step(found)
    yield "", ""
    yield from _estimators(found)
    yield "", ""
    yield from _verdicts(found)
    yield "", ""
    yield from _tools(found, labels)


def paragraph(said: str, style: str = "", indent: int = 0) -> Iterator[Line]:
    """A text in lines of at most 80 columns; Chinese breaks between any two characters, but not before a mark."""
    line = " " * indent
    for piece in PIECE.findall(said):
        if cell_len(line) + cell_len(piece.rstrip()) > WIDTH:
            yield style, line.rstrip()
            line = " " * indent
        line += piece
    yield style, line.rstrip()


def _said(pair: Text) -> str:
    return str(getattr(pair, language()))


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], right: bool = False) -> Iterator[Line]:
    """A table, its first line as a heading; right: numbers, set to the right."""
    from rich.table import Table
    from rich.text import Text as Styled

    table = Table(box=None, padding=(0, 2, 0, 0) if not right else (0, 1, 0, 0), pad_edge=False)
    for i, head in enumerate(heads):
        table.add_column(Styled(head), justify="right" if right and i else "left", no_wrap=True)
    for row in rows:
        table.add_row(*map(Styled, row))
    for i, line in enumerate(plain_lines([table])):
        yield "" if i else "step", line


def _seen(found: ByReward) -> Iterator[Line]:
    heads = [say(f"by_reward.column_{key}") for key in ("term", "plain", "here", "sees")]
    yield from _table(
        heads, [[_said(one) for one in (row.term, row.plain, row.here, row.sees)] for row in parts.seen(found)]
    )


def _step(found: ByReward) -> Iterator[Line]:
    seed = found.run.experiment.seed
    yield "step", say("view.reward-step")
    yield from paragraph(say("demo.by_reward_step", name=EXPERIMENT, step=STEP, seed=seed), "dim")
    for one in parts.told(found):
        yield "dim", f"  {_said(one.words)}"
        yield from (("", f"    {line}") for line in told_lines(one))
    yield from paragraph(_said(parts.moves(found)))
    yield from paragraph(_said(parts.ways(found)))


def told_lines(one: Told, width: int = WIDTH - 4) -> list[str]:
    """A number with its formula: in one line, or where that is too long the formula and below it the numbers."""
    forms = [form for form in (one.name, one.symbolic, one.substituted, plain_number(one.value)) if form]
    whole = " = ".join(forms)
    if cell_len(whole) <= width:
        return [whole]
    return [" = ".join(forms[:-2]), "= " + " = ".join(forms[-2:])]


def _estimators(found: ByReward) -> Iterator[Line]:
    yield "step", say("view.reward-estimators")
    yield from paragraph(_said(measured.about(found)))
    smooth, stepped = found.smooth, found.stepped
    heads = ["dJ/dmu", say("by_reward.smooth"), say("by_reward.variance"), "", say("by_reward.stepped"), ""]
    exact = [say("by_reward.exact"), four(smooth.exact[0]), "", "", four(stepped.exact[0]), ""]
    rows = [
        [one.name, _mean(one.smooth), three(one.smooth.variance), first, _mean(one.stepped), second]
        for one in measured.estimated(found)
        for first, second in [map(_said, one.judged)]
    ]
    yield from _table(heads, [exact, *rows], right=True)
    yield from paragraph(_said(measured.reading(found)))
    command = f"glassgrad estimators --reward '{STEPPED}'"
    yield "dim", say("demo.by_reward_estimators", count=len(found.stepped.estimates), command=command)


def _mean(column: Column) -> str:
    return f"{four(column.mean)} ± {four(column.standard_error)}"


def _verdicts(found: ByReward) -> Iterator[Line]:
    yield "step", say("view.reward-verdicts")
    yield from paragraph(_said(measured.asked(found)), "dim")
    for one in measured.verdicts(found):
        style = "bad" if one.verdict == "neither" else "good"
        yield style, f"  {say('demo.by_reward_verdict', name=one.name, verdict=_said(one.learns))}"
        yield "", f"    {_said(one.climbs)}"
        yield "", f"    {_said(one.evidence)}"


def _tools(found: ByReward, labels: LabelsAndReward) -> Iterator[Line]:
    yield "step", say("view.reward-tools")
    for tool in measured.tools(found, labels):
        yield "answer", f"  {_said(tool.have)}  →  {_said(tool.use)}"
        yield from paragraph(_said(tool.why), indent=4)
    yield from paragraph(_said(measured.settings(labels)), "dim")


__all__ = ["by_reward_lines", "paragraph", "told_lines"]
