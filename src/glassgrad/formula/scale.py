"""The scale of a value: how large rounding can be, relative to which two correct programs are compared.

    scale(a + b) = scale(a) + scale(b)
    scale(a*b)   = scale(a)*scale(b)
    scale(a/b)   = scale(a)*scale(b)/b²
    scale(f(a))  = the largest of |f(a)|, |f'(a)|*scale(a), |f(a ± ε) - f(a)|/rounding; ε = rounding*scale(a)

The last one sees what a derivative does not: kinks, jumps, and squares of what is 0 by cancellation.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import cast

import numpy as np

from glassgrad.formula.backends import NUMPY, NumPy
from glassgrad.formula.derivative import local_derivative
from glassgrad.formula.evaluate import is_aggregate, row_value, value_numpy
from glassgrad.formula.functions import CONSTANTS, Array
from glassgrad.formula.tree import Apply, Number, Symbol, Tree

Pair = tuple[Array, Array]  # a value and its scale


class Scaled:
    """Evaluates a formula together with its scale; see `evaluate_with_scale`."""

    def __init__(
        self, values: Mapping[str, Array], scales: Mapping[str, Array], rounding: float, backend: NumPy = NUMPY
    ) -> None:
        self.values, self.scales, self.rounding, self.backend = values, scales, rounding, backend

    def of(self, tree: Tree) -> Pair:
        match tree:
            case Number(value):
                return np.float64(value), np.float64(abs(value))
            case Symbol(name):
                known = np.asarray(self.values.get(name, CONSTANTS.get(name)), dtype=np.float64)[()]
                return known, np.asarray(self.scales.get(name, np.abs(known)), dtype=np.float64)[()]
            case Apply("where", (condition, then, otherwise)):
                return self.where(cast(Apply, condition), self.of(then), self.of(otherwise))
            case Apply("max" | "min" as name, (a, b)):
                sides = self.of(a), self.of(b)
                _, scale = self.where(Apply(">=" if name == "max" else "<=", (a, b)), *sides)
                return row_value(name, 2)(NUMPY, sides[0][0], sides[1][0]), scale
            case Apply(name, arguments):
                pairs = [self.of(argument) for argument in arguments]
                values, scales = [value for value, _ in pairs], [scale for _, scale in pairs]
                value = row_value(name, len(pairs))(self.backend, *values)
                if name == "**" and isinstance(arguments[1], Number):
                    scales[1] = np.float64(0)  # a number in the exponent is exact
                aggregate = is_aggregate(tree)
                scale = self.aggregate(name, value, scales[0]) if aggregate else self.scale(name, value, values, scales)
                if np.isnan(scale).any():
                    scale = np.where(np.isnan(scale) & np.isfinite(value), np.inf, scale)[()]  # inf: not known
                return value, scale

    def scale(self, name: str, value: Array, values: list[Array], scales: list[Array]) -> Array:
        match name:
            case "+":
                return NUMPY.total(tuple(scales))
            case "*":
                return NUMPY.product(tuple(scales))
            case "/":
                return (scales[0] / np.abs(values[1])) * (scales[1] / np.abs(values[1]))
            case "neg" | "stop" | "old" | "abs":
                return scales[0]
        moved = self.moved(name, value, values, scales)
        return np.maximum(np.maximum(np.abs(value), _first_order(name, values, scales)), moved)

    def aggregate(self, name: str, value: Array, scale: Array) -> Array:
        match name:
            case "mean" | "sum" | "norm" | "others" | "group_mean" | "group_others":
                return np.maximum(np.abs(value), row_value(name, 1)(self.backend, scale))
            case "count":
                return np.abs(value)
            case "group_std":
                return np.maximum(np.abs(value), self.backend.group_max(scale))
        return np.maximum(np.abs(value), np.max(scale))

    def moved(self, name: str, value: Array, values: list[Array], scales: list[Array]) -> Array:
        """|f(a ± ε) - f(a)|/rounding, the largest; infinite where f is not defined so near."""
        most = np.zeros(np.shape(value))
        for i, scale in enumerate(scales):
            for step in (self.rounding, -self.rounding):
                shifted = [*values[:i], values[i] + step * scale, *values[i + 1 :]]
                change = np.abs(row_value(name, len(values))(NUMPY, *shifted) - value) / self.rounding
                change = np.where(np.isnan(change) & np.isfinite(value), np.inf, change)
                most = np.fmax(most, np.where(scale > 0, change, 0.0))
        return most[()]

    def where(self, condition: Apply, then: Pair, otherwise: Pair) -> Pair:
        """The side that is taken; if the comparison is nearer than rounding, all between the two."""
        (left, room_left), (right, room_right) = (self.of(argument) for argument in condition.arguments)
        taken = row_value(condition.function, 2)(NUMPY, left, right)
        value, scale = (np.where(taken, a, b) for a, b in zip(then, otherwise, strict=True))
        room = room_left + room_right
        near = (np.abs(left - right) <= self.rounding * room) & (room > 0)
        if _exact(condition, self.values):
            near = np.zeros_like(near)
        between = then[1] + otherwise[1] + np.abs(then[0] - otherwise[0]) / self.rounding
        return value[()], np.where(near, np.where(np.isnan(between), np.inf, between), scale)[()]


def _first_order(name: str, values: list[Array], scales: list[Array]) -> Array:
    """Σ |∂f/∂a| * scale(a): how far rounding in the arguments moves the value."""
    at = dict(zip("ab", values, strict=False))
    slopes = [np.abs(value_numpy(tree, at)) for tree in _slopes(name, len(values))]
    terms = [np.where(scale > 0, slope * scale, 0.0) for slope, scale in zip(slopes, scales, strict=True)]
    return NUMPY.total(tuple(np.nan_to_num(term, posinf=np.inf) for term in terms))


@lru_cache
def _slopes(name: str, count: int) -> tuple[Tree, ...]:
    """The derivatives of a function in each of its arguments, a and b."""
    names = tuple(Symbol(letter) for letter in "ab"[:count])
    return tuple(local_derivative(name, i, names) for i in range(count))


def _exact(condition: Apply, values: Mapping[str, Array]) -> bool:
    """Whether nothing rounds in a comparison: it compares given whole numbers."""
    return all(isinstance(part, Number) or _whole(part, values) for part in condition.arguments)


def _whole(tree: Tree, values: Mapping[str, Array]) -> bool:
    if isinstance(tree, Apply) and tree.function in ("+", "neg"):
        return all(_whole(part, values) for part in tree.arguments)
    if isinstance(tree, Number):
        return tree.value == round(tree.value)
    if not isinstance(tree, Symbol) or tree.name not in values:
        return False
    value = np.asarray(values[tree.name], dtype=np.float64)
    return bool(np.all(np.floor(value) == value))
