"""Values and derivatives of every function and of formulas, against PyTorch, SymPy and differences."""

import doctest
import importlib
import itertools
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

import glassgrad.formula
from glassgrad.formula.backends import NumPy, Torch
from glassgrad.formula.derivative import _derivative_row, derivative
from glassgrad.formula.evaluate import culprit, evaluate, evaluate_torch
from glassgrad.formula.functions import AGGREGATES, FUNCTIONS, GROUPED
from glassgrad.formula.parser import parse
from glassgrad.formula.scale import _slopes
from oracles import Points, check

# --- the domains: all the line, with kinks and extremes; and stretches without either

LINE = (
    -100.0,
    -21.0,
    -20.0,
    -3.0,
    -1.0,
    -0.3,
    -1e-3,
    -1e-30,
    0.0,
    1e-30,
    1e-3,
    0.3,
    1.0,
    3.0,
    20.0,
    21.0,
    100.0,
)
POSITIVE = (1e-30, 1e-3, 0.3, 1.0, 3.0, 20.0, 100.0, 1e6, 1e30)
SMOOTH = (-3.1, -1.7, -0.6, -0.2, 0.1, 0.4, 0.9, 2.3, 4.2)
TIES = (-1.0, 0.0, 2.0, 2.0005, 2.001)


def each(*values: tuple[float, ...]) -> Points:
    """Every combination, as columns a, b, c."""
    return dict(zip("abc", map(list, zip(*itertools.product(*values), strict=True)), strict=False))


# row: its formula, where it is held against PyTorch, and where against SymPy and differences
DOMAINS: dict[str, tuple[str, Points, Points]] = {
    "+": ("a + b + c", each(TIES, (-1e6, 0.3), TIES), each(SMOOTH[:4], SMOOTH[3:6], (0.5, 7.0))),
    "*": ("a*b*c", each(TIES, (-1e6, 0.0, 0.3), TIES), each(SMOOTH[:4], SMOOTH[3:6], (0.5, 7.0))),
    "neg": ("-a", each(LINE), each(SMOOTH)),
    "/": ("a/b", each((-3.0, 0.0, 1e-6, 7.0), (-1e6, -2.0, 1e-6, 3.0)), each(SMOOTH, (-2.0, 0.7))),
    "**": (
        "a**b",
        each((0.0, 1e-3, 1.0, 2.5, 9.0), (-2.0, -0.5, 0.0, 0.5, 1.0, 2.0)),
        each((0.3, 2.0), SMOOTH),
    ),
    "<": ("[a < b]", each(TIES, TIES), each((1.0, 2.0), (1.5, 2.5))),
    "<=": ("[a <= b]", each(TIES, TIES), each((1.0, 2.0), (1.5, 2.5))),
    ">": ("[a > b]", each(TIES, TIES), each((1.0, 2.0), (1.5, 2.5))),
    ">=": ("[a >= b]", each(TIES, TIES), each((1.0, 2.0), (1.5, 2.5))),
    "==": ("[a == b]", each(TIES, TIES), each((1.0, 2.0), (1.5, 2.5))),
    "!=": ("[a != b]", each(TIES, TIES), each((1.0, 2.0), (1.5, 2.5))),
    "where": ("where(a > 1, b, c)", each(TIES, (-1.0, 3.0), TIES), each((0.9, 1.2), (0.5, 7.0), (-2.0, 3.0))),
    "max": ("max(a, b)", each(TIES, TIES), each((-1.0, 2.0), (0.5, 2.5))),
    "min": ("min(a, b)", each(TIES, TIES), each((-1.0, 2.0), (0.5, 2.5))),
    "exp": ("exp(a)", each(LINE), each(SMOOTH)),
    "log": ("log(a)", each((-1.0, 0.0, *POSITIVE)), each(POSITIVE[1:6])),
    "sqrt": ("sqrt(a)", each((0.0, *POSITIVE)), each(POSITIVE[1:6])),
    "tanh": ("tanh(a)", each(LINE), each(SMOOTH)),
    "sigmoid": ("sigmoid(a)", each(LINE), each(SMOOTH)),
    "softplus": ("softplus(a)", each(LINE), each(SMOOTH)),
    "sin": ("sin(a)", each(LINE), each(SMOOTH)),
    "cos": ("cos(a)", each(LINE), each(SMOOTH)),
    "erf": ("erf(a)", each(LINE), each(SMOOTH)),
    "abs": ("abs(a)", each(LINE), each(SMOOTH)),
    "relu": ("relu(a)", each(LINE), each(SMOOTH)),
    "sign": ("sign(a)", each(LINE), each(SMOOTH)),
    "round": ("round(a)", each((*LINE, 0.5, 1.5, 2.5, -2.5, 7.49)), each(SMOOTH)),
    "stop": ("stop(a)", each(LINE), each(SMOOTH)),
    "old": ("old(a)", each(LINE), each(SMOOTH)),
}


def test_every_row_has_its_domains() -> None:
    assert list(DOMAINS) == list(FUNCTIONS)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_row_agrees_with_all_oracles(name: str) -> None:
    check(*DOMAINS[name])


# --- formulas made of several rows, as people write them

FORMULAS: dict[str, tuple[Points, Points | None]] = {
    "(a - b)**2": (each(LINE, TIES), each(SMOOTH, SMOOTH)),
    "abs(a - b)": (each(LINE, TIES), each(SMOOTH, (0.0, 1.0))),
    "where(abs(a - b) < 1, 0.5*(a - b)**2, abs(a - b) - 0.5)": (each(LINE, TIES), each(SMOOTH, (0.0, 0.35))),
    "1 - 5*abs(a - b)": (each(LINE, TIES), each(SMOOTH, (0.0, 1.0))),
    "-stop(a)*log(b)": (each(TIES, POSITIVE), None),
    "-(a - b)*(c - a)/stop(c)**2": (each(TIES, (0.5, 1.5), (0.2, 3.0)), None),
    "0.5*a*(1 + erf(a/sqrt(2)))": (each(LINE), each(SMOOTH)),
    "a*sigmoid(a)": (each(LINE), each(SMOOTH)),
    "where(a > 0, a, exp(a) - 1)": (each(LINE), each(SMOOTH)),
    "where(a > 0, a, 0.01*a)": (each(LINE), each(SMOOTH)),
    "max(a, 0.01*a)": (each(LINE), each(SMOOTH)),
    "a*tanh(softplus(a))": (each(LINE), each(SMOOTH)),
    "1/(1 + exp(-a))": (each(SMOOTH), each(SMOOTH)),
    "-(a - b)**2/(2*c**2) - log(c) - 0.5*log(2*pi_)".replace("pi_", "3.141592653589793"):
        (each(TIES, (0.5, 1.5), (0.2, 3.0)), each(SMOOTH, (0.5, 1.5), (0.2, 3.0))),
    "min(a*b, min(max(a, 0.8), 1.2)*b)": (each(TIES, (-1.0, 1.0)), each((0.5, 0.9, 1.1, 1.5), (-1.0, 1.5))),
    "exp(-a**2/b)*cos(3*a)": (each((-3.0, 0.0, 1.0), (0.5, 2.0)), each(SMOOTH, (0.5, 2.0))),
    "a**3 - 2*a**2 + a/3 - 7": (each(TIES), each(SMOOTH)),
    "a**-2 + a**0.5 + a**0 + a**1": (each(POSITIVE[1:6]), each(POSITIVE[2:6])),
    "2**a + a**a": (each((0.3, 1.0, 3.0)), each((0.3, 1.0, 3.0))),
    "a*b*a*a/(b*b)": (each(TIES, (0.5, -2.0)), each(SMOOTH, (0.5, -2.0))),
    "a/b/c + a/(b/c)": (each(TIES, (0.5, -2.0), (3.0, 0.1)), each(SMOOTH, (0.5, -2.0), (3.0, 0.1))),
    "log(1 + exp(-abs(a))) + relu(a)": (each(SMOOTH), each(SMOOTH)),
    "(a - round(a))*sign(a)": (each((-2.4, 0.2, 1.4)), each((-2.4, 0.2, 1.4))),
    "a - stop(a - sin(a))": (each(LINE), None),
    "sqrt(a**2 + b**2)": (each(SMOOTH, SMOOTH), each(SMOOTH, SMOOTH)),
    "b*[a > 0.5] + c*[a <= 0.5]": (each(TIES, TIES, (1.0, 2.0)), each(SMOOTH, (1.0, 2.0), (0.3, 5.0))),
    "sigmoid(a)*(1 - sigmoid(a)) - tanh(a/2)**2/4": (each(LINE), each(SMOOTH)),
    "where(a == 1, log(b), log(1 - b))": (each((0.0, 1.0), (0.3, 0.6)), None),
}  # fmt: skip


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_formula_agrees_with_all_oracles(formula: str) -> None:
    check(formula, *FORMULAS[formula])


@pytest.mark.parametrize("formula", ["sin(exp(cos(a)))/a", "a**3*tanh(a)", "a*sigmoid(a)", "1/(a**2 + 1)", "2**a"])
def test_second_derivatives_agree_too(formula: str) -> None:
    from glassgrad.formula.text import show

    check(show(derivative(parse(formula), "a")), each(SMOOTH), each(SMOOTH))


# --- kinks, ties and edges: the value and the derivatives, said outright

INF, NAN = float("inf"), float("nan")
EDGES: list[tuple[str, dict[str, float], float, dict[str, float]]] = [
    ("max(a, b)", {"a": 2, "b": 2}, 2, {"a": 1, "b": 0}),
    ("min(a, b)", {"a": 2, "b": 2}, 2, {"a": 1, "b": 0}),
    ("max(a, a)", {"a": 2}, 2, {"a": 1}),
    ("max(a, log(b))", {"a": 1, "b": 0}, 1, {"a": 1, "b": 0}),
    ("min(sqrt(a), b)", {"a": 0, "b": -1}, -1, {"a": 0, "b": 1}),
    ("max(a, b)", {"a": NAN, "b": 1}, NAN, {}),
    ("max(a, b)", {"a": 1, "b": NAN}, NAN, {}),
    ("min(a, b)", {"a": NAN, "b": 1}, NAN, {}),
    ("relu(a)", {"a": 0}, 0, {"a": 0}),
    ("relu(a)", {"a": -INF}, 0, {"a": 0}),
    ("relu(a)", {"a": NAN}, NAN, {}),
    ("abs(a)", {"a": 0}, 0, {"a": 0}),
    ("sign(a)", {"a": 0}, 0, {"a": 0}),
    ("sign(a)", {"a": -0.1}, -1, {"a": 0}),
    ("round(a)", {"a": 2.5}, 2, {"a": 0}),
    ("round(a)", {"a": 3.5}, 4, {"a": 0}),
    ("round(a)", {"a": -0.5}, 0, {"a": 0}),
    ("stop(a)*a", {"a": 3}, 9, {"a": 3}),
    ("stop(a*b)", {"a": 3, "b": 2}, 6, {"a": 0, "b": 0}),
    ("a**0", {"a": 0}, 1, {"a": 0}),
    ("a**1", {"a": 0}, 0, {"a": 1}),
    ("a**2", {"a": 0}, 0, {"a": 0}),
    ("a**b", {"a": 0, "b": 0}, 1, {"a": 0, "b": 0}),
    ("a**b", {"a": 0, "b": 2}, 0, {"a": 0, "b": 0}),
    ("a**b", {"a": 0, "b": -1}, INF, {"a": -INF, "b": -INF}),
    ("a**b", {"a": -2, "b": 3}, -8, {"a": 12}),
    ("a**0.5", {"a": 0}, 0, {"a": INF}),
    ("sqrt(a)", {"a": 0}, 0, {"a": INF}),
    ("sqrt(a)", {"a": -1}, NAN, {}),
    ("log(a)", {"a": 0}, -INF, {"a": INF}),
    ("1/a", {"a": 0}, INF, {"a": -INF}),
    ("where(a > 0, log(a), 0)", {"a": 0}, 0, {"a": 0}),
    ("where(a > 0, sqrt(a), 2*a)", {"a": -1}, -2, {"a": 2}),
    ("where(a == 0, 1, sin(a)/a)", {"a": 0}, 1, {"a": 0}),
    ("where(a > 0, where(a > 1, log(a - 1), a), b)", {"a": 0.5, "b": 2}, 0.5, {"a": 1, "b": 0}),
    ("where(b > 0, a/b, a)", {"a": 3, "b": 0}, 3, {"a": 1, "b": 0}),
    ("softplus(a)", {"a": 30}, 30, {"a": 1}),
    ("softplus(a)", {"a": 1000}, 1000, {"a": 1}),
    ("softplus(a)", {"a": -1000}, 0, {"a": 0}),
    ("sigmoid(a)", {"a": 1000}, 1, {"a": 0}),
    ("sigmoid(a)", {"a": -1000}, 0, {"a": 0}),
    ("tanh(a)", {"a": -1000}, -1, {"a": 0}),
    ("erf(a)", {"a": 1000}, 1, {"a": 0}),
    ("0*log(a)", {"a": 1}, 0, {"a": 0}),
    ("[a > b]", {"a": 1, "b": 1}, 0, {"a": 0, "b": 0}),
    ("[a >= b]", {"a": 1, "b": 1}, 1, {"a": 0, "b": 0}),
]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["double", "single"])
@pytest.mark.parametrize("shape", [(), (2,)], ids=["number", "array"])
@pytest.mark.parametrize(("formula", "at", "value", "slopes"), EDGES)
def test_edges_are_as_the_rows_say(
    formula: str,
    at: dict[str, float],
    value: float,
    slopes: dict[str, float],
    shape: tuple[int, ...],
    dtype: torch.dtype,
) -> None:
    tree = parse(formula)
    leaves = {name: torch.full(shape, float(number), dtype=dtype, requires_grad=True) for name, number in at.items()}
    result = evaluate_torch(tree, leaves, dtype)
    full = np.full(shape, value)
    np.testing.assert_array_equal(np.broadcast_to(result.detach().numpy(), shape), full)
    numbers = {name: np.full(shape, float(number)) for name, number in at.items()}
    np.testing.assert_array_equal(np.broadcast_to(evaluate(tree, numbers), shape), full)
    if result.requires_grad:
        result.sum().backward()
    for name, slope in slopes.items():
        found = leaves[name].grad
        np.testing.assert_array_equal(0.0 if found is None else found.numpy(), np.full(shape, slope))
        np.testing.assert_array_equal(evaluate(derivative(tree, name), numbers), slope)


def test_where_is_lazy_sample_by_sample_and_in_every_shape() -> None:
    column = torch.tensor([[-1.0], [4.0]], dtype=torch.float64, requires_grad=True)
    row = torch.tensor([[0.0, 1.0, 2.0]], dtype=torch.float64, requires_grad=True)
    tree = parse("where(a > b, sqrt(a) + mean(b), b*2)")
    result = evaluate_torch(tree, {"a": column, "b": row}, torch.float64)
    here = evaluate(tree, {"a": column.detach().numpy(), "b": row.detach().numpy()})
    np.testing.assert_array_equal(result.detach().numpy(), [[0, 2, 4], [3, 3, 3]])
    np.testing.assert_array_equal(here, [[0, 2, 4], [3, 3, 3]])
    slopes = torch.autograd.grad(result.sum(), [column, row])
    np.testing.assert_array_equal(slopes[0].numpy(), [[0], [0.75]])
    np.testing.assert_array_equal(slopes[1].numpy(), [[3, 3, 3]])


def test_whole_numbers_are_numbers() -> None:
    x = np.array([1, 2, 100])
    np.testing.assert_allclose(evaluate(parse("x1**x2"), {"x1": x, "x2": -x}), [1.0, 0.25, 1e-200])
    np.testing.assert_allclose(evaluate(parse("x1**11/x2"), {"x1": x, "x2": 2}), [0.5, 1024, 5e21])
    assert evaluate(parse("o**-1"), {"o": 2}) == 0.5


def test_numbers_without_a_tensor_stay_numbers_of_python() -> None:
    value = evaluate_torch(parse("-stop(r)*2 + [r > 0]"), {"r": 0.1}, torch.float32)
    assert isinstance(value, float)
    assert value == -0.2 + 1


# --- what reads all samples

SAMPLES = (3.0, -1.0, 0.5, 3.0, -2.0)


@pytest.mark.parametrize("name", AGGREGATES)
def test_an_aggregate_agrees_with_torch(name: str) -> None:
    check_aggregate(name)


def check_aggregate(name: str) -> None:
    """The value on both backends, and the share of each sample in the derivative, against autograd."""
    for samples, group in ((SAMPLES, 1), (SAMPLES[:2], 2), ((7.0, -1e-3, 1e3), 3), ((*SAMPLES, 0.25), 2)):
        if (group > 1) >= (name in GROUPED):
            check_aggregate_of(name, samples, group if name in GROUPED else 1)


def check_aggregate_of(name: str, samples: tuple[float, ...], group: int) -> None:
    """The same for some samples, `group` of them to a question."""
    own = {
        "mean": torch.mean, "sum": torch.sum, "max": torch.amax, "min": torch.amin, "std": torch.std,
        "norm": torch.linalg.norm, "count": lambda a: torch.tensor(float(a.numel())),
        "others": lambda a: torch.stack([torch.cat([a[:i], a[i + 1 :]]).mean() for i in range(len(a))]),
    }  # fmt: skip
    plain = own[name.removeprefix("group_")]
    row, backend = AGGREGATES[name], NumPy(group)
    a = torch.tensor(samples, dtype=torch.float64, requires_grad=True)
    result = plain(a) if group == 1 else torch.cat([plain(part).expand(group) for part in a.split(group)])
    values = {"here": row.value(backend, np.array(samples)), "torch": row.value(Torch(torch.float64, group), a)}
    for where, value in values.items():
        found = value.detach().numpy() if isinstance(value, torch.Tensor) else value
        np.testing.assert_allclose(found, result.detach().numpy(), rtol=1e-12, err_msg=f"{name} {where}")
    d = np.linspace(1.0, 2.0, len(samples)) if row.each else np.float64(1.7)
    slope = np.zeros(len(samples))
    if result.requires_grad:
        arriving = torch.tensor(d / len(samples) if row.each else d)
        slope = torch.autograd.grad(result, a, arriving)[0].numpy() * len(samples)
    numbers = {"d": d, "a": np.array(samples), "f": result.detach().numpy()}
    share = np.broadcast_to(evaluate(parse(row.share), numbers, backend), np.shape(samples))
    np.testing.assert_allclose(share, slope, rtol=1e-12, atol=1e-15, err_msg=f"{name}: share")


def test_the_norm_of_zeros_has_the_derivative_zero() -> None:
    numbers = {"d": 1.0, "a": np.zeros(3), "f": 0.0}
    np.testing.assert_array_equal(evaluate(parse(AGGREGATES["norm"].share), numbers), np.zeros(3))


# --- the checks themselves: an error of 0.05 % in any row is seen, and the row named

WRONG = 1.0005


@pytest.fixture
def fresh_rows() -> Iterator[None]:
    _derivative_row.cache_clear()
    yield
    _derivative_row.cache_clear()
    _slopes.cache_clear()


@pytest.mark.usefixtures("fresh_rows")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_wrong_value_is_seen(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    row = FUNCTIONS[name]
    if DOMAINS[name][0].startswith("["):  # a comparison: with the right-hand side moved
        wrong = replace(row, value=lambda B, a, b: row.value(B, a, WRONG * b))
    else:
        wrong = replace(row, value=lambda B, *arguments: WRONG * row.value(B, *arguments))
    monkeypatch.setitem(FUNCTIONS, name, wrong)
    with pytest.raises(AssertionError, match=re.escape(DOMAINS[name][0])):
        check(*DOMAINS[name])


PLACES = [(row.name, i) for row in FUNCTIONS.values() for i in range(len(row.derivatives))]


@pytest.mark.usefixtures("fresh_rows")
@pytest.mark.parametrize(("name", "index"), PLACES)
def test_a_wrong_derivative_is_seen(name: str, index: int, monkeypatch: pytest.MonkeyPatch) -> None:
    row = FUNCTIONS[name]
    right = row.derivatives[index]
    wrong = f"{WRONG}*({right})" if right != "0" else "0.0005"
    derivatives = (*row.derivatives[:index], wrong, *row.derivatives[index + 1 :])
    monkeypatch.setitem(FUNCTIONS, name, replace(row, derivatives=derivatives))
    with pytest.raises(AssertionError, match=re.escape(f"{DOMAINS[name][0]}: d/d{'ab'[index]}")):
        check(*DOMAINS[name])


@pytest.mark.parametrize("name", AGGREGATES)
def test_a_wrong_aggregate_is_seen(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    row = AGGREGATES[name]
    share = f"{WRONG}*({row.share})" if row.share != "0" else "0.0005"
    for wrong in (replace(row, value=lambda B, a: WRONG * row.value(B, a)), replace(row, share=share)):
        monkeypatch.setitem(AGGREGATES, name, wrong)
        with pytest.raises(AssertionError, match=name):
            check_aggregate(name)


# --- what made a value infinite

CULPRITS = [
    ("-stop(r)*log(o)", {"r": 1.0, "o": 0.0}, "log(0)"),
    ("1/(a - b)", {"a": 2.0, "b": 2.0}, "1/0"),
    ("sqrt(a)", {"a": -1.0}, "sqrt(-1)"),
    ("exp(a)*0", {"a": 1000.0}, "exp(1000)"),
    ("a*a", {"a": 1e200}, "1e+200*1e+200"),
    ("a**b", {"a": -2.0, "b": 0.5}, "(-2)**0.5"),
    ("where(a > 0, log(a), log(-a))", {"a": 0.0}, "log(-0.0)"),
    ("mean(log(o))", {"o": np.array([1.0, 0.0])}, "log(0)"),
    ("mean(a)", {"a": np.array([1.5e308, 1.5e308])}, "mean(a)"),
    ("log(o)", {"o": np.array([[1.0], [0.0]])}, "log(0)"),
    ("log(o) + w", {"o": np.array([NAN, -1.0, 0.0]), "w": np.array([[1.0], [2.0]])}, "log(-1)"),
    ("where(a > 0, log(a), 1/(a + 1))", {"a": np.array([-1.0, 0.0])}, "1/0"),
    ("log(a) + 1/(1 + exp(b))", {"a": 0.0, "b": 1000.0}, "log(0)"),
    ("where(a > 0, log(a), 0)", {"a": 0.0}, None),
    ("1/(1 + exp(b))", {"b": 1000.0}, None),
    ("a + 1", {"a": NAN}, None),
    ("a + 1", {"a": 1.0}, None),
]


@pytest.mark.parametrize(("formula", "values", "expected"), CULPRITS)
def test_the_culprit_is_named(formula: str, values: dict[str, float], expected: str | None) -> None:
    assert culprit(parse(formula), values) == expected


def test_in_single_precision_less_is_infinite() -> None:
    assert culprit(parse("exp(a)"), {"a": 100.0}) is None
    assert culprit(parse("exp(a)"), {"a": 100.0}, largest=3.4e38) == "exp(100)"


# --- the package

MODULES = [module.name for module in pkgutil.iter_modules(glassgrad.formula.__path__, "glassgrad.formula.")]


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_in_the_docstrings_are_right(module: str) -> None:
    assert doctest.testmod(importlib.import_module(module)).failed == 0


def test_the_language_needs_no_heavy_library() -> None:
    heavy = "{'torch', 'scipy', 'sympy', 'llvmlite'}"
    program = f"import sys, glassgrad.formula; sys.exit(len({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
