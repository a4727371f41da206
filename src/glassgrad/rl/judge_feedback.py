"""What reaches the output in one question, as lines: the experiment's own, and the same with its reward exchanged.

A reward can be boxed (its number stays, no derivative passes), tabled (its numbers are given, nothing is computed), or
shifted by a constant. The update is -dL/do, the way in which a step of gradient descent moves the output.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from glassgrad.draws import Floats
from glassgrad.formula.adjoint import adjoints
from glassgrad.formula.derivative import derivative
from glassgrad.formula.evaluate import evaluate, is_aggregate
from glassgrad.formula.functions import Array
from glassgrad.formula.lines import Line, reads
from glassgrad.formula.simplify import ZERO, add, multiply
from glassgrad.formula.tree import Apply, Number, Symbol, Tree, symbols, walk
from glassgrad.method import Method
from glassgrad.rl.exact import without_stop
from glassgrad.rl.grouped import Grouped
from glassgrad.rl.situation import inlined

CHANCE = ("noise", "uniform")
REWARD = "reward"
Known = dict[str, Array]
Exchanged = Literal["as it is", "boxed", "tabled"]


@dataclass(frozen=True)
class Feedback:
    """The lines from the output to the objective, and back.

    of: the method. lines, back: forth and back. values: what they read and nothing draws: settings, question, truth.
    """

    of: Method
    lines: tuple[Line, ...]
    back: tuple[Line, ...]
    values: Mapping[str, float]

    @property
    def every(self) -> tuple[Line, ...]:
        """All lines, in their order."""
        return (*self.lines, *self.back)

    @cached_property
    def moved(self) -> bool:
        """Whether anything arrives at the output."""
        return any(line.name == "do" for line in self.back)

    @cached_property
    def needed(self) -> tuple[Line, ...]:
        """The lines that the update reads, and those that the states need for the next step."""
        wanted = {"do"} | {self.of.program.latest[name] for name in self.of.program.states}
        for name in tuple(wanted):
            wanted |= reads(self.every, name)
        return tuple(line for line in self.every if line.name in wanted)

    @cached_property
    def update(self) -> Tree:
        """-dL/do of one sample, with all lines put in."""
        return multiply((Number(-1.0), inlined(self.every, "do"))) if self.moved else ZERO

    @cached_property
    def chance(self) -> tuple[str, ...]:
        """What the update reads of chance."""
        return tuple(name for name in CHANCE if name in symbols(self.update))

    @property
    def coupled(self) -> bool:
        """Whether samples read each other, by mean(…) or its like."""
        return any(is_aggregate(part) for part in walk(self.update))

    def run(self, o: Floats, draws: Mapping[str, Floats], more: Mapping[str, Array] | None = None) -> Known:
        """All names: o (rows, 1), draws (rows or 1, answers); samples of a row are one batch.

        more: states (rows, 1), a table of rewards (rows, answers).
        """
        shape = np.broadcast_shapes(o.shape, *(draw.shape for draw in draws.values()))
        known: Known = {**self.values, **self.starts, "o": o, **draws, **(more or {})}
        backend = Grouped(shape, (1,))
        for line in self.needed:
            if line.name not in (more or {}):
                known[line.name] = evaluate(line.tree, known, backend)
        return known

    def updates(self, o: Floats, draws: Mapping[str, Floats], more: Mapping[str, Array] | None = None) -> Floats:
        """-dL/do of each answer (rows, answers)."""
        shape = np.broadcast_shapes(o.shape, *(draw.shape for draw in draws.values()))
        found = self.run(o, draws, more)["do"] if self.moved else 0.0
        return np.array(np.broadcast_to(-np.asarray(found, np.float64), shape))

    @cached_property
    def starts(self) -> dict[str, float]:
        """The states before the first step."""
        return {name: float(evaluate(tree, {})) for name, tree in self.of.program.states.items()}


def feedback(
    of: Method, question: Floats, *, reward: Exchanged = "as it is", shift: float = 0.0, moved: float = 0.0
) -> Feedback:
    """The feedback of a method in one question.

    reward: as it is, boxed, or tabled (then the numbers of `reward` have to be given). shift: what is added to it.
    moved: what is added to the truth.

    Example:
        >>> from glassgrad.method import method
        >>> from glassgrad.tables.experiments import shipped
        >>> found = feedback(method(shipped("knob")), np.array([1.0]))
        >>> found.updates(np.array([[0.5]]), {})
        array([[-1.]])
    """
    lines = tuple(_exchanged(line, reward, shift) for line in of.program.lines)
    if reward == "tabled":
        lines = tuple(line for line in lines if line.name != REWARD)
    values = {name: float(value) for name, value in of.numbers.items()}
    values |= {name: float(x) for name, x in zip(of.task.names, question, strict=True)}
    values |= {"t": float(of.task.true(question[None])[0]) + moved, "step": 1.0}
    return Feedback(of, lines, adjoints(lines, "objective", {"o": "sample"}), values)


def _exchanged(line: Line, reward: Exchanged, shift: float) -> Line:
    if line.name != REWARD:
        return line
    tree = add((line.tree, Number(shift))) if shift else line.tree
    return Line(REWARD, Apply("stop", (tree,)) if reward == "boxed" else tree, line.level)


def weight(of: Feedback) -> Tree:
    """How the update of one answer changes with the number of its own reward: d(-dL/do)/dreward; of a tabled reward."""
    kept = frozenset({REWARD, *(line.name for line in of.lines if is_aggregate(line.tree))})
    return derivative(without_stop(inlined(of.every, "do", keep=kept)), REWARD) if of.moved else ZERO


def steps_back(of: Feedback) -> Tree:
    """dreward/do: what the derivative of the reward's formula sees of the output; 0 where it is cut off."""
    lines = of.lines[: 1 + next(i for i, line in enumerate(of.lines) if line.name == REWARD)]
    back = adjoints(lines, REWARD, {"o": "sample"})
    return inlined((*lines, *back), "do") if any(line.name == "do" for line in back) else ZERO


def reads_log_of_output(of: Feedback) -> bool:
    """Whether the logarithm of the output itself stands in what the update reads."""
    logs = Apply("log", (Symbol("o"),))
    names = {line.name for line in of.needed} | {"objective"}
    return any(part == logs for line in of.lines if line.name in names for part in walk(line.tree))


__all__ = ["CHANCE", "REWARD", "Feedback", "feedback", "reads_log_of_output", "steps_back", "weight"]
