"""What stands in each box of the drawing, row by row, and how much room it needs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from glassgrad.graph.model import Node
from glassgrad.graph.style import CAPTION, CHINESE, FORMULA, MONO, SANS, SMALL
from glassgrad.graph.words import caption, columns, heading, numbers, slope, wrapped
from glassgrad.locale import Language, text

PAD_X, PAD_Y = 11.0, 8.0
SHOWN = 3  # numbers of a layer
MOST_SIGNS, MOST_ROWS = 41, 5  # of a formula; what is longer stands in the box's title


@dataclass(frozen=True, slots=True)
class Row:
    """A row of text: its class of the style sheet, and its size.

    name: how many of its first signs are a name. value: how many of its last signs are a value.
    """

    text: str
    style: str
    size: float
    name: int = 0
    value: int = 0

    @property
    def height(self) -> float:
        return round(self.size * 1.35, 1)

    @property
    def width(self) -> float:
        """An upper estimate."""
        return estimate(self.text, self.size, MONO if self.style in ("formula", "value", "slope") else SANS)


def estimate(line: str, size: float, sign: float) -> float:
    """How wide a text is at most, whichever of the fonts the reader has.

    Example:
        >>> estimate("ab", 10, 0.6), estimate("输出", 10, 0.6)
        (12.0, 20.4)
    """
    wide = columns(line) - len(line)
    return round(size * (sign * (len(line) - wide) + CHINESE * wide), 2)


def rows(node: Node, language: Language, values: Mapping[str, float] | None) -> list[Row]:
    """The rows of one box: what it is, its formula and value, the derivative that comes back."""
    found = [Row(getattr(caption(node), language), "caption", CAPTION)]
    known = values if node.kind != "parameter" or len(node.numbers) <= SHOWN else None
    found += _equation(*heading(node), numbers(node.numbers, known, SHOWN, 3), "formula", FORMULA)
    if node.derivative:
        found += _equation(*slope(node), numbers(node.slopes, known, SHOWN, 3), "slope", SMALL)
    if node.hangs:
        found.append(Row(getattr(text("graph.hangs"), language), "loose", CAPTION))
    return found


def _equation(name: str, formula: str, value: str, style: str, size: float) -> Iterator[Row]:
    """`name = formula = value`, or the value on a row of its own, the equals signs beneath each other."""
    if not formula:
        yield Row(f"{name} = {value}" if value else name, style, size, len(name))
        return
    found = _shortened(wrapped(f"= {formula}", MOST_SIGNS - len(name)))
    value = f"= {value}" if value and value != formula else ""
    if value and len(found) == 1 and len(f"{name} {found[0]} {value}") <= MOST_SIGNS:
        yield Row(f"{name} {found[0]} {value}", style, size, len(name), len(value))
        return
    for i, row in enumerate(found):
        yield Row(" " * (len(name) + 3) + row if i else f"{name} {row}", style, size, 0 if i else len(name))
    for i, row in enumerate(wrapped(value, MOST_SIGNS - len(name)) if value else []):
        own = "value" if style == "formula" else style
        yield Row(" " * (len(name) + (3 if i else 1)) + row, own, size)


def _shortened(found: list[str]) -> list[str]:
    return found if len(found) <= MOST_ROWS else [*found[: MOST_ROWS - 1], "…"]


def size(found: list[Row]) -> tuple[float, float]:
    """Width and height of a box."""
    return (
        max(row.width for row in found) + 2 * PAD_X,
        round(sum(row.height for row in found) + 2 * PAD_Y, 1),
    )


def full(node: Node) -> str:
    """The formula as it is, however long, for the box's title."""
    return f"{node.symbol} = {node.formula}" if node.formula else node.symbol
