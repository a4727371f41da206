"""A comparison as HTML: the pictures as SVG and the tables, as one offline page or as a piece of one."""

from collections.abc import Sequence
from html import escape

from glassgrad.comparison import Comparison
from glassgrad.locale import language
from glassgrad.plots import svg
from glassgrad.report.compare_text import Cells, how_often, how_well, legend, title, warnings, why_cells
from glassgrad.why import Why

STYLE = """
.gg-compare{font:15px/1.5 ui-sans-serif,system-ui,"Segoe UI","Noto Sans","PingFang SC","Microsoft YaHei",sans-serif;
max-width:62rem;overflow-x:auto}
.gg-compare svg{width:100%;height:auto;display:block}
.gg-compare table{border-collapse:collapse;margin:1rem 0;font-variant-numeric:tabular-nums}
.gg-compare th,.gg-compare td{text-align:right;padding:.25rem .9rem .25rem 0;white-space:nowrap;
border-bottom:1px solid light-dark(#dcd8ce,#3a4047)}
.gg-compare th:first-child,.gg-compare td:first-child{text-align:left;white-space:normal}
.gg-compare th{font-weight:600;color:light-dark(#5d6570,#a9afb7)}
.gg-compare .gg-dim{color:light-dark(#5d6570,#a9afb7);font-size:13px}
.gg-compare dl div{display:flex;gap:1rem}.gg-compare dt{flex:0 0 9rem}.gg-compare dd{margin:0}
.gg-compare .gg-warning{border-left:3px solid light-dark(#b8560f,#f0a05c);padding-left:.7rem}
"""

PAGE = """<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Glassgrad: {title}</title>
<link rel="icon" href="data:,">
<style>:root{{color-scheme:light dark}}body{{margin:2rem auto;max-width:62rem;padding:0 1rem;
background:light-dark(#fffffe,#16191d);color:light-dark(#23272c,#e8e5de)}}</style>
</head>
<body>
{body}
</body>
</html>
"""


def compare_html(comparison: Comparison, causes: Sequence[Why] = ()) -> str:
    """One self-contained page that makes no request."""
    names = escape(", ".join(comparison.names))
    return PAGE.format(language=language(), title=names, body=fragment(comparison, causes))


def fragment(comparison: Comparison, causes: Sequence[Why] = ()) -> str:
    """The pictures and the tables, as a notebook shows them."""
    notes = "".join(f'<p class="gg-warning">{escape(warning)}</p>' for warning in warnings(comparison))
    pairs = legend(comparison)
    meanings = "".join(f"<div><dt>{escape(heading)}</dt><dd>{escape(meaning)}</dd></div>" for heading, meaning in pairs)
    return (
        f'<div class="gg-compare"><style>{STYLE}</style><p><strong>{escape(title(comparison))}</strong></p>'
        f"{_table(how_often(comparison))}{notes}{svg(comparison)}{_table(how_well(comparison))}"
        f"{''.join(map(_why, causes))}"
        f'<dl class="gg-dim">{meanings}</dl></div>'
    )


def _why(why: Why) -> str:
    """The failing runs of one experiment by their cause."""
    head, lines, notes = why_cells(why)
    rows = "".join(_line(line, "td") for line in lines)
    said = "".join(f'<p class="gg-dim">{escape(note)}</p>' for note in notes)
    return f"<p><strong>{escape(head)}</strong></p><table><tbody>{rows}</tbody></table>{said}"


def _table(cells: Cells) -> str:
    body = "".join(_line(line, "td") for line in cells[1])
    return f"<table><thead>{_line(cells[0], 'th')}</thead><tbody>{body}</tbody></table>"


def _line(cells: Sequence[str], tag: str) -> str:
    return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"


__all__ = ["compare_html", "fragment"]
