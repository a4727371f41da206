"""From a formula to instructions: its value on vectors, in which every number that may be changed is an argument."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from llvmlite import ir

from glassgrad.engines.compiled.arithmetic import FUNCTIONS, POWERS
from glassgrad.engines.compiled.vector import INDEX, Code, Vector
from glassgrad.formula.evaluate import is_aggregate
from glassgrad.formula.functions import CONSTANTS, GROUPED
from glassgrad.formula.tree import Apply, Number, Symbol, Tree, symbols, walk

COMPARING = ("<", "<=", ">", ">=", "==", "!=")
SMALL = 16  # whole numbers up to this are written out


class Unsupported(Exception):
    """A formula that this engine cannot run; `what` names it. most: more learned numbers than it can have with that."""

    def __init__(self, what: str, most: int | None = None) -> None:
        super().__init__(what)
        self.what, self.most = what, most


@dataclass
class Constants:
    """What is the same for a whole step: formulas of settings and the step number, each computed once a step.

    The kernel finds the value of the i-th of `trees` at place i of an array.
    """

    settings: frozenset[str]
    trees: list[Tree] = field(default_factory=list)

    def place(self, tree: Tree) -> int:
        """Where a constant is kept."""
        if tree not in self.trees:
            self.trees.append(tree)
        return self.trees.index(tree)

    def holds(self, tree: Tree) -> bool:
        """Whether a formula is such a constant."""
        return not any(map(is_aggregate, walk(tree))) and set(symbols(tree)) <= self.settings | set(CONSTANTS)


@dataclass(frozen=True)
class Emitter:
    """Writes formulas into a function.

    array, first: where the constants are. Called with a formula and the value of each symbol.
    """

    code: Code
    constants: Constants
    array: str = "H"
    first: Any = None

    def __call__(self, tree: Tree, names: Mapping[str, Vector]) -> Vector:
        """The value of a formula.

        Raises:
            Unsupported: the formula has a part that this engine cannot run.
        """
        if isinstance(tree, Number) and tree.value.is_integer() and abs(tree.value) <= SMALL:
            return self.code.number(tree.value, 1)
        if self.constants.holds(tree):
            return self.code.load(self.code[self.array], self.place(tree), 1)
        match tree:
            case Symbol(name):
                return names[name]
            case Apply(name, arguments):
                return self._apply(name, arguments, names)
        raise Unsupported(str(tree))

    def place(self, tree: Tree) -> Any:
        """Where a constant is."""
        found = self.constants.place(tree)
        return found if self.first is None else self.code.at.add(self.first, ir.Constant(INDEX, found))

    def _apply(self, name: str, arguments: tuple[Tree, ...], names: Mapping[str, Vector]) -> Vector:
        if name == "where":
            return self._where(arguments, names)
        if name == "**" and isinstance(arguments[1], Number) and arguments[1].value in POWERS:
            return POWERS[arguments[1].value](self(arguments[0], names))
        if name in ("max", "min") and len(arguments) == 1:
            raise Unsupported(f"{name}()")
        if name == "/" and self.constants.holds(arguments[1]):  # a reciprocal once a step
            return self(arguments[0], names) * self(Apply("/", (Number(1.0), arguments[1])), names)
        if (
            name in GROUPED
        ):  # left over where each answers alone, without chance: all answers to a question are the same
            alone = self(arguments[0], names)
            return alone.like(0) if name == "group_std" else alone
        first, *rest = (self(argument, names) for argument in arguments)
        match name:
            case "+" | "*" | "/":
                for other in rest:
                    first = first + other if name == "+" else first * other if name == "*" else first / other
                return first
            case "neg":
                return -first
            case "stop" | "old":
                return first
        if name not in FUNCTIONS:
            raise Unsupported(f"{name}()")
        return FUNCTIONS[name](first, *rest)

    def _where(self, arguments: tuple[Tree, ...], names: Mapping[str, Vector]) -> Vector:
        condition, then, otherwise = arguments
        assert isinstance(condition, Apply)
        left, right = (self(part, names) for part in condition.arguments)
        holds = left.compare(condition.function, right, ordered=condition.function != "!=")
        return self(then, names).where(holds, self(otherwise, names))
