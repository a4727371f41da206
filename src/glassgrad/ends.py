"""The networks with which many runs end: their last parameters, so that they can be asked anything."""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from glassgrad.engines.compiled.one import last_parameters
from glassgrad.engines.compiled.plan import plan
from glassgrad.experiment import Experiment

Parameters = Mapping[str, Any]


def ends(experiment: Experiment, seeds: Sequence[int]) -> Iterator[Parameters | None]:
    """The last parameters of each run, in the order of the seeds; None where a run diverged.

    Each is the run of `train_one`.

    Raises:
        ExperimentError: the experiment has something that this engine cannot run.

    Example:
        >>> from glassgrad.tables.experiments import shipped
        >>> [sorted(end) for end in ends(shipped("knob"), range(2))]
        [['W1', 'b1'], ['W1', 'b1']]
    """
    of = plan(experiment)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        try:
            yield from pool.map(lambda seed: last_parameters(of, int(seed)), seeds)
        finally:
            pool.shutdown(cancel_futures=True)
