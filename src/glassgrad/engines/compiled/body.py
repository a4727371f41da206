"""The functions of a kernel, written from the formulas of an experiment: one step of training, and the evaluation.

    step(n, real, stride, group, P, G, M, ST, X, T, C, NOISE, UNIFORM, KEEP, OLD, H, HO, OUT, ROOM) -> 1, or 0 if not
        finite
    collect(n, real, stride, group, P, ST, X, T, C, NOISE, UNIFORM, OLD, H, ROOM)
    evaluation(n, stride, units, P, X, T, C, H, OUT, ROOM)

n: samples, filled up to whole vectors; real: without the filling. stride: length of a row of X, KEEP and OLD. group:
how many samples answer the same question. OLD: the value of each old(…), a row each, which `collect` writes. P, G:
learned numbers and their gradient, each in its place. NOISE: a row for the answer, then, where weights are perturbed,
one for each of them. M: the optimizer's states, a row each. ST: the objective's
states, then the mean reward. C: each sample's weight, 0 for the filling. H, HO: constants of the step. OUT: loss; mean
and largest error and, if units is not 0, how many units stay 0.

Seeds, data and all numbers are arguments: only another structure is another kernel.
"""

from collections.abc import Mapping
from typing import Any

from llvmlite import ir

from glassgrad.engines.compiled.arithmetic import absolute, larger
from glassgrad.engines.compiled.emit import Constants, Emitter
from glassgrad.engines.compiled.stages import COUNT, GROUP, Stage, is_cheap, stages
from glassgrad.engines.compiled.vector import INDEX, Code, Form, Variable, Vector, totals
from glassgrad.experiment import Experiment
from glassgrad.formula.evaluate import is_aggregate
from glassgrad.formula.functions import CONSTANTS
from glassgrad.formula.lines import Line, reads
from glassgrad.formula.tree import Apply, Symbol, Tree, symbols, walk
from glassgrad.method import Method, method
from glassgrad.network import gradient_name
from glassgrad.steps import collecting, quantities

STEP = ("n", "real", "stride", "group", "P", "G", "M", "ST", "X", "T", "C", "NOISE", "UNIFORM", "KEEP", "OLD", "H",
        "HO", "OUT", "ROOM")  # fmt: skip
COLLECT = ("n", "real", "stride", "group", "P", "ST", "X", "T", "C", "NOISE", "UNIFORM", "OLD", "H", "ROOM")
EVALUATION = ("n", "stride", "units", "P", "X", "T", "C", "H", "OUT", "ROOM")
Names = dict[str, Vector]
_COUNTS = {COUNT: "real", GROUP: "group"}


def settings_of(experiment: Experiment, of: Method) -> dict[str, float]:
    """The numbers that the formulas of a step read, by name."""
    found = {**of.activation.numbers, **of.output_activation.numbers, **of.numbers, "steps": float(experiment.steps)}
    if of.regulariser is not None:
        found |= of.regulariser.numbers
    if experiment.clip is not None:
        found["max_norm"] = experiment.clip
    return found


class Body:
    """Writes the functions of a network small enough that each of its numbers has instructions of its own."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment, self.of = experiment, method(experiment)
        self.form = Form(experiment.precision)
        self.net = self.of.network
        self.parameters = [name for name, _, _ in self.net.parameters()]
        self.places = dict(zip(self.parameters, range(len(self.parameters)), strict=True))
        self.slots = self.form.whole(len(self.parameters))
        self.constants = Constants(frozenset((*settings_of(experiment, self.of), "step")))
        self.rates = Constants(frozenset((*self.of.optimizer.numbers, "step", "steps")))
        self.keeps = [f"keep{layer}_{i + 1}" for layer in self.net.layers[:-1] for i in self.net.units(layer)]
        self.width = 1 if (experiment.batch or experiment.samples) == 1 else self.form.lanes
        self.olds = tuple(self.of.olds.values())
        self.old_levels = {line.name: line.level for line in self.of.collected}
        self.settled = self.same_in_every_pass() if self.olds else []
        self.reads = {name for line in self.of.program.lines for name in symbols(line.tree)}
        self.by_chance = bool(self.reads & {"noise", "uniform"} or self.of.tried or experiment.dropout)
        self.module = ir.Module()
        self.shelves: list[str] = []
        self.drawers: list[str] = []

    def shelf(self, name: str) -> int:
        """The row of ROOM in which a value of the samples waits for a later loop."""
        if name not in self.shelves:
            self.shelves.append(name)
        return self.shelves.index(name)

    def drawer(self, name: str) -> int:
        """Where a value of the learned numbers waits: from the beginning of ROOM, the samples are done by then."""
        if name not in self.drawers:
            self.drawers.append(name)
        return self.drawers.index(name) * self.slots

    @property
    def rows(self) -> int:
        """How many rows of ROOM the samples need."""
        return len(self.shelves)

    def room(self, samples: int) -> int:
        """How many numbers ROOM holds, for so many samples."""
        return max(self.rows * self.form.whole(samples), len(self.drawers) * self.slots)

    # what formulas may read --------------------------------------------------------------------------------------

    def learned(self, code: Code) -> Names:
        return {name: code.load(code["P"], place, 1) for name, place in self.places.items()}

    def sample(self, code: Code, q: Any, width: int, chance: bool) -> Names:
        """What differs between samples, for those from q on."""
        found = {name: code.load(code["X"], _row(code, i, q), width) for i, name in enumerate(self.of.task.names)} | {
            "t": code.load(code["T"], q, width)
        }
        moved = [f"noise_{name}" for name in self.of.tried]
        if not chance:
            found |= {name: code.number(0, 1) for name in moved}
            return found | {"noise": code.number(0, 1), "uniform": code.number(0.5, 1)}
        found |= {name: code.load(code[name.upper()], q, width) for name in ("noise", "uniform")}
        found |= {name: code.load(code["NOISE"], _row(code, i, q), width) for i, name in enumerate(moved, 1)}
        found |= {
            name: code.load(code["OLD"], _row(code, i, q), width)
            for i, name in enumerate(self.olds)
            if self.is_kept(name)
        }
        if self.experiment.dropout:
            found |= {name: code.load(code["KEEP"], _row(code, i, q), width) for i, name in enumerate(self.keeps)}
        return found

    def states(self, code: Code) -> Names:
        return {name: code.load(code["ST"], i, 1) for i, name in enumerate(self.of.program.states)}

    # the step ----------------------------------------------------------------------------------------------------

    def lines(self) -> list[Line]:
        """All formulas of a step but the optimizer's and clipping, and the batch's mean reward for the record."""
        found = [quantity.line for quantity in quantities(self.experiment.change(clip=None))]
        if "reward" in self.of.pieces:
            found.append(Line("mean_reward", Apply("mean", (Symbol("reward"),)), "step"))
        return found

    def same_in_every_pass(self) -> list[Line]:
        """The lines that read nothing learned; what other lines read of them is kept with the values of old(…)."""
        drawn = {*self.of.task.names, "t", "noise", "uniform", *(old for old in self.olds if self.is_kept(old))}
        known = drawn | (self.constants.settings - {"step"}) | CONSTANTS.keys()
        found: list[Line] = []
        for line in self.lines():
            if line.level == "sample" and set(symbols(line.tree)) <= known:
                found.append(line)
                known.add(line.name)
        read = {
            name for line in self.lines() if line not in found or self.is_plain(line) for name in symbols(line.tree)
        }
        kept = [line.name for line in found if line.name in read and not self.is_plain(line)]
        self.olds += tuple(kept)
        self.old_levels |= dict.fromkeys(kept, "sample")
        return found

    def is_plain(self, line: Line) -> bool:
        """Whether a line is computed in every pass, however often its value is the same."""
        return is_cheap(line) or self.constants.holds(line.tree)

    def is_kept(self, old: str) -> bool:
        """Whether each sample has a value of its own of it."""
        return self.old_levels[old] == "sample"

    def step(self) -> None:
        code = Code(self.module, self.form, "step", STEP, INDEX)
        known = self.gradient(code)
        self.keep(code, known)
        loss = known["L"]
        code.store(code["OUT"], 0, loss)
        finite = code.at.and_(_finite(code, loss), self.finite_gradient(code))
        with code.at.if_then(finite):
            self.update(code, None if self.experiment.clip is None else self.shrink(code))
        code.close(code.at.zext(finite, INDEX))

    def gradient(self, code: Code) -> Names:
        """Every gradient into G; gives what has one value for the whole step."""
        known = {**self.learned(code), **self.states(code), **self.counts(code), **self.old_of_the_step(code)}
        emit = Emitter(code, self.constants)
        self.run(code, emit, stages(self.each_pass(), (), self.cuts()), known)
        self.store_gradients(code, known)
        return known

    def each_pass(self) -> list[Line]:
        """The lines that are not settled when the data is collected."""
        return [line for line in self.lines() if line not in self.settled or self.is_plain(line)]

    def cuts(self) -> list[str]:
        """The network's sums and their derivatives: forward, objective, and backward have a loop each."""
        last = [self.net.sum_name(self.net.last, unit) for unit in self.net.units(self.net.last)]
        return [*last, *(f"d{name}" for name in last)] if self.width > 1 else []

    def run(self, code: Code, emit: Emitter, found: list[Stage], known: Names) -> None:
        """Stage after stage; `known` receives what has one value for the whole step."""
        for stage in found:
            for line in stage.early:
                known[line.name] = emit(line.tree, known)
            known |= self.loop(code, emit, stage, known)

    def counts(self, code: Code) -> Names:
        """How many samples there are, and how many of them answer the same question."""
        return {name: Vector(code, code.at.sitofp(code[of], code.form.kind)) for name, of in _COUNTS.items()}

    def old_of_the_step(self, code: Code) -> Names:
        """The values of old(…) that are the same for all samples: the first place of their row."""
        return {
            name: code.load(code["OLD"], _row(code, i, ir.Constant(INDEX, 0)), 1)
            for i, name in enumerate(self.olds)
            if not self.is_kept(name)
        }

    def collect(self) -> None:
        """The function that keeps the value of each old(…), with the numbers of the step that collects the data."""
        code = Code(self.module, self.form, "collect", COLLECT)
        emit = Emitter(code, self.constants)
        known = {**self.states(code), **self.counts(code), **self.ready_to_collect(code, emit)}
        lines, same = self.collecting(), [line.name for line in self.settled if line.name in self.olds]
        each = [name for name in self.olds if self.is_kept(name) and name not in same]
        self.run(code, emit, stages(lines, each), known)
        if same:
            self.run(code, emit, stages(self.settled, same), known)
        for i, name in enumerate(self.olds):
            if not self.is_kept(name):
                code.store(code["OLD"], _row(code, i, ir.Constant(INDEX, 0)), known[name])
        code.close()

    def collecting(self) -> tuple[Line, ...]:
        """All formulas up to the last old(…)."""
        return collecting(self.of)

    def ready_to_collect(self, code: Code, emit: Emitter) -> Names:
        """What they read."""
        return self.learned(code)

    def store_gradients(self, code: Code, known: Names) -> None:
        """Each gradient in its parameter's place."""
        for name, place in self.places.items():
            code.store(code["G"], place, known[gradient_name(name)])

    def loop(self, code: Code, emit: Emitter, stage: Stage, known: Names) -> Names:
        """One pass through the samples: the means and extremes that it makes."""
        if not stage.loops:
            return {}
        sums = Sums(code, stage.aggregates, self.width)
        with code.loop(code["n"], step=self.width) as q, code.unseen("P", "H", by=q):
            values = known | self.learned(code) | self.sample(code, q, self.width, chance=True)
            values |= {
                name: code.load(code["ROOM"], _row(code, self.shelf(name), q), self.width)
                for name in sorted(stage.recalled)
            }
            for line in stage.each:
                values[line.name] = emit(line.tree, values)
            for name in sorted(stage.kept):
                code.store(code["ROOM"], _row(code, self.shelf(name), q), values[name].spread(self.width))
            for name in stage.wanted:
                self.hand_out(code, name, q, values[name])
            for name, tree in stage.grouped.items():
                code.store(code["ROOM"], _row(code, self.shelf(name), q), emit(tree, values).spread(self.width))
            sums.add(emit, values, code.load(code["C"], q, self.width))
        for name in stage.grouped:
            self.share_in_groups(code, _row(code, self.shelf(name), ir.Constant(INDEX, 0)))
        return sums.finished()

    def share_in_groups(self, code: Code, row: Any) -> None:
        """Each value in a row of ROOM becomes the mean of its group; the filling, that of the first group."""
        at, group, size = code.at, code["group"], code.at.sitofp(code["group"], code.form.kind)
        with code.loop(at.sdiv(code["real"], group)) as g:
            first = at.add(row, at.mul(g, group))
            total = code.variable(code.number(0, 1))
            with code.loop(group) as k:
                total.add(code.load(code["ROOM"], at.add(first, k), 1))
            mean = total.get() / Vector(code, size)
            with code.loop(group) as k:
                code.store(code["ROOM"], at.add(first, k), mean)
        with code.loop(code["n"], code["real"]) as q:
            code.store(code["ROOM"], at.add(row, q), code.load(code["ROOM"], row, 1))

    def hand_out(self, code: Code, name: str, q: Any, value: Vector) -> None:
        """A sample's value that is needed outside of the loop: of a network that is written out, that of an old(…)."""
        code.store(code["OLD"], _row(code, self.olds.index(name), q), value.spread(self.width))

    def keep(self, code: Code, known: Names) -> None:
        """What lasts beyond the step: the objective's states, and the batch's mean reward for the record."""
        for i, state in enumerate(self.of.program.states):
            code.store(code["ST"], i, known[self.of.program.latest[state]])
        if "reward" in self.of.pieces:
            code.store(code["ST"], len(self.of.program.states), known["mean_reward"])

    def finite_gradient(self, code: Code) -> Any:
        """Whether every number of G is finite: 0 times it is 0."""
        total = code.variable(code.number(0))
        with code.loop(self.slots, step=self.form.lanes) as p:
            total.add(code.load(code["G"], p) * 0.0)
        return _finite(code, total.get().total())

    def shrink(self, code: Code) -> Vector:
        """What clipping multiplies each gradient with: the line that is shown, of a norm taken by whole vectors."""
        squares = code.variable(code.number(0))
        with code.loop(self.slots, step=code.form.lanes) as p:
            g = code.load(code["G"], p)
            squares.add(g * g)
        (line,) = (quantity.line for quantity in quantities(self.experiment) if quantity.name == "shrink")
        norm = squares.get().total().intrinsic("sqrt")
        return Emitter(code, self.constants)(line.tree, {"norm": norm})

    def update(self, code: Code, shrink: Vector | None) -> None:
        """The optimizer's lines for every parameter, vectors of parameters at a time.

        shrink: what clipping multiplies each gradient with.
        """
        program = self.of.optimizer_program
        emit = Emitter(code, self.rates, "HO")
        rows = {state: i * self.slots for i, state in enumerate(program.states)}
        whole = [state for state in program.states if program.level(state) == "step"]
        known = {COUNT: code.number(len(self.parameters), 1)}
        known |= {state: code.load(code["M"], rows[state], 1) for state in whole}
        wanted = {program.latest["w"]: ("P", 0)} | {program.latest[s]: ("M", rows[s]) for s in rows if s not in whole}
        for stage in stages(program.lines, wanted):
            for line in stage.early:
                known[line.name] = emit(line.tree, known)
            if not stage.loops:
                continue
            sums = Sums(code, stage.aggregates, self.form.lanes)
            with code.loop(self.slots, step=self.form.lanes) as p:
                g = code.load(code["G"], p)
                values = known | {"w": code.load(code["P"], p), "g": g if shrink is None else g * shrink}
                values |= {s: code.load(code["M"], _plus(code, p, rows[s])) for s in rows if s not in whole}
                values |= {
                    name: code.load(code["ROOM"], _plus(code, p, self.drawer(name))) for name in sorted(stage.recalled)
                }
                for line in stage.each:
                    values[line.name] = emit(line.tree, values)
                for name in sorted(stage.kept):
                    code.store(code["ROOM"], _plus(code, p, self.drawer(name)), values[name].spread())
                sums.add(emit, values, self.share(code, p))
                for name in stage.wanted:
                    array, row = wanted[name]
                    code.store(code[array], _plus(code, p, row), values[name].spread())
            known |= sums.finished()
        for state in whole:
            with code.loop(self.slots, step=self.form.lanes) as p:
                code.store(code["M"], _plus(code, p, rows[state]), known[program.latest[state]].spread())

    def share(self, code: Code, p: Any) -> Vector:
        """1/count for each parameter from place p on, 0 for the filling."""
        ramp = code.lanes(range(self.form.lanes))
        place = Vector(code, code.at.sitofp(p, self.form.kind)) + ramp
        return code.number(1 / len(self.parameters)).where(place.compare("<", len(self.parameters)), 0)

    # the evaluation ----------------------------------------------------------------------------------------------

    def evaluation(self) -> None:
        """The function that measures errors."""
        code = Code(self.module, self.form, "evaluation", EVALUATION)
        emit = Emitter(code, self.constants)
        known = self.learned(code) | {name: code.number(1, 1) for name in self.keeps}
        forward = [q.line for q in quantities(self.experiment) if q.section == "forward"]
        total, most = code.variable(code.number(0)), code.variable(code.number(0))
        with code.loop(code["n"], step=self.form.lanes) as q:
            values = self.computed(code, emit, forward, known, q)
            self.judge(code, self.answer(emit, values), values["t"], q, total, most)
        self.verdict(code, total, most)
        with code.at.if_then(code.at.icmp_signed("!=", code["units"], ir.Constant(INDEX, 0))):
            seen = {line.name: code.variable(code.number(0)) for line in forward if line.name.startswith("a")}
            with code.loop(code["n"], step=self.form.lanes) as q:
                values = self.computed(code, emit, forward, known, q)
                for name, variable in seen.items():
                    variable.set(larger(absolute(values[name]), variable.get()))
            dead = code.number(0, 1)
            for variable in seen.values():
                dead = dead + code.number(1, 1).where(variable.get().most().compare("==", 0), 0)
            code.store(code["OUT"], 2, dead)
        code.close()

    def computed(self, code: Code, emit: Emitter, lines: list[Line], known: Names, q: Any) -> Names:
        """Some lines' values for the questions from q on, without chance."""
        values = known | self.sample(code, q, self.form.lanes, chance=False)
        for line in lines:
            values[line.name] = emit(line.tree, values)
        return values

    def judge(self, code: Code, answer: Vector, truth: Vector, q: Any, total: Variable, most: Variable) -> None:
        gap = absolute(answer - truth)
        weight = code.load(code["C"], q)
        total.add(gap * weight)
        most.set(larger(gap.where(weight.compare(">", 0), 0), most.get()))

    def verdict(self, code: Code, total: Variable, most: Variable) -> None:
        code.store(code["OUT"], 0, total.get().total())
        code.store(code["OUT"], 1, most.get().most())

    def answer(self, emit: Emitter, values: Names) -> Vector:
        """From the output to the answer, without chance."""
        values = values | {name: values[shown] for name, shown in self.of.output_names.items()}
        answer = self.of.program.latest["a"]
        for line in self.of.program.lines:
            if line.name not in reads(self.of.program.lines, answer):
                continue
            known = values.keys() | emit.constants.settings | CONSTANTS.keys()
            plain = set(symbols(line.tree)) <= known and not any(map(is_aggregate, walk(line.tree)))
            if line.level == "sample" or plain:
                values[line.name] = emit(line.tree, values)
        return values[answer]


class Sums:
    """The means and extremes that one loop makes."""

    def __init__(self, code: Code, aggregates: Mapping[str, tuple[str, Tree]], width: int) -> None:
        self.code, self.aggregates = code, aggregates
        start = {"mean": 0.0, "max": float("-inf"), "min": float("inf")}
        self.made = {name: code.variable(code.number(start[kind], width)) for name, (kind, _) in aggregates.items()}

    def add(self, emit: Emitter, values: Mapping[str, Vector], weight: Vector) -> None:
        for name, (kind, tree) in self.aggregates.items():
            value, made = emit(tree, values), self.made[name]
            if kind == "mean":
                made.add(value * weight)
            else:
                value = weight.like(value)
                value = value if kind == "max" else -value
                best = made.get() if kind == "max" else -made.get()
                best = larger(value.where(weight.compare(">", 0), best), best)
                made.set(best if kind == "max" else -best)

    def finished(self) -> Names:
        """Each as one number."""
        means = [name for name, (kind, _) in self.aggregates.items() if kind == "mean"]
        found = {name: self.made[name].get() for name in self.aggregates}
        for name, (kind, _) in self.aggregates.items():
            if kind != "mean":
                found[name] = found[name].most() if kind == "max" else -((-found[name]).most())
        if means and found[means[0]].width > 1:
            lanes = self.code.form.lanes
            whole = totals([found[name] for name in means])
            for i, name in enumerate(means):
                place = ir.Constant(ir.IntType(32), i % lanes)
                found[name] = Vector(self.code, self.code.at.extract_element(whole[i // lanes].ir, place))
        return found


def _finite(code: Code, value: Vector) -> Any:
    return absolute(value).compare("<", float("inf"))


def _plus(code: Code, p: Any, row: int) -> Any:
    return code.at.add(p, ir.Constant(INDEX, row))


def _row(code: Code, row: int, q: Any) -> Any:
    """The place of column q in a row of X or KEEP."""
    return code.at.add(code.at.mul(code["stride"], ir.Constant(INDEX, row)), q)
