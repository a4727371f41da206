"""The exact policy gradient, against closed forms, mpmath, sums over the normal distribution, and differences of J."""

import itertools
import math
from collections.abc import Callable
from functools import cache

import mpmath
import numpy as np
import pytest
import sympy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from glassgrad.errors import ExperimentError
from glassgrad.formula.evaluate import evaluate
from glassgrad.formula.parser import parse
from glassgrad.rl.closed_forms import CLOSED_FORMS, ClosedForm, closed_form
from glassgrad.rl.exact import Exact, bernoulli, categorical, normal
from glassgrad.rl.integral import Integral, integral
from glassgrad.rl.kinks import kinks
from glassgrad.tables.rewards import REWARDS
from oracles import by_sympy

MU, SIGMA, TRUTH = 6.3, 1.5, 7.0
PLACES = tuple(itertools.product((6.3, 7.0, -2.0, 6.5, 20.0), (1.5, 0.05, 9.0)))


def found(reward: str, mu: float = MU, sigma: float = SIGMA, truth: float = TRUTH) -> Integral:
    return integral(parse(reward), mu, sigma, {"t": truth})


def agree(one: Integral | tuple[float, ...], other: Integral | tuple[float, ...], within: float = 1e-10) -> bool:
    """Whether J and both derivatives are the same, as far as is promised."""
    pairs = zip(one[:3], other[:3], strict=True)
    return all(abs(float(a) - float(b)) <= within * max(1.0, abs(float(b))) for a, b in pairs)


@cache
def by_mpmath(reward: Callable[[mpmath.mpf], mpmath.mpf], points: tuple[float, ...]) -> tuple[float, float, float]:
    """J, dJ/dmu, dJ/dsigma at the usual place, in 30 digits; points: where the reward is not smooth."""
    with mpmath.workdps(30):
        mu, sigma = mpmath.mpf("6.3"), mpmath.mpf("1.5")
        steps = [mu + k * sigma for k in range(-24, 25)]
        edges = sorted({*(p for p in map(mpmath.mpf, points) if steps[0] < p < steps[-1]), *steps})
        scores = (lambda z: 1, lambda z: z / sigma, lambda z: (z * z - 1) / sigma)
        values = []
        for score in scores:

            def integrand(a: mpmath.mpf, score: Callable[..., mpmath.mpf] = score) -> mpmath.mpf:
                z = (a - mu) / sigma
                return reward(a) * score(z) * mpmath.npdf(z) / sigma

            values.append(float(mpmath.quad(integrand, edges)))
    return values[0], values[1], values[2]


# The numbers that are written down, and their closed forms.


def test_the_written_numbers() -> None:
    d = (MU - TRUTH) / SIGMA
    for by_form in (True, False):
        exact = normal(parse("-abs(a - t)"), np.array([MU]), SIGMA, {"t": TRUTH}, by_form=by_form)
        slope, spread = (float(exact.slopes[name][0]) for name in ("mu", "sigma"))
        assert (round(slope, 4), round(spread, 4)) == (0.3593, -0.7156)
        assert slope == pytest.approx(-math.erf(d / math.sqrt(2)), abs=1e-13)
        assert spread == pytest.approx(-math.sqrt(2 / math.pi) * math.exp(-d * d / 2), abs=1e-13)
    assert round(found("-abs(round(a) - t)").mu, 4) == 0.3657


def test_a_rounded_answer_is_a_sum_over_the_normal_distribution() -> None:
    k = np.arange(-40, 60)
    low, high = (k - 0.5 - MU) / SIGMA, (k + 0.5 - MU) / SIGMA
    reward = -np.abs(k - TRUTH)
    expected = (
        reward @ (stats.norm.cdf(high) - stats.norm.cdf(low)),
        reward @ (stats.norm.pdf(low) - stats.norm.pdf(high)) / SIGMA,
        reward @ (low * stats.norm.pdf(low) - high * stats.norm.pdf(high)) / SIGMA,
    )
    assert agree(found("-abs(round(a) - t)"), expected, 1e-13)


@pytest.mark.parametrize("row", CLOSED_FORMS, ids=lambda row: row.reward)
def test_a_closed_form_is_the_quadrature(row: ClosedForm) -> None:
    for mu, sigma in PLACES:
        one = normal(parse(row.reward), np.array([mu]), sigma, {"t": TRUTH})
        other = normal(parse(row.reward), np.array([mu]), sigma, {"t": TRUTH}, by_form=False)
        assert one.form is row
        assert other.form is None
        for a, b in zip(numbers(one), numbers(other), strict=True):
            assert a == pytest.approx(b, abs=1e-12 * max(1.0, abs(mu - TRUTH) ** 2, sigma**2)), (mu, sigma)


def numbers(exact: Exact) -> tuple[float, float, float]:
    return float(exact.value[0]), float(exact.slopes["mu"][0]), float(exact.slopes["sigma"][0])


@pytest.mark.parametrize("row", CLOSED_FORMS, ids=lambda row: row.reward)
def test_the_derivatives_of_a_closed_form_are_sympys(row: ClosedForm) -> None:
    value, *slopes = (by_sympy(tree).subs(sympy.Symbol("pi", real=True), sympy.pi) for tree in row.trees)
    at = {"mu": sympy.Rational(63, 10), "sigma": sympy.Rational(3, 2), "t": 7}
    places = {symbol: at[str(symbol)] for symbol in value.free_symbols}
    for name, slope in zip(("mu", "sigma"), slopes, strict=True):
        theirs = sympy.diff(value, sympy.Symbol(name, real=True)).subs(places)
        assert abs(float((theirs - slope.subs(places)).evalf(25))) < 1e-14


def test_every_shipped_reward_has_a_closed_form() -> None:
    assert all(closed_form(parse(row.formula)) is not None for row in REWARDS.values())


def test_many_questions_are_each_its_own() -> None:
    mu, truth = np.array([6.3, 1.0, 8.0]), np.array([7.0, 0.0, 8.0])
    for reward in ("-abs(a - t)", "-abs(round(a) - t)"):
        exact = normal(parse(reward), mu, SIGMA, {"t": truth})
        for i in range(3):
            alone = normal(parse(reward), mu[i : i + 1], SIGMA, {"t": float(truth[i])})
            assert exact.slopes["mu"][i] == alone.slopes["mu"][0]


# Kinks, steps, poles: each against mpmath, and against differences of J.

RANGE = tuple(k + 0.5 for k in range(-30, 45))
REFERENCES: dict[str, tuple[Callable[[mpmath.mpf], mpmath.mpf], tuple[float, ...]]] = {
    "(a - t)**2": (lambda a: (a - 7) ** 2, ()),
    "-abs(a - t)": (lambda a: -abs(a - 7), (7,)),
    "1000000 - abs(a - t)": (lambda a: 1000000 - abs(a - 7), (7,)),
    "where(abs(a - t) < 0.5, 1, 0)": (lambda a: mpmath.mpf(abs(a - 7) < 0.5), (6.5, 7.5)),
    "-abs(round(a) - t)": (lambda a: -abs(mpmath.nint(a) - 7), RANGE),
    "-abs(round(2*a)/2 - t)": (
        lambda a: -abs(mpmath.nint(2 * a) / 2 - 7),
        tuple((k + 0.5) / 2 for k in range(-60, 90)),
    ),
    "sign(a - t)*a": (lambda a: mpmath.sign(a - 7) * a, (7,)),
    "max(-1, min(1, a - t))": (lambda a: max(-1, min(1, a - 7)), (6, 8)),
    "abs(abs(a - t) - 1)": (lambda a: abs(abs(a - 7) - 1), (6, 7, 8)),
    "max(round(a), t)": (lambda a: max(mpmath.nint(a), 7), RANGE),
    "relu(a - t)**3": (lambda a: max(a - 7, 0) ** 3, (7,)),
    "sqrt(abs(a - t))": (lambda a: mpmath.sqrt(abs(a - 7)), (7,)),
    "log(abs(a - t))": (lambda a: mpmath.log(abs(a - 7)), (7,)),
    "exp(-1000*(a - t)**2)": (lambda a: mpmath.exp(-1000 * (a - 7) ** 2), (6.5, 6.9, 7, 7.1, 7.5)),
    "tanh(1000*(a - t))": (lambda a: mpmath.tanh(1000 * (a - 7)), (6.9, 6.99, 6.999, 7, 7.001, 7.01, 7.1)),
    "1/(1 + (100*(a - t))**2)": (lambda a: 1 / (1 + (100 * (a - 7)) ** 2), (6, 6.9, 6.99, 7, 7.01, 7.1, 8)),
    "sin(3*a)": (lambda a: mpmath.sin(3 * a), ()),
    "exp(a/2)": (lambda a: mpmath.exp(a / 2), ()),
    "where((a - t)**2 > 0.0001, a, -a)": (lambda a: a if (a - 7) ** 2 > 0.0001 else -a, (6.99, 7.01)),
    "stop(-abs(a - t))": (lambda a: -abs(a - 7), (7,)),
}


@pytest.mark.parametrize("reward", REFERENCES)
def test_quadrature_is_mpmaths(reward: str) -> None:
    exact = normal(parse(reward), np.array([MU]), SIGMA, {"t": TRUTH}, by_form=False)
    assert agree(numbers(exact), by_mpmath(*REFERENCES[reward]))
    assert exact.error < 1e-10


@pytest.mark.parametrize("reward", REFERENCES)
def test_the_derivatives_are_the_differences_of_j(reward: str) -> None:
    """Steps have no derivative in a, but J has one in mu: central differences of J, improved once (Richardson)."""
    here, h = found(reward), 1e-2
    for i, (mu, sigma) in ((1, (1.0, 0.0)), (2, (0.0, 1.0))):

        def quotient(h: float, mu: float = mu, sigma: float = sigma) -> float:
            up, down = (found(reward, MU + s * h * mu, SIGMA + s * h * sigma).value for s in (1, -1))
            return (up - down) / (2 * h)

        better = (4 * quotient(h / 2) - quotient(h)) / 3
        assert here[i] == pytest.approx(better, abs=2e-6, rel=2e-6)


@pytest.mark.parametrize("share", [1.0005, 0.9995])
def test_an_error_of_half_a_thousandth_is_seen(share: float) -> None:
    for reward, reference in REFERENCES.items():
        right = numbers(normal(parse(reward), np.array([MU]), SIGMA, {"t": TRUTH}))
        wrong = (right[0], right[1] * share, right[2])
        assert not agree(wrong, by_mpmath(*reference)) or abs(right[1]) < 1e-7, reward


def test_without_the_kinks_it_would_still_be_right_but_dear(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kinks make it cheap; that it is right does not hang on them, since intervals are halved until they fit."""
    expected = found("-abs(round(a) - t)")
    nothing = kinks(parse("a"), lambda z: {"a": z}, 0, 1)
    monkeypatch.setattr("glassgrad.rl.integral.kinks", lambda *args: nothing)
    assert agree(found("-abs(round(a) - t)"), expected, 1e-9)


def test_a_pole_that_can_be_integrated_says_how_far_it_is_known() -> None:
    exact = found("1/sqrt(abs(a - t))")
    assert exact.error > 1e-10  # what is promised is not kept, and said
    reference = by_mpmath(lambda a: 1 / mpmath.sqrt(abs(a - 7)) if a != 7 else mpmath.mpf(0), (7,))
    assert agree(exact, reference, 1e-6)


@pytest.mark.parametrize(("mu", "sigma"), [(1e6, 1e-3), (0.0, 1e-6), (-5.0, 1e4), (7.0, 1.0)])
def test_far_and_narrow_answers(mu: float, sigma: float) -> None:
    exact, form = found("-abs(a - t)", mu, sigma), normal(parse("-abs(a - t)"), np.array([mu]), sigma, {"t": TRUTH})
    assert agree(exact, numbers(form), 1e-9)


# Random formulas.

LEAVES = st.sampled_from(["a", "t", "a - t", "2", "0.3", "-1.5", "a/2"])


def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    one = st.sampled_from(["abs", "round", "sign", "relu", "tanh", "sin", "stop"])
    return st.one_of(
        st.builds("{}({})".format, one, inner),
        st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-", "*"]), inner),
        st.builds("{}({}, {})".format, st.sampled_from(["max", "min"]), inner, inner),
        st.builds("where({} {} {}, {}, {})".format, inner, st.sampled_from(["<", ">="]), inner, inner, inner),
    )


REWARDS_AT_RANDOM = st.recursive(LEAVES, grown, max_leaves=7)


def by_grid(reward: str, mu: float, sigma: float) -> tuple[float, ...]:
    """The same by the midpoint rule on two million points: knows nothing of kinks; and the size of what it adds up."""
    z = np.linspace(-9, 9, 2_000_001)
    z = (z[1:] + z[:-1]) / 2
    weight = np.exp(-z * z / 2) / math.sqrt(2 * math.pi) * 18 / 2_000_000
    values = np.broadcast_to(evaluate(parse(reward), {"a": mu + sigma * z, "t": TRUTH}), z.shape)
    sums = tuple(float(np.sum(values * weight * score)) for score in (1, z / sigma, (z * z - 1) / sigma))
    return *sums, float(np.sum(np.abs(values) * weight * (1 + z * z)))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(REWARDS_AT_RANDOM, st.sampled_from([6.3, 7.0, -1.25]), st.sampled_from([1.5, 0.4]))
def test_random_rewards(reward: str, mu: float, sigma: float) -> None:
    exact = integral(parse(reward.replace("stop", "")), mu, sigma, {"t": TRUTH})
    *expected, size = by_grid(reward, mu, sigma)
    assert all(abs(a - b) <= 3e-5 * (1 + size) / sigma for a, b in zip(exact[:3], expected, strict=True)), reward
    h = 0.003 * sigma
    up, down = (integral(parse(reward.replace("stop", "")), mu + s * h, sigma, {"t": TRUTH}).value for s in (1, -1))
    assert abs((up - down) / (2 * h) - exact.mu) <= 2e-4 * (1 + size) / sigma


# Where the kinks are.


@pytest.mark.parametrize(
    ("reward", "low", "high", "points"),
    [
        ("abs(a - t)", 0, 9, [7]),
        ("-abs(round(a) - t)", 5, 9, [5.5, 6.5, 7.5, 8.5]),
        ("round(3*a)", 0, 1, [1 / 6, 0.5, 5 / 6]),
        ("round(-a)", 0, 2, [0.5, 1.5]),
        ("max(a, t)", 0, 9, [7]),
        ("where(a**2 < 4, 1, 0)", -5, 5, [-2, 2]),
        ("sign((a - 1)*(a - 2)*(a - 3))", 0, 9, [1, 2, 3]),
        ("abs(abs(a - 3) - 1)", 0, 9, [2, 3, 4]),
        ("sign((a - 3)**2 - 0.00000001)", 0, 9, [2.9999, 3.0001]),
        ("round(a**2)", 0, 1.5, [math.sqrt(0.5), math.sqrt(1.5)]),
        ("relu(sin(a))", 1, 9, [math.pi, 2 * math.pi]),
        ("(a - t)**2 + tanh(t)", 0, 9, []),
        ("abs(t)", 0, 9, []),
    ],
)
def test_kinks_are_found(reward: str, low: float, high: float, points: list[float]) -> None:
    at = kinks(parse(reward), lambda z: {"a": z, "t": TRUTH}, low, high).points
    merged = [float(p) for p, gap in zip(at, np.diff(at, prepend=-np.inf), strict=True) if gap > 1e-9]
    assert merged == pytest.approx(points, abs=1e-12)


# What has no expected reward.


@pytest.mark.parametrize(
    ("reward", "key"),
    [
        ("log(a)", "estimators.not_finite"),
        ("sqrt(a - t)", "estimators.not_finite"),
        ("1/(a - t)", "estimators.no_mean"),
        ("1/(a - t)**2", "estimators.no_mean"),
        ("exp(a**2)", "estimators.no_mean"),
        ("exp(exp(a))", "estimators.not_finite"),  # beyond all numbers at a = 7
        ("round(1000000*a)", "estimators.too_many_steps"),
    ],
)
def test_what_has_no_expected_reward_is_refused(reward: str, key: str) -> None:
    with pytest.raises(ExperimentError) as refused:
        found(reward)
    assert refused.value.key == key
    assert "\n" not in str(refused.value)


# Choices, by going through all answers.


def by_torch(logits: list[float], rewards: list[float]) -> tuple[float, list[float]]:
    z = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
    value = torch.softmax(z, 0) @ torch.tensor(rewards, dtype=torch.float64)
    value.backward()
    assert z.grad is not None
    return value.item(), z.grad.tolist()


SOME = st.floats(-20, 20, allow_nan=False)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.lists(st.tuples(SOME, SOME), min_size=2, max_size=6))
def test_a_categorical_choice_is_torchs(pairs: list[tuple[float, float]]) -> None:
    logits, rewards = ([pair[i] for pair in pairs] for i in (0, 1))
    exact = categorical(np.array(logits), np.array(rewards))
    value, slopes = by_torch(logits, rewards)
    assert float(exact.value) == pytest.approx(value, abs=1e-12)
    assert [float(exact.slopes[f"z{k + 1}"]) for k in range(len(pairs))] == pytest.approx(slopes, abs=1e-12)
    assert sum(map(float, exact.slopes.values())) == pytest.approx(0, abs=1e-12)


def test_two_logits_are_one_bernoulli() -> None:
    """softmax(0, z) is sigmoid(z): dJ/dz = dJ/do*o*(1 - o) = o*(r1 - J)."""
    z = 0.4
    o = 1 / (1 + math.exp(-z))
    two, one = (
        categorical(np.array([0.0, z]), np.array([2.0, 5.0])),
        bernoulli(np.array([o]), *map(np.array, ([5.0], [2.0]))),
    )
    assert float(one.value[0]) == pytest.approx(float(two.value), abs=1e-14)
    assert float(one.slopes["o"][0]) * o * (1 - o) == pytest.approx(float(two.slopes["z2"]), abs=1e-14)
    assert float(two.slopes["z2"]) == pytest.approx(o * (5 - float(two.value)), abs=1e-14)
