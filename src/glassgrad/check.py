"""The check: every shown number held against PyTorch's at that very state.

    difference = |shown - PyTorch's| / scale

scale is the formula evaluated with the absolute value of every term, carried through forward pass and chain rule. A
scale of 0 wants exactly 0, and a formula counts as checked only if it was seen where its value is at least a tenth of
its scale; where its terms cancel everywhere, in double precision where it is at least a millionth, so that an error of
0.05 % still shows. What was not is listed. It is a check, not a proof.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from glassgrad.engines.replay import reference
from glassgrad.engines.torch import train
from glassgrad.equations import Evaluated, Step
from glassgrad.experiment import Experiment, Precision
from glassgrad.formula.lines import Line
from glassgrad.formula.tree import Apply, symbols, walk
from glassgrad.method import method
from glassgrad.steps import update_name

TOLERANCE = {"single": 1e-5, "double": 1e-12}
SMALLEST = {"single": 1.2e-38, "double": 2.3e-308}  # below the smallest normal number rounding is absolute
LARGEST = {"single": float(np.finfo(np.float32).max), "double": float(np.finfo(np.float64).max)}
MANY, MOST_ALLOWED = 2000, 40  # samples; how many times the tolerance: still below an error of 0.05 %
SEEN, SEEN_CLOSER = 0.1, 1e-6  # of the scale
PROBES = range(1, 17)  # seeds
CLOSER = range(1, 4)  # of probes in double precision, for terms that cancel wherever they are looked at


@dataclass
class _Family:
    """What is known of one formula after some steps."""

    numbers: int = 0
    largest: float = 0.0
    worst: str = ""
    seen: bool = False


@dataclass
class Check:
    """The result over some steps.

    numbers: how many were held against PyTorch's. largest_difference: by the measure above; worst: where.
    unchecked: formulas that were never seen where their value is a tenth of their scale. samples: the largest batch.

    Example:
        >>> from glassgrad.engines.torch import train
        >>> from glassgrad.tables.experiments import shipped
        >>> record = train(shipped("knob").change(steps=2))
        >>> check_results(record.experiment, [Step(record.experiment, record.moment(1))]).passed
        True
    """

    precision: Precision
    families: dict[str, _Family] = field(default_factory=dict)
    differences: dict[tuple[int, str], float] = field(default_factory=dict)
    samples: int = 1
    least: float = SEEN

    @property
    def tolerance(self) -> float:
        """What is allowed; a mean over more than MANY samples rounds more often, in PyTorch too."""
        return TOLERANCE[self.precision] * min(max(1.0, self.samples / MANY), MOST_ALLOWED)

    @property
    def numbers(self) -> int:
        return sum(family.numbers for family in self.families.values())

    @property
    def largest_difference(self) -> float:
        return max((family.largest for family in self.families.values()), default=0.0)

    @property
    def worst(self) -> str:
        """Where the largest difference is: `dW1_4_x1 at step 101`."""
        return max(self.families.values(), key=lambda family: family.largest).worst if self.families else ""

    @property
    def unchecked(self) -> tuple[str, ...]:
        return tuple(name for name, family in self.families.items() if not family.seen)

    @property
    def passed(self) -> bool:
        return self.largest_difference <= self.tolerance

    def add(self, family: str, label: str, step: int, shown: Any, theirs: Any, scale: Any, known: Any = True) -> None:
        """Hold one quantity (or an array of them, one number each) against PyTorch's, where `known`."""
        entry = self.families.setdefault(family, _Family())
        if not np.all(known):
            known = np.broadcast_to(known, np.broadcast_shapes(*map(np.shape, (shown, theirs, known))))
            shown, theirs, scale = (np.broadcast_to(part, known.shape)[known] for part in (shown, theirs, scale))
            if not np.size(shown):
                return
        gap = self.compared(entry, shown, theirs, scale)
        worst = float(np.max(gap)) if np.size(gap) else 0.0
        self.note(entry, label, step, worst)

    def add_each(self, family: str, labels: Sequence[str], step: int, shown: Any, theirs: Any, scale: Any) -> None:
        """Hold an array of quantities, each with its label, against PyTorch's."""
        entry = self.families.setdefault(family, _Family())
        for label, gap in zip(labels, self.compared(entry, shown, theirs, scale).tolist(), strict=True):
            self.note(entry, label, step, gap)

    def compared(self, entry: _Family, shown: Any, theirs: Any, scale: Any) -> Any:
        """The differences of some numbers of a family; whether it is seen by them."""
        shown, theirs = as_kept(shown, self.precision), as_kept(theirs, self.precision)
        room = np.asarray(scale, float)
        entry.seen = entry.seen or bool(np.any((np.abs(shown) >= self.least * room) & (room > 0)))
        return differences(shown, theirs, room, SMALLEST[self.precision])

    def note(self, entry: _Family, label: str, step: int, gap: float) -> None:
        """Count a quantity and how far it is off."""
        entry.numbers += 1
        self.differences[step, label] = gap
        if gap > entry.largest or not entry.worst:
            entry.largest, entry.worst = gap, f"{label} at step {step}"

    def join(self, probe: "Check") -> None:
        """Take over what a probe has seen and how far it was off, without counting its numbers as shown.

        What a probe in double precision is off is taken by its own tolerance.
        """
        closer = TOLERANCE[self.precision] / TOLERANCE[probe.precision]
        for name, family in probe.families.items():
            entry = self.families.setdefault(name, _Family())
            entry.seen = entry.seen or family.seen
            if family.largest * closer > entry.largest:
                entry.largest, entry.worst = family.largest * closer, f"{family.worst} of a probe"


def as_kept(value: Any, precision: Precision) -> Any:
    """A value with what the precision cannot hold as infinite."""
    array = np.asarray(value, dtype=float)
    beyond = np.abs(array) > LARGEST[precision]
    return np.where(beyond, np.copysign(np.inf, array), array) if beyond.any() else array


def differences(shown: Any, theirs: Any, scale: Any, smallest: float) -> Any:
    """|shown - theirs| / scale; where the scale is 0, 0 if both are equal and else infinite; NaN equals NaN.

    Example:
        >>> differences(1.0, 1.5, 2.0, 0.0), differences(0.0, 1e-9, 0.0, 0.0)
        (array(0.25), array(inf))
    """
    shown, theirs, scale = (np.asarray(part, dtype=float) for part in (shown, theirs, scale))
    equal = (shown == theirs) | (np.isnan(shown) & np.isnan(theirs))
    with np.errstate(all="ignore"):
        gap = np.abs(shown - theirs) / np.maximum(scale, smallest)
    return np.where(equal, 0.0, np.where((scale == 0) | np.isnan(gap), np.inf, gap))


def check_results(experiment: Experiment, steps: Iterable[Step]) -> Check:
    """Hold every number of some steps against PyTorch's.

    Every sample of the batch is compared; a number that differs between samples counts once. Formulas that these steps
    do not show well (their terms cancel) are looked at again in short runs of the same experiment with other seeds and
    one sample (or one group), at last in double precision; what is not seen there either stays unchecked.
    """
    result, plant = Check(experiment.precision), None
    for step in steps:
        check_step(result, step.evaluated)
        plant = step.evaluated.plant
    probes: list[tuple[int, Precision, float]] = [(seed, experiment.precision, SEEN) for seed in PROBES]
    for seed, precision, least in (*probes, *((seed, "double", SEEN_CLOSER) for seed in CLOSER)):
        if not result.unchecked:
            break
        change = {"samples": few(experiment), "batch": None, "precision": precision}
        probe = experiment.change(seed=seed, steps=3, **change)
        seen = Check(precision, least=least)
        record = train(probe)
        for number in range(1, record.steps + 1):
            check_step(seen, Evaluated(probe, record.moment(number), plant))
        result.join(seen)
    return result


def few(experiment: Experiment) -> int:
    """With how many samples all lines make sense: one group, or two samples where one is held against the others."""
    lines = method(experiment).program.lines
    read = {part.function for line in lines for part in walk(line.tree) if isinstance(part, Apply)}
    return max(experiment.group, 2 if read & {"others", "std"} else 1)


def known(line: Line, finite: Callable[[str], Any]) -> Any:
    """Where a line has a result that can be compared: where all that it reads is finite, here and in PyTorch.

    What comes after the first number that is not finite follows from it; what NaN times 0 is, each program decides.
    """
    fine: Any = True
    for name in symbols(line.tree):
        fine = fine & finite(name)
    return fine if line.level == "sample" or np.ndim(fine) == 0 else bool(np.all(fine))


def check_step(result: Check, evaluated: Evaluated) -> None:
    """Add one step to a check."""
    moment, values = evaluated.moment, evaluated.values
    result.samples = max(result.samples, len(moment.truth))
    theirs, their_update = reference(evaluated.experiment, moment)

    @cache
    def finite(name: str) -> Any:
        fine = [np.isfinite(as_kept(side[name], result.precision)) for side in (values, theirs) if name in side]
        return True if all(map(np.all, fine)) else fine[0] & fine[-1]

    for quantity in evaluated.quantities:
        name = quantity.name
        clear = known(quantity.line, finite)
        result.add(quantity.family, name, moment.step, values[name], theirs[name], evaluated.scales[name], clear)
    for name in evaluated.of.olds.values():
        result.add(name, name, moment.step, values[name], theirs[name], evaluated.scales[name])
    if moment.updated:
        check_update(result, evaluated, their_update)


def check_update(result: Check, evaluated: Evaluated, their_update: Mapping[str, Any]) -> None:
    """Add the optimizer's lines of one step to a check."""
    moment, parameters = evaluated.moment, [name for name, _, _ in evaluated.parameters]
    for line in evaluated.of.optimizer_program.lines:
        shown, scale, other = (
            evaluated.update_values[line.name],
            evaluated.update_scales[line.name],
            their_update[line.name],
        )
        if line.level == "step":
            result.add(line.name, line.name, moment.step, shown, other, scale)
            continue
        labels = [update_name(line.name, parameter) for parameter in parameters]
        result.add_each(line.name, labels, moment.step, np.ravel(shown), np.ravel(other), np.ravel(scale))
