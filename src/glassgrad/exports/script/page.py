"""A script as lines of code with comments beside them."""

import unicodedata

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

    def block(self, source: str) -> None:
        """Several lines as they are."""
        self.lines += source.strip("\n").split("\n")

    def results(self, values: list[str]) -> None:
        """What a function returns, one value a line if one line is too short for them."""
        line = f"return {', '.join(values)}"
        if len(line) + 4 <= WIDTH:
            self.add(line, indent=1)
            return
        self.add("return (", indent=1)
        for value in values:
            self.add(f"{value},", indent=2)
        self.add(")", indent=1)

    def gap(self, lines: int = 1) -> None:
        """Empty lines."""
        self.lines += [""] * lines

    @property
    def text(self) -> str:
        """The whole script."""
        return "\n".join(line.rstrip() for line in self.lines) + "\n"
