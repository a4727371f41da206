"""What is written at a node: its captions, its formula, its numbers; and how much room a text takes."""

import math
import re
import unicodedata
from collections.abc import Mapping

from glassgrad.formula.text import number_text
from glassgrad.graph.model import Node
from glassgrad.locale import Text, text

SHOWN = 6  # numbers of a layer in one row
LONGEST_NAME = 24
_ONE = {"weights": "weight", "biases": "bias", "sum": "last_sum"}


def caption(node: Node) -> Text:
    """What a node is to the reader: `weights 5×2`."""
    count = math.prod(node.shape)
    role = _ONE.get(node.role, node.role) if count == 1 else node.role
    return text(f"graph.role.{role}", shape="×".join(map(str, node.shape)))


def short(name: str) -> str:
    """A name, shortened in its middle if it is very long."""
    return name if len(name) <= LONGEST_NAME else f"{name[:14]}…{name[-9:]}"


def heading(node: Node) -> tuple[str, str]:
    """The two sides of a node's formula; the second is empty for what is given."""
    return short(node.symbol), node.formula


def slope(node: Node) -> tuple[str, str]:
    """The two sides of the derivative that comes back to a node; empty if none does."""
    if not node.derivative:
        return "", ""
    own = f"dB{node.symbol[1:]}" if node.role == "biases" else node.back or f"d{node.symbol}"
    return short(own), node.derivative


def numbers(names: tuple[str, ...], values: Mapping[str, float] | None, shown: int = SHOWN, digits: int = 0) -> str:
    """The values of some names, the first three if they are more than `shown`; empty if they are not known.

    digits: how many of each, if they are several; else four decimals.

    Example:
        >>> numbers(("x1", "x2"), {"x1": 5.0, "x2": 0.33333333})
        '5, 0.3333'
    """
    if values is None or not names or any(name not in values for name in names):
        return ""
    first = names if len(names) <= shown else names[:3]
    rest = ["…"] if len(first) < len(names) else []
    return ", ".join([_rounded(values[name], digits if len(names) > 1 else 0) for name in first] + rest)


def _rounded(value: float, digits: int = 0) -> str:
    if not math.isfinite(value):
        return str(value)
    if digits:
        return f"{value + 0.0:.{digits}g}"
    if value == 0 or 1e-3 <= abs(value) < 1e6:
        return number_text(round(value, 4) + 0.0)
    return f"{value:.4g}"


def columns(line: str) -> int:
    """How many columns of a terminal a text takes: a Chinese sign takes two.

    Example:
        >>> columns("z2 输出")
        7
    """
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in line)


def wrapped(line: str, width: int) -> list[str]:
    """A text in rows of at most `width` columns, broken at spaces, between Chinese signs, or before an operator.

    Where there is a choice, a row ends outside of brackets.

    Example:
        >>> wrapped("where(a == 1, log(o), log(1 - o))", 16)
        ['where(a == 1,', 'log(o),', 'log(1 - o))']
    """
    rows: list[str] = []
    pieces = [part for piece in _pieces(line) for part in _cut(piece, width)]
    while pieces:
        count = _fitting(pieces, width)
        if count < len(pieces):
            count = _best(pieces[: count + 1], width)
        rows.append("".join(pieces[:count]).strip())
        pieces = pieces[count:]
    return rows or [""]


def _cut(piece: str, width: int) -> list[str]:
    """A piece that is wider than a row, as one name can be, in parts."""
    whole = columns(piece.rstrip()) <= width
    return [piece] if whole else [piece[at : at + width] for at in range(0, len(piece), width)]


def _fitting(pieces: list[str], width: int) -> int:
    """How many pieces fit into a row."""
    count, row = 1, pieces[0]
    while count < len(pieces) and columns((row + pieces[count]).strip()) <= width:
        row += pieces[count]
        count += 1
    return count


def _best(pieces: list[str], width: int) -> int:
    """After how many of these pieces to end a row that is at least half full: where the fewest brackets are open."""
    best, least, row = len(pieces) - 1, float("inf"), ""
    for count, piece in enumerate(pieces[:-1], 1):
        row += piece
        opened = sum(sign in "([" for sign in row) - sum(sign in ")]" for sign in row)
        cost = opened + 0.5 * pieces[count].startswith(("*", "/"))  # rather at a space than before a factor
        if cost <= least and (2 * columns(row) >= width or count == len(pieces) - 1):
            best, least = count, cost
    return best


_WIDE = "[\u2e80-\u9fff\uff00-\uffef]"
_CLOSING = "，。：；、）」”…,.;:)\\]"
_BREAKS = re.compile(
    r"(?<=\s)(?<![-+<>=]\s)(?=\S)(?!=\s)"  # after a space, but not between an operator and its term
    r"|(?<![*/\s])(?=[*/])(?!\*\*)"  # before a factor
    rf"|(?={_WIDE})(?![{_CLOSING}])|(?<={_WIDE})(?=[^\s{_CLOSING}])"
)


def _pieces(line: str) -> list[str]:
    """The parts between which a text may be broken."""
    return [piece for piece in _BREAKS.split(line) if piece]
