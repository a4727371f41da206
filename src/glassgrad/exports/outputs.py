"""The lines of a method with several outputs as they are written: one line for all outputs, instead of one for each."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from glassgrad.formula.evaluate import is_aggregate
from glassgrad.formula.functions import AGGREGATES, BELOW
from glassgrad.formula.lines import Level, Line, named_parts
from glassgrad.formula.outputs import INDEX
from glassgrad.formula.simplify import ZERO
from glassgrad.formula.tree import Apply, Number, Symbol, Tree, chain, negative, parts, symbols
from glassgrad.method import Method

_FINEST: tuple[Level, ...] = ("output", "sample", "parameter")


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
    if len(of.outputs) == 1 or not any({"o", INDEX} & set(symbols(tree)) for _, tree in of.written):
        return of
    lines = tuple(_Lines(of).read())
    given = (*_given(of), *of.numbers, *of.program.states, *(line.name for line in lines))
    return replace(
        of,
        program=replace(of.program, lines=lines),
        olds=named_parts(lines, "old", given) if of.olds else {},
    )


def collected(of: Method) -> tuple[Line, ...]:
    """What is worked out when data is collected: the lines of `for_all_outputs`, then the value of each old(…)."""
    levels = levels_of(of)
    inner = ((name, parts(old)[0]) for old, name in of.olds.items())
    return (*of.program.lines, *(Line(name, tree, level_of(tree, levels)) for name, tree in inner))


def level_of(tree: Tree, levels: Mapping[str, Level]) -> Level:
    """The level of a formula in which an output's may occur: the finest that it reads outside of aggregates."""
    if isinstance(tree, Symbol):
        return levels.get(tree.name, "step")
    found = {level_of(part, levels) for part in parts(tree)}
    finest: Level = next((level for level in _FINEST if level in found), "step")
    if not isinstance(tree, Apply) or not over_all(tree) or tree.function == BELOW:
        return finest
    return "sample" if finest == "output" or AGGREGATES[tree.function].each else "step"


def over_all(tree: Tree) -> bool:
    """Whether a formula is an aggregate, over outputs or samples."""
    return is_aggregate(tree) or (isinstance(tree, Apply) and tree.function == BELOW)


def over_outputs(tree: Tree, levels: Mapping[str, Level]) -> Tree | None:
    """What a line of `for_all_outputs` sums up (or takes the largest of, …) over the outputs; None, if it does not."""
    inner = parts(tree)[0] if over_all(tree) else None
    return inner if inner is not None and level_of(inner, levels) == "output" else None


def levels_of(of: Method) -> dict[str, Level]:
    """The levels of all that the lines read, and of the lines."""
    return {**_given(of), **{line.name: line.level for line in of.program.lines}}


def _given(of: Method) -> dict[str, Level]:
    found: dict[str, Level] = dict.fromkeys((*of.task.names, "t", *of.outputs, "noise", "uniform"), "sample")
    each: dict[str, Level] = dict.fromkeys(("o", INDEX), "output") if len(of.outputs) > 1 else {}
    return {**found, **each, "step": "step"}


class _Lines:
    """Reads the written lines; what an aggregate over outputs stands for goes before its line."""

    def __init__(self, of: Method) -> None:
        self.of, self.count = of, Number(float(of.network.outputs))
        self.levels: dict[str, Level] = dict(_given(of))
        self.taken = {*self.levels, *of.numbers, *of.program.states, *(name for name, _ in of.written)}

    def read(self) -> Iterator[Line]:
        for name, tree in self.of.written:
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
