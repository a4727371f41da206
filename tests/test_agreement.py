"""Over 2,000 seeds the compiled engine's errors are distributed as PyTorch's; a change of 1 % in a setting is seen.

After some fifty steps training is chaotic: a unit that switches a step later leads elsewhere, so of two correct
programs run s need not end alike, and only distributions can be compared. The pairs of runs with the same seed still
help: if both programs are right, then it is chance which of the two has the larger error, whatever the seed. So
exchanging the labels of any pair changes nothing, and each statistic here is a sign test with an exact distribution,
a fair coin for each pair that differs:

- of the errors after 100, 200 and 1,000 steps, which of the two is larger: a shift of the distribution;
- which of the two is below a level at the end, for eight levels, and which has solved the task: its form, as the
  two distribution functions are compared at each level.

Errors below FLOOR count as FLOOR, and two whose ratio is within TIE of 1 as equal: that close, rounding decides, and
it need not be fair (sums in another order are more or less exact, always in the same direction).

False alarms: a right program is rejected with a probability of at most FALSE_ALARM = 1/10,000, over all cases, ways
and statistics together (each gets its share of it: Bonferroni). All seeds are fixed, so the result is the same each
time, and nothing fails now and then; the probability is that of a choice of seeds, or of a change that rounds
differently (a processor, a version of PyTorch, an order of sums), which throws the coins of the chaotic runs anew.

Power: a learning rate 1 % larger or smaller, a beta2 1 % smaller, and even a rate 0.1 % larger and a 1 - beta2 1 %
larger (a beta2 smaller by a hundred-thousandth) are seen in every case. The final errors of `add` alone would show
each of these. Those of `sub` show beta2 alone: a run that has learned it for 1,000 steps has forgotten a rate 1 %
larger, so the errors after 100 and 200 steps are needed.
"""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

import stacked
from glassgrad.engines.compiled import train_many, train_one
from glassgrad.experiment import Experiment
from glassgrad.tables.experiments import shipped

pytestmark = pytest.mark.slow

SEEDS = range(2000)
MARKS = (100, 200, 1000)
LEVELS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5)
NAMES = (
    *(f"error after {mark} steps" for mark in MARKS),
    *(f"final error up to {level}" for level in LEVELS),
    "solved",
)
FLOOR, TIE = 1e-3, 1e-4
CASES = (("add", "single"), ("add", "double"), ("sub", "single"), ("sub", "double"))
# A clip that clips nothing: such an experiment is not made of moments, its steps go through the samples.
WAYS: dict[str, dict[str, float]] = {"moments": {}, "samples": {"clip": 1e12}}
FALSE_ALARM = 1e-4
PLANTED = ("lr=0.101", "lr=0.099", "lr=0.1001", "lr=0.1, beta2=0.98901", "lr=0.1, beta2=0.99899")

Signs = NDArray[np.int8]


@dataclass(frozen=True)
class Case:
    """An experiment and what PyTorch makes of it."""

    experiment: Experiment
    theirs: stacked.Outcome


@pytest.fixture(scope="module", params=CASES, ids="-".join)
def case(request: pytest.FixtureRequest) -> Case:
    task, precision = request.param
    return Case(shipped(task).change(precision=precision), stacked.train(task, SEEDS, MARKS, precision))


def compiled(experiment: Experiment) -> stacked.Outcome:
    """The same seeds on the engine, in halves: it keeps the learning curves of the first 1,000 runs it is given."""
    halves = [train_many(experiment, SEEDS[first : first + 1000]) for first in (0, 1000)]
    at = [halves[0].checkpoints.tolist().index(mark) for mark in MARKS]
    errors = np.concatenate([half.curves[:, at] for half in halves]).astype(np.float64)
    return stacked.Outcome(errors, np.concatenate([half.solved for half in halves]))


def signs(ours: stacked.Outcome, theirs: stacked.Outcome) -> Signs:
    """A row a pair, a column a statistic: 1 or -1, whose is larger, or 0; exchanging labels turns a row's signs."""
    first, second = (np.clip(np.nan_to_num(each.errors, nan=np.inf), FLOOR, 1e9) for each in (ours, theirs))
    larger = np.where(np.abs(np.log(first / second)) > TIE, np.sign(first - second), 0)
    below = [np.column_stack([each.errors[:, -1:] <= LEVELS, each.solved]).astype(int) for each in (ours, theirs)]
    return np.column_stack([larger, below[0] - below[1]]).astype(np.int8)


def surprise(heads: NDArray[np.int64], tossed: NDArray[np.int64]) -> NDArray[np.float64]:
    """The two-sided p-value of so many heads of a fair coin."""
    p: NDArray[np.float64] = 2 * stats.binom.cdf(np.minimum(heads, tossed - heads), tossed, 0.5)
    return np.minimum(1, p)


def alarm(found: Signs) -> str:
    """The statistics that are too far out to be chance, as a text; empty if there are none."""
    tossed, heads = np.abs(found).sum(axis=0, dtype=int), (found > 0).sum(axis=0)
    p = surprise(heads, tossed)
    share = FALSE_ALARM / (len(CASES) * len(WAYS) * len(NAMES))
    return "; ".join(f"{NAMES[i]}: {heads[i]} of {tossed[i]}, p = {p[i]:.0e}" for i in np.flatnonzero(p < share))


def test_both_start_from_the_same_bits() -> None:
    seeds = (0, 1, 1999)
    for place, seed in enumerate(seeds):
        record = train_one(shipped("add").change(seed=seed, steps=1))
        for name, values in zip(("W1", "b1", "W2", "b2"), stacked.first_parameters(seeds), strict=True):
            assert np.array_equal(record.parameters[name][0], values[place].numpy())
        assert np.array_equal(record.inputs, stacked.questions(seeds)[place])


@pytest.mark.parametrize("task", ["add", "sub"])
def test_questions_by_count_are_the_full_batch(task: str) -> None:
    """The reference's own short cut: to the last digits early on, and as far as chaos lets it."""
    by_count, one_by_one = (stacked.train(task, range(8), (1, 50, 100, 200), "double", way) for way in (False, True))
    gaps = np.abs(by_count.errors / one_by_one.errors - 1)
    assert gaps[:, :2].max() < 1e-11
    assert gaps.max() < 1e-6


@pytest.mark.parametrize("way", WAYS)
def test_errors_are_distributed_as_pytorchs(case: Case, way: str) -> None:
    experiment = case.experiment.change(**WAYS[way])
    too_far_out = alarm(signs(compiled(experiment), case.theirs))
    assert too_far_out == ""


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("change", PLANTED)
def test_a_planted_change_is_seen(case: Case, change: str, way: str) -> None:
    """By the shift alone: it is there whether or not the form of the distribution is right."""
    changed = case.experiment.change(optimizer=f"adam({change})", **WAYS[way])
    assert alarm(signs(compiled(changed), case.theirs)[:, : len(MARKS)])


def test_the_rate_of_false_alarms_is_what_it_says(case: Case) -> None:
    """Exchange the labels of the pairs at random, many times over: no more alarms than are stated, at several rates."""
    found = signs(compiled(case.experiment), case.theirs).astype(np.float32)
    tossed, least = np.abs(found).sum(axis=0).astype(int), []
    for stream in np.random.default_rng(0).spawn(40):
        turned = 2 * stream.integers(0, 2, (500, len(found))).astype(np.float32) - 1
        least.append(surprise(((turned @ found).astype(int) + tossed) // 2, tossed).min(axis=1))
    alarms = np.concatenate(least) * len(NAMES)
    for rate in (0.1, 0.01):
        assert (alarms < rate).mean() <= rate
    assert (alarms < FALSE_ALARM / len(CASES) / len(WAYS)).sum() <= 2
