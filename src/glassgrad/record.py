"""The record of one run: every number of every step, as arrays; moving in time is indexing."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from glassgrad.draws import Floats, dropout_mask, minibatch, weight_noise
from glassgrad.experiment import Experiment
from glassgrad.method import Method, method

Array = NDArray[np.floating]
MEMORY = 1 << 29  # a record larger than this keeps only the steps that are shown


@dataclass(frozen=True)
class Moment:
    """All numbers of one step, from which every equation follows; parameters, states: before the update.

    parameters, after, gradients: `W1` (units, inputs), `b1` (units), …; gradients as they are before clipping.
    states: the optimizer's, by name, then by parameter. lines: the objective's own states (a baseline).
    inputs (samples, inputs), truth, noise, uniform (samples): what this step's batch sees; places: which of the drawn
    samples they are. masks: by layer, what dropout multiplies each activation with, (samples, units). weight_noise:
    where the weights are perturbed, a number for each of them in each sample, (samples, weights).
    collected: the step that collected the data, and has the values of old(…), where that is another one.
    updated: whether an update followed; not at the step where a run diverged.
    """

    step: int
    parameters: Mapping[str, Array]
    after: Mapping[str, Array]
    gradients: Mapping[str, Array]
    states: Mapping[str, Mapping[str, Array]]
    states_after: Mapping[str, Mapping[str, Array]]
    lines: Mapping[str, float]
    lines_after: Mapping[str, float]
    inputs: Floats
    truth: Floats
    noise: Floats | None
    uniform: Floats | None
    places: NDArray[np.int64]
    masks: Mapping[int, Floats]
    weight_noise: Floats | None
    loss: float
    reward: float | None
    updated: bool = True
    collected: "Moment | None" = None


@dataclass(frozen=True)
class Record:
    """One run.

    status: `finished`, `diverged at step 143: log(0) in objective`, or `stopped at step 143`.
    steps: how many steps have numbers. rows: for step s, rows[s] is its place in the arrays, -1 if it was not kept.
    loss, reward (steps): of the batch, before the update. output (steps): the network's, for the chosen sample.
    parameters, gradients (rows, …); states by name and parameter (rows, …); lines: the objective's states (steps + 1).
    inputs (samples, inputs), or (steps, samples, inputs) where they are fresh; truth likewise.
    noise, uniform (steps, samples), where the policy has any.
    """

    experiment: Experiment
    status: str
    steps: int
    rows: NDArray[np.int64]
    loss: Floats
    reward: Floats | None
    parameters: Mapping[str, Array]
    gradients: Mapping[str, Array]
    states: Mapping[str, Mapping[str, Array]]
    lines: Mapping[str, Floats]
    inputs: Floats
    truth: Floats
    noise: Floats | None = None
    uniform: Floats | None = None
    seconds: float = field(default=0.0, compare=False)

    @property
    def method(self) -> Method:
        """The formulas that were run."""
        return method(self.experiment)

    def parameters_at(self, step: int) -> dict[str, Array]:
        """The network's numbers before the update of a step (step = steps + 1: the final ones).

        Raises:
            KeyError: the step was not kept.
        """
        if not 1 <= step < len(self.rows) or self.rows[step] < 0:
            raise KeyError(step)
        return {name: values[self.rows[step]] for name, values in self.parameters.items()}

    @property
    def final(self) -> dict[str, Array]:
        """The network's numbers after the last update."""
        return self.parameters_at(self.steps + 1)

    def kept(self, step: int) -> bool:
        """Whether a step's numbers are all there."""
        return 1 <= step <= self.steps and self.rows[step] >= 0

    def batch(self, step: int) -> tuple[Floats, Floats, NDArray[np.int64]]:
        """What a step saw: inputs (n, inputs), truth (n), and which of the drawn samples they are."""
        if self.experiment.fresh:
            return self.inputs[step - 1], self.truth[step - 1], np.arange(self.inputs.shape[1])
        places = self.places(step)
        return self.inputs[places], self.truth[places], places

    def places(self, step: int) -> NDArray[np.int64]:
        """Which of the fixed samples a step saw."""
        count = len(self.inputs)
        batch = self.experiment.minibatch(count)
        return np.arange(count) if batch is None else minibatch(self.experiment.seed, step, count, batch)

    def moment(self, step: int) -> Moment:
        """All numbers of one step.

        Raises:
            KeyError: the step was not kept.
        """
        row, collects = self.rows[step], self.experiment.collects(step) if self.method.olds else step
        inputs, truth, places = self.batch(step)
        n = len(inputs)
        following = self.rows[step + 1] if self.rows[step + 1] >= 0 else row
        return Moment(
            step=step,
            parameters=self.parameters_at(step),
            after={name: values[following] for name, values in self.parameters.items()},
            gradients={name: values[row] for name, values in self.gradients.items()},
            states={s: {name: values[row] for name, values in by.items()} for s, by in self.states.items()},
            states_after={s: {name: values[following] for name, values in by.items()} for s, by in self.states.items()},
            lines={name: float(values[step - 1]) for name, values in self.lines.items()},
            lines_after={name: float(values[step]) for name, values in self.lines.items()},
            inputs=inputs,
            truth=truth,
            noise=None if self.noise is None else self.noise[step - 1, :n],
            uniform=None if self.uniform is None else self.uniform[step - 1, :n],
            places=places,
            masks=masks(self.experiment, step, n),
            weight_noise=perturbation(self.experiment, self.method, step, n),
            loss=float(self.loss[step - 1]),
            reward=None if self.reward is None else float(self.reward[step - 1]),
            updated=step < self.steps or not self.status.startswith("diverged"),
            collected=None if collects == step else self.moment(collects),
        )


def masks(experiment: Experiment, step: int, samples: int) -> dict[int, Floats]:
    """What dropout multiplies each hidden layer's activations with, (samples, units); nothing without dropout."""
    if not experiment.dropout:
        return {}
    parts = experiment.network[-1] if experiment.apart else 1
    return {
        layer: dropout_mask(experiment.seed, step, samples, layer, units * parts, experiment.dropout)
        for layer, units in enumerate(experiment.network[:-1])
        if layer
    }


def perturbation(experiment: Experiment, of: Method, step: int, samples: int) -> Floats | None:
    """A number for each weight of each sample, (samples, weights), where the policy perturbs the weights."""
    return weight_noise(experiment.seed, step, samples, len(of.tried)) if of.tried else None
