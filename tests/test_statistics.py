"""Statistics over runs: held against scipy, closed forms and an independent oracle, and tried on made-up samples.

Where chance decides, the seed is fixed, and the bound lies where a right program would fail less than once in 1,000.
"""

import itertools
import warnings
from collections.abc import Callable

import numpy as np
import pytest
from scipy import optimize, stats

from glassgrad import statistics as ours
from glassgrad.statistics import Interval

# mean 3.94, median 1.35, interquartile mean 1.55: whoever takes one for the other is found out
SAMPLE = np.array([0.1, 0.3, 0.9, 1.1, 1.3, 1.4, 1.7, 2.6, 9.0, 21.0])


def test_wilson_is_scipys() -> None:
    for solved, runs, level in itertools.product((0, 1, 30, 200), (200, 1000), (0.9, 0.95, 0.99)):
        theirs = stats.binomtest(solved, runs).proportion_ci(level, method="wilson")
        assert ours.wilson(solved, runs, level) == pytest.approx((solved / runs, theirs.low, theirs.high), abs=1e-12)


def test_nothing_solved_of_200_may_be_two_percent() -> None:
    found = ours.wilson(0, 200)
    assert (found.low, round(found.high, 3)) == (0.0, 0.019)
    assert ours.wilson(200, 200).high == 1.0


def test_the_mean_has_the_normal_interval() -> None:
    spread = SAMPLE.std(ddof=1) / np.sqrt(len(SAMPLE))
    theirs = stats.norm.interval(0.9, loc=SAMPLE.mean(), scale=spread)
    assert ours.mean(SAMPLE, 0.9) == pytest.approx((SAMPLE.mean(), *theirs), rel=1e-12)
    assert ours.mean(np.full(7, 0.3)) == pytest.approx((0.3, 0.3, 0.3), abs=1e-15)
    assert ours.mean([2.0]) == (2.0, -np.inf, np.inf)


def test_the_sample_tells_rivals_apart() -> None:
    middle = ours.interquartile_mean(SAMPLE, seed=0).value
    assert middle == pytest.approx(stats.trim_mean(SAMPLE, 0.25)) == pytest.approx(1.5)
    assert ours.median(SAMPLE, seed=0).value == np.median(SAMPLE) == pytest.approx(1.35)
    assert min(abs(middle - 1.35), abs(SAMPLE.mean() - middle), abs(SAMPLE.mean() - 1.35)) > 0.1


@pytest.mark.parametrize(
    ("own", "statistic"),
    [(ours.median, np.median), (ours.interquartile_mean, lambda x, axis: stats.trim_mean(x, 0.25, axis=axis))],
)
def test_the_bootstrap_is_scipys(own: Callable[..., Interval], statistic: Callable[..., float]) -> None:
    sample = np.random.default_rng(3).lognormal(size=80)
    stream = np.random.default_rng(0)
    theirs = stats.bootstrap(
        (sample,), statistic, n_resamples=20_000, method="percentile", rng=stream, batch=1000
    ).confidence_interval
    found = own(sample, seed=1)
    width = theirs.high - theirs.low
    assert abs(found.low - theirs.low) < 0.12 * width
    assert abs(found.high - theirs.high) < 0.12 * width


@pytest.mark.parametrize("statistic", [ours.median, ours.interquartile_mean])
def test_intervals_hold_what_they_should(statistic: Callable[..., Interval]) -> None:
    """Of 400 samples of 60 each, 95 % of the intervals should hold the value of the distribution; here 91 % have to."""
    stream = np.random.default_rng(5)
    truth = {
        ours.median: 1.0,
        ours.interquartile_mean: float(np.mean(stats.lognorm(1).ppf(np.linspace(0.25, 0.75, 9999)))),
    }
    held = 0
    for trial in range(400):
        found = statistic(stream.lognormal(size=60), seed=trial)
        held += found.low <= truth[statistic] <= found.high
    assert 0.91 <= held / 400 <= 0.985


@pytest.mark.parametrize("statistic", [ours.median, ours.interquartile_mean])
def test_many_runs_have_the_same_interval_as_few(
    statistic: Callable[..., Interval], monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = np.random.default_rng(7).lognormal(size=9_000)
    slow = statistic(sample, seed=0)
    monkeypatch.setattr(ours, "EXACT", 100)
    fast = statistic(sample, seed=0)
    assert fast.value == slow.value
    assert fast.high - fast.low == pytest.approx(slow.high - slow.low, rel=0.15)
    assert (fast.low, fast.high) == pytest.approx((slow.low, slow.high), rel=0.01)


@pytest.mark.parametrize("runs", range(1, 12))
def test_there_is_no_interval_where_all_runs_together_miss_the_median_too_often(runs: int) -> None:
    """The least and the largest of n enclose the median unless all n are on one side of it: scipy's binomial."""
    enclosed = 1 - 2 * stats.binom(runs, 0.5).pmf(0)
    sample = np.arange(1.0, runs + 1)
    for found in (
        ours.median(sample, seed=0),
        ours.interquartile_mean(sample, seed=0),
        ours.median_time(sample, np.ones(runs, np.bool_)),
    ):
        assert np.isfinite(found.value)
        assert bool(np.isnan(found.low)) is bool(np.isnan(found.high)) is bool(enclosed < 0.95)


@pytest.mark.parametrize("count", [6, 20_000])
@pytest.mark.parametrize("statistic", [ours.median, ours.interquartile_mean])
def test_a_constant_sample_has_a_constant_interval(statistic: Callable[..., Interval], count: int) -> None:
    assert statistic(np.full(count, 0.25), seed=0) == (0.25, 0.25, 0.25)


@pytest.mark.parametrize("count", [20, 20_000])
@pytest.mark.parametrize("statistic", [ours.median, ours.interquartile_mean])
def test_diverged_runs_are_the_worst_and_never_dropped(statistic: Callable[..., Interval], count: int) -> None:
    sample = np.linspace(1, 2, count)
    sample[: count // 5] = np.nan  # a fifth, and the best ones
    with_failures, without = statistic(sample, seed=0), statistic(sample[count // 5 :], seed=0)
    assert np.isfinite(with_failures.value)
    assert with_failures.value > without.value + 0.05
    sample[: int(0.6 * count)] = np.inf
    assert statistic(sample, seed=0).value == np.inf


def test_chance_comes_from_the_seed_alone() -> None:
    first = ours.median(SAMPLE, seed=4)
    np.random.seed(0)  # noqa: NPY002
    assert ours.median(SAMPLE, seed=4) == first
    assert ours.interquartile_mean(SAMPLE, seed=4) != ours.interquartile_mean(SAMPLE, seed=5)


def test_improvement_is_paired() -> None:
    """The second is always a little better than its partner; unpaired, they could hardly be told apart."""
    first = np.arange(40.0)
    second = first - 0.5
    assert ours.improvement(first, second).value == 1.0
    assert ours.improvement(first, second).low > 0.9
    unpaired = stats.mannwhitneyu(first, second).statistic / 1600
    assert unpaired < 0.52


def test_improvement_counts_ties_half_and_failures_last() -> None:
    first, second = [1.0, 1.0, np.inf, np.nan, 2.0], [1.0, 0.5, 3.0, np.inf, np.inf]
    assert ours.improvement(first, second).value == pytest.approx((0.5 + 1 + 1 + 0.5 + 0) / 5)
    assert ours.improvement(second, first).value == pytest.approx(1 - 3 / 5)


def test_the_sign_test_is_scipys() -> None:
    stream = np.random.default_rng(2)
    for _ in range(50):
        a, b = stream.random(40) < 0.5, stream.random(40) < 0.7
        only_a, only_b = int(np.sum(a & ~b)), int(np.sum(b & ~a))
        assert ours.sign_test(a, b) == pytest.approx(stats.binomtest(only_a, only_a + only_b).pvalue)
    assert ours.sign_test([True, False], [True, False]) == 1.0


def test_holm_by_hand() -> None:
    p = [0.01, 0.04, 0.03, 0.005]
    assert ours.holm(p) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert ours.holm([]) == []
    assert ours.holm([0.9, 0.8]) == [1.0, 1.0]


def test_holm_keeps_the_rate_of_any_false_alarm() -> None:
    """Ten methods as good as the first: any p below 0.05 in at most 5 % of 1,000 studies (7.5 % allowed here)."""
    stream = np.random.default_rng(11)
    corrected = raw = 0
    for _ in range(1000):
        solved = stream.random((11, 200)) < 0.5
        p = [ours.sign_test(solved[0], other) for other in solved[1:]]
        raw += min(p) < 0.05
        corrected += min(ours.holm(p)) < 0.05
    assert corrected <= 75
    assert raw > 150


def kaplan_meier(times: np.ndarray, happened: np.ndarray) -> float:
    """scipy's curve, and where it first falls to one half."""
    censored = stats.CensoredData(uncensored=times[happened], right=times[~happened])
    curve = stats.ecdf(censored).sf
    below = np.flatnonzero(curve.probabilities <= 0.5 + 1e-12)
    return float(curve.quantiles[below[0]]) if len(below) else np.inf


def test_the_median_time_is_that_of_scipys_curve() -> None:
    stream = np.random.default_rng(6)
    for share in (0.1, 0.4, 0.9):
        for _ in range(30):
            times = stream.integers(1, 60, 35).astype(float)
            happened = stream.random(35) > share
            if happened.any():
                assert ours.median_time(times, happened).value == kaplan_meier(times, happened)


def test_the_median_time_of_runs_that_end_together() -> None:
    happened = np.array([True] * 50 + [False] * 50)
    times = np.where(happened, np.arange(100), 1000)
    assert ours.median_time(times, happened).value == 49
    assert ours.median_time(times, np.arange(100) < 49).value == np.inf  # fewer than half
    assert ours.median_time(times, np.zeros(100, bool)) == (np.inf, np.inf, np.inf)


def test_the_interval_of_the_median_time_holds_it() -> None:
    """400 samples of 80 with a fifth of them censored: 91 % of the intervals have to hold the median."""
    stream = np.random.default_rng(8)
    held = 0
    for _ in range(400):
        times, end = stream.exponential(1.0, 80), stream.uniform(0.5, 6.0, 80)
        found = ours.median_time(np.minimum(times, end), times <= end)
        held += found.low <= np.log(2) <= found.high
    assert 0.91 <= held / 400 <= 0.985


def dip_by_optimisation(sample: np.ndarray) -> float:
    """The dip as its definition has it: for each place of the hump a linear programme over G's values."""
    x, counts = np.unique(sample, return_counts=True)
    upper = np.cumsum(counts) / counts.sum()
    lower, m = upper - counts / counts.sum(), len(x)
    return min(_programme(x, lower, upper, hump) for hump in range(m))


def _programme(x: np.ndarray, lower: np.ndarray, upper: np.ndarray, hump: int) -> float:
    """Unknown: G at each value (just before and at the hump: two), then the error d, which is to be small."""
    m, rows, limits = len(x), [], []

    def at_most(terms: dict[int, float], limit: float) -> None:
        row = np.zeros(m + 2)
        for place, factor in terms.items():
            row[place] += factor
        rows.append(row)
        limits.append(limit)

    for i in range(m):
        before, after = (i, i + 1) if i == hump else (i, i) if i < hump else (i + 1, i + 1)
        at_most({before: 1, m + 1: -1}, lower[i])  # G(x-) <= F(x-) + d
        at_most({before: -1, m + 1: -1}, -(lower[i] if i == hump else upper[i]))
        at_most({after: -1, m + 1: -1}, -upper[i])
        at_most({after: 1, m + 1: -1}, upper[i] if i == hump else lower[i])
    for i in range(1, m + 1):
        at_most({i - 1: 1, i: -1}, 0)  # G does not fall
    for i in range(1, m - 1):
        if i == hump:
            continue
        a, b = 1 / (x[i] - x[i - 1]), 1 / (x[i + 1] - x[i])
        at, sign = (i, 1) if i < hump else (i + 1, -1)
        at_most({at - 1: -sign * a, at: sign * (a + b), at + 1: -sign * b}, 0)  # slopes rise before it, fall after
    solved = optimize.linprog([0] * (m + 1) + [1], np.array(rows), limits, bounds=[(0, 1)] * (m + 2))
    return float(solved.fun) if solved.status == 0 else np.inf


def test_the_dip_is_what_its_definition_says() -> None:
    stream = np.random.default_rng(0)
    for trial in range(80):
        n = int(stream.integers(2, 13))
        sample = (
            stream.uniform(size=n),
            stream.normal(size=n),
            stream.integers(0, 6, n).astype(float),
            np.where(stream.random(n) < 0.5, 0, 1) + 0.1 * stream.normal(size=n),
        )[trial % 4]
        assert ours.dip(sample) == pytest.approx(dip_by_optimisation(sample), abs=1e-7)


def test_the_dip_of_two_points_is_half_of_the_smaller_share() -> None:
    assert ours.dip([0.0] * 71 + [1.0] * 29) == pytest.approx(0.29 / 2)
    assert ours.dip([3.0] * 10) == 0.0


@pytest.mark.parametrize(("n", "trials"), [(12, 3000), (60, 3000), (400, 400)])
def test_one_hump_is_rarely_taken_for_two(n: int, trials: int) -> None:
    """False alarms: at most 1 in 1,000 for the even distribution, the worst of all; 10 of 3,000 fail this test."""
    stream = np.random.default_rng(n)
    even = sum(ours.dip(stream.uniform(size=n)) > ours.dip_limit(n) for _ in range(trials))
    assert even <= 9
    for draw in (stream.normal, stream.exponential, stream.standard_cauchy):
        assert sum(ours.dip(draw(size=n)) > ours.dip_limit(n) for _ in range(trials // 4)) <= 2


@pytest.mark.parametrize("n", [40, 1000, 50_000])
def test_two_camps_are_seen(n: int) -> None:
    stream = np.random.default_rng(1)
    low = np.arange(n) % 10 < 7
    sample = np.where(low, 0.0, 1.0) + 0.05 * stream.normal(size=n)
    found = ours.two_camps(sample)
    assert found is not None
    assert (found.below, found.above) == (low.sum(), n - low.sum())
    assert 0.2 < found.cut < 0.8
    assert abs(sample[found.typical_below]) < 0.05 > abs(sample[found.typical_above] - 1)


def test_what_are_no_two_camps() -> None:
    stream = np.random.default_rng(1)
    assert ours.two_camps(stream.normal(size=2000)) is None
    assert ours.two_camps(np.zeros(100)) is None
    assert ours.two_camps([0.0, 1.0] * 4) is None  # too few to say
    assert ours.two_camps(np.r_[stream.normal(size=980), stream.normal(size=20) + 50]) is None  # a few outliers
    assert ours.two_camps(np.r_[np.full(30, np.inf), np.ones(60)]) is None  # diverged runs are counted elsewhere


def test_two_means_parts_where_brute_force_does() -> None:
    stream = np.random.default_rng(9)
    for _ in range(30):
        sample = np.sort(stream.normal(size=12))
        costs = [np.var(sample[:i]) * i + np.var(sample[i:]) * (12 - i) for i in range(1, 12)]
        best = int(np.argmin(costs)) + 1
        assert ours.two_means(sample) == pytest.approx((sample[best - 1] + sample[best]) / 2)


def test_no_statistic_warns() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for sample in ([1.0], [np.inf, np.inf], [np.nan, 1.0, 2.0]):
            ours.median(sample, seed=0)
            ours.interquartile_mean(sample, seed=0)
            ours.improvement(sample, sample)
