"""From a formula to the source of a kernel: one scalar expression, in which every number is an argument."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from glassgrad.formula.evaluate import is_aggregate
from glassgrad.formula.functions import CONSTANTS
from glassgrad.formula.tree import Apply, Number, Symbol, Tree, symbols

_CALLS = {"exp": "exp", "log": "log", "sqrt": "sqrt", "tanh": "tanh", "sigmoid": "sigmoid", "softplus": "softplus",
          "relu": "relu", "sign": "sign", "round": "rint", "sin": "sin", "cos": "cos", "erf": "erf", "abs": "abs",
          "max": "larger", "min": "smaller"}  # fmt: skip
_COMPARING = ("<", "<=", ">", ">=", "==", "!=")
_POWERS = {2.0: "square({})", 3.0: "cube({})", 0.5: "sqrt({})", -1.0: "(F(1) / {})"}
SMALL = 16  # whole numbers up to this are written out


class Unsupported(Exception):
    """A formula that this engine cannot run; `what` names it."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


@dataclass
class Constants:
    """What is the same for a whole step: formulas of settings and the step number, each computed once a step.

    An expression `H[i]` in a kernel stands for the i-th of `trees`.
    """

    settings: frozenset[str]
    trees: list[Tree] = field(default_factory=list)

    def place(self, tree: Tree) -> str:
        """Where a constant is kept."""
        if tree not in self.trees:
            self.trees.append(tree)
        return f"H[{self.trees.index(tree)}]"

    def holds(self, tree: Tree) -> bool:
        """Whether a formula is such a constant."""
        return not _aggregated(tree) and set(symbols(tree)) <= self.settings | set(CONSTANTS)


def _aggregated(tree: Tree) -> bool:
    return is_aggregate(tree) or (isinstance(tree, Apply) and any(_aggregated(part) for part in tree.arguments))


def emit(tree: Tree, names: Mapping[str, str], constants: Constants) -> str:
    """A formula as an expression of the kernel.

    names: what each symbol is called there. constants: receives what is the same for the whole step.

    Raises:
        Unsupported: the formula has a part that this engine cannot run.

    Example:
        >>> from glassgrad.formula.parser import parse
        >>> emit(parse("2*(o - t)"), {"o": "o", "t": "t"}, Constants(frozenset()))
        '(F(2) * (o - t))'
    """
    if isinstance(tree, Number) and tree.value.is_integer() and abs(tree.value) <= SMALL:
        return f"F({int(tree.value)})"
    if constants.holds(tree):
        return constants.place(tree)
    match tree:
        case Symbol(name):
            return names[name]
        case Apply(name, arguments):
            return _apply(name, arguments, lambda part: emit(part, names, constants))
    raise Unsupported(str(tree))


def _apply(name: str, arguments: tuple[Tree, ...], inner: Callable[[Tree], str]) -> str:
    match name:
        case "+":
            return "(" + inner(arguments[0]) + "".join(_term(part, inner) for part in arguments[1:]) + ")"
        case "*" | "/":
            return "(" + f" {name} ".join(map(inner, arguments)) + ")"
        case "neg":
            return f"(-{inner(arguments[0])})"
        case "stop" | "old":
            return inner(arguments[0])
        case "where":
            condition, then, otherwise = arguments
            return f"({inner(then)} if {inner(condition)} else {inner(otherwise)})"
        case "**":
            return _power(arguments, inner)
    if name in _COMPARING:
        return f"{inner(arguments[0])} {name} {inner(arguments[1])}"
    if name in _CALLS and not (name in ("max", "min") and len(arguments) == 1):
        return f"{_CALLS[name]}({', '.join(map(inner, arguments))})"
    raise Unsupported(f"{name}()")


def _term(part: Tree, inner: Callable[[Tree], str]) -> str:
    if isinstance(part, Apply) and part.function == "neg":
        return f" - {inner(part.arguments[0])}"
    return f" + {inner(part)}"


def _power(arguments: tuple[Tree, ...], inner: Callable[[Tree], str]) -> str:
    base, exponent = arguments
    if isinstance(exponent, Number) and exponent.value in _POWERS:
        return _POWERS[exponent.value].format(inner(base))
    return f"power({inner(base)}, {inner(exponent)})"


def emit_constant(tree: Tree) -> str:
    """A constant as an expression in double precision; settings are `N["…"]`, by place."""
    match tree:
        case Number(value):
            return repr(value)
        case Symbol(name):
            return f"c_{name}"
        case Apply(name, arguments):
            return _in_doubles(name, [emit_constant(part) for part in arguments])


def _in_doubles(name: str, parts: list[str]) -> str:
    if name in ("+", "*", "/", "**"):
        return "(" + f" {name} ".join(parts) + ")"
    if name == "neg":
        return f"(-{parts[0]})"
    if name in ("stop", "old"):
        return parts[0]
    if name == "where":
        return f"({parts[1]} if {parts[0]} else {parts[2]})"
    if name in _COMPARING:
        return f"{parts[0]} {name} {parts[1]}"
    plain = {"exp": "math.exp", "log": "math.log", "sqrt": "math.sqrt", "tanh": "math.tanh", "sin": "math.sin",
             "cos": "math.cos", "erf": "math.erf", "abs": "abs", "round": "np.rint", "max": "max", "min": "min",
             }  # fmt: skip
    if name in plain:
        return f"{plain[name]}({', '.join(parts)})"
    return f"float({_CALLS[name]}(F({parts[0]})))"
