"""The network as a plain PyTorch module: linear layers, activations, the numbers that they learn."""

from collections.abc import Callable, Mapping
from typing import Any

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


class Net(nn.Module):
    """Linear layers with an activation between them, and one after the last."""

    def __init__(self, of: Method, parameters: Mapping[str, Tensor], dtype: torch.dtype) -> None:
        super().__init__()
        linears: list[nn.Linear] = []
        for layer in of.network.layers:
            sizes = of.network.sizes
            linear = nn.utils.skip_init(nn.Linear, sizes[layer - 1], sizes[layer], dtype=dtype)
            with torch.no_grad():
                linear.weight.copy_(parameters[f"W{layer}"])
                linear.bias.copy_(parameters[f"b{layer}"])
            linears.append(linear)
        self.linears, self.layers = linears, nn.ModuleList(linears)
        self.learned = nn.ParameterDict(
            {
                f"{name}{layer}": nn.Parameter(parameters[f"{name}{layer}"].to(dtype).clone())
                for layer in of.network.layers
                for name in of.network.learned_in(layer)
            }
        )
        self.network = of.network
        self.hidden = [activation(of.activation, dtype, self.in_layer(layer)) for layer in of.network.layers[:-1]]
        last = of.network.last
        self.output = None if of.linear_output else activation(of.output_activation, dtype, self.in_layer(last))

    def in_layer(self, layer: int) -> dict[str, Tensor]:
        """The numbers that a layer's activation learns, by the names of its formula."""
        return {name: self.learned[f"{name}{layer}"] for name in self.network.learned_in(layer)}

    def forward(self, x: Tensor, mask: Mapping[int, Tensor], seen: dict[str, Tensor] | None = None) -> Tensor:
        """The output for inputs of shape (n, inputs), of shape (n, 1); `seen` receives every z and a."""
        value, last = x, len(self.linears)
        for layer, linear in enumerate(self.linears, 1):
            value = linear(value)
            if seen is not None:
                seen[f"z{layer}"] = value
            if layer < last:
                value = self.hidden[layer - 1](value)
                if layer in mask:
                    value = value * mask[layer]
                if seen is not None:
                    seen[f"a{layer}"] = value
        return value if self.output is None else self.output(value)

    def by_name(self) -> dict[str, nn.Parameter]:
        """W1, b1, W2, …"""
        found: dict[str, nn.Parameter] = {}
        for layer, linear in enumerate(self.linears, 1):
            found |= {f"W{layer}": linear.weight, f"b{layer}": linear.bias}  # type: ignore[dict-item]
            found |= {name: self.learned[name] for name in self.learned if name in self.names(layer)}
        return found

    def names(self, layer: int) -> tuple[str, ...]:
        """What a layer's learned numbers are called: p1."""
        return tuple(f"{name}{layer}" for name in self.network.learned_in(layer))
