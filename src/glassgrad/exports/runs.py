"""The runs of a comparison as a table to take along: CSV or Parquet, one row a run."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassgrad.comparison import Comparison
from glassgrad.errors import ExperimentError
from glassgrad.files import writing

COLUMNS = ("seed", "solved", "mean_error", "max_error", "solved_at", "diverged_at", "dead")
CHUNK = 20_000  # lines at once


def columns(comparison: Comparison) -> dict[str, NDArray[Any]]:
    """name, seed, solved, mean_error, max_error, solved_at, diverged_at, dead: a row a run, 0 for never.

    Example:
        >>> from glassgrad.comparison import compare
        >>> columns(compare("knob", runs=3))["seed"]
        array([0, 1, 2], dtype=uint32)
    """
    names = [np.full(len(runs), name) for name, runs in zip(comparison.names, comparison.runs, strict=True)]
    found = {"name": np.concatenate(names)}
    for column in COLUMNS:
        attribute = "seeds" if column == "seed" else column
        found[column] = np.concatenate([getattr(runs, attribute) for runs in comparison.runs])
    return found


def write_csv(comparison: Comparison, file: str) -> None:
    """Write one line a run; what is not finite is nan or inf.

    Raises:
        DataError: the file cannot be written.
    """
    import csv

    with writing(file) as path, path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("name", *COLUMNS))
        for name, runs in zip(comparison.names, comparison.runs, strict=True):
            for start in range(0, len(runs), CHUNK):
                part = slice(start, start + CHUNK)
                values = [getattr(runs, "seeds" if c == "seed" else c)[part].tolist() for c in COLUMNS]
                writer.writerows((name, *row) for row in zip(*values, strict=True))


def write_parquet(comparison: Comparison, file: str) -> None:
    """Write one row a run.

    Raises:
        ExperimentError: pyarrow is not there. DataError: the file cannot be written.
    """
    need_pyarrow()
    from pyarrow import parquet, table

    with writing(file) as path:
        parquet.write_table(table(columns(comparison)), path)


def need_pyarrow() -> None:
    """Refuse in one line, with the fix, where pyarrow is missing.

    Raises:
        ExperimentError: it is.
    """
    from importlib.util import find_spec

    if find_spec("pyarrow") is None:
        raise ExperimentError("compare.parquet")
