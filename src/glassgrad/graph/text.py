"""The graph as plain text: a box for each formula, and at its left what it reads, with the derivatives' way back.

     x            ──►│
    W1  ◄──       ──►│   a derivative comes back to W1
reward  ─╳─ stop  ──►│   here it is cut
"""

from collections.abc import Iterator, Mapping

from glassgrad.graph.meaning import meaning
from glassgrad.graph.model import Edge, Graph, Node
from glassgrad.graph.words import caption, columns, heading, numbers, short, slope, wrapped
from glassgrad.locale import language, say

WIDTH = 80
_UNICODE = {"forward": "──►", "back": "◄──", "cut": "─╳─", "corners": "┌┐└┘", "line": "─", "side": "│"}
_ASCII = {"forward": "-->", "back": "<--", "cut": "-X-", "corners": "++++", "line": "-", "side": "|"}
_PLAIN = {"·": "*", "ᵀ": ".T", "…": "...", "×": "x"}


def graph_text(graph: Graph, values: Mapping[str, float] | None = None, *, ascii_only: bool = False) -> str:
    """The graph in at most 80 columns, in the language in force.

    values: one sample's numbers by name (see `chosen`), to be shown beneath the formulas.
    ascii_only: for a console without box drawing; the words are those of the language all the same.

    Example:
        >>> from glassgrad.graph.build import graph
        >>> from glassgrad.tables.experiments import shipped
        >>> print(graph_text(graph(shipped("knob")), ascii_only=True).splitlines()[-2][:44])
        The reward hangs in the air: to the gradient
    """
    drawing = _Drawing(graph, values, _ASCII if ascii_only else _UNICODE)
    rows = [*drawing.legend(), "", *drawing.given(), ""]
    for node in graph.nodes:
        if graph.into(node.name):
            rows += drawing.box(node)
    said: str = getattr(meaning(graph), language())
    return "\n".join(row.rstrip() for row in (*rows, "", *wrapped(drawing.spelled(said), WIDTH))) + "\n"


class _Drawing:
    """Boxes at the right, what they read at the left."""

    def __init__(self, graph: Graph, values: Mapping[str, float] | None, signs: Mapping[str, str]) -> None:
        self.graph, self.values, self.signs = graph, values, signs
        self.names = max(columns(self.spelled(short(node.symbol))) for node in graph.nodes) + 2
        self.marks = max(columns(self.mark(edge)) for edge in graph.edges) + 2
        self.left = self.names + self.marks + 5
        self.inside = WIDTH - self.left - 4

    def spelled(self, text: str) -> str:
        """A text in the signs of this drawing."""
        for sign, plain in _PLAIN.items() if self.signs is _ASCII else ():
            text = text.replace(sign, plain)
        return text

    def caption(self, node: Node) -> str:
        """What a node is, in the language in force."""
        return self.spelled(getattr(caption(node), language()))

    def legend(self) -> Iterator[str]:
        """What the signs mean, as far as they occur."""
        entries = [f"{self.signs['forward']} {say('graph.legend.forward')}"]
        if any(edge.travels for edge in self.graph.edges):
            entries.append(f"{self.signs['back']} {say('graph.legend.back')}")
        if any(edge.cut for edge in self.graph.edges):
            entries.append(f"{self.signs['cut']} {say('graph.legend.cut')}")
        yield from wrapped("   ".join(entries), WIDTH)

    def given(self) -> Iterator[str]:
        """What nothing computes: inputs, parameters, the label, chance."""
        for node in self.graph.nodes:
            if not self.graph.into(node.name):
                value = numbers(node.numbers, self.values, shown=3)
                said = self.spelled(self.caption(node) + (f" = {value}" if value else ""))
                names = f"{self.spelled(short(node.symbol)):>{self.names}}  "
                for row in wrapped(said, WIDTH - len(names)):
                    yield names + row
                    names = " " * len(names)

    def box(self, node: Node) -> Iterator[str]:
        """One node's box, and beside it a row for each edge that leads into it."""
        edges = self.graph.into(node.name)
        content = [*self.content(node)]
        content += [""] * (len(edges) - len(content))
        left = [self.edge(edge) for edge in edges]
        left += [" " * self.left] * (len(content) - len(edges))
        line, side, corners = self.signs["line"], self.signs["side"], self.signs["corners"]
        title = f"{line} {self.caption(node)} "
        yield " " * self.left + corners[0] + title + line * (self.inside + 2 - columns(title)) + corners[1]
        for before, row in zip(left, content, strict=True):
            yield f"{before}{side} {row}{' ' * (self.inside - columns(row))} {side}"
        yield " " * self.left + corners[2] + line * (self.inside + 2) + corners[3]

    def content(self, node: Node) -> Iterator[str]:
        """The formula and its value; what comes back to the node and to its parameters, or that nothing does."""
        yield from self.equation("", *heading(node), numbers(node.numbers, self.values))
        if node.hangs:
            yield from wrapped(f"{self.signs['cut']} {say('graph.hangs')}", self.inside)
        learned = [self.graph.node(edge.source) for edge in self.graph.into(node.name)]
        for back in (node, *(source for source in learned if source.kind == "parameter" and node.layer)):
            if back.derivative:
                yield from self.equation(f"{self.signs['back']} ", *slope(back), numbers(back.slopes, self.values))

    def equation(self, before: str, name: str, formula: str, value: str) -> Iterator[str]:
        """`name = formula`, and below it `= value`, the equals signs beneath each other."""
        indent = columns(f"{before}{name}")
        starts = [f"{before}{name} "]
        for part in (formula, "" if value == formula else value):
            for row in wrapped(self.spelled(f"= {part}"), self.inside - indent - 3) if part else []:
                yield (starts.pop() if starts else " " * (indent + 1 + 2 * (not row.startswith("=")))) + row

    def edge(self, edge: Edge) -> str:
        """`name  mark  ──►`, up to the side of the box."""
        name, mark = self.spelled(short(self.graph.node(edge.source).symbol)), self.mark(edge)
        return f"{name:>{self.names}}  {mark}{' ' * (self.marks - columns(mark))}{self.signs['forward']}"

    def mark(self, edge: Edge) -> str:
        """What comes back along an edge: a derivative, the cut and its reason, or nothing that counts."""
        if edge.travels:
            return self.signs["back"]
        return f"{self.signs['cut']} {say(f'graph.why.{edge.why}')}" if edge.cut else ""
