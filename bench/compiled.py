"""Glassgrad's compiled engine, on any experiment."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from bench.outcome import Outcome
from bench.variant import Variant

NEEDS = "glassgrad.engines.compiled"


def train(seeds: Sequence[int], settings: dict[str, Any], name: str = "add", distinct: bool | None = None) -> Any:
    """The runs of some seeds of a shipped experiment, with some of its settings changed."""
    from glassgrad.engines.compiled import train_many
    from glassgrad.tables.experiments import shipped

    return train_many(shipped(name).change(**settings), seeds, distinct=distinct)


def judge(runs: Any) -> Outcome:
    """What they ended with: the engine says so itself."""
    return Outcome(runs.mean_error, runs.solved)


def variant(
    unit: int, settings: dict[str, Any] | None = None, name: str = "add", distinct: bool | None = None
) -> Variant:
    """An experiment, a number of runs at a time."""
    how = {True: "distinct questions", False: "all samples", None: "automatic"}[distinct]
    train_these = partial(train, settings=settings or {}, name=name, distinct=distinct)
    return Variant(f"{how}, {unit} runs at once", unit, train_these, judge)
