"""Text and LaTeX: what is shown reads back as the same formula, with no bracket too many."""

import re

import numpy as np
import pytest
import sympy
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sympy.parsing.latex import parse_latex

from gardens import plain_trees, trees
from glassgrad.errors import FormulaError
from glassgrad.formula.derivative import derivative
from glassgrad.formula.evaluate import evaluate
from glassgrad.formula.latex import latex, latex_name
from glassgrad.formula.parser import MAX_LENGTH, parse
from glassgrad.formula.simplify import add, multiply
from glassgrad.formula.text import number_text, show
from glassgrad.formula.tree import Apply, Number, Symbol, Tree, substitute, symbols
from oracles import by_sympy

slowly = settings(deadline=None, derandomize=True, max_examples=300, suppress_health_check=list(HealthCheck))

SHOWN = [
    # a text, and how it is shown; nothing where it stays as it is
    ("((o) - (t))**2", "(o - t)**2"),
    ("a-(b-c)", "a - (b - c)"),
    ("(a-b)-c", "a - b - c"),
    ("a + -b", "a - b"),
    ("a - -2", "a + 2"),
    ("(a*b)*c", "a*b*c"),
    ("a*(b*c)", ""),
    ("(a/b)*c", "a/b*c"),
    ("a/(b*c)", ""),
    ("a*(-b)", "a*-b"),
    ("(-a)**2", ""),
    ("-(a**2)", "-a**2"),
    ("2**(-a)", "2**-a"),
    ("(a**b)**c", ""),
    ("a**(b**c)", "a**b**c"),
    ("-(a*b)", ""),
    ("(-a)*b", "-a*b"),
    ("(-2)**a", ""),
    ("-2**a", ""),
    ("where(a>0,1,0)", "[a > 0]"),
    ("where( a != b , [a<1], b )", "where(a != b, [a < 1], b)"),
    ("1.0*x1 + 1e3 + 1e-8 + 1e16", "1*x1 + 1000 + 1e-08 + 1e+16"),
    ("max(mean(a), b)", ""),
]


@pytest.mark.parametrize(("text", "shown"), SHOWN)
def test_a_formula_is_shown_without_needless_brackets(text: str, shown: str) -> None:
    assert show(parse(text)) == (shown or text)


@slowly
@given(trees)
def test_what_is_shown_reads_back_as_the_same(tree: Tree) -> None:
    text = show(tree)
    assume(len(text) <= MAX_LENGTH)
    assert parse(text) == tree
    assert show(parse(text)) == text


@slowly
@given(trees)
def test_no_bracket_can_be_left_out(tree: Tree) -> None:
    text = show(tree)
    assume(len(text) <= 400)
    for opened in re.finditer(r"(?<![A-Za-z0-9_])\(", text):
        closed = partner(text, opened.start())
        bare = f"{text[: opened.start()]} {text[opened.end() : closed]} {text[closed + 1 :]}"
        try:
            assert parse(bare) != tree
        except FormulaError:
            pass


def partner(text: str, start: int) -> int:
    depth = 0
    for i in range(start, len(text)):
        depth += (text[i] == "(") - (text[i] == ")")
        if depth == 0:
            return i
    raise AssertionError("unbalanced")


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_reads_back_as_itself(value: float) -> None:
    assert parse(number_text(value)) == Number(value)


@slowly
@given(plain_trees)
def test_a_derivative_can_be_read_back(tree: Tree) -> None:
    """It may differ in form only: in value it is the same to the last digit."""
    for name in symbols(tree)[:2]:
        slope = derivative(tree, name)
        text = show(slope)
        assume(len(text) <= MAX_LENGTH)
        at = {name: 0.7 + i for i, name in enumerate(symbols(tree))}
        try:
            again = parse(text)
        except FormulaError:  # derivatives may be nested deeper than people may write
            continue
        np.testing.assert_array_equal(evaluate(again, at), evaluate(slope, at))


def test_numbers_put_in_are_shown_as_they_are() -> None:
    numbers = {"o": Number(7.5), "t": Number(-8.0), "w": Number(-0.25)}
    shown = {text: show(substitute(parse(text), numbers)) for text in ("2*(o - t)", "-w*o + t", "t**2", "-t")}
    assert shown == {
        "2*(o - t)": "2*(7.5 - -8)",
        "-w*o + t": "-(-0.25)*7.5 - 8",
        "t**2": "(-8)**2",
        "-t": "-(-8)",
    }
    for text, filled in shown.items():
        assert evaluate(parse(filled), {}) == evaluate(parse(text), {"o": 7.5, "t": -8.0, "w": -0.25})


# --- simplification, seen in derivatives

DERIVATIVES = [
    ("(o - t)**2", "2*(o - t)"),
    ("-abs(o - t)", "-sign(o - t)"),
    ("-stop(r)*log(o)", "-stop(r)/o"),
    ("-(a - o)**2/(2*s**2)", "(a - o)/s**2"),
    ("relu(o)", "[o > 0]"),
    ("1 - 5*abs(o - t)", "-5*sign(o - t)"),
    ("where(o > 0, o, 0.01*o)", "where(o > 0, 1, 0.01)"),
    ("o*o*o", "3*o*o"),
    ("o + o + t*o", "2 + t"),
    ("o - o", "0"),
    ("o/3", "1/3"),
    ("o/4", "0.25"),
    ("t**2", "0"),
    ("o**1", "1"),
    ("o**0", "0"),
    ("1/o", "-1/o**2"),
    ("sigmoid(o)", "sigmoid(o)*(1 - sigmoid(o))"),
    ("mean(t)*o", "mean(t)"),
    ("1e308*o + 1e308*o", "1e+308 + 1e+308"),
    ("1e-200*(1e-200*o)", "1e-200*1e-200"),
]


@pytest.mark.parametrize(("formula", "slope"), DERIVATIVES)
def test_a_derivative_is_shown_simple(formula: str, slope: str) -> None:
    assert show(derivative(parse(formula), "o")) == slope


def test_what_reads_all_samples_has_no_derivative_of_its_own() -> None:
    with pytest.raises(FormulaError, match=r"mean\(…\) reads all samples"):
        derivative(parse("o - mean(o)"), "o")


def test_simplification_keeps_what_is_not_finite() -> None:
    huge = Number(1e308)
    assert add([huge, huge]) == Apply("+", (huge, huge))
    assert multiply([huge, huge, Symbol("x")]) == Apply("*", (huge, huge, Symbol("x")))


# --- LaTeX

LATEX = [
    ("2*(o - t)/sigma**2", r"\frac{2\,\left(o - t\right)}{{\sigma}^{2}}"),
    ("a - -2*b", r"a - \left(-2\,b\right)"),
    ("a + -2*b", r"a - 2\,b"),
    ("(-a + b)*c", r"\left(-a + b\right)\,c"),
    ("-(a + b)", r"-\left(a + b\right)"),
    ("a*2*3**2", r"a \cdot 2 \cdot {3}^{2}"),
    ("1.5e-8*a", r"1.5 \cdot 10^{-8}\,a"),
    ("(1e-8)**2", r"{\left(10^{-8}\right)}^{2}"),
    ("(-2)**a", r"{\left(-2\right)}^{a}"),
    ("exp(-a)**2", r"{\left(e^{-a}\right)}^{2}"),
    ("[a > 0]*abs(b)", r"\left[a > 0\right]\,\left|b\right|"),
    ("where(a > 0, 1, b) + c",
     r"\left(\begin{cases}1 & a > 0\\b & \text{otherwise}\end{cases}\right) + c"),
    ("mean((o - t)**2)", r"\mathrm{mean}\left({\left(o - t\right)}^{2}\right)"),
    ("max(a, b)/norm(c)", r"\frac{\max\left(a, b\right)}{\left\lVert c \right\rVert}"),
]  # fmt: skip


@pytest.mark.parametrize(("formula", "source"), LATEX)
def test_latex_is_as_a_book_would_have_it(formula: str, source: str) -> None:
    assert latex(parse(formula)) == source


NAMED = {
    "x1": "x_{1}", "z1_4": "z_{1,4}", "o": "o", "reward": r"\mathrm{reward}", "sigma": r"\sigma",
    "beta1": r"\beta_{1}", "eps": r"\varepsilon", "lam": r"\lambda", "W1_4_x1": "W_{1,4,x_{1}}",
    "w_new": r"w^{\prime}", "dW1_4_x1": r"\frac{\partial L}{\partial W_{1,4,x_{1}}}",
    "dB1_1": r"\frac{\partial L}{\partial b_{1,1}}", "do": r"\frac{\partial L}{\partial o}",
    "dz2": r"\frac{\partial L}{\partial z_{2}}", "dp_3": r"\frac{\partial L}{\partial p_{3}}",
    "dsum_e": r"\frac{\partial L}{\partial \mathrm{sum}_{e}}",
    "dreward": r"\frac{\partial L}{\partial \mathrm{reward}}", "m_hat": r"m_{\mathrm{hat}}",
    "data": r"\mathrm{data}", "delta": r"\delta", "dot_1": r"\mathrm{dot}_{1}", "dt": r"\mathrm{dt}",
}  # fmt: skip


@pytest.mark.parametrize("name", NAMED)
def test_a_name_in_latex(name: str) -> None:
    assert latex_name(name) == NAMED[name]


@slowly
@given(trees)
def test_latex_is_well_formed(tree: Tree) -> None:
    source = latex(tree)
    depth = 0
    for sign in source.replace(r"\\", ""):
        depth += (sign == "{") - (sign == "}")
        assert depth >= 0
    assert depth == 0
    for opening, closing in ((r"\\left\b", r"\\right\b"), (r"\\begin\{cases\}", r"\\end\{cases\}")):
        assert len(re.findall(opening, source)) == len(re.findall(closing, source))
    assert "--" not in source
    assert "+ -" not in source


READ_BY_SYMPY = [
    "2*(o - t)/s**2", "a - 3*-c + -2*a", "-(a + b)*c", "-(-2*a)", "1e-8*a**1e-8", "a*2**3*4",
    "a - (b - c) + (a + b)", "(-2)**2*a", "-2**a", "log(a)*tanh(b) + sin(a)**2 - cos(a*b)",
    "sqrt(a**2 + b**2)/a", "(a + b)**-1/b**(c - 1)", "a/(b/c)/a*b", "x1*x2 - 3*x1**2",
    "(-a + b)*(a - b)*c", "2*-b*-3", "((a + b)*c + 1)**3", "(1.5e-7*a)**2",
]  # fmt: skip


@pytest.mark.parametrize("formula", READ_BY_SYMPY)
def test_sympy_reads_the_same_formula_from_the_latex(formula: str) -> None:
    """It reads no bars, no cases, a letter before a bracket as a function; but it knows what binds how."""
    tree = parse(formula)
    read = parse_latex(latex(tree))
    numbers = {name: sympy.Rational(3 * i + 4, 7) for i, name in enumerate(symbols(tree))}
    there = read.subs({letter: numbers[re.sub(r"_\{(\d)\}", r"\1", letter.name)] for letter in read.free_symbols})
    here = by_sympy(tree).subs({sympy.Symbol(name, real=True): value for name, value in numbers.items()})
    assert abs(complex(there) - complex(here)) <= 1e-9 * max(1, abs(complex(here)))
