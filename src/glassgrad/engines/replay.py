"""PyTorch's own numbers at a step: every sum, activation, line and derivative, from autograd and torch.optim."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from glassgrad.draws import Floats
from glassgrad.engines.torch import DTYPES, Batch, Net, Objective, alone
from glassgrad.engines.torch.net import Seen, resolve
from glassgrad.engines.torch.objective import Old
from glassgrad.experiment import Experiment
from glassgrad.formula.evaluate import evaluate, evaluate_torch
from glassgrad.formula.lines import reads
from glassgrad.formula.parser import parse
from glassgrad.method import Method, method
from glassgrad.network import gradient_name
from glassgrad.record import Moment, Record, masks, perturbation
from glassgrad.tables.optimizers import TORCH_STATES, TorchState

Reference = dict[str, Any]


def reference(experiment: Experiment, moment: Moment) -> tuple[Reference, Reference]:
    """What PyTorch has for each name of a step, and for each name of the optimizer's lines.

    First: arrays over samples, or numbers. Second: arrays over all parameters (or numbers). Derivatives with respect
    to something of one sample are times the number of samples, as everywhere.
    """
    of = method(experiment)
    with alone(experiment.precision):
        return _Replay(experiment, of, moment).run()


def outputs(record: Record, sample: int) -> Floats:
    """The network's output for one sample of each step's batch, before the update: PyTorch's own; NaN if not kept.

    Shape (steps), or (steps, outputs) if there are several.
    """
    of, experiment = record.method, record.experiment
    found = np.full((record.steps, of.network.outputs), np.nan)
    with alone(experiment.precision), torch.no_grad():
        net, objective = None, Objective(of, DTYPES[experiment.precision], experiment.group)
        for step in range(1, record.steps + 1):
            if not record.kept(step):
                continue
            net = _at(net, of, experiment, record.parameters_at(step))
            batch = _batch(record, step)
            o = net(batch.x, batch.mask, tried=objective.perturb(net, batch, step))
            found[step - 1] = o[min(sample, len(o) - 1)].double().numpy()
    return found[:, 0] if of.network.outputs == 1 else found


def _batch(record: Record, step: int) -> Batch:
    """What a step of a record saw, without what is drawn for its answers."""
    experiment, dtype = record.experiment, DTYPES[record.experiment.precision]
    inputs, truth, _ = record.batch(step)
    kept = {layer: torch.tensor(mask, dtype=dtype) for layer, mask in masks(experiment, step, len(inputs)).items()}
    x, t = torch.tensor(inputs, dtype=dtype), torch.tensor(truth, dtype=dtype).unsqueeze(1)
    noise = perturbation(experiment, record.method, step, len(inputs))
    return Batch(x, t, inputs, truth, mask=kept, weight_noise=noise)


def final_outputs(record: Record, inputs: Floats) -> Floats:
    """The final network's output for each question by itself, as a script asks them: (n), or (n, outputs)."""
    with alone(record.experiment.precision), torch.no_grad():
        net = _at(None, record.method, record.experiment, record.final)
        dtype = DTYPES[record.experiment.precision]
        found = np.array([net(torch.tensor(row[None, :], dtype=dtype), {}).double().numpy()[0] for row in inputs])
        return found[:, 0] if record.method.network.outputs == 1 else found


def _at(net: Net | None, of: Method, experiment: Experiment, parameters: Mapping[str, Any]) -> Net:
    """A network with these parameters: a new one, or the given one changed."""
    tensors = {name: torch.tensor(value, dtype=DTYPES[experiment.precision]) for name, value in parameters.items()}
    if net is None:
        return Net(of, tensors, DTYPES[experiment.precision])
    for piece in net.pieces():
        piece.parameter.copy_(tensors[piece.array][piece.rows] if piece.parameter.dim() else tensors[piece.array])
    return net


class _Replay:
    def __init__(self, experiment: Experiment, of: Method, moment: Moment) -> None:
        self.experiment, self.of, self.moment = experiment, of, moment
        self.dtype = DTYPES[experiment.precision]
        parameters = {name: torch.tensor(value, dtype=self.dtype) for name, value in moment.parameters.items()}
        self.net = Net(of, parameters, self.dtype)
        self.batch = self.seen(moment)
        self.objective = Objective(of, self.dtype, experiment.group)
        if of.olds:
            self.batch.old = self.old(moment.collected or moment)

    def seen(self, moment: Moment) -> Batch:
        """What a step saw."""
        return Batch(
            torch.tensor(moment.inputs, dtype=self.dtype),
            torch.tensor(moment.truth, dtype=self.dtype).unsqueeze(1),
            moment.inputs,
            moment.truth,
            moment.noise,
            moment.uniform,
            {layer: torch.tensor(mask, dtype=self.dtype) for layer, mask in moment.masks.items()},
            weight_noise=moment.weight_noise,
        )

    def old(self, moment: Moment) -> Old:
        """The values of all old(…) at the step that collected the data, with the parameters of then."""
        parameters = {name: torch.tensor(value, dtype=self.dtype) for name, value in moment.parameters.items()}
        batch = self.seen(moment)
        o = Net(self.of, parameters, self.dtype)(batch.x, batch.mask)
        return self.objective.collect(o, batch, moment.step, moment.lines)

    def run(self) -> tuple[Reference, Reference]:
        tried = self.objective.perturb(self.net, self.batch, self.moment.step)
        o, seen = self.net.in_parts(self.batch.x, self.batch.mask, tried)
        lines: dict[str, Any] = {}
        states = dict(self.moment.lines)
        ends = self.of.tried or self.of.outputs
        back = reads(self.of.backward, *(f"d{name}" for name in ends))
        differentiated = {name.removeprefix("d") for name in back} if self.of.backward else set()
        self.objective.run(o, self.batch, self.moment.step, states, lines, differentiated)
        found = self.sums(seen) | {"L": self.moment.loss}
        found |= {name: _numbers(lines[name]) for name in self.of.outputs}
        for line in self.of.program.lines:
            found[line.name] = _numbers(lines[line.name])
        found |= {name: _numbers(lines[name]) for name in self.of.olds.values()}
        found |= self.derivatives(seen, lines)
        found |= self.regulariser() | self.gradients()
        return found, self.update(found) if self.moment.updated else {}

    def sums(self, seen: list[Seen]) -> Reference:
        """z and a of every unit."""
        net, found = self.of.network, {}
        for layer in net.layers:
            for part, of in enumerate(seen):
                for column, i in enumerate(net.rows(layer, part)):
                    found[net.sum_name(layer, i)] = _numbers(of[f"z{layer}"][:, column])
                    if layer < net.last:
                        found[f"a{layer}_{i + 1}"] = _numbers(of[f"a{layer}"][:, column])
        return found

    def derivatives(self, seen: list[Seen], lines: Mapping[str, Any]) -> Reference:
        """Autograd's derivative of the mean objective with respect to everything on the way."""
        units = {(part, name): value for part, of in enumerate(seen) for name, value in of.items()}
        named = {(None, name): lines[name] for name in self.of.outputs}
        named |= {(None, line.name): lines[line.name] for line in self.of.program.lines}
        wanted = {
            name: value
            for name, value in (*units.items(), *named.items())
            if isinstance(value, Tensor) and value.requires_grad and name[1] != "objective"
        }
        mean = lines["objective"].mean()
        nothing: tuple[Tensor | None, ...] = (None,) * len(wanted)
        grads = torch.autograd.grad(mean, list(wanted.values()), allow_unused=True) if mean.requires_grad else nothing
        net, found = self.of.network, {}
        for ((part, name), value), grad in zip(wanted.items(), grads, strict=True):
            scaled = _numbers(torch.zeros_like(value) if grad is None else grad, units=True)
            if value.dim() > 0:
                scaled = scaled * len(value)
            if part is not None:
                layer = int(name[1:])
                for column, i in enumerate(net.rows(layer, part)):
                    inner = net.sum_name(layer, i) if name[0] == "z" else f"a{layer}_{i + 1}"
                    found[f"d{inner}"] = scaled[:, column]
            else:
                found[f"d{name}"] = scaled[:, 0] if scaled.ndim == 2 else scaled
        return found

    def regulariser(self) -> Reference:
        if self.of.regulariser is None:
            return {}
        tree, numbers = self.of.regulariser.tree, self.of.regulariser.numbers
        return {
            f"R_{name}": _numbers(
                evaluate_torch(
                    tree,
                    {"w": torch.tensor(self.moment.parameters[array][place], dtype=self.dtype), **numbers},
                    self.dtype,
                )
            )
            for name, array, place in self.of.network.parameters()
            if array.startswith("W")
        }

    def gradients(self) -> Reference:
        """The gradients that autograd gave in the run itself, and what torch makes of them when it clips."""
        found: Reference = {
            gradient_name(name): np.float64(self.moment.gradients[array][place])
            for name, array, place in self.of.network.parameters()
        }
        if self.experiment.clip is None:
            return found
        copies = [torch.nn.Parameter(torch.tensor(value)) for value in self.moment.gradients.values()]
        for copy in copies:
            copy.grad = copy.detach().clone()
        norm = float(torch.nn.utils.clip_grad_norm_(copies, self.experiment.clip))
        clipped = {
            name: _numbers(copy.grad, units=True) for name, copy in zip(self.moment.gradients, copies, strict=True)
        }
        before = max(self.moment.gradients, key=lambda name: float(np.abs(self.moment.gradients[name]).max()))
        at = np.unravel_index(np.abs(self.moment.gradients[before]).argmax(), self.moment.gradients[before].shape)
        largest = float(self.moment.gradients[before][at])
        found |= {"norm": norm, "shrink": float(clipped[before][at]) / largest if largest else 1.0}
        return found | {
            f"g_{gradient_name(name)[1:]}": np.float64(clipped[array][place])
            for name, array, place in self.of.network.parameters()
        }

    def update(self, found: Reference) -> Reference:
        """The optimizer's names: torch.optim's state where it keeps them, else the same line run by PyTorch."""
        program, row = self.of.optimizer_program, self.of.optimizer
        kept = TORCH_STATES.get(row.name, TorchState()) if row.torch is not None else TorchState()
        clip = self.experiment.clip is not None
        names = [f"g_{gradient_name(n)[1:]}" if clip else gradient_name(n) for n, _, _ in self.of.network.parameters()]
        values: Reference = {
            "w": self.flat(self.moment.parameters),
            "g": torch.tensor(np.array([found[n] for n in names])),
            "step": float(self.moment.step),
            **row.numbers,
        }
        for state in program.states:
            flat = self.flat(self.moment.states[state])
            values[state] = flat if program.level(state) == "parameter" else float(flat[0])
        result: Reference = {}
        for line in program.lines:
            scheduled = self.scheduled() if line == self.of.rate else None
            values[line.name] = evaluate_torch(line.tree, values, torch.float64) if scheduled is None else scheduled
            result[line.name] = _numbers(values[line.name], units=True)
        return result | self.from_torch(kept) | {program.latest["w"]: self.flat(self.moment.after).numpy()}

    def scheduled(self) -> float | None:
        """The learning rate that PyTorch's own scheduler sets at this step; None if the schedule has none."""
        row, numbers = self.of.schedule.row, self.of.optimizer.numbers
        if row.torch is None:
            return None
        optimizer = torch.optim.SGD([torch.zeros(1)], lr=numbers["lr"])
        given = {name: float(evaluate(parse(str(formula)), numbers)) for name, formula in row.torch.keywords.items()}
        scheduler = resolve(row.torch)(optimizer, **given)
        scheduler.last_epoch = self.moment.step - 1
        return float(scheduler._get_closed_form_lr()[0])  # stepping there would add up the roundings of all steps

    def from_torch(self, kept: TorchState) -> Reference:
        """What torch.optim holds after its step, and what follows from that."""
        program = self.of.optimizer_program
        after: Reference = {
            theirs: self.flat(self.moment.states_after[ours]).numpy() for ours, theirs in kept.kept.items()
        }
        found = {program.latest[ours]: after[theirs] for ours, theirs in kept.kept.items()}
        settings = {**after, **self.of.optimizer.numbers, "step": float(self.moment.step)}
        return found | {name: evaluate(parse(formula), settings) for name, formula in kept.derived.items()}

    def flat(self, arrays: Mapping[str, Any]) -> Tensor:
        """All parameters' numbers as one vector of doubles, in the order of `Network.parameters`."""
        return torch.tensor(
            np.array([arrays[array][place] for _, array, place in self.of.network.parameters()], dtype=float)
        )


def _numbers(value: Any, units: bool = False) -> Any:
    """A tensor as doubles; a column (n, 1) as (n,)."""
    if not isinstance(value, Tensor):
        return value
    array = value.detach().double().numpy()
    return array if units or array.ndim != 2 else array[:, 0]
