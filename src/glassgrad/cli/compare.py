"""`glassgrad compare`: many runs of several experiments, as tables, JSON, pictures, CSV, Parquet."""

import json
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from glassgrad.cli.terminal import check_file, parts, progress, tell, write
from glassgrad.comparison import Comparison
from glassgrad.comparison import compare as compared
from glassgrad.errors import ExperimentError
from glassgrad.exports.runs import need_pyarrow
from glassgrad.locale import say
from glassgrad.plots import ENDINGS as PICTURES
from glassgrad.plots import save
from glassgrad.report.compare_json import compare_json
from glassgrad.report.compare_text import compare_parts, compare_text, title
from glassgrad.why import Why

FORMATS = ("text", "json")
NAME, SLIPS = "labels-and-reward", "slips"
ENDINGS = {"--plot": PICTURES, "--csv": (".csv",), "--parquet": (".parquet",)}


def run(
    names: Sequence[str],
    *,
    vary: Sequence[str],
    runs: int | None,
    why: bool,
    form: str,
    plot: Sequence[str],
    csv: Sequence[str],
    parquet: Sequence[str],
    settings: dict[str, Any],
) -> None:
    """Train, compare, show; what cannot be written is refused before anything is trained."""
    _check(form, {"--plot": plot, "--csv": csv, "--parquet": parquet})
    causes: tuple[Why, ...] = ()
    if NAME in names:
        if len(names) > 1 or vary or why:
            raise ExperimentError("compare.alone", name=NAME)
        found = _labels_and_reward(runs, form, settings)
    elif SLIPS in names or (len(names) == 1 and names[0].startswith("slip-") and not vary and not why):
        if len(names) > 1 or vary or why:
            raise ExperimentError("compare.alone", name=SLIPS)
        found = _slips([name for name in names if name != SLIPS], runs, form, settings)
    else:
        found, causes = _compare(names, vary, runs, why, form, settings)
    writers = ((plot, partial(save, found, causes=causes)), (csv, found.to_csv), (parquet, found.to_parquet))
    for files, writer in writers:
        for file in files:
            writer(file)
            tell(say("cli.written", file=file))


def _compare(
    names: Sequence[str], vary: Sequence[str], runs: int | None, why: bool, form: str, settings: dict[str, Any]
) -> tuple[Comparison, tuple[Why, ...]]:
    with progress(say("compare.training"), left=len(names) == 1 and not vary) as tick:
        count = 1000 if runs is None else runs
        found = compared(*names, vary=list(vary) or None, runs=count, progress=tick, **settings)
    causes: tuple[Why, ...] = ()
    if why:
        with progress(say("compare.looking"), left=False) as tick, suppress(KeyboardInterrupt):
            causes = found.why(tick)
    if form == "json":
        write(json.dumps(compare_json(found, causes or None), ensure_ascii=False, allow_nan=False), None)
    else:
        parts(lambda: compare_text(found, causes), compare_parts(found, causes))
    if form == "json" and found.stopped:
        tell(title(found))
    if why and (not causes or (form == "json" and any(one.stopped for one in causes))):
        tell(say("compare.stopped_looking"))
    return found, causes


def _labels_and_reward(runs: int | None, form: str, settings: dict[str, Any]) -> Comparison:
    """The comparison that a lesson on labels and reward wants."""
    from glassgrad.report.labels_and_reward import labels_and_reward
    from glassgrad.report.labels_text import labels_and_reward_parts, labels_and_reward_text

    with progress(say("compare.training"), left=False) as tick:
        found = labels_and_reward(10_000 if runs is None else runs, progress=tick, **settings)
    if form == "json":
        write(json.dumps(found.to_json(), ensure_ascii=False, allow_nan=False), None)
    else:
        parts(lambda: labels_and_reward_text(found), labels_and_reward_parts(found))
    return found.comparison


def _slips(names: Sequence[str], runs: int | None, form: str, settings: dict[str, Any]) -> Comparison:
    """Mistakes on purpose, each beside what is right."""
    from glassgrad.report.slips import RUNS, slips
    from glassgrad.report.slips_text import slips_parts, slips_text

    with progress(say("compare.training"), left=False) as tick:
        found = slips(*names, runs=RUNS if runs is None else runs, progress=tick, **settings)
    if form == "json":
        write(json.dumps(found.to_json(), ensure_ascii=False, allow_nan=False), None)
    else:
        parts(lambda: slips_text(found), slips_parts(found))
    return found.comparison


def _check(form: str, asked: dict[str, Sequence[str]]) -> None:
    if form not in FORMATS:
        raise ExperimentError("experiment.choice", setting="--format", known=", ".join(FORMATS), came=form)
    for option, files in asked.items():
        for file in files:
            check_file(option, file, ENDINGS[option])
    if asked["--parquet"]:
        need_pyarrow()
