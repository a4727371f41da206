"""The networks with which many runs end are those of the runs themselves, on either engine."""

import numpy as np
import pytest

from glassgrad.ends import Parameters, ends
from glassgrad.engines.compiled import train_one
from glassgrad.engines.torch import train
from glassgrad.tables.experiments import shipped

SHORT = {"steps": 40, "samples": 30}


def same(one: Parameters | None, other: Parameters) -> bool:
    """Equal to the last bit."""
    return one is not None and one.keys() == other.keys() and all(np.array_equal(one[k], other[k]) for k in other)


@pytest.mark.parametrize("name", ["add", "both-through-reward", "add-reinforce"])
def test_a_run_ends_as_it_does_alone(name: str) -> None:
    experiment = shipped(name).change(**SHORT)
    seeds = [3, 0, 2**32 - 1, 7, 8, 9]
    found = list(ends(experiment, seeds))
    assert all(same(end, train_one(experiment.change(seed=s)).final) for end, s in zip(found, seeds, strict=True))
    assert not same(found[0], found[1] or {})


def test_they_are_those_of_pytorch() -> None:
    experiment = shipped("add").change(samples=20, steps=30)
    for seed, end in zip((5, 4), ends(experiment, [5, 4]), strict=True):
        theirs = train(experiment.change(seed=seed)).final
        assert end is not None
        assert all(np.allclose(end[name], theirs[name], rtol=1e-4, atol=1e-5) for name in theirs)


def test_a_run_that_diverged_has_no_end() -> None:
    falls, rises = 1, 0  # log(0) after some 420 steps; and none
    found = list(ends(shipped("knob").change(steps=600), [falls, rises]))
    assert [end is None for end in found] == [True, False]


def test_stopping_early_waits_for_no_more_runs() -> None:
    many = ends(shipped("knob"), range(100_000))
    assert next(many) is not None
    many.close()  # type: ignore[attr-defined]
