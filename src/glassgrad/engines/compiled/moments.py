"""One hidden layer of ReLU and a squared error: steps made of second moments instead of passes through the samples.

As long as no hidden unit changes sides on any question, the output is o = Σ_f u_f φ_f with the features φ = (x1, x2, 1
for each unit, 0 where it is off; 1 for the output's bias) and u = (W2_i*W1_i, W2_i*b1_i, …; b2). The gradient with
respect to u is then M u + v, where M = α Σ_q c_q φ φᵀ and v = Σ_q c_q β(t_q) φ are sums that do not change. A step
costs one small product of a matrix and a vector, however many samples there are. The mathematics is the same.

When may a unit change sides? Not before its sum has moved by its distance from 0 on some question. As |Δz| is at most
Σ_k |x_k| times the largest |Δw_k|, that needs a weight that has moved by the least |z| / Σ_k |x_k|, the unit's margin.
Then its signs are looked at, and each question that did change sides is put into M or taken out: see `signs.py`.
"""

from collections.abc import Callable
from operator import add
from typing import Any

from llvmlite import ir

from glassgrad.engines.compiled.arithmetic import absolute
from glassgrad.engines.compiled.body import Body, Names
from glassgrad.engines.compiled.emit import Emitter
from glassgrad.engines.compiled.vector import INDEX, POINTER, Code, Variable, Vector, every, lanes_of
from glassgrad.experiment import Experiment
from glassgrad.formula.derivative import derivative
from glassgrad.formula.evaluate import is_aggregate
from glassgrad.formula.parser import parse
from glassgrad.formula.simplify import ZERO
from glassgrad.formula.tree import Number, Tree, functions_of, substitute, symbols, walk
from glassgrad.method import Method, method

FEATURES = 70  # more, and passes through the samples are quicker
ADVANCE = ("steps", "row", "n", "real", "Q", "X", "T", "C", "XT", "XM", "H", "HO")


def quadratic(of: Method) -> tuple[Tree, Tree] | None:
    """(α, β) if dL/do = α*o + β with α a number and β a formula of the truth; else None."""
    known: dict[str, Tree] = {}
    for line in (*of.program.lines, *of.backward):
        if any(map(is_aggregate, walk(line.tree))):
            return None
        known[line.name] = substitute(line.tree, known)
    arriving = known.get("do", ZERO)
    slope = derivative(arriving, "o")
    rest = substitute(arriving, {"o": Number(0.0)})
    if not isinstance(slope, Number) or functions_of(arriving) - {"+", "*", "/", "neg"} or set(symbols(rest)) - {"t"}:
        return None
    return slope, rest


def fits(experiment: Experiment) -> bool:
    """Whether an experiment's steps can be made of moments."""
    of = method(experiment)
    sizes, program = of.network.sizes, of.optimizer_program
    return (
        len(sizes) == 3
        and sizes[2] == 1
        and sizes[1] * (sizes[0] + 1) + 1 <= FEATURES
        and of.activation.tree == parse("relu(z)", ("z",))
        and of.linear_output
        and not of.network.starts()
        and not (experiment.fresh or experiment.batch or experiment.dropout or experiment.clip)
        and experiment.samples > 1
        and experiment.group == 1
        and not of.olds
        and of.regulariser is None
        and not of.program.states
        and "reward" not in of.pieces
        and not any(is_aggregate(part) for line in program.lines for part in walk(line.tree))
        and all(program.level(state) == "parameter" for state in program.states)
        and quadratic(of) is not None
    )


class MomentsBody(Body):
    """A kernel with `advance`: many steps of a few runs at once.

    The numbers of a run are in one array Q: learned numbers (hidden layer and last bias, then last weights), states,
    where each unit was last looked at, its margin, how far its weights have moved since; weights and gradient when M
    last changed, how far u has moved since; v, M, φ of every question, signs.
    """

    def __init__(self, experiment: Experiment) -> None:
        super().__init__(experiment)
        self.inputs, self.count = self.net.sizes[0], self.net.sizes[1]
        self.block = self.inputs + 1  # features of a unit
        self.features = self.count * self.block + 1
        self.wide, self.high = self.form.whole(self.features), self.form.whole(self.count)
        self.slots = self.wide + self.high
        # runs whose instructions are mixed, so that one computes while others wait; more would not fit into registers
        self.together = 4 if self.wide == self.form.lanes else 2
        low = [name for name in self.parameters if not name.startswith("W2")]
        high = [name for name in self.parameters if name.startswith("W2")]
        self.places = {name: i for i, name in enumerate(low)} | {name: self.wide + i for i, name in enumerate(high)}
        states = len(self.of.optimizer_program.states)
        at, self.offset = self.slots * (1 + states), {}
        for name, size in (
            ("seen", self.wide), ("margin", self.high), ("moved", self.high), ("first", self.wide),
            ("above", self.wide), ("gradient", self.wide), ("du", self.wide), ("v", self.wide),
            ("M", self.features * self.wide), ("phi", 0),
        ):  # fmt: skip
            self.offset[name] = at
            at += size
        self.start = at
        found = quadratic(self.of)
        assert found is not None
        self.slope, self.rest = found

    def numbers(self, samples: int) -> int:
        """How many numbers Q holds for each run."""
        n = self.form.whole(samples)
        return self.form.whole(self.start + n * self.wide + n // self.form.lanes * self.high)

    # many steps --------------------------------------------------------------------------------------------------

    def advance(self) -> None:
        """advance(steps, row, n, real, Q, …): so many steps of the runs in Q.

        row: numbers of a step's constants in HO. n: questions, filled up; real: samples.
        """
        code = Code(self.module, self.form, "advance", ADVANCE)
        size, lanes = self.size(code), self.form.lanes
        rates = code.counter(0)
        scale = Emitter(code, self.constants)(self.slope, {}) / Vector(
            code, code.at.sitofp(code["real"], self.form.kind)
        )
        bases = [code.at.mul(size, whole(run)) for run in range(self.together)]
        rows = range(0, self.slots * (1 + len(self.of.optimizer_program.states)), lanes)
        held = [[code.variable(code.load(code["Q"], place(code, base, i))) for i in rows] for base in bases]
        learned = self.slots // lanes
        for run in range(self.together):
            code.call("refer", code["real"], self.of_run(code, run)[1], code["H"])
        with code.loop(code["steps"]):
            at = code.at.load(rates, typ=INDEX)
            moved = self.quiet(code, bases, at, held, scale)
            code.at.store(code.at.add(at, code["row"]), rates)
            with code.at.if_then(_any(code, moved), likely=False):
                for run, base in enumerate(bases):
                    with code.at.if_then(moved[run]):
                        self.put_back(code, base, held[run][:learned])
                        changed = code.call("repair", *self.of_run(code, run), code["H"])
                        with code.at.if_then(code.at.icmp_unsigned("!=", changed, whole(0))):
                            code.call("refer", code["real"], self.of_run(code, run)[1], code["H"])
        for base, own in zip(bases, held, strict=True):
            self.put_back(code, base, own)
        code.close()

    def refer(self) -> None:
        """refer(real, Q, H): remember the gradient with respect to u at these weights, computed in double precision.

        Near the minimum M u and v nearly cancel; what is added up from here on is only M times what u has moved.
        """
        code = Code(self.module, self.form, "refer", ("real", "Q", "H"))
        lanes, low = self.form.lanes, self.wide // self.form.lanes
        wide = ir.VectorType(ir.DoubleType(), lanes)
        first, second = self.vectors(code, 0, 0, self.wide), self.vectors(code, 0, self.wide, self.high)
        above = self.spread_units(code, second)
        room = code.entry.alloca(ir.ArrayType(wide, low))
        u_at = code.at.inttoptr(code.at.ptrtoint(room, INDEX), POINTER)
        sums = [code.entry.alloca(wide) for _ in range(low)]
        for i in range(low):
            code.store(code["Q"], self.offset["first"] + i * lanes, first[i])
            code.store(code["Q"], self.offset["above"] + i * lanes, above[i])
            u = code.at.fmul(_doubles(code, first[i]), _doubles(code, above[i]))
            code.at.store(u, code.at.gep(u_at, [whole(i)], source_etype=wide))
            code.at.store(ir.Constant(wide, None), sums[i])
        slope = _doubles(code, Emitter(code, self.constants)(self.slope, {}))
        with code.loop(self.features) as j:
            each = code.at.load(code.at.gep(u_at, [j], source_etype=ir.DoubleType()), typ=ir.DoubleType())
            spread = every(code, code.at.fmul(each, slope), lanes)
            for i in range(low):
                at = place(code, self.offset["M"] + i * lanes, code.at.mul(j, whole(self.wide)))
                row = _doubles(code, code.load(code["Q"], at))
                code.at.store(code.at.fadd(code.at.load(sums[i], typ=wide), code.at.fmul(row, spread)), sums[i])
        share = code.at.fdiv(ir.Constant(ir.DoubleType(), 1.0), code.at.sitofp(code["real"], ir.DoubleType()))
        for i, v in enumerate(self.vectors(code, 0, self.offset["v"], self.wide)):
            total = code.at.fadd(code.at.load(sums[i], typ=wide), _doubles(code, v))
            found = code.at.fmul(total, every(code, share, lanes))
            code.store(code["Q"], self.offset["gradient"] + i * lanes, _rounded(code, found))
        code.close()

    def put_back(self, code: Code, base: Any, held: list[Variable]) -> None:
        """Numbers from registers into Q."""
        for i, variable in enumerate(held):
            code.store(code["Q"], place(code, base, i * self.form.lanes), variable.get())

    def size(self, code: Code) -> Any:
        """How many numbers Q holds for a run, in the function that is being written."""
        return self.size_of(code, code["n"])

    def size_of(self, code: Code, n: Any) -> Any:
        """The same for n samples, filled up."""
        signs = code.at.mul(code.at.udiv(n, whole(self.form.lanes)), whole(self.high))
        total = code.at.add(code.at.add(code.at.mul(n, whole(self.wide)), signs), whole(self.start))
        lanes = self.form.lanes
        return code.at.and_(code.at.add(total, whole(lanes - 1)), whole(-lanes))

    def of_run(self, code: Code, run: int) -> tuple[Any, ...]:
        n, rows = code["n"], whole(run)
        q = code.place(code["Q"], code.at.mul(self.size(code), rows))
        x = code.place(code["X"], code.at.mul(code.at.mul(n, whole(self.inputs)), rows))
        t, c = (code.place(code[name], code.at.mul(n, rows)) for name in ("T", "C"))
        features = code.place(code["XT"], code.at.mul(code.at.mul(n, whole(self.wide)), rows))
        return n, q, x, t, c, features, code.place(code["XM"], code.at.mul(n, rows))

    def quiet(self, code: Code, bases: list[Any], at: Any, held: list[list[Variable]], scale: Vector) -> list[Any]:
        """One step of each run, whose learned numbers and states are held; gives whether a unit may change sides.

        Each part is written for all runs before the next: so the processor finds work that need not wait.
        """
        low, runs = self.wide // self.form.lanes, range(len(bases))
        numbers = [[variable.get() for variable in own[: self.slots // self.form.lanes]] for own in held]
        above = [self.spread_units(code, numbers[run][low:]) for run in runs]
        for run in runs:
            self.move(code, bases[run], numbers[run], above[run])
        with code.in_order():
            sums = [self.product(code, base) for base in bases]
        gradients = [self.gradients(code, bases[run], sums[run], scale, numbers[run], above[run]) for run in runs]
        new = [self.updated(code, at, held[run], gradients[run]) for run in runs]
        return [self.moved(code, bases[run], new[run]) for run in runs]

    def move(self, code: Code, base: Any, numbers: list[Vector], above: list[Vector]) -> None:
        """What u = w*W2 has moved since `refer`: Δu = Δw*W2 + w_ref*ΔW2, in which nothing cancels."""
        before, above_before = (self.vectors(code, base, self.offset[name], self.wide) for name in ("first", "above"))
        with code.in_order():
            for i, part in enumerate(above):
                moved = (numbers[i] - before[i]) * part + before[i] * (part - above_before[i])
                code.store(code["Q"], place(code, base, self.offset["du"] + i * self.form.lanes), moved)

    def gradients(
        self, code: Code, base: Any, product: list[Vector], scale: Vector, numbers: list[Vector], above: list[Vector]
    ) -> list[Vector]:
        """The gradient with respect to the learned numbers, from that with respect to u."""
        before = self.vectors(code, base, self.offset["gradient"], self.wide)
        with code.in_order():
            sums = [part * scale + before[i] for i, part in enumerate(product)]
        along = [part * numbers[i] for i, part in enumerate(sums)]
        return [part * above[i] for i, part in enumerate(sums)] + self.over_blocks(along)

    def moved(self, code: Code, base: Any, new: list[Vector]) -> Any:
        """Whether a unit of a run may have changed sides."""
        seen = self.vectors(code, base, self.offset["seen"], self.wide)
        gone = self.over_blocks([absolute(new[i] - part) for i, part in enumerate(seen)], _greater)
        margin = self.vectors(code, base, self.offset["margin"], self.high)
        for i, part in enumerate(gone):
            code.store(code["Q"], place(code, base, self.offset["moved"] + i * self.form.lanes), part)
        far = [_any_lane(code, part.compare(">", margin[i], ordered=False)) for i, part in enumerate(gone)]
        return _any(code, far)

    def vectors(self, code: Code, base: Any, first: int, count: int) -> list[Vector]:
        return [code.load(code["Q"], place(code, base, first + i)) for i in range(0, count, self.form.lanes)]

    def spread_units(self, code: Code, second: list[Vector]) -> list[Vector]:
        """Each feature's last weight: W2_i for those of unit i, 1 for the bias's."""
        source = [*second, code.number(1)]
        one = len(second) * self.form.lanes
        places: list[int | None] = [f // self.block if f < self.features - 1 else one for f in range(self.wide)]
        lanes = self.form.lanes
        return [lanes_of(source, places[i : i + lanes]) for i in range(0, self.wide, lanes)]

    def over_blocks(self, vectors: list[Vector], join: Callable[[Vector, Vector], Vector] = add) -> list[Vector]:
        """For each unit the sum over its features, or what else joins them; anything beyond the last unit."""
        lanes, found = self.form.lanes, []
        for first in range(0, self.high, lanes):
            units = [u if u < self.count else None for u in range(first, first + lanes)]
            total: Vector | None = None
            for k in range(self.block):
                part = lanes_of(vectors, [None if u is None else u * self.block + k for u in units])
                total = part if total is None else join(total, part)
            assert total is not None
            found.append(total)
        return found

    def product(self, code: Code, base: Any) -> list[Vector]:
        """M Δu."""
        columns = range(0, self.wide, self.form.lanes)
        chains = max(1, 4 // len(columns))
        sums = [[code.variable(code.number(0)) for _ in columns] for _ in range(chains)]

        def add(j: Any, chain: int) -> None:
            u = code.spread(code["Q"], place(code, base, self.offset["du"], j))
            row = code.at.mul(j, whole(self.wide)) if not isinstance(j, int) else j * self.wide
            for k, column in enumerate(columns):
                sums[chain][k].add(code.load(code["Q"], place(code, base, self.offset["M"] + column, row)) * u)

        together = self.features if self.features * len(columns) <= 100 else 8
        unrolled = self.features - self.features % together
        if unrolled == together:
            for j in range(together):
                add(j, j % chains)
        else:
            with code.loop(unrolled, step=together) as first:
                for j in range(together):
                    add(code.at.add(first, whole(j)), j % chains)
        for j in range(unrolled, self.features):
            add(j, j % chains)
        found = [variable.get() for variable in sums[0]]
        for chain in sums[1:]:
            found = [part + variable.get() for part, variable in zip(found, chain, strict=True)]
        return found

    def updated(self, code: Code, at: Any, held: list[Variable], gradients: list[Vector]) -> list[Vector]:
        """The optimizer's lines; gives the new learned numbers."""
        program, rows = self.of.optimizer_program, self.slots // self.form.lanes
        emit = Emitter(code, self.rates, "HO", at)
        found = []
        for i, g in enumerate(gradients):
            states = {state: held[(1 + k) * rows + i] for k, state in enumerate(program.states)}
            values: Names = {"w": held[i].get(), "g": g} | {state: place.get() for state, place in states.items()}
            with code.quick():
                for line in program.lines:
                    values[line.name] = emit(line.tree, values)
            for state, place in states.items():
                place.set(values[program.latest[state]].spread())
            found.append(values[program.latest["w"]].spread())
            held[i].set(found[-1])
        return found


def _greater(a: Vector, b: Vector) -> Vector:
    """The greater of two; the second if one is not a number."""
    return a.where(a.compare(">", b), b)


def _doubles(code: Code, vector: Vector) -> Any:
    """A number, or vector, in double precision."""
    wide = ir.VectorType(ir.DoubleType(), vector.width) if vector.width > 1 else ir.DoubleType()
    return code.at.fpext(vector.ir, wide) if code.form.single else vector.ir


def _rounded(code: Code, doubles: Any) -> Vector:
    """A vector in the kernel's precision."""
    kind = ir.VectorType(code.form.kind, doubles.type.count)
    return Vector(code, code.at.fptrunc(doubles, kind) if code.form.single else doubles)


def whole(value: int) -> ir.Constant:
    """A place, or a number of places."""
    return ir.Constant(INDEX, value)


def place(code: Code, *parts: Any) -> Any:
    """Places added, the known ones beforehand."""
    known = sum(part for part in parts if isinstance(part, int))
    found = None
    for part in parts:
        if not isinstance(part, int):
            found = part if found is None else code.at.add(found, part)
    if found is None:
        return known
    return found if known == 0 else code.at.add(found, whole(known))


def _any(code: Code, conditions: list[Any]) -> Any:
    found = conditions[0]
    for condition in conditions[1:]:
        found = code.at.or_(found, condition)
    return found


def _any_lane(code: Code, condition: Any) -> Any:
    bits = ir.IntType(condition.type.count)
    return code.at.icmp_unsigned("!=", code.at.bitcast(condition, bits), ir.Constant(bits, 0))
