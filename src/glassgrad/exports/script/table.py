"""The user's CSV file in a script: read with NumPy, its columns in the network's order."""

import json

import numpy as np

from glassgrad.draws import Floats
from glassgrad.errors import DataError
from glassgrad.experiment import Experiment
from glassgrad.exports.script.page import Page
from glassgrad.locale import say
from glassgrad.task import Table

_ENCODINGS = ("utf-8-sig", "gb18030", "utf-16")
_DELIMITERS = (",", ";", "\t")


def write_table(page: Page, data: Table, experiment: Experiment) -> None:
    """x and, where the file has labels, t."""
    path = str(experiment.data)
    rows, encoding, delimiter = _read(path, data)
    page.add(f"file = {json.dumps(path, ensure_ascii=False)}", indent=1)
    how = f'delimiter={json.dumps(delimiter)}, skiprows=1, ndmin=2, encoding="{encoding}"'
    page.add(f"rows = np.loadtxt(file, {how})", indent=1)
    if data.held_out:
        page.add(f"rows = rows[: {len(data.inputs) - data.held_out}]", say("script.held_out"), indent=1)
    columns = [_place(rows, data.inputs[:, i]) for i in range(len(data.columns))]
    page.add(f"x = rows[:, {columns}]", ", ".join(data.columns), indent=1)
    if data.label:
        page.add(f"t = rows[:, {_place(rows, data.truth)}]", data.label, indent=1)


def _read(path: str, data: Table) -> tuple[Floats, str, str]:
    """The file as the script will read it: all columns, and the encoding and delimiter that this takes."""
    for encoding in _ENCODINGS:
        for delimiter in _DELIMITERS:
            try:
                rows = np.loadtxt(path, delimiter=delimiter, skiprows=1, ndmin=2, encoding=encoding)
            except (ValueError, OSError):
                continue
            if rows.shape[0] == len(data.inputs) and rows.shape[1] >= len(data.columns):
                return rows, encoding, delimiter
    raise DataError("script.table", path=path)


def _place(rows: Floats, column: Floats) -> int:
    """Which column of the file holds these numbers."""
    return next(i for i in range(rows.shape[1]) if np.array_equal(rows[:, i], column))
