"""What an answer earns: a row of the table of rewards, or a user's own formula."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from glassgrad.draws import Floats
from glassgrad.errors import FormulaError
from glassgrad.formula.evaluate import evaluate, is_aggregate
from glassgrad.formula.lines import Level, Program, read_lines
from glassgrad.formula.tree import Apply, walk
from glassgrad.tables.rewards import REWARDS
from glassgrad.tables.row import Row, find


@dataclass(frozen=True)
class Reward:
    """A reward's row, and its lines, the last of which assigns `reward`."""

    row: Row
    program: Program

    def of(self, answer: Floats, truth: Floats, inputs: Mapping[str, Floats]) -> Floats:
        """What answers a earn, given the truth t and the inputs x1, x2, …; all of shape (n,), as numbers only."""
        values = {"a": answer, "t": truth, **inputs, **self.row.numbers}
        for line in self.program.lines:
            values[line.name] = evaluate(line.tree, values)
        earned = np.asarray(values[self.program.latest["reward"]], dtype=np.float64)
        return np.array(np.broadcast_to(earned, truth.shape))


def read_reward(asked: str, inputs: tuple[str, ...]) -> Reward:
    """The reward that a text names or writes out; it may read a, t and the inputs.

    Raises:
        ExperimentError: no row has this name.
        FormulaError: it cannot be read, reads all samples (as mean(…) does), or keeps a state.

    Example:
        >>> read_reward("square", ("x1", "x2")).of(np.array([7.5]), np.array([8.0]), {})
        array([-0.25])
    """
    row = find("reward", REWARDS, asked) or Row(asked.strip(), asked.strip())
    given: dict[str, Level] = dict.fromkeys(("a", "t", *inputs), "sample")
    try:
        program = read_lines(row.formula, {**given, **dict.fromkeys(row.numbers, "step")}, "reward")
        _check_alone(program, row.formula)
    except FormulaError as error:
        raise error.within("reward") from None
    return Reward(row, program)


def _check_alone(program: Program, formula: str) -> None:
    """An answer is rewarded by itself, and by the same rule always."""
    if program.states:
        raise FormulaError("environments.state", name=next(iter(program.states)))
    for line in program.lines:
        for part in walk(line.tree):
            if isinstance(part, Apply) and is_aggregate(part):
                raise FormulaError("formula.no_aggregate", formula=formula, position=1, name=part.function)
