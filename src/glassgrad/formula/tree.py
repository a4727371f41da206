"""A formula as a value: numbers, symbols, and functions applied to formulas.

`a - b` is the sum of a and the negative of b, `a + b + c` one sum of three terms: both give the very same
number in floating point, and the tree of a long sum stays flat.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Number:
    """A constant."""

    value: float


@dataclass(frozen=True, slots=True)
class Symbol:
    """A name that stands for a number: `x1`, `o`, `baseline`."""

    name: str


@dataclass(frozen=True, slots=True)
class Apply:
    """A function of the table (`glassgrad.formula.functions`) applied to formulas."""

    function: str
    arguments: "tuple[Tree, ...]"


Tree = Number | Symbol | Apply


def chain(function: str, terms: "tuple[Tree, ...]") -> Tree:
    """The sum or product of some terms, with a leading sum or product of the same kind taken in.

    (a + b) + c and a + b + c are the same sequence of additions; a + (b + c) is not.

    Example:
        >>> chain("+", (chain("+", (Symbol("a"), Symbol("b"))), Symbol("c"))).arguments
        (Symbol(name='a'), Symbol(name='b'), Symbol(name='c'))
    """
    first = terms[0]
    if isinstance(first, Apply) and first.function == function:
        terms = first.arguments + terms[1:]
    return terms[0] if len(terms) == 1 else Apply(function, terms)


def negative(tree: Tree) -> Tree:
    """-tree; the negative of a number is a number.

    Example:
        >>> negative(Number(3.0))
        Number(value=-3.0)
    """
    return Number(-tree.value) if isinstance(tree, Number) else Apply("neg", (tree,))


def parts(tree: Tree) -> "tuple[Tree, ...]":
    """The arguments of an application; nothing for a number or a symbol."""
    return tree.arguments if isinstance(tree, Apply) else ()


def walk(tree: Tree) -> Iterator[Tree]:
    """Every part of a tree, the tree itself first."""
    left = [tree]
    while left:
        part = left.pop()
        yield part
        if isinstance(part, Apply):
            left += reversed(part.arguments)


def symbols(tree: Tree) -> tuple[str, ...]:
    """The names that a formula reads, each once, in order of appearance.

    Example:
        >>> symbols(Apply("+", (Symbol("b"), Symbol("a"), Symbol("b"))))
        ('b', 'a')
    """
    return tuple(dict.fromkeys(part.name for part in walk(tree) if isinstance(part, Symbol)))


def functions_of(tree: Tree) -> set[str]:
    """The names of all functions that a formula applies."""
    return {part.function for part in walk(tree) if isinstance(part, Apply)}


def replace(tree: Tree, change: Callable[[Tree], "Tree | None"]) -> Tree:
    """A tree with each part for which `change` gives something exchanged for that; the outermost first."""
    changed = change(tree)
    if changed is not None:
        return changed
    if not isinstance(tree, Apply):
        return tree
    arguments = tuple(replace(part, change) for part in tree.arguments)
    return chain(tree.function, arguments) if tree.function in "+*" else Apply(tree.function, arguments)


def substitute(tree: Tree, values: "Mapping[str, Tree]") -> Tree:
    """A formula with symbols exchanged for formulas.

    Example:
        >>> substitute(Symbol("a"), {"a": Symbol("z2")})
        Symbol(name='z2')
    """
    return replace(tree, lambda part: values.get(part.name) if isinstance(part, Symbol) else None)
