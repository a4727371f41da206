"""Sums, products and quotients built simple: no zeros and ones, numbers multiplied out, signs first.

Only derivatives are built with these: a formula that a user wrote stays as it was written. A step that
would leave the range of floating-point numbers is not taken.
"""

import math
from collections.abc import Iterable

from glassgrad.formula.tree import Apply, Number, Tree, chain, negative

ZERO, ONE = Number(0.0), Number(1.0)


def add(terms: Iterable[Tree]) -> Tree:
    """The sum, without its zeros, like terms taken together.

    Example:
        >>> from glassgrad.formula.tree import Symbol
        >>> add((ZERO, Symbol("x"), Number(2.0), Symbol("x"))).arguments[1]
        Number(value=2.0)
        >>> add((Number(1.0), Number(2.0)))
        Number(value=3.0)
    """
    flat = [part for term in terms for part in _terms(term) if part != ZERO]
    kept = _collected(flat)
    return chain("+", tuple(kept)) if kept else ZERO


def _terms(tree: Tree) -> tuple[Tree, ...]:
    return tree.arguments if isinstance(tree, Apply) and tree.function == "+" else (tree,)


def _collected(terms: list[Tree]) -> list[Tree]:
    """Like terms as one: 2*x + y + 3*x is 5*x + y. Terms that are like no other stay as they are."""
    alike: dict[tuple[tuple[Tree, ...], tuple[Tree, ...]], list[tuple[float, Tree]]] = {}
    for term in terms:
        number, above, below = _split(term)
        alike.setdefault((tuple(above), tuple(below)), []).append((number, term))
    kept: list[Tree] = []
    for (over, under), members in alike.items():
        number = sum(coefficient for coefficient, _ in members)
        if len(members) == 1 or not math.isfinite(number):
            kept += [term for _, term in members]
        elif number != 0:
            kept.append(_joined(number, list(over), list(under)))
    return kept


def multiply(factors: Iterable[Tree]) -> Tree:
    """The product: one number in front, its sign before it, quotients joined, 0 if any factor is 0.

    Example:
        >>> multiply((Number(-0.5), Number(2.0), ONE))
        Number(value=-1.0)
    """
    kept = tuple(factor for factor in factors if factor != ONE)
    if not kept:
        return ONE
    whole = Apply("*", kept)
    number, above, below = _split(whole)
    return chain("*", kept) if above == [whole] else _joined(number, above, below)


def power(base: Tree, exponent: Tree) -> Tree:
    """base**exponent; base**1 is base, base**0 is 1."""
    if exponent == ONE:
        return base
    return ONE if exponent == ZERO else Apply("**", (base, exponent))


def choose(condition: Tree, then: Tree, otherwise: Tree) -> Tree:
    """where(condition, then, otherwise), or the one side if both are the same."""
    return then if then == otherwise else Apply("where", (condition, then, otherwise))


def _split(tree: Tree) -> tuple[float, list[Tree], list[Tree]]:
    """A tree as number * product(above) / product(below)."""
    match tree:
        case Number(value):
            return value, [], []
        case Apply("neg", (part,)):
            number, above, below = _split(part)
            return -number, above, below
        case Apply("*", factors):
            pieces = [_split(factor) for factor in factors]
            number = math.prod(piece[0] for piece in pieces)
            if not _in_range(number, [piece[0] for piece in pieces]):
                return 1.0, [tree], []
            return (
                number,
                [f for piece in pieces for f in piece[1]],
                [f for piece in pieces for f in piece[2]],
            )
        case Apply("/", (over, under)):
            number, above, below = _split(over)
            divisor, more_below, more_above = _split(under)
            if divisor == 0 or not _exact_quotient(number, divisor):
                return number, above, [*below, under]
            return number / divisor, above + more_above, below + more_below
    return 1.0, [tree], []


def _in_range(number: float, factors: list[float]) -> bool:
    """Whether a product of numbers has neither overflowed nor vanished."""
    return math.isfinite(number) and (number != 0 or 0 in factors)


def _exact_quotient(number: float, divisor: float) -> bool:
    """Whether number / divisor may stand in front: if it is short, as 2/2 and 1/4 are and 1/3 is not."""
    quotient = number / divisor
    return math.isfinite(quotient) and float(f"{quotient:.6g}") == quotient and quotient * divisor == number


def _joined(number: float, above: list[Tree], below: list[Tree]) -> Tree:
    if number == 0:
        return ZERO
    if not above:
        top: Tree = Number(number)
    elif number == -1:
        top = chain("*", (negative(above[0]), *above[1:]))
    else:
        top = chain("*", tuple(above) if number == 1 else (Number(number), *above))
    return Apply("/", (top, chain("*", tuple(below)))) if below else top
