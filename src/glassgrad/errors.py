"""What can go wrong, as one tree of exceptions; each says in one line what was expected, what came, the fix.

GlassgradError            anything that the user can mend: exit status 2, no traceback
├── FormulaError          a formula or a list of lines that cannot be read
├── ExperimentError       settings that are unknown, out of range, or do not fit together
└── DataError             a file of the user's that cannot be used
"""

from typing import Self

from glassgrad.locale import say


class GlassgradError(Exception):
    """A mistake that the user can mend, as a key of the catalogue and the values that belong into its text.

    Example:
        >>> str(ExperimentError("experiment.unknown", name="ad", nearest="add"))
        "there is no experiment 'ad'; did you mean 'add'? (`glassgrad list` shows all)"
    """

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(key)
        self.key = key
        self.values = values
        self.pieces: tuple[str, ...] = ()

    def within(self, piece: str) -> Self:
        """The same error, said of a piece of an experiment (its reward, its objective, …), or of the file it is in."""
        self.pieces = (piece, *self.pieces)
        return self

    def message(self) -> str:
        """What is wrong, without where."""
        return say(self.key, **self.values)

    def __str__(self) -> str:
        message = self.message()
        for piece in reversed(self.pieces):
            message = say("formula.within", piece=piece, message=message)
        return " ".join(message.split())


class FormulaError(GlassgradError):
    """A formula that is not one; `position` counts its characters from 1."""

    def __init__(self, key: str, *, formula: str = "", position: int = 0, **values: object) -> None:
        super().__init__(key, **{name: _said(value) for name, value in values.items()})
        self.formula = formula
        self.position = position

    def message(self) -> str:
        """What is wrong, and in which formula."""
        message = super().message()
        if self.position:
            message = say(
                "formula.at",
                formula=_shortened(self.formula, self.position),
                position=self.position,
                message=message,
            )
        return message


class ExperimentError(GlassgradError):
    """Settings that are unknown, out of range, or do not fit together."""


class DataError(GlassgradError):
    """A file of the user's that cannot be used."""


def _shortened(formula: str, position: int, width: int = 40) -> str:
    """The part of a long formula around a position, so that the message stays one line."""
    flat = _printable(formula.replace("\n", ";"))
    if len(flat) <= width:
        return flat
    start = max(0, min(position - 1 - width // 2, len(flat) - width))
    end = start + width
    return ("…" if start else "") + flat[start:end] + ("…" if end < len(flat) else "")


def _said(value: object, most: int = 200) -> object:
    """What a reader typed, as it can be said back: printable, and not too long."""
    if type(value) is not str:
        return value
    flat = _printable(value)
    return flat if len(flat) <= most else flat[: most - 1] + "…"


def _printable(text: str) -> str:
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in text)
