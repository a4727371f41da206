"""A method as ordered lines `name = formula`, each at one level, with state that lasts from step to step.

    state m = 0
    m = 0.9*m + 0.1*g
    w = w - lr*m

A name means its latest value. What differs between samples (or, in an optimizer, between parameters) reads
what does not; the other way leads only through mean, sum, max, min, std, count, norm. `#` starts a remark.
"""

import keyword
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from glassgrad.errors import FormulaError
from glassgrad.formula.evaluate import is_aggregate
from glassgrad.formula.functions import AGGREGATES, BELOW, CALLABLE, CONSTANTS
from glassgrad.formula.outputs import INDEX, Outputs, Several
from glassgrad.formula.parser import parse
from glassgrad.formula.spelling import MAX_LENGTH, check_spelling, keyword_error
from glassgrad.formula.text import show
from glassgrad.formula.tree import Apply, Number, Symbol, Tree, parts, replace, substitute, symbols

Level = Literal["output", "sample", "parameter", "step"]
"""What a line has one value for: each output (or weight) of a sample, each sample, each parameter, or the whole step.

Lines of the first kind are written out as they are read: no `Line` has it.
"""

_ONE_NUMBER = ("a", "logp", "reward", "objective")


@dataclass(frozen=True, slots=True)
class Line:
    """`name = tree`, one value for each sample or parameter, or one for the step."""

    name: str
    tree: Tree
    level: Level

    def __str__(self) -> str:
        return f"{self.name} = {show(self.tree)}"


@dataclass(frozen=True, slots=True)
class Program:
    """Lines in order, every name assigned once: a name that is assigned again is `name_new` from there on.

    source: the lines as they were written.
    states: what lasts from step to step, with its first value; its next value is `name_new`.
    latest: for each name as written, the name of its last value.
    each: the names as written that have a value for each output. families: for the lines of one output, or on the way
        to an aggregate over all, what they are instances of: p for p_3.
    """

    source: tuple[str, ...]
    states: dict[str, Tree]
    lines: tuple[Line, ...]
    latest: dict[str, str]
    each: tuple[str, ...] = ()
    families: dict[str, str] = field(default_factory=dict)

    def level(self, name: str) -> Level:
        """The level of a state: that of the line that assigns it."""
        return next(line.level for line in self.lines if line.name == self.latest[name])


def split_lines(source: str) -> tuple[str, ...]:
    """The lines of a text, separated by line ends or semicolons outside of brackets, without remarks.

    Example:
        >>> split_lines("a = o; logp = 0")
        ('a = o', 'logp = 0')
    """
    if len(source) > MAX_LENGTH:
        raise FormulaError("formula.too_long", length=len(source), most=MAX_LENGTH)
    source = re.sub(r"#[^\n]*", "", source)
    depth, lines = 0, [""]
    for sign in source:
        depth += (sign in "([") - (sign in ")]")
        if sign == ";" or (sign == "\n" and depth <= 0):
            depth = 0
            lines.append("")
        else:
            lines[-1] += sign
    return tuple(line.strip() for line in lines if line.strip())


def read_params(source: str) -> tuple[dict[str, float], str]:
    """The learned numbers that a text declares with `param name = number`, and the rest of the text.

    Example:
        >>> read_params("param p = 0.25; where(z > 0, z, p*z)")
        ({'p': 0.25}, 'where(z > 0, z, p*z)')
    """
    params: dict[str, float] = {}
    rest = []
    for line in split_lines(source):
        if not re.match(r"param\b", line):
            rest.append(line)
            continue
        name, formula = _halves(line[5:].strip(), None)
        start = parse(formula, ())
        if not isinstance(start, Number):
            raise FormulaError("formula.param_number", formula=line, position=1, name=name)
        params[name] = start.value
    return params, "; ".join(rest)


def read_lines(source: str, given: Mapping[str, Level], result: str, several: Several | None = None) -> Program:
    """Read the lines of a method.

    given: the names that it may read, and their levels.
    result: the name that it must assign; a single formula without a name assigns it.
    several: the outputs (or weights) where given names have a value for each: `o` is o1, o2, … in turn.

    Raises:
        FormulaError: a line is no line, a formula no formula, levels are mixed, `result` is not assigned.

    Example:
        >>> given = {"w": "parameter", "g": "parameter"}
        >>> program = read_lines("state m = 0; m = 0.9*m + g; w = w - 0.1*m", given, "w")
        >>> [str(line) for line in program.lines]
        ['m_new = 0.9*m + g', 'w_new = w - 0.1*m_new']
        >>> given = {"o": "output", "o1": "sample", "o2": "sample"}
        >>> from glassgrad.formula.outputs import several_outputs
        >>> program = read_lines("e = exp(o); objective = log(sum(e))", given, "objective", several_outputs(2))
        >>> [str(line) for line in program.lines]
        ['e_1 = exp(o1)', 'e_2 = exp(o2)', 'sum_e = e_1 + e_2', 'objective = log(sum_e)']
    """
    lines = split_lines(source)
    if not lines:
        raise FormulaError("formula.empty")
    states = _states(lines, given)
    rest = [line for line in lines if not re.match(_STATE, line)]
    halves = [_halves(line, result if i == len(rest) else None) for i, line in enumerate(rest, 1)]
    reader = _Reader(dict(given), states, {name for name, _ in halves}, several or Several())
    for name, formula in halves:
        reader.assign(name, formula)
    missing = next((name for name in (*reader.states, result) if name not in reader.assigned), None)
    if missing:
        raise FormulaError("formula.never_assigned", name=missing)
    return Program(lines, reader.states, reader.finished(), reader.latest, reader.each(), reader.families)


def written_lines(source: str, given: Iterable[str], result: str) -> tuple[tuple[str, Tree], ...]:
    """The lines as they are written, one for all outputs, with names for aggregates: what a drawing shows.

    Example:
        >>> lines = written_lines("p = exp(o)/sum(exp(o)); -log(p)", ("o",), "objective")
        >>> [f"{name} = {show(tree)}" for name, tree in lines]
        ['sum_1 = sum(exp(o))', 'p = exp(o)/sum_1', 'objective = -log(p)']
    """
    lines = split_lines(source)
    states = _states(lines, {})
    rest = [line for line in lines if not re.match(_STATE, line)]
    halves = [_halves(line, result if i == len(rest) else None) for i, line in enumerate(rest, 1)]
    reader = _Reader(dict.fromkeys(given, "sample"), states, {name for name, _ in halves}, Several())
    reader.more = (BELOW,)
    for name, formula in halves:
        reader.assign(name, formula)
    return tuple(reader.raw)


_STATE = r"state\s+(?=[^\s=])"


def _states(lines: tuple[str, ...], given: Mapping[str, Level]) -> dict[str, Tree]:
    states: dict[str, Tree] = {}
    for line in lines:
        if found := re.match(_STATE, line):
            name, formula = _halves(line[found.end() :], None)
            if name in states or name in given:
                raise FormulaError("formula.state_twice", name=name)
            states[name] = parse(formula, ())
    return states


def _halves(line: str, result: str | None) -> tuple[str, str]:
    """`name = formula` in two; a formula alone counts as the result's where that may stand."""
    found = re.match(r"\s*([^=<>!]*?)\s*=(?!=)\s*(.*)$", line, re.DOTALL)
    if found is None or "(" in found[1] or "[" in found[1]:
        if result is None:
            if not line.isascii():  # a full-width =, most likely
                check_spelling(line)
            raise FormulaError("formula.no_assignment", formula=line, position=1)
        return result, line
    name = found[1]
    if keyword.iskeyword(name):
        raise keyword_error(line, 0, name)
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) or name in CALLABLE or name in CONSTANTS:
        raise FormulaError("formula.bad_name", formula=line, position=1, name=name[:30])
    return name, found[2]


class _Reader:
    """Reads line after line: which name is which by now, and at what level each stands."""

    def __init__(self, given: dict[str, Level], states: dict[str, Tree], written: set[str], several: Several) -> None:
        self.states = states
        self.taken = {*given, *states, *written}
        self.levels: dict[str, Level] = dict(given)
        self.latest = {name: name for name in (*given, *states)}
        self.assigned: set[str] = set()
        self.raw: list[tuple[str, Tree]] = []
        each = {name: several.each(name) for name, level in given.items() if level == "output"}
        varying = (one for name, one in each.items() if name not in several.settled)
        self.levels |= {part.name: "sample" for one in varying for part in one if isinstance(part, Symbol)}
        self.outputs = Outputs(several.labels, each, self.line)
        self.more: tuple[str, ...] = (BELOW,) if INDEX in each else ()
        self.families: dict[str, str] = {}

    def line(self, name: str, family: str, tree: Tree) -> Symbol:
        """A new line, called as asked or as near as that is free."""
        stem, number = re.fullmatch(r"(.*?)(\d*)", name).groups()  # type: ignore[union-attr]
        unique = _free((name, *(f"{stem}{i}" for i in range(int(number or 0) + 1, MAX_LENGTH))), self.taken)
        self.taken.add(unique)
        self.families[unique] = family or unique
        self.raw.append((unique, self.inner(tree)))
        return Symbol(unique)

    def assign_each(self, name: str, tree: Tree) -> None:
        """A line with a value for each output, as that many lines: p_1, p_2, …"""
        labels = self.outputs.labels
        again = (name + "_new" * i for i in range(MAX_LENGTH))
        family = next(n for n in again if n not in self.outputs.each and not self.taken & {f"{n}_{k}" for k in labels})
        names = [f"{family}_{k}" for k in labels]
        self.raw += zip(names, self.outputs.at(self.inner(tree)), strict=True)
        self.taken |= {family, *names}
        self.families |= dict.fromkeys(names, family)
        self.outputs.each[family] = tuple(map(Symbol, names))
        self.latest[name] = family
        self.assigned.add(name)

    def each(self) -> tuple[str, ...]:
        """The names as written that have a value for each output."""
        return tuple(name for name, latest in self.latest.items() if latest in self.outputs.each)

    def assign(self, name: str, formula: str) -> None:
        if name in self.more:
            raise FormulaError("formula.bad_name", formula=f"{name} = {formula}", position=1, name=name)
        tree = parse(formula, tuple(self.latest), self.more)
        tree = substitute(tree, {old: Symbol(new) for old, new in self.latest.items() if old != new})
        tree = self.outputs.reduced(tree) if self.outputs.each else tree
        if self.outputs.differ(tree):
            if name in self.states or name in _ONE_NUMBER:
                raise FormulaError("formula.for_each_output", line=f"{name} = {formula}", name=name)
            self.assign_each(name, tree)
            return
        tree = self.hoisted(tree)
        unique = name
        if name in self.latest:
            unique = _free((self.latest[name] + "_new" * i for i in range(1, MAX_LENGTH)), self.taken)
        self.taken.add(unique)
        self.raw.append((unique, tree))
        self.latest[name] = unique
        self.assigned.add(name)

    def hoisted(self, tree: Tree) -> Tree:
        """Each mean(…) inside a formula becomes a line of its own, so that a line has one level."""
        if _aggregates_outputs(tree):
            (inner,) = parts(tree)
            return Apply(_function(tree), (self.inner(inner),))
        return self.inner(tree)

    def inner(self, tree: Tree) -> Tree:
        def change(part: Tree) -> Tree | None:
            if not _aggregates_outputs(part):
                return None
            whole = self.hoisted(part)
            for unique, known in self.raw:
                if known == whole:
                    return Symbol(unique)
            unique = self.fresh(whole)
            self.raw.append((unique, whole))
            return Symbol(unique)

        return replace(tree, change)

    def fresh(self, tree: Tree) -> str:
        (argument,) = parts(tree)
        base = f"{_function(tree)}_{argument.name}" if isinstance(argument, Symbol) else f"{_function(tree)}_1"
        unique = _free((base, *(f"{_function(tree)}_{i}" for i in range(2, MAX_LENGTH))), self.taken)
        self.taken.add(unique)
        return unique

    def finished(self) -> tuple[Line, ...]:
        """All lines with their levels; a state's level is found by going round until nothing changes."""
        states = {name: self.latest[name] for name in self.states}
        self.levels |= dict.fromkeys(states, "step")
        for _ in range(len(self.raw) + 2):
            before = dict(self.levels)
            for name, tree in self.raw:
                self.levels[name] = level_of(tree, self.levels)
            self.levels |= {name: self.levels[new] for name, new in states.items()}
            if before == self.levels:
                break
        for name, tree in self.raw:
            _check_levels(name, tree, self.levels)
        if any(self.levels[name] == "sample" for name in states):
            raise FormulaError("formula.state_per_sample", name=next(n for n in states if self.levels[n] == "sample"))
        return tuple(Line(name, tree, self.levels[name]) for name, tree in self.raw)


def _free(names: Iterable[str], taken: set[str]) -> str:
    return next(name for name in names if name not in taken)


def level_of(tree: Tree, levels: Mapping[str, Level]) -> Level:
    """The level of a formula: the finest that it reads outside of aggregates."""
    if is_aggregate(tree):
        inner = level_of(parts(tree)[0], levels)
        return inner if AGGREGATES[_function(tree)].each else "step"
    if isinstance(tree, Symbol):
        return levels.get(tree.name, "step")
    found = {level_of(part, levels) for part in parts(tree)} - {"step"}
    return "sample" if "sample" in found else "parameter" if found else "step"


def _check_levels(name: str, tree: Tree, levels: Mapping[str, Level]) -> None:
    if {"sample", "parameter"} <= {levels.get(read, "step") for read in symbols(tree)}:
        raise FormulaError("formula.mixed_levels", line=f"{name} = {show(tree)}")
    for part in _aggregates(tree):
        if level_of(parts(part)[0], levels) == "step" and _function(part) != "count":
            raise FormulaError("formula.nothing_to_aggregate", name=_function(part), line=f"{name} = {show(tree)}")


def _aggregates_outputs(tree: Tree) -> bool:
    """Whether a tree is an aggregate, of samples or of outputs."""
    return is_aggregate(tree) or (isinstance(tree, Apply) and tree.function == BELOW)


def _aggregates(tree: Tree) -> list[Tree]:
    return [part for part in (tree, *parts(tree)) if is_aggregate(part)]


def _function(tree: Tree) -> str:
    assert isinstance(tree, Apply)
    return tree.function


def run_lines(
    lines: tuple[Line, ...],
    values: dict[str, object],
    compute: Callable[[Tree, Mapping[str, object]], object],
) -> dict[str, object]:
    """All names after the lines have run in order; `compute` gives a formula's value."""
    known = dict(values)
    for line in lines:
        known[line.name] = compute(line.tree, known)
    return known


def named_parts(lines: tuple[Line, ...], function: str, taken: Iterable[str]) -> dict[Tree, str]:
    """A name for each part of some lines that applies a function: `old(logp)` is logp_old.

    What is the whole of a line is called by the line. taken: names that are not free.

    Example:
        >>> program = read_lines("a = old(o); c = old(exp(a)) - old(a)", {"o": "sample"}, "c")
        >>> {show(part): name for part, name in named_parts(program.lines, "old", ("a", "c", "o")).items()}
        {'old(o)': 'o_old', 'old(exp(a))': 'old_1', 'old(a)': 'a_old'}
    """
    found: dict[Tree, str] = {}

    def change(part: Tree) -> Tree | None:
        if not isinstance(part, Apply) or part.function != function:
            return None
        if part not in found:
            (inner,) = parts(part)
            stem = inner.name if isinstance(inner, Symbol) else line.name if part == line.tree else ""
            own = (f"{stem}_{function}", f"{stem}_then") if stem else ()
            more = (f"{function}_{i}" for i in range(1, MAX_LENGTH))
            found[part] = _free((*own, *more), {*taken, *found.values()})
        return part

    for line in lines:
        replace(line.tree, change)
    return found


def reads(lines: tuple[Line, ...], *names: str) -> set[str]:
    """All names that some names depend on, through any number of lines.

    Example:
        >>> program = read_lines("b = 2*a; c = b + 1", {"a": "step"}, "c")
        >>> sorted(reads(program.lines, "c"))
        ['a', 'b', 'c']
    """
    wanted = set(names)
    for line in reversed(lines):
        if line.name in wanted:
            wanted |= set(symbols(line.tree))
    return wanted
