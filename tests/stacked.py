"""The reference for many runs of `add` or `sub`: PyTorch with the runs as its leading axis, and nothing of ours.

First parameters are those of nn.Linear after torch.manual_seed(s), questions those of numpy.random.randint after
numpy.random.seed(s). Autograd differentiates the sum of the runs' losses; as a run's parameters occur in its own loss
only, and as torch.optim.Adam works number by number, each run is trained as if it were alone.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

INPUTS, UNITS, SAMPLES, STEPS = 2, 5, 1000, 1000
TOLERANCE = 0.5  # a run is solved if every answer is nearer to the truth than this
TOGETHER = 250  # so many runs are trained at once: their numbers fit into the cache
SIGN = {"add": 1, "sub": -1}
QUESTIONS = np.array([(x1, x2) for x1 in range(10) for x2 in range(10)])
DTYPES = {"single": torch.float32, "double": torch.float64}


@dataclass(frozen=True)
class Outcome:
    """errors (runs, marks): |answer - truth| over the 100 questions after so many steps; solved (runs): at the end."""

    errors: NDArray[np.float64]
    solved: NDArray[np.bool_]


def first_parameters(seeds: Sequence[int]) -> list[torch.Tensor]:
    """W1 (runs, units, inputs), b1 (runs, units), W2 (runs, 1, units), b2 (runs, 1), as a plain script has them."""
    found: list[list[torch.Tensor]] = []
    with torch.random.fork_rng(devices=[]):
        for seed in seeds:
            torch.default_generator.manual_seed(seed)  # as torch.manual_seed, which asks other devices first
            hidden, last = nn.Linear(INPUTS, UNITS), nn.Linear(UNITS, 1)
            found.append([each.detach() for each in (hidden.weight, hidden.bias, last.weight, last.bias)])
    return [torch.stack(each) for each in zip(*found, strict=True)]


def questions(seeds: Sequence[int]) -> NDArray[np.int64]:
    """The questions that are drawn, (runs, samples, inputs)."""
    return np.stack([np.random.RandomState(seed).randint(0, 10, (SAMPLES, INPUTS)) for seed in seeds])


def train(task: str, seeds: Sequence[int], marks: Sequence[int], precision: str, one_by_one: bool = False) -> Outcome:
    """Train the runs, with lr = 0.1 and all other settings as torch.optim.Adam has them, up to the last of the marks.

    one_by_one: all 1,000 samples; otherwise the 100 questions that there are, each weighted by how often it was drawn.
    """
    blocks = [seeds[first : first + TOGETHER] for first in range(0, len(seeds), TOGETHER)]
    with one_thread():
        parts = [_train(task, block, marks, DTYPES[precision], one_by_one) for block in blocks]
    return Outcome(np.concatenate([part.errors for part in parts]), np.concatenate([part.solved for part in parts]))


def _train(task: str, seeds: Sequence[int], marks: Sequence[int], dtype: torch.dtype, one_by_one: bool) -> Outcome:
    w1, b1, w2, b2 = (each.to(dtype).requires_grad_() for each in first_parameters(seeds))
    optimizer = torch.optim.Adam([w1, b1, w2, b2], lr=0.1)

    def answers(x: torch.Tensor) -> torch.Tensor:
        hidden = torch.relu(torch.baddbmm(b1[:, :, None], w1, x))  # (runs, units, questions)
        return torch.baddbmm(b2[:, :, None], w2, hidden)[:, 0]

    domain = torch.tensor(QUESTIONS.T, dtype=dtype).repeat(len(seeds), 1, 1)
    x, weight = _sample(seeds, domain, one_by_one)
    t, truth = (each[:, 0] + SIGN[task] * each[:, 1] for each in (x, domain))
    errors: list[NDArray[np.float64]] = []
    for step in range(1, max(marks) + 1):
        optimizer.zero_grad()
        (weight * (answers(x) - t) ** 2).sum().backward()
        optimizer.step()
        if step in marks:
            with torch.no_grad():
                gaps = (answers(domain) - truth).abs()
            errors.append(gaps.mean(dim=1).double().numpy())
    return Outcome(np.stack(errors, axis=1), (gaps.amax(dim=1) < TOLERANCE).numpy())


def _sample(seeds: Sequence[int], domain: torch.Tensor, one_by_one: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Questions (runs, inputs, …) and the weight of each in the mean over the samples (runs, …)."""
    asked = questions(seeds)
    if one_by_one:
        weight = torch.full(asked.shape[:2], 1 / SAMPLES, dtype=domain.dtype)
        return torch.tensor(asked, dtype=domain.dtype).transpose(1, 2).contiguous(), weight
    counts = np.stack([np.bincount(run, minlength=len(QUESTIONS)) for run in asked @ (10, 1)])
    return domain, torch.tensor(counts / SAMPLES, dtype=domain.dtype)


@contextmanager
def one_thread() -> Iterator[None]:
    """Matrices are small here: a second thread gains little, and loses much on a machine that is busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
