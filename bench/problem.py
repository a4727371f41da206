"""An experiment that learns from labels, as the JAX competitors need it: shapes, numbers, distinct questions."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from bench import work
from bench.outcome import Outcome


@dataclass(frozen=True)
class Problem:
    """A shipped experiment with some settings changed; mean squared error, Adam, ReLU, full batch.

    sizes, rate, steps: its network, learning rate and steps, as the experiment has them.
    """

    name: str = "add"
    sizes: tuple[int, ...] = (work.INPUTS, work.UNITS, 1)
    rate: float = work.RATE
    steps: int = work.STEPS
    settings: dict[str, Any] = field(default_factory=dict, hash=False)

    @cached_property
    def experiment(self) -> Any:
        """The experiment itself."""
        from glassgrad.tables.experiments import shipped

        return shipped(self.name).change(network=self.sizes, steps=self.steps, **self.settings)

    @cached_property
    def task(self) -> Any:
        """Its task."""
        from glassgrad.method import method

        return method(self.experiment).task

    @cached_property
    def domain(self) -> work.Floats:
        """Every distinct question, of shape (inputs, questions)."""
        return np.asarray(self.task.domain().T, np.float32)

    @cached_property
    def truth(self) -> work.Floats:
        """The label of every distinct question."""
        return np.asarray(self.task.true(self.task.domain()), np.float32)

    def weights(self, seeds: Sequence[int]) -> work.Floats:
        """How often each distinct question was drawn, of shape (runs, questions)."""
        if self.name == "add":
            return work.weights(work.questions(seeds))
        place = 32.0 ** np.arange(len(self.domain))
        keys = place @ self.domain
        order = np.argsort(keys)
        stream, found = np.random.RandomState(), np.empty((len(seeds), len(keys)), np.float32)
        for run, seed in enumerate(seeds):
            stream.seed(seed)
            drawn = self.task.sample(stream, self.experiment.samples) @ place
            found[run, order] = np.bincount(np.searchsorted(keys[order], drawn), minlength=len(keys))
        return found

    def corrections(self) -> work.Floats:
        """Adam's bias corrections for each step."""
        return work.corrections(self.rate, self.steps)

    def layers(self, row: Any) -> list[tuple[Any, Any]]:
        """(weights of shape (units, inputs), biases) of each layer, from a row of parameters."""
        found, start = [], 0
        for inner, outer in pairwise(self.sizes):
            middle, end = start + inner * outer, start + inner * outer + outer
            found.append((row[..., start:middle].reshape(*row.shape[:-1], outer, inner), row[..., middle:end]))
            start = end
        return found

    def judge(self, parameters: work.Floats) -> Outcome:
        """The outcome of trained runs, from parameters of shape (runs, parameters)."""
        value, *after = self.domain[None], *self.layers(parameters)
        for number, (weight, bias) in enumerate(after):
            value = weight @ (np.maximum(value, 0) if number else value) + bias[:, :, None]
        gap = np.abs(value[:, 0] - self.truth)
        return Outcome(gap.mean(axis=1).astype(np.float32), gap.max(axis=1) < work.TOLERANCE)


ADD = Problem()
WIDER = {
    "2-16-1": Problem(sizes=(2, 16, 1)),
    "2-64-1": Problem(sizes=(2, 64, 1)),
    "2-64-64-1": Problem(sizes=(2, 64, 64, 1)),
    "both": Problem("both", (3, 8, 1), 0.03, 2000),
}
"""Networks beyond that of `add`, by how they are written."""

PASSING: dict[str, dict[str, Any]] = {
    "relu": {"clip": 1e12},  # clips nothing; but such steps are not made of moments
    "tanh": {"activation": "tanh"},
    "sigmoid": {"activation": "sigmoid"},
}
"""Settings of `add` with which the compiled engine goes through the questions at each step."""
