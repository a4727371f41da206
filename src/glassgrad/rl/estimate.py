"""Estimators held against the exact gradient: bias with its z, variance, direction, scale, and what they cost.

An estimate is a mean over repetitions: in each, every question gets as many answers as the estimator's group has. All
estimators see the same numbers of chance, from a private generator; they are drawn and forgotten in pieces.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
from scipy import special

from glassgrad.draws import Floats, normals, uniforms
from glassgrad.errors import ExperimentError
from glassgrad.formula.evaluate import evaluate
from glassgrad.formula.functions import Array
from glassgrad.rl.arriving import Arriving, arriving, moving_formula
from glassgrad.rl.carrying import carrying
from glassgrad.rl.estimators import BATCH, ESTIMATORS, Estimator
from glassgrad.rl.grouped import Grouped
from glassgrad.rl.situation import Situation

SAMPLES = 200_000
MOST = 1_000_000_000
PIECE = 1 << 18  # answers that are in memory at a time
NUMBERS = 1 << 22  # and numbers of all parameters
FALSE_ALARM = 0.001  # how often an unbiased estimator is called biased
ROUNDING = 1e-12  # a spread below this share of the size is none
CARRYING = 20  # answers that have to carry a column for it to be judged: so many are not all missed
SEEN = 20  # where nothing varies, a bias could still come from answers rarer than so many among all

Progress = Callable[[int, int], None]
Verdict = Literal["none", "biased", "all", "few", "undefined"]
"""none: no bias was seen; biased: one was; all: it does not vary, and is not the gradient; few: too few answers carry
the gradient to tell; undefined: not a number."""


class Column(NamedTuple):
    """What was found in one direction: along a parameter, or along the gradient.

    repetitions: how many the standard error is from. carrying: how many answers carry the spread, drawn or not.
    """

    exact: float
    mean: float
    standard_error: float
    variance: float
    repetitions: float = math.inf
    carrying: float = math.inf

    @property
    def bias(self) -> float:
        return self.mean - self.exact

    @property
    def z(self) -> float | None:
        """The bias in standard errors; None where there is no spread."""
        return self.bias / self.standard_error if self.standard_error > 0 else None

    @property
    def scale(self) -> float | None:
        """The mean as a share of what is exact; None where that is 0."""
        return self.mean / self.exact if self.exact else None

    @property
    def enough(self) -> bool:
        """Whether answers enough carry the spread for a bias to be told from bad luck."""
        return self.carrying >= CARRYING

    @property
    def p_value(self) -> float:
        """How probable such a |z| is, or a larger one, without a bias: Student's, as many repetitions as carry it."""
        freedom = min(self.repetitions, self.carrying) - 1
        return 1.0 if self.z is None else 2 * float(special.stdtr(freedom, -abs(self.z)))

    @property
    def empty(self) -> bool:
        """Whether nothing arrives here, nor should."""
        return not (self.exact or self.mean or self.standard_error)


@dataclass(frozen=True)
class Estimate:
    """One estimator, measured.

    formula: what arrives at the output; written: the lines that are shown in its place, if any.
    samples: answers (moves of all parameters: questions answered). exact, mean, standard_error, variance (parameters):
    variance is that of one answer's share, samples times the standard error's square. along: the same along the exact
    gradient. repetitions: how many were measured; carrying (parameters): how many answers carry the spread.
    rewards, derivatives: how many were computed, of the reward and of its formula. seconds: without drawing chance.
    """

    estimator: Estimator
    formula: str
    written: tuple[str, ...]
    parameters: tuple[str, ...]
    samples: int
    exact: Floats
    mean: Floats
    standard_error: Floats
    along: Column
    repetitions: int
    carrying: Floats
    rewards: int
    derivatives: int
    seconds: float

    @property
    def variance(self) -> Floats:
        return self.samples * self.standard_error**2

    @property
    def columns(self) -> tuple[Column, ...]:
        """One column a parameter."""
        count = np.full(len(self.exact), self.repetitions)
        every = zip(self.exact, self.mean, self.standard_error, self.variance, count, self.carrying, strict=True)
        return tuple(Column(*map(float, column)) for column in every)

    @property
    def largest(self) -> float | None:
        """The largest z of all parameters that can be judged; None where there is none."""
        return max((c.z for c in self.columns if c.z is not None and c.enough), key=abs, default=None)

    @property
    def scale(self) -> float | None:
        """The projection on the exact gradient, as a share of it."""
        return self.along.scale

    @property
    def needed(self) -> float | None:
        """Answers until the standard error along the exact gradient is a tenth of it; None where it does not vary."""
        exact, variance = self.along.exact, self.along.variance
        return variance / (exact / 10) ** 2 if exact and variance else None

    @property
    def cosine(self) -> float | None:
        """The cosine of the angle between the mean and the exact gradient; None where one of them is 0."""
        size = float(np.linalg.norm(self.mean) * np.linalg.norm(self.exact))
        return float(self.mean @ self.exact) / size if size else None

    @cached_property
    def verdict(self) -> Verdict:
        """Whether a bias was seen, in any parameter."""
        return judged(self.columns, self.samples)

    @property
    def p_value(self) -> float:
        """How probable such a largest |z| is, or a larger one, if there is no bias."""
        return p_value(self.columns)


def judged(columns: Sequence[Column], samples: int) -> Verdict:
    """Whether a bias was seen in any of some columns; an unbiased estimator is called biased once in 1,000 times.

    Columns that few answers carry are left out: there, answers that were hardly drawn decide.
    """
    if not all(math.isfinite(column.mean) for column in columns):
        return "undefined"
    some = any(not column.empty for column in columns)
    size = max((max(abs(column.exact), abs(column.mean)) for column in columns), default=0.0)
    columns = [column for column in columns if column.enough or column.empty]
    if some and all(column.empty for column in columns):
        return "few"
    fixed = [column for column in columns if column.z is None]
    off = any(abs(column.bias) > SEEN / samples * size for column in fixed)
    if off and len(fixed) == len(columns):
        return "all"
    return "biased" if off or p_value(columns) < FALSE_ALARM else "none"


def p_value(columns: Sequence[Column]) -> float:
    """How probable so small a p of one of them is, or a smaller one, if there is no bias: for so many (Šidák)."""
    found = [column.p_value for column in columns if column.z is not None and column.enough]
    one = min(found, default=1.0)
    return -math.expm1(len(found) * math.log1p(-one)) if one < 1 else 1.0


def estimate(
    situation: Situation,
    *,
    samples: int = SAMPLES,
    seed: int = 0,
    rows: Sequence[Estimator] = ESTIMATORS,
    more: Sequence[tuple[Estimator, Arriving]] = (),
    progress: Progress | None = None,
) -> tuple[Estimate, ...]:
    """The estimators of the table (and more) held against the exact gradient.

    samples: answers for each, rounded down to whole repetitions. rows: of the table. more: others, with their lines.
    progress: called with (answers done, in all).

    Raises:
        ExperimentError: too few samples, or too many.

    Example:
        >>> from glassgrad.rl.situation import one_question
        >>> found = estimate(one_question("-abs(a - t)", 7, 6.3, 1.5), samples=20_000)
        >>> found[0].estimator.name, found[0].verdict
        ('reinforce', 'none')
    """
    pairs = [(row, lines) for row in rows if (lines := arriving(row, situation)) is not None]
    meters = [_Meter(row, lines, situation) for row, lines in (*pairs, *more)]
    whole = math.lcm(*(meter.size for meter in meters))
    least = 2 * whole
    given: object = samples
    if isinstance(given, bool) or not isinstance(given, int | np.integer) or not least <= samples <= MOST:
        raise ExperimentError("experiment.range", setting="samples", low=least, high=f"{MOST}", came=samples)
    total, done = int(samples) // whole * whole, 0
    for number, count in enumerate(_pieces(total, whole, situation)):
        chance = _Draws(situation, seed, number, count)
        for meter in meters:
            meter.add(chance)
        done += count
        if progress is not None:
            progress(done, total)
    share = carrying(situation, _direction(situation))
    return tuple(meter.found(share) for meter in meters)


def _direction(situation: Situation) -> Floats:
    """The direction of the exact gradient (parameters); 0 where there is none."""
    length = float(np.linalg.norm(situation.gradient))
    return situation.gradient / length if length else np.zeros_like(situation.gradient)


def _pieces(total: int, whole: int, situation: Situation) -> Iterator[int]:
    """How many answers at a time: whole repetitions, as many as fit into memory."""
    rows = max(1, NUMBERS // len(situation.parameters)) * situation.questions
    most = max(whole, min(PIECE, rows) // whole * whole)
    while total > 0:
        yield min(most, total)
        total -= most


class _Draws:
    """The numbers of chance of one piece: for each answer, and for each repetition and parameter."""

    def __init__(self, situation: Situation, seed: int, number: int, count: int) -> None:
        self.situation, self.count = situation, count
        self._seed, self._place = seed, np.array([number], dtype=np.int64)

    @cached_property
    def answers(self) -> Floats:
        draw = normals if self.situation.chance == "noise" else uniforms
        drawn = draw(self._seed, "estimators", self._place, self.count)
        return np.asarray(drawn[0, :, 0])

    @cached_property
    def moves(self) -> Floats:
        rows, columns = self.count // self.situation.questions, len(self.situation.parameters)
        drawn = normals(self._seed, "estimators", self._place, rows, layer=1, units=columns)
        return np.asarray(drawn[0])


class _Meter:
    """One estimator, and what it has given so far."""

    def __init__(self, estimator: Estimator, lines: Arriving, situation: Situation) -> None:
        self.estimator, self.lines, self.of = estimator, lines, situation
        several = BATCH if situation.questions == 1 and lines.reads_others else 1
        self.group = estimator.size if estimator.over == "group" or lines.reads_groups else several
        self.size = self.group * situation.questions
        self.axes = (2,) if estimator.over == "group" else (1, 2)
        self.direction = _direction(situation)
        self.spread = _Spread(np.append(situation.gradient, situation.gradient @ self.direction))
        self.seconds = 0.0
        self.answers = 0

    def add(self, chance: _Draws) -> None:
        drawn, moves = chance.answers, chance.moves if self.estimator.moves else None
        began = time.perf_counter()
        shaped = drawn.reshape(-1, self.of.questions, self.group)
        with np.errstate(all="ignore"):
            found = self.by_answers(shaped) if moves is None else self.by_moves(shaped, moves)
            self.spread.add(np.concatenate([found, (found @ self.direction)[:, None]], axis=1))
        self.seconds += time.perf_counter() - began
        self.answers += chance.count

    def by_answers(self, chance: Floats) -> Floats:
        """The estimates (repetitions, parameters): at each answer -dL/dv, through dv/dparameter."""
        backend = Grouped(chance.shape, self.axes)
        known = self.known(chance, self.of.variables)
        known |= {"expected": self.of.exact.value[:, None], **self.lines.values}
        for line in self.lines.needed:
            known[line.name] = evaluate(line.tree, known, backend)
        total = np.zeros((len(chance), len(self.of.parameters)))
        for name, slope in self.of.slopes.items():
            if any(line.name == f"d{name}" for line in self.lines.needed):
                each = np.broadcast_to(known[f"d{name}"], chance.shape).mean(axis=2)  # (repetitions, questions)
                total -= each @ slope / self.of.questions
        return total

    def by_moves(self, chance: Floats, moves: Floats) -> Floats:
        """The estimates (repetitions, parameters) from the mean reward with all parameters moved by s*e."""
        s = self.of.step_size
        reward = self.rewards(chance, self.of.move(s * moves))
        known: dict[str, Array] = {"reward": reward, "e": moves, "s": s}
        if "mirror" in self.estimator.objective:
            known["mirror"] = self.rewards(chance, self.of.move(-s * moves))
        return np.asarray(evaluate(moving_formula(self.estimator), known), dtype=np.float64)

    def rewards(self, chance: Floats, variables: dict[str, Floats]) -> Floats:
        """The mean reward over all questions (repetitions, 1)."""
        known = self.known(chance, {})
        known |= {name: value[:, :, None] for name, value in variables.items()}
        for line in self.of.policy:
            if line.name != "logp":
                known[line.name] = evaluate(line.tree, known)
        found = np.broadcast_to(evaluate(self.of.reward, known), chance.shape)
        return np.asarray(found.mean(axis=(1, 2))[:, None])

    def known(self, chance: Floats, variables: Mapping[str, Floats]) -> dict[str, Array]:
        """What the formulas read, as arrays (repetitions, questions, answers)."""
        columns = {**self.of.values, **variables}
        found = {name: value[:, None] if np.ndim(value) else value for name, value in columns.items()}
        return {**found, self.of.chance: chance}

    def found(self, share: Floats) -> Estimate:
        """What was measured; share: of the answers, which carry each column."""
        mean, error, count = self.spread.mean, self.spread.standard_error, self.spread.count
        exact = self.of.gradient
        carried = np.minimum(self.answers * share, self.spread.carrying)
        if self.lines.reads_others or self.lines.reads_groups:  # a spread may need several rare answers in one group
            carried = np.where((error == 0) & np.any(error > 0), 0.0, carried)
        far, wide = float(mean[-1]), float(error[-1])
        along = Column(float(exact @ self.direction), far, wide, self.answers * wide**2, count, float(carried[-1]))
        times = 1 + ("mirror" in self.estimator.objective) if self.estimator.moves else int(self.lines.asks_reward)
        return Estimate(
            self.estimator,
            self.lines.formula,
            self.lines.written,
            self.of.parameters,
            self.answers,
            exact,
            mean[:-1],
            error[:-1],
            along,
            count,
            carried[:-1],
            self.answers * times,
            self.answers * int(self.lines.asks_slope),
            self.seconds,
        )


class _Spread:
    """Mean and standard error of rows that come in pieces. Source: Chan, Golub & LeVeque 1979.

    exact: what the mean should be; a spread that is rounding beside it is none. fourth: Σ(row - middle)**4, with the
    mean of the first piece as middle.
    """

    def __init__(self, exact: Floats) -> None:
        self.count, self.mean, self.squares = 0, np.zeros_like(exact), np.zeros_like(exact)
        self.middle, self.fourth = self.mean, np.zeros_like(exact)
        self.largest = np.abs(exact)

    @np.errstate(all="ignore")
    def add(self, rows: Floats) -> None:
        n, mean = len(rows), rows.mean(axis=0)
        away, both = mean - self.mean, self.count + n
        self.squares += np.sum((rows - mean) ** 2, axis=0) + away**2 * (self.count * n / both)
        self.middle = self.middle if self.count else mean
        self.fourth += np.sum((rows - self.middle) ** 4, axis=0)
        self.mean = self.mean + away * (n / both)
        self.count = both
        self.largest = np.maximum(self.largest, np.max(np.abs(rows), axis=0))

    @property
    def standard_error(self) -> Floats:
        """Of the mean; 0 where the rows differ by no more than rounding."""
        deviation = np.sqrt(self.squares / max(1, self.count - 1))
        return np.where(deviation > ROUNDING * self.largest, deviation / math.sqrt(self.count), 0.0)

    @property
    @np.errstate(all="ignore")
    def carrying(self) -> Floats:
        """How many repetitions carry the spread, normal ones being no obstacle: count/(kurtosis - 3), or inf.

        Of the kurtosis two of its standard errors, 2*sqrt(24/count), are taken away.
        """
        more = self.count * self.fourth / self.squares**2 - 3 - 2 * math.sqrt(24 / self.count)
        return np.where((self.standard_error > 0) & (more > 0), self.count / more, math.inf)


__all__ = ["FALSE_ALARM", "SAMPLES", "Column", "Estimate", "Verdict", "estimate", "judged", "p_value"]
