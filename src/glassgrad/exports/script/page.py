"""A script as lines of code with comments beside them."""

import unicodedata
from collections.abc import Sequence

WIDTH = 110


def columns(text: str) -> int:
    """How many columns a text takes on a screen: a Chinese character takes two.

    Example:
        >>> columns("a\u6743")
        3
    """
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


class Page:
    """Collects lines; a comment that does not fit beside its line stands above it.

    Example:
        >>> page = Page()
        >>> page.add("a = 1", "one")
        >>> page.text
        'a = 1  # one\\n'
    """

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, code: str, comment: str = "", indent: int = 0) -> None:
        """One line of code; only its comment, if there is no code."""
        margin = "    " * indent
        whole = "  # ".join(part for part in (code, comment) if part)
        if not code:
            self.lines.append(f"{margin}# {comment}")
        elif comment and columns(margin + whole) > WIDTH:
            self.lines += [f"{margin}# {comment}", margin + code]
        else:
            self.lines.append(margin + whole)

    def choice(self, name: str, value: str, comment: str, indent: int) -> None:
        """An assignment; if `a if b else c` is too long for one line, in three."""
        line = f"{name} = {value}"
        if len(line) + 4 * indent <= WIDTH or value.count(" if ") != 1:
            self.add(line, comment, indent)
            return
        first, _, rest = value.partition(" if ")
        condition, _, second = rest.partition(" else ")
        self.add("", comment, indent)
        self.add(f"{name} = (", indent=indent)
        for part in (first, f"if {condition}", f"else {second}"):
            self.add(part, indent=indent + 1)
        self.add(")", indent=indent)

    def bracketed(self, head: str, terms: str, tail: str, comment: str, indent: int) -> None:
        """`head(terms)tail`; if too long for one line, with the terms below, and if need be a line for each of them."""
        line = f"{head}({terms}){tail}"
        if len(line) + 4 * indent <= WIDTH:
            self.add(line, comment, indent)
            return
        self.add("", comment, indent)
        self.add(f"{head}(", indent=indent)
        for part in [terms] if len(terms) + 4 * indent + 4 <= WIDTH else split_terms(terms):
            self.add(part, indent=indent + 1)
        self.add(f"){tail}", indent=indent)

    def block(self, source: str) -> None:
        """Several lines as they are."""
        self.lines += source.strip("\n").split("\n")

    def results(self, values: list[str]) -> None:
        """What a function returns, one value a line if one line is too short for them."""
        line = f"return {', '.join(values)}"
        if len(line) + 4 <= WIDTH:
            self.add(line, indent=1)
        else:
            self.several("return (", values, ")", indent=1)

    def several(self, head: str, values: Sequence[str], tail: str, comment: str = "", indent: int = 0) -> None:
        """Values between brackets, one a line if one line is too short for them."""
        line = head + ", ".join(values) + ("," if head.endswith("(") and len(values) == 1 else "") + tail
        if len(line) + 4 * indent <= WIDTH:
            self.add(line, comment, indent)
            return
        if comment:
            self.add("", comment, indent)
        self.add(head, indent=indent)
        for value in values:
            self.add(f"{value},", indent=indent + 1)
        self.add(tail, indent=indent)

    def gap(self, lines: int = 1) -> None:
        """Empty lines."""
        self.lines += [""] * lines

    @property
    def text(self) -> str:
        """The whole script."""
        return "\n".join(line.rstrip() for line in self.lines) + "\n"


def split_terms(text: str) -> list[str]:
    """The terms of a sum, each with its sign.

    Example:
        >>> split_terms("a * (b - c) - d + e")
        ['a * (b - c)', '- d', '+ e']
    """
    found, depth = [""], 0
    for word in text.split(" "):
        if depth == 0 and word in ("+", "-"):
            found.append("")
        found[-1] += f" {word}" if found[-1] else word
        depth += word.count("(") + word.count("[") - word.count(")") - word.count("]")
    return found
