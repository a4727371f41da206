"""The verdict on networks with several outputs: the methods that ship, planted mistakes, and oracles for each number.

All seeds are fixed: a test always sees the same numbers.
"""

import json
import math
import re
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import special

import glassgrad as gg
from glassgrad.draws import Floats, normals, uniforms
from glassgrad.errors import ExperimentError
from glassgrad.judged import Judgement, judge
from glassgrad.locale import Language, set_language
from glassgrad.method import method
from glassgrad.rl.judge.critic import critics
from glassgrad.rl.judge.drawing import Chances, drawn
from glassgrad.rl.judge.experiment import asked
from glassgrad.rl.judge.feedback import feedback
from glassgrad.rl.judge.objectives import OF_SEVERAL
from glassgrad.rl.judge.outputs import Place, alone, places, policy_outputs
from glassgrad.rl.judge.several import Several, Updates
from glassgrad.tables.experiments import METHODS, shipped
from shown import check_text

AROUND_O1 = "-({} - o1)**2/(2*0.5**2)"
CLIPPED = f"a = stop(min(max(o1 + 0.5*noise, 0), 18)); logp = {AROUND_O1.format('a')}"
UNCLIPPED = f"u = stop(o1 + 0.5*noise); a = min(max(u, 0), 18); logp = {AROUND_O1.format('u')}"
THROUGH = f"a = o1 + 0.5*noise; logp = {AROUND_O1.format('stop(a)')}"
CHOICE = (
    "m = stop(max(o)); e = exp(o - m); p = e/sum(e); a = stop(sum([below(p) <= uniform]) - 1); "
    "logp = sum([index == a - {}]*o) - m - log(sum(e))"
)
CRITIC = "0.5*(o2 - stop(reward))**2"


@cache
def judged(name: str, **settings: Any) -> Judgement:
    """A verdict without any training."""
    return judge(name, runs=0, **settings)


def updates(name: str, **settings: Any) -> Updates:
    experiment = shipped(name).change(**settings)
    of = method(experiment)
    question = asked(of)[0]
    return Updates(experiment, of, question, places(experiment, of, question, trained=False))


# The methods that ship.

SEVERAL: dict[str, tuple[str, str, dict[str, bool | None], tuple[float, ...]]] = {
    "add-actor-critic": ("expected_reward", "sampled", {"d": True, "e": True, "f": True}, (1.0,)),
    "add-a2c": ("reward_and_entropy", "sampled", {"d": False, "e": True, "f": None}, (1.0, 0.01)),
    "add-ppo": ("expected_reward", "sampled", {"d": True, "e": True, "f": True}, (1.0,)),
    "add-ppo-entropy": ("reward_and_entropy", "sampled", {"d": False, "e": True, "f": None}, (1.0, 0.01)),
    "add-categorical": ("log_reward_and_entropy", "reweighted", {"d": False, "e": False, "f": None},
                        (1.0, 0.6*(1 - 1/9000))),
}  # fmt: skip
"""What is climbed, how (c) comes out, what (d), (e) and (f) say, and how often each part is in it."""


def test_every_method_with_several_outputs_has_its_verdict() -> None:
    assert set(SEVERAL) == {name for name in METHODS if shipped(name).network[-1] > 1}


@pytest.mark.parametrize("name", SEVERAL)
def test_the_verdict(name: str) -> None:
    found, (climbs, weighs, holds, factors) = judged(name), SEVERAL[name]
    assert found.sources == ("observed",)
    assert (found.objectives[0].objective.name, found["c"].outcome) == (climbs, weighs)
    assert found.objectives[0].factors == pytest.approx(factors, abs=1e-8)
    assert {letter: found[letter].holds for letter in "def"} == holds
    assert (found["a"].holds, found["b"].holds, found["c"].holds) == (False, True, True)
    assert [piece.letter for piece in found.evidence] == list("abcdef")


@pytest.mark.parametrize("name", ["add-actor-critic", "add-a2c", "add-ppo"])
def test_the_critic_follows_the_mean_reward(name: str) -> None:
    (critic,) = judged(name).critics
    assert (critic.output, critic.follows) == (method(shipped(name)).outputs[-1], "mean_reward")
    assert critic.factor == pytest.approx(1.0, abs=1e-9)


def test_a_critic_alone_does_not_move_what_the_actor_learns() -> None:
    found = judged("add-actor-critic")
    (point,) = found.points
    assert point.kind == "attracts"
    assert point.at == pytest.approx(8)
    assert found.right == (True,)
    assert found.forecast is not None
    assert (found.forecast.failures, found.forecast.questions) == (0.0, 4)


# Mistakes, planted: what gives each of them away.


def test_an_advantage_that_is_not_stopped_is_seen_at_the_critic() -> None:
    unstopped = "-(reward - o3)*logp + 0.5*(o3 - stop(reward))**2"
    a2c = {"objective": unstopped}
    for name, settings, follows in (("slip-advantage-not-stopped", {}, "off"), ("add-a2c", a2c, "other")):
        (critic,) = judged(name, **settings).critics
        assert critic.follows == follows
        assert critic.offset == pytest.approx(0.5 if follows == "off" else 0.0, abs=1e-9)  # the mean of -logp
        assert "as a critic it is wrong" in " ".join(judged(name, **settings).to_text().split())


def test_slips_without_an_effect_have_none() -> None:
    assert judged("slip-target-not-stopped").critics[0].follows == "mean_reward"


def test_a_stopped_log_probability_is_seen() -> None:
    found = judged("slip-logp-stopped")
    assert (found.verdict, found["d"].outcome, found["f"].holds) == ("neither", "nothing", False)
    assert found.critics[0].follows == "mean_reward"
    assert "It learns no answer" in found.to_text()


def test_the_log_probability_of_a_clipped_answer_is_seen() -> None:
    found = judged("add-actor-critic", policy=CLIPPED)
    assert found.verdict == "observed"
    assert (found["c"].holds, found["d"].holds, found["e"].holds, found["f"].holds) == (None, False, False, None)
    assert not found.objectives
    right = updates("add-actor-critic", policy=UNCLIPPED).seen()
    assert [fit.objective.name for fit in right.named()] == ["expected_reward"]


def test_a_derivative_that_passes_through_the_reward_is_seen() -> None:
    both = judged("add-actor-critic", policy=THROUGH, objective=f"-(reward - stop(o2))*logp + {CRITIC}")
    assert both.sources == ("derivative", "observed")
    assert (both["a"].outcome, both["b"].holds, both["d"].holds) == ("path", False, False)
    plain = judged("add-a2c", policy="a = o1 + exp(o2)*noise", objective="-reward")
    assert plain.sources == ("derivative",)
    assert plain["d"].holds
    assert [fit.objective.name for fit in plain.objectives] == ["expected_reward"]


def test_the_log_probability_of_another_choice_is_seen() -> None:
    settings = {"objective": "-stop(reward)*logp"}
    right = judged("add-categorical", policy=CHOICE.format(0), **settings)
    assert (right["c"].outcome, right["d"].outcome, right["e"].holds) == ("sampled", "gradient", True)
    for off in ("1", "(-1)"):
        wrong = judged("add-categorical", policy=CHOICE.format(off), **settings)
        assert wrong.verdict == "observed"
        assert (wrong["c"].outcome, wrong["d"].holds, wrong["e"].holds) == ("other_weight", False, False)
        assert not wrong.objectives


def test_the_sign_of_the_entropy_is_seen() -> None:
    wrong = "adv = stop(reward - o3); objective = -adv*logp + 0.5*(o3 - stop(reward))**2 + 0.01*entropy"
    found = judged("add-a2c", objective=wrong)
    assert found.objectives[0].factors == pytest.approx((1.0, -0.01), abs=1e-8)
    assert "A bonus for entropy would have the other sign" in " ".join(found.to_text().split())


def test_a_baseline_with_the_own_answer_is_seen() -> None:
    objective = "-stop(reward - {}(reward))*logp + 0.5*(o3 - stop(reward))**2"
    for baseline, share in (("mean", 7 / 8), ("others", 1.0)):
        found = judged("add-a2c", samples=8, objective=objective.format(baseline))
        (fit,) = found.objectives
        assert fit.objective.name == "expected_reward"
        assert abs(fit.factor - share) < 4 * fit.errors[0] < 0.06
        assert found["e"].holds
        assert ("That is 7/8" in found.to_text()) == (baseline == "mean")
        assert (found.critics[0].follows, found.critics[0].error) == ("mean_reward", 0.0)  # alone, so it is exact


def test_right_names_are_rarely_refused() -> None:
    objective = "-stop(reward - others(reward))*logp + 0.5*(o3 - stop(reward))**2*mean(1 + 0*noise)"
    critic = "-stop(reward - others(reward))*logp + 0.5*(o3 - stop(reward - mean(noise)))**2"
    for seed in range(20):
        for one in (objective, critic):
            found = judged("add-a2c", samples=8, objective=one, seed=seed)
            assert [fit.objective.name for fit in found.objectives] == ["expected_reward"]
            assert (found["d"].holds, found["e"].holds, found.critics[0].follows) == (True, True, "mean_reward")


def test_labels_are_seen_at_any_output() -> None:
    found = judged("add", network=(2, 5, 2), policy="a = o1", objective="(o1 - t)**2 + (o2 - 2*t)**2")
    assert (found.sources, found.objectives[0].objective.name) == (("labels",), "squared_error")
    critic = f"-stop(reward - o2)*logp + {CRITIC.replace('stop(reward)', '(-abs(o1 - t))')}"
    assert judged("add-actor-critic", objective=critic).sources[0] == "labels"


def test_outputs_may_decide_together_without_chance() -> None:
    found = judged("knob", network=(1, 2), policy="a = o1*o2", objective="-reward")
    assert (found.sources, found["d"].holds, found["f"].holds) == (("derivative",), True, None)


def test_an_output_may_decide_nothing() -> None:
    found = judged("add-actor-critic", policy="a = 3*noise", objective="(o2 - stop(reward))**2")
    assert found.verdict == "neither"
    assert [critic.follows for critic in found.critics] == ["nothing", "mean_reward"]
    assert "No output decides the answer" in found.to_text()


def test_a_reward_that_is_no_number_is_refused() -> None:
    with pytest.raises(ExperimentError, match=r"the reward log\(a\) is not a finite number for the answer -"):
        judge("add-a2c", runs=0, reward="log(a)")


def test_two_kinds_of_chance_are_drawn() -> None:
    policy = "a = stop(o1 + exp(o2)*noise + uniform); logp = -(a - o1)**2/(2*exp(o2)**2) - o2"
    found = judged("add-a2c", policy=policy, objective="-stop(reward)*logp")
    assert (found["d"].outcome, found["e"].holds) == ("unknown", False)


# Places that coincide, as with own weights.

ALIKE: dict[str, Any] = {
    "network": (2, 1, 2), "samples": 40, "steps": 20, "reward": "distance",
    "init": "W1=[[0.5, 0.3]]; b1=[0.1]; W2=[[0.7],[0.2]]; b2=[0, 0.1]",
    "policy": f"a = stop(o1 + 0.5*noise); logp = {AROUND_O1.format('a')}",
}  # fmt: skip
ON_O2 = "a = stop(o2 + 0.5*noise); logp = -(a - o2)**2/(2*0.5**2)"
SPREAD = "s = abs(o2) + 0.1; a = stop(o1 + s*noise); logp = -(a - o1)**2/(2*s**2) - log(s)"


def alike(objective: str, **settings: Any) -> Judgement:
    return judged("add", **(ALIKE | {"objective": objective} | settings))


def test_a_critic_that_is_off_is_seen_though_networks_start_alike() -> None:
    found = alike("adv = stop(reward - o2); objective = -adv*logp + (o2 - stop(reward) - 1)**2")
    (critic,) = found.critics
    assert critic.follows == "off"
    assert (critic.factor, critic.offset) == pytest.approx((2.0, 1.0), abs=1e-6)
    assert found.several is not None
    assert len({(place.outputs["o1"], place.outputs["o2"]) for place in found.several.places}) == 9


def test_what_another_output_moves_is_seen_though_networks_start_alike() -> None:
    for objective in ("-stop(reward*o2)*logp", "-stop(reward*max(o2, 1.2))*logp"):
        found = alike(objective)
        assert (found["f"].outcome, found.objectives, len(found.profile.o)) == ("several", (), 0)
        assert "the other outputs move the update of o1" in " ".join(found.to_text().split())
        assert found.to_text().count("seed 0, first") == 1


def test_what_another_output_moves_is_seen_beyond_the_networks() -> None:
    o2 = updates("add", network=(2, 2), reward="distance", policy=ALIKE["policy"], objective="reinforce").at["o2"][:, 0]
    assert np.argmin(o2) == 0  # around it is looked, too
    objective = f"-stop(reward*min(o2, {o2[0] - 0.05:.4f}))*logp"
    found = judged("add", network=(2, 2), reward="distance", policy=ALIKE["policy"], objective=objective)
    assert found["f"].outcome == "several"


def test_no_name_is_given_because_places_coincide() -> None:
    assert not alike("-stop(reward**3)*logp", policy=ON_O2).objectives
    assert not alike("-stop(reward**3)*logp", policy=SPREAD).objectives
    named = alike("-stop(reward)*logp", policy=SPREAD).objectives
    assert [fit.objective.name for fit in named] == ["expected_reward"]
    zeros = alike("-stop(reward**3)*logp", policy=SPREAD, init="zeros")
    assert (zeros.objectives, zeros["d"].holds) == ((), False)
    assert "places around where they start are looked at, too" in " ".join(zeros.to_text().split())


def test_too_few_places_tell_nothing() -> None:
    random = np.random.default_rng(4)
    update, slopes = random.normal(size=(1, 5, 2)), dict.fromkeys(("dJ", "dH", "dS", "dW"), random.normal(size=(5, 2)))
    same = tuple(Place(seed, False, {"o1": 1.0, "o2": 2.0, "o3": 0.0}) for seed in range(5))
    seen = Several(same, ("o1", "o2"), ("o1", "o2"), np.repeat(update[:, :1], 5, axis=1), None, slopes)
    assert (seen.named(), seen.enough) == ((), False)
    critic = Several(same, ("o3",), (), np.ones((1, 5, 1)), np.full(5, 0.3), {})
    assert [one.follows for one in critics(critic)] == ["unknown"]
    apart = Several(places_of(5), ("o2",), (), np.ones((1, 5, 1)), np.full(5, np.nan), {})
    assert [one.follows for one in critics(apart)] == ["unknown"]


def test_places_around_stay_between_the_ends() -> None:
    inside = alike("-stop(reward)*o1 + (o2 - stop(reward))**2", output_activation="sigmoid", policy="a = o1*o2")
    assert inside.several is not None
    assert all(0 < o < 1 for place in inside.several.places for o in place.outputs.values())


# One output decides, and it need not be the first.


def test_the_output_that_decides_is_looked_at_wherever_it_is() -> None:
    found = judged("add", network=(2, 2), reward="distance", policy=ON_O2, objective="reinforce")
    assert (found["d"].outcome, found["f"].holds) == ("gradient", True)
    assert [critic.follows for critic in found.critics] == ["nothing"]
    text = " ".join(found.to_text().split())
    assert "only o2 is moved; all else (o1) is held" in text
    assert f"The network of seed 0 starts at o2 = {found.start:.4g} and goes to 8" in text
    assert found.several is not None
    assert found.start == pytest.approx(found.several.places[0].outputs["o2"])
    assert found.start != pytest.approx(found.several.places[0].outputs["o1"])
    assert found.plot().axes[1].get_xlabel() == "output o2"
    pushed = judged("add", network=(2, 2), reward="distance", policy=ON_O2, objective="-stop(reward)*logp*exp(o1)")
    assert "the other outputs move the update of o2" in " ".join(pushed.to_text().split())


def test_a_rounded_answer_is_judged() -> None:
    policy = f"a = stop(round(o1 + 0.5*noise)); n = o1 + 0.5*noise; logp = {AROUND_O1.format('stop(n)')}"
    settings = {"network": (1, 2), "reward": "-abs(a - t)", "policy": policy}
    found = judged("knob", objective="reinforce", **settings)
    assert (found["c"].outcome, found["d"].outcome, found["e"].holds) == ("weighs", "gradient", True)
    both = "s = exp(o2); n = o1 + s*noise; a = stop(round(n)); logp = -(stop(n) - o1)**2/(2*s**2)"
    found = judged("knob", objective="reinforce", **(settings | {"policy": both}))
    assert (found["c"].holds, found["d"].holds, found["e"].holds) == (None, False, False)


def test_a_critic_that_flees_is_seen() -> None:
    for value, offset in (("o2 - stop(reward)", 0.0), ("o2 - stop(reward) - 2", 2.0)):
        found = judged("add-actor-critic", objective=f"-stop(reward)*logp - ({value})**2")
        (critic,) = found.critics
        assert critic.follows == "flees"
        assert (critic.factor, critic.offset) == pytest.approx((-2.0, offset), abs=1e-6)
        text = " ".join(found.to_text().split())
        assert "It flees the mean reward J: its expected update is -2*(J" in text
        assert "as a critic it is wrong" in text


def test_an_update_in_another_direction_has_no_scale() -> None:
    policy = "m = o1 + 0.001*o2; a = stop(m + 0.5*noise); logp = -(a - m)**2/(2*0.5**2)"
    found = judged("add-actor-critic", policy=policy, objective="-stop(reward)*logp + 20*o2")
    text = " ".join(found.to_text().split())
    assert "Its direction is another: " in text
    assert not re.search(r"between (\S+) and \1 times", text)


# Each number against an oracle.


def gaussian_slopes(mu: Floats, sigma: Floats, truth: float) -> tuple[Floats, Floats]:
    """dJ/dmu and dJ/dsigma for the reward -|a - t|."""
    d = (mu - truth) / sigma
    return -special.erf(d / math.sqrt(2)), -math.sqrt(2 / math.pi) * np.exp(-(d**2) / 2)


def test_the_gradient_of_a_normal_answer_is_the_closed_form() -> None:
    found = updates("add-a2c")
    o1, o2 = (found.at[name][:, 0] for name in ("o1", "o2"))
    sigma = np.exp(o2) + 0.1
    slope, spread = gaussian_slopes(o1, sigma, 8.0)
    assert found.reward_slopes == pytest.approx(np.stack([slope, spread * np.exp(o2)], axis=1), abs=1e-9)
    entropy = np.stack([0 * o2, np.exp(o2) / sigma], axis=1)
    assert found.entropy_slopes == pytest.approx(entropy, abs=1e-9)
    assert found.updates(found.plain)[0, :, :2] == pytest.approx(found.reward_slopes + 0.01 * entropy, abs=1e-9)
    assert found.error_slopes == pytest.approx(np.stack([-2 * (o1 - 8), -2 * sigma * np.exp(o2)], axis=1), abs=1e-7)


def test_the_gradient_of_a_choice_is_the_closed_form() -> None:
    found = updates("add-categorical", objective="reinforce")
    logits = np.concatenate([found.at[name] for name in found.of.outputs], axis=1)
    p = special.softmax(logits, axis=1)
    rewards = (np.arange(19) == 8).astype(float)
    value = p @ rewards
    assert found.reward == pytest.approx(value, abs=1e-12)
    assert found.reward_slopes == pytest.approx(p * (rewards - value[:, None]), abs=1e-10)
    assert found.updates(found.plain)[0] == pytest.approx(p * (rewards - value[:, None]), abs=1e-12)
    logs = np.log(p)
    entropy = -p * (logs - np.sum(p * logs, axis=1, keepdims=True))
    assert found.entropy_slopes == pytest.approx(entropy, abs=1e-9)


def test_the_score_of_a_choice_is_that_of_softmax() -> None:
    found = updates("add-categorical")
    draws = {"uniform": uniforms(3, "judge", np.array([0]), len(found.places), units=50)[0]}
    score = found.chances.score(found.at, draws, found.of.outputs)
    p = special.softmax(np.concatenate([found.at[name] for name in found.of.outputs], axis=1), axis=1)
    which = np.sum(np.cumsum(p, axis=1)[:, None, :-1] <= draws["uniform"][:, :, None], axis=2)
    assert np.moveaxis(score, 0, 2) == pytest.approx(np.eye(19)[which] - p[:, None], abs=1e-8)


@pytest.mark.parametrize("name", ["add-a2c", "add-ppo", "add-categorical"])
def test_the_expected_update_is_the_mean_of_many_answers(name: str) -> None:
    found, many = updates(name), 20_000
    draw, chance = (uniforms, "uniform") if name == "add-categorical" else (normals, "noise")
    each = found.plain.updates(found.at, {chance: draw(5, "judge", np.array([0]), 1, units=many)[0]})
    mean, error = each.mean(axis=2), each.std(axis=2, ddof=1) / math.sqrt(many)
    exact = found.updates(found.plain)[0].T
    assert np.all(np.abs(mean - exact) < 4.5 * error + 1e-12)


def test_the_mean_reward_of_a_rounded_answer() -> None:
    found = updates("add-a2c", reward="-abs(round(a) - t)")
    noise = normals(7, "judge", np.array([0]), 1, units=200_000)[0]
    o1, sigma = found.at["o1"], np.exp(found.at["o2"]) + 0.1
    rewards = -np.abs(np.round(o1 + sigma * noise) - 8)
    error = rewards.std(axis=1) / math.sqrt(rewards.shape[1])
    assert found.reward is not None
    assert np.all(np.abs(rewards.mean(axis=1) - found.reward) < 4 * error)
    assert [fit.objective.name for fit in found.seen().named()] == ["reward_and_entropy"]


def test_which_outputs_decide() -> None:
    every = {"add-actor-critic": ("o1",), "add-a2c": ("o1", "o2"), "add-ppo": ("o1",),
             "add-ppo-entropy": ("o1", "o2")}  # fmt: skip
    for name, outputs in every.items():
        assert policy_outputs(method(shipped(name))) == outputs
    assert len(policy_outputs(method(shipped("add-categorical")))) == 19
    assert policy_outputs(method(shipped("add"))) == ("o",)


def test_one_output_alone_has_the_feedback_of_all() -> None:
    of = method(shipped("add-actor-critic"))
    one, noise = alone(of, "o1", {"o2": -3.0}), {"noise": np.array([[-1.0, 0.3, 2.0]])}
    question, at = np.array([5.0, 3.0]), np.array([[6.5], [9.0]])
    every = feedback(of, question).updates({"o1": at, "o2": np.full((2, 1), -3.0)}, noise)
    assert feedback(one, question).updates(at, noise) == pytest.approx(every[0], abs=1e-15)


def test_how_an_answer_is_drawn() -> None:
    def how(policy: str) -> Any:
        settings = {"policy": policy, "objective": "-stop(reward)*o1"}
        return drawn(feedback(method(shipped("add-actor-critic").change(**settings)), np.array([5.0, 3.0])))

    assert how("a = o1").name == ""
    assert (how("a = stop(o1 + 2*noise)").name, how("a = stop(o1 + 2*noise)").whole) == ("noise", True)
    assert not how("a = max(o1 + exp(o2)*noise, 0)").whole
    assert how("a = exp(o1 + o2*noise)").normal is not None
    for policy in ("a = o1 + exp(noise)", "a = o1 + noise**3", "u = o1 + noise; a = u + max(o2, u)"):
        assert how(policy) is None
    assert len(how("a = [uniform < sigmoid(o1)] + 2*[uniform < sigmoid(o2)]").borders) == 2
    assert how("a = o1 + uniform") is None
    assert how("a = o1 + uniform + noise") is None


@pytest.mark.parametrize("row", OF_SEVERAL, ids=lambda row: row.name)
def test_each_named_objective_is_found(row: Any) -> None:
    random = np.random.default_rng(3)
    slopes = {name: random.normal(size=(5, 2)) for name in ("dJ", "dH", "dS", "dW")}
    reward, spots = random.uniform(0.1, 1, size=5), places_of(5)
    known = {**slopes, "J": reward[:, None]}
    from glassgrad.formula.evaluate import evaluate

    update = sum((k + 1.5) * np.asarray(evaluate(tree, known)) for k, tree in enumerate(row.trees))
    found = Several(spots, ("o1", "o2"), ("o1", "o2"), np.asarray(update)[None], reward, slopes)
    assert [fit.objective.name for fit in found.named()] == [row.name]
    wrong = np.asarray(update)[None] * (1 + 1e-4 * random.normal(size=(1, 5, 2)))
    assert not Several(spots, ("o1", "o2"), ("o1", "o2"), wrong, reward, slopes).named()


def places_of(count: int) -> Any:
    return tuple(Place(seed, False, {"o1": float(seed), "o2": 0.0}) for seed in range(count))


def test_chance_is_met_where_it_turns() -> None:
    of = method(shipped("add-a2c").change(reward="where(abs(a - t) < 0.5, 1, 0)"))
    plain = feedback(of, np.array([5.0, 3.0]))
    around = Chances(plain, drawn(plain)).around({name: np.zeros((1, 1)) for name in of.outputs}, ("reward",))
    inside = (np.abs(1.1 * around.draws["noise"] - 8) < 0.5) * around.weights  # sigma = exp(0) + 0.1
    ends = special.ndtr(np.array([7.5, 8.5]) / 1.1)
    assert float(inside.sum()) == pytest.approx(ends[1] - ends[0], rel=1e-10)


# Runs, and what is shown.


def test_runs_are_measured_and_trained_networks_looked_at() -> None:
    found = judge("add-a2c", runs=40)
    assert found.several is not None
    assert [place.trained for place in found.several.places] == [False] * 4 + [True] * 4
    assert all(abs(place.outputs["o1"] - 8) < 0.5 for place in found.several.places[4:])
    assert found.forecast is not None
    assert (found.forecast.failures, found.forecast.runs, found.held) == (None, 40, True)
    assert found.forecast.failed is not None
    assert found.objectives[0].factors == pytest.approx((1.0, 0.01), abs=1e-6)
    assert {place.step for place in found.several.places} == {1, 3000}
    assert "seed 3, trained" in found.to_text()
    assert "outputs that start" not in found.to_text()
    assert re.search(r"^ +measured *\n  runs that fail +[0-9.]+ %", found.to_text(), re.MULTILINE)


def test_one_question_with_several_outputs_is_trained() -> None:
    settings = {"network": (1, 2), "policy": "a = o1", "objective": "-reward + (o2 - stop(reward))**2"}
    found = judge("knob", runs=50, **settings)  # type: ignore[arg-type]
    assert found.forecast is not None
    assert found.forecast.failed is not None
    assert sum(share.predicted for share in found.forecast.shares) == pytest.approx(1.0)


@pytest.fixture
def command(command_line: Any) -> Any:
    return partial(command_line, "judge")


SHOWN: list[tuple[str, dict[str, Any]]] = [
    ("add-actor-critic", {}), ("add-ppo", {}), ("add-a2c", {}), ("add-categorical", {}), ("slip-logp-stopped", {}),
    ("slip-advantage-not-stopped", {}), ("add-actor-critic", {"policy": CLIPPED}),
    ("add-categorical", {"policy": CHOICE.format(1), "objective": "-stop(reward)*logp"}),
    ("add", {"network": (2, 5, 2), "policy": "a = o1", "objective": "(o1 - t)**2 + (o2 - 2*t)**2"}),
    ("add-actor-critic", {"policy": "a = 3*noise", "objective": "(o2 - stop(reward))**2"}),
]  # fmt: skip


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_text_fits_80_columns(language: Language) -> None:
    set_language(language)
    try:
        for name, settings in SHOWN:
            text = judged(name, **settings).to_text()
            check_text(text)
    finally:
        set_language("en")


def test_the_text_says_what_is_left_out() -> None:
    text = " ".join(judged("add-a2c").to_text().split())
    assert "o1, o2 decide the answer together" in text
    assert "`glassgrad compare add-a2c --why`" in text
    assert "o3 decides no answer. It is a critic and follows the mean reward J" in text
    assert "reward plus 0.01 times the entropy of the answers" in text
    assert "the first of the 4 updates from the same answers" in " ".join(judged("add-ppo").to_text().split())
    assert "as it is at step 1" in judged("add-categorical").to_text()
    assert "outputs that start" not in judged("add-a2c").to_text()
    assert "runs that fail" not in judged("add-a2c").to_text()
    assert "<th>go to" not in judged("add-a2c").to_html()


def test_json_has_every_place(command: Any) -> None:
    status, out, err = command("add-a2c", "--runs", "0", "--format", "json")
    assert (status, err) == (0, "")
    found = json.loads(out)
    assert found["objectives"][0]["reading"]["en"] == "the expected reward and the entropy of the answers"
    assert found["objectives"][0]["reading"]["zh"] == "期望奖励与回答的熵"
    assert (found["outputs"]["names"], found["outputs"]["policy"]) == (["o1", "o2", "o3"], ["o1", "o2"])
    place = found["outputs"]["places"][1]
    assert (place["seed"], place["trained"], sorted(place["slopes"])) == (1, False, ["dH", "dJ", "dS"])
    assert place["update"]["o3"] == pytest.approx(place["expected_reward"] - place["outputs"]["o3"])
    assert found["critics"] == [
        {"output": "o3", "follows": "mean_reward", "factor": pytest.approx(1.0), "offset": 0.0, "error": 0.0}
    ]
    assert (found["verdict"], found["forecast"]["failures_predicted"]) == ("observed", None)
    assert json.loads(json.dumps(judged("add").to_json()))["outputs"] is None


def test_a_picture_where_an_output_moves_alone(command: Any, tmp_path: Path) -> None:
    found = judged("add-actor-critic")
    assert found.plot().axes[1].get_xlabel() == "output o1"
    assert "<svg" in found.to_html()
    page = judged("add-a2c").to_html()
    assert "there is nothing to draw" in page
    assert "<svg" not in page
    with pytest.raises(ExperimentError, match=r"there is nothing to draw: .* but o1, o2 move together"):
        judged("add-a2c").plot()
    file = tmp_path / "none.png"
    for name, more in (("add-a2c", ()), ("add-actor-critic", ("--objective", "-stop(reward*o2)*logp"))):
        status, out, err = command(name, *more, "--plot", str(file))  # refused before anything is trained or shown
        assert (status, out, err.count("\n"), file.exists()) == (2, "", 1, False)
        assert "but o1, o2 move together" in err


def test_python_has_the_same_words() -> None:
    found = gg.judge("add-a2c", runs=0)
    assert isinstance(found, gg.Judgement)
    assert "critic" in found._repr_html_()
    assert len(found.output) == 0
