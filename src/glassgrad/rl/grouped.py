"""Formulas over samples that lie in groups: mean(…) and its like read the samples of the same group."""

import numpy as np

from glassgrad.formula.backends import NumPy
from glassgrad.formula.functions import Array


class Grouped(NumPy):
    """Arrays (repetitions, questions, answers): some of the axes are a group.

    What reads the answers to one question (group_mean and its like) reads along the last of them.

    Example:
        >>> from glassgrad.formula.evaluate import evaluate
        >>> from glassgrad.formula.parser import parse
        >>> r = np.array([[[1.0, 3.0], [5.0, 5.0]]])
        >>> evaluate(parse("r - mean(r)"), {"r": r}, Grouped(r.shape, (2,)))
        array([[[-1.,  1.],
                [ 0.,  0.]]])
    """

    def __init__(self, shape: tuple[int, ...], axes: tuple[int, ...]) -> None:
        self.shape, self.axes = shape, axes
        self.size = int(np.prod([shape[axis] for axis in axes]))

    def every(self, a: Array) -> Array:
        return np.broadcast_to(a, self.shape)

    def mean(self, a: Array) -> Array:
        return np.mean(self.every(a), axis=self.axes, keepdims=True)

    def sum(self, a: Array) -> Array:
        return np.sum(self.every(a), axis=self.axes, keepdims=True)

    def amax(self, a: Array) -> Array:
        return np.max(self.every(a), axis=self.axes, keepdims=True)

    def amin(self, a: Array) -> Array:
        return np.min(self.every(a), axis=self.axes, keepdims=True)

    def std(self, a: Array) -> Array:
        away = self.every(a) - self.mean(a)
        return np.sqrt(np.divide(np.sum(away**2, axis=self.axes, keepdims=True), self.size - 1))

    def norm(self, a: Array) -> Array:
        return np.sqrt(self.sum(np.square(a)))

    def count(self, a: Array) -> Array:
        return np.float64(self.size)

    def others(self, a: Array) -> Array:
        return np.divide(self.sum(a) - a, self.size - 1)

    def group_mean(self, a: Array) -> Array:
        return self.answers.mean(a)

    def group_std(self, a: Array) -> Array:
        return self.answers.std(a)

    def group_others(self, a: Array) -> Array:
        return self.answers.others(a)

    @property
    def answers(self) -> "Grouped":
        """The answers to one question alone."""
        return Grouped(self.shape, self.axes[-1:])


__all__ = ["Grouped"]
