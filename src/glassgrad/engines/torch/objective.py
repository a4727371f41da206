"""From the output to the loss: the lines of policy, reward and objective, or PyTorch's own criterion."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from glassgrad.draws import Floats
from glassgrad.engines.torch.net import Net, resolve
from glassgrad.formula.backends import NumPy
from glassgrad.formula.evaluate import evaluate, evaluate_torch
from glassgrad.formula.lines import Line
from glassgrad.formula.outputs import INDEX, NOISE
from glassgrad.formula.tree import symbols
from glassgrad.method import TRIED, Method
from glassgrad.steps import perturbing


@dataclass
class Batch:
    """What one step sees: tensors for PyTorch, and the same numbers in doubles for what is only observed.

    weight_noise, perturbed: a number for each weight of each sample, and what follows from it before the output.
    """

    x: Tensor
    t: Tensor
    inputs: Floats
    truth: Floats
    noise: Floats | None = None
    uniform: Floats | None = None
    mask: Mapping[int, Tensor] = field(default_factory=dict)
    old: "Old | None" = None
    weight_noise: Floats | None = None
    perturbed: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Old:
    """The values of all old(…) as they were when the data was collected, in both forms; an exact one where it is known.

    step: the step that collected it. o: the outputs of then.
    """

    step: int
    values: Mapping[str, Any]
    exact: Mapping[str, Any]
    o: Tensor


class Objective:
    """From the output to the loss: the lines of policy, reward and objective, or PyTorch's own criterion.

    spelled_out: whether lines for each output (or weight) are run one by one, so that each has its name; otherwise all
    at once, a column each, which is many times quicker.
    """

    def __init__(self, of: Method, dtype: torch.dtype, group: int = 1, *, spelled_out: bool = False) -> None:
        of = of if spelled_out else of.at_once
        self.of, self.dtype, self.group = of, dtype, group
        self.whole = bool(of.program.each) and not spelled_out
        self.several = (len(of.tried) or of.network.outputs) if self.whole else 1
        lines = of.later(of.program.lines)
        self.before = perturbing(of, lines)
        self.lines = tuple(line for line in lines if line not in self.before)
        self.reads = {line.name: symbols(line.tree) for line in (*lines, *of.collected)}
        self.places = dict[str, list[int]]()  # of each array's weights among all of them
        for i, (_, array, _) in enumerate(of.network.parameters() if of.tried else ()):
            self.places.setdefault(array, []).append(i)
        row = of.pieces["objective"]
        plain = row.torch is not None and "reward" not in of.pieces and of.network.outputs == 1
        self.criterion = resolve(row.torch)(**row.torch.arguments(row.numbers)) if plain and row.torch else None
        self.weights = of.regulariser

    def perturb(self, net: Net, batch: Batch, step: int) -> Mapping[str, Tensor] | None:
        """What each sample tries in place of W1, b1, …; `batch` keeps every number on the way, by its name."""
        if batch.weight_noise is None:
            return None
        drawn, numbers = torch.tensor(batch.weight_noise, dtype=self.dtype), net.numbers()
        values: dict[str, Any] = {**self.of.numbers, "step": float(step)}
        if self.whole:
            values |= {"w": torch.stack(list(numbers.values())).unsqueeze(0), NOISE: drawn}
        else:
            columns = (f"noise_{name}" for name in self.of.tried)
            values |= {**numbers, **dict(zip(columns, drawn.split(1, dim=1), strict=True))}
        for line in self.before:
            values[line.name] = evaluate_torch(line.tree, values, self.dtype, self.group, self.several)
        batch.perturbed = {name: value for name, value in values.items() if name not in self.of.numbers}
        names = [self.of.program.latest[TRIED]] if self.whole else self.of.tried.values()
        return self.in_arrays(torch.cat([values[name] for name in names], dim=1))

    def in_arrays(self, tried: Tensor) -> dict[str, Tensor]:
        """A column for each weight as W1 (samples, units, inputs), b1 (samples, units), …"""
        shapes = self.of.network.shapes()
        return {array: tried[:, places].reshape(-1, *shapes[array]) for array, places in self.places.items()}

    def loss(
        self,
        o: Tensor,
        batch: Batch,
        step: int,
        states: dict[str, float],
        seen: dict[str, Any],
        weights: list[Tensor],
    ) -> Tensor:
        """L, with autograd's graph behind it; `states` moves on, `seen` receives every line's value."""
        if self.criterion is not None:
            value: Tensor = self.criterion(o, batch.t)
        else:
            self.run(o, batch, step, states, seen)
            value = seen["objective"].mean()
        if self.weights is not None:
            for weight in weights:
                share = evaluate_torch(self.weights.tree, {"w": weight, **self.weights.numbers}, self.dtype)
                value = value + (share + torch.zeros_like(weight)).sum()
        return value

    def run(
        self,
        o: Tensor,
        batch: Batch,
        step: int,
        states: dict[str, float],
        seen: dict[str, Any],
        differentiated: Collection[str] = (),
    ) -> None:
        """All lines in order: tensors where a derivative may pass, Python's doubles where a number is only observed.

        differentiated: lines whose derivative is asked for, even where they are constant, as max(o, 3) may be.
        """
        values, exact = self.given(o, batch, step, states)
        if batch.old is not None:
            values |= batch.old.values
            exact |= batch.old.exact
        for line in self.lines:
            self.line(line, values, exact)
            if line.name in differentiated and isinstance(values[line.name], Tensor):
                values[line.name] = _differentiable(values[line.name])
        states.update({name: _number(values[self.of.program.latest[name]]) for name in states})
        seen.update(values)
        seen["objective"] = values["objective"] + torch.zeros_like(o[:, :1])
        if "reward" in values:
            seen["reward_mean"] = (
                float(np.mean(exact["reward"])) if "reward" in exact else values["reward"].mean().item()
            )

    @torch.no_grad()
    def collect(self, o: Tensor, batch: Batch, step: int, states: Mapping[str, float]) -> Old:
        """The values of all old(…) at the step that collects the data."""
        values, exact = self.given(o.detach(), batch, step, states)
        for line in self.of.collected:
            self.line(line, values, exact)
        old, old_exact = (
            {name: known[name] for name in self.of.olds.values() if name in known} for known in (values, exact)
        )
        return Old(step, old, old_exact, o.detach())

    def given(
        self, o: Tensor, batch: Batch, step: int, states: Mapping[str, float]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """What the lines read: as tensors, and what is known exactly as doubles."""
        exact: dict[str, Any] = {
            **self.of.numbers,
            **states,
            **named_inputs(batch.inputs),
            "t": batch.truth,
            "step": float(step),
        }
        values: dict[str, Any] = {
            **self.of.numbers,
            **states,
            **named_outputs(self.of, o),
            "t": batch.t,
            "step": float(step),
            **{name: batch.x[:, i : i + 1] for i, name in enumerate(named_inputs(batch.inputs))},
            **batch.perturbed,
        }
        if self.whole and not self.of.tried:
            values |= {"o": o, INDEX: torch.arange(self.several, dtype=self.dtype).unsqueeze(0)}
        for name, drawn in (("noise", batch.noise), ("uniform", batch.uniform)):
            if drawn is not None:
                exact[name] = drawn
                values[name] = torch.tensor(drawn, dtype=self.dtype).unsqueeze(1)
        return values, exact

    def line(self, line: Line, values: dict[str, Any], exact: dict[str, Any]) -> None:
        """One line: the observed reward, and what hangs on it for the step, in doubles; all else as tensors."""
        read = self.reads[line.name]
        if line.name == "reward" and self.of.observed:
            known = {name: exact[name] if name in exact else doubles(values[name]) for name in read}
            found = evaluate(line.tree, known, NumPy(self.group))
            exact["reward"] = np.broadcast_to(found, np.shape(exact["t"]))
            values["reward"] = torch.tensor(exact["reward"], dtype=self.dtype).unsqueeze(1)
        elif line.level == "step" and all(name in exact for name in read):
            values[line.name] = exact[line.name] = float(evaluate(line.tree, exact))
        else:
            values[line.name] = evaluate_torch(line.tree, values, self.dtype, self.group, self.several)


def named_outputs(of: Method, o: Tensor) -> dict[str, Tensor]:
    """The outputs as o; several as o1, o2, …, a column each."""
    return {"o": o} if len(of.outputs) == 1 else {name: o[:, k : k + 1] for k, name in enumerate(of.outputs)}


def named_inputs(inputs: Floats) -> dict[str, Floats]:
    """The columns of inputs as x1, x2, …"""
    return {f"x{i + 1}": inputs[:, i] for i in range(inputs.shape[1])}


def first_states(of: Method) -> dict[str, float]:
    """The objective's own states before the first step."""
    return {name: float(evaluate(tree, {})) for name, tree in of.program.states.items()}


def _differentiable(value: Tensor) -> Tensor:
    return value if value.requires_grad else value.detach().clone().requires_grad_()


def _number(value: Any) -> float:
    return float(value.detach()) if isinstance(value, Tensor) else float(value)


def doubles(value: Any) -> Any:
    """A column of a tensor, or a number, in double precision."""
    return value.detach().double().numpy()[:, 0] if isinstance(value, Tensor) and value.dim() == 2 else _number(value)
