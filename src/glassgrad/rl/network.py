"""A network's output as a function of all its parameters: for many sets of them at once, and its derivatives.

theta: all parameters as one vector, in the order of `Network.parameters`: unit by unit its weights, then its bias.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassgrad.draws import Floats
from glassgrad.formula.derivative import derivative
from glassgrad.formula.evaluate import evaluate
from glassgrad.formula.tree import Tree
from glassgrad.method import Method


def flat(of: Method, parameters: Mapping[str, Any]) -> Floats:
    """All parameters as one vector, in double precision."""
    found = [parameters[array][place] for _, array, place in of.network.parameters()]
    return np.array(found, dtype=np.float64)


def outputs(of: Method, theta: Floats, inputs: Floats) -> Floats:
    """The output o (sets, questions) for sets of parameters (sets, parameters) and questions (questions, inputs)."""
    return np.asarray(every_output(of, theta, inputs)[:, :, 0])


def every_output(of: Method, theta: Floats, inputs: Floats) -> Floats:
    """All outputs (sets, questions, outputs)."""
    below = np.broadcast_to(inputs, (len(theta), *inputs.shape))
    for layer in _layers(of, theta):
        below = layer.activation(layer.sums(below))
    return np.asarray(below)


@np.errstate(all="ignore")
def jacobian(of: Method, theta: Floats, inputs: Floats, output: int = 0) -> tuple[Floats, Floats]:
    """The output o (questions), and do/dtheta (questions, parameters), back through the layers.

    output: which of several, from 0.

    do/dz_i = do/da_i*a'(z_i), do/dW[i][j] = do/dz_i*a_j, do/db[i] = do/dz_i, do/da_j = Σ_i do/dz_i*W[i][j].
    """
    seen, below = [], np.broadcast_to(inputs, (1, *inputs.shape))
    for layer in _layers(of, theta[None]):
        z = layer.sums(below)
        seen.append((layer, below[0], z))
        below = layer.activation(z)
    arriving = np.zeros((len(inputs), of.network.outputs))  # do/da_i (questions, units)
    arriving[:, output] = 1.0
    pieces: list[Floats] = []
    for layer, under, z in reversed(seen):
        through = arriving * layer.slope(z)[0]  # do/dz_i
        weights = through[:, :, None] * (under[:, None, :] if layer.sources is None else under[:, layer.sources])
        units = np.concatenate([weights, through[:, :, None]], axis=2).reshape(len(inputs), -1)
        pieces.append(np.concatenate([units, *layer.learned_slopes(z, arriving)], axis=1))
        arriving = through @ layer.weights[0]
    return below[0, :, output], np.concatenate(pieces[::-1], axis=1)


class _Layer:
    """One layer's numbers, for many sets of parameters: weights (sets, units, below), bias (sets, 1, units).

    sources: which units below each unit reads (units, read), if not all.
    """

    def __init__(
        self, weights: Floats, bias: Floats, tree: Tree, numbers: Mapping[str, float], learned: Mapping[str, Floats],
        sources: NDArray[np.int64] | None = None,
    ) -> None:  # fmt: skip
        self.sources = sources
        self.weights, self.bias, self.tree, self.learned = weights, bias, tree, learned
        self.numbers = {**numbers, **learned}

    def sums(self, below: Floats) -> Floats:
        return below @ self.weights.transpose(0, 2, 1) + self.bias

    def activation(self, z: Floats) -> Floats:
        return self.value(self.tree, z)

    def slope(self, z: Floats) -> Floats:
        return self.value(derivative(self.tree, "z"), z)

    def learned_slopes(self, z: Floats, arriving: Floats) -> list[Floats]:
        """do/dp for each number p that the activation learns, as columns (questions, 1)."""
        slopes = (self.value(derivative(self.tree, name), z)[0] for name in self.learned)
        return [np.sum(arriving * slope, axis=1, keepdims=True) for slope in slopes]

    def value(self, tree: Tree, z: Floats) -> Floats:
        return np.array(np.broadcast_to(evaluate(tree, {"z": z, **self.numbers}), z.shape), dtype=np.float64)


def _layers(of: Method, theta: Floats) -> Iterator[_Layer]:
    net, start = of.network, 0
    for number in net.layers:
        read, units = net.fan_in(number), net.sizes[number]
        block = theta[:, start : start + units * (read + 1)].reshape(len(theta), units, read + 1)
        start += units * (read + 1)
        weights, sources = block[:, :, :-1], None
        if read < net.sizes[number - 1]:  # networks that are apart
            sources = np.array([net.sources(number, unit) for unit in net.units(number)])
            weights = np.zeros((len(theta), units, net.sizes[number - 1]))
            weights[:, np.arange(units)[:, None], sources] = block[:, :, :-1]
        names = [f"{name}{number}" for name in net.learned_in(number)]
        learned = {name: theta[:, start + i, None, None] for i, name in enumerate(names)}
        start += len(names)
        formula = of.output_activation if number == net.last else of.activation
        tree, bias = formula.in_layer(number), block[:, None, :, -1]
        yield _Layer(weights, bias, tree, formula.numbers, learned, sources)


__all__ = ["every_output", "flat", "jacobian", "outputs"]
