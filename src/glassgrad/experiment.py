"""An experiment: everything that decides a training, as one frozen value that can be written out and read back."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from glassgrad.errors import ExperimentError

Precision = Literal["single", "double"]

MAX_LAYERS, MAX_UNITS, MAX_STEPS, MAX_SAMPLES = 8, 1024, 1_000_000, 1_000_000
MAX_OUTPUTS = 100
LAST_SEED = 2**32 - 1  # what NumPy takes


@dataclass(frozen=True)
class Experiment:
    """A task, a network, a way to answer, what is made small, and how.

    name: what it is called.
    task: a task of the table; truth: a formula that replaces the task's own; data: a CSV file that replaces both.
    held_out: the share of the file's rows that is kept from training, at its end.
    network: how many inputs, units, …, outputs. apart: whether each output has hidden layers of its own.
    activation, output_activation, init: rows or own formulas.
    policy, reward, objective, regulariser, optimizer, schedule: rows (`adam(lr=0.1)`), formulas, or lines.
    dropout: the share of hidden activations set to 0. clip: the largest norm of the gradient.
    samples: answers of a step, to questions drawn once, or anew for each step if `fresh`. batch: how many of them a
        step sees (all). group: how many answers, side by side, are tried to each question.
    passes: how many updates are made from the same data, with the answers as they were tried before the first of them.
    steps: updates. seed: 0 <= seed < 2**32. precision: single or double.

    Raises:
        ExperimentError: a number is out of its range.

    Example:
        >>> Experiment("mine", steps=10).network
        (2, 5, 1)
    """

    name: str
    task: str = "add"
    truth: str | None = None
    data: str | None = None
    held_out: float = 0.0
    network: tuple[int, ...] = (2, 5, 1)
    apart: bool = False
    activation: str = "relu"
    output_activation: str = "linear"
    init: str = "default"
    policy: str = "output"
    reward: str | None = None
    objective: str = "mse"
    regulariser: str | None = None
    dropout: float = 0.0
    clip: float | None = None
    optimizer: str = "adam(lr=0.1)"
    schedule: str = "constant"
    samples: int = 1000
    fresh: bool = False
    batch: int | None = None
    group: int = 1
    passes: int = 1
    steps: int = 1000
    seed: int = 0
    precision: Precision = "single"

    def __post_init__(self) -> None:
        _within("steps", self.steps, 1, MAX_STEPS)
        _within("samples", self.samples, 1, MAX_SAMPLES)
        _within("seed", self.seed, 0, LAST_SEED)
        _within("layers", len(self.network), 2, MAX_LAYERS)
        for units in self.network:
            _within("units", units, 1, MAX_UNITS)
        _within("outputs", self.network[-1], 1, MAX_OUTPUTS)
        if self.batch is not None:
            _within("batch", self.batch, 1, self.samples)
        _within("dropout", self.dropout, 0, 0.99)
        _within("held_out", self.held_out, 0, 0.9)
        if self.clip is not None:
            _within("clip", self.clip, 1e-12, 1e12)
        if self.precision not in ("single", "double"):
            raise ExperimentError("experiment.choice", setting="precision", known="single, double", came=self.precision)
        if self.apart and (self.network[-1] == 1 or len(self.network) == 2):
            raise ExperimentError("experiment.apart", network="-".join(map(str, self.network)))
        if self.fresh and self.batch is not None:
            raise ExperimentError("experiment.fresh_batch", samples=self.samples)
        _within("group", self.group, 1, MAX_SAMPLES)
        _within("passes", self.passes, 1, MAX_STEPS)
        self._fits_together()

    def _fits_together(self) -> None:
        """Groups and passes go with whole sets of answers only."""
        for setting, value in (("group", self.group), ("passes", self.passes)):
            if value > 1 and self.batch is not None:
                raise ExperimentError("experiment.no_batch", setting=setting, value=value)
        if self.group > 1 and self.data is not None:
            raise ExperimentError("experiment.group_data", group=self.group)
        if self.samples % self.group:
            fix = min(max(1, round(self.samples / self.group)), MAX_SAMPLES // self.group) * self.group
            raise ExperimentError("experiment.group_samples", group=self.group, came=self.samples, fix=fix)
        if self.passes > 1 and self.dropout:
            raise ExperimentError("experiment.passes_dropout", passes=self.passes)

    def collects(self, step: int) -> int:
        """The step, at or before this one, at which its data was collected: its questions asked, its answers tried.

        Example:
            >>> [Experiment("mine", passes=4).collects(step) for step in (1, 4, 5)]
            [1, 1, 5]
        """
        return step - (step - 1) % self.passes

    @property
    def hidden_units(self) -> int:
        """How many hidden units there are in all."""
        return sum(self.network[1:-1]) * (self.network[-1] if self.apart else 1)

    def minibatch(self, rows: int) -> int | None:
        """How many of so many questions a step sees, in an order by chance; None: all, in theirs.

        Example:
            >>> Experiment("mine", samples=40, batch=40).minibatch(40) is None
            True
        """
        return self.batch if self.batch is not None and self.batch < rows else None

    def change(self, **settings: Any) -> "Experiment":
        """The same experiment with some settings changed.

        Example:
            >>> Experiment("mine").change(seed=7).seed
            7
        """
        unknown = next((key for key in settings if key not in FIELDS), None)
        if unknown:
            raise unknown_setting(unknown)
        return dataclasses.replace(self, **settings)


FIELDS: tuple[str, ...] = tuple(field.name for field in dataclasses.fields(Experiment))


def unknown_setting(name: str, known: Sequence[str] = FIELDS, meant: str | None = None) -> ExperimentError:
    """The error for a setting that is none of those that are known; meant: the one that it will have meant."""
    import difflib

    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    nearest = meant or (near[0] if near else "steps")
    return ExperimentError("experiment.setting", name=name[:40], nearest=nearest, known=", ".join(known))


def _within(setting: str, value: float, low: float, high: float) -> None:
    if isinstance(value, bool) or not low <= value <= high:
        raise ExperimentError("experiment.range", setting=setting, low=f"{low:g}", high=f"{high:.10g}", came=value)
