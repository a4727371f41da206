"""One training, from the first draw to the record."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from glassgrad.engines.data import Data, draw
from glassgrad.engines.torch.alone import DTYPES, alone
from glassgrad.engines.torch.net import Net
from glassgrad.engines.torch.objective import (
    Batch,
    Objective,
    Old,
    doubles,
    first_states,
    named_inputs,
    named_outputs,
)
from glassgrad.engines.torch.optimizer import build_optimizer
from glassgrad.engines.torch.recorder import Recorder
from glassgrad.experiment import Experiment
from glassgrad.formula.backends import NumPy
from glassgrad.formula.evaluate import culprit, evaluate
from glassgrad.initial import initial_parameters
from glassgrad.method import method
from glassgrad.record import Record, masks, perturbation

Progress = Callable[[int, int], None]
NEAR_THE_END = "a number too small or too large"


def train(
    experiment: Experiment, *, every: int = 100, progress: Progress | None = None, until: int | None = None
) -> Record:
    """Run an experiment and record everything.

    every: for a record too large for the memory, keep steps 1, 1 + every, 1 + 2*every, … .
    progress: called now and then with (step, steps). until: the last step that is wanted; by default all are.
    A run that diverges, or is stopped with Ctrl-C, gives its record so far; the status says so.

    Example:
        >>> from glassgrad.tables.experiments import shipped
        >>> train(shipped("knob").change(steps=3)).status
        'finished'
    """
    with alone(experiment.precision):
        return _Run(experiment, every).run(progress, min(until or experiment.steps, experiment.steps))


def cause(record: Record) -> str:
    """Why the last step of a run that diverged gave numbers that are not finite, whichever engine trained it.

    PyTorch does the step once more, from the numbers with which it began. There they may stay finite: numbers that are
    too small to be normal are 0 on the compiled engine.

    Example:
        >>> from glassgrad.tables.experiments import shipped
        >>> cause(train(shipped("add").change(steps=300, objective="(o - t)**2 + log(100.5 - step)")))
        'log(-0.5) in objective'
    """
    with alone(record.experiment.precision):
        run = _Run(record.experiment, 1)
        for step in sorted({record.experiment.collects(record.steps) if run.of.olds else record.steps, record.steps}):
            run.resume(record, step)
            fine = run.advance(step)
            run.recorder.back_to(step)
        slopes = run.recorder.kept(run.recorder.gradients, record.steps)
        return NEAR_THE_END if fine and all_finite(slopes) else run.cause(record.steps)


class _Run:
    """One training, from the first draw to the record."""

    def __init__(self, experiment: Experiment, every: int) -> None:
        self.experiment, self.of = experiment, method(experiment)
        self.dtype = DTYPES[experiment.precision]
        self.data: Data = draw(experiment, self.of)
        self.net = Net(self.of, initial_parameters(experiment.init, self.of.network, experiment.seed), self.dtype)
        self.pieces = self.net.pieces()
        self.parameters = [piece.parameter for piece in self.pieces]
        self.objective = Objective(self.of, self.dtype, experiment.group)
        self.collected: list[Old] = []  # by the last steps that collected data
        self.optimizer = build_optimizer(self.parameters, self.of)
        self.states = first_states(self.of)
        self.lines = {name: np.full(experiment.steps + 1, value) for name, value in self.states.items()}
        first = {name: float(evaluate(tree, {})) for name, tree in self.of.optimizer_program.states.items()}
        self.recorder = Recorder(experiment, self.pieces, self.of.network.shapes(), first, every)
        self.weights: list[Tensor] = [p.parameter for p in self.pieces if p.array.startswith("W")]
        fixed = not (experiment.fresh or experiment.batch or experiment.dropout or self.of.tried)
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
            weight_noise=perturbation(experiment, self.of, step, n),
        )

    def run(self, progress: Progress | None, until: int) -> Record:
        began = told = time.perf_counter()
        status, done = "finished", 0
        try:
            for step in range(1, until + 1):
                fine = self.advance(step)
                done = step
                if not fine:
                    break
                if progress is not None and time.perf_counter() - told > 0.1:
                    told = time.perf_counter()
                    progress(step, until)
        except KeyboardInterrupt:
            self.recorder.back_to(done + 1)  # the step that was under way is not counted
            status = f"stopped at step {done}"
        bad = self.first_bad(done)
        if bad is not None:
            done, status = bad, f"diverged at step {bad}: {self.cause(bad)}"
        self.keep_final(done)
        return self.shell(done, status, time.perf_counter() - began)

    def resume(self, record: Record, step: int) -> None:
        """Everything as it was before a step of a record."""
        row, place = record.rows[step], self.recorder.place[step]
        for i, piece in enumerate(self.pieces):
            rows: Any = piece.rows if piece.parameter.dim() else ...
            self.recorder.sources[i].copy_(torch.tensor(record.parameters[piece.array][row])[rows])
            for name, rooms in self.recorder.states.items():
                rooms[i][place].copy_(torch.tensor(record.states[name][piece.array][row])[rows])
        for name, values in record.lines.items():
            self.lines[name][:step] = values[:step]
            self.states[name] = float(values[step - 1])

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
        o = self.net(batch.x, batch.mask, tried=self.objective.perturb(self.net, batch, step))
        if self.of.olds:
            if self.experiment.collects(step) == step:
                self.collected = [*self.collected[-1:], self.objective.collect(o, batch, step, self.states)]
            batch = replace(batch, old=self.old(step))
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

    def old(self, step: int) -> Old | None:
        """The values of all old(…) at a step."""
        return next((old for old in self.collected if old.step == self.experiment.collects(step)), None)

    def update(self) -> None:
        parameters = self.parameters
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
            spelled_out = Objective(self.of, self.dtype, self.experiment.group, spelled_out=True)
            o = self.net(batch.x, batch.mask, seen, spelled_out.perturb(self.net, batch, step))
        for name, value in seen.items():
            if not bool(torch.isfinite(value).all()):
                return f"overflow in {name}"
        values: dict[str, Any] = {
            **self.of.numbers,
            **{name: values[step - 1] for name, values in self.lines.items()},
            **named_inputs(batch.inputs),
            "t": batch.truth,
            **{name: value.double().numpy()[:, 0] for name, value in named_outputs(self.of, o).items()},
            "step": float(step),
            "noise": batch.noise,
            "uniform": batch.uniform,
            **{name: doubles(value) for name, value in batch.perturbed.items()},
        }
        if (old := self.old(step)) is not None:
            states = {name: float(values[old.step - 1]) for name, values in self.lines.items()}
            old = spelled_out.collect(old.o, self.batch_at(old.step), old.step, states)
            values |= {name: doubles(value) for name, value in old.values.items()}
        if not bool(torch.isfinite(o).all()):
            found = culprit(
                self.of.output_activation.tree,
                {
                    "z": seen[f"z{self.of.network.last}"].double().numpy().ravel(),
                    **self.of.output_activation.numbers,
                    **{name: float(value) for name, value in self.net.in_layer(self.of.network.last).items()},
                },
            )
            return f"{found} in the output activation"
        largest = float(torch.finfo(self.dtype).max)
        backend = NumPy(self.experiment.group)
        for line in self.of.later((*self.of.program.lines, *self.of.backward)):
            if found := culprit(line.tree, values, largest, backend):
                return f"{found} in {line.name}"
            values[line.name] = evaluate(line.tree, values, backend)
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
            recorder.close(0),
            recorder.close(1),
            {name: recorder.close(2 + i) for i, name in enumerate(recorder.states)},
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
