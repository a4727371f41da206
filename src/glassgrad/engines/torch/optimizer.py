"""The optimizer that runs: the row's class of `torch.optim`, or the user's own lines over all parameters."""

from typing import Any

import torch
from torch import Tensor, nn

from glassgrad.engines.torch.net import resolve
from glassgrad.formula.evaluate import evaluate, evaluate_torch
from glassgrad.method import Method
from glassgrad.tables.optimizers import TORCH_STATES


class TorchOptimizer:
    """A row's own class of `torch.optim`."""

    def __init__(self, parameters: list[nn.Parameter], of: Method) -> None:
        assert of.optimizer.torch is not None
        self.parameters = parameters
        self.optimizer = resolve(of.optimizer.torch)(parameters, **of.optimizer.torch.arguments(of.optimizer.numbers))
        self.kept = TORCH_STATES[of.optimizer.name].kept
        self.of, self.count = of, 0
        self.step = self.optimizer.step if of.rate is None else self.scheduled

    def scheduled(self) -> None:
        """An update with the learning rate of its step."""
        assert self.of.rate is not None
        self.count += 1
        values = {**self.of.optimizer.numbers, "step": float(self.count)}
        self.optimizer.param_groups[0]["lr"] = evaluate_torch(self.of.rate.tree, values, torch.float64)
        self.optimizer.step()

    def state(self, name: str) -> list[Tensor]:
        """A state, for each parameter."""
        return [self.optimizer.state[parameter][self.kept[name]] for parameter in self.parameters]


class OwnOptimizer:
    """The user's lines as an optimizer, over all parameters as one vector."""

    def __init__(self, parameters: list[nn.Parameter], of: Method) -> None:
        self.parameters, self.of = parameters, of
        self.program = of.optimizer_program
        flat = nn.utils.parameters_to_vector(parameters).detach()
        self.states: dict[str, Any] = {
            name: torch.full_like(flat, float(evaluate(tree, {})))
            if self.program.level(name) == "parameter"
            else float(evaluate(tree, {}))
            for name, tree in self.program.states.items()
        }
        self.count = 0

    @torch.no_grad()
    def step(self) -> None:
        self.count += 1
        w = nn.utils.parameters_to_vector(self.parameters)
        g = torch.cat([parameter.grad.reshape(-1) for parameter in self.parameters if parameter.grad is not None])
        values: dict[str, Any] = {
            "w": w,
            "g": g,
            "step": float(self.count),
            **self.of.optimizer.numbers,
            **self.states,
        }
        for line in self.program.lines:
            values[line.name] = evaluate_torch(line.tree, values, w.dtype)
        self.states = {name: values[self.program.latest[name]] for name in self.states}
        new = values[self.program.latest["w"]] + torch.zeros_like(w)
        for parameter, part in zip(self.parameters, self.split(new), strict=True):
            parameter.copy_(part)  # in place: the recorder reads this memory

    def state(self, name: str) -> list[Tensor]:
        """A state, for each parameter."""
        value = self.states[name]
        if not isinstance(value, Tensor) or value.dim() == 0:  # one number for the step: the same for every parameter
            value = torch.full((sum(p.numel() for p in self.parameters),), float(value), dtype=torch.float64)
        return self.split(value)

    def split(self, flat: Tensor) -> list[Tensor]:
        """One vector as the parameters' shapes."""
        parts = flat.split([parameter.numel() for parameter in self.parameters])
        return [part.reshape(p.shape) for part, p in zip(parts, self.parameters, strict=True)]


def build_optimizer(parameters: list[nn.Parameter], of: Method) -> OwnOptimizer | TorchOptimizer:
    """The optimizer that runs: `torch.optim`'s where there is one."""
    return OwnOptimizer(parameters, of) if of.optimizer.torch is None else TorchOptimizer(parameters, of)
