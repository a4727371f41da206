"""The derivative of a formula: the chain rule over the table of functions, in the same language.

A factor that is 0 as written takes its term away. `where`, `max`, `min` have the derivative of the side
that they take, whatever the other one is; a condition has none.
"""

from collections import Counter
from collections.abc import Iterator
from functools import lru_cache

from glassgrad.errors import FormulaError
from glassgrad.formula.functions import AGGREGATES, FUNCTIONS
from glassgrad.formula.parser import parse
from glassgrad.formula.simplify import ONE, ZERO, add, choose, multiply, power
from glassgrad.formula.tree import Apply, Number, Symbol, Tree, substitute, symbols


def derivative(tree: Tree, name: str) -> Tree:
    """d tree / d name.

    Raises:
        FormulaError: an aggregate reads the name: its derivative is no formula of one sample.

    Example:
        >>> from glassgrad.formula.text import show
        >>> show(derivative(parse("(o - t)**2"), "o")), show(derivative(parse("-stop(reward)*log(o)"), "o"))
        ('2*(o - t)', '-stop(reward)/o')
    """
    match tree:
        case Number():
            return ZERO
        case Symbol(own):
            return ONE if own == name else ZERO
        case Apply("+", terms):
            return add(derivative(term, name) for term in terms if name in symbols(term))
        case Apply("*", factors):
            return add(_product_rule(factors, name))
        case Apply("where", (condition, then, otherwise)):
            return choose(condition, derivative(then, name), derivative(otherwise, name))
        case Apply("max" | "min" as side, (a, b)):
            comparison = Apply(">=" if side == "max" else "<=", (a, b))
            return choose(comparison, derivative(a, name), derivative(b, name))
        case Apply("**", (base, Number(exponent))):
            return multiply((Number(exponent), power(base, Number(exponent - 1)), derivative(base, name)))
        case Apply(function, arguments):
            if len(arguments) == 1 and function in AGGREGATES:
                if name not in symbols(tree):
                    return ZERO
                raise FormulaError("formula.aggregate_derivative", name=function)
            return add(_chain_rule(function, arguments, name))


def _product_rule(factors: tuple[Tree, ...], name: str) -> Iterator[Tree]:
    """f*g*f: 2 f' g f + f g' f; equal factors give equal terms, taken once, times their count."""
    for factor, count in Counter(factors).items():
        inner = derivative(factor, name)
        if inner != ZERO:
            at = factors.index(factor)
            yield multiply((Number(float(count)), *factors[:at], inner, *factors[at + 1 :]))


def _chain_rule(function: str, arguments: tuple[Tree, ...], name: str) -> Iterator[Tree]:
    """Σ over the arguments of f'(argument) * argument'."""
    for i, argument in enumerate(arguments):
        inner = derivative(argument, name)
        if inner != ZERO:
            yield multiply((local_derivative(function, i, arguments), inner))


def local_derivative(function: str, index: int, arguments: tuple[Tree, ...]) -> Tree:
    """The table's derivative of a function in its argument `index`, at these arguments."""
    return substitute(_derivative_row(function, index), dict(zip("ab", arguments, strict=False)))


@lru_cache
def _derivative_row(function: str, index: int) -> Tree:
    return parse(FUNCTIONS[function].derivatives[index], ("a", "b"))
