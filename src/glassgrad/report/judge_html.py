"""The verdict on a training as HTML: the picture and the text, as one offline page or a piece of one."""

from collections.abc import Iterable, Sequence
from html import escape

from glassgrad.judged import Judgement
from glassgrad.locale import language, say
from glassgrad.report.compare_html import PAGE, STYLE
from glassgrad.report.judge_picture import nothing_to_draw, svg
from glassgrad.report.judge_several_text import asked as places
from glassgrad.report.judge_several_text import others
from glassgrad.report.judge_text import (
    answer,
    asked,
    contradictions,
    formulas,
    joined,
    nine,
    notes,
    points,
    question,
    sentence,
    shares,
    verdict,
)


def judge_html(found: Judgement) -> str:
    """One self-contained page that makes no request."""
    return PAGE.format(language=language(), title=escape(say("judge.title", name=found.name)), body=fragment(found))


def fragment(found: Judgement) -> str:
    """The picture and the text, as a notebook shows them."""
    every = "".join(f"<p><code>{escape(line)}</code></p>" for line in formulas(found))
    pieces = "".join(_piece(found, i) for i in range(len(found.evidence)))
    table = _table(*shares(found)) if found.forecast is not None and shares(found)[1] else ""
    missing = nothing_to_draw(found)
    picture = svg(found) if missing is None else _dim([str(missing)])
    wrong = "".join(f'<p class="gg-warning">{escape(line)}</p>' for line in contradictions(found))
    return (
        f'<div class="gg-compare"><style>{STYLE}</style><p><strong>{escape(say("judge.title", name=found.name))}'
        f"</strong></p><p>{escape(joined(verdict(found)))}</p>{every}{picture}"
        f"<p><strong>{escape(say('judge.evidence'))}</strong></p>{_dim([asked(found), *places(found)])}{pieces}"
        f"{_lines(others(found))}"
        f"<p><strong>{escape(say('judge.becomes'))}</strong></p>{_lines(points(found))}{table}{wrong}"
        f"{_dim(notes(found))}</div>"
    )


def _piece(found: Judgement, i: int) -> str:
    piece = found.evidence[i]
    table = nine(found) if piece.letter == "d" else []
    asks = f"{escape(question(found, piece))} <strong>{escape(answer(piece))}</strong>"
    return (
        f"<p><strong>({piece.letter})</strong> {asks}<br>"
        f"{escape(sentence(found, piece))}</p>{_table(table[0], table[1:]) if table else ''}"
    )


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"<p>{escape(line)}</p>" for line in lines)


def _dim(lines: Iterable[str]) -> str:
    return "".join(f'<p class="gg-dim">{escape(line)}</p>' for line in lines)


def _table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    body = "".join(_line(line, "td") for line in lines)
    return f"<table><thead>{_line(heads, 'th')}</thead><tbody>{body}</tbody></table>"


def _line(cells: Sequence[str], tag: str) -> str:
    return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"


__all__ = ["fragment", "judge_html"]
