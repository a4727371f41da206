"""The data of a run, drawn before it begins with the calls of a plain script, and its noise."""

from dataclasses import dataclass

import numpy as np

from glassgrad.draws import Floats, normals, numpy_stream, uniforms
from glassgrad.experiment import Experiment
from glassgrad.formula.tree import symbols
from glassgrad.method import Method


@dataclass(frozen=True)
class Data:
    """inputs (samples, inputs) or (steps, samples, inputs); truth likewise; noise and uniform (steps, samples)."""

    inputs: Floats
    truth: Floats
    noise: Floats | None
    uniform: Floats | None


def _asked(experiment: Experiment, of: Method, stream: np.random.RandomState) -> Floats:
    """Questions, each as often as it is answered."""
    if experiment.group == 1:
        return of.task.sample(stream, experiment.samples)
    return np.repeat(of.task.sample(stream, experiment.samples // experiment.group), experiment.group, axis=0)


def draw(experiment: Experiment, of: Method) -> Data:
    """Draw a run's data; fresh questions for each step that collects, in turn from the same stream."""
    stream = numpy_stream(experiment.seed)
    steps = np.array([experiment.collects(step) for step in range(1, experiment.steps + 1)])
    if experiment.fresh:
        collecting, which = np.unique(steps, return_inverse=True)
        inputs = np.stack([_asked(experiment, of, stream) for _ in collecting])[which]
        truth = of.task.true(inputs.reshape(-1, inputs.shape[-1])).reshape(inputs.shape[:2])
    else:
        inputs = _asked(experiment, of, stream)
        truth = of.task.true(inputs)
    seen = experiment.minibatch(inputs.shape[-2]) or inputs.shape[-2]
    read = {name for line in of.program.lines for name in symbols(line.tree)}
    return Data(
        inputs,
        truth,
        normals(experiment.seed, "noise", steps, seen)[:, :, 0] if "noise" in read else None,
        uniforms(experiment.seed, "uniform", steps, seen)[:, :, 0] if "uniform" in read else None,
    )
