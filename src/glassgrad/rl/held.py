"""The mean update of many batches held against the exact gradient: by which factor is it too long, or too short?

The questions of a batch are drawn, all outputs are given, and every answer's update u = -dL/do is computed. With g, the
exact slope of what should be climbed, the scale of a batch is 1 + mean((u - g)*g)/E[g**2]: on average 1, if u is g on
average, whatever is left to chance.
"""

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special

from glassgrad.draws import Floats, normals, uniforms
from glassgrad.experiment import Experiment
from glassgrad.formula.evaluate import evaluate
from glassgrad.formula.functions import Array
from glassgrad.formula.parser import parse
from glassgrad.formula.tree import Number, Symbol, Tree, substitute
from glassgrad.method import Method, method
from glassgrad.rl.exact import without_stop
from glassgrad.rl.grouped import Grouped
from glassgrad.rl.judge.expected import mean_of
from glassgrad.rl.situation import inlined

FALSE_ALARM, POWER = 0.001, 0.99
LEAST = 400  # batches: with fewer, their mean is not yet normal
SAME = 1e-6  # a smaller difference is one of rounding
STEP = 0.01  # of the difference quotient
CRITIC = -1.0  # the outputs that are not looked at


@dataclass(frozen=True)
class Held:
    """The mean scale of some batches, and the standard deviation of one."""

    scale: float
    spread: float
    batches: int

    @property
    def error(self) -> float:
        """The standard error of the scale."""
        return self.spread / math.sqrt(self.batches)

    @property
    def z(self) -> float:
        """How many standard errors the scale is away from 1; 0 if it is 1 but for rounding, inf without chance."""
        away = self.scale - 1
        if abs(away) <= SAME:
            return 0.0
        return away / self.error if self.error > SAME * abs(away) else math.copysign(math.inf, away)

    @property
    def wrong(self) -> bool:
        """Whether the scale is not 1: said of a right method once in 1,000 times."""
        return not math.isfinite(self.scale) or abs(self.z) > -float(special.ndtri(FALSE_ALARM / 2))


def needed(pilot: Held, power: float = POWER) -> int:
    """How many batches find a scale as wrong as this one with this probability.

    away = (z_(1 - FALSE_ALARM/2) + z_power)*spread/sqrt(batches), with quantiles z of the normal distribution. away is
    |scale - 1| less two of its own standard errors, so that the pilot's luck does not make for too few.

    Example:
        >>> needed(Held(0.875, 1.0, 1_000_000))
        2086
    """
    quantiles = -float(special.ndtri(FALSE_ALARM / 2)) + float(special.ndtri(power))
    away = abs(pilot.scale - 1) - 2 * pilot.error
    if not away > SAME:
        return LEAST
    return max(LEAST, math.ceil((quantiles * pilot.spread / away) ** 2))


@dataclass(frozen=True)
class Place:
    """Where an experiment's update is looked at: outputs as a formula in t, and what one of them should climb.

    Example:
        >>> from glassgrad.tables.slips import SLIPS
        >>> slip = SLIPS["slip-reward-times-log"]
        >>> place = Place(slip.experiment, slip.at)
        >>> f"{place.held(LEAST, 0).scale:.2f}"  # r/o = -1, where the slope is 5
        '-0.20'
    """

    experiment: Experiment
    at: str
    goal: str = "reward"
    output: int = 1

    @cached_property
    def of(self) -> Method:
        return method(self.experiment)

    @cached_property
    def domain(self) -> Floats:
        return self.of.task.domain()

    @cached_property
    def truth(self) -> Floats:
        return self.of.task.true(self.domain)

    @cached_property
    def outputs(self) -> dict[str, Floats]:
        """The value of each output (questions): the first as asked, the others fixed."""
        first = np.broadcast_to(evaluate(parse(self.at, ("t",)), {"t": self.truth}), self.truth.shape)
        rest = np.full_like(self.truth, CRITIC)
        return {name: rest if k else np.asarray(first, np.float64) for k, name in enumerate(self.of.outputs)}

    @cached_property
    def slope(self) -> Floats:
        """g, the exact slope (questions), by the truth of the question and the outputs there."""
        truths, first, which = np.unique(self.truth, return_index=True, return_inverse=True)
        of, looked_at = self.of, self.of.outputs[self.output - 1]
        tree = substitute(
            parse(self.goal, (*of.outputs, "t", "reward")), {"reward": inlined(of.program.lines, "reward")}
        )
        tree = substitute(tree, {name: Number(float(value)) for name, value in of.numbers.items()})
        rest = {name: Number(CRITIC) for name in of.outputs[1:] if name != looked_at}
        tree = without_stop(substitute(tree, {**rest, of.outputs[0]: Symbol("o1"), looked_at: Symbol("o")}))
        places = ((float(truths[k]), float(self.outputs[looked_at][i]), float(self.outputs[of.outputs[0]][i]))
                  for k, i in enumerate(first))  # fmt: skip
        return np.array([_slope(tree, *place) for place in places])[which]

    def held(self, batches: int, seed: int) -> Held:
        """The scale over so many batches.

        Raises:
            ExperimentError: the expected goal has no slope there.
        """
        shape = (batches, self.experiment.samples // self.experiment.group, self.experiment.group)
        asked = uniforms(seed, "judge", np.arange(batches), shape[1], layer=1)[:, :, 0]
        which = (asked * len(self.domain)).astype(np.int64)[:, :, None]
        update, slope = self._updates(which, shape, seed), self.slope[which]
        scales = 1 + np.mean((update - slope) * slope, axis=(1, 2)) / np.mean(self.slope**2)
        return Held(float(np.mean(scales)), float(np.std(scales, ddof=1)), batches)

    def _updates(self, which: NDArray[np.int64], shape: tuple[int, ...], seed: int) -> Floats:
        """-dL/do of each answer (batches, questions, answers)."""
        of, name = self.of, self.of.arriving(self.output - 1)
        if name is None:
            return np.zeros(shape)
        known: dict[str, Array] = {key: np.float64(value) for key, value in of.numbers.items()}
        known["step"] = np.float64(1)
        known |= {state: evaluate(tree, {}) for state, tree in of.program.states.items()}
        known |= {key: column[which] for key, column in zip(of.task.names, self.domain.T, strict=True)}
        known |= {key: values[which] for key, values in self.outputs.items()} | {"t": self.truth[which]}
        for chance, draw in (("noise", normals), ("uniform", uniforms)):
            known[chance] = draw(seed, "judge", np.arange(shape[0]), shape[1], units=shape[2])
        with np.errstate(all="ignore"):
            for line in (*of.program.lines, *of.backward):
                known[line.name] = evaluate(line.tree, known, Grouped(shape, (1, 2)))
        return -np.broadcast_to(known[name], shape)


@lru_cache(maxsize=4096)
def _slope(tree: Tree, truth: float, at: float, first: float) -> float:
    """The derivative in o of a formula's mean over chance: a difference quotient, to the fourth order."""
    near = mean_of(tree, {"t": truth, "o1": first}, at + STEP * np.array([-2.0, -1.0, 1.0, 2.0]))
    return float(near @ np.array([1, -8, 8, -1])) / (12 * STEP)


__all__ = ["FALSE_ALARM", "LEAST", "POWER", "Held", "Place", "needed"]
