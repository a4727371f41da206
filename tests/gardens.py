"""Random formulas: as trees, grown from the parser's own constructors, and as text, well-formed or not."""

import random
import string

from hypothesis import strategies as st

from glassgrad.formula.functions import AGGREGATES, COMPARISONS, FUNCTIONS
from glassgrad.formula.tree import Apply, Number, Symbol, Tree, chain, negative

NAMES = ("x1", "x2", "o", "t", "a", "W1_4_x1", "sigma", "beta1", "pi")
WRITTEN = [row for row in FUNCTIONS.values() if row.name.isidentifier() and row.name not in ("neg", "where")]

numbers = st.one_of(
    st.integers(0, 20).map(float),
    st.floats(0, 1e308, allow_nan=False, allow_infinity=False),
    st.sampled_from([0.5, 1e-8, 1e15, 1e16, 1e300, 123456789.123]),
).map(Number)
leaves = st.one_of(numbers, st.sampled_from(NAMES).map(Symbol), numbers.map(negative))


def compare(name: str, left: Tree, right: Tree) -> Tree:
    return Apply(name, (left, right))


def larger(inner: st.SearchStrategy[Tree], aggregates: bool = True) -> st.SearchStrategy[Tree]:
    """One function more around formulas, as the parser would build it."""
    conditions = st.builds(compare, st.sampled_from([row.name for row in COMPARISONS]), inner, inner)
    calls = st.sampled_from(WRITTEN).flatmap(
        lambda row: st.tuples(*[inner] * row.arity).map(lambda arguments: Apply(row.name, arguments))
    )
    kinds: list[st.SearchStrategy[Tree]] = [
        st.builds(lambda a, b: chain("+", (a, b)), inner, inner),
        st.builds(lambda a, b: chain("+", (a, negative(b))), inner, inner),
        st.builds(lambda a, b: chain("*", (a, b)), inner, inner),
        st.builds(lambda a, b: Apply("/", (a, b)), inner, inner),
        st.builds(lambda a, b: Apply("**", (a, b)), inner, inner),
        st.builds(negative, inner),
        calls,
        st.builds(lambda c, a, b: Apply("where", (c, a, b)), conditions, inner, inner),
        st.builds(lambda c: Apply("where", (c, Number(1.0), Number(0.0))), conditions),
    ]
    if aggregates:
        kinds.append(st.builds(lambda name, a: Apply(name, (a,)), st.sampled_from(list(AGGREGATES)), inner))
    return st.one_of(kinds)


trees: st.SearchStrategy[Tree] = st.recursive(leaves, larger, max_leaves=25)
plain_trees: st.SearchStrategy[Tree] = st.recursive(leaves, lambda inner: larger(inner, False), max_leaves=15)

CALLS = {row.name: row.arity for row in WRITTEN} | dict.fromkeys(set(AGGREGATES) - set(FUNCTIONS), 1)


def formula_text(chance: random.Random, depth: int = 4) -> str:
    """A formula as a careless person writes it: spaces, brackets and numbers of arguments at random."""
    space = chance.choice(["", "", " ", "  ", "\n"])
    if depth == 0 or chance.random() < 0.25:
        return space + chance.choice([*NAMES, "2", "0.5", "1e-8", ".5", "3.", "1_000", "12", "0"])
    inner = [formula_text(chance, depth - 1) for _ in range(3)]
    kind = chance.random()
    if kind < 0.45:
        return f"{inner[0]}{space}{chance.choice(['+', '-', '*', '/', '**', '-', '+ -'])}{inner[1]}"
    if kind < 0.55:
        return f"{chance.choice('-+')}{space}{inner[0]}"
    if kind < 0.65:
        return f"({inner[0]}{space})"
    comparison = f"{inner[0]} {chance.choice(['<', '<=', '>', '>=', '==', '!='])} {inner[1]}"
    if kind < 0.75:
        return f"[{comparison}]"
    if kind < 0.85:
        return f"where({comparison}, {inner[2]},{inner[0]})"
    name = chance.choice(sorted(CALLS))
    count = CALLS[name] if chance.random() < 0.9 else chance.randrange(4)
    return f"{name}({', '.join(inner[:count])})"


PIECES = [
    *FUNCTIONS, *AGGREGATES, *NAMES, *"()[]{},.:;=<>!+-*/%^&|~@#'\"\\$?`_ \n\t\r", "**", "//", "==", "<=",
    ":=", "->", "lambda", "if", "else", "for", "in", "not", "and", "or", "is", "None", "True", "import",
    "yield", "await", "print", "__class__", "f'{o}'", "0x1f", "1e999", "1j", "0b1", "1__0", "007",
    "\\N{DASH}", "（", "）", "，", "＋", "α", "²", "λ", "\u3000", "\x00", "\x1b[31m", "\ufeff", "\u202e",
    "\ud800", "😀", "名", "…", "...", "9" * 400,
]  # fmt: skip


NESTS = [
    ("(", ")"), ("-", ""), ("exp(", ")"), ("[o > ", "]"), ("x1**", ""), ("o - ", ""), ("9**", ""), ("o/", ""),
    ("where(o > 0, o, ", ")"), ("o*", ""), ("+", ""), ("~", ""), ("a(", ")"),
]  # fmt: skip


def broken_text(chance: random.Random) -> str:
    """What may or may not be a formula: mutated ones, heaps of pieces, any characters, deep or long."""
    kind = chance.random()
    if kind < 0.4:
        signs = list(formula_text(chance))
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(signs) + 1)
            signs[at : at + chance.randrange(3)] = [chance.choice([*PIECES, *string.printable])]
        return "".join(signs)
    if kind < 0.7:
        return chance.choice(["", " "]).join(chance.choice(PIECES) for _ in range(chance.randint(0, 15)))
    if kind < 0.9:
        return "".join(chr(chance.randrange(32, chance.choice([127, 127, 0x3000, 0x110000]))) for _ in range(12))
    unit, tail = chance.choice(NESTS)
    count = chance.choice([5, 30, 49, 50, 51, 300, 700])
    return unit * count + "o" + tail * chance.choice([count, count, 0])
