"""One run of the compiled engine with its whole record, in the form of the torch engine's."""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from glassgrad.draws import Floats
from glassgrad.engines.compiled.many import run_block
from glassgrad.engines.compiled.plan import Plan, plan
from glassgrad.engines.data import draw
from glassgrad.experiment import Experiment
from glassgrad.method import Method, method
from glassgrad.record import Array, Record


def train_one(experiment: Experiment) -> Record:
    """Train one network and keep every step.

    Raises:
        ExperimentError: the experiment has something that this engine cannot run.

    Example:
        >>> from glassgrad.tables.experiments import shipped
        >>> train_one(shipped("knob").change(steps=3)).status
        'finished'
    """
    of = plan(experiment)
    began = time.perf_counter()
    history, done, diverged = _history(of, experiment.seed)
    record = _record(of, history, done, diverged, time.perf_counter() - began)
    return replace(record, status=f"diverged at step {diverged}: {_cause(record)}") if diverged else record


def last_parameters(of: Plan, seed: int) -> dict[str, Array] | None:
    """The learned numbers with which a run ends, as W1, b1, W2, …; None if it diverged."""
    history, done, diverged = _history(of, seed)
    if diverged:
        return None
    slots = of.kernel.body.slots
    row = history[done : done + 1, 1 + slots : 1 + 2 * slots]  # after loss and gradient
    found = _by_name(method(of.experiment), of.kernel.body.places, row)
    return {name: values[0] for name, values in found.items()}


def _history(of: Plan, seed: int) -> tuple[Floats, int, int]:
    """Every step's loss, gradient, parameters, states, one row a step; how many steps; the step that diverged, or 0."""
    history = np.zeros((of.experiment.steps + 1, of.kernel.columns), of.dtype)
    table, _ = run_block(of, np.array([seed], np.uint32), np.zeros(1, np.int8), history=history)
    return history, int(table[0, 5]), int(table[0, 3])


def _cause(record: Record) -> str:
    from glassgrad.engines.torch import cause  # PyTorch is slow to import

    return cause(record)


def _record(of: Plan, history: Array, done: int, diverged: int, seconds: float) -> Record:
    experiment = of.experiment
    formulas = method(experiment)
    body, data = of.kernel.body, draw(experiment, formulas)
    blocks = iter(np.split(history[:, 1:], np.arange(1, 3 + len(of.states)) * body.slots, axis=1))
    gradients, parameters = next(blocks), next(blocks)
    states = {name: _by_name(formulas, body.places, next(blocks)) for name in of.states}
    program = next(blocks)
    rows = np.full(experiment.steps + 2, -1, np.int64)
    rows[1 : done + 2] = np.arange(done + 1)
    if diverged:
        rows[done + 1] = done - 1  # nothing was updated
    return Record(
        experiment,
        "finished",
        done,
        rows,
        history[:done, 0].astype(np.float64),
        program[1 : done + 1, len(formulas.program.states)].astype(np.float64) if "reward" in formulas.pieces else None,
        _by_name(formulas, body.places, parameters),
        _by_name(formulas, body.places, gradients),
        states,
        {name: program[: done + 1, i].astype(np.float64) for i, name in enumerate(formulas.program.states)},
        data.inputs,
        data.truth,
        data.noise,
        data.uniform,
        seconds,
    )


def _by_name(of: Method, places: Mapping[str, int], flat: Array) -> dict[str, Array]:
    """Columns, each in its parameter's place, as W1 (rows, units, inputs), b1, …"""
    found = {name: np.zeros((len(flat), *shape), flat.dtype) for name, shape in of.network.shapes().items()}
    for name, array, place in of.network.parameters():
        index: Any = (slice(None), *place)
        found[array][index] = flat[:, places[name]]
    return found
