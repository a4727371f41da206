"""A method as a value: formulas in place, lines in order, and what follows from them without more reading."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import count

from glassgrad.errors import ExperimentError
from glassgrad.formula.evaluate import is_aggregate
from glassgrad.formula.functions import GROUPED
from glassgrad.formula.lines import Level, Line, Program, level_of, named_parts
from glassgrad.formula.outputs import INDEX, NOISE
from glassgrad.formula.tree import Apply, Symbol, Tree, parts, substitute, walk
from glassgrad.formula.tree import replace as replace_parts
from glassgrad.locale import Text
from glassgrad.network import Network
from glassgrad.tables.row import Row
from glassgrad.task import Task

TRIED = "tried"
"""What a policy calls the perturbed weights: a sample is answered by them."""

CONSTANT = Symbol("lr")
"""The schedule that changes nothing."""

Written = tuple[tuple[str, Tree], ...]


@dataclass(frozen=True)
class Formula:
    """One formula in place: its row, its tree, its numbers, and (of an activation) the numbers that it learns.

    fixed: settings that stand in the tree as plain numbers.
    """

    row: Row
    tree: Tree
    learned: Mapping[str, float] = field(default_factory=dict)
    fixed: tuple[str, ...] = ()

    def in_layer(self, layer: int) -> Tree:
        """The formula with its learned numbers called by the layer's names: p becomes p1."""
        return substitute(self.tree, {name: Symbol(f"{name}{layer}") for name in self.learned})

    @property
    def numbers(self) -> Mapping[str, float]:
        return {name: value for name, value in self.row.numbers.items() if name not in self.fixed}


@dataclass(frozen=True)
class Method:
    """An experiment's formulas, ready to be run, differentiated and shown.

    task, network: what is asked, and the names of the network's numbers.
    activation, output_activation: formulas in z. regulariser: a formula in w, or None.
    program: the lines from the output o to `objective`: policy, reward, objective.
    written: the same, one line for all outputs.
    pieces: the rows that the program was made of. numbers: the values of all their settings.
    optimizer: its row, with the schedule as one of its lines, and these lines from w, g to w_new.
    schedule: the learning rate as a formula in lr, step and steps.
    backward: the chain rule's lines from `objective` back to o; empty if nothing leads there.
    observed: whether the reward is only seen as a number, never differentiated.
    notes: what is worth a warning.
    olds: where several updates are made from the same data, each old(…) of the program and what its value is called:
        from the second update on it is given. With one update each, old(…) is stop(…), and there are none.
    tried: where the policy perturbs the weights, by weight the line for what is tried in its place.
    """

    task: Task
    network: Network
    activation: Formula
    output_activation: Formula
    program: Program
    written: Written
    pieces: Mapping[str, Row]
    numbers: Mapping[str, float]
    backward: tuple[Line, ...]
    observed: bool
    regulariser: Formula | None
    optimizer: Row
    schedule: Formula
    optimizer_program: Program
    notes: tuple[Text, ...]
    olds: Mapping[Tree, str] = field(default_factory=dict)
    tried: Mapping[str, str] = field(default_factory=dict)

    @property
    def in_groups(self) -> bool:
        """Whether a line reads the answers to one question."""
        return grouped(self.program) is not None

    @property
    def at_once(self) -> "Method":
        """The same with one line for all outputs (or weights), as written, of the level `output`; itself without such.

        An observed reward that is a sum over the outputs, say, becomes two lines: no line before it is only observed.
        """
        if not self.program.each:
            return self
        levels, found = dict(self.given), list[Line]()
        taken = {*levels, *self.numbers, *self.program.states, *(name for name, _ in self.written)}
        for name, tree in self.written:
            levels[name] = level_of(tree, levels)
            if name == "reward" and self.observed and is_aggregate(tree) and levels[name] == "sample":
                own = next(own for i in count(1) if (own := f"reward_{i}") not in taken)
                found.append(Line(own, tree, "sample"))
                tree = Symbol(own)
            found.append(Line(name, tree, levels[name]))
        lines = tuple(found)
        olds = named_parts(lines, "old", (*taken, *(line.name for line in lines))) if self.olds else {}
        return replace(self, program=replace(self.program, lines=lines), olds=olds)

    @property
    def given(self) -> dict[str, Level]:
        """The levels of what the lines read."""
        each = ("w", NOISE) if self.tried else ("o", INDEX) if len(self.outputs) > 1 else ()
        several: dict[str, Level] = dict.fromkeys(each, "output")
        return {**given_names(self.task, self.outputs), **several}

    @property
    def collected(self) -> tuple[Line, ...]:
        """What is worked out when data is collected: the program's lines, then the value of each old(…)."""
        levels: dict[str, Level] = {line.name: line.level for line in self.program.lines}
        known = {**self.given, **levels}
        found = (Line(name, parts(old)[0], level_of(old, known)) for old, name in self.olds.items())
        return (*self.program.lines, *found)

    def later(self, lines: tuple[Line, ...]) -> tuple[Line, ...]:
        """Lines of the program, or back from it, in which each old(…) is given by its name."""
        if not self.olds:
            return lines
        named = {old: Symbol(name) for old, name in self.olds.items()}
        return tuple(Line(line.name, replace_parts(line.tree, named.get), line.level) for line in lines)

    @property
    def tried_name(self) -> str:
        """What the lines as they are written call the weights that are tried."""
        return self.program.latest[TRIED]

    @property
    def linear_output(self) -> bool:
        """Whether the output is the last sum itself: then o is called by that sum's name."""
        return self.output_activation.tree == Symbol("z")

    @property
    def rate(self) -> Line | None:
        """The schedule's line `lr_new = …`; None where lr stays as it is, or is the optimizer's own line."""
        scheduled = self.schedule.tree != CONSTANT and "lr" in self.optimizer.numbers
        return self.optimizer_program.lines[0] if scheduled else None

    @property
    def outputs(self) -> tuple[str, ...]:
        """What the lines of the program call the outputs: o; with several outputs o1, o2, …"""
        return output_symbols(self.network)

    @property
    def output_names(self) -> Mapping[str, str]:
        """What readers see for each: itself, or z2 (z2_1, z2_2, …) where the output is the last sum itself."""
        last = self.network.last
        return {
            name: self.network.sum_name(last, k) if self.linear_output else name for k, name in enumerate(self.outputs)
        }

    @property
    def output_name(self) -> str:
        """What readers see for the output of a network that has only one."""
        return self.output_names["o"]

    def arriving(self, output: int) -> str | None:
        """The line for what arrives at an output, do or do2; None if nothing does."""
        name = f"d{self.outputs[output]}"
        return name if any(line.name == name for line in self.backward) else None


def output_symbols(network: Network) -> tuple[str, ...]:
    """What lines call the outputs: o, or o1, o2, … if there are several."""
    return ("o",) if network.outputs == 1 else tuple(f"o{k + 1}" for k in range(network.outputs))


def given_names(task: Task, outputs: tuple[str, ...]) -> dict[str, Level]:
    """What policy, reward and objective may read."""
    names = (*task.names, "t", *outputs, "noise", "uniform")
    return {**dict.fromkeys(names, "sample"), "step": "step"}


def grouped(program: Program) -> str | None:
    """The first function that reads the answers to one question, if there is one."""
    every = (part for line in program.lines for part in walk(line.tree) if isinstance(part, Apply))
    return next((part.function for part in every if part.function in GROUPED), None)


def check_one_output(of: Method, what: str) -> None:
    """For what knows one output only.

    Raises:
        ExperimentError: the network has several.
    """
    outputs, sizes = of.network.outputs, of.network.sizes
    if outputs > 1:
        fix = "-".join(map(str, (*(size // of.network.parts for size in sizes[1:-1]), 1)))
        raise ExperimentError("experiment.several_outputs", what=what, outputs=outputs, fix=f"{sizes[0]}-{fix}")
