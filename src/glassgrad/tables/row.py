"""What a row of a table is, and how a name with arguments, or an own formula, becomes one."""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from glassgrad.errors import ExperimentError
from glassgrad.formula.functions import FUNCTIONS
from glassgrad.formula.text import number_text
from glassgrad.locale import Text

_OWN = Text("your own formula", "你自己的公式")
Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Callable:
    """A PyTorch callable and which of our symbols are its arguments.

    Example:
        >>> adam = Callable("optim.Adam", {"lr": "lr", "betas": ("beta1", "beta2")})
        >>> adam.arguments({"lr": 0.1, "beta1": 0.9, "beta2": 0.99})
        {'lr': 0.1, 'betas': (0.9, 0.99)}
    """

    path: str
    keywords: Mapping[str, str | tuple[str, ...] | bool] = field(default_factory=dict)

    def arguments(self, values: Mapping[str, float]) -> dict[str, object]:
        """The keyword arguments, with our values in their places; what is not given is left out."""
        found: dict[str, object] = {}
        for keyword, name in self.keywords.items():
            if isinstance(name, tuple):
                found[keyword] = tuple(values[part] for part in name)
            elif isinstance(name, bool):
                found[keyword] = name
            elif name in values:
                found[keyword] = values[name]
        return found


@dataclass(frozen=True, slots=True)
class Row:
    """One rule: a formula (or lines), its numbers, how it reads, where it comes from, what it is in PyTorch.

    name: as it is written on the command line; an own formula has its own text as its name.
    formula: the formula, or lines separated by semicolons.
    numbers: the symbols of the formula that are settings, with their values.
    reading: one line for a reader.
    source: where it is defined.
    torch: the PyTorch callable that it describes, if there is one.
    optional: settings that a user may add, absent by default.
    bounds: the least and the largest value of a setting; a setting that is not here may be any number.
    """

    name: str
    formula: str
    reading: Text = _OWN
    source: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict)
    torch: Callable | None = None
    optional: tuple[str, ...] = ()
    bounds: Mapping[str, Range] = field(default_factory=dict)

    @property
    def own(self) -> bool:
        """Whether a user wrote it."""
        return not self.source

    def __str__(self) -> str:
        if self.own or not self.numbers:
            return self.name
        settings = (f"{key}={number_text(value)}" for key, value in self.numbers.items())
        return f"{self.name}({', '.join(settings)})"


Table = dict[str, Row]


def table(*rows: Row) -> Table:
    """Rows by name, in their order; no two of one name."""
    found = {row.name: row for row in rows}
    if len(found) < len(rows):
        raise ValueError("two rows have the same name")
    return found


def find(kind: str, rows: Table, asked: str) -> Row | None:
    """The row that a text names, with the settings that it gives: `adam`, `adam(lr=0.1)`; None for a formula.

    Raises:
        ExperimentError: no row has this name, or the row has no such setting, or its value will not do.

    Example:
        >>> rows = table(Row("l1", "strength*abs(w)", source="…", numbers={"strength": 0.001}))
        >>> find("regulariser", rows, "l1(strength=0.1)").numbers
        {'strength': 0.1}
    """
    called = re.fullmatch(r"\s*([A-Za-z][\w-]*)\s*(?:\(([^()]*)\))?\s*", asked)
    if called is None:
        return None
    name, inside = called[1].lower().replace("-", "_"), called[2]
    if name not in rows:
        if _sets(inside) or (inside is None and not _symbols(called[1])):
            raise unknown(kind, called[1], rows)
        return None  # a formula: a - t, abs(a - t)
    row = rows[name]
    if inside is None or (inside.strip() in ("z", "w") and _reads(row, inside.strip())):
        return row  # relu, relu(z)
    if name in FUNCTIONS and not _sets(inside) and _number(inside) is None:
        return None  # a formula: tanh(2*z)
    return replace(row, numbers=_arguments(kind, row, inside))


def unknown(kind: str, name: str, rows: Mapping[str, object]) -> ExperimentError:
    """The error for a name that no row has, with the nearest one."""
    near = difflib.get_close_matches(name.lower().replace("-", "_"), list(rows), n=1, cutoff=0.5)
    near = near or difflib.get_close_matches(name.lower().replace("_", "-"), list(rows), n=1, cutoff=0.0)
    return ExperimentError("table.unknown", kind=kind, name=name[:30], known=", ".join(rows), nearest=near[0])


def _sets(inside: str | None) -> bool:
    """Whether the text in the brackets gives settings by name: `lr=0.1`."""
    return inside is not None and re.search(r"\w\s*=(?!=)", inside) is not None


_SYMBOL = re.compile(r"[aogtwxz]\d*(?:_\d+)?|\d+|reward|baseline|logp|noise|uniform|steps?|sigma|lr|pi")


def _symbols(text: str) -> bool:
    """Whether a name, dashes and all, can be a formula of the language's own symbols: `logp`, `a-t`."""
    return all(_SYMBOL.fullmatch(part) for part in text.split("-"))


def _reads(row: Row, symbol: str) -> bool:
    return re.search(rf"\b{symbol}\b", row.formula) is not None


def _arguments(kind: str, row: Row, inside: str) -> dict[str, float]:
    """The row's numbers with those that a user gives, by name or in their order."""
    given: dict[str, float] = {}
    for i, part in enumerate(filter(None, (piece.strip() for piece in inside.split(",")))):
        key, _, value = part.rpartition("=")
        key = key.strip() or (list(row.numbers)[i] if i < len(row.numbers) else "")
        if key not in row.numbers and key not in row.optional:
            settings = ", ".join((*row.numbers, *row.optional)) or "-"
            came = (key or part)[:30]
            raise ExperimentError("table.setting", kind=kind, name=row.name, came=came, known=settings)
        if key in given:
            raise ExperimentError("table.twice", kind=kind, name=row.name, setting=key)
        given[key] = _checked(kind, row, key, value.strip())
    return {**row.numbers, **given}


def _checked(kind: str, row: Row, setting: str, text: str) -> float:
    """A setting's value, as a number within its bounds."""
    number, place = _number(text), {"kind": kind, "name": row.name, "setting": setting, "came": text[:30]}
    if number is None:
        raise ExperimentError("table.number", **place)
    low, high = row.bounds.get(setting, (-float("inf"), float("inf")))
    if not low <= number <= high:
        bounds = {"low": number_text(float(low)), "high": number_text(float(high))}
        raise ExperimentError("table.range", **place, **bounds)
    return number


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None
