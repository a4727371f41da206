"""What a network has become: its answers, its dead and saturated units, its local slopes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from glassgrad.draws import Floats
from glassgrad.experiment import Experiment
from glassgrad.formula.derivative import derivative
from glassgrad.formula.evaluate import evaluate
from glassgrad.formula.lines import reads
from glassgrad.method import Formula, Method, method
from glassgrad.network import Network

FLAT = 1e-3  # a unit whose slope is below this on every question hardly learns any more
SLOPES_SHOWN = 200

Parameters = Mapping[str, Any]


@dataclass(frozen=True)
class Slope:
    """Around one question the output is intercept + Σ slope_i * x_i, as long as no unit switches."""

    inputs: tuple[float, ...]
    slopes: tuple[float, ...]
    intercept: float


@dataclass(frozen=True)
class Units:
    """Hidden units that no longer take part: dead (0 on every question), saturated (flat on every question)."""

    dead: tuple[str, ...]
    saturated: tuple[str, ...]


@np.errstate(all="ignore")
def forward(experiment: Experiment, parameters: Parameters, inputs: Floats) -> dict[str, Floats]:
    """Every z, a and o (o1, o2, …) by name for inputs of shape (n, inputs), in double precision; dropout is off.

    Example:
        >>> from glassgrad.tables.experiments import shipped
        >>> net = {"W1": np.array([[1.0, 1.0]]), "b1": np.array([0.0])}
        >>> forward(shipped("add-linear"), net, np.array([[5.0, 3.0]]))["z1"]
        array([8.])
    """
    of = method(experiment)
    net, found, below = of.network, dict[str, Floats](), inputs
    for layer in net.layers:
        z = below @ _weights(net, layer, parameters).T + np.asarray(parameters[f"b{layer}"], np.float64)
        formula = of.activation if layer < net.last else of.output_activation
        below = _activated(formula, layer, parameters, z)  # (n, units)
        found |= {net.sum_name(layer, i): z[:, i] for i in net.units(layer)}
        if layer < net.last:
            found |= {f"a{layer}_{i + 1}": below[:, i] for i in net.units(layer)}
    return found | {name: below[:, k] for k, name in enumerate(of.outputs)}


def _weights(net: Network, layer: int, parameters: Parameters) -> Floats:
    """A layer's weights from all units below, 0 where a unit does not read one: (units, units below)."""
    given = np.asarray(parameters[f"W{layer}"], np.float64)
    if given.shape[1] == net.sizes[layer - 1]:
        return given
    found = np.zeros((net.sizes[layer], net.sizes[layer - 1]))
    for unit in net.units(layer):
        found[unit, list(net.sources(layer, unit))] = given[unit]
    return found


def _activated(formula: Formula, layer: int, parameters: Parameters, z: Floats) -> Floats:
    learned = {f"{name}{layer}": float(parameters[f"{name}{layer}"]) for name in formula.learned}
    value = evaluate(formula.in_layer(layer), {"z": z, **formula.numbers, **learned})
    return np.array(np.broadcast_to(value, z.shape))


def answers(experiment: Experiment, parameters: Parameters, inputs: Floats, output: Floats | None = None) -> Floats:
    """What the network answers, shape (n,): the policy without chance (noise 0, uniform 0.5).

    Perturbed weights are the weights themselves then.

    output: the network's output where it is known already, as PyTorch has it: (n), or (n, outputs).
    """
    of = method(experiment)
    seen = forward(experiment, parameters, inputs) if output is None else _by_output(of, output)
    values: dict[str, Any] = {
        **of.numbers,
        "noise": 0.0,
        "uniform": 0.5,
        "step": 1.0,
        "t": of.task.true(inputs),
        **{name: seen[name] for name in of.outputs},
        **{name: inputs[:, i] for i, name in enumerate(of.task.names)},
    }
    answer = of.program.latest["a"]
    for line in of.program.lines:
        if line.name in reads(of.program.lines, answer):
            values[line.name] = evaluate(line.tree, values)
    return np.array(np.broadcast_to(values[answer], (len(inputs),)), dtype=np.float64)


def _by_output(of: Method, output: Floats) -> dict[str, Floats]:
    """Known outputs by name."""
    return dict(zip(of.outputs, output.reshape(len(output), -1).T, strict=True))


def units(experiment: Experiment, parameters: Parameters) -> Units:
    """The hidden units that are 0, or flat, on every question of the domain."""
    of = method(experiment)
    seen = forward(experiment, parameters, of.task.domain())
    dead, saturated = [], []
    for layer in of.network.layers[:-1]:
        for i in of.network.units(layer):
            name = f"a{layer}_{i + 1}"
            slope = _slope(of.activation, layer, parameters, seen[of.network.sum_name(layer, i)])
            if np.all(seen[name] == 0):
                dead.append(name)
            elif np.all(np.abs(slope) < FLAT):
                saturated.append(name)
    return Units(tuple(dead), tuple(saturated))


def _slope(activation: Formula, layer: int, parameters: Parameters, z: Floats) -> Floats:
    learned = {f"{name}{layer}": float(parameters[f"{name}{layer}"]) for name in activation.learned}
    values = {"z": z, **activation.numbers, **learned}
    return np.array(np.broadcast_to(evaluate(derivative(activation.in_layer(layer), "z"), values), z.shape))


@np.errstate(all="ignore")
def slopes(experiment: Experiment, parameters: Parameters, inputs: Floats) -> list[Slope]:
    """The output's local slopes and intercept at each question: for x1 + x2 learned well, (1, 1) and 0.

    Nothing where there are several outputs: none of them is the answer by itself.

    slope = W_L · diag(f'(z_{L-1})) · … · W_1, intercept = o - Σ slope_i * x_i
    """
    of = method(experiment)
    if of.network.outputs > 1:
        return []
    seen = forward(experiment, parameters, inputs)
    last = of.network.last
    steep = _slope(of.output_activation, last, parameters, seen[of.network.sum_name(last, 0)])[:, None]  # (n, 1)
    for layer in reversed(of.network.layers):
        steep = steep @ np.asarray(parameters[f"W{layer}"], dtype=np.float64)  # (n, units below)
        if layer > 1:
            z = [seen[of.network.sum_name(layer - 1, i)] for i in of.network.units(layer - 1)]
            steep = steep * np.stack([_slope(of.activation, layer - 1, parameters, one) for one in z], axis=1)
    intercept = seen["o"] - np.sum(steep * inputs, axis=1)
    return [
        Slope(tuple(map(float, x)), tuple(map(float, s)), float(b))
        for x, s, b in zip(inputs, steep, intercept, strict=True)
    ]


def solved(experiment: Experiment, parameters: Parameters) -> bool:
    """Whether every question of the domain is answered within the task's tolerance."""
    task = method(experiment).task
    return bool(np.all(errors(experiment, parameters, task.domain()) < task.tolerance))


@np.errstate(all="ignore")
def errors(experiment: Experiment, parameters: Parameters, inputs: Floats) -> Floats:
    """|answer - truth| for each question."""
    of = method(experiment)
    return np.asarray(np.abs(answers(experiment, parameters, inputs) - of.task.true(inputs)))


def squares(of: Method) -> list[tuple[str, Floats]]:
    """Questions laid out as a square (rows x1, columns x2, inputs); one square for each value of a third input.

    Nothing if the task has not two whole-number inputs (and at most one more).
    """
    draw = of.task.draws[0] if of.task.draws else None
    if draw is None or draw.names != ("x1", "x2") or draw.kind != "integers" or len(of.task.inputs) > 3:
        return []
    side = np.arange(int(draw.low), int(draw.high) + 1, dtype=np.float64)
    grid = np.stack(np.meshgrid(side, side, indexing="ij"), axis=-1)
    if len(of.task.inputs) == 2:
        return [("", grid)]
    third = of.task.draws[-1]
    if third.names != ("x3",):
        return []
    return [
        (f"x3 = {value}", np.concatenate([grid, np.full((*grid.shape[:2], 1), float(value))], axis=-1))
        for value in third.values
    ]
