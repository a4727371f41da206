"""The value of a formula: on NumPy arrays and on PyTorch tensors; and what made it infinite.

How far rounding can move a value is told in `glassgrad.formula.scale`.
"""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from glassgrad.formula.backends import NUMPY, NumPy, Torch
from glassgrad.formula.functions import AGGREGATES, CONSTANTS, FUNCTIONS, Array
from glassgrad.formula.text import show
from glassgrad.formula.tree import Apply, Number, Symbol, Tree, parts, replace, symbols, walk

if TYPE_CHECKING:
    import torch

__all__ = ["Values", "culprit", "evaluate", "evaluate_torch", "evaluate_with_scale"]

Values = Mapping[str, Array]


def evaluate(tree: Tree, values: Values, backend: NumPy = NUMPY) -> Array:
    """The value of a formula on NumPy arrays (or numbers), which broadcast; in double precision.

    backend: what computes mean(…) and its like; by default over all there is.

    Example:
        >>> from glassgrad.formula.parser import parse
        >>> float(evaluate(parse("2*(o - t)"), {"o": 7.5, "t": 8.0}))
        -1.0
    """
    with np.errstate(all="ignore"):
        return value_numpy(tree, values, backend)


def value_numpy(tree: Tree, values: Values, backend: NumPy = NUMPY) -> Array:
    """The same, with NumPy's warnings as they are set."""
    if isinstance(tree, Apply):
        inner = [value_numpy(part, values, backend) for part in tree.arguments]
        return row_value(tree.function, len(inner))(backend, *inner)
    if isinstance(tree, Number):
        return np.float64(tree.value)
    return np.asarray(values[tree.name] if tree.name in values else CONSTANTS[tree.name], dtype=np.float64)[()]


def row_value(name: str, count: int) -> Any:
    """The row's value: an aggregate's, if the name has one argument and is one."""
    return AGGREGATES[name].value if count == 1 and name in AGGREGATES else FUNCTIONS[name].value


def evaluate_torch(tree: Tree, values: Values, dtype: "torch.dtype", group: int = 1) -> Array:
    """The value of a formula on PyTorch tensors, with autograd's graph behind it; the kinks are the table's.

    What no tensor enters is computed in Python's double precision, as in a script.
    group: how many samples, side by side, answer the same question.
    """
    return _Torch(Torch(dtype, group)).value(tree, values)


class _Torch:
    def __init__(self, backend: Torch) -> None:
        self.backend = backend
        self.torch = backend.torch
        self.tensor = backend.torch.Tensor

    def value(self, tree: Tree, values: Values) -> Array:
        if isinstance(tree, Number):
            return tree.value
        if isinstance(tree, Symbol):
            return values[tree.name] if tree.name in values else CONSTANTS[tree.name]
        name, arguments = tree.function, tree.arguments
        if name == "where":
            condition, then, otherwise = arguments
            return self.chosen(self.value(condition, values), then, otherwise, values)
        if name in ("max", "min") and len(arguments) == 2:
            a, b = arguments
            return self.chosen(self.first_wins(name, self.value(a, values), self.value(b, values)), a, b, values)
        inner = [self.value(argument, values) for argument in arguments]
        for value in inner:
            if isinstance(value, self.tensor):
                return row_value(name, len(inner))(self.backend, *inner)
        with np.errstate(all="ignore"):
            result = row_value(name, len(inner))(NUMPY, *(np.float64(value) for value in inner))
        return bool(result) if isinstance(result, np.bool_) else float(result)

    def first_wins(self, name: str, a: Array, b: Array) -> Array:
        """Where max (min) takes its first argument: at ties too, and where that is NaN."""
        with self.torch.no_grad():
            return ((a >= b) if name == "max" else (a <= b)) | (a != a)

    def chosen(self, taken: Array, then: Tree, otherwise: Tree, values: Values) -> Array:
        """Each side is computed only where it is taken: autograd never meets the other one, nor its NaN."""
        if not isinstance(taken, self.tensor):
            return self.value(then if taken else otherwise, values)
        if isinstance(then, Number) and isinstance(otherwise, Number):  # [a > b]: nothing to meet
            return self.backend.where(taken, then.value, otherwise.value)
        for side, mask in ((then, taken), (otherwise, ~taken)):
            if bool(mask.all()):
                value = self.backend.tensor(self.value(side, values))
                return value.expand(self.torch.broadcast_shapes(value.shape, mask.shape))
        values = self.with_aggregates((then, otherwise), values)
        then, otherwise = named_aggregates(then), named_aggregates(otherwise)
        read = {name: values[name] for side in (then, otherwise) for name in symbols(side) if name in values}
        shapes = (value.shape for value in read.values() if isinstance(value, self.tensor))
        shape = self.torch.broadcast_shapes(taken.shape, *shapes)
        result = self.torch.zeros(shape, dtype=self.backend.dtype)
        for side, mask in ((then, taken.expand(shape)), (otherwise, ~taken.expand(shape))):
            there = {name: self.within(value, mask) for name, value in read.items()}
            part = self.backend.tensor(self.value(side, there))
            result = result.masked_scatter(mask, part.expand(int(mask.sum())))
        return result

    def within(self, value: Array, mask: Array) -> Array:
        return value.expand(mask.shape)[mask] if isinstance(value, self.tensor) else value

    def with_aggregates(self, trees: tuple[Tree, ...], values: Values) -> Values:
        """The values, and those of the aggregates inside the trees: they read all samples, taken or not."""
        found = {show(part): part for tree in trees for part in walk(tree) if is_aggregate(part)}
        return {**values, **{name: self.value(part, values) for name, part in found.items()}}


def is_aggregate(tree: Tree) -> bool:
    """Whether a tree is mean(…) or another aggregate of one argument."""
    return isinstance(tree, Apply) and len(tree.arguments) == 1 and tree.function in AGGREGATES


def named_aggregates(tree: Tree) -> Tree:
    """A tree in which each aggregate has become a symbol named by its text: nobody else can use `mean(r)`."""
    return replace(tree, lambda part: Symbol(show(part)) if is_aggregate(part) else None)


def culprit(tree: Tree, values: Values, largest: float = math.inf, backend: NumPy = NUMPY) -> str | None:
    """The innermost part of a formula that is not finite although all that it reads is: `log(0)`.

    Arrays are searched for the first sample with such a part.
    largest: numbers beyond this count as infinite (3.4e38 in single precision). backend: what computes mean(…).

    Example:
        >>> from glassgrad.formula.parser import parse
        >>> culprit(parse("-stop(r)*log(o)"), {"r": 1.0, "o": 0.0})
        'log(0)'
    """
    for part in filter(is_aggregate, walk(tree)):
        (inner,) = parts(part)
        if found := culprit(inner, values, largest, backend):
            return found
        before, after = (_finite(evaluate(one, values, backend), largest) for one in (inner, part))
        if before.all() and not after.all():
            return show(part)
    values = {**values, **{show(part): evaluate(part, values, backend) for part in filter(is_aggregate, walk(tree))}}
    return _first_culprit(named_aggregates(tree), values, largest)


def _finite(value: Array, largest: float) -> Array:
    found = np.asarray(value, dtype=np.float64)
    return np.isfinite(found) & (np.abs(found) <= largest)


def _first_culprit(tree: Tree, values: Values, largest: float) -> str | None:
    """The culprit at the first sample whose value is not finite although all that it is computed from is."""
    names = [name for name in symbols(tree) if name in values]
    result, *read = np.broadcast_arrays(evaluate(tree, values), *(np.asarray(values[name]) for name in names))
    guilty = ~_finite(result, largest)
    for value in read:
        guilty = guilty & _finite(value, largest)
    if not guilty.any():
        return None
    at = int(np.argmax(guilty))
    return _innermost(tree, {name: float(value.flat[at]) for name, value in zip(names, read, strict=True)}, largest)


def _innermost(tree: Tree, values: Values, largest: float) -> str | None:
    if not isinstance(tree, Apply) or _finite(evaluate(tree, values), largest):
        return None
    if tree.function == "where":
        condition, then, otherwise = tree.arguments
        return _innermost(then if evaluate(condition, values) else otherwise, values, largest)
    for argument in tree.arguments:
        if found := _innermost(argument, values, largest):
            return found
    numbers = tuple(Number(float(f"{evaluate(argument, values):.6g}")) for argument in tree.arguments)
    return show(Apply(tree.function, numbers))


def evaluate_with_scale(
    tree: Tree, values: Values, scales: Values, rounding: float, backend: NumPy = NUMPY
) -> tuple[Array, Array]:
    """The value of a formula, and its scale: the formula with the absolute value of every term.

    Two correct programs differ by rounding, and rounding is as large as the scale, however small the value
    has become by cancellation.

    values, scales: for each symbol its value and its scale (absent: the absolute value).
    rounding: how far two correct programs may be apart, as a share of the scale; where a kink or a jump is
        that close, either side is right, and the scale grows by what lies between them.
    backend: what computes mean(…) and its like.

    Example:
        >>> from glassgrad.formula.parser import parse
        >>> [float(v) for v in evaluate_with_scale(parse("a - b"), {"a": 3.0, "b": 2.5}, {}, 1e-6)]
        [0.5, 5.5]
    """
    from glassgrad.formula.scale import Scaled

    with np.errstate(all="ignore"):
        return Scaled(values, scales, rounding, backend).of(tree)
