"""A study of many runs: independent pieces, each an experiment and a block of seeds.

Training a piece is a pure function from these to a small table, and tables are joined: pieces can run anywhere, and
memory does not grow with steps.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from glassgrad.experiment import Experiment
from glassgrad.runs import CURVES, Progress, Runs

if TYPE_CHECKING:
    from glassgrad.record import Record

BLOCK = 16_384  # runs of a piece

Train = Callable[[Experiment, Sequence[int], Progress | None], Runs]


@dataclass(frozen=True)
class Piece:
    """A part of a study: an experiment and a block of seeds."""

    experiment: Experiment
    seeds: range

    def run(self, train: Train, progress: Progress | None = None) -> Runs:
        """Its table: a pure function of the piece."""
        return train(self.experiment, self.seeds, progress)


def pieces(experiment: Experiment, seeds: range, block: int = BLOCK) -> list[Piece]:
    """A study of one experiment in independent pieces.

    Example:
        >>> from glassgrad.tables.experiments import shipped
        >>> [piece.seeds for piece in pieces(shipped("add"), range(20_000))]
        [range(0, 16384), range(16384, 20000)]
    """
    return [Piece(experiment, seeds[start : start + block]) for start in range(0, len(seeds), block)]


def joined(tables: Sequence[Runs]) -> Runs:
    """The tables of one experiment's pieces as one."""
    first = tables[0]
    whole: dict[str, Any] = {
        field.name: np.concatenate([getattr(table, field.name) for table in tables])
        for field in fields(Runs)
        if field.name not in ("experiment", "checkpoints", "curves", "seconds")
    }
    curves = np.concatenate([table.curves for table in tables])[:CURVES]
    return replace(first, **whole, curves=curves, seconds=sum(table.seconds for table in tables))


def trained(
    experiments: Sequence[Experiment], seeds: range, progress: Progress | None, train: Train | None = None
) -> list[Runs | None]:
    """The tables of all, by the compiled engine unless another is given; once stopped, of those that have runs."""
    if train is None:
        from glassgrad.engines.compiled import train_many

        train = train_many
    tables: list[list[Runs]] = [[] for _ in experiments]
    total, done = len(experiments) * len(seeds), 0
    try:
        for place, experiment in enumerate(experiments):
            for piece in pieces(experiment, seeds, BLOCK):
                table = piece.run(train, shifted(progress, done, total))
                tables[place].append(_light(table, sum(len(kept.curves) for kept in tables[place])))
                done += len(table)
                if progress is not None:
                    progress(done, total)
                if len(table) < len(piece.seeds):
                    raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    return [joined([table for table in kept if len(table)]) if any(map(len, kept)) else None for kept in tables]


def _light(table: Runs, curves_kept: int) -> Runs:
    """A table with no more learning curves than are still wanted."""
    return replace(table, curves=table.curves[: max(0, CURVES - curves_kept)].copy())


def shifted(progress: Progress | None, before: int, total: int) -> Progress | None:
    """The progress of a part as that of the whole."""
    return None if progress is None else lambda done, _: progress(before + done, total)


def one_run(experiment: Experiment, compiled: bool = True) -> "Record":
    """One run with its whole record, as `watch` trains it: by the compiled engine, or by PyTorch.

    The compiled one rounds otherwise when it trains many: a run may differ from the one in the table.
    """
    if compiled:
        from glassgrad.engines.compiled import train_one

        return train_one(experiment)
    from glassgrad.engines.torch import train

    return train(experiment)
