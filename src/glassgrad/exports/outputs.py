"""The lines of a method with several outputs for LaTeX: one line for all, and over them only sum, max, min, below."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from glassgrad.formula.evaluate import is_aggregate
from glassgrad.formula.functions import BELOW
from glassgrad.formula.lines import Level, Line, level_of
from glassgrad.formula.simplify import ZERO
from glassgrad.formula.tree import Apply, Number, Symbol, Tree, chain, negative, parts
from glassgrad.method import Method


def for_all_outputs(of: Method) -> Method:
    """The method with one line for all outputs, of the level `output` where it has a value for each.

    Over outputs only sum, max, min and below remain, each the whole of its line. A method without such lines stays
    as it is.

    Example:
        >>> from glassgrad.experiment import Experiment
        >>> from glassgrad.method import method
        >>> of = for_all_outputs(method(Experiment("mine", network=(2, 3), policy="a = o1", objective="norm(o - t)")))
        >>> [f"{line.level}: {line}" for line in of.program.lines]
        ['sample: a = o1', 'sample: sum_1 = sum((o - t)**2)', 'sample: objective = where(sum_1 == 0, 0, sqrt(sum_1))']
    """
    if not of.program.each:
        return of
    of = of.at_once
    return replace(of, program=replace(of.program, lines=tuple(_Lines(of).read())))


def over_outputs(tree: Tree, levels: Mapping[str, Level]) -> Tree | None:
    """What a line of `for_all_outputs` sums up (or takes the largest of, …) over the outputs; None, if it does not."""
    over_all = is_aggregate(tree) or (isinstance(tree, Apply) and tree.function == BELOW)
    inner = parts(tree)[0] if over_all else None
    return inner if inner is not None and level_of(inner, levels) == "output" else None


def levels_of(of: Method) -> dict[str, Level]:
    """The levels of all that the lines read, and of the lines."""
    return {**of.given, **{line.name: line.level for line in of.program.lines}}


class _Lines:
    """Reads the written lines; what an aggregate over outputs stands for goes before its line."""

    def __init__(self, of: Method) -> None:
        self.of, self.count = of, Number(float(len(of.tried) or of.network.outputs))
        self.levels = of.given
        self.taken = {*self.levels, *of.numbers, *of.program.states, *(line.name for line in of.program.lines)}

    def read(self) -> Iterator[Line]:
        for written in self.of.program.lines:
            name, tree = written.name, written.tree
            over = over_outputs(tree, self.levels) is not None
            before, plain = self.plain(tree) if isinstance(tree, Apply) and over else ([], tree)
            for line in (*before, (name, plain)):
                yield self.line(*line)

    def line(self, name: str, tree: Tree) -> Line:
        self.levels[name] = level_of(tree, self.levels)
        return Line(name, tree, self.levels[name])

    def plain(self, tree: Apply) -> tuple[list[tuple[str, Tree]], Tree]:
        """An aggregate over outputs by sum, max, min and below alone: the lines before it, and its formula."""
        (inner,), less = tree.arguments, Number(self.count.value - 1.0)
        match tree.function:
            case "count":
                return [], self.count
            case "mean":
                total = self.free("sum")
                return [(total, Apply("sum", (inner,)))], Apply("/", (Symbol(total), self.count))
            case "others":
                total = self.free("sum")
                rest = chain("+", (Symbol(total), negative(inner)))
                return [(total, Apply("sum", (inner,)))], Apply("/", (rest, less))
            case "norm":
                total = self.free("sum")
                root = Apply("sqrt", (Symbol(total),))
                whole = Apply("where", (Apply("==", (Symbol(total), ZERO)), ZERO, root))
                return [(total, _squares(inner))], whole
            case "std":
                (first, mean), name = self.plain(Apply("mean", (inner,))), self.free("mean")
                total = self.free("sum")
                gap = chain("+", (inner, negative(Symbol(name))))
                before = [*first, (name, mean), (total, _squares(gap))]
                return before, Apply("sqrt", (Apply("/", (Symbol(total), less)),))
        return [], tree

    def free(self, function: str) -> str:
        name = next(name for i in range(1, len(self.taken) + 2) if (name := f"{function}_{i}") not in self.taken)
        self.taken.add(name)
        return name


def _squares(inner: Tree) -> Tree:
    return Apply("sum", (Apply("**", (inner, Number(2.0))),))
