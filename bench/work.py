"""The work that all competitors do: the shipped experiment `add`, its first parameters and its data.

The parameters are those of `nn.Linear` after `torch.manual_seed(s)`, the questions those of `numpy.random.randint`
after `numpy.random.seed(s)`, both drawn in the quickest way that a host program has: about a tenth of what the
plain script takes. In one row of parameters: W1 unit by unit, b1, W2, b2.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Whole = NDArray[np.int64]

INPUTS, UNITS, SAMPLES, STEPS = 2, 5, 1000, 1000
RATE, BETA1, BETA2, EPS = 0.1, 0.9, 0.999, 1e-8
TOLERANCE = 0.5  # a run is solved if every answer is nearer to the truth than this
PARAMETERS = INPUTS * UNITS + UNITS + UNITS + 1


def parameters(seeds: Sequence[int], sizes: Sequence[int] = (INPUTS, UNITS, 1)) -> Floats:
    """The first parameters of runs, of shape (runs, parameters).

    Example:
        >>> parameters([0]).shape
        (1, 21)
    """
    import torch

    generator = torch.Generator()
    pieces = [(inner, count) for inner, outer in pairwise(sizes) for count in (inner * outer, outer)]
    row = torch.empty(sum(count for _, count in pieces))
    parts = [(part, inner**-0.5) for (inner, _), part in zip(pieces, row.split([n for _, n in pieces]), strict=True)]
    found = np.empty((len(seeds), len(row)), np.float32)
    for run, seed in enumerate(seeds):
        generator.manual_seed(seed)
        for part, bound in parts:
            part.uniform_(-bound, bound, generator=generator)
        found[run] = row.numpy()
    return found


def questions(seeds: Sequence[int]) -> Whole:
    """The questions of runs, of shape (runs, samples, 2).

    Example:
        >>> questions([0])[0, 0]
        array([5, 0])
    """
    stream = np.random.RandomState()
    found = np.empty((len(seeds), SAMPLES, INPUTS), np.int64)
    for run, seed in enumerate(seeds):
        stream.seed(seed)
        found[run] = stream.randint(0, 10, (SAMPLES, INPUTS))
    return found


def weights(asked: Whole) -> Floats:
    """How often each distinct question 10*x1 + x2 was drawn, of shape (runs, 100).

    Example:
        >>> float(weights(questions([0])).sum())
        1000.0
    """
    number = asked[:, :, 0] * 10 + asked[:, :, 1]
    return np.stack([np.bincount(run, minlength=100) for run in number]).astype(np.float32)


def corrections(rate: float = RATE, steps: int = STEPS) -> Floats:
    """Adam's bias corrections for each step, of shape (steps, 2): rate/(1 - beta1**step), 1/sqrt(1 - beta2**step)."""
    step = np.arange(1, steps + 1, dtype=np.float64)
    return np.stack([rate / (1 - BETA1**step), 1 / np.sqrt(1 - BETA2**step)], axis=1).astype(np.float32)
