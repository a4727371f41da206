"""The reference engine: plain PyTorch modules, autograd and `torch.optim`, the numbers of the script one would write.

Where a row of a table names a PyTorch callable, that is what runs; an own formula runs as tensors.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from glassgrad.draws import Floats
from glassgrad.engines.data import Data, draw
from glassgrad.experiment import Experiment, Precision
from glassgrad.formula.evaluate import culprit, evaluate, evaluate_torch
from glassgrad.formula.lines import Line
from glassgrad.formula.tree import symbols
from glassgrad.initial import initial_parameters
from glassgrad.method import Formula, Method, method
from glassgrad.record import MEMORY, Record, masks
from glassgrad.tables.optimizers import TORCH_STATES
from glassgrad.tables.row import Callable as TorchCallable

Progress = Callable[[int, int], None]
DTYPES: dict[Precision, torch.dtype] = {"single": torch.float32, "double": torch.float64}


def train(experiment: Experiment, *, every: int = 100, progress: Progress | None = None) -> Record:
    """Run an experiment and record everything.

    every: for a record too large for the memory, keep steps 1, 1 + every, 1 + 2*every, … .
    progress: called now and then with (step, steps).
    A run that diverges, or is stopped with Ctrl-C, gives its record so far; the status says so.

    Example:
        >>> from glassgrad.tables.experiments import shipped
        >>> train(shipped("knob").change(steps=3)).status
        'finished'
    """
    with alone(experiment.precision):
        return _Run(experiment, every).run(progress)


@contextlib.contextmanager
def alone(precision: Precision) -> Iterator[None]:
    """PyTorch on one thread, for tiny tensors many times faster, in the run's precision; both are put back.

    The default precision matters to NAdam, which keeps its running product in it.
    """
    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    torch.set_num_threads(1)
    torch.set_default_dtype(DTYPES[precision])
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_default_dtype(dtype)


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


@dataclass
class Batch:
    """What one step sees: tensors for PyTorch, and the same numbers in doubles for what is only observed."""

    x: Tensor
    t: Tensor
    inputs: Floats
    truth: Floats
    noise: Floats | None = None
    uniform: Floats | None = None
    mask: Mapping[int, Tensor] = field(default_factory=dict)


class Objective:
    """From the output to the loss: the lines of policy, reward and objective, or PyTorch's own criterion."""

    def __init__(self, of: Method, dtype: torch.dtype) -> None:
        self.of, self.dtype = of, dtype
        row = of.pieces["objective"]
        plain = row.torch is not None and "reward" not in of.pieces
        self.criterion = resolve(row.torch)(**row.torch.arguments(row.numbers)) if plain and row.torch else None
        self.weights = of.regulariser

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

    def run(self, o: Tensor, batch: Batch, step: int, states: dict[str, float], seen: dict[str, Any]) -> None:
        """All lines in order: tensors where a derivative may pass, Python's doubles where a number is only observed."""
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
            "o": o,
            "t": batch.t,
            "step": float(step),
            **{name: batch.x[:, i : i + 1] for i, name in enumerate(named_inputs(batch.inputs))},
        }
        for name, drawn in (("noise", batch.noise), ("uniform", batch.uniform)):
            if drawn is not None:
                exact[name] = drawn
                values[name] = torch.tensor(drawn, dtype=self.dtype).unsqueeze(1)
        for line in self.of.program.lines:
            self.line(line, values, exact)
        states.update({name: _number(values[self.of.program.latest[name]]) for name in states})
        seen.update(values)
        seen["objective"] = values["objective"] + torch.zeros_like(o)
        if "reward" in values:
            seen["reward_mean"] = (
                float(np.mean(exact["reward"])) if "reward" in exact else values["reward"].mean().item()
            )

    def line(self, line: Line, values: dict[str, Any], exact: dict[str, Any]) -> None:
        """One line: the observed reward, and what hangs on it for the step, in doubles; all else as tensors."""
        read = symbols(line.tree)
        if line.name == "reward" and self.of.observed:
            known = {name: exact[name] if name in exact else _doubles(values[name]) for name in read}
            exact["reward"] = np.broadcast_to(evaluate(line.tree, known), np.shape(exact["t"]))
            values["reward"] = torch.tensor(exact["reward"], dtype=self.dtype).unsqueeze(1)
        elif line.level == "step" and all(name in exact for name in read):
            values[line.name] = exact[line.name] = float(evaluate(line.tree, exact))
        else:
            values[line.name] = evaluate_torch(line.tree, values, self.dtype)


def named_inputs(inputs: Floats) -> dict[str, Floats]:
    """The columns of inputs as x1, x2, …"""
    return {f"x{i + 1}": inputs[:, i] for i in range(inputs.shape[1])}


def _number(value: Any) -> float:
    return float(value.detach()) if isinstance(value, Tensor) else float(value)


def _doubles(value: Any) -> Any:
    return value.detach().double().numpy()[:, 0] if isinstance(value, Tensor) and value.dim() == 2 else _number(value)


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


class TorchOptimizer:
    """A row's own class of `torch.optim`."""

    def __init__(self, parameters: list[nn.Parameter], of: Method) -> None:
        assert of.optimizer.torch is not None
        self.parameters = parameters
        self.optimizer = resolve(of.optimizer.torch)(parameters, **of.optimizer.torch.arguments(of.optimizer.numbers))
        self.kept = TORCH_STATES[of.optimizer.name].kept
        self.step = self.optimizer.step

    def state(self, name: str) -> list[Tensor]:
        """A state, for each parameter."""
        return [self.optimizer.state[parameter][self.kept[name]] for parameter in self.parameters]


def build_optimizer(parameters: list[nn.Parameter], of: Method) -> OwnOptimizer | TorchOptimizer:
    """The optimizer that runs: `torch.optim`'s where there is one."""
    return OwnOptimizer(parameters, of) if of.optimizer.torch is None else TorchOptimizer(parameters, of)


class _Recorder:
    """Copies every step's numbers into arrays made beforehand."""

    def __init__(
        self,
        experiment: Experiment,
        parameters: Mapping[str, nn.Parameter],
        states: Mapping[str, float],
        every: int,
    ) -> None:
        steps = experiment.steps
        numbers = sum(p.numel() * p.element_size() for p in parameters.values()) * (2 + len(states))
        shown = np.arange(1, steps + 2)
        if numbers * steps > MEMORY:
            shown = np.unique(
                np.concatenate([np.arange(1, steps + 1, every), np.arange(2, steps + 2, every), [steps + 1]])
            )
        self.rows = np.full(steps + 2, -1, np.int64)
        self.rows[shown] = np.arange(len(shown))
        self.place: list[int] = self.rows.tolist()
        self.latest = 0  # the last step whose numbers are kept
        self.owners = list(parameters.values())
        self.sources = [parameter.detach() for parameter in self.owners]  # the same memory, without a graph
        self.names = list(parameters)

        def room() -> list[Tensor]:
            return [torch.zeros((len(shown), *p.shape), dtype=p.dtype) for p in self.sources]

        self.parameters, self.gradients = room(), room()
        self.states = {name: room() for name in states}
        for name, first in states.items():
            for part in self.states[name]:
                part[0] = first
        self.loss = np.full(steps, np.nan)
        self.reward = np.full(steps, np.nan)

    def before(self, step: int) -> None:
        """The parameters and gradients before a step's update."""
        row = self.place[step]
        if row >= 0:
            for room, source in zip(self.parameters, self.sources, strict=True):
                room[row].copy_(source)
            for room, owner in zip(self.gradients, self.owners, strict=True):
                if owner.grad is not None:
                    room[row].copy_(owner.grad)

            self.latest = step

    def kept(self, rooms: list[Tensor], step: int) -> list[Tensor]:
        """One step's numbers; nothing if they were not kept."""
        row = self.place[step] if step <= self.latest else -1
        return [room[row] for room in rooms] if row >= 0 else []

    def back_to(self, step: int) -> None:
        """Give the network the numbers back that it had before a step's update, if they were kept."""
        for source, before in zip(self.sources, self.kept(self.parameters, step), strict=False):
            source.copy_(before)

    def after(self, step: int, optimizer: OwnOptimizer | TorchOptimizer) -> None:
        """The optimizer's states as the next step finds them."""
        row = self.place[step + 1]
        if row >= 0:
            for name, rooms in self.states.items():
                for room, source in zip(rooms, optimizer.state(name), strict=True):
                    room[row].copy_(source)

    def close(self, rows: list[Tensor]) -> dict[str, Any]:
        return {name: room.numpy() for name, room in zip(self.names, rows, strict=True)}


class _Run:
    """One training, from the first draw to the record."""

    def __init__(self, experiment: Experiment, every: int) -> None:
        self.experiment, self.of = experiment, method(experiment)
        self.dtype = DTYPES[experiment.precision]
        self.data: Data = draw(experiment, self.of)
        self.net = Net(self.of, initial_parameters(experiment.init, self.of.network, experiment.seed), self.dtype)
        self.named = self.net.by_name()
        self.objective = Objective(self.of, self.dtype)
        self.optimizer = build_optimizer(list(self.named.values()), self.of)
        self.states = first_states(self.of)
        self.lines = {name: np.full(experiment.steps + 1, value) for name, value in self.states.items()}
        first = {name: float(evaluate(tree, {})) for name, tree in self.of.optimizer_program.states.items()}
        self.recorder = _Recorder(experiment, self.named, first, every)
        self.weights: list[Tensor] = [p for name, p in self.named.items() if name.startswith("W")]
        fixed = not experiment.fresh and experiment.batch is None and not experiment.dropout
        self.fixed = self.batch_at(1) if fixed and self.data.noise is None and self.data.uniform is None else None

    def batch_at(self, step: int) -> Batch:
        """What a step sees."""
        experiment, data = self.experiment, self.data
        if experiment.fresh:
            inputs, truth = data.inputs[step - 1], data.truth[step - 1]
        else:
            places = self.shell(step).places(step)
            inputs, truth = data.inputs[places], data.truth[places]
        n = len(inputs)
        return Batch(
            torch.tensor(inputs, dtype=self.dtype),
            torch.tensor(truth, dtype=self.dtype).unsqueeze(1),
            inputs,
            truth,
            None if data.noise is None else data.noise[step - 1, :n],
            None if data.uniform is None else data.uniform[step - 1, :n],
            {layer: torch.tensor(mask, dtype=self.dtype) for layer, mask in masks(experiment, step, n).items()},
        )

    def run(self, progress: Progress | None) -> Record:
        began = told = time.perf_counter()
        status, done = "finished", 0
        try:
            for step in range(1, self.experiment.steps + 1):
                fine = self.advance(step)
                done = step
                if not fine:
                    break
                if progress is not None and time.perf_counter() - told > 0.1:
                    told = time.perf_counter()
                    progress(step, self.experiment.steps)
        except KeyboardInterrupt:
            self.recorder.back_to(done + 1)  # the step that was under way is not counted
            status = f"stopped at step {done}"
        bad = self.first_bad(done)
        if bad is not None:
            done, status = bad, f"diverged at step {bad}: {self.cause(bad)}"
        self.keep_final(done)
        return self.shell(done, status, time.perf_counter() - began)

    def first_bad(self, step: int) -> int | None:
        """The first of the last steps that gave numbers that are not finite; the network goes back to before it."""
        recorder = self.recorder
        for candidate in range(max(1, step - 1), step + 1):
            after = recorder.kept(recorder.parameters, candidate + 1) if candidate < step else recorder.sources
            fine = all_finite([*recorder.kept(recorder.gradients, candidate), *after])
            if not fine or not np.isfinite(recorder.loss[candidate - 1]):
                recorder.back_to(candidate)
                return candidate
        return None

    def keep_final(self, step: int) -> None:
        """A row for the final parameters, also of a run that ended early."""
        if self.recorder.rows[step + 1] < 0:
            self.recorder.rows[step + 1] = self.recorder.rows[self.experiment.steps + 1]
        self.recorder.place = self.recorder.rows.tolist()
        self.recorder.before(step + 1)

    def advance(self, step: int) -> bool:
        """One step: forward, backward, update; False if the loss is not finite (nothing is updated then)."""
        batch = self.fixed or self.batch_at(step)
        seen: dict[str, Any] = {}
        o = self.net(batch.x, batch.mask)
        loss = self.objective.loss(o, batch, step, self.states, seen, self.weights)
        self.net.zero_grad()
        if loss.requires_grad:
            loss.backward()
        value = loss.item()
        self.recorder.loss[step - 1] = value
        self.recorder.reward[step - 1] = seen.get("reward_mean", np.nan)
        for name, values in self.lines.items():
            values[step] = self.states[name]
        self.recorder.before(step)
        if value - value != 0:  # NaN or infinite
            return False
        self.update()
        self.recorder.after(step, self.optimizer)
        return True

    def update(self) -> None:
        parameters = list(self.named.values())
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        if self.experiment.clip is not None:
            nn.utils.clip_grad_norm_(parameters, self.experiment.clip)
        self.optimizer.step()

    def cause(self, step: int) -> str:
        """Why a step's loss is not finite: the innermost part of a formula that is not, or the sums themselves."""
        batch = self.fixed or self.batch_at(step)
        with torch.no_grad():
            seen: dict[str, Tensor] = {}
            o = self.net(batch.x, batch.mask, seen)
        for name, value in seen.items():
            if not bool(torch.isfinite(value).all()):
                return f"overflow in {name}"
        values: dict[str, Any] = {
            **self.of.numbers,
            **self.states,
            **named_inputs(batch.inputs),
            "t": batch.truth,
            "o": o.double().numpy()[:, 0],
            "step": float(step),
            "noise": batch.noise,
            "uniform": batch.uniform,
        }
        if not np.all(np.isfinite(values["o"])):
            found = culprit(
                self.of.output_activation.tree,
                {
                    "z": seen[f"z{self.of.network.last}"].double().numpy()[:, 0],
                    **self.of.output_activation.numbers,
                    **{name: float(value) for name, value in self.net.in_layer(self.of.network.last).items()},
                },
            )
            return f"{found} in the output activation"
        largest = float(torch.finfo(self.dtype).max)
        for line in (*self.of.program.lines, *self.of.backward):
            if found := culprit(line.tree, values, largest):
                return f"{found} in {line.name}"
            values[line.name] = evaluate(line.tree, values)
        if not np.isfinite(self.recorder.loss[step - 1]):
            return "overflow in L"
        return self.cause_in_update(step, largest)

    def cause_in_update(self, step: int, largest: float) -> str:
        """Why a step's gradients or new weights are not finite, if its loss is."""
        recorder, program = self.recorder, self.of.optimizer_program
        gradients = recorder.kept(recorder.gradients, step)
        if not gradients or not all_finite(gradients):
            return "overflow in the gradient"
        flat = nn.utils.parameters_to_vector
        values: dict[str, Any] = {"g": flat(gradients), "w": flat(recorder.sources), **self.of.optimizer.numbers}
        values |= {name: flat(recorder.kept(rooms, step)) for name, rooms in recorder.states.items()}
        known = {name: value.double().numpy() if isinstance(value, Tensor) else value for name, value in values.items()}
        known["step"] = float(step)
        for line in program.lines:
            if found := culprit(line.tree, known, largest):
                return f"{found} in {line.name.removesuffix('_new')}"
            known[line.name] = evaluate(line.tree, known)
        return "overflow in the update"

    def shell(self, steps: int, status: str = "", seconds: float = 0.0) -> Record:
        """The record as far as it has come."""
        recorder = self.recorder
        return Record(
            self.experiment,
            status,
            steps,
            recorder.rows,
            recorder.loss[:steps],
            recorder.reward[:steps] if "reward" in self.of.pieces else None,
            recorder.close(recorder.parameters),
            recorder.close(recorder.gradients),
            {name: recorder.close(rooms) for name, rooms in recorder.states.items()},
            {name: values[: steps + 1] for name, values in self.lines.items()},
            self.data.inputs,
            self.data.truth,
            self.data.noise,
            self.data.uniform,
            seconds,
        )


def all_finite(tensors: list[Tensor]) -> bool:
    """Whether all their numbers are."""
    return all(bool(torch.isfinite(tensor).all()) for tensor in tensors)


def first_states(of: Method) -> dict[str, float]:
    """The objective's own states before the first step."""
    return {name: float(evaluate(tree, {})) for name, tree in of.program.states.items()}
