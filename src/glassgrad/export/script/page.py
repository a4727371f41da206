"""A script as lines of code with comments beside them."""

WIDTH = 110


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
        elif comment and len(margin + whole) > WIDTH:
            self.lines += [f"{margin}# {comment}", margin + code]
        else:
            self.lines.append(margin + whole)

    def block(self, source: str) -> None:
        """Several lines as they are."""
        self.lines += source.strip("\n").split("\n")

    def gap(self, lines: int = 1) -> None:
        """Empty lines."""
        self.lines += [""] * lines

    @property
    def text(self) -> str:
        """The whole script."""
        return "\n".join(line.rstrip() for line in self.lines) + "\n"
