"""What a verdict says of weights that are perturbed, where it is something else than of outputs."""

from collections.abc import Iterator
from math import sqrt

import numpy as np

from glassgrad.draws import Floats
from glassgrad.formula.simplify import multiply
from glassgrad.formula.text import number_text, show
from glassgrad.formula.tree import Apply, Symbol, Tree, replace, substitute, symbols
from glassgrad.judged import Judgement
from glassgrad.locale import language, say
from glassgrad.method import method
from glassgrad.rl.judge.evidence import Evidence
from glassgrad.rl.judge.objectives import FALSE_ALARM
from glassgrad.rl.judge.profile import standard_error
from glassgrad.rl.judge.several import TOLERANCE

LONGEST = 100  # characters of a formula that is shown
SAID = {
    "a_path", "a_cut", "a_flat", "a_open", "c_varies", "c_sampled", "c_reweighted", "c_other_weight", "c_other_unseen",
    "c_weighs", "d_unknown", "d_nothing", "d_other",
}  # fmt: skip
"""The pieces of evidence that are said otherwise than of outputs."""


def perturbed(found: Judgement) -> bool:
    """Whether what is judged perturbs the weights."""
    return found.several is not None and found.several.perturbed


def key(found: Judgement, piece: Evidence, usual: str) -> str:
    """The text for a piece of evidence, whose usual one is `a_flat` and the like."""
    if not perturbed(found):
        return f"judge.{usual}"
    if usual == "a_flat" and piece.numbers["to_reward"]:
        usual = "a_open"
    return f"judge.weights_{usual}" if usual in SAID else f"judge.{usual}"


def formulas(found: Judgement) -> Iterator[str]:
    """The gradient of any weight, if it is the same for all."""
    assert found.experiment is not None
    of = method(found.experiment)
    backward = {line.name: line.tree for line in of.backward}
    weight, tried = next(iter(of.tried.items()))
    if f"d{weight}" not in backward:
        return
    tree: Tree = backward[f"d{weight}"]
    while inner := {name: backward[name] for name in symbols(tree) if name in backward}:
        tree = substitute(tree, dict(inner))
    called = {weight: "w", tried: "tried", f"noise_{weight}": "noise_w"}
    text = show(replace(substitute(tree, {old: Symbol(new) for old, new in called.items()}), _joined))
    if len(text) <= LONGEST and weight.partition("_")[2] not in text:
        yield f"dL/dw = {text}"


def _joined(part: Tree) -> Tree | None:
    return multiply((part,)) if isinstance(part, Apply) and part.function in ("*", "/", "neg") else None


def asked(found: Judgement) -> Iterator[str]:
    """At which weights the evidence is."""
    seen = found.several
    assert seen is not None
    seeds = [place.seed for place in seen.places if not place.trained] or [place.seed for place in seen.places]
    trained = any(place.trained for place in seen.places)
    name = "judge.weights_places_trained" if trained else "judge.weights_places"
    yield say(name, count=len(seen.outputs), first=min(seeds), last=max(seeds))
    if any(place.around for place in seen.places):
        yield say("judge.places_around")
    if table(found) and found["d"].outcome != "nothing":
        yield say("judge.weights_legend")


def table(found: Judgement) -> list[list[str]]:
    """Each network: what is earned, and the mean update beside the gradient; empty where there is none."""
    seen = found.several
    assert seen is not None
    slopes = (seen.drawn or {}).get("dJ")
    if slopes is None or seen.reward is None:
        return []
    heads = [say(f"judge.column_{name}") for name in ("network", "scale", "cosine")]
    lines = [[heads[0], "J", *heads[1:], "z"]]
    for i, place in enumerate(seen.places):
        if place.around:
            continue
        name = say("judge.place_trained" if place.trained else "judge.place_first", seed=place.seed)
        update, slope = seen.update[:, i].mean(axis=0), slopes[:, i].mean(axis=0)
        lengths, product = float(np.linalg.norm(update) * np.linalg.norm(slope)), float(update @ slope)
        reward = number_text(float(f"{seen.reward[i]:.4g}") + 0.0) if np.isfinite(seen.reward[i]) else "–"
        if not np.isfinite(lengths) or not lengths:
            lines.append([name, reward, "–", "–", "–"])
            continue
        scale, z = product / float(slope @ slope), _largest(seen.update[:, i] - slopes[:, i], slope)
        lines.append([name, reward, f"{scale:.3f}", f"{product / lengths:.3f}", f"{z:.1f}"])
    return lines


def _largest(rest: Floats, slope: Floats) -> float:
    """The largest |z| of differences (repetitions, weights); what is only rounding is none."""
    error, least = standard_error(rest), TOLERANCE * float(np.max(np.abs(slope)))
    beyond = np.maximum(0.0, np.abs(rest.mean(axis=0)) - least)
    with np.errstate(all="ignore"):
        return float(np.max(np.where(beyond > 0, beyond / error, 0.0)))


def z(piece: Evidence) -> str:
    """The largest z, and how often chance alone makes one so large."""
    largest, chance, held = (piece.numbers[name] for name in ("z", "chance", "held"))
    if largest is None or chance is None or held is None:
        return ""
    percent = "%" if language() == "zh" else " %"
    often = f"{100 * chance:.1f}{percent}" if chance >= FALSE_ALARM else f"< {100 * FALSE_ALARM:.1f}{percent}"
    return say("judge.weights_d_z", held=int(held), z=f"{largest:.1f}", chance=often)


def wrong_deviation(found: Judgement) -> Iterator[str]:
    """A log-probability with another deviation than that of the weights that are tried."""
    least, most, right = (found["c"].numbers.get(name) for name in ("least", "most", "parameters"))
    if not perturbed(found) or found["c"].outcome != "sampled" or least is None or most is None or right is None:
        return
    if least > 0 and most - least <= TOLERANCE * most and abs(most - 1) > TOLERANCE:
        wrong = right / sqrt(most)
        yield say("judge.weights_sigma", factor=_four(most), wrong=_four(wrong), right=_four(right))


def _four(value: float) -> str:
    return number_text(float(f"{value:.4g}"))


__all__ = ["asked", "formulas", "key", "perturbed", "table", "wrong_deviation", "z"]
