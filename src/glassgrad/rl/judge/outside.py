"""A user's own loss function, looked at from outside in every way that the evidence needs.

The expected update is a mean over calls, all outputs under the same chance; the slope of the expected reward is a
difference quotient under the same chance, too. Where calls with different seeds give the same, one call is enough.
"""

from typing import Any

import numpy as np

from glassgrad.draws import Floats
from glassgrad.rl.judge.evidence import SAME, Looks, Weight
from glassgrad.rl.judge.profile import Axis, Profile, axis
from glassgrad.rl.judge.script import Call, Exchange, Script

REPETITIONS = 200  # calls at each output, where chance has a part
FEW = 12  # calls at each of nine outputs, where single answers are looked at
PLACES = {True: 161, False: 3}  # along the axis, beside the nine: without chance, and with it
CLOSE = 1e-3  # what counts as equal, in single precision and of difference quotients
CLOSELY = 1e-6  # how closely roots are found
LEAST = 1e-6  # a change that is a smaller share of the update is rounding
STEP = 5e-3  # of a difference quotient, as a share of what the axis shows
CHOSEN = 0.05  # and where answers are chosen among a few
FEW_ANSWERS = 3
SCATTERED = 0.1  # and in standard deviations of the answers, where they scatter


class Look:
    """A script, looked at in every way that the evidence needs."""

    """One question of a script: the rows that have the truth of one of them."""

    def __init__(self, script: Script, between: tuple[float, float], repetitions: int, row: int = 0) -> None:
        self.script = script
        script.row = row
        start = float(script.first[row])
        self.truth = None if script.truths is None else float(script.truths[row])
        middle = start if self.truth is None else self.truth
        tries = [script.at(start, seed) for seed in range(FEW)]
        self.sigma = _scatter(tries)
        self.random = self.sigma > 0 or bool(np.any([np.any(call.update != tries[0].update) for call in tries]))
        low, high = between
        self.axis: Axis = axis(low, high, middle, self.sigma or None)
        self.step = self._step(tries)
        self.repetitions = repetitions if self.random else 1
        self.rows = np.flatnonzero(script.asked)

    def _step(self, tries: list[Call]) -> float:
        """Of a difference quotient in the output."""
        width = self.axis.right - self.axis.left
        if not self.sigma:
            return STEP * width
        different = np.unique([call.answers for call in tries if call.answers is not None])
        return CHOSEN * width if len(different) <= FEW_ANSWERS else SCATTERED * self.sigma

    def looks(self) -> Looks:
        """All of it."""
        has_reward = self.script.reward is not None
        full = self.along()
        shifted = self.updates(full.nine.o, "shifted") if has_reward else None
        return Looks(full, shifted, has_reward, labels=None, tolerance=SAME, **self.single(full.nine.o))

    def along(self) -> Profile:
        """The expected update along the axis."""
        return self.profile(self.axis.places(PLACES[not self.random], far=not self.random))

    def updates(self, o: Floats, exchange: Exchange = "as it is") -> Floats:
        """The mean update of the question's rows (repetitions, places)."""
        found = [
            [self.mean(self.script.at(float(place), seed, exchange).update) for place in o]
            for seed in range(self.repetitions)
        ]
        return np.array(found)

    def mean(self, rows: Floats) -> float:
        return float(np.mean(rows[self.rows]))

    def profile(self, o: Floats) -> Profile:
        """The expected update and the expected reward, with its slope by differences under the same chance."""
        every = [[self.place(float(place), seed) for place in o] for seed in range(self.repetitions)]
        update, reward, slope = (np.asarray(part, np.float64) for part in np.moveaxis(np.array(every), 2, 0))
        earns = self.script.reward is not None and bool(np.isfinite(slope).any())
        return Profile(
            self.axis,
            o,
            update,
            reward if earns else None,
            slope if earns else None,
            wanted=self.truth,
            at=None if self.random else lambda x: self.updates(x)[0],
            closely=CLOSELY,
            tolerance=CLOSE,
        )

    def place(self, o: float, seed: int) -> tuple[float, float, float]:
        """The update at one output, the reward, and its slope; NaN where there is none."""
        call = self.script.at(o, seed)
        if call.reward is None:
            return self.mean(call.update), np.nan, np.nan
        below, above = max(o - self.step, self.axis.low), min(o + self.step, self.axis.high)
        first, second = (self.script.earned(end, seed) for end in (below, above))
        return self.mean(call.update), float(np.mean(call.reward)), (second - first) / (above - below)

    def single(self, o: Floats) -> dict[str, Any]:
        """What is seen of the updates of single answers."""
        seeds = range(FEW if self.random else 1)
        rows = self.rows
        plain = [[self.script.at(float(place), seed) for seed in seeds] for place in o]
        strength = _largest([call.update[rows] for calls in plain for call in calls])
        found: dict[str, Any] = {"strength": strength}
        if self.script.reward is None:
            return found
        every = [call for calls in plain for call in calls]
        found |= {"to_reward": max(call.to_reward for call in every), "to_output": max(c.to_output for c in every)}
        for exchange in ("boxed", "tabled"):
            gaps = [
                self.script.at(float(place), seed, exchange, plain[i][j].given).update[rows] - plain[i][j].update[rows]
                for i, place in enumerate(o)
                for j, seed in enumerate(seeds)
            ]
            found[exchange] = _largest(gaps) / strength if strength else 0.0
        found["answers"] = max(_scatter(calls) for calls in plain)
        return {**found, "weight": self.weight(o, plain)}

    def weight(self, o: Floats, plain: list[list[Call]]) -> Weight:
        """How updates change with the numbers of their rewards, and whether that depends on the answer."""
        rows, signs = self.rows, 1.0 - 2.0 * (np.arange(len(self.script.first)) % 2)
        found: list[Floats] = []
        for place, calls in zip(o, plain, strict=True):
            others = [self.script.at(float(place), seed, "signed") for seed in range(len(calls))]
            gaps = [(other.update - call.update) * signs for other, call in zip(others, calls, strict=True)]
            found.append(np.concatenate([gap[rows] for gap in gaps]))
        size = _largest(found)
        if size <= LEAST * _largest([call.update for calls in plain for call in calls]):
            return Weight(0.0)
        away = [part - part.mean() for part in found]
        roots = [float(np.sqrt(np.mean(part**2))) for part in found]
        varies = max(float(part.std()) / root for part, root in zip(away, roots, strict=True) if root)
        return Weight(size, varies, self.tried(away, plain) if varies > CLOSE else 0.0)

    def tried(self, away: list[Floats], plain: list[list[Call]]) -> float:
        """The correlation of the weights with the answers, whatever its sign."""
        none = np.zeros(len(self.script.first))
        answers = [
            np.concatenate([(none if call.answers is None else call.answers)[self.rows] for call in calls])
            for calls in plain
        ]
        one, other = np.concatenate(away), np.concatenate([part - part.mean() for part in answers])
        lengths = float(np.linalg.norm(one) * np.linalg.norm(other))
        return abs(float(one @ other)) / lengths if lengths else 0.0


def _scatter(calls: list[Call]) -> float:
    """The standard deviation of answers over calls at one output."""
    rows = [call.answers for call in calls if call.answers is not None]
    return float(np.max(np.std(rows, axis=0))) if rows else 0.0


def _largest(parts: list[Floats]) -> float:
    every = np.concatenate([np.ravel(part) for part in parts])
    return float(np.max(np.abs(every[np.isfinite(every)]), initial=0.0))


__all__ = ["REPETITIONS", "Look"]
