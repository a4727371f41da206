"""Estimators of the policy gradient: their means, their variances, autograd's gradients, false alarms, and the faces.

Seeds are fixed, so that every test comes out the same each time; where chance decides, the bound is said.
"""

import io
import json
import math
import re
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

import glassgrad as gg
from glassgrad import insight
from glassgrad.draws import Floats
from glassgrad.errors import GlassgradError
from glassgrad.estimated import Estimates, estimators
from glassgrad.experiment import Experiment
from glassgrad.formula.evaluate import evaluate, evaluate_torch
from glassgrad.formula.parser import parse
from glassgrad.method import Method, method
from glassgrad.rl.arriving import Arriving, arriving, of_run
from glassgrad.rl.carrying import carrying
from glassgrad.rl.estimate import FALSE_ALARM, Column, _Meter, _Spread, estimate, judged, p_value
from glassgrad.rl.estimators import BATCH, ESTIMATORS, GROUP, Estimator, own
from glassgrad.rl.grouped import Grouped
from glassgrad.rl.in_training import chance_of, in_training, questions
from glassgrad.rl.network import every_output, flat, jacobian, outputs
from glassgrad.rl.situation import Situation, one_choice, one_question
from glassgrad.tables.experiments import shipped

MU, SIGMA, TRUTH = 6.3, 1.5, 7.0
DISTANCE, ROUNDED = "-abs(a - t)", "-abs(round(a) - t)"
SURE = 4.0  # standard errors: exceeded once in 16,000 times


@cache
def measured(reward: str = DISTANCE, samples: int = 200_000, seed: int = 0) -> Estimates:
    return estimators(mu=MU, sigma=SIGMA, truth=TRUTH, reward=reward, samples=samples, seed=seed)


# The mean of every row, from elsewhere: shares of the exact gradient, integrals, or another program's samples.


def expectation(weight: Any, reward: Any = lambda a: -abs(a - TRUTH)) -> float:
    """E[reward(a)*weight(z)] by scipy, z standard normal."""

    def integrand(z: float) -> float:
        return float(reward(MU + SIGMA * z) * weight(z) * stats.norm.pdf(z))

    kink = (TRUTH - MU) / SIGMA
    return float(integrate.quad(integrand, -10, 10, points=[kink, -1, 1], limit=200, epsabs=1e-12)[0])


J = expectation(lambda z: 1.0)
EXACT = (expectation(lambda z: z / SIGMA), expectation(lambda z: (z * z - 1) / SIGMA))


def blurred() -> tuple[float, float]:
    """The gradient when mu and sigma are moved by s*e as well: E over e of sigma', by Gauss and Hermite."""
    s, h = 0.1 * SIGMA, 1e-4
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)

    def value(mu: float, sigma: float) -> float:
        spread = np.sqrt((sigma + s * nodes) ** 2 + s * s)
        d = (mu - TRUTH) / spread
        each = -spread * (d * (2 * stats.norm.cdf(d) - 1) + 2 * stats.norm.pdf(d))
        return float(each @ weights / weights.sum())

    return (
        (value(MU + h, SIGMA) - value(MU - h, SIGMA)) / (2 * h),
        (value(MU, SIGMA + h) - value(MU, SIGMA - h)) / (2 * h),
    )


def grpo(ddof: int) -> tuple[float, float]:
    """By another program: two million groups of 8, from NumPy's own generator."""
    noise = np.random.default_rng(0).standard_normal((2_000_000, GROUP))
    r = -np.abs(MU + SIGMA * noise - TRUTH)
    advantage = (r - r.mean(axis=1, keepdims=True)) / r.std(axis=1, ddof=ddof, keepdims=True)
    return float((advantage * noise).mean() / SIGMA), float((advantage * (noise**2 - 1)).mean() / SIGMA)


def share(part: float) -> tuple[float, float]:
    return part * EXACT[0], part * EXACT[1]


def clipped() -> tuple[float, float]:
    def at(z: float) -> float:
        return min(1.0, max(-1.0, z))

    def above(a: float) -> float:
        return -abs(a - TRUTH) - J

    slopes = (lambda z: at(z) / SIGMA, lambda z: (at(z) ** 2 - 1) / SIGMA)
    return expectation(slopes[0], above), expectation(slopes[1], above)


MEANS: dict[str, Callable[[], tuple[float, float]]] = {
    "reinforce": lambda: EXACT,
    "baseline": lambda: EXACT,
    "leave_one_out": lambda: EXACT,
    "pathwise": lambda: EXACT,
    "batch_mean": lambda: share((BATCH - 1) / BATCH),
    "group_mean": lambda: share((GROUP - 1) / GROUP),
    "evolution": blurred,
    "antithetic": blurred,
    "grpo": lambda: grpo(1),
    "grpo_n": lambda: grpo(0),
    "log_output": lambda: (J / MU, 0.0),
    "clipped": clipped,
    "normalised_one": lambda: (0.0, 0.0),
    "not_stopped": lambda: (0.0, -J / SIGMA),
    "broadcast": lambda: share(1 / GROUP),
}
"""d/dmu and d/dsigma at the usual place, for each row of the table."""


def test_every_row_has_its_mean_here() -> None:
    assert list(MEANS) == [row.name for row in ESTIMATORS]


def deviations(found: Any, expected: tuple[float, ...]) -> list[float]:
    """How many standard errors each mean is away; where there is no spread it has to be equal."""
    pairs = zip(found.mean, found.standard_error, expected, strict=True)
    return [abs(m - e) / s if s else 0.0 if abs(m - e) < 1e-12 else math.inf for m, s, e in pairs]


@pytest.mark.parametrize("name", MEANS)
def test_the_mean_of_a_row(name: str) -> None:
    assert max(deviations(measured()[name], MEANS[name]())) < SURE


@pytest.mark.parametrize("name", [row.name for row in ESTIMATORS if row.kind != "unbiased"])
def test_a_mean_that_is_off_by_a_twentieth_is_seen(name: str) -> None:
    expected = MEANS[name]()
    wrong = tuple(1.05 * value + (0.01 if not value else 0.0) for value in expected)
    if name != "evolution":  # whose noise hides it
        assert max(deviations(measured()[name], wrong)) > SURE


# The numbers that are written down.

WRITTEN = [
    (DISTANCE, "reinforce", 0.3607, 0.0039),
    (DISTANCE, "pathwise", 0.3574, 0.0021),
    (DISTANCE, "leave_one_out", 0.3615, 0.0024),
    (DISTANCE, "group_mean", 0.3163, 0.0021),
    (DISTANCE, "grpo", 0.2939, 0.0016),
    (DISTANCE, "grpo_n", 0.313, 0.0017),
]
"""Means of 200,000 samples by Monte Carlo, each with a standard error of its own."""


@pytest.mark.parametrize(("reward", "name", "mean", "error"), WRITTEN)
def test_the_written_means(reward: str, name: str, mean: float, error: float) -> None:
    found = measured(reward)[name]
    assert abs(float(found.mean[0]) - mean) < 3 * math.hypot(error, float(found.standard_error[0]))


@pytest.mark.parametrize(
    ("name", "place", "variance"),
    [("reinforce", 0, 3.11), ("baseline", 0, 1.06), ("batch_mean", 0, 1.06), ("pathwise", 0, 0.87),
     ("reinforce", 1, 10.15), ("pathwise", 1, 0.49)],
)  # fmt: skip
def test_the_written_variances(name: str, place: int, variance: float) -> None:
    """Four samples of 200,000; the variance itself varies by 2 % or less (a batch's by 3 %)."""
    found = [float(measured(seed=seed)[name].variance[place]) for seed in range(4)]
    assert np.mean(found) == pytest.approx(variance, rel=0.05)


def test_variances_are_those_of_one_answer() -> None:
    second = expectation(lambda z: (z / SIGMA) ** 2, lambda a: (a - TRUTH) ** 2)
    assert second - EXACT[0] ** 2 == pytest.approx(3.11, abs=0.03)  # 3.089
    found = [float(measured(seed=seed)["reinforce"].variance[0]) for seed in range(4)]
    assert np.mean(found) == pytest.approx(second - EXACT[0] ** 2, rel=0.02)


def test_the_written_exact_values() -> None:
    assert [round(float(value), 4) for value in measured().exact] == [0.3593, -0.7156]
    assert [float(value) for value in measured().exact] == pytest.approx(EXACT, abs=1e-10)
    assert round(float(measured(ROUNDED).exact[0]), 4) == 0.3657


def test_with_a_rounded_answer_pathwise_is_all_bias() -> None:
    found = measured(ROUNDED)
    pathwise = found["pathwise"]
    assert (pathwise.mean[0], pathwise.standard_error[0], pathwise.verdict) == (0.0, 0.0, "all")
    assert pathwise.columns[0].z is None
    assert pathwise.columns[0].bias == -found.exact[0]
    assert max(deviations(found["reinforce"], tuple(found.exact))) < SURE
    assert {row.name for row in ESTIMATORS if found[row.name].verdict == "none"} >= {
        "reinforce", "baseline", "leave_one_out", "antithetic",
    }  # fmt: skip


# What arrives is what autograd finds.


def by_autograd(estimator: Estimator, situation: Situation, chance: Floats) -> Floats:
    """The estimates of an objective by PyTorch: one group after the other, and -dL/dv of the mean objective."""
    lines = arriving(estimator, situation)
    assert lines is not None
    made = []
    for group in chance.reshape(-1, chance.shape[-1]):
        variables = {
            name: torch.full(group.shape, float(value[0]), dtype=torch.float64, requires_grad=True)
            for name, value in situation.variables.items()
        }
        known: dict[str, Any] = {
            **{name: float(np.ravel(value)[0]) for name, value in situation.values.items()},
            **variables,
            "expected": torch.full(group.shape, float(situation.exact.value[0]), dtype=torch.float64),
            situation.chance: torch.tensor(group),
        }
        for line in lines.lines:
            if line.name.startswith("d"):
                break
            known[line.name] = evaluate_torch(line.tree, known, torch.float64)
        loss = known["objective"].mean()
        nothing: tuple[torch.Tensor | None, ...] = (None,) * len(variables)
        grads = (
            torch.autograd.grad(loss, list(variables.values()), allow_unused=True) if loss.requires_grad else nothing
        )
        made.append([0.0 if grad is None else -float(grad.sum()) for grad in grads])
    return np.array(made)


@pytest.mark.parametrize("estimator", [row for row in ESTIMATORS if not row.moves], ids=lambda row: row.name)
@pytest.mark.parametrize("situation", ["normal", "rounded", "choice"])
def test_what_arrives_is_autograds(estimator: Estimator, situation: str) -> None:
    here = {
        "normal": lambda: one_question(DISTANCE, TRUTH, MU, SIGMA),
        "rounded": lambda: one_question(ROUNDED, TRUTH, MU, SIGMA),
        "choice": lambda: one_choice("a*(2 - a)", 1, (0.3, -0.5, 0.1)),
    }[situation]()
    lines = arriving(estimator, here)
    if lines is None:
        assert situation == "choice"
        assert estimator.name in ("log_output", "clipped", "not_stopped")
        return
    meter = _Meter(estimator, lines, here)
    stream = np.random.default_rng(0)
    draws = stream.standard_normal if here.chance == "noise" else stream.random
    chance = draws((12, 1, meter.group))
    assert meter.by_answers(chance) == pytest.approx(by_autograd(estimator, here, chance), abs=1e-12)


def test_groups_are_numpys() -> None:
    r = np.random.default_rng(1).normal(size=(3, 4, 5))
    for axes in ((2,), (1, 2)):
        backend, axis = Grouped(r.shape, axes), axes
        n = np.prod([r.shape[i] for i in axes])
        for own_, theirs in (
            (backend.mean(r), r.mean(axis=axis, keepdims=True)),
            (backend.sum(r), r.sum(axis=axis, keepdims=True)),
            (backend.amax(r), r.max(axis=axis, keepdims=True)),
            (backend.amin(r), r.min(axis=axis, keepdims=True)),
            (backend.std(r), r.std(axis=axis, ddof=1, keepdims=True)),
            (backend.norm(r), np.sqrt((r**2).sum(axis=axis, keepdims=True))),
            (backend.others(r), (r.sum(axis=axis, keepdims=True) - r) / (n - 1)),
        ):
            assert own_ == pytest.approx(theirs)
        assert backend.count(r) == n


def test_a_table_of_all_pairs_leaves_an_eighth() -> None:
    """The slip itself, as it happens in NumPy and PyTorch: shapes (8,) and (8, 1) subtract to (8, 8)."""
    noise = np.random.default_rng(2).standard_normal((200_000, GROUP))
    r = -np.abs(MU + SIGMA * noise - TRUTH)
    table = r[:, None, :] - np.full((GROUP, 1), J)  # (groups, 8, 8): row i holds every reward
    slipped = (table * (noise / SIGMA)[:, :, None]).mean(axis=(1, 2))
    error = slipped.std() / math.sqrt(len(slipped))
    assert abs(slipped.mean() - EXACT[0] / GROUP) < SURE * error


# A network: its derivatives, the exact gradient, and the run's own numbers.

NETWORKS = {
    "relu": shipped("add-reinforce"),
    "deep": shipped("add-reinforce").change(network=(2, 4, 3, 1), activation="tanh"),
    "learned": shipped("add-reinforce").change(activation="param p = 0.25; where(z > 0, z, p*z)"),
    "squashed": shipped("add-reinforce").change(output_activation="param q = 2; q*tanh(z)", activation="sigmoid"),
    "choose": shipped("choose"),
    "linear": shipped("add-reinforce").change(network=(2, 1)),
}


def start(experiment: Experiment) -> dict[str, Any]:
    """A network with odd numbers, so that nothing is at a kink."""
    stream = np.random.default_rng(4)
    shapes = method(experiment).network.shapes()
    return {name: stream.normal(size=shape) * 0.4 + 0.05 for name, shape in shapes.items()}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_jacobian_is_the_difference_quotient(name: str) -> None:
    of = method(NETWORKS[name])
    theta, inputs = flat(of, start(NETWORKS[name])), of.task.domain()[::7]
    o, slopes = jacobian(of, theta, inputs)
    assert outputs(of, theta[None], inputs)[0] == pytest.approx(o, abs=1e-14)
    h = 1e-6
    moves = np.eye(len(theta)) * h
    quotient = (outputs(of, theta + moves, inputs) - outputs(of, theta - moves, inputs)).T / (2 * h)
    assert slopes == pytest.approx(quotient, abs=2e-8, rel=1e-7)


@pytest.mark.parametrize("reward", [DISTANCE, ROUNDED, "right"])
@pytest.mark.parametrize("name", ["relu", "deep", "choose"])
def test_the_exact_gradient_is_the_difference_quotient(name: str, reward: str) -> None:
    """Of J itself, over all questions: every parameter."""
    experiment = NETWORKS[name].change(reward=reward)
    of, parameters = method(experiment), start(experiment)
    names = [(array, place) for _, array, place in of.network.parameters()]
    exact = in_training(of, parameters, 1).gradient
    h = 1e-4
    for i in (0, len(names) // 2, len(names) - 1):
        array, place = names[i]

        def value(by: float, array: str = array, place: tuple[int, ...] = place) -> float:
            moved = {key: np.array(values) for key, values in parameters.items()}
            moved[array][place] += by
            return in_training(of, moved, 1).value

        better = (8 * (value(h) - value(-h)) - (value(2 * h) - value(-2 * h))) / (12 * h)
        assert exact[i] == pytest.approx(better, abs=1e-6, rel=1e-5)


SEVERAL = {
    "first": shipped("add-actor-critic"),
    "learned": shipped("add-a2c"),
    "shared": shipped("add-a2c").change(apart=False, network=(2, 4, 3, 3), activation="tanh"),
    "same": shipped("add-actor-critic").change(policy="a = stop(o2 + exp(o2/9)*noise); logp = -o2*0", objective="logp"),
    "choice": shipped("add-categorical").change(network=(2, 3, 5), policy="categorical(first=2)"),
    "choice-apart": shipped("add-categorical").change(network=(2, 3, 5), apart=True, passes=2),
}


@pytest.mark.parametrize("name", SEVERAL)
def test_the_jacobian_of_each_output_is_the_difference_quotient(name: str) -> None:
    of = method(SEVERAL[name])
    theta, inputs = flat(of, start(SEVERAL[name])), of.task.domain()[::7]
    every = every_output(of, theta[None], inputs)[0]
    seen = insight.forward(SEVERAL[name], start(SEVERAL[name]), inputs)
    assert every == pytest.approx(np.stack([seen[output] for output in of.outputs], axis=1), abs=1e-13)
    h, moves = 1e-6, np.eye(len(theta))
    near = [every_output(of, theta + sign * h * moves, inputs) for sign in (1, -1)]
    for k in range(of.network.outputs):
        o, slopes = jacobian(of, theta, inputs, k)
        assert o == pytest.approx(every[:, k], abs=1e-14)
        quotient = (near[0][:, :, k] - near[1][:, :, k]).T / (2 * h)
        assert slopes == pytest.approx(quotient, abs=2e-8, rel=1e-7)


@pytest.mark.parametrize(
    ("name", "reward", "count"),
    [*((name, reward, 5) for name in SEVERAL for reward in (DISTANCE, "right")),
     ("learned", "-abs(a - t)*(1 + 0.1*x1)", 2)],
)  # fmt: skip
def test_the_exact_gradient_of_several_outputs_is_the_difference_quotient(name: str, reward: str, count: int) -> None:
    experiment = SEVERAL[name].change(reward=reward, task="add", truth="x1 + 2")
    of, parameters = method(experiment), start(experiment)
    here = in_training(of, parameters, 1)
    h = 1e-4
    for i in np.linspace(0, of.network.count - 1, count).astype(int):
        by = [in_training(of, moved(of, parameters, int(i), k * h), 1).value for k in (-2, -1, 1, 2)]
        assert here.gradient[i] == pytest.approx(np.dot(by, [1, -8, 8, -1]) / (12 * h), abs=1e-6, rel=1e-5)


def moved(of: Method, parameters: dict[str, Any], i: int, by: float) -> dict[str, Any]:
    _, array, place = list(of.network.parameters())[i]
    found = {key: np.array(values) for key, values in parameters.items()}
    found[array][place] += by
    return found


@pytest.mark.parametrize("name", ["first", "learned", "choice"])
def test_the_own_row_of_several_outputs_is_the_gradient_that_the_run_used(name: str) -> None:
    """That of the parameters that move the answer: a critic's own are left out."""
    experiment = SEVERAL[name].change(steps=8, precision="double", clip=None)
    record = gg.watch(experiment).record
    of, moment = method(experiment), record.moment(8)
    here = in_training(of, moment.parameters, 8)
    lines = of_run(of, moment.lines, 8, here)
    theta, inputs = flat(of, moment.parameters), moment.inputs
    chance = moment.noise if here.chance == "noise" else moment.uniform
    assert chance is not None
    known: dict[str, Any] = {"t": moment.truth, here.chance: chance, **lines.values}
    known |= dict(zip(of.outputs, every_output(of, theta[None], inputs)[0].T, strict=True))
    for line in lines.needed:
        known[line.name] = evaluate(line.tree, known, Grouped(chance.shape, (0,)))
    each = ((known[f"d{name}"], jacobian(of, theta, inputs, of.outputs.index(name))[1]) for name in here.variables)
    ours = sum(np.broadcast_to(d, chance.shape) @ slopes for d, slopes in each) / len(inputs)
    assert ours == pytest.approx(flat(of, moment.gradients) * here.moving, abs=1e-12, rel=1e-10)
    assert (here.moving == 0).any() == (name != "choice")


@pytest.mark.parametrize(("name", "reading"), [("first", "o1"), ("learned", "exp(o2) + 0.1"), ("choice", "2, …, 6")])
def test_several_outputs_at_a_step_of_a_run(name: str, reading: str) -> None:
    found = estimators(SEVERAL[name].change(reward="distance", steps=300), step=20, samples=80_000)
    for row in ("reinforce", "baseline", "leave_one_out"):
        assert found[row].verdict == "none", row
    assert found["pathwise"].verdict == ("all" if name == "choice" else "none")
    for row in ("group_mean", "grpo", "broadcast"):
        assert found[row].verdict == "biased", row
    assert found["group_mean"].scale == pytest.approx(7 / 8, abs=0.03)
    assert reading in found.to_text()
    assert found.taken is not None
    assert "<svg" in found.to_html()


def rare(seed: int) -> Situation:
    """A choice among 3 answers, after 5 updates, that has nearly been made: some answers are hardly ever drawn."""
    experiment = shipped("add").change(
        network=(2, 4, 3),
        apart=True,
        reward="distance",
        policy="categorical",
        objective="reinforce",
        seed=seed,
        steps=5,
    )
    return in_training(method(experiment), gg.watch(experiment).record.final, 6)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_answers_that_were_hardly_drawn_are_no_bias(seed: int) -> None:
    here = rare(seed)
    for found in estimate(here, samples=16_000, rows=[row for row in ESTIMATORS if row.kind == "unbiased"][:3]):
        assert found.verdict == "none"
        assert abs(found.largest or 0.0) < 4.5
        judged_, every = ([c for c in found.columns if not c.empty and (c.enough or keep)] for keep in (False, True))
        assert judged_
        assert len(judged_) < len(every) or seed == 1
        assert all(abs(c.z) < 1e6 for c in every if c.z is not None)  # no spread of rounding


def test_unbiased_estimators_of_several_outputs_are_rarely_called_biased() -> None:
    """120 seeds, 3 estimators: 0.4 alarms are expected, more than 3 in one of 1,400 tries; if all columns count, 30."""
    rows = [row for row in ESTIMATORS if row.kind == "unbiased"][:3]
    found = [one for run in (2, 4) for here in [rare(run)] for seed in range(60)
             for one in estimate(here, samples=8_000, seed=seed, rows=rows)]  # fmt: skip
    assert sum(one.verdict == "biased" for one in found) <= 3
    every = [judged([column._replace(carrying=math.inf) for column in one.columns], one.samples) for one in found]
    assert every.count("biased") > 30


def test_how_many_answers_carry_a_column() -> None:
    """Of reward a: c = z**2 - 1 for mu, so that E[c**2]**2/E[c**4] = 4/60; of a choice of probability p about p."""
    share_ = carrying(one_question("a", TRUTH, MU, SIGMA), np.array([1.0, 0.0]))
    assert share_[[0, 2]] == pytest.approx(4 / 60, rel=1e-3)
    p = 1 / (1 + math.exp(9))
    c = np.array([(0 - p) * (0 - p), (1 - p) * (1 - p)])  # (reward - J)*(a - p) for a = 0, 1
    c -= np.array([1 - p, p]) @ c
    expected = ([1 - p, p] @ c**2) ** 2 / ([1 - p, p] @ c**4)
    assert carrying(one_choice("right", 1, (-9.0,)), np.ones(1)) == pytest.approx([expected, expected])
    assert expected == pytest.approx(p, rel=1e-3)


def test_too_few_answers_are_a_verdict_of_its_own() -> None:
    """The answer that earns something comes once in 10,000 times; with more answers there is something to judge."""
    few, many = (estimators(logits=-9.2, truth=1, samples=samples) for samples in (8_000, 400_000))
    for row, verdict in (("reinforce", "none"), ("leave_one_out", "none"), ("pathwise", "all")):
        assert (few[row].verdict, many[row].verdict) == ("few", verdict)
    assert json.loads(json.dumps(few.to_json()))[0]["carrying"] < 2
    assert "few answers" in few.to_text()
    assert "not enough answers" in " ".join(few.to_text().split())


def test_a_critic_in_a_shared_trunk_is_named() -> None:
    shared_, apart = (
        estimators("add-actor-critic", network=(2, 4, 2), apart=apart, step=5, samples=16_000)
        for apart in (False, True)
    )
    assert shared_.taken is not None
    assert apart.taken is not None
    assert (shared_.taken.shared, apart.taken.shared) == (("o2",), ())
    assert (shared_["own"].cosine or 0) > 0.9
    sentence = "the loss of o2 moves shared units"
    assert sentence in " ".join(shared_.to_text().split())
    assert sentence not in " ".join(apart.to_text().split())


def test_a_choice_among_many_is_shown_as_it_is_written() -> None:
    found = estimators("add-categorical", network=(2, 2, 5), step=2, samples=1_600)
    assert "max(max(" not in found.to_text()
    assert "  e = exp(o - m)\n" in found.to_text()
    assert found["own"].formula.startswith("max_o = max(o); m = stop(max_o); ")
    plain = estimators("add-categorical", network=(2, 2, 5), objective="reinforce", step=2, samples=1_600)
    assert plain["own"].formula == "reward*score"


@pytest.mark.parametrize("first", ["3", "-2", "0", "2 + 1"])
def test_a_choice_may_begin_anywhere(first: str) -> None:
    policy = (
        "m = stop(max(o)); e = exp(o - m); p = e/sum(e); a = stop(sum([below(p) <= uniform]) - 1 + FIRST); "
        "logp = sum([index == a - (FIRST)]*o) - m - log(sum(e))"
    ).replace("FIRST", first)
    experiment = SEVERAL["choice"].change(policy=policy, objective="reinforce", reward="distance")
    value = float(evaluate(parse(first), {}))
    own_, named = (
        in_training(method(one), start(one), 1)
        for one in (experiment, experiment.change(policy=f"categorical(first={value:g})"))
    )
    assert own_.choices == named.choices == tuple(value + k for k in range(5))
    assert np.array_equal(own_.gradient, named.gradient)
    with pytest.raises(GlassgradError, match=r"categorical\(first=3\)"):
        in_training(method(experiment.change(policy=policy.replace("- m", "- 2*m"))), start(experiment), 1)


def test_own_first_weights() -> None:
    """At step 0 the exact gradient is that of the weights that were written: a = 1.5*x1 + 0.5*x2 + 1 + sigma*noise."""
    found = estimators("add-reinforce", network=(2, 1), init="W1=[[1.5, 0.5]]; b1=[1]", reward="-(a - t)**2", step=0,
                       samples=16_000)  # fmt: skip
    x = method(shipped("add-reinforce")).task.domain()
    off = x @ [1.5, 0.5] + 1 - x.sum(axis=1)
    assert found.exact == pytest.approx([*(-2 * off @ x / len(x)), -2 * off.mean()])
    assert found["baseline"].verdict == "none"
    assert max(deviations(found["baseline"], tuple(found.exact))) < SURE


def test_a_choice_with_networks_apart_at_a_step_of_a_run() -> None:
    found = estimators(SEVERAL["choice-apart"].change(passes=1, reward="distance", steps=20), step=5, samples=16_000)
    for row in ("reinforce", "baseline", "leave_one_out"):
        assert found[row].verdict == "none", row
    assert found.taken is not None
    assert found.taken.shared == ()
    assert found["grpo"].verdict == "biased"


@pytest.mark.parametrize("name", ["add-reinforce", "sub-reinforce", "choose"])
def test_the_runs_own_row_is_the_gradient_that_it_used(name: str) -> None:
    """With the run's own questions, noise and baseline, the row gives the numbers that autograd gave in the run."""
    experiment = shipped(name).change(steps=8, precision="double")
    record = gg.watch(experiment).record
    of, moment = method(experiment), record.moment(8)
    situation = in_training(of, moment.parameters, 8)
    lines = of_run(of, moment.lines, 8, situation)
    theta = flat(of, moment.parameters)
    o, slopes = jacobian(of, theta, moment.inputs)
    chance = moment.noise if situation.chance == "noise" else moment.uniform
    assert chance is not None
    known: dict[str, Any] = {"o": o, "t": moment.truth, situation.chance: chance, **lines.values}
    known |= {f"x{i + 1}": moment.inputs[:, i] for i in range(moment.inputs.shape[1])}
    backend = Grouped(o.shape, (0,))
    for line in lines.needed:
        known[line.name] = evaluate(line.tree, known, backend)
    ours = known["do"] @ slopes / len(o)
    assert ours == pytest.approx(flat(of, moment.gradients), abs=1e-12, rel=1e-10)


def test_at_a_step_of_a_run() -> None:
    found = estimators("add-reinforce", step=100)
    assert found.parameters[0] == "W1_1_x1"
    assert len(found.parameters) == 21
    for name in ("reinforce", "baseline", "leave_one_out", "pathwise", "own", "antithetic"):
        assert found[name].verdict == "none", name
    assert found["group_mean"].scale == pytest.approx(7 / 8, abs=4 * found["group_mean"].along.standard_error / 5.4)
    assert found["broadcast"].scale == pytest.approx(1 / 8, abs=0.02)
    for name in ("group_mean", "grpo", "broadcast", "clipped"):  # a wrong one points the right way all the same
        assert found[name].verdict == "biased"
        assert (found[name].cosine or 0) > 0.999
    assert found.taken is not None
    assert found.taken.answers == 80
    parameters = gg.watch("add-reinforce", steps=100).record.final
    of = method(shipped("add-reinforce"))
    assert found.exact == pytest.approx(in_training(of, parameters, 101).gradient, abs=1e-14)


def test_a_schedule_that_reads_its_end_is_that_of_the_whole_run() -> None:
    settings_: dict[str, Any] = {"steps": 40, "schedule": "lr*(1 - step/steps)"}
    found = estimators("add-reinforce", step=10, samples=1_600, **settings_)
    whole = gg.watch("add-reinforce", **settings_).record.parameters_at(11)
    of = method(shipped("add-reinforce").change(**settings_))
    assert found.exact == pytest.approx(in_training(of, whole, 11).gradient, abs=1e-14)


def test_a_choice_at_a_step_of_a_run() -> None:
    found = estimators("choose", step=20)
    assert found.situation.questions == 180
    assert found["reinforce"].verdict == found["leave_one_out"].verdict == found["own"].verdict == "none"
    assert found["pathwise"].verdict == "all"
    assert found["log_output"].verdict == "biased"
    with pytest.raises(KeyError):
        found["clipped"]


@pytest.mark.parametrize(
    ("policy", "sigma"),
    [
        ("gaussian(sigma=0.3)", 0.3),
        ("pathwise(sigma=2)", 2.0),
        ("a = stop(o + 0.1*noise); logp = -(a - o)**2/(2*0.1**2)", 0.1),
        ("s = 0.2; a = o - s*noise", 0.2),
        ("a = stop(o + noise/step); logp = -(a - o)**2*step**2/2", 0.25),
    ],
)
def test_the_chance_of_a_policy(policy: str, sigma: float) -> None:
    of = method(shipped("add-reinforce").change(policy=policy, objective="-reward"))
    assert chance_of(of, 4).sigma == pytest.approx(sigma, abs=1e-15)


def test_sigma_may_be_given_to_any_experiment() -> None:
    found = estimators("add", reward=DISTANCE, sigma=0.5, step=3, samples=16_000)
    assert found.situation.values["sigma"] == 0.5
    assert found["baseline"].verdict == "none"
    assert found.taken is None


def test_many_questions_are_spread_evenly() -> None:
    of = method(shipped("add-reinforce").change(task="both", network=(3, 4, 1)))
    assert len(questions(of)) == 200
    wide = method(shipped("add-reinforce"))
    assert np.array_equal(questions(wide), wide.task.domain())


# Choices.


@pytest.mark.parametrize("logits", [(0.4,), (-2.0,), (0.3, 1.0, 2.0), (0.0, 0.0)])
def test_reinforce_of_a_choice_is_unbiased(logits: tuple[float, ...]) -> None:
    found = estimators(logits=logits, truth=1, reward="3 - abs(a - t)", samples=100_000)
    for name in ("reinforce", "baseline", "leave_one_out"):
        assert max(deviations(found[name], tuple(found.exact))) < SURE
    assert max(deviations(found["group_mean"], tuple(7 / 8 * found.exact))) < SURE
    assert found["pathwise"].verdict == ("all" if np.any(found.exact) else "none")


# Statistics: false alarms, detection, pieces.


def test_unbiased_estimators_are_rarely_called_biased() -> None:
    """Of 4 estimators and 250 seeds once in 1,000 times: one alarm is expected, more than 5 would be in 1,700 tries."""
    here = one_question(DISTANCE, TRUTH, MU, SIGMA)
    rows = [row for row in ESTIMATORS if row.kind == "unbiased"]
    found = [one for seed in range(250) for one in estimate(here, samples=2_000, seed=seed, rows=rows)]
    assert sum(one.verdict != "none" for one in found) <= 5


def test_z_is_standard_normal() -> None:
    here = one_question(DISTANCE, TRUTH, MU, SIGMA)
    z = [estimate(here, samples=4_000, seed=seed, rows=ESTIMATORS[:1])[0].columns[0].z for seed in range(150)]
    assert stats.kstest([value for value in z if value is not None], "norm").pvalue > 0.001


@pytest.mark.parametrize("share_", [0.97, 1.03])
def test_a_bias_of_three_percent_is_seen(share_: float) -> None:
    here = one_question(DISTANCE, TRUTH, MU, SIGMA)
    row = own(f"-{share_}*stop(reward - expected)*logp")
    lines = arriving(row, here)
    assert lines is not None
    (found,) = estimate(here, samples=400_000, rows=(), more=[(row, lines)])
    assert found.verdict == "biased"
    assert found.scale == pytest.approx(share_, abs=0.02)


def test_the_p_value_is_that_of_the_largest_of_so_many() -> None:
    columns = [Column(0.0, z, 1.0, 1.0) for z in (0.5, -3.0, 1.0)]
    assert p_value(columns) == pytest.approx(1 - (1 - 2 * stats.norm.sf(3.0)) ** 3)
    assert judged(columns, 1000) == "none"
    assert judged([*columns, Column(0.0, 4.5, 1.0, 1.0)], 1000) == "biased"
    assert p_value([Column(1.0, 1.0, 0.0, 0.0)]) == 1.0
    assert p_value([Column(0.0, 4.5, 1.0, 1.0, repetitions=25)]) == pytest.approx(2 * stats.t.sf(4.5, 24))
    assert p_value([Column(0.0, 4.5, 1.0, 1.0, 1000, carrying=30.0)]) == pytest.approx(2 * stats.t.sf(4.5, 29))
    assert 0 < FALSE_ALARM < 0.01


def test_what_does_not_vary_is_judged_by_its_size() -> None:
    assert judged([Column(1.0, 1.0 + 1e-9, 0.0, 0.0)], 200_000) == "none"  # too rare to have been seen
    assert judged([Column(1.0, 0.9, 0.0, 0.0)], 200_000) == "all"
    assert judged([Column(1.0, 0.9, 0.0, 0.0), Column(1.0, 1.0, 0.1, 1.0)], 200_000) == "biased"
    assert judged([Column(0.0, 0.0, 0.0, 0.0)], 200_000) == "none"
    assert judged([Column(1.0, 0.9, 0.0, 0.0, carrying=3.0)], 200_000) == "few"
    assert judged([Column(1.0, 9.0, 0.1, 1.0, carrying=3.0), Column(1.0, 1.0, 0.1, 1.0)], 200_000) == "none"
    assert judged([Column(1.0, math.nan, math.nan, math.nan)], 200_000) == "undefined"


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.lists(st.integers(1, 40), min_size=2, max_size=6), st.floats(-1e6, 1e6), st.integers(0, 5))
def test_pieces_add_up(sizes: list[int], middle: float, seed: int) -> None:
    rows = np.random.default_rng(seed).normal(middle, 2.0, (sum(sizes), 3))
    spread = _Spread(np.zeros(3))
    for part in np.split(rows, np.cumsum(sizes)[:-1]):
        spread.add(part)
    assert spread.mean == pytest.approx(rows.mean(axis=0), rel=1e-12)
    assert spread.standard_error == pytest.approx(rows.std(axis=0, ddof=1) / math.sqrt(len(rows)), rel=1e-6)


def test_equal_rows_have_no_spread() -> None:
    spread = _Spread(np.zeros(1))
    for _ in range(3):
        spread.add(np.full((1000, 1), 0.1))
    assert spread.standard_error == 0


def test_small_pieces_measure_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks: list[tuple[int, int]] = []
    monkeypatch.setattr("glassgrad.rl.estimate.PIECE", 1_000)
    here = one_question(DISTANCE, TRUTH, MU, SIGMA)
    found = estimate(here, samples=40_000, progress=lambda done, total: ticks.append((done, total)))
    assert ticks[-1] == (40_000, 40_000)
    assert len(ticks) == 40
    assert max(deviations(found[0], EXACT)) < SURE
    assert float(found[0].variance[0]) == pytest.approx(3.11, rel=0.1)


def test_seeds() -> None:
    state = str(np.random.get_state())  # noqa: NPY002
    torch.manual_seed(3)
    before = torch.random.get_rng_state().tolist()
    one, same, other = (measured.__wrapped__(samples=4_000, seed=seed) for seed in (5, 5, 6))
    assert np.array_equal(one.mean, same.mean)
    assert not np.array_equal(one.mean, other.mean)
    assert str(np.random.get_state()) == state  # noqa: NPY002
    assert torch.random.get_rng_state().tolist() == before


def test_what_is_not_a_number_is_said() -> None:
    found = estimators(mu=0, samples=4_000)  # reward/mu
    assert found["log_output"].verdict == "undefined"
    text = json.dumps(found.to_json(), allow_nan=False)
    assert next(row for row in json.loads(text) if row["estimator"] == "log_output")["mean"] is None


# The table's formulas, as they are shown.


def test_the_shown_formulas() -> None:
    shown = {one.estimator.name: one.formula for one in measured().estimates}
    assert shown["reinforce"] == "reward*(a - mu)/sigma**2"
    assert shown["leave_one_out"] == "(reward - others(reward))*(a - mu)/sigma**2"
    assert shown["pathwise"] == "-sign(a - t)"
    assert shown["log_output"] == "reward/mu"
    assert shown["not_stopped"] == "0"
    assert {one.estimator.name: one.formula for one in measured(ROUNDED).estimates}["pathwise"] == "0"


def test_an_own_objective_is_one_more_row() -> None:
    found = estimators(objective="-stop(reward + 1.3)*logp", samples=40_000)
    assert found["own"].formula == "(reward + 1.3)*(a - mu)/sigma**2"
    assert found["own"].verdict == "none"
    named = estimators(objective="reinforce", samples=40_000)
    assert np.array_equal(named["own"].mean, named["reinforce"].mean)


def test_cost_is_counted() -> None:
    found = measured()
    assert (found["reinforce"].rewards, found["reinforce"].derivatives) == (200_000, 0)
    assert (found["pathwise"].rewards, found["pathwise"].derivatives) == (0, 200_000)
    assert found["antithetic"].rewards == 400_000
    assert all(one.seconds > 0 for one in found.estimates)
    assert found["reinforce"].needed == pytest.approx(
        found["reinforce"].along.variance / (0.1 * found["reinforce"].along.exact) ** 2
    )


# The page.


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_has_every_row(language: str) -> None:
    page = Path(__file__).resolve().parents[1] / "docs" / ("estimators.md" if language == "en" else "estimators.zh.md")
    lines = page.read_text(encoding="utf-8").splitlines()
    table = [line for line in lines if re.match(r"\| `\w+` \|", line)]
    assert table == [f"| `{row.name}` | `{row.objective}` | {getattr(row.claim, language)} |" for row in ESTIMATORS]


# The faces.


@pytest.fixture
def command(command_line: Any) -> Any:
    return partial(command_line, "estimators")


QUESTION = ("--mu", "6.3", "--sigma", "1.5", "--truth", "7")


def test_json_alone_on_standard_output(command: Any) -> None:
    status, out, err = command(*QUESTION, "--reward", ROUNDED, "--format", "json")
    rows = {row["estimator"]: row for row in json.loads(out)}
    assert (status, err) == (0, "")
    assert list(rows) == [row.name for row in ESTIMATORS]
    for row in rows.values():
        assert {"estimator", "samples", "exact", "mean", "standard_error", "z", "variance"} <= set(row)
        assert row["exact"] == pytest.approx(0.3656816262, abs=1e-9)
        if row["z"] is not None:
            assert row["z"] == pytest.approx((row["mean"] - row["exact"]) / row["standard_error"])
        assert row["variance"] == pytest.approx(row["samples"] * row["standard_error"] ** 2)
    assert rows["pathwise"]["mean"] == 0
    assert rows["pathwise"]["z"] is None
    assert rows["pathwise"]["bias"] == pytest.approx(-0.3656816262, abs=1e-9)
    assert abs(rows["reinforce"]["z"]) < SURE


def test_json_of_a_run_has_every_parameter(command: Any) -> None:
    status, out, _ = command("add-reinforce", "--step", "20", "--samples", "8000", "--format", "json")
    rows = json.loads(out)
    assert status == 0
    assert [row["name"] for row in rows[0]["parameters"]][:3] == ["W1_1_x1", "W1_1_x2", "b1_1"]
    length = math.sqrt(sum(one["exact"] ** 2 for one in rows[0]["parameters"]))
    assert rows[0]["exact"] == pytest.approx(length)
    assert rows[-1]["estimator"] == "own"


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(
    "arguments",
    [(), ("--reward", ROUNDED), ("--logits", "0.4"), ("--logits", "0.1,0.2,0.3"), ("add-reinforce", "--step", "3"),
     ("choose", "--step", "5"), ("--objective", "-stop(reward - 1)*logp"), ("add", "--reward", "right", "--sigma", "1"),
     ("--reward", "1/sqrt(abs(a - t))")],
)  # fmt: skip
def test_the_text_fits_80_columns(command: Any, arguments: tuple[str, ...], language: str) -> None:
    from rich.cells import cell_len

    status, out, _ = command(*arguments, "--samples", "8000", "--lang", language)
    assert status == 0
    assert max(map(cell_len, out.splitlines())) <= 80
    assert "nan" not in out
    assert ("号称无偏" if language == "zh" else "claimed: unbiased") in " ".join(out.split())


def test_the_text_says_what_is_to_be_noticed(command: Any) -> None:
    _, out, _ = command("--reward", ROUNDED)
    assert re.search(r"pathwise +0\.0000 ± 0\.0000 -0\.3657 +– +0 +0\.00 +all bias", out)
    assert "is all bias; what only looks at rewards is not disturbed" in " ".join(out.split())
    _, out, _ = command("--reward", "where(abs(a - t) < 0.5, 1, 0) - 0.1*abs(a - t)")
    assert "The reward has steps" in out
    _, out, _ = command("choose", "--step", "20")
    assert "A baseline does not always help" in out
    assert "[abs(a - t) < 0.5]" in out  # brackets of a formula, not of a style


@pytest.mark.parametrize(
    ("ending", "each"),
    [
        ("png", [(), ("--mu", "0")]),
        ("svg", [("add-reinforce", "--step", "2"), ("--mu", "7"), ("--mu", "0")]),
        ("html", [(), ("add-reinforce", "--step", "2")]),
    ],
)
def test_pictures_are_written(command: Any, ending: str, each: list[tuple[str, ...]], tmp_path: Path) -> None:
    """Each ending, and each kind of table and each form of picture; the ending does not change what is drawn."""
    for arguments in each:
        file = tmp_path / f"picture.{ending}"
        status, _, err = command(*arguments, "--samples", "4000", "--plot", str(file))
        assert (status, err.strip()) == (0, f"written: {file}")
        written = file.read_bytes()
        assert written.startswith({"png": b"\x89PNG", "svg": b"<svg", "html": b"<!DOCTYPE"}[ending])
        assert b"src=" not in written or ending == "png"


MISTAKES = [
    ("--reward", "-abs(a - t"),
    ("--reward", "1/(a - t)"),
    ("--reward", "log(a)"),
    ("--reward", "-mean(a)"),
    ("--reward", "-abs(o - t)"),
    ("--sigma", "0"),
    ("--sigma", "nan"),
    ("--mu", "inf"),
    ("--truth", "x1"),
    ("--samples", "10"),
    ("--samples", "0"),
    ("--step", "3"),
    ("--network", "2-1"),
    ("--logits", "1,x"),
    ("--logits", "1", "--mu", "2"),
    ("--logits", "1e9"),
    ("--logits", ""),
    ("--format", "xml"),
    ("--plot", "picture.pdf"),
    ("--objective", "-stop(rewrd)*logp"),
    ("add",),
    ("knob",),
    ("ad-reinforce",),
    ("add-reinforce", "--step", "-1"),
    ("add-reinforce", "--step", "3001"),
    ("add-reinforce", "--mu", "3"),
    ("add-reinforce", "--logits", "3"),
    ("add-reinforce", "--policy", "a = stop(round(o + noise)); logp = -(a - o)**2/2"),
    ("add-reinforce", "--policy", "a = stop(2*o + noise); logp = -(a - o)**2/2"),
    ("add-reinforce", "--reward", "-abs(a - t) + noise"),
    ("add-reinforce", "--network", "2-200-200-1"),
    ("add-actor-critic", "--policy", "a = o1", "--objective", "-reward"),
    ("add-actor-critic", "--policy", "a = stop(2*o1 + noise); logp = -(a - o1)**2/2"),
    ("add-actor-critic", "--policy", "sigma = exp(t); a = stop(o1 + sigma*noise); logp = -(a - o1)**2/2"),
]


@pytest.mark.parametrize("arguments", MISTAKES, ids=" ".join)
def test_a_mistake_is_one_line(command: Any, arguments: tuple[str, ...]) -> None:
    status, out, err = command(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith("glassgrad: ")
    assert err.count("\n") == 1


def test_python_has_the_same_words() -> None:
    found = gg.estimators(mu=MU, sigma=SIGMA, truth=TRUTH, reward=DISTANCE, samples=4_000)
    assert isinstance(found, gg.Estimates)
    assert found.mean.shape == found.standard_error.shape == (len(ESTIMATORS), 2)
    assert "<svg" in found._repr_html_()
    assert len(found.plot().axes) == 2
    stream = io.BytesIO()
    found.plot().savefig(stream, format="png")
    assert stream.getvalue().startswith(b"\x89PNG")
    with pytest.raises(GlassgradError):
        gg.estimators(mu="six")  # type: ignore[arg-type]
    with pytest.raises(GlassgradError):
        gg.estimators(samples=2.5)  # type: ignore[arg-type]
    with pytest.raises(GlassgradError):
        gg.estimators(seed=-1)
    assert gg.estimators(truth="3 + 4", samples=4_000).exact[0] == found.exact[0]


def test_lines_of_a_reward_are_put_together() -> None:
    one = estimators(reward="d = abs(a - t); where(d < 1, 1 - d, 0)", samples=4_000)
    other = estimators(reward="where(abs(a - t) < 1, 1 - abs(a - t), 0)", samples=4_000)
    assert np.array_equal(one.exact, other.exact)
    assert parse(one.reward) == parse(other.reward)


def test_an_estimate_can_be_had_without_the_table() -> None:
    here = one_question(DISTANCE, TRUTH, MU, SIGMA)
    lines = arriving(ESTIMATORS[0], here)
    assert isinstance(lines, Arriving)
    assert lines.asks_reward
    assert not lines.asks_slope
