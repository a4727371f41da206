"""A network of several outputs under judgement: all of them at some places, and the policy's alone, if there is one.

Where the answer reads the first output alone, and its expected update does not change with the others, these are held,
and what is said of one output holds: profile, fixed points, basins. Else there is no axis, and (f) cannot be asked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from glassgrad.draws import Floats
from glassgrad.errors import ExperimentError
from glassgrad.experiment import Experiment
from glassgrad.method import Method
from glassgrad.rl.judge.evidence import SAME, SHIFT, Evidence, Looks, beside, left_alone, of_answers, of_update
from glassgrad.rl.judge.experiment import question
from glassgrad.rl.judge.feedback import REWARD, feedback, reads_log_of_output
from glassgrad.rl.judge.objectives import Fit
from glassgrad.rl.judge.outputs import Place, alone, around, columns, places
from glassgrad.rl.judge.profile import NOWHERE, reach, standard_error
from glassgrad.rl.judge.several import TOLERANCE, Several, Updates
from glassgrad.rl.judge.single import Single


class Beside:
    """All outputs in one question. trained: whether they are also looked at as they are after training.

    Raises:
        ExperimentError: no network gives finite outputs.
    """

    def __init__(self, experiment: Experiment, of: Method, inputs: Floats, trained: bool) -> None:
        self.experiment, self.of, self.inputs = experiment, of, inputs
        self.places = places(experiment, of, inputs, trained)
        if not self.places:
            raise ExperimentError("estimators.output", step=0)
        self.updates = Updates(experiment, of, inputs, self.places)

    @cached_property
    def seen(self) -> Several:
        """The expected updates."""
        return self.updates.seen()

    @cached_property
    def one(self) -> Method | None:
        """The method with one output alone, if that decides the answer and the others do not move its update.

        The others are held as they are at each place, and moved from there.
        """
        if len(self.updates.policy) != 1:
            return None
        (moved,), base = self.updates.policy, self.places[0].outputs
        one, ends = alone(self.of, moved, base), reach(self.of.output_activation)
        axis = question(one, self.inputs).axis.spread()
        held = [base, *(place.outputs for place in self.places[1:]), *around(base, ends, but=moved)]
        held = list({tuple(v for k, v in numbers.items() if k != moved): numbers for numbers in held}.values())
        every = tuple(Place(0, False, {**numbers, moved: float(o)}) for numbers in held for o in axis)
        updates = Updates(self.experiment, self.of, self.inputs, every)
        update = updates.updates(updates.plain)[:, :, self.of.outputs.index(moved)]
        update = update.reshape(len(update), len(held), len(axis))
        size = float(np.max(np.abs(update[:, 0].mean(axis=0)), initial=0.0))
        change = (update[:, 1:] - update[:, :1]).reshape(len(update), -1)
        change = change[:, np.all(np.isfinite(change), axis=0)]
        same = change.size and left_alone(change.mean(axis=0), standard_error(change), size, TOLERANCE)
        return one if same else None

    @cached_property
    def single(self) -> Single:
        """The updates of single answers."""
        at, how, policy = columns(self.places, self.of), self.updates.how, self.updates.policy
        plain = self.updates.plain

        def score(known: Mapping[str, Any]) -> Floats:
            rows = {name: known[name][:, :1] for name in at}
            return self.updates.chances.score(rows, known, policy)

        return Single(plain, self.inputs, self.experiment, at, policy, score if how is not None and how.known else None)

    @cached_property
    def looks(self) -> Looks:
        """What single answers tell, of all outputs."""
        has_reward = REWARD in self.of.pieces
        found = self.single.of_reward() if has_reward else {}
        weight, how = found.get("weight"), self.updates.how
        if weight is not None and how is not None and not how.whole and weight.factors is None:
            sampled = weight.score is not None and abs(weight.score) > 1 - TOLERANCE
            found["weight"] = replace(weight, score=weight.score if sampled else None)
        return Looks(
            profile=NOWHERE,
            shifted=None,
            has_reward=has_reward,
            strength=self.single.strength,
            labels=self.single.changed(self.single.moved()),
            log_of_output=reads_log_of_output(self.updates.plain),
            **found,
        )

    def joined(self, first: Looks) -> Looks:
        """What is seen of the first output alone, with what reaches any of them."""
        every = self.looks
        return replace(
            first,
            to_reward=max(first.to_reward, every.to_reward),
            to_output=max(first.to_output, every.to_output),
            boxed=max(first.boxed, every.boxed),
            tabled=max(first.tabled, every.tabled),
            labels=max(first.labels or 0.0, every.labels or 0.0),
        )

    def evidence(self, names: Sequence[Fit]) -> tuple[Evidence, ...]:
        """The pieces, where no output moves alone. names: the objectives that the policy's outputs climb."""
        update, slopes = flat(self.seen.of_policy), self.seen.slopes["dJ"]
        numbers = beside(update, None if slopes is None else flat(slopes[None]), TOLERANCE)
        gradient = of_update(self.looks, names, bool(np.any(update)), slopes is not None, numbers)
        return (*of_answers(self.looks), gradient, self._shift(), Evidence("f", "several", None))

    def _shift(self) -> Evidence:
        if REWARD not in self.of.pieces:
            return Evidence("e", "no_reward", None)
        if not self.updates.policy:
            return Evidence("e", "no_output", None)
        shifted = replace(self.seen, update=self.updates.updates(feedback(self.of, self.inputs, shift=SHIFT)))
        return of_shift(flat(shifted.of_policy - self.seen.of_policy), self.seen, self.looks.strength)


def of_shift(effect: Floats, seen: Several, strength: float) -> Evidence:
    """The piece (e) of several outputs. effect (repetitions, places*policy): what SHIFT changes of their updates."""
    before = flat(seen.of_policy).mean(axis=0)
    good = np.all(np.isfinite(effect), axis=0) & np.isfinite(before)
    if not good.any():
        return Evidence("e", "unknown", None)
    change, size = effect.mean(axis=0)[good], float(np.max(np.abs(before[good])))
    most = float(np.max(np.abs(change)))
    size = max(size, strength * SAME, 1e-300)
    held = left_alone(change, standard_error(effect)[good], size, TOLERANCE)
    return Evidence("e", "alone_several" if held else "changes_several", held, {"change": most, "size": size})


def flat(rows: Floats) -> Floats:
    """(repetitions, places, outputs) as (repetitions, places*outputs)."""
    return rows.reshape(len(rows), -1)


__all__ = ["Beside", "flat", "of_shift"]
