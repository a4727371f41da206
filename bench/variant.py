"""One way in which a competitor can do its work: the best of its variants is what is compared."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.machine import cores
from bench.outcome import Outcome
from bench.problem import ADD


@dataclass(frozen=True)
class Variant:
    """label: what it is called. unit: how many runs it trains at once; it is always given whole units.

    train: trains the runs of some seeds, their set-up included. judge: what they ended with; not timed.
    warm: what is done once before the clock starts: compiling; by default one unit is trained.
    """

    label: str
    unit: int
    train: Callable[[Sequence[int]], Any]
    judge: Callable[[Any], Outcome] = ADD.judge
    warm: Callable[[], object] | None = None

    def prepare(self) -> None:
        """Compile, if there is something to compile."""
        if self.warm is None:
            self.train(range(self.unit))
        else:
            self.warm()


def spread(train: Callable[[Sequence[int]], Any], seeds: Sequence[int], batch: int) -> Any:
    """Train batches of runs on all cores, a thread each, and join the parameters."""
    batches = [seeds[start : start + batch] for start in range(0, len(seeds), batch)]
    with ThreadPoolExecutor(cores()) as pool:
        return np.concatenate(list(pool.map(train, batches)))
