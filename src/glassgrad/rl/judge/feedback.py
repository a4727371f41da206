"""What reaches the output in one question, as lines: the experiment's own, and the same with its reward exchanged.

A reward can be boxed (its number stays, no derivative passes), tabled (its numbers are given, nothing is computed), or
shifted by a constant. The update is -dL/do, the way in which a step of gradient descent moves the output; of several
outputs there is one for each, and what is asked of `o` alone (update, chance, coupled) is asked of each. Where the
policy perturbs the weights, nothing arrives at the output: the lines then begin at the weights, -dL/dw is the update,
and each answer has a part in it of its own.
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
from glassgrad.steps import collecting

CHANCE = ("noise", "uniform")
REWARD = "reward"
Known = dict[str, Array]
Exchanged = Literal["as it is", "boxed", "tabled"]
Outputs = Floats | Mapping[str, Floats]
"""The values of the one output, or of several by name."""


def by_name(o: Outputs) -> Mapping[str, Floats]:
    """The values of outputs by name."""
    return o if isinstance(o, Mapping) else {"o": o}


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
    def updated(self) -> tuple[str, ...]:
        """What is moved: the outputs; or the weights, where these are perturbed."""
        return updated(self.of)

    @property
    def arriving(self) -> dict[str, str]:
        """For each output (or weight) at which something arrives, the line that says what: do of o."""
        there = {line.name for line in self.back}
        return {name: f"d{name}" for name in self.updated if f"d{name}" in there}

    @property
    def every(self) -> tuple[Line, ...]:
        """All lines, in their order."""
        return (*self.lines, *self.back)

    @cached_property
    def moved(self) -> bool:
        """Whether anything arrives at an output."""
        return bool(self.arriving)

    @cached_property
    def needed(self) -> tuple[Line, ...]:
        """The lines that the update reads, and those that the states need for the next step."""
        wanted = set(self.arriving.values()) | {self.of.program.latest[name] for name in self.of.program.states}
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
        if not self.of.tried:
            return any(is_aggregate(part) for part in walk(self.update))
        read = set().union(*(reads(self.every, name) for name in self.arriving.values()))
        return any(is_aggregate(line.tree) for line in self.every if line.name in read)

    def run(self, o: Outputs, draws: Mapping[str, Floats], more: Mapping[str, Array] | None = None) -> Known:
        """All names: o (rows, 1), or each output by its name; draws (rows or 1, answers); a row is one batch.

        more: states (rows, 1), a table of rewards (rows, answers).
        """
        shape = self.shape(o, draws)
        known: Known = {**self.values, **self.starts, **by_name(o), **draws, **(more or {})}
        backend = Grouped(shape, (1,))
        for line in self.needed:
            if line.name not in (more or {}):
                known[line.name] = evaluate(line.tree, known, backend)
        return known

    def updates(self, o: Outputs, draws: Mapping[str, Floats], more: Mapping[str, Array] | None = None) -> Floats:
        """-dL/do of each answer (rows, answers); of outputs by name (outputs, rows, answers)."""
        shape = self.shape(o, draws)
        known: Known = self.run(o, draws, more) if self.moved else {}
        found = {name: -np.asarray(known[line], np.float64) for name, line in self.arriving.items()}
        rows = [np.array(np.broadcast_to(found.get(name, 0.0), shape)) for name in self.updated]
        return np.stack(rows) if isinstance(o, Mapping) else rows[0]

    @staticmethod
    def shape(o: Outputs, draws: Mapping[str, Floats]) -> tuple[int, ...]:
        """(rows, answers)."""
        every = (*by_name(o).values(), *draws.values())
        return np.broadcast_shapes(*(part.shape for part in every))

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
    lines = tuple(_exchanged(line, reward, shift) for line in (_from_the_weights(of) if of.tried else of.program.lines))
    if reward == "tabled":
        lines = tuple(line for line in lines if line.name != REWARD)
    settings = {**of.activation.numbers, **of.output_activation.numbers} if of.tried else {}
    values = {name: float(value) for name, value in {**settings, **of.numbers}.items()}
    values |= {name: float(x) for name, x in zip(of.task.names, question, strict=True)}
    values |= {"t": float(of.task.true(question[None])[0]) + moved, "step": 1.0}
    return Feedback(of, lines, adjoints(lines, "objective", dict.fromkeys(updated(of), "sample")), values)


def updated(of: Method) -> tuple[str, ...]:
    """What the updates of a method move: its outputs; or its weights, where these are perturbed."""
    return tuple(of.tried) or of.outputs


def _from_the_weights(of: Method) -> tuple[Line, ...]:
    """What is tried in place of the weights, the network, and then the lines from the output on.

    Each sample counts as having weights of its own, so that its part in the update can be told.
    """
    forward = collecting(of)
    output = (Line("o", Symbol(of.output_name), "sample"),) if of.linear_output else ()
    known = {line.name for line in forward}
    lines = (*forward, *output, *(line for line in of.program.lines if line.name not in known))
    return tuple(line if is_aggregate(line.tree) else Line(line.name, line.tree, "sample") for line in lines)


def _exchanged(line: Line, reward: Exchanged, shift: float) -> Line:
    if line.name != REWARD:
        return line
    tree = add((line.tree, Number(shift))) if shift else line.tree
    return Line(REWARD, Apply("stop", (tree,)) if reward == "boxed" else tree, line.level)


def weights(of: Feedback, known: Mapping[str, Array]) -> dict[str, Array]:
    """How what arrives at each output changes with the number of an answer's own reward: d(dL/do)/dreward, forwards.

    known: the value of every line; of a tabled reward. What reads all samples, such as a baseline, stays as it is.
    """
    slopes: dict[str, Array] = {REWARD: 1.0}
    for line in of.every:
        if line.name == REWARD or is_aggregate(line.tree):
            continue
        tree = without_stop(line.tree)
        terms = [evaluate(derivative(tree, name), known) * slopes[name] for name in symbols(tree) if name in slopes]
        if terms:
            slopes[line.name] = np.sum(np.stack(np.broadcast_arrays(*terms)), axis=0)
    return {name: slopes[line] for name, line in of.arriving.items() if line in slopes}


def steps_back(of: Feedback) -> tuple[Tree, ...]:
    """dreward/do: what the derivative of the reward's formula sees of each output (or weight) that it reaches."""
    lines = of.lines[: 1 + next(i for i, line in enumerate(of.lines) if line.name == REWARD)]
    back = adjoints(lines, REWARD, dict.fromkeys(of.updated, "sample"))
    reached = {line.name for line in back} & {f"d{name}" for name in of.updated}
    return tuple(inlined((*lines, *back), name) for name in sorted(reached))


def reads_log_of_output(of: Feedback) -> bool:
    """Whether the logarithm of an output itself stands in what the update reads."""
    logs = [Apply("log", (Symbol(name),)) for name in of.of.outputs]
    names = {line.name for line in of.needed} | {"objective"}
    return any(part in logs for line in of.lines if line.name in names for part in walk(line.tree))


__all__ = [
    "CHANCE", "REWARD", "Exchanged", "Feedback", "Outputs", "by_name", "feedback", "reads_log_of_output",
    "steps_back", "updated", "weights",
]  # fmt: skip
