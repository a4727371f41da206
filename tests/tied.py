"""Formulas held against PyTorch: one way to check a row, and the small errors that the check has to see."""

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from glassgrad.formula import Apply, Number, Symbol, Tree, derivative, evaluate, symbols
from glassgrad.formula.evaluate import evaluate_torch, evaluate_with_scale
from glassgrad.formula.tree import substitute
from glassgrad.tables.row import Row

Floats = NDArray[np.float64]
Tensors = dict[str, torch.Tensor]

ROUNDINGS = 16  # how many roundings of its scale a number may be away from PyTorch's
PLANTED = 1.0005  # an error of 0.05 % has to be seen


@dataclass(frozen=True)
class Tied:
    """A formula and what it is in PyTorch.

    name: the row, as a failure names it. by: the symbol in which both are differentiated.
    inputs: values of the symbols, arrays of one length. numbers: the row's settings.
    """

    name: str
    tree: Tree
    by: str
    inputs: Mapping[str, Floats]
    reference: Callable[[Tensors], torch.Tensor]
    numbers: Mapping[str, float] = field(default_factory=dict)


def pytorch(row: Row, **more: object) -> Callable[..., torch.Tensor]:
    """What a row says that it is: a function of PyTorch, or a module made with the row's settings."""
    assert row.torch is not None
    found = operator.attrgetter(row.torch.path)(torch)
    if isinstance(found, type):
        found = found(**row.torch.arguments(row.numbers), **more)
    made: Callable[..., torch.Tensor] = found
    return made


def check(tied: Tied) -> None:
    """Value and derivative of a formula, on NumPy and on PyTorch in both precisions, against PyTorch's own.

    Raises:
        AssertionError: they differ; the message has the row, what differs, and where.
    """
    slope = derivative(tied.tree, tied.by)
    for dtype in (torch.float64, torch.float32):
        given = {name: torch.tensor(value, dtype=dtype) for name, value in tied.inputs.items()}
        exact = {name: value.double().numpy() for name, value in given.items()}
        value, gradient = _expected(tied, given)
        for what, tree, expected in (("value", tied.tree, value), ("derivative", slope, gradient)):
            room = _room(tree, {**exact, **tied.numbers}, dtype)
            ours = evaluate_torch(tree, {**given, **tied.numbers}, dtype)
            _hold(tied, f"{what} in {dtype}", np.asarray(torch.as_tensor(ours).double()), expected, room, exact)
            if dtype == torch.float64:
                numpy = np.asarray(evaluate(tree, {**exact, **tied.numbers}))
                _hold(tied, f"{what} on NumPy", numpy, expected, room, exact)


def _expected(tied: Tied, given: Tensors) -> tuple[Floats, Floats]:
    """PyTorch's value and derivative."""
    moved = given[tied.by].clone().requires_grad_()
    value = tied.reference({**given, tied.by: moved})
    (gradient,) = torch.autograd.grad(value.sum(), moved)
    return value.detach().double().numpy(), gradient.double().numpy()


def _room(tree: Tree, values: Mapping[str, object], dtype: torch.dtype) -> Floats:
    """How far rounding may lead two correct programs apart."""
    precision = torch.finfo(dtype)
    _, scale = evaluate_with_scale(tree, values, {}, precision.eps)
    return np.asarray(ROUNDINGS * precision.eps * scale + precision.tiny, dtype=np.float64)


def _hold(tied: Tied, what: str, ours: Floats, expected: Floats, room: Floats, at: Mapping[str, Floats]) -> None:
    ours, room = np.broadcast_to(ours, expected.shape), np.broadcast_to(room, expected.shape)
    wrong = ~(np.abs(ours - expected) <= room)
    if wrong.any():
        i = int(np.argmax(wrong))
        where = ", ".join(f"{name} = {value[i]!r}" for name, value in at.items())
        raise AssertionError(f"{tied.name}: {what} is {ours[i]!r}, PyTorch has {expected[i]!r}, at {where}")


def plants(tree: Tree, settings: Mapping[str, float]) -> Iterator[Tree]:
    """A formula with an error of 0.05 %: in the whole, in each number, in each setting."""
    yield Apply("*", (Number(PLANTED), tree))
    for name in symbols(tree):
        if name in settings:
            yield substitute(tree, {name: Apply("*", (Number(PLANTED), Symbol(name)))})
    yield from _with_a_number_changed(tree)


def _with_a_number_changed(tree: Tree) -> Iterator[Tree]:
    if isinstance(tree, Number) and tree.value != 0:
        yield Number(PLANTED * tree.value)
    if isinstance(tree, Apply):
        for i, part in enumerate(tree.arguments):
            for changed in _with_a_number_changed(part):
                yield Apply(tree.function, (*tree.arguments[:i], changed, *tree.arguments[i + 1 :]))
