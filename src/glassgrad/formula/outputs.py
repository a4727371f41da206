"""What differs between the outputs of a network, written out: `p = exp(o)` becomes p_1 = exp(o1), p_2 = exp(o2), ….

`sum(p)`, `max(p)`, … go over the outputs then, and `below(p)` is for each output the sum over those before it. What
remains are plain lines of a sample: derivatives, engines and equations know nothing of outputs. The same is done for
what differs between the weights of a network, where they are perturbed: `tried = w + noise_w` becomes tried_W1_1_x1 =
W1_1_x1 + noise_W1_1_x1, ….
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from glassgrad.errors import FormulaError
from glassgrad.formula.evaluate import is_aggregate
from glassgrad.formula.functions import BELOW
from glassgrad.formula.text import show
from glassgrad.formula.tree import Apply, Number, Symbol, Tree, chain, negative, parts, replace, substitute, symbols

Each = tuple[Tree, ...]
"""One formula for each output."""

INDEX = "index"
"""Which output it is, from 0, in a line with a value for each."""

NOISE = "noise_w"
"""A standard normal number for each weight of each sample."""


@dataclass(frozen=True)
class Several:
    """What there are several of: outputs, or weights.

    labels: how a line for one of them ends: p_1. given: the names that have a value for each without any line.
    settled: those of them that are the same for all samples. kind: what a message calls them.
    """

    labels: tuple[str, ...] = ("1",)
    given: Mapping[str, Each] = field(default_factory=dict)
    settled: tuple[str, ...] = ()
    kind: Literal["outputs", "weights"] = "outputs"

    def each(self, name: str) -> Each:
        """A name's formula for each.

        Example:
            >>> several_outputs(2).each("o"), several_outputs(2).each("p")
            ((Symbol(name='o1'), Symbol(name='o2')), (Symbol(name='p_1'), Symbol(name='p_2')))
        """
        return self.given.get(name) or tuple(Symbol(f"{name}_{label}") for label in self.labels)


def several_outputs(count: int) -> Several:
    """The outputs o1, o2, …, with their index."""
    numbers = range(1, count + 1)
    outputs = tuple(Symbol(f"o{k}") for k in numbers)
    indices = tuple(Number(k - 1.0) for k in numbers)
    return Several(tuple(map(str, numbers)), {"o": outputs, INDEX: indices})


def several_weights(names: tuple[str, ...]) -> Several:
    """The weights and biases w, each with a random number of its own."""
    noise = tuple(Symbol(f"noise_{name}") for name in names)
    return Several(names, {"w": tuple(map(Symbol, names)), NOISE: noise}, settled=("w",), kind="weights")


class Outputs:
    """Knows which names have a value for each output, and makes lines of what is asked of all of them.

    several: what there are several of. each: these names, with their formulas for each output.
    line: makes a new line of a sample, given what it is called, the family that it is one of, and its formula.
    """

    def __init__(self, several: Several, each: Mapping[str, Each], line: Callable[[str, str, Tree], Symbol]) -> None:
        self.labels, self.kind, self.line = several.labels, several.kind, line
        self.count = len(self.labels)
        self.each = dict(each)
        self.known: dict[Tree, Tree] = {}

    def differ(self, tree: Tree) -> bool:
        """Whether a formula, without aggregates over outputs, has a value for each output."""
        return any(name in self.each for name in symbols(tree))

    def at(self, tree: Tree) -> Each:
        """The formula for each output."""
        read = {name: self.each[name] for name in symbols(tree) if name in self.each}
        return tuple(substitute(tree, {name: each[k] for name, each in read.items()}) for k in range(self.count))

    def reduced(self, tree: Tree) -> Tree:
        """A formula in which each aggregate over the outputs has become a name; the whole one stays a formula.

        Raises:
            FormulaError: `below` of something that does not differ between outputs.
        """
        if _over(tree) and self.differ(inner := self.inside(parts(tree)[0])):
            return self.made(_function(tree), inner)
        return self.inside(tree)

    def inside(self, tree: Tree) -> Tree:
        def change(part: Tree) -> Tree | None:
            if not _over(part):
                return None
            inner, function = self.inside(parts(part)[0]), _function(part)
            if not self.differ(inner):
                if function == BELOW:
                    raise FormulaError("formula.below", formula=show(part))
                return Apply(function, (inner,))
            whole = Apply(function, (inner,))
            if whole not in self.known:
                made = self.made(function, inner)
                named = made if isinstance(made, Symbol | Number) or self.differ(made) else None
                self.known[whole] = named or self.line(_base(whole), "", made)
            return self.known[whole]

        return replace(tree, change)

    def made(self, function: str, inner: Tree) -> Tree:
        """An aggregate over the outputs as a formula of a sample (of each output: below, others)."""
        each, count = self.at(inner), Number(float(self.count))
        total = chain("+", each)
        match function:
            case "sum":
                return total
            case "mean":
                return Apply("/", (total, count))
            case "count":
                return count
            case "max" | "min":
                *running, last = self.running(function, Apply(function, (inner,)), each)
                return Apply(function, (running[-1], last))
            case "norm":
                squares = self.inside(Apply("sum", (Apply("**", (inner, Number(2.0))),)))
                return Apply("where", (Apply("==", (squares, Number(0.0))), Number(0.0), Apply("sqrt", (squares,))))
            case "std":
                gap = chain("+", (inner, negative(self.inside(Apply("mean", (inner,))))))
                squares = self.inside(Apply("sum", (Apply("**", (gap, Number(2.0))),)))
                return Apply("sqrt", (Apply("/", (squares, Number(self.count - 1.0))),))
            case "others":
                rest = chain("+", (self.inside(Apply("sum", (inner,))), negative(inner)))
                return Apply("/", (rest, Number(self.count - 1.0)))
            case "below":
                whole = Apply(BELOW, (inner,))
                self.each[show(whole)] = (Number(0.0), *self.running("+", whole, each)[:-1])
                return Symbol(show(whole))
        raise FormulaError(f"formula.not_over_{self.kind}", name=function, line=f"{function}({show(inner)})")

    def running(self, function: str, whole: Tree, each: Each) -> Each:
        """Sums (or extremes) of the first, of the first two, …, each but the first and the last a line; then the last.

        With max and min the first of equals wins, as in `max(a, b)`.
        """
        base, found = _base(whole), [each[0]]
        for k, term in enumerate(each[1:-1], 3 if function == "+" else 2):
            joined = chain("+", (found[-1], term)) if function == "+" else Apply(function, (found[-1], term))
            found.append(self.line(f"{base}_{k}", base, joined))
        return (*found, each[-1])


def _over(tree: Tree) -> bool:
    return is_aggregate(tree) or (isinstance(tree, Apply) and tree.function == BELOW)


def _function(tree: Tree) -> str:
    assert isinstance(tree, Apply)
    return tree.function


def _base(whole: Tree) -> str:
    """What an aggregate's lines are called: max_o; sum_1 if it is one of a longer formula."""
    (argument,) = parts(whole)
    plain = isinstance(argument, Symbol) and argument.name.isidentifier()
    return f"{_function(whole)}_{argument.name if plain and isinstance(argument, Symbol) else 1}"
