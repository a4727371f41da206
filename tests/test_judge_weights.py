"""The verdict on policies that perturb the weights: planted mistakes, and closed forms for mean update and gradient.

All seeds are fixed: a test always sees the same numbers.
"""

import json
import math
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy import special

import glassgrad as gg
from glassgrad.draws import Floats
from glassgrad.errors import ExperimentError
from glassgrad.judged import Judgement, judge
from glassgrad.locale import Language, set_language
from glassgrad.method import method
from glassgrad.rl.judge import weights as judge_weights
from glassgrad.rl.judge.outputs import Place
from glassgrad.rl.judge.several import Several
from glassgrad.rl.judge.weights import Tried
from glassgrad.tables.experiments import shipped
from shown import check_text

TRIED = "tried = stop(w + 0.02*noise_w); a = o; "
LOGP = "logp = -sum((tried - w)**2)/(2*0.02**2)"
SMALL: dict[str, Any] = {"network": (2, 2, 1), "samples": 40}


@cache
def judged(**settings: Any) -> Judgement:
    """A verdict without any training, on a small network."""
    return judge("add-evolution", runs=0, **{**SMALL, **settings})


@pytest.fixture(autouse=True)
def fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer answers than usual: all that is planted is far larger than their noise."""
    monkeypatch.setattr(judge_weights, "ANSWERS", 20_000)


def told(found: Judgement) -> str:
    return " ".join(found.to_text().split())


def test_evolution_strategies_have_their_verdict() -> None:
    found = judge("add-evolution", runs=0)
    assert found.sources == ("observed",)
    assert [fit.objective.name for fit in found.objectives] == ["expected_reward"]
    assert {piece.letter: piece.holds for piece in found.evidence} == {
        "a": False, "b": True, "c": True, "d": True, "e": True, "f": None,
    }  # fmt: skip
    assert found["c"].numbers["score"] == pytest.approx(1.0)
    assert found["d"].numbers["factor"] == pytest.approx(1.0, abs=0.002)
    assert found.several is not None
    assert found.several.mean.shape == (4, 21)
    text = told(found)
    assert "It climbs the expected reward of perturbed weights." in text
    assert "dL/dw = mean(-stop(reward - group_others_reward)*(tried - w)/sigma**2)" in text
    assert "`glassgrad compare add-evolution --why`" in text


# Mistakes, planted: what gives each of them away.


def test_a_log_probability_with_another_sigma_is_seen() -> None:
    found = judged(policy=TRIED + LOGP.replace("0.02", "0.04"))
    assert (found["c"].outcome, found["d"].outcome) == ("sampled", "share")
    assert found["d"].numbers["factor"] == pytest.approx(0.25, abs=0.001)
    assert "as a deviation of 0.04 in place of 0.02 would make it" in told(found)


def test_a_log_probability_that_is_stopped_is_seen() -> None:
    found = judged(policy=TRIED + LOGP.replace("= ", "= stop(") + ")")
    assert (found.verdict, found["c"].holds, found["d"].outcome) == ("neither", False, "nothing")
    assert "nothing arrives at a weight" in told(found)


def test_a_reward_that_is_not_stopped_does_no_harm() -> None:
    found = judged(objective="-reward*logp")
    assert (found.sources, found["a"].holds, found["d"].outcome) == (("observed",), False, "gradient")
    assert (found["a"].numbers["to_reward"] or 0) > 1
    assert "this does no harm" in told(found)


def test_a_reward_that_reads_the_weights_makes_a_path() -> None:
    reward = "-abs(a - t) - 0.1*sum(w**2)"
    found = judged(reward=reward, objective="-reward*logp")
    assert (found.sources, found["a"].holds, found["b"].holds) == (("derivative", "observed"), True, False)
    assert found["d"].holds is False
    assert judged(reward=reward, objective="-stop(reward)*logp")["a"].outcome == "cut"


@pytest.mark.parametrize(
    ("settings", "share"),
    [
        ({"group": 8, "objective": "-stop(reward - group_mean(reward))*logp"}, "7/8"),
        ({"samples": 20, "objective": "-stop(reward - mean(reward))*logp"}, "19/20"),
    ],
)
def test_a_baseline_with_the_own_sample_is_seen(settings: dict[str, Any], share: str) -> None:
    found = judged(**settings)
    above, below = map(int, share.split("/"))
    assert found["d"].outcome == "share"
    assert found["d"].numbers["factor"] == pytest.approx(above / below, abs=0.005)
    assert f"That is {share}: every answer stands in its own baseline" in told(found)


def test_the_wrong_sign_is_seen() -> None:
    found = judged(objective="stop(reward - others(reward))*logp")
    assert found["d"].outcome == "descends"
    assert found["c"].numbers["score"] == pytest.approx(-1.0)
    assert "a sign is wrong" in told(found)


def test_what_is_no_log_probability_is_seen() -> None:
    found = judged(policy=TRIED + "logp = -sum(abs(tried - w))/0.02")
    assert (found["c"].outcome, found["d"].holds) == ("other_weight", False)


def test_labels_are_seen() -> None:
    found = judged(objective="stop((a - t)**2)*logp")
    assert found.sources == ("labels",)
    assert [fit.objective.name for fit in found.objectives] == ["squared_error"]


def test_where_all_earn_the_same_that_is_said() -> None:
    found = judged(reward="right")
    assert (found.verdict, found["d"].outcome, found.objectives) == ("observed", "nothing", ())
    assert "all answers that were tried earned the same" in told(found)


@pytest.mark.parametrize(
    "settings",
    [
        {"objective": "reinforce_baseline"}, {"objective": "reinforce_leave_one_out", "group": 1},
        {"policy": "s = 0.02 + 0.1*abs(w); tried = stop(w + s*noise_w); a = o; "
                   "logp = sum(-(tried - w)**2/(2*s**2) - log(s))"},
        {"policy": "tried = stop(w + 0.02*sign(noise_w)); a = o; logp = sum(stop(tried - w)/0.02**2*w)"},
        {"reward": "-abs(round(a) - t)", "policy": "evolution(sigma=0.1)"},
        {"network": (2, 3, 2, 1), "activation": "tanh", "output_activation": "softplus"},
        {"samples": 1, "group": 1, "objective": "reinforce_baseline"},
    ],
)  # fmt: skip
def test_what_is_right_is_found_right(settings: dict[str, Any]) -> None:
    """Ten or more z each; that a right update is refused would happen once in 1,000 times."""
    found = judged(**settings)
    assert (found.sources, found["d"].outcome, found["e"].holds) == (("observed",), "gradient", True)
    assert found["c"].holds in (True, None)


# Oracles.

X, SIGMA, TRUTH = np.array([5.0, 3.0, 1.0]), 0.1, 8.0


def seen_at(outputs: list[float], reward: str, monkeypatch: pytest.MonkeyPatch) -> Several:
    """Linear networks with these answers to 5 + 3."""
    monkeypatch.setattr(judge_weights, "ANSWERS", 50_000)
    experiment = shipped("add-evolution").change(network=(2, 1), policy=f"evolution(sigma={SIGMA})", reward=reward)
    tried = Tried(experiment, method(experiment), np.array([5.0, 3.0]), trained=False)
    tried.places = tuple(
        Place(0, False, {"W1_1_x1": 1.0, "W1_1_x2": 1.0, "b1_1": output - TRUTH}) for output in outputs
    )
    return tried.seen()


def earned(reward: str, outputs: Floats) -> tuple[Floats, Floats]:
    """J and dJ/do of a normal answer."""
    s = SIGMA * float(np.linalg.norm(X))
    d = (outputs - TRUTH) / s
    density = np.exp(-(d**2) / 2) / math.sqrt(2 * math.pi)
    if reward == "distance":
        return -s * (2 * density + d * special.erf(d / math.sqrt(2))), -special.erf(d / math.sqrt(2))
    if reward == "-(a - t)**2":
        return -(s**2) * (d**2 + 1), -2 * (outputs - TRUTH)
    high, low = (TRUTH + 0.5 - outputs) / s, (TRUTH - 0.5 - outputs) / s
    slope = (np.exp(-(low**2) / 2) - np.exp(-(high**2) / 2)) / math.sqrt(2 * math.pi) / s
    return special.ndtr(high) - special.ndtr(low), slope


@pytest.mark.parametrize("reward", ["distance", "-(a - t)**2", "where(abs(a - t) < 0.5, 1, 0)"])
def test_mean_update_and_gradient_are_those_of_closed_forms(reward: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of 24 means within 4.5 standard errors: false alarms once in 6,000 times; a fiftieth more would be seen."""
    outputs = np.array([7.2, 7.9, 8.05, 9.0])
    seen, (value, slope) = seen_at(list(outputs), reward, monkeypatch), earned(reward, outputs)
    exact = slope[:, None] * X
    assert seen.drawn is not None
    assert seen.reward == pytest.approx(value, abs=0.02)
    for rows in (seen.update, seen.drawn["dJ"]):
        error = rows.std(axis=0, ddof=1) / math.sqrt(len(rows)) + 1e-4
        assert np.all(np.abs(rows.mean(axis=0) - exact) < 4.5 * error)
        assert np.any(np.abs(1.1 * rows.mean(axis=0) - exact) > 4.5 * error)


def test_what_steadies_the_mean_leaves_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain means agree with the steadied ones, within the errors of the plain ones, which are larger."""
    steady = seen_at([7.0, 9.0], "distance", monkeypatch)
    monkeypatch.setattr(judge_weights, "steadied", lambda rows, *controls: rows)
    plain = seen_at([7.0, 9.0], "distance", monkeypatch)
    assert np.all(np.abs(plain.mean - steady.mean) < 4.5 * plain.error)
    assert np.all(plain.error > 1.5 * steady.error)


def test_update_and_gradient_have_noise_of_their_own() -> None:
    experiment = shipped("add-evolution").change(**SMALL)
    tried = Tried(experiment, method(experiment), np.array([5.0, 3.0]), trained=False)
    one, other = (
        next(tried._pieces(tried.plain, begin))[1] for begin in (judge_weights.UPDATE, judge_weights.GRADIENT)
    )
    assert not any(np.any(one[name] == other[name]) for name in one)
    assert judge_weights.UPDATE + judge_weights.BATCHES[1] < judge_weights.GRADIENT


def test_a_mixture_is_named() -> None:
    found = judged(objective="-stop(reward - others(reward))*logp + 0.1*stop((a - t)**2 - others((a - t)**2))*logp")
    assert found.sources == ("labels", "observed")
    fit = found.objectives[0]
    for factor, error, planted in zip(fit.factors, fit.errors, (1.0, 0.1), strict=True):
        assert abs(factor - planted) < 4 * error < 0.3 * planted
    assert "the expected reward of perturbed weights plus 0." in told(found)


def test_the_sizes_of_fits_do_not_hide_a_difference() -> None:
    found = judged()
    assert found.several is not None
    one = found.several.mean.argmax()
    wrong = found.several.update.copy()
    wrong.reshape(len(wrong), -1)[:, one] *= 1.05
    assert found.several.named()
    assert not replace(found.several, update=wrong).named()


# What is shown.


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_text_fits_80_columns(language: Language) -> None:
    set_language(language)
    try:
        for settings in ({}, {"reward": "right"}, {"objective": "-reward*logp"}, {"policy": TRIED + "logp = -sum(w)"}):
            text = judged(**settings).to_text()
            check_text(text)
    finally:
        set_language("en")


def test_json_and_pages() -> None:
    found = judged()
    place = json.loads(json.dumps(found.to_json(), allow_nan=False))["outputs"]["places"][0]
    assert set(place["update"]) == set(place["outputs"]) == set(place["slopes"]["dJ"]) == set(
        method(shipped("add-evolution").change(**SMALL)).tried
    )  # fmt: skip
    page = found.to_html()
    assert "there is nothing to draw" in page
    assert "<svg" not in page
    with pytest.raises(ExperimentError, match="9 weights move together"):
        found.plot()


def test_runs_are_measured_and_trained_weights_looked_at() -> None:
    found = judge("knob", runs=30, policy="evolution(sigma=0.1)", objective="reinforce_leave_one_out", samples=40)
    assert found.several is not None
    assert [place.trained for place in found.several.places] == [False] * 4 + [True] * 4
    assert found["d"].outcome == "gradient"
    assert found.forecast is not None
    assert found.forecast.runs == 30
    assert "seed 3, trained" in found.to_text()


def test_estimators_say_where_to_look_instead() -> None:
    with pytest.raises(ExperimentError, match="`glassgrad judge add-evolution`") as caught:
        gg.estimators("add-evolution")
    assert "\n" not in str(caught.value)


def test_networks_that_start_alike_count_once() -> None:
    settings = {"runs": 0, "network": (2, 1), "init": "W1=[[0.5, 0.3]]; b1=[0.1]", "group": 8}
    found = judge("add-evolution", **settings)  # type: ignore[arg-type]
    assert found.several is not None
    assert [place.around for place in found.several.places] == [False] * 4 + [True] * 3
    assert (found.objectives[0].objective.name, found["d"].holds) == ("expected_reward", True)
    assert "places around where they start are looked at, too" in " ".join(found.to_text().split())
    assert len(found.to_json()["outputs"]["places"]) == 7
