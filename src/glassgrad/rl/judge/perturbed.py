"""Weights that are perturbed, under judgement: the evidence is taken at the weights, where the updates arrive."""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from glassgrad.draws import Floats
from glassgrad.errors import ExperimentError
from glassgrad.experiment import Experiment
from glassgrad.method import Method
from glassgrad.rl.judge.beside import flat, of_shift
from glassgrad.rl.judge.evidence import SHIFT, Evidence, Looks, beside, of_answers, of_update
from glassgrad.rl.judge.feedback import REWARD, feedback
from glassgrad.rl.judge.objectives import Fit
from glassgrad.rl.judge.outputs import columns
from glassgrad.rl.judge.profile import NOWHERE
from glassgrad.rl.judge.several import TOLERANCE, Several
from glassgrad.rl.judge.single import Single
from glassgrad.rl.judge.weights import Tried


class Perturbed:
    """All weights in one question. trained: whether they are also looked at as they are after training.

    Raises:
        ExperimentError: no network gives a finite output.
    """

    def __init__(self, experiment: Experiment, of: Method, inputs: Floats, trained: bool) -> None:
        self.experiment, self.of, self.inputs = experiment, of, inputs
        self.tried = Tried(experiment, of, inputs, trained)
        if not self.tried.places:
            raise ExperimentError("estimators.output", step=0)

    @cached_property
    def seen(self) -> Several:
        """The mean updates."""
        return self.tried.seen()

    @cached_property
    def looks(self) -> Looks:
        """What single answers tell."""
        tried, has_reward = self.tried, REWARD in self.of.pieces
        score = None if tried.deviations is None else tried.score
        at = columns(tried.places, self.of)
        single = Single(tried.plain, self.inputs, self.experiment, at, tried.weights, score)
        return Looks(
            profile=NOWHERE,
            shifted=None,
            has_reward=has_reward,
            strength=single.strength,
            parameters=float(tried.spread.max()),
            labels=single.changed(single.moved()),
            **(single.of_reward() if has_reward else {}),
        )

    def evidence(self, names: Sequence[Fit]) -> tuple[Evidence, ...]:
        """The pieces. names: the objectives that the weights climb."""
        update, slopes = flat(self.seen.of_policy), (self.seen.drawn or {}).get("dJ")
        numbers = beside(update, None if slopes is None else flat(slopes), TOLERANCE)
        numbers |= {"held": float(update.shape[1]), "chance": by_chance(numbers["z"], update.shape[1])}
        gradient = of_update(self.looks, names, bool(np.any(update)), slopes is not None, numbers)
        return (*of_answers(self.looks), gradient, self._shift(), Evidence("f", "several", None))

    def _shift(self) -> Evidence:
        if REWARD not in self.of.pieces:
            return Evidence("e", "no_reward", None)
        shifted = replace(self.seen, update=self.tried.updates(feedback(self.of, self.inputs, shift=SHIFT)))
        return of_shift(flat(shifted.of_policy - self.seen.of_policy), self.seen, self.looks.strength)


def by_chance(z: float | None, count: int) -> float | None:
    """How probable the largest of so many normal |z|, or a larger one, is by chance alone.

    Example:
        >>> f"{by_chance(1.959964, 1):.3f}", f"{by_chance(3.0, 84):.3f}"
        ('0.050', '0.203')
    """
    if z is None:
        return None
    one = math.erfc(z / math.sqrt(2))
    return -math.expm1(count * math.log1p(-one)) if one < 1 else 1.0


__all__ = ["Perturbed", "by_chance"]
