"""The source of a kernel's module, made from the formulas of a method: gradient, update, evaluation, driver.

The samples are the vector axis: every quantity of `steps.quantities` becomes one line of a loop over samples, and
every mean over the batch one accumulator. Sizes of data, seeds and all numbers are arguments.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files

from glassgrad.engines.compiled.driver import BLOCK, COMMON
from glassgrad.engines.compiled.emit import Constants, Unsupported, emit, emit_constant
from glassgrad.engines.compiled.library import library
from glassgrad.engines.compiled.wide import LOOPS, activation_source
from glassgrad.experiment import Experiment
from glassgrad.formula.derivative import derivative
from glassgrad.formula.evaluate import is_aggregate
from glassgrad.formula.lines import Line
from glassgrad.formula.tree import Apply, Symbol, Tree, parts, replace, symbols
from glassgrad.method import Method, method
from glassgrad.steps import Quantity, output_quantities, quantities

TAB = "    "
UNROLLED = 64  # learned numbers up to which a network is written out in the kernel
SHARED = (
    "start, draw_questions, shuffled, padded, gather, finite, P_count, remember, "
    "normals, uniforms, seed_twister, swap_mxcsr, FLUSH"
)
ROOM = (
    "rows, below = 0, 0",
    "for layer in range(1, sizes.shape[0]):",
    f"{TAB}rows += sizes[layer]",
    f"{TAB}below += sizes[layer - 1]",
    "Z, A, D = np.empty((rows, n), F), np.empty((below, n), F), np.empty((rows, n), F)",
)
_DENORMALS = "from glassgrad.engines.compiled.denormals import FLUSH, swap_mxcsr\n"


def common(precision: str) -> str:
    """The source of what all kernels of a precision share: seeds, questions, data."""
    streams = (files(__package__) / "streams.py").read_text(encoding="utf-8")
    return (
        library(precision) + _DENORMALS + streams.replace("njit(nogil=True,", "njit(nogil=True, cache=True,") + COMMON
    )


@dataclass
class Kernel:
    """The source of a module, and the order of its arguments.

    settings, optimizer_settings: names of the numbers in the arrays S and SO.
    constants, optimizer_constants: how many numbers H and HO hold.
    states: the objective's own; optimizer_states: the optimizer's, in the order of their arrays.
    """

    source: str
    settings: tuple[str, ...]
    optimizer_settings: tuple[str, ...]
    constants: int
    optimizer_constants: int
    states: tuple[str, ...]
    optimizer_states: tuple[str, ...]
    keeps: tuple[str, ...] = field(default=())


def build(experiment: Experiment, common: str) -> Kernel:
    """The kernel of an experiment.

    common: the name of the module with what all kernels share.

    Raises:
        Unsupported: a formula has a part that this engine cannot run.
    """
    of = method(experiment)
    settings = tuple(settings_of(experiment, of))
    constants = Constants(frozenset((*settings, "step")))
    body = Body(experiment, of, constants) if of.network.count <= UNROLLED else WideBody(experiment, of, constants)
    gradient, evaluation = body.gradient(), body.evaluation()
    optimizer_settings = tuple(of.optimizer.numbers)
    optimizer_constants = Constants(frozenset((*optimizer_settings, "step")))
    update = _update(of, optimizer_constants)
    source = "\n".join(
        (
            library(experiment.precision),
            f"from {common} import {SHARED}",
            _constants("constants", settings, constants),
            _constants("optimizer_constants", optimizer_settings, optimizer_constants),
            gradient,
            update,
            evaluation,
            BLOCK,
        )
    )
    return Kernel(
        source,
        settings,
        optimizer_settings,
        len(constants.trees),
        len(optimizer_constants.trees),
        tuple(of.program.states),
        tuple(of.optimizer_program.states),
        body.keeps,
    )


def settings_of(experiment: Experiment, of: Method) -> dict[str, float]:
    """The numbers that a kernel takes as arguments, by name, in the order of its array S."""
    found = {**of.activation.numbers, **of.output_activation.numbers, **of.numbers}
    if of.regulariser is not None:
        found |= of.regulariser.numbers
    if experiment.clip is not None:
        found["clip"] = experiment.clip
    return found


def _constants(name: str, settings: tuple[str, ...], constants: Constants) -> str:
    """def constants(step, S, H): what is the same for a whole step, in double precision."""
    lines = [f"@exact\ndef {name}(step, S, H):", f"{TAB}c_step = np.float64(step)", f"{TAB}c_pi = math.pi"]
    lines += [f"{TAB}c_{setting} = S[{i}]" for i, setting in enumerate(settings)]
    lines += [f"{TAB}H[{i}] = F({emit_constant(tree)})" for i, tree in enumerate(constants.trees)]
    return "\n".join(lines) + "\n"


class Body:
    """The functions that run through the samples."""

    def __init__(self, experiment: Experiment, of: Method, constants: Constants) -> None:
        self.experiment, self.of, self.constants = experiment, of, constants
        self.parameters = [name for name, _, _ in of.network.parameters()]
        self.keeps = tuple(
            f"keep{layer}_{i + 1}"
            for layer in of.network.layers[:-1]
            for i in of.network.units(layer)
            if experiment.dropout
        )
        self.means: list[Tree] = []

    def names(self, computed: Mapping[str, str]) -> dict[str, str]:
        """What every symbol is called in the loop."""
        found = {name: f"p_{name}" for name in self.parameters}
        found |= {name: f"x_{name}" for name in self.of.task.names}
        found |= {"t": "t", "noise": "noise", "uniform": "uniform"}
        found |= {name: f"s_{name}" for name in self.of.program.states}
        found |= {name: name for name in self.keeps}
        return found | dict(computed)

    def gradient(self) -> str:
        """def gradient(n, sizes, P, X, T, C, NOISE, UNIFORM, KEEP, ST, H, G) -> L, for the first n samples."""
        computed: dict[str, str] = {}
        inner, late = self.sorted(computed)
        after = list(self.after(late, computed))
        sums = [f"m{i} += c * {self.emit(mean, computed)}" for i, mean in enumerate(self.means)]
        zero = [f"m{i} = F(0)" for i in range(len(self.means))]
        return "\n".join(
            (
                "@kernel\ndef gradient(n, sizes, P, X, T, C, NOISE, UNIFORM, KEEP, ST, H, G):",
                *_indented(1, (*self.load_parameters(), *self.load_states(), *zero, "for q in range(n):")),
                *_indented(2, (*self.load_sample(inner + sums), "c = C[q]", *inner, *sums)),
                *_indented(1, after),
                f"{TAB}return v_L\n",
            )
        )

    def listed(self) -> tuple[Quantity, ...]:
        """The quantities that are written out."""
        return quantities(self.experiment)

    def sorted(self, computed: dict[str, str]) -> tuple[list[str], list[Quantity]]:
        """Statements for each sample, and what comes once a step after them."""
        inner: list[str] = []
        late: list[Quantity] = []
        stepwise: set[str] = set()
        for quantity in self.listed():
            if quantity.line.level == "sample":
                _refuse_late(quantity.line, stepwise)
                inner.append(self.statement(quantity.line, computed))
            else:
                late.append(quantity)
                stepwise.add(quantity.name)
        return inner, late

    def statement(self, line: Line, computed: dict[str, str]) -> str:
        source = self.emit(line.tree, computed)
        computed[line.name] = f"v_{line.name}"
        return f"v_{line.name} = {source}"

    def emit(self, tree: Tree, computed: Mapping[str, str]) -> str:
        return emit(tree, self.names(computed), self.constants)

    def after(self, late: list[Quantity], computed: dict[str, str]) -> Iterator[str]:
        """What is computed once a step: means, gradients, clipping, states."""
        for quantity in late:
            tree = self.without_means(quantity.line.tree, computed)
            yield f"v_{quantity.name} = {emit(tree, self.names(computed), self.constants)}"
            computed[quantity.name] = f"v_{quantity.name}"
        for i, name in enumerate(self.parameters):
            yield f"G[{i}] = {computed[_gradient(self.experiment, name)]}"
        yield from self.kept(computed)

    def kept(self, computed: dict[str, str]) -> Iterator[str]:
        """What lasts beyond the step: the objective's states, and the batch's mean reward for the record."""
        for i, state in enumerate(self.of.program.states):
            yield f"ST[{i}] = {computed[self.of.program.latest[state]]}"
        if "reward" in self.of.pieces:
            mean = self.without_means(Apply("mean", (Symbol("reward"),)), computed)
            yield f"ST[{len(self.of.program.states)}] = {self.emit(mean, computed)}"

    def without_means(self, tree: Tree, computed: dict[str, str]) -> Tree:
        """A step's formula with each mean over the batch exchanged for its accumulator."""

        def change(part: Tree) -> Tree | None:
            if not is_aggregate(part):
                return None
            assert isinstance(part, Apply)
            if part.function != "mean":
                raise Unsupported(f"{part.function}()")
            inner = parts(part)[0]
            if inner not in self.means:
                self.means.append(inner)
            name = f"m{self.means.index(inner)}"
            computed[name] = name
            return Symbol(name)

        return replace(tree, change)

    def load_parameters(self) -> Iterator[str]:
        for i, name in enumerate(self.parameters):
            yield f"p_{name} = P[{i}]"

    def load_states(self) -> Iterator[str]:
        for i, name in enumerate(self.of.program.states):
            yield f"s_{name} = ST[{i}]"

    def load_sample(self, statements: list[str]) -> Iterator[str]:
        """What the statements read of a sample."""
        whole = " ".join(statements)
        for i, name in enumerate(self.of.task.names):
            if f"x_{name}" in whole:
                yield f"x_{name} = X[{i}, q]"
        yield "t = T[q]"
        for name in ("noise", "uniform"):
            if name in whole:
                yield f"{name} = {name.upper()}[q]"
        for i, name in enumerate(self.keeps):
            if name in whole:
                yield f"{name} = KEEP[{i}, q]"

    def evaluation(self) -> str:
        """def evaluation(sizes, P, X, T, H, OUT): OUT[0] mean error, OUT[1] largest error, OUT[2] units that stay 0."""
        computed = {name: f"F({value})" for name, value in (("noise", "0"), ("uniform", "0.5"))}
        computed |= dict.fromkeys(self.keeps, "F(1)")
        inner = [self.statement(q.line, computed) for q in self.listed() if q.section == "forward"]
        inner += self.answer(computed)
        units = [q.name for q in self.listed() if q.section == "forward" and q.name.startswith("a")]
        seen = [f"u_{name} = max(u_{name}, abs(v_{name}))" for name in units]
        dead = " + ".join(f"(F(1) if u_{name} == F(0) else F(0))" for name in units) or "F(0)"
        start = ["total = F(0)", "most = F(0)", *(f"u_{name} = F(0)" for name in units)]
        judged = ["gap = abs(v_a - t)", "total += gap", "most = gap if (gap > most or gap != gap) else most"]
        return "\n".join(
            (
                "@kernel\ndef evaluation(sizes, P, X, T, H, OUT):",
                *_indented(1, (*self.load_parameters(), *start, "for q in range(T.shape[0]):")),
                *_indented(2, (*self.load_sample(inner), *inner, *judged, *seen)),
                *_indented(1, ("OUT[0] = total / F(T.shape[0])", "OUT[1] = most", f"OUT[2] = {dead}\n")),
            )
        )

    def answer(self, computed: dict[str, str]) -> list[str]:
        """From the output to the answer, without chance."""
        computed["o"] = computed[self.of.output_name]
        inner = []
        for line in self.of.program.lines:
            if line.name in ("reward", "objective"):
                break
            if line.level == "sample":
                inner.append(self.statement(line, computed))
            if line.name == "a":
                break
        return inner


class WideBody(Body):
    """The same functions for a network too large to be written out: only what happens at the output is unrolled."""

    def listed(self) -> tuple[Quantity, ...]:
        return output_quantities(self.of)

    def gradient(self) -> str:
        last = self.of.network.sum_name(self.of.network.last, 0)
        computed = {last: "v_z"}
        inner, late = self.sorted(computed)
        after = list(self.after(late, computed))
        sums = [f"m{i} += c * {self.emit(mean, computed)}" for i, mean in enumerate(self.means)]
        zero = [f"m{i} = F(0)" for i in range(len(self.means))]
        return "\n".join(
            (
                LOOPS + activation_source(self.of, self.constants),
                "@kernel\ndef gradient(n, sizes, P, X, T, C, NOISE, UNIFORM, KEEP, ST, H, G):",
                *_indented(1, (*ROOM, "forward(n, P, X, KEEP, H, sizes, Z, A)", *self.load_states(), *zero)),
                *_indented(1, ("z, d = Z[Z.shape[0] - 1], D[D.shape[0] - 1]", "for q in range(n):")),
                *_indented(2, (*self.load_sample(inner + sums), "v_z = z[q]", "c = C[q]", *inner, *sums)),
                *_indented(2, (f"d[q] = c * {computed['d' + last]}",)),
                *_indented(1, ("backward(n, P, KEEP, H, sizes, Z, A, D, G)", *after, *self.costs(), *self.clipping())),
                f"{TAB}return v_L\n",
            )
        )

    def after(self, late: list[Quantity], computed: dict[str, str]) -> Iterator[str]:
        for quantity in late:
            tree = self.without_means(quantity.line.tree, computed)
            yield f"v_{quantity.name} = {emit(tree, self.names(computed), self.constants)}"
            computed[quantity.name] = f"v_{quantity.name}"
        yield from self.kept(computed)

    def costs(self) -> Iterator[str]:
        """The regulariser's share of the loss and of every weight's gradient."""
        if self.of.regulariser is None:
            return
        tree = self.of.regulariser.tree
        yield "base = 0"
        yield "for layer in range(1, sizes.shape[0]):"
        yield f"{TAB}row = sizes[layer - 1] + 1"
        yield f"{TAB}for p in range(base, base + sizes[layer] * row):"
        yield f"{TAB * 2}if (p - base) % row != row - 1:"
        yield f"{TAB * 3}v_L += {emit(tree, {'w': 'P[p]'}, self.constants)}"
        yield f"{TAB * 3}G[p] += {emit(derivative(tree, 'w'), {'w': 'P[p]'}, self.constants)}"
        yield f"{TAB}base += sizes[layer] * row"

    def clipping(self) -> Iterator[str]:
        if self.experiment.clip is None:
            return
        yield "total = F(0)"
        yield "for p in range(G.shape[0]):"
        yield f"{TAB}total += G[p] * G[p]"
        yield f"shrink = smaller(F(1), {self.constants.place(Symbol('clip'))} / (sqrt(total) + F(1e-6)))"
        yield "for p in range(G.shape[0]):"
        yield f"{TAB}G[p] *= shrink"

    def evaluation(self) -> str:
        computed = {"noise": "F(0)", "uniform": "F(0.5)", self.of.network.sum_name(self.of.network.last, 0): "v_z"}
        inner = [self.statement(q.line, computed) for q in self.listed() if q.section == "forward"]
        inner += self.answer(computed)
        judged = ["gap = abs(v_a - t)", "total += gap", "most = gap if (gap > most or gap != gap) else most"]
        return "\n".join(
            (
                "@kernel\ndef evaluation(sizes, P, X, T, H, OUT):",
                *_indented(1, ("n = T.shape[0]", *ROOM, "KEEP = np.empty((0, 0), F)")),
                *_indented(1, ("forward(n, P, X, KEEP, H, sizes, Z, A)", "z = Z[Z.shape[0] - 1]")),
                *_indented(1, ("total = F(0)", "most = F(0)", "for q in range(n):")),
                *_indented(2, (*self.load_sample(inner), "v_z = z[q]", *inner, *judged)),
                *_indented(1, ("dead = 0", "for u in range(sizes[0], A.shape[0]):", f"{TAB}seen = F(0)")),
                *_indented(2, ("for q in range(n):", f"{TAB}seen = max(seen, abs(A[u, q]))", "dead += seen == F(0)")),
                *_indented(1, ("OUT[0] = total / F(n)", "OUT[1] = most", "OUT[2] = F(dead)\n")),
            )
        )


def _gradient(experiment: Experiment, parameter: str) -> str:
    from glassgrad.network import gradient_name

    name = gradient_name(parameter)
    return f"g_{name[1:]}" if experiment.clip is not None else name


def _refuse_late(line: Line, stepwise: set[str]) -> None:
    """A sample's line that reads a mean of this very step would need a second pass through the samples."""
    late = next((name for name in symbols(line.tree) if name in stepwise), None)
    if late is not None or is_aggregate(line.tree):
        raise Unsupported(f"{line.name} = … reads {late or 'all samples'}")


def _update(of: Method, constants: Constants) -> str:
    """def update(P, G, M, H): the optimizer's lines for every parameter; M[i] is its i-th state."""
    program = of.optimizer_program
    names = {"w": "w", "g": "g"} | {state: f"s_{state}" for state in program.states}
    inner = []
    for line in program.lines:
        if is_aggregate(line.tree):
            raise Unsupported(f"{line.name} = {line.tree.function}(…)")  # type: ignore[union-attr]
        inner.append(f"v_{line.name} = {emit(line.tree, names, constants)}")
        names[line.name] = f"v_{line.name}"
    load = ["w = P[p]", "g = G[p]", *(f"s_{state} = M[{i}, p]" for i, state in enumerate(program.states))]
    keep = [f"M[{i}, p] = {names[program.latest[state]]}" for i, state in enumerate(program.states)]
    return "\n".join(
        (
            "@kernel\ndef update(P, G, M, H):",
            f"{TAB}for p in range(P.shape[0]):",
            *_indented(2, (*load, *inner, *keep, f"P[p] = {names[program.latest['w']]}")),
            "",
        )
    )


def _indented(depth: int, lines: Iterator[str] | tuple[str, ...] | list[str]) -> list[str]:
    return [TAB * depth + line for line in lines]
