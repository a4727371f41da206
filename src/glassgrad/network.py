"""The names and shapes of a network's numbers: weights `W1` (units, inputs), biases `b1` (units).

Layer by layer: z1_i = Σ W1[i][j]*x_j + b1[i], a1_i = activation(z1_i), and so on; the last layer's sum is the output.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

Learned = tuple[tuple[str, float], ...]
"""The numbers that an activation learns, each with the value where it starts."""


@dataclass(frozen=True, slots=True)
class Network:
    """How many numbers enter, and how many units each layer has: 2-5-1 is `Network((2, 5, 1))`.

    learned: the numbers that each hidden layer's activation learns, and those of the output's: p becomes p1, p2, ….
    parts: networks side by side, one for each output: each unit beyond the first layer reads its own part's alone.

    Example:
        >>> net = Network((2, 5, 1))
        >>> net.sum_name(1, 3), net.sum_name(2, 0), net.weight_name(2, 0, 4)
        ('z1_4', 'z2', 'W2_1_a1_5')
        >>> net = Network((2, 10, 2), parts=2)
        >>> net.shapes()["W2"], net.weight_name(2, 1, 5), list(net.sources(2, 1))
        ((2, 5), 'W2_2_a1_6', [5, 6, 7, 8, 9])
    """

    sizes: tuple[int, ...]
    learned: tuple[Learned, Learned] = ((), ())
    parts: int = 1

    @property
    def layers(self) -> range:
        """The numbers of the layers, from 1."""
        return range(1, len(self.sizes))

    @property
    def last(self) -> int:
        """The number of the output layer."""
        return len(self.sizes) - 1

    def units(self, layer: int) -> range:
        """The units of a layer, from 0."""
        return range(self.sizes[layer])

    @property
    def outputs(self) -> int:
        """How many outputs there are."""
        return self.sizes[-1]

    def part(self, layer: int, unit: int) -> int:
        """The part to which a unit belongs, from 0."""
        return unit * self.parts // self.sizes[layer]

    def rows(self, layer: int, part: int) -> range:
        """The units of a layer that belong to a part."""
        each = self.sizes[layer] // self.parts
        return range(part * each, (part + 1) * each)

    def sources(self, layer: int, unit: int) -> range:
        """What a unit reads: all inputs, or the units of its part in the layer below."""
        return self.units(0) if layer == 1 else self.rows(layer - 1, self.part(layer, unit))

    def readers(self, layer: int, unit: int) -> range:
        """The units of the layer above that read a unit."""
        return self.rows(layer + 1, self.part(layer, unit))

    def fan_in(self, layer: int) -> int:
        """How many numbers each unit of a layer reads."""
        return len(self.sources(layer, 0))

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """W1, b1, W2, …, with their shapes, in the order of nn.Linear's parameters."""
        found: dict[str, tuple[int, ...]] = {}
        for layer in self.layers:
            found[f"W{layer}"] = (self.sizes[layer], self.fan_in(layer))
            found[f"b{layer}"] = (self.sizes[layer],)
            found |= {f"{name}{layer}": () for name in self.learned_in(layer)}
        return found

    def learned_in(self, layer: int) -> tuple[str, ...]:
        """The names of the numbers that a layer's activation learns."""
        return tuple(name for name, _ in self.learned[layer == self.last])

    def starts(self) -> dict[str, float]:
        """Where the numbers that activations learn start: p1, p2, …"""
        return {f"{name}{layer}": start for layer in self.layers for name, start in self.learned[layer == self.last]}

    @property
    def count(self) -> int:
        """How many numbers are learned."""
        return sum(self.sizes[layer] * (self.fan_in(layer) + 1) + len(self.learned_in(layer)) for layer in self.layers)

    def sum_name(self, layer: int, unit: int) -> str:
        """z1_1, …; the output is z2 alone where it is one number."""
        single = layer == self.last and self.sizes[layer] == 1
        return f"z{layer}" if single else f"z{layer}_{unit + 1}"

    def source_name(self, layer: int, unit: int) -> str:
        """What a layer reads from below: x1 for the first, a1_1 for the second."""
        return f"x{unit + 1}" if layer == 1 else f"a{layer - 1}_{unit + 1}"

    def weight_name(self, layer: int, unit: int, source: int) -> str:
        """W1_1_x1, W2_1_a1_4."""
        return f"W{layer}_{unit + 1}_{self.source_name(layer, source)}"

    def bias_name(self, layer: int, unit: int) -> str:
        """b1_1."""
        return f"b{layer}_{unit + 1}"

    def parameters(self) -> Iterator[tuple[str, str, tuple[int, ...]]]:
        """Each learned number: its own name, its array's name and its place there; weights of a unit, then its bias."""
        for layer in self.layers:
            for unit in self.units(layer):
                for column, source in enumerate(self.sources(layer, unit)):
                    yield self.weight_name(layer, unit, source), f"W{layer}", (unit, column)
                yield self.bias_name(layer, unit), f"b{layer}", (unit,)
            for name in self.learned_in(layer):
                yield f"{name}{layer}", f"{name}{layer}", ()


def gradient_name(parameter: str) -> str:
    """dW1_1_x1 for W1_1_x1, dB1_1 for b1_1, dp1 for p1."""
    return "dB" + parameter[1:] if re.fullmatch(r"b\d+_\d+", parameter) else "d" + parameter
