"""The scale of a value: how far rounding can move it, tried out by moving every symbol a little."""

import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gardens import plain_trees
from glassgrad.formula.evaluate import evaluate, evaluate_with_scale
from glassgrad.formula.parser import parse
from glassgrad.formula.text import show
from glassgrad.formula.tree import Tree, symbols

ROUNDING = 1e-7
often = settings(deadline=None, derandomize=True, max_examples=300, suppress_health_check=list(HealthCheck))


def scaled(formula: str, rounding: float = 1e-6, **values: float) -> tuple[float, float]:
    value, scale = evaluate_with_scale(parse(formula), values, {}, rounding)
    return float(value), float(scale)


SCALES = [
    # formula, values, scale: what cancels counts with its size
    ("a + b - c", {"a": 3.0, "b": 4.0, "c": 7.0}, 14.0),
    ("a*b", {"a": -3.0, "b": 4.0}, 12.0),
    ("(a - b)*c", {"a": 3.0, "b": 3.0, "c": 2.0}, 12.0),
    ("(a - b)/c", {"a": 3.0, "b": 3.0, "c": 2.0}, 3.0),
    ("a/(b - c)", {"a": 3.0, "b": 3.0, "c": 2.0}, 15.0),
    ("-stop(abs(a - b))", {"a": 3.0, "b": 2.0}, 5.0),
    ("relu(a - b)", {"a": 3.0, "b": 2.0}, 5.0),
    ("relu(a - b)", {"a": 2.0, "b": 3.0}, 0.0),
    ("exp(a - b)", {"a": 3.0, "b": 3.0}, 6.0),
    ("tanh(100*a)", {"a": 1.0}, 1.0),
    ("sign(a - b)", {"a": 3.0, "b": 2.0}, 1.0),
    ("round(a)", {"a": 2.7}, 3.0),
    ("[a > b]", {"a": 3.5, "b": 2.0}, 1.0),
    ("[a > b]", {"a": 1.5, "b": 2.0}, 0.0),
    ("where(a > 0, b - b, c)", {"a": 0.5, "b": 2.0, "c": 7.0}, 4.0),
    ("max(a - b, 0)", {"a": 3.0, "b": 2.0}, 5.0),
    ("0*a", {"a": 3.0}, 0.0),
]


@pytest.mark.parametrize(("formula", "values", "scale"), SCALES)
def test_the_scale_is_the_formula_with_absolute_terms(formula: str, values: dict[str, float], scale: float) -> None:
    assert scaled(formula, **values)[1] == pytest.approx(scale, rel=1e-4)


def test_the_scale_of_a_square_that_cancels_is_small_but_not_zero() -> None:
    """(a - b)**2 at a = b: the other program may have (2*rounding*a)**2, and no more."""
    value, scale = scaled("(a - b)**2", rounding=1e-6, a=3.0, b=3.0)
    assert value == 0
    assert pytest.approx(scale) == (6e-6) ** 2 / 1e-6


NEAR = [
    # at a kink or jump that is nearer than rounding, either side is right
    ("[a > b]", {"a": 1.5, "b": 1.5 + 1e-7}, 1.0),
    ("where(a < b, 2, 5)", {"a": 1.5 + 1e-7, "b": 1.5}, 3.0),
    ("sign(a - b)", {"a": 1.5, "b": 1.5}, 1.0),
    ("round(a + b)", {"a": 1.25, "b": 1.25}, 1.0),
    ("relu(a - b)", {"a": 1.5, "b": 1.5 + 1e-7}, 1e-6),
    ("max(a, b)", {"a": 1.5, "b": 1.5 + 1e-7}, 1e-7),
    ("where(a - b > 0, log(a - b), 0)", {"a": 1.5, "b": 1.5}, 100.0),
]


@pytest.mark.parametrize(("formula", "values", "between"), NEAR)
def test_near_a_kink_the_scale_spans_both_sides(formula: str, values: dict[str, float], between: float) -> None:
    assert scaled(formula, rounding=1e-6, **values)[1] * 1e-6 >= between


@pytest.mark.parametrize("formula", ["[a == 1]", "where(a > b, 2, 5)", "[a != 0]", "[a <= b]"])
def test_given_whole_numbers_are_compared_exactly(formula: str) -> None:
    value, scale = scaled(formula, rounding=1e-6, a=1.0, b=1.0)
    assert scale == abs(value)


def test_the_scale_of_what_reads_all_samples() -> None:
    a = np.array([3.0, -3.0, 1.0])
    for formula, scale in {
        "mean(a)": 7 / 3,
        "sum(a)": 7.0,
        "norm(a)": 19**0.5,
        "max(a)": 3.0,
        "count(a)": 3.0,
    }.items():
        assert evaluate_with_scale(parse(formula), {"a": a}, {}, 1e-6)[1] == pytest.approx(scale)
    np.testing.assert_allclose(evaluate_with_scale(parse("others(a)"), {"a": a}, {}, 1e-6)[1], [2, 2, 3])


def test_a_symbol_may_bring_its_own_scale() -> None:
    value, scale = evaluate_with_scale(parse("2*z"), {"z": np.array([0.0, 1.0])}, {"z": np.array([8.0, 9.0])}, 1e-6)
    np.testing.assert_array_equal(value, [0, 2])
    np.testing.assert_array_equal(scale, [16, 18])


@often
@given(plain_trees)
def test_laws_of_the_scale(tree: Tree) -> None:
    """The value is `evaluate`'s; the scale is at least its size, and defined where the value is."""
    generator = np.random.default_rng(zlib.crc32(show(tree).encode()))
    values = {name: generator.normal(size=4) for name in symbols(tree)}
    value, scale = evaluate_with_scale(tree, values, {}, ROUNDING)
    np.testing.assert_array_equal(value, evaluate(tree, values))
    finite = np.isfinite(value)
    assert np.all(np.where(finite, scale >= np.abs(value) * (1 - 1e-12), True))


FORMULAS = [
    "a*b - b*c + c*a", "(a - b)**2/(2*c**2)", "tanh(a*b + c) - tanh(a*b)",
    "log(a**2 + 1) - sqrt(b**2 + c**2)", "a/b - b/a + c", "exp(a)*sigmoid(b - c)",
    "softplus(a - b)*erf(c)", "sin(a*b*c) + cos(a)", "relu(a - b) + abs(b - c)", "max(a, b)*min(b, c)",
    "(a + b)**3 - a**3 - b**3", "where(abs(a - b) < 1, 0.5*(a - b)**2, abs(a - b) - 0.5)", "[a > b]*c",
    "sign(a)*round(3*b)", "1/(1 + exp(-(a - b)/c))", "(a - stop(a))*b + c",
    "log(sigmoid(a)/(1 - sigmoid(b)))", "a**b*0 + abs(c)**1.5",
]  # fmt: skip


@often
@given(
    st.sampled_from(FORMULAS),
    st.tuples(*[st.floats(-4, 4).filter(lambda number: abs(number) > 1e-3 and number % 1 != 0)] * 3),
    st.tuples(*[st.floats(-1, 1)] * 3),
)
def test_rounding_moves_a_value_by_no_more_than_its_scale(
    formula: str, at: tuple[float, ...], shifts: tuple[float, ...]
) -> None:
    values = dict(zip("abc", at, strict=True))
    moved = {name: value * (1 + ROUNDING * shift) for (name, value), shift in zip(values.items(), shifts, strict=True)}
    tree = parse(formula)
    value, scale = evaluate_with_scale(tree, values, {}, ROUNDING)
    change = abs(evaluate(tree, moved) - value)
    assert not np.isfinite(value) or change <= 4 * ROUNDING * scale + 1e-14
