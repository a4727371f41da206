"""The two libraries that can compute a formula, under the same names: NumPy, and PyTorch if asked for."""

import functools
import math
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from glassgrad.formula.functions import Array

if TYPE_CHECKING:
    import torch


class Backend(Protocol):
    """What a row of the table may ask of the library that computes; the names are NumPy's."""

    def where(self, condition: Array, then: Array, otherwise: Array) -> Array: ...
    def __getattr__(self, name: str) -> Any: ...


class NumPy:
    """Formulas on NumPy arrays; both sides of a `where` are computed and the one is chosen.

    group: how many samples, side by side, answer the same question; of 1, each stands for all answers to its question.
    """

    def __init__(self, group: int = 1) -> None:
        self.group = group

    exp, log, sqrt, tanh, sin, cos = np.exp, np.log, np.sqrt, np.tanh, np.sin, np.cos
    abs, sign, divide, power = np.abs, np.sign, np.divide, np.power
    round, where = staticmethod(np.round), staticmethod(np.where)
    mean, sum, amax, amin = (staticmethod(of) for of in (np.mean, np.sum, np.max, np.min))

    def total(self, terms: tuple[Array, ...]) -> Array:
        return functools.reduce(operator.add, terms)

    def product(self, factors: tuple[Array, ...]) -> Array:
        return functools.reduce(operator.mul, factors)

    def stop(self, a: Array) -> Array:
        return a

    def relu(self, a: Array) -> Array:
        return np.maximum(a, 0.0)

    def sigmoid(self, a: Array) -> Array:
        small = np.exp(-np.abs(a))  # never overflows
        return np.where(np.asarray(a) >= 0, 1.0, small) / (1.0 + small)

    def softplus(self, a: Array) -> Array:
        return np.where(np.asarray(a) > 20, a, np.log1p(np.exp(np.minimum(a, 20))))

    def erf(self, a: Array) -> Array:
        return np.vectorize(math.erf, otypes=[np.float64])(a)[()]

    def std(self, a: Array) -> Array:
        return np.sqrt(np.divide(np.sum((a - np.mean(a)) ** 2), np.size(a) - 1))  # NaN for one sample

    def norm(self, a: Array) -> Array:
        return np.sqrt(np.sum(np.square(a)))

    def count(self, a: Array) -> Array:
        return np.float64(np.size(a))

    def others(self, a: Array) -> Array:
        return np.divide(np.sum(a) - a, np.size(a) - 1) if np.ndim(a) else a  # one number stands for all samples

    def group_mean(self, a: Array) -> Array:
        return self.within(a, lambda rows: np.mean(rows, axis=1, keepdims=True))

    def group_std(self, a: Array) -> Array:
        away = a - self.group_mean(a)
        return self.within(away, lambda rows: np.sqrt(np.sum(rows**2, axis=1, keepdims=True) / (self.group - 1)))

    def group_others(self, a: Array) -> Array:
        return self.within(a, lambda rows: (np.sum(rows, axis=1, keepdims=True) - rows) / (self.group - 1))

    def group_max(self, a: Array) -> Array:
        return self.within(a, lambda rows: np.max(rows, axis=1, keepdims=True))

    def within(self, a: Array, of: Callable[[Array], Array]) -> Array:
        """What a function of rows (groups, answers) gives, for every sample again."""
        if self.group == 1 or np.ndim(a) == 0:
            return a
        rows = np.reshape(a, (-1, self.group))
        return np.broadcast_to(of(rows), rows.shape).reshape(np.shape(a))


class Torch:
    """Formulas on PyTorch tensors; numbers of the formula stay Python numbers, as in a script.

    group: how many samples, side by side, answer the same question. several: how many outputs (or weights) there are,
    a column each: what has that many columns is summed over them, and not over the samples.
    """

    def __init__(self, dtype: "torch.dtype", group: int = 1, several: int = 1) -> None:
        import torch

        self.torch, self.dtype, self.group, self.several = torch, dtype, group, several
        self.exp, self.log, self.sqrt, self.tanh = torch.exp, torch.log, torch.sqrt, torch.tanh
        self.sin, self.cos, self.abs = torch.sin, torch.cos, torch.abs
        self.sign, self.round = torch.sign, torch.round
        self.relu, self.sigmoid, self.erf = torch.relu, torch.sigmoid, torch.erf
        self.softplus = torch.nn.functional.softplus

    def total(self, terms: tuple[Array, ...]) -> Array:
        return functools.reduce(operator.add, terms)

    def product(self, factors: tuple[Array, ...]) -> Array:
        return functools.reduce(operator.mul, factors)

    def divide(self, a: Array, b: Array) -> Array:
        return a / b

    def power(self, a: Array, b: Array) -> Array:
        return self.torch.pow(a, b)

    def stop(self, a: Array) -> Array:
        return a.detach()

    def where(self, condition: Array, then: Array, otherwise: Array) -> Array:
        return self.torch.where(condition, self.tensor(then), self.tensor(otherwise))

    def tensor(self, a: Array) -> "torch.Tensor":
        return a if isinstance(a, self.torch.Tensor) else self.torch.tensor(float(a), dtype=self.dtype)

    def across(self, a: Array) -> bool:
        """Whether a has a column for each output."""
        return bool(self.several > 1 and a.dim() == 2 and a.shape[1] == self.several)

    def sum(self, a: Array) -> Array:
        return a.sum(dim=1, keepdim=True) if self.across(a) else a.sum()

    def count(self, a: Array) -> Array:
        return float(self.several if self.across(a) else a.numel())

    def mean(self, a: Array) -> Array:
        return a.mean(dim=1, keepdim=True) if self.across(a) else a.mean()

    def amax(self, a: Array) -> Array:
        """The largest; of equal outputs the first has the derivative, of equal samples each has its share."""
        return a.gather(1, a.argmax(dim=1, keepdim=True)) if self.across(a) else a.amax()

    def amin(self, a: Array) -> Array:
        return -self.amax(-a)

    def norm(self, a: Array) -> Array:
        return self.torch.linalg.vector_norm(a, dim=1 if self.across(a) else None, keepdim=self.across(a))

    def std(self, a: Array) -> Array:
        return self.torch.sqrt(self.sum((a - self.mean(a)) ** 2) / (self.count(a) - 1))

    def others(self, a: Array) -> Array:
        return (self.sum(a) - a) / (self.count(a) - 1) if a.dim() else a

    def below(self, a: Array) -> Array:
        """For each output the sum over those before it."""
        return self.torch.cat([self.torch.zeros_like(a[:, :1]), a[:, :-1].cumsum(dim=1)], dim=1)

    def group_mean(self, a: Array) -> Array:
        return self.within(a, lambda rows: rows.mean(dim=1, keepdim=True))

    def group_std(self, a: Array) -> Array:
        away = a - self.group_mean(a)
        return self.within(away, lambda rows: self.torch.sqrt((rows**2).sum(dim=1, keepdim=True) / (self.group - 1)))

    def group_others(self, a: Array) -> Array:
        return self.within(a, lambda rows: (rows.sum(dim=1, keepdim=True) - rows) / (self.group - 1))

    def within(self, a: Array, of: Callable[[Array], Array]) -> Array:
        """What a function of rows (groups, answers) gives, for every sample again."""
        if self.group == 1 or a.dim() == 0:
            return a
        rows = a.reshape(-1, self.group)
        return of(rows).expand(rows.shape).reshape(a.shape)


NUMPY = NumPy()
