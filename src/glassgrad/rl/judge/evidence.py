"""What a training learns from, decided by numbers: six pieces of evidence, and the class that follows from them.

(a) Is there a path of derivatives from the reward to the output? (b) Does the update stay the same when the reward is a
black box? (c) Do answers vary at random, and does the reward weigh the log-probability of a sampled one? (d) Is the
expected update the gradient of the expected reward? (e) Does a constant added to the reward leave it alone? (f) Is the
wanted answer an attracting fixed point of it?
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from glassgrad.draws import Floats
from glassgrad.rl.judge.basins import Landscape
from glassgrad.rl.judge.objectives import FALSE_ALARM, Fit, largest
from glassgrad.rl.judge.profile import Profile, standard_error

Source = Literal["labels", "derivative", "observed", "neither"]
SOURCES: tuple[Source, ...] = ("labels", "derivative", "observed")
"""In the order of what they tell: where to go; which way, at this answer; how good this answer was."""

SAME = 1e-9  # a smaller share of the update is no difference
SCORED = 1e-6  # a cosine nearer to 1 than this is 1
NEGLIGIBLE = 0.01  # a smaller share of the largest slope is no measure of scale
TELLS = 0.2  # a correlation beyond this: the weight depends on what was tried, and not by chance


@dataclass(frozen=True)
class Weight:
    """How the update of an answer changes with the number of its reward.

    size: the largest such change. varies: how much it differs between answers to one question, as a share of itself.
    tried: its correlation with what was tried, without its sign. score: the least cosine with the derivative of the
    log-probability of the sampled answers; None where that is unknown. factors: of several outputs, the least and the
    most by which that derivative is multiplied; None where it is none.
    """

    size: float
    varies: float = 0.0
    tried: float = 0.0
    score: float | None = None
    factors: tuple[float, float] | None = None


@dataclass(frozen=True)
class Looks:
    """What was measured.

    profile: the expected update along the axis. shifted: the update at its nine places with SHIFT added to the reward
    (repetitions, 9); None without a reward. strength: the largest update of a single answer.
    to_reward, to_output: the largest |dL/dreward| and |dreward/do| that a derivative passes.
    boxed, tabled: the largest change of an answer's update when the reward is boxed, or read from a table; as a share
    of strength. answers, parameters: standard deviations at one output, the largest. weight: of the reward's number.
    labels: the largest change of an answer's update when the truth moves and the rewards stay; None if it was not seen.
    log_of_output: whether the logarithm of the output itself is used.
    """

    profile: Profile
    shifted: Floats | None
    has_reward: bool
    strength: float
    to_reward: float = 0.0
    to_output: float = 0.0
    boxed: float = 0.0
    tabled: float = 0.0
    answers: float = 0.0
    parameters: float = 0.0
    weight: Weight | None = None
    labels: float | None = 0.0
    log_of_output: bool = False
    tolerance: float = SAME


SHIFT = 1.0  # what (e) adds to the reward


@dataclass(frozen=True)
class Evidence:
    """One piece: its letter, how it came out, whether the answer is yes (None: it cannot be asked), its numbers."""

    letter: str
    outcome: str
    holds: bool | None
    numbers: dict[str, float | None] = field(default_factory=dict)


def sources(looks: Looks) -> tuple[Source, ...]:
    """What the update learns from, the most telling first; ("neither",) if from nothing of that."""
    if looks.strength == 0 and not _weighs(looks):
        return ("neither",)
    found = {
        "labels": _labels(looks),
        "derivative": looks.has_reward and looks.boxed > looks.tolerance,
        "observed": _observed(looks),
    }
    return tuple(source for source in SOURCES if found[source]) or ("neither",)


def _labels(looks: Looks) -> bool:
    if looks.labels is None:  # from outside: what arrives without any help of the reward
        return not looks.has_reward or (not _weighs(looks) and looks.boxed <= looks.tolerance)
    return looks.labels > looks.tolerance


def _weighs(looks: Looks) -> bool:
    return looks.weight is not None and looks.weight.size > 0


def _observed(looks: Looks) -> bool:
    """Whether the reward weighs what was tried: a weight that depends on the answer, and answers that vary."""
    tried = looks.answers > 0 or looks.parameters > 0
    return tried and looks.weight is not None and looks.weight.size > 0 and looks.weight.tried > TELLS


def evidence(looks: Looks, names: Sequence[Fit], land: Landscape, right: Sequence[bool]) -> tuple[Evidence, ...]:
    """The six pieces. names: objectives that the update climbs. right: of each fixed point, whether it is wanted."""
    return (*of_answers(looks), _gradient(looks, names), _shift(looks), _wanted(looks, land, right))


def of_answers(looks: Looks) -> tuple[Evidence, ...]:
    """The pieces (a), (b), (c), which single answers tell."""
    return _path(looks), _black_box(looks), _chance(looks)


def _path(looks: Looks) -> Evidence:
    if not looks.has_reward:
        return Evidence("a", "no_reward", None)
    there = looks.boxed > looks.tolerance and looks.to_reward * looks.to_output > 0
    numbers: dict[str, float | None] = {"to_reward": looks.to_reward, "to_output": looks.to_output}
    return Evidence("a", "path" if there else "cut" if looks.to_output else "flat", there, numbers)


def _black_box(looks: Looks) -> Evidence:
    if not looks.has_reward:
        return Evidence("b", "no_reward", None)
    same = max(looks.boxed, looks.tabled) <= looks.tolerance
    return Evidence("b", "same" if same else "differs", same, {"boxed": looks.boxed, "tabled": looks.tabled})


def _chance(looks: Looks) -> Evidence:
    """Whether what is tried varies, and whether the reward weighs the log-probability of what was sampled."""
    weight = looks.weight
    numbers: dict[str, float | None] = {
        "answers": looks.answers,
        "parameters": looks.parameters,
        "weight": weight.size if weight else None,
        "varies": weight.varies if weight else None,
        "tried": weight.tried if weight else None,
        "score": weight.score if weight else None,
    }
    tried = looks.answers > 0 or looks.parameters > 0
    if not _weighs(looks) or weight is None:
        return Evidence("c", "varies" if tried else "still", False if looks.has_reward else None, numbers)
    if not tried:
        return Evidence("c", "log_of_output" if looks.log_of_output else "not_sampled", False, numbers)
    if weight.score is not None:
        sampled = abs(weight.score) > 1 - SCORED
        numbers |= dict(zip(("least", "most"), weight.factors or (), strict=False))
        if not sampled and weight.factors is not None and weight.factors[0] * weight.factors[1] > 0:
            return Evidence("c", "reweighted", True, numbers)
        return Evidence("c", "sampled" if sampled else "other_weight", sampled, numbers)
    return Evidence("c", "weighs" if _observed(looks) else "other_weight", None if _observed(looks) else False, numbers)


def _gradient(looks: Looks, names: Sequence[Fit]) -> Evidence:
    """Scale, cosine and z of the expected update against the gradient of the expected reward."""
    profile = looks.profile
    return of_update(looks, names, bool(np.any(profile.mean)), profile.slope is not None, against(profile.nine))


def of_update(
    looks: Looks, names: Sequence[Fit], moves: bool, slope_known: bool, numbers: dict[str, float | None]
) -> Evidence:
    """The piece (d). moves: whether there is an update. numbers: of `beside`."""
    if looks.strength == 0 or not moves:
        return Evidence("d", "nothing", False if looks.has_reward else None, numbers)
    found = next((fit for fit in names if fit.objective.name == "expected_reward"), None)
    if not slope_known:
        return Evidence("d", "unknown" if looks.has_reward else "no_reward", None, numbers)
    if found is None:
        return Evidence("d", "other" if names else "nameless", False, numbers)
    numbers |= {"factor": found.factor, "factor_error": found.errors[0]}
    if found.factor < 0:
        return Evidence("d", "descends", False, numbers)
    one = abs(found.factor - 1) <= (10 * found.tolerance if found.p_value is None else 4 * found.errors[0])
    return Evidence("d", "gradient" if one else "share", one, numbers)


def against(nine: Profile) -> dict[str, float | None]:
    """The update beside dJ/do at nine places."""
    return beside(nine.update, nine.slope, nine.tolerance)


def beside(update: Floats, slopes: Floats | None, tolerance: float) -> dict[str, float | None]:
    """Scale (least squares, and its range), cosine, the largest |z| of an update, both (repetitions, places)."""
    nothing: dict[str, float | None] = {"scale": None, "least": None, "most": None, "cosine": None, "z": None}
    if slopes is None:
        return nothing
    mean, slope = update.mean(axis=0), slopes.mean(axis=0)
    good = np.isfinite(mean) & np.isfinite(slope)
    mean, slope = mean[good], slope[good]
    lengths = float(np.linalg.norm(mean) * np.linalg.norm(slope))
    if not lengths:
        return nothing
    steep = np.abs(slope) > NEGLIGIBLE * np.max(np.abs(slope))
    ratios = mean[steep] / slope[steep]
    error = standard_error(update - slopes)[good]
    seen = error > SAME * np.max(np.abs(slope))
    beyond = np.maximum(0.0, np.abs(mean - slope) - tolerance * np.max(np.abs(slope)))
    z = float(np.max(beyond[seen] / error[seen])) if seen.any() else None
    return {
        "scale": float(mean @ slope / (slope @ slope)),
        "least": float(ratios.min()),
        "most": float(ratios.max()),
        "cosine": float(mean @ slope) / lengths,
        "z": z,
    }


def _shift(looks: Looks) -> Evidence:
    if looks.shifted is None:
        return Evidence("e", "no_reward", None)
    nine = looks.profile.nine
    effect, before = looks.shifted - nine.update, nine.mean
    good = np.all(np.isfinite(effect), axis=0) & np.isfinite(before)
    if not good.any():
        return Evidence("e", "unknown", None)
    change, error = effect.mean(axis=0), standard_error(effect)
    most = int(np.argmax(np.where(good, np.abs(change), -1)))
    middle = len(before) // 2 if good[len(before) // 2] and change[len(before) // 2] else most
    numbers: dict[str, float | None] = {
        "at": float(nine.o[middle]),
        "before": float(before[middle]),
        "after": float(before[middle] + change[middle]),
        "error": float(error[middle]),
    }
    size = max(float(np.max(np.abs(before[good]))), looks.strength * SAME, 1e-300)
    alone = left_alone(change[good], error[good], size, max(looks.tolerance, SAME))
    return Evidence("e", "alone" if alone else "changes", alone, numbers)


def left_alone(change: Floats, error: Floats, size: float, tolerance: float) -> bool:
    """Whether changes, with these standard errors, are none: within tolerance of the update's size, or by chance."""
    varies = error > SAME * size
    plain = bool(np.all(np.abs(change[~varies]) <= tolerance * size))
    with np.errstate(all="ignore"):
        return plain and (not varies.any() or largest(change[varies] / error[varies]) >= FALSE_ALARM)


def _wanted(looks: Looks, land: Landscape, right: Sequence[bool]) -> Evidence:
    """Whether an attracting fixed point answers right; the update on both sides of the wanted output."""
    wanted, profile = looks.profile.wanted, looks.profile
    goal = next((p for p, good in zip(land.points, right, strict=True) if good and p.attracting), None)
    numbers: dict[str, float | None] = {"wanted": wanted, "attractor": goal.at if goal else None}
    if wanted is not None:
        step = 0.025 * (profile.axis.right - profile.axis.left)
        below, above = max(wanted - step, profile.axis.low), min(wanted + step, profile.axis.high)
        for side, at in (("below", below), ("above", above)):
            inside = profile.axis.low < at < profile.axis.high
            numbers |= {side: at if inside else None, f"update_{side}": value_at(profile, at) if inside else None}
    return Evidence("f", "attracts" if goal else "not", goal is not None, numbers)


def value_at(profile: Profile, o: float) -> float | None:
    """The expected update at one output; None where it is no number."""
    found = float(profile.at(np.array([o]))[0]) if profile.at else float(np.interp(o, profile.o, profile.mean))
    return found if np.isfinite(found) else None


__all__ = [
    "SHIFT", "SOURCES", "Evidence", "Looks", "Source", "Weight", "against", "beside", "evidence", "left_alone",
    "of_answers", "of_update", "sources", "value_at",
]  # fmt: skip
