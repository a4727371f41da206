"""All formulas of one step, as lines: forward pass, objective, chain rule, gradients, update.

Every number that a step computes has one line here, whether it comes from our own engine or from elsewhere; what is
shown, evaluated and checked is this list.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from glassgrad.experiment import Experiment
from glassgrad.formula.derivative import derivative
from glassgrad.formula.lines import Level, Line, reads
from glassgrad.formula.simplify import ONE, ZERO, add, multiply
from glassgrad.formula.tree import Apply, Number, Symbol, Tree, chain, substitute
from glassgrad.method import TRIED, Method, method, of_any_seed
from glassgrad.network import gradient_name

Section = Literal["forward", "objective", "backward", "gradient", "update"]


@dataclass(frozen=True, slots=True)
class Quantity:
    """One number of a step: its line, where it belongs, and which formula it is an instance of.

    family: the formula without its indices, `z1`, `dW1`, `m`: what the check must have seen.
    """

    line: Line
    section: Section
    family: str

    @property
    def name(self) -> str:
        return self.line.name


def quantities(experiment: Experiment) -> tuple[Quantity, ...]:
    """Every number of a step except the optimizer's, in the order in which they are computed.

    Example:
        >>> from glassgrad.tables.experiments import shipped
        >>> [str(q.line) for q in quantities(shipped("add-linear"))][:4]
        ['z1 = W1_1_x1*x1 + W1_1_x2*x2 + b1_1', 'objective = (z1 - t)**2', 'L = mean(objective)', 'dz1 = 2*(z1 - t)']
    """
    return _quantities(of_any_seed(experiment))


@lru_cache(maxsize=32)
def _quantities(experiment: Experiment) -> tuple[Quantity, ...]:
    of = method(experiment)
    dropout, clip = experiment.dropout > 0, experiment.clip
    found = (
        *_forward(of, dropout),
        *_objective(of),
        *_backward(of, dropout),
        *_gradients(of, dropout),
        *_clipping(of, clip),
    )
    return tuple(found)


def equations_of_a_step(experiment: Experiment, most: int) -> int:
    """How many equations a step has, the optimizer's included; of a network with more than `most`, some number above.

    Example:
        >>> from glassgrad.tables.experiments import shipped
        >>> equations_of_a_step(shipped("add"), 10_000), equations_of_a_step(shipped("knob"), 10_000)
        (150, 20)
    """
    of = method(experiment)
    lines = of.optimizer_program.lines
    each = sum(line.level == "parameter" for line in lines)
    update = each * of.network.count + len(lines) - each
    least = update + of.network.count
    return least if least > most else update + len(quantities(experiment))


def families(experiment: Experiment) -> tuple[str, ...]:
    """The formulas of a step, each once, without the indices of its instances.

    Example:
        >>> from glassgrad.tables.experiments import shipped
        >>> families(shipped("add-linear").change(optimizer="sgd"))
        ('z1', 'objective', 'L', 'dz1', 'dW1', 'dB1', 'w_new')
    """
    own = (quantity.family for quantity in quantities(experiment))
    return tuple(dict.fromkeys((*own, *(line.name for line in method(experiment).optimizer_program.lines))))


def _make(name: str, tree: Tree, level: Level, section: Section, family: str) -> Quantity:
    return Quantity(Line(name, tree, level), section, family)


def weighted_sum(of: Method, layer: int, unit: int) -> Tree:
    """Σ_j W[i][j]*a_j + b[i], written out."""
    net = of.network
    products = tuple(
        Apply("*", (Symbol(net.weight_name(layer, unit, j)), Symbol(net.source_name(layer, j))))
        for j in net.sources(layer, unit)
    )
    return chain("+", (*products, Symbol(net.bias_name(layer, unit))))


def perturbing(of: Method, lines: tuple[Line, ...] | None = None) -> tuple[Line, ...]:
    """The lines for what is tried in place of the weights.

    lines: those of the program, as they are written out unless others are given.
    """
    lines = of.program.lines if lines is None else lines
    wanted = reads(lines, *of.tried.values(), of.program.latest[TRIED]) if of.tried else set()
    return tuple(line for line in lines if line.name in wanted)


def _forward(of: Method, dropout: bool) -> Iterator[Quantity]:
    net, tried = of.network, {weight: Symbol(name) for weight, name in of.tried.items()}
    for line in perturbing(of):
        yield _make(line.name, line.tree, line.level, "forward", of.program.families.get(line.name, line.name))
    for layer in net.layers:
        for i in net.units(layer):
            z = net.sum_name(layer, i)
            yield _make(z, substitute(weighted_sum(of, layer, i), tried), "sample", "forward", f"z{layer}")
            if layer < net.last:
                a = substitute(of.activation.in_layer(layer), {"z": Symbol(z)})
                kept = chain("*", (a, Symbol(f"keep{layer}_{i + 1}"))) if dropout else a
                yield _make(f"a{layer}_{i + 1}", kept, "sample", "forward", f"a{layer}")
    yield from _output(of)


def _output(of: Method) -> Iterator[Quantity]:
    """The output's activation, where it has one."""
    net = of.network
    for k, name in enumerate(of.outputs) if not of.linear_output else ():
        o = substitute(of.output_activation.in_layer(net.last), {"z": Symbol(net.sum_name(net.last, k))})
        yield _make(name, o, "sample", "forward", "o")


def _objective(of: Method) -> Iterator[Quantity]:
    lines = of.later(of.program.lines)
    wanted = set().union(
        *(
            reads(lines, name)
            for name in ("objective", "reward", *of.program.latest.values())
            if name in ("objective", "reward") or name.endswith("_new")
        )
    )
    wanted -= {line.name for line in perturbing(of)}
    output: dict[str, Tree] = {name: Symbol(shown) for name, shown in of.output_names.items()}
    for line in lines:
        if line.name in wanted:
            family = of.program.families.get(line.name, line.name)
            yield _make(line.name, substitute(line.tree, output), line.level, "objective", family)
    loss: Tree = Apply("mean", (Symbol("objective"),))
    if of.regulariser is not None:
        names = [name for name, array, _ in of.network.parameters() if array.startswith("W")]
        for name in names:
            yield _make(f"R_{name}", substitute(of.regulariser.tree, {"w": Symbol(name)}), "step", "objective", "R")
        loss = chain("+", (loss, *(Symbol(f"R_{name}") for name in names)))
    yield _make("L", loss, "step", "objective", "L")


def collecting(of: Method) -> tuple[Line, ...]:
    """What is worked out when data is collected, so that later updates find it: the output, then each old(…).

    Example:
        >>> from glassgrad.tables.experiments import shipped
        >>> [str(line) for line in collecting(method(shipped("add-linear").change(passes=2, policy="a = stop(o)")))][1:]
        ['o_old = z1']
    """
    return (*(quantity.line for quantity in _forward(of, False)), *collecting_output(of))


def collecting_output(of: Method) -> tuple[Line, ...]:
    """The lines of that from the output on."""
    output: dict[str, Tree] = {name: Symbol(shown) for name, shown in of.output_names.items()}
    wanted = reads(of.collected, *of.olds.values())
    lines = (line for line in of.collected if line.name in wanted)
    return tuple(Line(line.name, substitute(line.tree, output), line.level) for line in lines)


def output_quantities(of: Method) -> tuple[Quantity, ...]:
    """What happens at the output alone: activation, objective, and the chain rule back to the last sum."""
    plain = replace(of, regulariser=None)
    return (*_output(of), *_objective(plain), *_output_backward(of))


def _backward(of: Method, dropout: bool) -> Iterator[Quantity]:
    net = of.network
    yield from _output_backward(of)
    if of.tried:  # what is tried is cut off: nothing comes back through the network
        return
    for layer in reversed(net.layers[:-1]):
        for i in net.units(layer):
            yield from _hidden_backward(of, layer, i, dropout)


def _output_backward(of: Method) -> Iterator[Quantity]:
    """From the objective to the last sums."""
    net, outputs, backward = of.network, of.output_names, of.later(of.backward)
    ends = {f"d{name}" for name in of.tried or outputs}
    wanted = reads(backward, *ends) if backward else set()
    if of.tried:
        wanted -= ends
    called = {**outputs, **{f"d{name}": f"d{shown}" for name, shown in outputs.items()}}
    renamed: dict[str, Tree] = {name: Symbol(shown) for name, shown in called.items()}
    own = f"dz{net.last}" if of.linear_output else "do"
    families = {f"d{name}": f"d{family}" for name, family in of.program.families.items()}
    families |= dict.fromkeys((f"d{name}" for name in outputs), own)
    for line in backward:
        if line.name in wanted:
            name = called.get(line.name, line.name)
            family = families.get(line.name, name)
            yield _make(name, substitute(line.tree, renamed), line.level, "backward", family)
    for k in net.units(net.last) if not of.tried else ():
        last, arriving = net.sum_name(net.last, k), of.arriving(k)
        if arriving is None:
            yield _make(f"d{last}", ZERO, "sample", "backward", f"dz{net.last}")
        elif not of.linear_output:
            slope = _slope(of.output_activation.in_layer(net.last), last)
            yield _make(f"d{last}", multiply((Symbol(arriving), slope)), "sample", "backward", f"dz{net.last}")


def _slope(tree: Tree, z: str) -> Tree:
    return substitute(derivative(tree, "z"), {"z": Symbol(z)})


def _hidden_backward(of: Method, layer: int, unit: int, dropout: bool) -> Iterator[Quantity]:
    """What arrives at a hidden unit: from every unit above, through the weight that leads there."""
    net = of.network
    arriving = chain(
        "+",
        tuple(
            Apply("*", (Symbol(f"d{net.sum_name(layer + 1, k)}"), Symbol(net.weight_name(layer + 1, k, unit))))
            for k in net.readers(layer, unit)
        ),
    )
    a, z = f"a{layer}_{unit + 1}", net.sum_name(layer, unit)
    yield _make(f"d{a}", arriving, "sample", "backward", f"da{layer}")
    kept = (Symbol(f"keep{layer}_{unit + 1}"),) if dropout else ()
    through = multiply((Symbol(f"d{a}"), *kept, _slope(of.activation.in_layer(layer), z)))
    yield _make(f"d{z}", through, "sample", "backward", f"dz{layer}")


def _gradients(of: Method, dropout: bool) -> Iterator[Quantity]:
    """Each parameter's gradient: the mean over the samples, and the regulariser's share."""
    net = of.network
    for layer in net.layers:
        for i in net.units(layer):
            dz = Symbol(f"d{net.sum_name(layer, i)}")
            for j in net.sources(layer, i):
                weight = net.weight_name(layer, i, j)
                mean = _perturbed_gradient(of, weight) or Apply(
                    "mean", (multiply((dz, Symbol(net.source_name(layer, j)))),)
                )
                share = (
                    ZERO
                    if of.regulariser is None
                    else substitute(derivative(of.regulariser.tree, "w"), {"w": Symbol(weight)})
                )
                yield _make(f"d{weight}", add((mean, share)), "step", "gradient", f"dW{layer}")
            bias = net.bias_name(layer, i)
            mean = _perturbed_gradient(of, bias) or Apply("mean", (dz,))
            yield _make(gradient_name(bias), mean, "step", "gradient", f"dB{layer}")
        yield from learned_gradients(of, layer, dropout)


def _perturbed_gradient(of: Method, weight: str) -> Tree | None:
    """What the lines themselves say of a weight that is perturbed; nothing if it is not."""
    if not of.tried:
        return None
    return next((line.tree for line in of.backward if line.name == f"d{weight}"), ZERO)


def learned_gradients(of: Method, layer: int, dropout: bool) -> Iterator[Quantity]:
    """The gradients of the numbers that a layer's activation learns: p acts in every unit of the layer."""
    net, final = of.network, layer == of.network.last
    tree = (of.output_activation if final else of.activation).in_layer(layer)
    for name in net.learned_in(layer):
        effect, terms = derivative(tree, f"{name}{layer}"), []
        for i in net.units(layer) if of.backward else ():
            arriving = of.arriving(i) if final else f"da{layer}_{i + 1}"
            if arriving is None:
                continue
            kept = (Symbol(f"keep{layer}_{i + 1}"),) if dropout and not final else ()
            terms.append(multiply((Symbol(arriving), *kept, substitute(effect, {"z": Symbol(net.sum_name(layer, i))}))))
        gradient = f"d{name}{layer}"
        total = add(terms)
        yield _make(gradient, Apply("mean", (total,)) if total != ZERO else ZERO, "step", "gradient", gradient)


def _clipping(of: Method, clip: float | None) -> Iterator[Quantity]:
    """g = gradient * min(1, max_norm/(norm + 1e-6)), as torch.nn.utils.clip_grad_norm_ has it."""
    if clip is None:
        return
    names = [gradient_name(name) for name, _, _ in of.network.parameters()]
    squares = chain("+", tuple(Apply("**", (Symbol(name), Number(2.0))) for name in names))
    yield _make("norm", Apply("sqrt", (squares,)), "step", "gradient", "norm")
    share = Apply("/", (Symbol("max_norm"), Apply("+", (Symbol("norm"), Number(1e-6)))))
    yield _make("shrink", Apply("min", (ONE, share)), "step", "gradient", "shrink")
    for name in names:
        yield _make(f"g_{name[1:]}", Apply("*", (Symbol(name), Symbol("shrink"))), "step", "gradient", "clipped")


def update_name(name: str, parameter: str) -> str:
    """What a name of the optimizer's lines is called for one parameter: m_new of W1_1_x1 is m_W1_1_x1_new.

    Example:
        >>> update_name("w_new", "b1_1"), update_name("m_hat", "b1_1")
        ('b1_1_new', 'm_hat_b1_1')
    """
    stem, again = name, ""
    while stem.endswith("_new"):
        stem, again = stem[:-4], again + "_new"
    if stem == "w":
        return parameter + again
    return f"{stem}_{parameter}{again}"
