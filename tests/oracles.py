"""Other people's answers to what a formula is worth: PyTorch, SymPy, and the difference quotient.

`check` holds a formula against all of them at given points and names the formula where one disagrees. Its
tables of functions are written here a second time, on purpose: they know nothing of
`glassgrad.formula.functions`.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np
import sympy
import torch

from glassgrad.formula.derivative import derivative
from glassgrad.formula.evaluate import evaluate, evaluate_torch
from glassgrad.formula.parser import parse
from glassgrad.formula.tree import Apply, Number, Symbol, Tree, functions_of, symbols

Array = np.ndarray[Any, Any]
Points = Mapping[str, Sequence[float]]

TORCH: dict[str, Callable[..., Any]] = {
    "+": lambda *terms: reduce(torch.add, terms),
    "*": lambda *factors: reduce(torch.mul, factors),
    "neg": torch.neg, "/": torch.div, "**": torch.pow,
    "<": torch.lt, "<=": torch.le, ">": torch.gt, ">=": torch.ge, "==": torch.eq, "!=": torch.ne,
    "where": torch.where,
    "max": lambda a, b: a + torch.nn.functional.relu(b - a),  # at a tie the derivative is a's
    "min": lambda a, b: a - torch.nn.functional.relu(a - b),
    "exp": torch.exp, "log": torch.log, "sqrt": torch.sqrt, "tanh": torch.nn.Tanh(),
    "sigmoid": torch.nn.Sigmoid(),
    "softplus": torch.nn.Softplus(), "sin": torch.sin, "cos": torch.cos, "erf": torch.special.erf,
    "abs": torch.abs, "relu": torch.nn.ReLU(), "sign": torch.sign, "round": torch.round, "stop": torch.detach,
    "old": torch.detach,
}  # fmt: skip

SYMPY: dict[str, Callable[..., Any]] = {
    "+": sympy.Add, "*": sympy.Mul, "neg": lambda a: -a, "/": lambda a, b: a / b, "**": sympy.Pow,
    "<": sympy.Lt, "<=": sympy.Le, ">": sympy.Gt, ">=": sympy.Ge, "==": sympy.Eq, "!=": sympy.Ne,
    "where": lambda c, a, b: sympy.Piecewise((a, c), (b, True)), "max": sympy.Max, "min": sympy.Min,
    "exp": sympy.exp, "log": sympy.log, "sqrt": sympy.sqrt, "tanh": sympy.tanh, "sin": sympy.sin,
    "cos": sympy.cos, "sigmoid": lambda a: 1 / (1 + sympy.exp(-a)), "erf": sympy.erf, "abs": sympy.Abs,
    "softplus": lambda a: sympy.log(1 + sympy.exp(a)),
    "relu": lambda a: sympy.Piecewise((a, a > 0), (0, True)),
    "sign": lambda a: sympy.Piecewise((1, a > 0), (-1, a < 0), (0, True)),
    "round": lambda a: sympy.floor(a + 0.5),
}  # fmt: skip


def by_torch(tree: Tree, values: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """A formula on tensors, by PyTorch's own functions."""
    match tree:
        case Number(value):
            return torch.tensor(value, dtype=next(iter(values.values())).dtype)
        case Symbol(name):
            return values[name]
        case Apply(function, arguments):
            found: torch.Tensor = TORCH[function](*(by_torch(argument, values) for argument in arguments))
            return found


def by_sympy(tree: Tree) -> Any:
    """A formula as SymPy has it, in real symbols."""
    match tree:
        case Number(value):
            return sympy.Integer(int(value)) if value.is_integer() else sympy.Float(value, 30)
        case Symbol(name):
            return sympy.Symbol(name, real=True)
        case Apply(function, arguments):
            return SYMPY[function](*map(by_sympy, arguments))


def check(formula: str, points: Points, smooth: Points | None = None) -> None:
    """Hold a formula's value and its derivatives in each symbol against all oracles.

    points: for each symbol its values, side by side; extremes, kinks and ties belong here.
    smooth: points for SymPy and the difference quotient too, where there is neither kink nor overflow.

    Raises:
        AssertionError: "exp(a): d/da by PyTorch at a = 0.5: 1.6495 here, 1.6487 there".
    """
    tree = parse(formula)
    for dtype in (torch.float64, torch.float32):
        _check_torch(tree, formula, points, dtype)
    if smooth is not None:
        _check_torch(tree, formula, smooth, torch.float64)
        _check_differences(tree, formula, smooth)
        _check_sympy(tree, formula, smooth)


def _check_torch(tree: Tree, formula: str, points: Points, dtype: torch.dtype) -> None:
    """PyTorch, twice: our formula run on its tensors, and its own functions; each with autograd."""
    tensors = {name: torch.tensor(values, dtype=dtype) for name, values in points.items()}
    rounded = {name: values.double().numpy() for name, values in tensors.items()}
    double = dtype == torch.float64
    for oracle, compute in (
        ("evaluate_torch", lambda at: evaluate_torch(tree, at, dtype)),
        ("PyTorch", lambda at: by_torch(tree, at)),
    ):
        leaves = {name: values.clone().requires_grad_() for name, values in tensors.items()}
        result = torch.as_tensor(compute(leaves), dtype=dtype).expand(len(next(iter(leaves.values()))))
        here = evaluate(tree, rounded)
        _agree(f"{formula}: value by {oracle}", rounded, here, result.detach().numpy(), single=not double)
        slopes: Sequence[torch.Tensor | None] = [None] * len(leaves)
        if result.requires_grad:
            slopes = torch.autograd.grad(result.sum(), list(leaves.values()), allow_unused=True)
        for (name, leaf), slope in zip(leaves.items(), slopes, strict=True):
            there = np.zeros(len(leaf)) if slope is None else slope.numpy()
            here = evaluate(derivative(tree, name), rounded)
            if oracle == "PyTorch" and "where" in functions_of(tree):  # its NaN is 0 times the side not taken
                there = np.where(np.isnan(there), here, there)
            _agree(f"{formula}: d/d{name} by {oracle}", rounded, here, there, single=not double)


def _check_differences(tree: Tree, formula: str, points: Points) -> None:
    """(f(a + h) - f(a - h))/2h."""
    values = {name: np.array(numbers) for name, numbers in points.items()}
    if functions_of(tree) & {"stop", "old"}:
        return  # the difference quotient sees through it
    for name in symbols(tree):
        h = 1e-5 * np.maximum(np.abs(values[name]), 0.1)
        ends = [evaluate(tree, {**values, name: values[name] + step}) for step in (h, -h)]
        here = evaluate(derivative(tree, name), values)
        _agree(f"{formula}: d/d{name} by differences", values, here, (ends[0] - ends[1]) / (2 * h), 1e-6, 1e-8)


def _check_sympy(tree: Tree, formula: str, points: Points) -> None:
    if functions_of(tree) & {"stop", "old"}:
        return
    exact, names = by_sympy(tree), list(points)
    letters = [sympy.Symbol(name, real=True) for name in names]
    values = {name: np.array(numbers) for name, numbers in points.items()}
    wanted = [("value", exact, tree)]
    wanted += [
        (f"d/d{name}", _slope(exact, letter), derivative(tree, name))
        for name, letter in zip(names, letters, strict=True)
    ]
    for what, expression, ours in wanted:
        compute = sympy.lambdify(letters, expression, "mpmath")
        there = [float(compute(*at)) for at in zip(*points.values(), strict=True)]
        _agree(f"{formula}: {what} by SymPy", values, evaluate(ours, values), np.array(there), 1e-9, 1e-13)


def _slope(expression: Any, letter: Any) -> Any:
    """SymPy's derivative; that of a step (a comparison, floor) is 0 between the jumps."""
    steps = {part: sympy.Integer(0) for part in expression.diff(letter).atoms(sympy.Derivative, sympy.Subs)}
    return expression.diff(letter).xreplace(steps)


def _agree(
    what: str,
    at: Mapping[str, Array],
    here: Any,
    there: Array,
    relative: float = 1e-12,
    absolute: float = 1e-15,
    *,
    single: bool = False,
) -> None:
    """Equal up to rounding; infinite and undefined in the same places."""
    ours = np.broadcast_to(np.asarray(here, dtype=np.float64), np.shape(there))
    theirs = np.asarray(there, dtype=np.float64)
    if single:
        relative, absolute = 2e-4, 2e-7
        with np.errstate(over="ignore"):
            ours = np.asarray(ours.astype(np.float32), dtype=np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        close = (np.abs(ours - theirs) <= absolute + relative * np.abs(theirs)) | (ours == theirs)
    wrong = ~(close | (np.isnan(ours) & np.isnan(theirs)))
    if wrong.any():
        i = int(np.argmax(wrong))
        place = ", ".join(f"{name} = {values[i]:g}" for name, values in at.items())
        raise AssertionError(f"{what} at {place}: {ours[i]!r} here, {theirs[i]!r} there")
