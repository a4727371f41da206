"""Networks too large to be written out number by number: loops over layers, units and samples.

A hidden layer's sums and activations are kept for all samples, a row of ROOM for each unit. Products of matrices work
on blocks of four units and four vectors of samples, so that sixteen sums stay in registers.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from llvmlite import ir

from glassgrad.engines.compiled.arithmetic import absolute, larger
from glassgrad.engines.compiled.body import EVALUATION, Body, Names
from glassgrad.engines.compiled.emit import Emitter
from glassgrad.engines.compiled.stages import stages
from glassgrad.engines.compiled.vector import INDEX, Code, Vector, totals
from glassgrad.experiment import Experiment
from glassgrad.formula.derivative import derivative
from glassgrad.formula.lines import Line
from glassgrad.formula.tree import Apply, Symbol
from glassgrad.steps import collecting_output, learned_gradients, output_quantities

BLOCK = 4  # units, and vectors of samples, that are worked on at once


class WideBody(Body):
    """The same functions with loops: only what happens at the output is written out."""

    def __init__(self, experiment: Experiment) -> None:
        super().__init__(experiment)
        self.width = self.form.lanes
        sizes = self.net.sizes
        self.bases = [sum(sizes[k] * (sizes[k - 1] + 1) + len(self.net.learned_in(k)) for k in range(1, layer))
                      for layer in range(len(sizes) + 1)]  # fmt: skip
        above = [sum(sizes[1:layer]) for layer in range(len(sizes) + 1)]
        self.units = above[-1]
        self.z_row = {layer: above[layer] for layer in self.net.layers}
        self.a_row = {layer: self.units + above[layer] for layer in self.net.layers}
        self.d_row = {layer: 2 * self.units + above[layer] for layer in self.net.layers}
        self.last = [self.net.sum_name(self.net.last, k) for k in self.net.units(self.net.last)]

    @property
    def rows(self) -> int:
        return 3 * self.units + super().rows

    def shelf(self, name: str) -> int:
        return 3 * self.units + super().shelf(name)

    def lines(self) -> list[Line]:
        found = [quantity.line for quantity in output_quantities(self.of)]
        found += [q.line for q in learned_gradients(self.of, self.net.last, False)]
        if "reward" in self.of.pieces:
            found.append(Line("mean_reward", Apply("mean", (Symbol("reward"),)), "step"))
        return found

    # addresses ---------------------------------------------------------------------------------------------------

    def weight(self, code: Code, layer: int, unit: Any, source: Any) -> Any:
        """The place of a weight; of a bias where the source is the number of sources."""
        row = self.net.sizes[layer - 1] + 1
        return _sum(code, self.bases[layer], _product(code, unit, row), source)

    def source(self, code: Code, layer: int) -> tuple[Any, Any]:
        """Where a layer reads from: an array, and the place of its first row."""
        if layer == 1:
            return code["X"], 0
        return code["ROOM"], _product(code, code["stride"], self.a_row[layer - 1])

    def cell(self, code: Code, row: Any, q: Any) -> Any:
        return _sum(code, _product(code, code["stride"], row), q)

    # forward -----------------------------------------------------------------------------------------------------

    def forward(self, code: Code, emit: Emitter, known: Names, dropout: bool) -> None:
        keep = 0
        for layer in self.net.layers:
            array, first = self.source(code, layer)
            units = self.net.sizes[layer]

            def finish(unit: Any, q: Any, z: Vector, layer: int = layer, keep: int = keep) -> None:
                code.store(code["ROOM"], self.cell(code, _sum(code, unit, self.z_row[layer]), q), z)
                if layer < self.net.last:
                    a = emit(self.of.activation.in_layer(layer), known | {"z": z}).spread()
                    if dropout:
                        a = a * code.load(code["KEEP"], self.cell(code, _sum(code, unit, keep), q))
                    code.store(code["ROOM"], self.cell(code, _sum(code, unit, self.a_row[layer]), q), a)

            self.through(code, layer, (array, first), finish)
            keep += units

    def through(
        self, code: Code, layer: int, source: tuple[Any, Any], finish: Callable[[Any, Any, Vector], None]
    ) -> None:
        """Every sum of a layer: its bias, and its weights times what it reads."""
        inputs, units = self.net.sizes[layer - 1], self.net.sizes[layer]
        multiply(
            code,
            (units, inputs),
            source,
            lambda unit, j: self.weight(code, layer, unit, j),
            lambda unit: code.spread(code["P"], self.weight(code, layer, unit, inputs)),
            finish,
        )

    # gradient ----------------------------------------------------------------------------------------------------

    def gradient(self, code: Code) -> Names:
        emit = Emitter(code, self.constants)
        known = {**self.learned(code), **self.states(code), **self.counts(code)}
        known |= self.old_of_the_step(code)
        self.forward(code, emit, known, self.experiment.dropout > 0)
        self.run(code, emit, stages(self.each_pass(), [f"d{name}" for name in self.last]), known)
        for name in self.net.learned_in(self.net.last):
            code.store(code["G"], self.parameters.index(f"{name}{self.net.last}"), known[f"d{name}{self.net.last}"])
        keep = self.units - self.net.sizes[-1]
        for layer in reversed(self.net.layers):
            self.weights_gradients(code, layer)
            if layer > 1:
                keep -= self.net.sizes[layer - 1]
                self.backward(code, emit, known, layer, keep)
        known["L"] = self.costs(code, emit, known["L"])
        return known

    def collecting(self) -> tuple[Line, ...]:
        output = (q.line for q in output_quantities(self.of) if q.section == "forward")
        return (*output, *collecting_output(self.of))

    def ready_to_collect(self, code: Code, emit: Emitter) -> Names:
        known = self.learned(code)
        self.forward(code, emit, known, dropout=False)
        return known

    def learned(self, code: Code) -> Names:
        return {name: code.load(code["P"], self.parameters.index(name), 1) for name in self.net.starts()}

    def sample(self, code: Code, q: Any, width: int, chance: bool) -> Names:
        first = self.z_row[self.net.last]
        z = {name: code.load(code["ROOM"], self.cell(code, first + k, q)) for k, name in enumerate(self.last)}
        plain = Body.sample(self, code, q, width, chance)
        return {name: value for name, value in plain.items() if not name.startswith("keep")} | z

    def hand_out(self, code: Code, name: str, q: Any, value: Vector) -> None:
        """What arrives at a last sum, with the sample's weight."""
        if name in self.olds:
            super().hand_out(code, name, q, value)
            return
        row = self.d_row[self.net.last] + self.last.index(name[1:])
        code.store(code["ROOM"], self.cell(code, row, q), value.spread() * code.load(code["C"], q))

    def weights_gradients(self, code: Code, layer: int) -> None:
        """dW[i][j] = Σ_q d[i, q]*a[j, q], and the biases': Σ_q d[i, q]."""
        inputs, units = self.net.sizes[layer - 1], self.net.sizes[layer]
        rows = min(BLOCK, units)
        columns = code.form.lanes // rows
        for first, last, step in _blocks(units, rows):
            with code.loop(last, first, step) as unit:
                for left, right, some in _blocks(inputs, min(columns, inputs)):
                    with code.loop(right, left, some) as source:
                        self.block_of_sums(code, layer, unit, step, source, some)
                self.block_of_sums(code, layer, unit, step, None, 1)

    def block_of_sums(self, code: Code, layer: int, unit: Any, units: int, source: Any, sources: int) -> None:
        array, first = self.source(code, layer)
        inputs = self.net.sizes[layer - 1]
        made = [[code.variable(code.number(0)) for _ in range(sources)] for _ in range(units)]
        with code.loop(code["n"], step=code.form.lanes) as q:
            d = [
                code.load(code["ROOM"], self.cell(code, _sum(code, unit, self.d_row[layer] + i), q))
                for i in range(units)
            ]
            for j in range(sources):
                if source is None:
                    for i in range(units):
                        made[i][0].add(d[i])
                else:
                    a = code.load(array, _sum(code, first, self.cell(code, _sum(code, source, j), q)))
                    for i in range(units):
                        made[i][j].add(d[i] * a)
        found = totals([variable.get() for row in made for variable in row])
        for i in range(units):
            for j in range(sources):
                place = self.weight(
                    code, layer, _sum(code, unit, i), inputs if source is None else _sum(code, source, j)
                )
                code.store(code["G"], place, _lane(found, i * sources + j))

    def backward(self, code: Code, emit: Emitter, known: Names, layer: int, keep: int) -> None:
        """What arrives at the sums of the layer below."""
        below = layer - 1
        activation = self.of.activation.in_layer(below)
        slope = derivative(self.of.activation.tree, "z")
        learned = {name: code.variable(code.number(0)) for name in self.net.learned_in(below)}
        renamed = {name: known[f"{name}{below}"] for name in learned}

        def finish(unit: Any, q: Any, arriving: Vector) -> None:
            z = code.load(code["ROOM"], self.cell(code, _sum(code, unit, self.z_row[below]), q))
            if self.experiment.dropout:
                arriving = arriving * code.load(code["KEEP"], self.cell(code, _sum(code, unit, keep), q))
            for name, made in learned.items():
                made.add(arriving * emit(derivative(activation, f"{name}{below}"), known | {"z": z}))
            d = arriving * emit(slope, known | renamed | {"z": z})
            code.store(code["ROOM"], self.cell(code, _sum(code, unit, self.d_row[below]), q), d.spread())

        multiply(
            code,
            (self.net.sizes[below], self.net.sizes[layer]),
            (code["ROOM"], _product(code, code["stride"], self.d_row[layer])),
            lambda unit, source: self.weight(code, layer, source, unit),
            lambda unit: code.number(0),
            finish,
        )
        for name, made in learned.items():
            code.store(code["G"], self.parameters.index(f"{name}{below}"), made.get().total())

    def store_gradients(self, code: Code, known: Names) -> None:
        """They are in their places already."""

    def costs(self, code: Code, emit: Emitter, loss: Vector) -> Vector:
        """The regulariser's share of the loss and of every weight's gradient."""
        if self.of.regulariser is None:
            return loss
        tree = self.of.regulariser.tree
        total = code.variable(code.number(0))
        for layer in self.net.layers:
            inputs = self.net.sizes[layer - 1]
            for first, last, step in _blocks(inputs, code.form.lanes):
                with code.loop(self.net.sizes[layer]) as unit, code.loop(last, first, step) as source:
                    place = self.weight(code, layer, unit, source)
                    w = code.load(code["P"], place, step)
                    cost = emit(tree, {"w": w}).spread(step)
                    lanes = cost if step > 1 else cost.spread() * code.lanes([1] + [0] * (code.form.lanes - 1))
                    total.add(lanes)
                    share = emit(derivative(tree, "w"), {"w": w}).spread(step)
                    code.store(code["G"], place, code.load(code["G"], place, step) + share)
        return loss + total.get().total()

    # evaluation --------------------------------------------------------------------------------------------------

    def evaluation(self) -> None:
        code = Code(self.module, self.form, "evaluation", EVALUATION)
        emit = Emitter(code, self.constants)
        known = self.learned(code)
        self.forward(code, emit, known, dropout=False)
        total, most = code.variable(code.number(0)), code.variable(code.number(0))
        output = [q.line for q in output_quantities(self.of) if q.section == "forward"]
        with code.loop(code["n"], step=self.form.lanes) as q:
            values = self.computed(code, emit, output, known, q)
            self.judge(code, self.answer(emit, values), values["t"], q, total, most)
        self.verdict(code, total, most)
        dead = code.variable(code.number(0, 1))
        with code.loop(self.a_row[1] + self.units - self.net.sizes[-1], self.a_row[1]) as row:
            seen = code.variable(code.number(0))
            with code.loop(code["n"], step=self.form.lanes) as q:
                seen.set(larger(absolute(code.load(code["ROOM"], self.cell(code, row, q))), seen.get()))
            dead.add(code.number(1, 1).where(seen.get().most().compare("==", 0), 0))
        code.store(code["OUT"], 2, dead.get())
        code.close()


def multiply(
    code: Code,
    sizes: tuple[int, int],
    rows: tuple[Any, Any],
    weight: Callable[[Any, Any], Any],
    start: Callable[[Any], Vector],
    finish: Callable[[Any, Any, Vector], None],
) -> None:
    """finish(i, q, start(i) + Σ_j P[weight(i, j)]*array[first + j*stride + q]) for all i and, vectors at a time, q.

    sizes: how many i, how many j. rows: (array, first).
    """
    (outs, ins), (array, first) = sizes, rows
    lanes = code.form.lanes
    many = code.at.and_(code["n"], ir.Constant(INDEX, -lanes * BLOCK))
    for begin, end, vectors in ((0, many, BLOCK), (many, code["n"], 1)):
        with code.loop(end, begin, lanes * vectors) as q:
            for left, right, some in _blocks(outs, BLOCK):
                with code.loop(right, left, some) as unit:
                    made = [[code.variable(start(_sum(code, unit, i))) for _ in range(vectors)] for i in range(some)]
                    with code.loop(ins) as source:
                        row = _sum(code, first, _product(code, code["stride"], source), q)
                        a = [code.load(array, _sum(code, row, v * lanes)) for v in range(vectors)]
                        for i in range(some):
                            w = code.spread(code["P"], weight(_sum(code, unit, i), source))
                            for v in range(vectors):
                                made[i][v].add(w * a[v])
                    for i in range(some):
                        for v in range(vectors):
                            finish(_sum(code, unit, i), _sum(code, q, v * lanes), made[i][v].get())


def _blocks(count: int, size: int) -> Iterator[tuple[int, int, int]]:
    """Ranges (first, last, step) that cover `count`: whole blocks, then what is left one by one."""
    whole = count - count % size
    if whole:
        yield 0, whole, size
    if whole < count:
        yield whole, count, 1


def _lane(vectors: Sequence[Vector], place: int) -> Vector:
    lanes = vectors[0].width
    chosen = vectors[place // lanes]
    return Vector(chosen.code, chosen.code.at.extract_element(chosen.ir, ir.Constant(ir.IntType(32), place % lanes)))


def _sum(code: Code, *parts: Any) -> Any:
    """Whole numbers added, the known ones beforehand."""
    known = sum(part for part in parts if isinstance(part, int))
    found = None
    for part in parts:
        if not isinstance(part, int):
            found = part if found is None else code.at.add(found, part)
    if found is None:
        return known
    return found if known == 0 else code.at.add(found, ir.Constant(INDEX, known))


def _product(code: Code, a: Any, b: Any) -> Any:
    if isinstance(a, int) and isinstance(b, int):
        return a * b
    a, b = (ir.Constant(INDEX, part) if isinstance(part, int) else part for part in (a, b))
    return code.at.mul(a, b)
