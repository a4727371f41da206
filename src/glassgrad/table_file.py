"""A user's CSV file as a table of numbers: columns named by the first row, one of them the label.

Read strictly: whatever is missing, is no number or does not fit is refused by row and column, never guessed.
Rows are counted as a spreadsheet counts them: the names are row 1.
"""

import codecs
import csv
import io
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from glassgrad.draws import Floats
from glassgrad.errors import DataError
from glassgrad.locale import text
from glassgrad.task import Table

MAX_ROWS, MAX_BYTES, MAX_COLUMNS = 1_000_000, 64 * 2**20, 1_000
LABELS = ("t", "truth", *text("data.label"), "y", "target")
"""What a column of labels may be called, in upper or lower case; the first of these that there is counts."""

_CHUNK = 10_000  # rows that are turned into numbers at once
_Row = tuple[int, list[str]]  # a row's number in the file, and its values as they are written


def read_table(path: str, held_out: float, *, labelled: bool) -> Table:
    """The inputs and labels in a CSV file.

    path: a file of at most 1,000,000 rows and 64 MiB, separated by comma, semicolon or tab, in UTF-8 or GBK.
    held_out: the share of rows, 0 to 0.9, that is kept from training: the last ones.
    labelled: whether the labels are in the file: in the column called t, truth, label (or that in Chinese), y
        or target, else in the last one. If not, such a column is left out, and all others are inputs.

    Inputs keep the order of their columns, unless these are called x1, x2, …: then they go by number.

    Raises:
        DataError: the file cannot be used; the message has the row and the column.

    Example:
        >>> table = read_table("houses.csv", 0.2, labelled=True)  # doctest: +SKIP
        >>> table.columns, table.label, table.inputs.shape, table.held_out  # doctest: +SKIP
        (('rooms', 'age'), 'price', (100, 2), 20)
    """
    if not 0 <= held_out <= 0.9:
        raise DataError("data.held_out", came=held_out)
    file = _File(path)
    rows = _rows(file, _text(file, _bytes(file)))
    names = _names(file, next(rows, (0, []))[1])
    inputs, label = _roles(file, names, labelled)
    numbers = _numbers(file, names, rows)
    return Table(
        columns=tuple(names[i] for i in inputs),
        label="" if label is None else names[label],
        inputs=np.ascontiguousarray(numbers[:, inputs]),
        truth=np.full(len(numbers), np.nan) if label is None else numbers[:, label].copy(),
        held_out=min(round(held_out * len(numbers)), len(numbers) - 1),
    )


@dataclass(frozen=True, slots=True)
class _File:
    """The file's name, which is part of every message."""

    path: str

    def error(self, key: str, **values: object) -> DataError:
        return DataError(key, path=_shown(self.path, 200), **values)


def _shown(written: str, most: int = 30) -> str:
    """What a user wrote, fit for a line of a message."""
    cut = written if len(written) <= most else written[: most - 1] + "…"
    return "".join(character if character.isprintable() else "?" for character in cut)


def _bytes(file: _File) -> bytes:
    """What the file holds; never more than the bound is read."""
    if not os.path.exists(file.path):
        raise file.error("data.missing_file")
    if not os.path.isfile(file.path):
        raise file.error("data.not_a_file")
    try:
        with Path(file.path).open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as reason:
        raise file.error("data.unreadable", reason=reason.strerror or reason) from None
    if len(raw) > MAX_BYTES:
        raise file.error("data.too_large", most=MAX_BYTES // 2**20)
    return raw


def _text(file: _File, raw: bytes) -> str:
    """UTF-8, else GBK with all of GB 18030; UTF-16 where a byte order mark says so."""
    wide = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if b"\0" in raw and not wide:
        raise file.error("data.binary")
    reached = 0  # by the encoding that gets furthest: it is most likely the one that is meant
    for encoding in ("utf-16",) if wide else ("utf-8-sig", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError as reason:
            reached = max(reached, reason.start)
    raise file.error("data.encoding", line=raw[:reached].count(b"\n") + 1)


def _rows(file: _File, content: str) -> Iterator[_Row]:
    """The rows that are not blank, the names first."""
    first = re.sub(r'"[^"]*"', "", content[:100_000]).strip("\r\n ").partition("\n")[0]
    delimiter = max(",;\t", key=first.count)  # the first of these where they are equally many
    row = 0
    try:
        reader = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True)
        for row, values in enumerate(reader, 1):
            if len(values) > 1 or "".join(values).strip():
                yield row, values
    except csv.Error:
        raise file.error("data.quotes", row=row + 1) from None


def _names(file: _File, written: list[str]) -> list[str]:
    """The names of the columns, each different."""
    names = [" ".join(name.split()) for name in written]
    if not names:
        raise file.error("data.empty")
    if len(names) > MAX_COLUMNS:
        raise file.error("data.too_many_columns", came=len(names), most=MAX_COLUMNS)
    if all(_number(name) is not None for name in names):
        raise file.error("data.no_header", example="x1, x2, t")
    for i, name in enumerate(names):
        if not name:
            raise file.error("data.no_name", column=i + 1)
        if name.casefold() in (other.casefold() for other in names[:i]):
            raise file.error("data.same_name", name=_shown(name))
    return names


def _roles(file: _File, names: list[str], labelled: bool) -> tuple[list[int], int | None]:
    """The places of the inputs, in their order, and that of the label, if it is read."""
    folded = [name.casefold() for name in names]
    label = next((folded.index(word) for word in LABELS if word in folded), None)
    if labelled and label is None:
        label = len(names) - 1
    inputs = [i for i in range(len(names)) if i != label]
    if not inputs:
        raise file.error("data.one_column" if labelled else "data.no_inputs", name=_shown(names[0]))
    numbered = [f"x{i + 1}" for i in range(len(inputs))]
    if {names[i] for i in inputs} == set(numbered):
        inputs = [names.index(name) for name in numbered]
    return inputs, label if labelled else None


def _numbers(file: _File, names: list[str], rows: Iterator[_Row]) -> Floats:
    """All rows as numbers, of shape (rows, columns)."""
    chunks: list[Floats] = []
    while chunk := list(islice(rows, _CHUNK)):
        if len(chunks) * _CHUNK + len(chunk) > MAX_ROWS:
            raise file.error("data.too_many_rows", most=MAX_ROWS)
        for row, values in chunk:
            if len(values) != len(names):
                raise file.error("data.ragged", row=row, came=len(values), expected=len(names))
        chunks.append(_chunk(file, names, chunk))
    if not chunks:
        raise file.error("data.no_rows")
    return np.concatenate(chunks)


def _chunk(file: _File, names: list[str], rows: list[_Row]) -> Floats:
    """Some rows as numbers; if they cannot all be read at once, cell by cell until the culprit is found."""
    try:
        numbers = np.array([values for _, values in rows], dtype=np.float64)
    except ValueError:
        numbers = np.full(1, np.nan)
    if not np.all(np.isfinite(numbers)):
        numbers = np.array([[_cell(file, row, name, value) for name, value in zip(names, values, strict=True)]
                            for row, values in rows])  # fmt: skip
    return numbers + 0.0  # there is one zero, not two


def _cell(file: _File, row: int, name: str, written: str) -> float:
    """One value.

    Raises:
        DataError: it is missing, no number, or not finite.
    """
    place = {"row": row, "column": _shown(name)}
    if not written.strip():
        raise file.error("data.missing_value", **place)
    number = _number(written)
    if number is None:
        raise file.error("data.not_a_number", came=_shown(written.strip()), **place)
    if not np.isfinite(number):
        raise file.error("data.not_finite", came=_shown(written.strip()), **place)
    return number


def _number(written: str) -> float | None:
    try:
        return float(written)
    except ValueError:
        return None
