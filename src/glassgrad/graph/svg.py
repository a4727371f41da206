"""The graph as a drawing: one SVG, complete in itself, right in light and dark, inside of a page and alone.

Values run down in one colour, derivatives come back up in another. Where a derivative is cut there is a cross with
its reason, and the way that is lost is dotted.
"""

from collections.abc import Iterator, Mapping
from xml.sax.saxutils import escape, quoteattr

from glassgrad.graph.boxes import PAD_X, PAD_Y, Row, estimate, full, rows, size
from glassgrad.graph.layout import STRIP, Box, Layout, Way, layout
from glassgrad.graph.meaning import meaning
from glassgrad.graph.model import Edge, Graph, Node
from glassgrad.graph.style import SANS, SENTENCE, SMALL, style_sheet
from glassgrad.graph.words import wrapped
from glassgrad.locale import Language, text

APART = 3.5  # half the distance between a value's line and its derivative's
TIP = 7.0
MARGIN = 16.0


def graph_svg(graph: Graph, language: Language, values: Mapping[str, float] | None = None) -> str:
    """The graph as SVG.

    values: one sample's numbers by name (see `chosen`), to be shown beneath the formulas.

    Example:
        >>> from glassgrad.graph.build import graph
        >>> from glassgrad.tables.experiments import shipped
        >>> graph_svg(graph(shipped("knob")), "en")[:27]
        '<svg class="gg-graph" xmlns'
    """
    content = {node.name: rows(node, language, values) for node in graph.nodes}
    found = placed(graph, content, language)
    below, width, height = _below(graph, language, found)
    title = getattr(text("graph.title"), language)
    said = getattr(meaning(graph), language)
    parts = [
        f'<svg class="gg-graph" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_n(width)} {_n(height)}" '
        f'width="{_n(width)}" height="{_n(height)}" role="img" lang="{language}" '
        f"aria-label={quoteattr(f'{title}: {said}')}>",
        f"<style>{style_sheet()}</style>",
        f'<g transform="translate({_n((width - found.width) / 2)} 0)">',
        *_lines(graph, found, language),
        *(_box(graph.node(box.name), box, content[box.name]) for box in found.boxes),
        "</g>",
        *below,
        "</svg>",
    ]
    return "\n".join(parts)


def placed(graph: Graph, content: Mapping[str, list[Row]], language: Language) -> Layout:
    """Where everything stands."""
    marks = {(e.source, e.target): _mark_width(e, language) for e in graph.edges if e.cut}
    sizes = {name: size(found) for name, found in content.items()}
    spine = {node.name for node in graph.nodes if node.kind in ("layer", "line") or node.role == "inputs"}
    edges = [(edge.source, edge.target) for edge in graph.edges]
    return layout(sizes, edges, marks, [edge for edge in edges if edge[0] in spine])


def _mark(edge: Edge, language: Language) -> str:
    return str(getattr(text(f"graph.why.{edge.why}"), language))


def _mark_width(edge: Edge, language: Language) -> float:
    return estimate(_mark(edge, language), SMALL, SANS + 0.05) + 4  # bold


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _lines(graph: Graph, found: Layout, language: Language) -> Iterator[str]:
    """All ways, the derivatives above the values."""
    edges = {(edge.source, edge.target): edge for edge in graph.edges}
    served = [(way, [edges[pair] for pair in way.edges]) for way in found.ways]
    for way, own in served:
        paired = any(edge.travels or edge.cut for edge in own)
        yield _path("gg-fore", way, -APART if paired else 0.0)
        if way.last:
            yield _tip("gg-fore-tip", way.x1 - (APART if paired else 0.0), way.y3, 1)
    for way, own in served:
        if any(edge.travels for edge in own):
            yield _path("gg-back", way, APART)
            if way.first:
                yield _tip("gg-back-tip", way.x0 + APART, way.y0, -1)
        elif any(edge.cut for edge in own):
            yield _path("gg-lost", way, APART)
        if way.last and own[0].cut:
            yield _cross(way, _mark(own[0], language))


def _path(style: str, way: Way, beside: float) -> str:
    """Straight down, over to the other side, straight down; two lines side by side stay so in the turn."""
    x0, x1 = way.x0 + beside, way.x1 + beside
    if abs(x0 - x1) < 0.05:
        return f'<path class="{style}" d="M{_n(x0)} {_n(way.y0)}V{_n(way.y3)}"/>'
    middle = (way.y1 + way.y2) / 2 + way.bend + min(1.0, abs(x1 - x0) / 60) * beside * (-1.4 if x1 > x0 else 1.4)
    turn = f"C{_n(x0)} {_n(middle)} {_n(x1)} {_n(middle)} {_n(x1)} {_n(way.y2)}"
    return f'<path class="{style}" d="M{_n(x0)} {_n(way.y0)}V{_n(way.y1)}{turn}V{_n(way.y3)}"/>'


def _tip(style: str, x: float, y: float, down: int) -> str:
    """An arrow's tip: at (x, y), pointing down or up."""
    back = y - down * TIP
    return f'<path class="{style}" d="M{_n(x)} {_n(y)}L{_n(x - 3.6)} {_n(back)}L{_n(x + 3.6)} {_n(back)}Z"/>'


def _cross(way: Way, reason: str) -> str:
    """The cut, with its reason at its right."""
    x, y = way.x1 + APART, way.y3 - STRIP * 0.55
    cross = f"M{_n(x - 5)} {_n(y - 5)}l10 10M{_n(x + 5)} {_n(y - 5)}l-10 10"
    label = f'<text class="gg-mark" x="{_n(x + 10)}" y="{_n(y + 4)}">{escape(reason)}</text>'
    return f'<path class="gg-cross" d="{cross}"/>{label}'


def _box(node: Node, box: Box, content: list[Row]) -> str:
    """One box with its rows of text."""
    style = "gg-box gg-" + ("hangs" if node.hangs else node.kind)
    radius = 14 if node.kind == "input" else 6
    parts = [
        f"<g><title>{escape(full(node))}</title>",
        f'<rect class="{style}" x="{_n(box.x)}" y="{_n(box.y)}" '
        f'width="{_n(box.width)}" height="{_n(box.height)}" rx="{radius}"/>',
    ]
    y = box.y + PAD_Y
    left = box.x + PAD_X
    for row in content:
        parts.append(f'<text class="gg-{row.style}" x="{_n(left)}" y="{_n(y + row.size)}">{_inner(row)}</text>')
        y += row.height
    return "".join([*parts, "</g>"])


def _inner(row: Row) -> str:
    """A row's text, its name and its value set off."""
    end = len(row.text) - row.value
    name, formula, value = (escape(part) for part in (row.text[: row.name], row.text[row.name : end], row.text[end:]))
    return (
        (f'<tspan class="gg-name">{name}</tspan>' if name else "")
        + formula
        + (f'<tspan class="gg-known">{value}</tspan>' if value else "")
    )


def _below(graph: Graph, language: Language, found: Layout) -> tuple[list[str], float, float]:
    """The legend and the sentence beneath the drawing, and the size of the whole."""
    width = max(found.width, 660.0)
    parts, x, y = [], MARGIN, found.height + 14
    for sample, words in _legend(graph, language):
        room = 34 + estimate(words, SMALL, SANS)
        if x > MARGIN and x + room > width - MARGIN:
            x, y = MARGIN, y + 22
        said = f'<text class="gg-legend" x="34" y="4">{escape(words)}</text>'
        parts.append(f'<g transform="translate({_n(x)} {_n(y)})">{sample}{said}</g>')
        x += room + 22
    signs = int((width - 2 * MARGIN) / (SENTENCE * 0.53))
    for row in wrapped(getattr(meaning(graph), language), signs):
        y += 22
        parts.append(f'<text class="gg-sentence" x="{_n(MARGIN)}" y="{_n(y + 8)}">{escape(row)}</text>')
    return parts, width, y + 26


def _legend(graph: Graph, language: Language) -> Iterator[tuple[str, str]]:
    """Samples of the lines and boxes that occur, with what they mean."""

    def words(key: str) -> str:
        return str(getattr(text(f"graph.legend.{key}"), language))

    yield f'<path class="gg-fore" d="M0 0H20"/>{_side_tip("gg-fore-tip", 27, 1)}', words("forward")
    if any(edge.travels for edge in graph.edges):
        yield f'<path class="gg-back" d="M7 0H27"/>{_side_tip("gg-back-tip", 0, -1)}', words("back")
    if any(edge.cut for edge in graph.edges):
        yield (
            '<path class="gg-lost" d="M0 0H27"/><path class="gg-cross" d="M9 -5l10 10M19 -5l-10 10"/>',
            words("cut"),
        )
    if any(node.hangs for node in graph.nodes):
        yield '<rect class="gg-box gg-hangs" x="1" y="-7" width="25" height="14" rx="4"/>', words("hangs")
    yield '<rect class="gg-box gg-parameter" x="1" y="-7" width="25" height="14" rx="4"/>', words("learned")


def _side_tip(style: str, x: float, right: int) -> str:
    return f'<path class="{style}" d="M{_n(x)} 0L{_n(x - right * TIP)} -3.6L{_n(x - right * TIP)} 3.6Z"/>'
