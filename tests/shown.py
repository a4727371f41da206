"""What every text of a verdict has in common."""

import re

from rich.cells import cell_len


def check_text(text: str) -> None:
    """It fits 80 columns, and shows no value that is missing, and no placeholder.

    Raises:
        AssertionError: it does not.
    """
    assert max(map(cell_len, text.splitlines())) <= 80
    assert not re.search(r"\b(nan|inf|None)\b", text)
    assert "{" not in text
    assert "(f)" in text
