"""Thousands of runs at once: blocks of seeds on all cores, each run the same alone and in company."""

import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from importlib.resources import files
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassgrad.draws import Purpose, numpy_stream, philox_key
from glassgrad.engines.compiled.body import settings_of
from glassgrad.engines.compiled.cache import load, seal
from glassgrad.engines.compiled.emit import Unsupported
from glassgrad.engines.compiled.kernel import Kernel, kernel, table
from glassgrad.engines.compiled.moments import TOGETHER, MomentsBody
from glassgrad.errors import ExperimentError
from glassgrad.experiment import Experiment
from glassgrad.formula.evaluate import evaluate
from glassgrad.formula.parser import parse
from glassgrad.initial import own_values
from glassgrad.method import Method, method
from glassgrad.runs import CURVES, Runs, checkpoints
from glassgrad.tables.initialisations import INITIALISATIONS
from glassgrad.tables.row import unknown
from glassgrad.task import Task

Progress = Callable[[int, int], None]
BLOCK_SECONDS = 0.05  # about how long a block of runs should take: progress and Ctrl-C wait for no more

ORDER = (
    "H", "HO", "sizes", "bounds", "draws_at", "first", "first_states", "first_program", "DX", "DT", "EX", "ET",
    "EC", "names", "most", "stride", "fixed", "samples", "batch", "dropout", "units", "steps", "flags",
    "lanes", "tolerance",
)  # fmt: skip
GROUPS = (
    "H", "HO", "sizes", "bounds", "draws_at", "first", "first_states", "DX", "DT", "EX", "ET", "EC", "names", "most",
    "stride", "samples", "distinct", "lanes", "tolerance",
)  # fmt: skip

_sealed: set[str] = set()


@dataclass(frozen=True)
class Plan:
    """All arguments of a kernel but the seeds: what a block of runs needs, as arrays."""

    experiment: Experiment
    kernel: Kernel
    module: ModuleType
    dtype: Any
    fixed: dict[str, Any]
    marks: NDArray[np.int32]

    @property
    def moments(self) -> bool:
        """Whether runs are made of moments."""
        return bool(self.fixed["moments"])

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
    try:
        made = kernel(experiment.change(seed=0))
    except Unsupported as reason:
        raise unsupported(reason.what) from None
    dtype = np.float32 if experiment.precision == "single" else np.float64
    arguments = _arguments(experiment, of, made, dtype, distinct)
    return Plan(experiment, made, load(common()), dtype, arguments, checkpoints(experiment.steps))


def common() -> str:
    """The source of what all kernels share: seeds, questions, the loop over steps."""
    texts = [(files(__package__) / name).read_text(encoding="utf-8") for name in ("streams.py", "driver.py")]
    head, tail = texts[1].split("from glassgrad.engines.compiled.streams import (")
    joined = texts[0] + head + tail.split(")\n", 1)[1]
    return joined.replace("njit(nogil=True,", "njit(nogil=True, cache=True,")


def unsupported(what: str) -> ExperimentError:
    """The error for what this engine cannot run."""
    return ExperimentError("compiled.unsupported", what=what)


def _arguments(experiment: Experiment, of: Method, made: Kernel, dtype: Any, distinct: bool | None) -> dict[str, Any]:
    questions = _questions(of.task, experiment)
    noisy, chancy = _reads(of, "noise"), _reads(of, "uniform")
    exact = not (experiment.fresh or experiment.batch or experiment.dropout or noisy or chancy)
    exact = exact and questions.drawn
    if distinct and not exact:
        raise unsupported("distinct")
    use = exact and distinct is not False and len(questions.truth) <= questions.samples
    domain = of.task.domain()
    keeps = [(layer, unit) for layer in of.network.layers[:-1] for unit in of.network.units(layer)]
    program, steps = of.optimizer_program, experiment.steps
    rates = {**of.optimizer.numbers, "steps": float(steps)}
    whole = made.whole(len(domain))
    filled = np.concatenate([np.arange(len(domain)), np.zeros(whole - len(domain), np.int64)])
    return {
        "code": np.array(made.addresses(), np.uint64),
        "H": table(made.constants, settings_of(experiment, of), steps, dtype),
        "HO": table(made.rates, rates, steps, dtype),
        "sizes": np.array(experiment.network, np.int64),
        "bounds": _bounds(experiment, of),
        "draws_at": _draws_at(of, made),
        "first": _first(experiment, of, made, dtype),
        "first_states": np.array([float(evaluate(program.states[s], {})) for s in program.states], dtype),
        "first_program": np.array(
            [float(evaluate(start, {})) for start in of.program.states.values()] + [0.0] * ("reward" in of.pieces),
            dtype,
        ),
        "DX": np.ascontiguousarray(questions.inputs.T, dtype=dtype),
        "DT": questions.truth.astype(dtype),
        "EX": np.ascontiguousarray(domain[filled].T, dtype=dtype),
        "ET": of.task.true(domain)[filled].astype(dtype),
        "EC": np.where(np.arange(whole) < len(domain), 1 / len(domain), 0).astype(dtype),
        "names": questions.names,
        "most": questions.most,
        "stride": questions.stride,
        "fixed": questions.fixed,
        "samples": questions.samples,
        "batch": experiment.batch or questions.samples,
        "dropout": float(experiment.dropout),
        "units": np.array(keeps if experiment.dropout else [], np.int64).reshape(-1, 2),
        "steps": steps,
        "flags": np.array([experiment.fresh, use, noisy, chancy], np.int64),
        "lanes": made.width,
        "rooms": made.body.room(max(questions.samples, whole)),
        "tolerance": dtype(of.task.tolerance),
        "distinct": use,
        **_moments(made, questions, use),
    }


def _reads(of: Method, name: str) -> bool:
    from glassgrad.formula.tree import symbols

    return any(name in symbols(line.tree) for line in of.program.lines)


@dataclass(frozen=True)
class Questions:
    """All questions that can be drawn, and how one is drawn: group g has names[g] variables of 0..most[g].

    A question's place is the sum of stride * value. fixed: the places of given rows, where nothing is drawn.
    """

    inputs: NDArray[np.float64]
    truth: NDArray[np.float64]
    names: NDArray[np.int64]
    most: NDArray[np.int64]
    stride: NDArray[np.uint32]
    fixed: NDArray[np.uint32]
    samples: int
    drawn: bool


def _questions(task: Task, experiment: Experiment) -> Questions:
    if task.data is not None or not task.draws:
        inputs = task.sample(numpy_stream(0), experiment.samples)
        truth = task.true(inputs) if task.data is None or task.truth else task.data.truth[: task.data.trained]
        places, none = np.arange(len(inputs), dtype=np.uint32), np.zeros(0, np.int64)
        return Questions(inputs, truth, none, none, none.astype(np.uint32), places, len(inputs), drawn=False)
    if any(draw.kind == "real" for draw in task.draws):
        raise unsupported("real")
    inputs = task.domain()
    sizes = [len(draw.every()) for draw in task.draws for _ in draw.names]  # of every variable
    strides = [int(np.prod(sizes[k + 1 :])) for k in range(len(sizes))]
    return Questions(
        inputs,
        task.true(inputs),
        np.array([len(draw.names) for draw in task.draws], np.int64),
        np.array([len(draw.every()) - 1 for draw in task.draws], np.int64),
        np.array(strides, np.uint32),
        np.zeros(0, np.uint32),
        experiment.samples,
        drawn=True,
    )


def _moments(made: Kernel, questions: Questions, distinct: bool) -> dict[str, Any]:
    """What only `run_groups` needs."""
    body = made.body
    if not isinstance(body, MomentsBody) or not questions.drawn:
        return {"moments": False}
    numbers = np.concatenate([questions.inputs.ravel(), 4 * questions.truth])
    most = max(float(np.abs(questions.inputs).max()), 1.0)
    exact = (
        bool(np.all(numbers == np.round(numbers)))
        and questions.samples * most * max(most, np.abs(numbers).max()) < 2**24
    )
    return {
        "moments": True,
        "shape": np.array([body.block, body.count, body.wide], np.int64),
        "whole": exact,
        "numbers": body.numbers(len(questions.truth) if distinct else questions.samples),
    }


def _bounds(experiment: Experiment, of: Method) -> NDArray[np.float64]:
    """How far each layer's first weights and biases reach."""
    if "=" in experiment.init:
        return np.zeros((len(of.network.layers), 2))
    if experiment.init not in INITIALISATIONS:
        raise unknown("init", experiment.init, INITIALISATIONS)
    row = INITIALISATIONS[experiment.init]
    found = []
    for layer in of.network.layers:
        sizes = {"n_in": float(of.network.sizes[layer - 1]), "n_out": float(of.network.sizes[layer])}
        found.append([float(evaluate(parse(formula), sizes)) for formula in (row.weight, row.bias)])
    return np.array(found)


def _draws_at(of: Method, made: Kernel) -> NDArray[np.int64]:
    """The place of each number that nn.Linear draws, in the order in which it does: weights row by row, then biases."""
    at = {(array, place): made.body.places[name] for name, array, place in of.network.parameters()}
    found = []
    for layer in of.network.layers:
        rows, columns = of.network.shapes()[f"W{layer}"]
        found += [at[f"W{layer}", (i, j)] for i in range(rows) for j in range(columns)]
        found += [at[f"b{layer}", (i,)] for i in range(rows)]
    return np.array(found, np.int64)


def _first(experiment: Experiment, of: Method, made: Kernel, dtype: Any) -> NDArray[Any]:
    """Learned numbers that are not drawn, each in its place: own first values, and those of activations."""
    found, starts = np.zeros(made.slots, dtype), of.network.starts()
    own = own_values(experiment.init, of.network) if "=" in experiment.init else {}
    for name, array, place in of.network.parameters():
        found[made.body.places[name]] = (
            starts.get(name, 0.0) if name in starts else float(own[array][place]) if own else 0.0
        )
    return found


def keys(seeds: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """The Philox keys of each run: noise, uniform, dropout, minibatch, two words each."""
    purposes: tuple[Purpose, ...] = ("noise", "uniform", "dropout", "minibatch")
    return np.array(
        [[word for purpose in purposes for word in philox_key(int(seed), purpose)] for seed in seeds], np.uint64
    ).reshape(len(seeds), 8)


def run_block(
    of: Plan, seeds: NDArray[np.uint32], stop: NDArray[np.int8], curves: int = 0, history: NDArray[Any] | None = None
) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Train a block of runs on this thread: their table (runs, 6), and the curves of the first of them."""
    out = np.full((len(seeds), 6), np.nan)
    traced = np.full((min(curves, len(seeds)), len(of.marks)), np.nan, of.dtype)
    needed = of.fixed["flags"][2:4].any() or of.experiment.dropout or of.experiment.batch
    words = keys(seeds) if needed else np.zeros((len(seeds), 8), np.uint64)
    a = of.fixed
    room = np.zeros(a["rooms"], of.dtype)
    if of.moments and history is None:
        q = np.zeros((TOGETHER, a["numbers"]), of.dtype)
        kept = np.zeros((TOGETHER, len(a["first"]) * (1 + len(a["first_states"]))), of.dtype)
        of.module.run_groups(
            a["code"], seeds, *(a[name] for name in GROUPS), of.marks, a["shape"], a["whole"], q, kept, room, out,
            traced, stop,
        )  # fmt: skip
    else:
        past = np.zeros((0, 0), of.dtype) if history is None else history
        of.module.run_block(
            a["code"], seeds, words, *(a[name] for name in ORDER), of.marks, room, out, traced, past, stop
        )
    return out, traced


def compile_(of: Plan) -> None:
    """Compile a kernel (or find it on disk) before it is needed, and seal it."""
    name = f"{of.module.__name__} {of.experiment.precision}"
    if name in _sealed:
        return
    run_block(of, np.zeros(0, np.uint32), np.zeros(1, np.int8))
    seal(of.module)
    _sealed.add(name)


def train_many(
    experiment: Experiment,
    seeds: Sequence[int],
    progress: Progress | None = None,
    *,
    distinct: bool | None = None,
    threads: int | None = None,
) -> Runs:
    """Train one experiment with many seeds.

    Run s is the same alone and in any company, on any number of threads. Ctrl-C keeps the runs that are finished.

    Raises:
        ExperimentError: the experiment has something that this engine cannot run.

    Example:
        >>> from glassgrad.tables.experiments import shipped
        >>> int(train_many(shipped("knob"), range(100)).solved.sum())
        0
    """
    of = plan(experiment, distinct)
    compile_(of)
    began = time.perf_counter()
    wanted = np.asarray(seeds, np.uint32)
    tables, curves = _Blocks(of, wanted, progress, threads or os.cpu_count() or 1).run()
    table = np.concatenate(tables) if tables else np.zeros((0, 6))
    done = len(table)
    most = table[:, 1]
    return Runs(
        experiment, wanted[:done], table[:, 0].astype(np.float32), most.astype(np.float32),
        most < method(experiment).task.tolerance, table[:, 2].astype(np.int32), table[:, 3].astype(np.int32),
        table[:, 4].astype(np.int16), of.marks, np.concatenate([*curves, np.zeros((0, len(of.marks)))])[:CURVES]
        .astype(np.float32), time.perf_counter() - began,
    )  # fmt: skip


class _Blocks:
    """Blocks of seeds on a pool of threads, a few ahead of what is finished; their tables in the order of the seeds."""

    def __init__(self, of: Plan, seeds: NDArray[np.uint32], progress: Progress | None, threads: int) -> None:
        self.of, self.seeds, self.progress, self.threads = of, seeds, progress, threads
        self.stop = np.zeros(1, np.int8)
        self.tables: dict[int, tuple[NDArray[np.float64], NDArray[Any]]] = {}
        self.size = 1
        self.lock = threading.Lock()

    def run(self) -> tuple[list[NDArray[np.float64]], list[NDArray[Any]]]:
        first = 0
        with ThreadPoolExecutor(self.threads) as pool:
            waiting: dict[Future[float], int] = {}
            try:
                while first < len(self.seeds) or waiting:
                    while first < len(self.seeds) and len(waiting) < 2 * self.threads:
                        block = self.seeds[first : first + self.size]
                        waiting[pool.submit(self.block, first, block)] = len(block)
                        first += len(block)
                    finished, _ = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
                    self.adapt([(future.result(), waiting.pop(future)) for future in finished])
                    if self.progress is not None and finished:
                        self.progress(sum(len(table) for table, _ in self.tables.values()), len(self.seeds))
            except KeyboardInterrupt:
                self.stop[0] = 1
        return self.finished()

    def block(self, first: int, seeds: NDArray[np.uint32]) -> float:
        began = time.perf_counter()
        result = run_block(self.of, seeds, self.stop, max(0, CURVES - first))
        if not self.stop[0]:
            with self.lock:
                self.tables[first] = result
        return time.perf_counter() - began

    def adapt(self, took: list[tuple[float, int]]) -> None:
        """Blocks of about BLOCK_SECONDS."""
        for seconds, count in took:
            rate = count / max(seconds, 1e-6)
            self.size = int(min(max(1, rate * BLOCK_SECONDS), 4 * self.size, 4096))

    def finished(self) -> tuple[list[NDArray[np.float64]], list[NDArray[Any]]]:
        """The tables of all runs before the first that is missing."""
        tables, curves, at = [], [], 0
        while at in self.tables:
            table, traced = self.tables[at]
            tables.append(table)
            curves.append(traced)
            at += len(table)
        return tables, curves
