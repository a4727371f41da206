"""Initialisations: each formula is the bound of what torch.nn.init draws, and draws fill it evenly."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from glassgrad.formula import evaluate, parse
from glassgrad.initial import initial_parameters
from glassgrad.network import Network
from glassgrad.tables.initialisations import INITIALISATIONS

NETWORK = Network((4, 40_000, 3))  # 40,000 draws at least in each array that is looked at
# The largest of n draws misses the bound by a share of 5e-4 with probability exp(-5e-4*n): below 1e-8.
NEAR = 5e-4
FALSE_ALARM = 1e-6  # of each Kolmogorov-Smirnov test, if the seeds were not fixed


def bound(formula: str, layer: int) -> float:
    sizes = {"n_in": float(NETWORK.sizes[layer - 1]), "n_out": float(NETWORK.sizes[layer])}
    return float(evaluate(parse(formula, ("n_in", "n_out")), sizes))


def check_spread(name: str, drawn: np.ndarray[tuple[int, ...], np.dtype[np.float64]], most: float) -> None:
    """Draws fill [-most, most] evenly, and go no further.

    Raises:
        AssertionError: they do not; the message names the initialisation.
    """
    largest = float(np.abs(drawn).max())
    if most == 0:
        assert largest == 0, f"{name}: {largest} where all should be 0"
        return
    assert largest <= most * (1 + 1e-6), f"{name}: {largest} lies beyond {most}"
    assert largest >= most * (1 - NEAR), f"{name}: nothing beyond {largest}, but the bound is {most}"
    chance = stats.kstest(drawn.ravel(), stats.uniform(-most, 2 * most).cdf).pvalue
    assert chance > FALSE_ALARM, f"{name}: not spread evenly (p = {chance})"


def drawn(name: str, array: str, seed: int = 0) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return initial_parameters(name, NETWORK, seed)[array].double().numpy()


@pytest.mark.parametrize("name", INITIALISATIONS)
def test_the_formulas_are_the_bounds_of_what_is_drawn(name: str) -> None:
    row = INITIALISATIONS[name]
    check_spread(name, drawn(name, "W1"), bound(row.weight, 1))
    check_spread(name, drawn(name, "W2"), bound(row.weight, 2))
    check_spread(name, drawn(name, "b1"), bound(row.bias, 1))


@pytest.mark.parametrize("name", ["default", "xavier", "he"])
@pytest.mark.parametrize("error", [1.0005, 0.999])
def test_a_wrong_bound_is_seen_and_named(name: str, error: float) -> None:
    with pytest.raises(AssertionError, match=f"^{name}: "):
        check_spread(name, drawn(name, "W1"), error * bound(INITIALISATIONS[name].weight, 1))


def test_a_bias_where_none_should_be_is_seen() -> None:
    with pytest.raises(AssertionError, match="he: "):
        check_spread("he", drawn("default", "b1"), bound(INITIALISATIONS["he"].bias, 1))


CALLS: dict[str, dict[str, object]] = {
    "kaiming_uniform_(a=sqrt(5))": {"a": math.sqrt(5)},
    "xavier_uniform_()": {},
    "kaiming_uniform_(nonlinearity='relu')": {"nonlinearity": "relu"},
    "zeros_()": {},
}
"""The calls that the rows name, with their arguments."""


@pytest.mark.parametrize("name", INITIALISATIONS)
def test_the_draws_are_those_of_the_call_that_the_row_names(name: str) -> None:
    call = INITIALISATIONS[name].torch
    weight = torch.empty(40_000, 4)
    chance = {} if name == "zeros" else {"generator": torch.Generator().manual_seed(3)}
    getattr(torch.nn.init, call.partition("(")[0])(weight, **CALLS[call], **chance)
    assert torch.equal(weight, initial_parameters(name, NETWORK, 3)["W1"])


def test_runs_of_different_seeds_differ() -> None:
    assert not np.array_equal(drawn("default", "W1", 0), drawn("default", "W1", 1))
