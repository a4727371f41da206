"""What arrives at the output under an estimator: -dL/dv for each v that decides the answer, from its objective."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from dataclasses import replace as replace_fields

from glassgrad.errors import FormulaError
from glassgrad.formula.adjoint import adjoints
from glassgrad.formula.evaluate import evaluate, is_aggregate
from glassgrad.formula.functions import GROUPED, Array
from glassgrad.formula.lines import Level, Line, read_lines, reads, split_lines
from glassgrad.formula.parser import parse
from glassgrad.formula.simplify import ZERO, add, multiply
from glassgrad.formula.text import show
from glassgrad.formula.tree import Apply, Number, Symbol, Tree, replace, substitute, symbols, walk
from glassgrad.method import Method
from glassgrad.rl.estimators import Estimator
from glassgrad.rl.exact import without_stop
from glassgrad.rl.situation import Situation
from glassgrad.tables.objectives import OBJECTIVES
from glassgrad.tables.row import find

MOVING = ("reward", "mirror", "e", "s")  # what a row that moves parameters may read


@dataclass(frozen=True)
class Arriving:
    """An estimator's lines, from what decides the answer to the objective and back.

    lines: in order; `do` (or `dz1`, …) among them. needed: those that have to be computed.
    values: of settings and states. formula: -dL/dv of the first variable, as a reader sees it.
    written: a choice among many outputs, as its lines are written, which is shorter than one formula.
    """

    lines: tuple[Line, ...]
    needed: tuple[Line, ...]
    values: Mapping[str, Array] = field(default_factory=dict)
    formula: str = ""
    written: tuple[str, ...] = ()

    @property
    def asks_reward(self) -> bool:
        """Whether the number of a reward is needed."""
        return any(line.name == "reward" for line in self.needed)

    @property
    def reads_others(self) -> bool:
        """Whether samples read each other, by mean(…) or its like."""
        return any(is_aggregate(part) for line in self.needed for part in walk(line.tree))

    @property
    def reads_groups(self) -> bool:
        """Whether answers to one question read each other."""
        every = (part for line in self.needed for part in walk(line.tree))
        return any(isinstance(part, Apply) and part.function in GROUPED for part in every)

    @property
    def asks_slope(self) -> bool:
        """Whether the derivative of the reward's formula is needed."""
        return any(line.name == "dreward" for line in self.needed)


def arriving(estimator: Estimator, situation: Situation) -> Arriving | None:
    """The lines of an estimator; None where it reads what there is not, as `sigma` for a choice.

    Raises:
        FormulaError: a user's own objective cannot be read.
    """
    if estimator.moves:
        return Arriving((), (), formula=estimator.objective)
    if estimator.normal and situation.chance != "noise":
        return None
    objective, numbers = _objective(estimator)
    policy = _through(situation.policy) if estimator.through else situation.policy
    before = (*policy, Line("reward", situation.reward, "sample"))
    given = (*situation.variables, *situation.values, situation.chance, "expected", *(line.name for line in before))
    levels: dict[str, Level] = {**dict.fromkeys(numbers, "step"), **dict.fromkeys(given, "sample")}
    try:
        program = read_lines(objective, levels, "objective")
    except FormulaError as error:
        if estimator.source:  # a row of the table: it is not for this situation
            return None
        raise error.within("objective") from None
    states = {name: evaluate(tree, {}) for name, tree in program.states.items()}
    lines = (*before, *program.lines)
    back = adjoints(lines, "objective", dict.fromkeys(situation.variables, "sample"))
    own = {line.partition("=")[0].strip() for line in split_lines(objective)[:-1]}
    return _arriving(lines, back, {**numbers, **states}, situation, own)


def of_run(of: Method, states: Mapping[str, float], step: int, situation: Situation) -> Arriving:
    """The lines of a run's own objective, with its states as they are at a step."""
    found = _arriving(of.program.lines, of.backward, {**of.numbers, **states, "step": float(step)}, situation)
    if situation.chance == "noise" or not re.search(r"\bo2\b", found.formula):  # it stands alone
        return found
    written = tuple(Line(name, tree, "sample") for name, tree in of.written)
    used = [f"{line.name} = {show(line.tree)}" for line in written if line.name in reads(written, "objective")]
    return replace_fields(found, formula="; ".join(used), written=tuple(used))


def _arriving(
    lines: tuple[Line, ...],
    back: tuple[Line, ...],
    values: Mapping[str, Array],
    situation: Situation,
    kept: Collection[str] = (),
) -> Arriving:
    every = (*lines, *back)
    wanted = set().union(*(reads(every, f"d{name}") for name in situation.variables))
    there = {line.name for line in back}
    needed = tuple(line for line in every if line.name in wanted and (line in lines or line.name in there))
    if not any(f"d{name}" in there for name in situation.variables):
        needed = ()
    return Arriving(every, needed, values, _shown(every, situation, kept))


def _objective(estimator: Estimator) -> tuple[str, Mapping[str, float]]:
    """An estimator's objective as lines, with the settings of a row of the table of objectives."""
    row = None if estimator.source else find("objective", OBJECTIVES, estimator.objective)
    return (row.formula, row.numbers) if row else (estimator.objective, {})


def _through(policy: tuple[Line, ...]) -> tuple[Line, ...]:
    """A policy's lines with nothing stopped: the derivative passes through the answer."""
    return tuple(Line(line.name, without_stop(line.tree), line.level) for line in policy)


def _shown(lines: tuple[Line, ...], situation: Situation, kept: Collection[str]) -> str:
    """-dL/dv of the first variable, with all put in but the answer, the reward, and of a choice the score dlogp/dv.

    kept: more names that are not put in: those that an objective has given itself.
    """
    normal = situation.chance == "noise"
    kept = {"a", "reward", *kept, *situation.variables, *({"o", "sigma"} if normal else ())}
    known = {line.name: line.tree for line in lines if line.name not in kept}
    tree = known.get(f"d{next(iter(situation.variables))}", ZERO)
    if not normal and "dlogp" in known:
        tree = multiply((known["dlogp"], Symbol("score")))
    while inner := {name: known[name] for name in symbols(tree) if name in known}:
        tree = joined(substitute(tree, dict(inner)))
    tree = joined(multiply((Number(-1.0), without_stop(tree))))
    return show(substitute(tree, {"o": Symbol("mu")}) if "sigma" in situation.variables else tree)


def joined(tree: Tree) -> Tree:
    """A formula with its sums, products and quotients put together."""

    def change(part: Tree) -> Tree | None:
        if not isinstance(part, Apply) or part.function not in ("+", "*", "/", "neg"):
            return None
        inner = tuple(map(joined, part.arguments))
        return add(inner) if part.function == "+" else multiply((Apply(part.function, inner),))

    return replace(tree, change)


def moving_formula(estimator: Estimator) -> Tree:
    """The estimate of a row that moves parameters."""
    return parse(estimator.objective, MOVING)


__all__ = ["Arriving", "arriving", "joined", "moving_formula", "of_run"]
