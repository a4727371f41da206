"""What a verdict says of several outputs: which decide the answer, what the others follow, and where it was looked."""

from collections.abc import Iterator, Sequence

import numpy as np

from glassgrad.formula.text import number_text, show
from glassgrad.judged import Judgement
from glassgrad.locale import language, say
from glassgrad.method import method
from glassgrad.report import judge_weights as weights
from glassgrad.report.feedback import arriving
from glassgrad.rl.judge.critic import Critic
from glassgrad.rl.judge.outputs import moved
from glassgrad.rl.judge.several import Several

MOST = 3  # outputs that are shown one by one
ASTRAY = ("off", "flees", "other")  # what a critic should not follow
NONE = "–"


def along(found: Judgement) -> str:
    """What the output that is moved is called."""
    return "o" if found.several is None else moved(found.several.outputs, found.several.policy)


def listed(outputs: Sequence[str]) -> str:
    """Some outputs by name: "o1, o2", or "o1, …, o19".

    Example:
        >>> listed(("o1", "o2")), listed(("o1", "o2", "o3", "o4"))
        ('o1, o2', 'o1, …, o4')
    """
    by = "、" if language() == "zh" else ", "
    return by.join(outputs if len(outputs) <= MOST else (outputs[0], "…", outputs[-1]))


def formulas(found: Judgement) -> Iterator[str]:
    """What arrives at each output, where they are few."""
    if weights.perturbed(found):
        yield from weights.formulas(found)
        return
    if found.several is None or found.experiment is None or len(found.several.outputs) > MOST:
        return
    of = method(found.experiment)
    for k, name in enumerate(of.outputs):
        yield f"dL/d{name} = {show(arriving(of, name)) if of.arriving(k) else '0'}"


def asked(found: Judgement) -> Iterator[str]:
    """At which values of the outputs the evidence is."""
    seen = found.several
    if seen is None:
        return
    if seen.perturbed:
        yield from weights.asked(found)
        return
    if len(found.profile.o):
        yield say("judge.held", output=along(found), others=listed(seen.others), seed=seen.places[0].seed)
        return
    seeds = [place.seed for place in seen.places if not place.trained]
    trained = any(place.trained for place in seen.places)
    yield say("judge.places_trained" if trained else "judge.places", first=min(seeds), last=max(seeds))
    if any(place.around for place in seen.places):
        yield say("judge.places_around")
    if seen.policy:
        yield say("judge.policy_reads", outputs=listed(seen.policy))
    if table(found):
        yield say("judge.table_legend")


def others(found: Judgement) -> Iterator[str]:
    """What each output follows that decides no answer."""
    has_reward = found.several is not None and found.several.reward is not None
    for critic in found.critics:
        yield _other(critic, has_reward)


def _other(critic: Critic, has_reward: bool) -> str:
    off = f" {'-' if critic.offset < 0 else '+'} {_four(abs(critic.offset))}" if critic.offset else ""
    factor, away = number_text(float(f"{critic.factor:.4g}")), f"J{off} - {critic.output}"
    if critic.error:
        factor = f"({factor} ± {critic.error:.2g})"
    update = away if factor == "1" else f"{factor}*({away})"
    key = "unseen" if critic.follows == "unknown" and has_reward else critic.follows
    return say(f"judge.critic_{key}", output=critic.output, update=update, offset=_four(critic.offset))


def astray(found: Judgement) -> Iterator[str]:
    """The outputs beside the policy's that follow something else than the mean reward, where there is one."""
    yield from (say("judge.astray", output=one.output) for one in found.critics if one.follows in ASTRAY)


def together(found: Judgement) -> str:
    """Why there is no fixed point to be found."""
    assert found.several is not None
    policy = found.several.policy
    if found.several.perturbed:
        return say("judge.f_weights", name=found.name)
    key = "judge.f_together" if len(policy) > 1 else "judge.f_pushed" if policy else "judge.f_no_output"
    return say(key, outputs=listed(policy), name=found.name)


def table(found: Judgement) -> list[list[str]]:
    """Each place: the outputs, what they earn, the update beside the gradient; empty where an output moves alone."""
    seen = found.several
    if seen is not None and seen.perturbed:
        return weights.table(found)
    if seen is None or len(found.profile.o) or not seen.policy or seen.slopes["dJ"] is None:
        return []
    few = seen.outputs if len(seen.outputs) <= MOST else ()
    lines = [[say("judge.column_network"), *few, "J", say("judge.column_scale"), say("judge.column_cosine")]]
    for i, place in enumerate(seen.places):
        if place.around:
            continue
        name = say("judge.place_trained" if place.trained else "judge.place_first", seed=place.seed)
        lines.append([name, *(_four(place.outputs[one]) for one in few), *_beside(seen, i)])
    return lines


def _beside(seen: Several, i: int) -> list[str]:
    """J, and scale and cosine of the update beside the gradient, at one place."""
    slopes = seen.slopes["dJ"]
    assert slopes is not None
    assert seen.reward is not None
    update, slope = seen.of_policy.mean(axis=0)[i], slopes[i]
    lengths = float(np.linalg.norm(update) * np.linalg.norm(slope))
    if not np.isfinite(lengths) or not lengths:
        return [_four(seen.reward[i]), NONE, NONE]
    product = float(update @ slope)
    return [_four(seen.reward[i]), _four(product / float(slope @ slope)), f"{product / lengths + 0.0:.3f}"]


def _four(value: float) -> str:
    """A number in four digits; what is only rounding is 0."""
    if not np.isfinite(value):
        return NONE
    return number_text(float(f"{value:.4g}") + 0.0) if abs(value) > 1e-9 else "0"


__all__ = ["along", "asked", "astray", "formulas", "listed", "others", "table", "together"]
