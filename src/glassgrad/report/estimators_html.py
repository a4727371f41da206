"""Estimators beside the exact gradient as HTML: the picture and the tables, as one offline page or a piece of one."""

from collections.abc import Sequence
from html import escape

from glassgrad.estimated import Estimates
from glassgrad.locale import language, say
from glassgrad.report.compare_html import PAGE, STYLE
from glassgrad.report.estimators_picture import svg
from glassgrad.report.estimators_text import Cells, about, legend, notes, symbols_legend, tables, what


def estimators_html(found: Estimates) -> str:
    """One self-contained page that makes no request."""
    return PAGE.format(language=language(), title=escape(say("estimators.title")), body=fragment(found))


def fragment(found: Estimates) -> str:
    """The picture and the tables, as a notebook shows them."""
    notices = "".join(f'<p class="gg-warning">{escape(note)}</p>' for note in notes(found))
    shown = "".join(_table(heading, cells) for heading, cells, _ in tables(found))
    each = "".join(
        f"<p><strong>{escape(one.name)}</strong>: {escape(one.claim)}<br>"
        + "".join(f"<code>{escape(formula)}</code><br>" for formula in one.formulas)
        + f"{escape(one.sentence)}</p>"
        for one in what(found)
    )
    return (
        f'<div class="gg-compare"><style>{STYLE}</style><p><strong>{escape(say("estimators.title"))}</strong></p>'
        f"{_list(about(found))}{svg(found)}{notices}{shown}{_list(legend(found))}"
        f"<p><strong>{escape(say('estimators.what'))}</strong></p>{_list(symbols_legend(found))}{each}</div>"
    )


def _list(pairs: Sequence[tuple[str, str]]) -> str:
    lines = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(meaning)}</dd></div>" for name, meaning in pairs)
    return f'<dl class="gg-dim">{lines}</dl>'


def _table(heading: str, cells: Cells) -> str:
    heads = [heading, *cells[0][1:]]
    body = "".join(_line(line, "td") for line in cells[1])
    return f"<table><thead>{_line(heads, 'th')}</thead><tbody>{body}</tbody></table>"


def _line(cells: Sequence[str], tag: str) -> str:
    return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"


__all__ = ["estimators_html", "fragment"]
