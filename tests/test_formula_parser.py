"""What is a formula, and what is said of everything else: a text makes a formula or a clear error."""

import random
from collections.abc import Callable

import numpy as np
import pytest

from gardens import broken_text, formula_text
from glassgrad.errors import FormulaError
from glassgrad.formula.derivative import derivative
from glassgrad.formula.evaluate import evaluate
from glassgrad.formula.functions import AGGREGATES
from glassgrad.formula.latex import latex
from glassgrad.formula.lines import read_lines
from glassgrad.formula.parser import MAX_DEPTH, MAX_LENGTH, parse
from glassgrad.formula.text import show
from glassgrad.formula.tree import Apply, Number, Symbol, Tree, functions_of, symbols, walk
from glassgrad.locale import set_language

A, B, C = Symbol("a"), Symbol("b"), Symbol("c")

READ: list[tuple[str, Tree]] = [
    ("2", Number(2.0)),
    (" -.5e1 ", Number(-5.0)),
    ("--2", Number(2.0)),
    ("+a", A),
    ("a - b", Apply("+", (A, Apply("neg", (B,))))),
    ("a - 2", Apply("+", (A, Number(-2.0)))),
    ("a + b - c", Apply("+", (A, B, Apply("neg", (C,))))),
    ("a - (b + c)", Apply("+", (A, Apply("neg", (Apply("+", (B, C)),))))),
    ("a*b*c", Apply("*", (A, B, C))),
    ("a*(b*c)", Apply("*", (A, Apply("*", (B, C))))),
    ("a/b/c", Apply("/", (Apply("/", (A, B)), C))),
    ("a**b**c", Apply("**", (A, Apply("**", (B, C))))),
    ("-a**2", Apply("neg", (Apply("**", (A, Number(2.0))),))),
    ("-a*b", Apply("*", (Apply("neg", (A,)), B))),
    ("2**-a", Apply("**", (Number(2.0), Apply("neg", (A,))))),
    ("[a > b]", Apply("where", (Apply(">", (A, B)), Number(1.0), Number(0.0)))),
    ("where(a <= b, a, b)", Apply("where", (Apply("<=", (A, B)), A, B))),
    ("max(a, b)", Apply("max", (A, B))),
    ("max(a)", Apply("max", (A,))),
    ("others(a)", Apply("others", (A,))),
    ("pi", Symbol("pi")),
    ("\n a +\r\n\tb ", Apply("+", (A, B))),
]


@pytest.mark.parametrize(("text", "tree"), READ)
def test_a_formula_is_read(text: str, tree: Tree) -> None:
    assert parse(text) == tree


MISTAKES: list[tuple[str, int, str]] = [
    # a text, the position of its mistake, and a part of what is said
    ("", 0, "expected a formula"),
    ("  \n", 0, "expected a formula"),
    ("2x1", 2, "a product is written 2*x1"),
    ("x1 x2", 4, "a product is written x1*x2"),
    ("2(o - t)", 2, "an operator is missing"),
    ("(o)(t)", 4, "an operator is missing"),
    ("1.2.3", 4, "an operator is missing between 1.2 and .3"),
    ("0x10", 2, "an operator is missing"),
    ("2j*o", 2, "an operator is missing"),
    ("o^2", 2, "'^' is not a sign of the language; write **"),
    ("o²", 2, "write **2"),
    ("（o)", 1, "write ("),
    ("o＋t", 2, "write +"),
    ("ｏ*t", 1, "write o"),
    ("o\u3000- t", 2, "full-width"),
    ("o − t", 3, "write -"),
    ("α*o", 1, "write alpha"),
    ("λ*o", 1, "write lam"),
    ("√o", 1, "write sqrt"),
    ("|o|", 1, "write abs(…)"),
    ("'o'", 1, "is not a character of the language"),
    ("o; t", 2, "is not a character of the language"),
    ("o % t", 3, "is not a character of the language"),
    ("o\x1b[31m", 2, "'\\x1b' is not a character"),
    ("学 + o", 1, "'\\u5b66' is not a character"),
    ("lambda*o", 1, "'lambda' is a keyword of Python and cannot stand in a formula; did you mean lam?"),
    ("o if a else b", 3, "did you mean where(a > b, …, …)?"),
    ("o and t", 3, "'and' is a keyword"),
    ("1or 2", 2, "'or' is a keyword"),
    ("import os", 1, "'import' is a keyword"),
    ("True", 1, "did you mean 1?"),
    ("o = t", 3, "write == to compare"),
    ("(o - t", 1, "never closed"),
    ("(o - t]", 7, "does not close"),
    ("o - t)", 6, "closes nothing"),
    ("o -", 3, "something is missing here"),
    ("*o", 1, "something is missing here"),
    ("exp(o,,t)", 7, "something is missing here"),
    ("o <> t", 3, "something is missing here"),
    ("007", 1, "something is missing here"),
    ("o, t", 1, "'o, t' is not part of the language"),
    ("o//t", 1, "'o//t' is not part of the language"),
    ("...", 1, "'...' is not part of the language"),
    ("()", 1, "'()' is not part of the language"),
    ("[o]", 1, "square brackets hold one comparison"),
    ("[o > t, o]", 1, "square brackets hold one comparison"),
    ("x[0]", 2, "names have no index"),
    ("o > t", 1, "[o > t] is 1 or 0"),
    ("where(o > t > 1, o, t)", 7, "one comparison at a time, not o > t > 1"),
    ("where(o, 1, 0)", 7, "needs a comparison c first, as in where(a > 0, a, 0); got o"),
    ("where(o > t, 1)", 1, "where(…) takes 3 argument(s), got 2"),
    ("exp(o, t)", 1, "exp(…) takes 1 argument(s), got 2"),
    ("exp()", 1, "exp(…) takes 1 argument(s), got 0"),
    ("max(o, t, 1)", 1, "max(…) takes 2 argument(s), got 3"),
    ("exp(a=o)", 1, "without name= and without *"),
    ("exp(*o)", 1, "without name= and without *"),
    ("exp", 1, "exp is a function and needs brackets: exp(…)"),
    ("2*mean", 3, "mean is a function"),
    ("np.exp(o)", 3, "write exp(…) alone"),
    ("o.item()", 2, "names with a dot"),
    ("ln(o)", 1, "there is no function 'ln'; did you mean log?"),
    ("pow(o, 2)", 1, "did you mean a**b?"),
    ("ReLU(o)", 1, "did you mean relu?"),
    ("sigmod(o)", 1, "did you mean sigmoid?"),
    ("clip(o, 0, 1)", 1, "did you mean min(max(…, low), high)?"),
    ("o(t)", 1, "did you mean o*(…)?"),
    ("neg(o)", 1, "there is no function 'neg'"),
    ("__import__(o)", 1, "there is no function '__import__'"),
    ("reward + q", 10, "'q' means nothing here; known are o, t, reward (`"[:38]),
    ("o + rewad", 5, "did you mean reward?"),
    ("O - t", 1, "did you mean o?"),
    ("1e999*o", 1, "this number is too large"),
    ("9" * 400, 1, "this number is too large"),
    ("o + " * 600 + "o", 0, "at most 2000 characters; this one has 2401"),
    ("(" * 51 + "o" + ")" * 51, 51, "nested 50 deep"),
    ("-" * 1990 + "o", 0, "nested 50 deep"),
    ("exp(" * 49 + "(((o)))" + ")" * 49, 198, "nested 50 deep"),
    ("o**" * 52 + "o", 0, "nested 50 deep"),
    ("o/" * 52 + "o", 0, "nested 50 deep"),
]


@pytest.mark.parametrize(("text", "position", "message"), MISTAKES)
def test_a_mistake_is_said_with_its_place(text: str, position: int, message: str) -> None:
    with pytest.raises(FormulaError) as caught:
        parse(text, ("o", "t", "reward"))
    said = str(caught.value)
    assert message in said
    if position:
        assert caught.value.position == position
    assert_readable(said)


def assert_readable(said: str) -> None:
    """One line that any terminal can print."""
    assert said.isprintable()
    assert len(said) < 800


def test_where_no_name_is_known_only_numbers_are() -> None:
    assert parse("2*pi", ()) == Apply("*", (Number(2.0), Symbol("pi")))
    with pytest.raises(FormulaError, match="only numbers can be used"):
        parse("o", ())


def test_errors_are_said_in_chinese_too() -> None:
    set_language("zh")
    try:
        with pytest.raises(FormulaError, match="没有函数“ln”；你是不是想写 log？"):
            parse("ln(o)")
    finally:
        set_language("en")


@pytest.mark.parametrize(
    "text",
    [
        "exp(" * MAX_DEPTH + "o" + ")" * MAX_DEPTH,
        "o**" * MAX_DEPTH + "o",
        "o/" * MAX_DEPTH + "o",
        "-" * MAX_DEPTH + "o",
        "o+" * (MAX_LENGTH // 2 - 1) + "o",
        "o*" * (MAX_LENGTH // 2 - 1) + "o",
        "o-2*" * (MAX_LENGTH // 4 - 1) + "o",
        "(" * MAX_DEPTH + "o" + ")" * MAX_DEPTH,
    ],
)
def test_up_to_the_bounds_everything_works(text: str) -> None:
    tree = parse(text)
    assert parse(show(tree)) == tree if len(show(tree)) <= MAX_LENGTH else True
    slope = derivative(tree, "o")
    assert latex(slope)
    assert np.shape(evaluate(slope, {"o": 0.5})) == ()


# --- bounds, counted in parts of trees rather than in seconds

TOWERS = [
    "9**9**9**9**9**9",
    "o**o**o**o**o**o",
    "**".join(["o"] * 50),
    "((((o**o)**o)**o)**o)**o",
    "(o**o)**(o**o)**(o**o)**(o**o)",
    "9**" * 49 + "9",
    "1e308**1e308**1e308",
    "(o + 9**9**9)**(9**9**o)",
]


@pytest.mark.parametrize("text", TOWERS)
def test_a_tower_of_exponents_stays_small(text: str) -> None:
    tree = parse(text)
    slope = derivative(tree, "o")
    assert size(slope) <= 10 * size(tree) ** 2
    for formula in (tree, slope):
        assert len(latex(formula)) < 20 * len(show(formula)) <= 200 * size(formula)
        assert np.shape(evaluate(formula, {"o": 1.5})) == ()


GROWTH: dict[str, Callable[[int], str]] = {
    "product": lambda n: "*".join(["o"] * n),
    "quotient": lambda n: "/".join(["o"] * min(n, 50)),
    "sum of products": lambda n: " + ".join(["o*sin(o)"] * n),
    "different factors": lambda n: "*".join(f"sin({i}*o)" for i in range(n)),
    "nested": lambda n: "tanh(o*" * min(n, 24) + "o" + ")" * min(n, 24),
    "cases": lambda n: "where(o > 1, o*o, o - " * min(n, 15) + "o" + ")" * min(n, 15),
    "maxima": lambda n: "max(o*o, " * min(n, 40) + "o" + ")" * min(n, 40),
    "fractions": lambda n: "1/(o + " * min(n, 16) + "o" + ")" * min(n, 16),
}


@pytest.mark.parametrize("kind", GROWTH)
def test_a_derivative_grows_no_faster_than_the_square(kind: str) -> None:
    for count in (10, 50, 150):
        tree = parse(GROWTH[kind](count))
        assert size(derivative(tree, "o")) <= 4 * size(tree) ** 2


def size(tree: Tree) -> int:
    return sum(1 for _ in walk(tree))


# --- 20,000 texts

ROUNDS, EACH = 20, 1_000


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_no_text_makes_anything_but_a_formula_or_an_error(seed: int) -> None:
    chance = random.Random(seed)
    read = 0
    for i in range(EACH):
        text = formula_text(chance) if i % 4 == 0 else broken_text(chance)
        tree, error = outcome(text, None if i % 2 else ("o", "t", "x1"))
        if tree is not None:
            read += 1
            use(tree)
        elif error is not None:
            assert_readable(str(error))
            assert 0 <= error.position <= len(text)
    assert EACH // 8 < read < EACH  # both happened


def outcome(text: str, names: tuple[str, ...] | None) -> tuple[Tree, None] | tuple[None, FormulaError]:
    try:
        return parse(text, names), None
    except FormulaError as error:
        return None, error


def use(tree: Tree) -> None:
    """Whatever is a formula can be shown, read again, differentiated and evaluated."""
    text = show(tree)
    if len(text) <= MAX_LENGTH:
        assert parse(text) == tree
    assert latex(tree).count("{") == latex(tree).count("}")
    names = symbols(tree)
    samples = {name: np.array([0.5, -1.0, 0.0]) for name in names}
    assert np.asarray(evaluate(tree, samples)).dtype == np.float64
    try:
        slopes = [derivative(tree, name) for name in names[:2]]
    except FormulaError:
        assert functions_of(tree) & set(AGGREGATES)
    else:
        for slope in slopes:
            assert np.asarray(evaluate(slope, samples)).dtype == np.float64
            assert show(slope)


@pytest.mark.parametrize("seed", range(4))
def test_no_text_makes_anything_but_lines_or_an_error(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(500):
        pieces = [
            chance.choice(["", "a = ", "state a = ", "o = ", "b=", "state ", "= ", "a == "])
            + chance.choice([formula_text(chance, 2), broken_text(chance)[:60]])
            for _ in range(3)
        ]
        try:
            program = read_lines(chance.choice([";", "\n"]).join(pieces), {"o": "sample", "x1": "sample"}, "a")
        except FormulaError as error:
            assert_readable(str(error))
        else:
            names = [line.name for line in program.lines]
            assert len(set(names)) == len(names)
