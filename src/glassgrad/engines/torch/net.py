"""The network as a plain PyTorch module: linear layers, activations, the numbers that they learn."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from glassgrad.formula.evaluate import evaluate_torch
from glassgrad.method import Formula, Method
from glassgrad.tables.row import Callable as TorchCallable


def resolve(named: TorchCallable) -> Any:
    """`nn.ReLU` as the attribute of torch."""
    found: Any = torch
    for part in named.path.split("."):
        found = getattr(found, part)
    return found


def activation(formula: Formula, dtype: torch.dtype, learned: Mapping[str, Tensor]) -> Callable[[Tensor], Tensor]:
    """An activation as PyTorch runs it, with the numbers that it learns."""
    if formula.row.torch is not None:
        found = resolve(formula.row.torch)
        ready: Callable[[Tensor], Tensor] = (
            found(**formula.row.torch.arguments(formula.row.numbers)) if isinstance(found, type) else found
        )
        return ready
    return lambda z: evaluate_torch(formula.tree, {"z": z, **formula.numbers, **learned}, dtype) + torch.zeros_like(z)


Seen = dict[str, Tensor]


@dataclass(frozen=True)
class Piece:
    """A parameter, and which rows of an array (W1, b1, …; all of it, if nothing is apart) it is."""

    array: str
    rows: slice
    parameter: nn.Parameter


class Net(nn.Module):
    """Linear layers with an activation between them, and one after the last.

    Networks that are apart are stacks of their own: first all layers of the first, then those of the second, …: so
    their numbers are drawn, and so an optimizer is given them.
    """

    def __init__(self, of: Method, parameters: Mapping[str, Tensor], dtype: torch.dtype) -> None:
        super().__init__()
        net = self.network = of.network
        self.stacks: list[list[nn.Linear]] = []
        for part in range(net.parts):
            stack = []
            for layer in net.layers:
                rows = _slice(net.rows(layer, part))
                linear = nn.utils.skip_init(nn.Linear, net.fan_in(layer), rows.stop - rows.start, dtype=dtype)
                with torch.no_grad():
                    linear.weight.copy_(parameters[f"W{layer}"][rows])
                    linear.bias.copy_(parameters[f"b{layer}"][rows])
                stack.append(linear)
            self.stacks.append(stack)
        self.layers = nn.ModuleList(linear for stack in self.stacks for linear in stack)
        self.learned = nn.ParameterDict(
            {
                f"{name}{layer}": nn.Parameter(parameters[f"{name}{layer}"].to(dtype).clone())
                for layer in net.layers
                for name in net.learned_in(layer)
            }
        )
        self.hidden = [activation(of.activation, dtype, self.in_layer(layer)) for layer in net.layers[:-1]]
        self.output = None if of.linear_output else activation(of.output_activation, dtype, self.in_layer(net.last))

    def in_layer(self, layer: int) -> dict[str, Tensor]:
        """The numbers that a layer's activation learns, by the names of its formula."""
        return {name: self.learned[f"{name}{layer}"] for name in self.network.learned_in(layer)}

    def forward(
        self, x: Tensor, mask: Mapping[int, Tensor], seen: Seen | None = None, tried: Mapping[str, Tensor] | None = None
    ) -> Tensor:
        """The outputs for inputs of shape (n, inputs), of shape (n, outputs); `seen` receives every z and a.

        tried: what each sample has in place of W1, b1, …, of shape (n, units, inputs), (n, units).
        """
        o, parts = self.in_parts(x, mask, tried)
        if seen is not None:
            seen.update({name: torch.cat([part[name] for part in parts], dim=1) for name in parts[0]})
        return o

    def in_parts(
        self, x: Tensor, mask: Mapping[int, Tensor], tried: Mapping[str, Tensor] | None = None
    ) -> tuple[Tensor, list[Seen]]:
        """The outputs, and every z and a of each stack by itself, as autograd knows them."""
        seen: list[Seen] = [{} for _ in self.stacks]
        stacks = [_layers(stack, tried) for stack in self.stacks]
        found = [self.through(stack, i, x, mask, seen[i]) for i, stack in enumerate(stacks)]
        return found[0] if len(found) == 1 else torch.cat(found, dim=1), seen

    def through(
        self, stack: list[Callable[[Tensor], Tensor]], part: int, x: Tensor, mask: Mapping[int, Tensor], seen: Seen
    ) -> Tensor:
        """The same for one stack."""
        value, last = x, len(stack)
        for layer, linear in enumerate(stack, 1):
            value = linear(value)
            seen[f"z{layer}"] = value
            if layer < last:
                value = self.hidden[layer - 1](value)
                if layer in mask:
                    value = value * mask[layer][:, _slice(self.network.rows(layer, part))]
                seen[f"a{layer}"] = value
        return value if self.output is None else self.output(value)

    def numbers(self) -> dict[str, Tensor]:
        """Each weight and bias of a network that is not apart by its own name, as autograd knows it."""
        flat = {piece.array: piece.parameter.reshape(-1).unbind(0) for piece in self.pieces()}
        shapes = self.network.shapes()
        return {
            name: flat[array][int(np.ravel_multi_index(place, shapes[array])) if place else 0]
            for name, array, place in self.network.parameters()
        }

    def pieces(self) -> list[Piece]:
        """W1, b1, W2, …, of every stack."""
        found: list[Piece] = []
        for part, stack in enumerate(self.stacks):
            for layer, linear in enumerate(stack, 1):
                rows = _slice(self.network.rows(layer, part))
                assert isinstance(linear.weight, nn.Parameter)
                assert isinstance(linear.bias, nn.Parameter)
                found += [Piece(f"W{layer}", rows, linear.weight), Piece(f"b{layer}", rows, linear.bias)]
                found += [Piece(name, _ALL, self.learned[name]) for name in self.names(layer)]
        return found

    def names(self, layer: int) -> tuple[str, ...]:
        """What a layer's learned numbers are called: p1."""
        return tuple(f"{name}{layer}" for name in self.network.learned_in(layer))


_ALL = slice(None)


def _layers(stack: list[nn.Linear], tried: Mapping[str, Tensor] | None) -> list[Callable[[Tensor], Tensor]]:
    """The layers as functions; with perturbed weights each sample has its own."""
    if tried is None:
        return list(stack)
    return [partial(_each_by_its_own, tried[f"W{layer}"], tried[f"b{layer}"]) for layer in range(1, len(stack) + 1)]


def _each_by_its_own(weight: Tensor, bias: Tensor, x: Tensor) -> Tensor:
    """z = W·x + b for weights (n, units, inputs) and biases (n, units) that differ between samples."""
    return (weight @ x.unsqueeze(2)).squeeze(2) + bias


def _slice(rows: range) -> slice:
    return slice(rows.start, rows.stop)
