"""An experiment as arrays: what its kernel is given."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassgrad.draws import numpy_stream
from glassgrad.engines.compiled.body import Body, settings_of
from glassgrad.engines.compiled.emit import Unsupported
from glassgrad.engines.compiled.kernel import Kernel, kernel, table
from glassgrad.engines.compiled.layout import aligned
from glassgrad.engines.compiled.moments import MomentsBody
from glassgrad.engines.compiled.noise import blocks
from glassgrad.engines.compiled.streams import LANES, TWISTER
from glassgrad.errors import ExperimentError
from glassgrad.experiment import Experiment
from glassgrad.formula.evaluate import evaluate
from glassgrad.formula.parser import parse
from glassgrad.formula.tree import symbols
from glassgrad.initial import own_values
from glassgrad.method import Method, method
from glassgrad.runs import checkpoints
from glassgrad.tables.initialisations import INITIALISATIONS
from glassgrad.tables.row import unknown
from glassgrad.task import Task


@dataclass(frozen=True)
class Plan:
    """All that a block of runs needs, but the seeds.

    arrays, numbers: what `layout` names, the same for all runs. group: how many numbers a run has that is made of
    moments, or 0.
    """

    experiment: Experiment
    kernel: Kernel
    arrays: dict[str, NDArray[Any]]
    numbers: dict[str, int]
    group: int

    @property
    def moments(self) -> bool:
        """Whether runs are made of moments."""
        return self.group > 0

    @property
    def dtype(self) -> Any:
        """The precision, as NumPy has it."""
        return self.kernel.body.form.dtype

    @property
    def together(self) -> int:
        """How many runs are trained side by side: blocks of so many, or multiples of it, waste nothing."""
        body = self.kernel.body
        return body.together if self.moments and isinstance(body, MomentsBody) else 1

    @property
    def marks(self) -> NDArray[np.int64]:
        """The steps after which errors are measured."""
        return self.arrays["marks"]

    @property
    def states(self) -> tuple[str, ...]:
        """The optimizer's states, in the order of their rows."""
        return tuple(method(self.experiment).optimizer_program.states)


def plan(experiment: Experiment, distinct: bool | None = None) -> Plan:
    """Read an experiment into arrays, with its kernel.

    distinct: train on the domain's questions, each weighted by how often it was drawn; None: where that is exact.

    Raises:
        ExperimentError: the experiment has something that this engine cannot run; the message names it.
    """
    of = method(experiment)
    drawn = _questions(of.task, experiment)
    chance = any(name in symbols(line.tree) for line in of.program.lines for name in ("noise", "uniform"))
    random = chance or bool(of.tried)
    batch = experiment.minibatch(drawn.samples)
    once = experiment.group == 1 and not (experiment.fresh or batch or experiment.dropout)
    same = drawn.drawn and once and not random
    if distinct and not same:
        raise unsupported("distinct")
    by_count = same and distinct is not False and len(drawn.truth) <= drawn.samples
    try:
        made = kernel(experiment.change(name="", seed=0, steps=1, batch=batch), by_count)  # no code depends on these
    except Unsupported as reason:
        raise unsupported(reason.what, reason.most) from None
    body = made.body
    seen = len(drawn.truth) if by_count else batch or drawn.samples
    arrays = _formulas(experiment, of, body) | _numbers(experiment, of, body) | _data(of, body, drawn)
    numbers = {
        "samples": drawn.samples,
        "asked": drawn.samples // experiment.group,
        "group": experiment.group,
        "passes": experiment.passes,
        "seen": seen,
        "room": -(-seen // body.width) * body.width,
        "steps": experiment.steps,
        "dropped": math.ceil(experiment.dropout * 2**32),
        "marked": len(arrays["marks"]),
        "evaluated": len(arrays["EC"]),
        "fixed_count": len(drawn.fixed),
        "drawn_count": len(arrays["places"]),
        "constants": arrays["H"].shape[1],
        "rates": arrays["HO"].shape[1],
        "domain": len(drawn.truth),
        "whole": isinstance(body, MomentsBody) and _sums_are_exact(drawn, _beta(body, drawn)),
    }
    group = body.numbers(numbers["room"]) if isinstance(body, MomentsBody) and drawn.drawn else 0
    return Plan(experiment, made, arrays, numbers, group)


def memory(of: Plan) -> dict[str, NDArray[Any]]:
    """What one thread writes into."""
    kind, body, numbers = of.dtype, of.kernel.body, of.numbers
    room, states, slots = numbers["room"], len(of.arrays["states"]), body.slots
    variables = sum(len(draw.names) for draw in method(of.experiment).task.draws)
    filled = room + body.form.lanes  # chance comes in whole vectors, also for one sample
    found: dict[str, NDArray[Any]] = {
        "twister": np.zeros(TWISTER, np.uint32),
        "numbers": np.zeros((numbers["samples"] + LANES) * max(variables, 1), np.uint32),
        "drawn": np.zeros(numbers["samples"] + LANES, np.uint32),
        "order": np.zeros(numbers["samples"] + body.form.lanes, np.uint64),
        "chosen": np.zeros(room, np.uint32),
        "ROOM": np.zeros(body.room(max(room, numbers["evaluated"])), kind),
    }
    units, moved = sum(body.net.sizes[1:-1]), 4 * blocks(len(body.of.tried))
    shapes = {
        "X": (len(of.arrays["DX"]), room), "T": (room,), "C": (room,), "P": (slots,), "G": (slots,),
        "M": (states, slots), "ST": (len(of.arrays["program"]),), "NOISE": (moved * room + filled,),
        "UNIFORM": (filled,), "KEEP": (units * room + filled,), "OLD": (len(body.olds), room), "OUT": (3,),
    }  # fmt: skip
    found |= {name: np.zeros(shape, kind) for name, shape in shapes.items()}
    return {name: aligned(array) for name, array in found.items()}


def group_memory(of: Plan) -> dict[str, NDArray[Any]]:
    """What runs that are made of moments write into, and their questions."""
    kind, body, numbers = of.dtype, of.kernel.body, of.numbers
    assert isinstance(body, MomentsBody)
    room, inputs = numbers["room"], of.arrays["DX"]
    filled = np.where(np.arange(room) < numbers["seen"], np.arange(room), 0) % inputs.shape[1]
    together = np.ones((body.together, 1, 1), kind)
    found = {
        "Q": np.zeros((body.together, of.group), kind),
        "before": np.zeros((body.together, body.slots * (1 + len(of.arrays["states"]))), kind),
        "GX": np.ascontiguousarray(together * inputs[:, filled]),
        "GT": np.ascontiguousarray(together[:, 0] * of.arrays["DT"][filled]),
        "GC": np.zeros((body.together, room), kind),
        "XT": np.zeros((body.together, room, body.wide), kind),
        "XM": np.zeros((body.together, room), kind),
    }
    return {name: aligned(array) for name, array in found.items()}


def unsupported(what: str, most: int | None = None) -> ExperimentError:
    """The error for what this engine cannot run (with more than so many learned numbers)."""
    if most is not None:
        return ExperimentError(f"compiled.too_many_{what}", most=most)
    return ExperimentError("compiled.unsupported", what=what)


def _formulas(experiment: Experiment, of: Method, body: Body) -> dict[str, NDArray[Any]]:
    """The constants of each step."""
    kind, rates = body.form.dtype, {**of.optimizer.numbers, "steps": float(experiment.steps)}
    return {
        "H": table(body.constants, settings_of(experiment, of), experiment.steps, kind),
        "HO": table(body.rates, rates, experiment.steps, kind),
        "tolerance": np.array([of.task.tolerance], kind),
        "keep": np.array([1.0 / (1.0 - experiment.dropout)], kind),
    }


def _numbers(experiment: Experiment, of: Method, body: Body) -> dict[str, NDArray[Any]]:
    """The learned numbers and all states before the first step."""
    kind, program = body.form.dtype, of.optimizer_program
    own = [float(evaluate(start, {})) for start in of.program.states.values()]
    places, low, width = _draws(experiment, of, body)
    return {
        "places": places,
        "low": low,
        "width": width,
        "first": _first(experiment, of, body),
        "states": np.array([float(evaluate(start, {})) for start in program.states.values()], kind),
        "program": np.array(own + [0.0] * ("reward" in of.pieces), kind),
        "marks": checkpoints(experiment.steps).astype(np.int64),
    }


def _data(of: Method, body: Body, drawn: "Questions") -> dict[str, NDArray[Any]]:
    """All questions, and those of an evaluation, filled up to whole vectors."""
    kind, domain = body.form.dtype, of.task.domain()
    whole = body.form.whole(len(domain))
    filled = np.concatenate([np.arange(len(domain)), np.zeros(whole - len(domain), np.int64)])
    return {
        "DX": np.ascontiguousarray(drawn.inputs.T, dtype=kind),
        "DT": drawn.truth.astype(kind),
        "EX": np.ascontiguousarray(domain[filled].T, dtype=kind),
        "ET": of.task.true(domain)[filled].astype(kind),
        "EC": np.where(np.arange(whole) < len(domain), 1 / len(domain), 0).astype(kind),
        "fixed": drawn.fixed,
    }


@dataclass(frozen=True)
class Questions:
    """All questions that can be drawn; fixed: the places of given rows, where nothing is drawn."""

    inputs: NDArray[np.float64]
    truth: NDArray[np.float64]
    fixed: NDArray[np.uint32]
    samples: int
    drawn: bool


def _questions(task: Task, experiment: Experiment) -> Questions:
    if task.data is not None or not task.draws:
        inputs = task.sample(numpy_stream(0), experiment.samples)
        truth = task.true(inputs) if task.data is None or task.truth else task.data.truth[: task.data.trained]
        return Questions(inputs, truth, np.arange(len(inputs), dtype=np.uint32), len(inputs), drawn=False)
    if any(draw.kind == "real" for draw in task.draws):
        raise unsupported("real")
    inputs = task.domain()
    return Questions(inputs, task.true(inputs), np.zeros(0, np.uint32), experiment.samples, drawn=True)


def _beta(body: MomentsBody, drawn: Questions) -> NDArray[np.float64]:
    """What the truth of each question adds to dL/do."""
    settings = settings_of(body.experiment, body.of)
    with np.errstate(all="ignore"):
        return np.broadcast_to(evaluate(body.rest, {**settings, "t": drawn.truth}), drawn.truth.shape)


def _sums_are_exact(drawn: Questions, beta: NDArray[np.float64]) -> bool:
    """Whether sums of products of features, or of one and β, are whole numbers that single precision has."""
    numbers = np.concatenate([drawn.inputs.ravel(), beta])
    most = max(float(np.abs(drawn.inputs).max(initial=0)), 1.0)
    largest = drawn.samples * most * max(most, float(np.abs(numbers).max(initial=0)))
    return bool(np.all(numbers == np.round(numbers))) and largest < 2**24


def _bounds(experiment: Experiment, of: Method) -> NDArray[np.float64]:
    """How far each layer's first weights and biases reach."""
    if "=" in experiment.init:
        return np.zeros((len(of.network.layers), 2))
    if experiment.init not in INITIALISATIONS:
        raise unknown("init", experiment.init, INITIALISATIONS)
    row = INITIALISATIONS[experiment.init]
    found = []
    for layer in of.network.layers:
        net = of.network
        sizes = {"n_in": float(net.fan_in(layer)), "n_out": float(len(net.rows(layer, 0)))}
        found.append([float(evaluate(parse(formula), sizes)) for formula in (row.weight, row.bias)])
    return np.array(found)


def _draws(experiment: Experiment, of: Method, body: Body) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Each number that nn.Linear draws, in the order in which it does: its place, and the range it is drawn from."""
    at = {(array, place): body.places[name] for name, array, place in of.network.parameters()}
    places: list[int] = []
    bounds: list[float] = []
    parts = range(of.network.parts)
    layers = list(zip(of.network.layers, _bounds(experiment, of), strict=True))
    for part, (layer, reaches) in ((part, each) for part in parts for each in layers):
        rows = of.network.rows(layer, part)
        weights = [at[f"W{layer}", (i, j)] for i in rows for j in range(of.network.fan_in(layer))]
        biases = [at[f"b{layer}", (i,)] for i in rows]
        for some, reach in zip((weights, biases), reaches, strict=True):
            if reach > 0:
                places += some
                bounds += [float(reach)] * len(some)
    high, low = np.array(bounds, np.float32), np.array([-bound for bound in bounds], np.float32)
    return np.array(places, np.int64), low.astype(np.float64), (high - low).astype(np.float64)


def _first(experiment: Experiment, of: Method, body: Body) -> NDArray[Any]:
    """Learned numbers that are not drawn, each in its place: own first values, and those of activations."""
    found, starts = np.zeros(body.slots, body.form.dtype), of.network.starts()
    own = own_values(experiment.init, of.network) if "=" in experiment.init else {}
    for name, array, place in of.network.parameters():
        found[body.places[name]] = starts[name] if name in starts else float(own[array][place]) if own else 0.0
    return found
