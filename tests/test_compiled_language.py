"""Every function of the formula language as the compiled engine writes it, held against the torch engine."""

from typing import Any

import pytest

from glassgrad.experiment import Experiment
from glassgrad.formula.functions import AGGREGATES, FUNCTIONS
from glassgrad.tables.experiments import shipped
from test_compiled import check_equal

BASE = shipped("add").change(samples=40, steps=20, network=(2, 3, 1), precision="double")
GROUPED: dict[str, Any] = {
    "group": 4, "policy": "a = stop(o + noise); logp = -(a - o)**2/2", "reward": "-abs(a - t)",
    "objective": "(o - t)**2*0.01 + stop(reward - {})*logp*0.01",
}  # fmt: skip

TERMS: dict[str, tuple[str, ...]] = {
    "+": ("o + t + 1",), "*": ("o*t*0.3",), "neg": ("-o",), "/": ("o/(1 + t)", "t/(3 + o**2)", "1/(2 + abs(o))"),
    "**": ("(o - t)**4*0.01", "(o - t)**5*0.001", "(4 + abs(o))**(-2)", "abs(o - t)**1.5", "(1 + abs(o))**0.7",
           "2.5**(0.1*o)", "(1 + abs(o))**(0.1*t)", "(1 + t)**(0.05*o)", "o**0", "o**1", "(0.1*o)**7"),
    "<": ("where(o < t, 2, 1)*o",), "<=": ("where(o <= t, 2, 1)*o",), ">": ("where(o > t, 2, 1)*o",),
    ">=": ("where(o >= t, 2, 1)*o",), "==": ("where(t == 9, o, 2*o)",), "!=": ("where(t != 9, o, 2*o)",),
    "where": ("where(o - t > 1, o**2, where(o - t < -1, -o, 3*o))",),
    "max": ("max(o, t)", "max(max(0.5*o, 2), t - o)"), "min": ("min(o, t)", "min(min(0.5*o, 2), t - o)"),
    "exp": ("exp(-0.1*(o - t)**2)",), "log": ("log(1 + (o - t)**2)",), "sqrt": ("sqrt(1 + (o - t)**2)",),
    "tanh": ("tanh(0.3*o)",), "sigmoid": ("sigmoid(0.3*o)",), "softplus": ("softplus(o - t)",),
    "sin": ("sin(o)",), "cos": ("cos(o)",), "erf": ("erf(0.2*o)",), "abs": ("abs(o - t)",), "relu": ("relu(o - t)",),
    "sign": ("sign(o - t)*o",), "round": ("round(o)*o*0.1",), "stop": ("stop(o)*o*0.1",),
    "old": ("old(o)*o*0.1",),
}  # fmt: skip
"""What is added to (o - t)**2, by the function that is tried."""

OF_ALL: dict[str, str] = {
    "mean": "0.1*(o - mean(o))**2", "sum": "0.001*sum(o)*o", "max": "0.1*max(o)*o", "min": "0.1*min(o) + o",
    "std": "o/(1 + std(o))", "norm": "o/(1 + norm(o))", "count": "o*count(o)*0.01", "others": "0.01*others(o)*o",
    "group_mean": "group_mean(reward)", "group_std": "group_std(reward)", "group_others": "group_others(reward)",
}  # fmt: skip


def with_term(term: str, **settings: Any) -> Experiment:
    return BASE.change(**{"objective": f"(o - t)**2 + {term}", **settings})


def test_every_function_is_tried() -> None:
    assert TERMS.keys() == FUNCTIONS.keys()
    assert OF_ALL.keys() == AGGREGATES.keys()


@pytest.mark.parametrize("name", TERMS)
def test_a_function_is_that_of_the_torch_engine(name: str) -> None:
    for term in TERMS[name]:
        check_equal(with_term(term, passes=2 if name == "old" else 1))
        check_equal(with_term(term, passes=2 if name == "old" else 1, precision="single"))


@pytest.mark.parametrize("name", OF_ALL)
def test_an_aggregate_is_that_of_the_torch_engine(name: str) -> None:
    if "reward" in OF_ALL[name]:
        check_equal(BASE.change(**{**GROUPED, "objective": GROUPED["objective"].format(OF_ALL[name])}))
    else:
        check_equal(with_term(OF_ALL[name]))


@pytest.mark.parametrize(
    "settings",
    [
        {"regulariser": "0.01*w**4"},
        {"regulariser": "0.01*abs(w)**1.5", "network": (2, 70, 1)},
        {"activation": "0.01*z**5"},
        {"activation": "relu(z)**1.3", "network": (2, 70, 1)},
        {"output_activation": "sign(z)*abs(z)**0.9"},
        {"optimizer": "w = w - 0.01*sign(g)*abs(g)**0.7"},
        {"optimizer": "w = w - 0.001*g/(1 + norm(g)**1.5)"},
        {"optimizer": "lr = 0.001*(1 + step)**0.3; w = w - lr*g"},
        {"policy": "a = o**3*0.01", "reward": "-abs(a - t)**1.5", "objective": "-reward"},
    ],
    ids=str,
)
def test_powers_are_right_wherever_a_formula_may_stand(settings: dict[str, Any]) -> None:
    check_equal(BASE.change(**settings))
