"""A task: what is asked, how questions are drawn, what is true, and what counts as solved."""

import itertools
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from glassgrad.draws import Floats, uniforms
from glassgrad.errors import ExperimentError
from glassgrad.formula.evaluate import evaluate
from glassgrad.formula.parser import parse
from glassgrad.formula.text import number_text
from glassgrad.locale import Text, text

_read = lru_cache(maxsize=256)(parse)  # once a formula, not once a step
GRID = 11  # questions along a real range, when a whole domain is asked
MAX_DOMAIN = 20_000


@dataclass(frozen=True, slots=True)
class Draw:
    """How some variables are drawn: whole or real numbers from low to high, or a choice of values.

    Example:
        >>> digits = Draw(("x1", "x2"), "integers", 0, 9)
        >>> digits.sample(np.random.RandomState(0), 3)["x1"]
        array([5., 3., 7.])
    """

    names: tuple[str, ...]
    kind: Literal["integers", "real", "choice"]
    low: float = 0
    high: float = 9
    values: tuple[int, ...] = ()

    def sample(self, stream: np.random.RandomState, n: int) -> dict[str, Floats]:
        """n values of each name, with the calls that a plain script makes."""
        shape = (n, len(self.names))
        if self.kind == "choice":
            columns: NDArray[np.generic] = stream.choice(np.array(self.values), shape)
        elif self.kind == "integers":
            columns = stream.randint(int(self.low), int(self.high) + 1, shape)
        else:
            columns = stream.uniform(self.low, self.high, shape)
        return dict(zip(self.names, columns.reshape(shape).astype(np.float64).T, strict=True))

    def at(self, uniform: Floats) -> dict[str, Floats]:
        """The values that numbers u, 0 <= u < 1, stand for; shape (n, names)."""
        if self.kind == "choice":
            columns = np.array(self.values, dtype=np.float64)[(uniform * len(self.values)).astype(np.int64)]
        elif self.kind == "integers":
            columns = self.low + np.floor(uniform * (self.high - self.low + 1))
        else:
            columns = self.low + uniform * (self.high - self.low)
        return dict(zip(self.names, columns.T, strict=True))

    def every(self) -> list[float]:
        """Every value that one name can have (a grid for real ranges)."""
        return {
            "choice": [float(value) for value in self.values],
            "integers": [float(value) for value in range(int(self.low), int(self.high) + 1)],
            "real": [float(value) for value in np.linspace(self.low, self.high, GRID)],
        }[self.kind]


@dataclass(frozen=True, slots=True)
class Table:
    """The user's own data: inputs of shape (rows, columns), truth of shape (rows,), and the columns' names.

    label: the name of the column that is the truth; "" where a formula says what is true (truth is then NaN).
    held_out: how many rows at the end are kept from training.
    """

    columns: tuple[str, ...]
    label: str
    inputs: Floats
    truth: Floats
    held_out: int = 0

    @property
    def trained(self) -> int:
        """How many rows are trained on: all but those held out."""
        return len(self.inputs) - self.held_out


@dataclass(frozen=True, slots=True)
class Task:
    """What is asked and what is true.

    draws: the variables and how they are drawn, in order.
    inputs: what the network reads: formulas in the variables; input i is called x1, x2, ….
    truth: the label, a formula in the inputs.
    template: how a question is written, in the inputs: `{x1} + {x2}`; `{x3:sign}` stands for + or -.
    asked: the questions that a report works out, as inputs.
    tolerance: an answer is right if it is nearer to the truth than this.
    outside: the range of questions outside of training, for extrapolation; None where there is none.
    data: the user's own rows, instead of draws.
    """

    name: str
    draws: tuple[Draw, ...]
    inputs: tuple[str, ...]
    truth: str
    template: str
    asked: tuple[tuple[float, ...], ...] = ()
    tolerance: float = 0.5
    outside: tuple[int, int] | None = None
    reading: Text = field(default_factory=lambda: text("task.own"))
    data: Table | None = field(default=None, compare=False)

    @property
    def names(self) -> tuple[str, ...]:
        """x1, x2, …"""
        return tuple(f"x{i + 1}" for i in range(len(self.inputs)))

    def true(self, inputs: Floats) -> Floats:
        """The truth for inputs of shape (n, inputs), of shape (n,).

        Of the user's data: all rows, or all that are trained on, have their own labels; other questions have
        the mean of their labels in the data, NaN where they do not stand there.
        """
        if self.data is not None and not self.truth:
            return _looked_up(self.data, inputs)
        values = dict(zip(self.names, inputs.T, strict=True))
        truth = np.asarray(evaluate(_read(self.truth, self.names), values), dtype=np.float64)
        return np.broadcast_to(truth, (len(inputs),)).copy()

    def read(self, variables: Mapping[str, Floats], n: int) -> Floats:
        """What the network reads, of shape (n, inputs)."""
        columns = [np.broadcast_to(evaluate(_read(formula), variables), (n,)) for formula in self.inputs]
        return np.stack(columns, axis=1).astype(np.float64)

    def sample(self, stream: np.random.RandomState, n: int) -> Floats:
        """n questions, as inputs of shape (n, inputs); of the user's data all rows that are trained on."""
        if self.data is not None:
            return self.data.inputs[: self.data.trained]
        variables: dict[str, Floats] = {}
        for draw in self.draws:
            variables |= draw.sample(stream, n)
        return self.read(variables, n)

    def held_out(self) -> tuple[Floats, Floats] | None:
        """The user's rows that are kept from training, and their truth; None where there are none."""
        if self.data is None or not self.data.held_out:
            return None
        inputs = self.data.inputs[self.data.trained :]
        return inputs, self.true(inputs) if self.truth else self.data.truth[self.data.trained :]

    def domain(self) -> Floats:
        """Every question (on a grid where inputs are real), of shape (questions, inputs)."""
        if self.data is not None:
            return np.unique(self.data.inputs, axis=0)
        names = tuple(name for draw in self.draws for name in draw.names)
        every = itertools.product(*(draw.every() for draw in self.draws for _ in draw.names))
        rows = list(itertools.islice(every, MAX_DOMAIN))
        columns = np.array(rows, dtype=np.float64).reshape(len(rows), len(names)).T
        return self.read(dict(zip(names, columns, strict=True)), len(rows))

    def extrapolation(self, seed: int = 0, n: int = 200) -> Floats | None:
        """Questions from the range outside of training, or None where there is none."""
        if self.outside is None:
            return None
        low, high = self.outside
        once = np.zeros(1, np.int64)
        variables: dict[str, Floats] = {}
        for i, draw in enumerate(self.draws):
            uniform = uniforms(seed, "extrapolation", once, n, layer=i, units=len(draw.names))[0]
            variables |= replace(draw, low=low, high=high).at(uniform)
        return self.read(variables, n)

    def question(self, inputs: tuple[float, ...]) -> str:
        """A question as it is written: `5 + 3`."""
        shown = (_Shown(value) for value in inputs)
        return self.template.format(**dict(zip(self.names, shown, strict=True)))

    def parse_question(self, text: str) -> tuple[float, ...]:
        """The inputs of a written question.

        Raises:
            ExperimentError: it is not written as this task's questions are.

        Example:
            >>> from glassgrad.tables.tasks import TASKS
            >>> TASKS["add"].parse_question("12 + 30")
            (12.0, 30.0)
        """
        pattern = re.sub(r"\\\{(x\d+)(:sign)?\\\}", _pattern, re.escape(self.template).replace(r"\ ", r"\s*"))
        typed = unicodedata.normalize("NFKC", text).replace("\N{MINUS SIGN}", "-")  # full-width signs too
        found = re.fullmatch(r"\s*" + pattern + r"\s*=?\s*\??\s*", typed)
        if found is None:
            example = self.question(self.asked[0] if self.asked else tuple(self.domain()[0]))
            raise ExperimentError("task.question", came=text[:40], example=example)
        signs = {"+": 1.0, "-": -1.0}
        given = found.groupdict()
        return tuple(signs.get(given[name]) or float(given[name]) for name in self.names)


_NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"


def _pattern(found: re.Match[str]) -> str:
    return rf"(?P<{found[1]}>{'[+-]' if found[2] else _NUMBER})"


class _Shown(float):
    """A number in a question: whole numbers without a point; `{x3:sign}` as + or -."""

    def __format__(self, spec: str) -> str:
        if spec == "sign":
            return "+" if self > 0 else "-"
        return number_text(float(self))


def _looked_up(data: Table, inputs: Floats) -> Floats:
    """The labels of whole tables row by row; of other questions the mean label, NaN where there is none."""
    for rows in (len(data.inputs), data.trained):
        if len(inputs) == rows and np.array_equal(inputs, data.inputs[:rows]):
            return data.truth[:rows].copy()
    both = np.concatenate([data.inputs, inputs])
    _, which = np.unique(both, axis=0, return_inverse=True)
    known, asked = which[: len(data.inputs)], which[len(data.inputs) :]
    sums = np.bincount(known, data.truth, minlength=len(both))
    with np.errstate(invalid="ignore"):
        return np.asarray((sums / np.bincount(known, minlength=len(both)))[asked])
