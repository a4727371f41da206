"""`glassgrad compare`: many runs of several experiments, as tables, JSON, pictures, CSV, Parquet."""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from glassgrad.cli.terminal import progress, tell, write
from glassgrad.comparison import Comparison
from glassgrad.comparison import compare as compared
from glassgrad.errors import DataError, ExperimentError
from glassgrad.exports.runs import need_pyarrow
from glassgrad.locale import say
from glassgrad.plots import save
from glassgrad.report.compare_json import compare_json
from glassgrad.report.compare_text import compare_parts
from glassgrad.why import Why

FORMATS = ("text", "json")
ENDINGS = {"--plot": (".png", ".svg", ".html"), "--csv": (".csv",), "--parquet": (".parquet",)}


def run(
    names: Sequence[str],
    *,
    vary: Sequence[str],
    runs: int,
    why: bool,
    form: str,
    plot: str | None,
    csv: str | None,
    parquet: str | None,
    settings: dict[str, Any],
) -> None:
    """Train, compare, show; what cannot be written is refused before anything is trained."""
    _check(form, {"--plot": plot, "--csv": csv, "--parquet": parquet})
    with progress(say("compare.training")) as tick:
        found = compared(*names, vary=list(vary) or None, runs=runs, progress=tick, **settings)
    causes: tuple[Why, ...] = ()
    if why:
        with progress(say("compare.looking")) as tick:
            causes = found.why(tick)
    if form == "json":
        write(json.dumps(compare_json(found, causes or None), ensure_ascii=False, allow_nan=False), None)
    else:
        _print(found, causes)
    for file, writer in ((plot, partial(save, found)), (csv, found.to_csv), (parquet, found.to_parquet)):
        if file is not None:
            writer(file)
            tell(say("cli.written", file=file))


def _print(found: Comparison, causes: Sequence[Why]) -> None:
    """The tables: styled and as wide as the terminal, plain and 80 columns wide elsewhere."""
    import sys

    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        from glassgrad.report.compare_text import compare_text

        sys.stdout.write(compare_text(found, causes) + "\n")
        return
    console.width = max(console.width, 80)
    for part in compare_parts(found, causes):
        console.print(part)


def _check(form: str, files: dict[str, str | None]) -> None:
    if form not in FORMATS:
        raise ExperimentError("experiment.choice", setting="--format", known=", ".join(FORMATS), came=form)
    for option, file in files.items():
        if file is None:
            continue
        if not file.lower().endswith(ENDINGS[option]):
            raise ExperimentError("compare.ending", file=file, option=option, known=", ".join(ENDINGS[option]))
        try:
            Path(file).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError("cli.cannot_write", file=file, reason=error.strerror or str(error)) from None
    if files["--parquet"] is not None:
        need_pyarrow()
