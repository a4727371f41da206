"""The check: everything that ships passes it, and every error that is planted is caught by name."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from glassgrad.check import TOLERANCE, Check, check_results, differences
from glassgrad.engines.torch import train
from glassgrad.equations import Step
from glassgrad.errors import ExperimentError
from glassgrad.experiment import Experiment, Precision
from glassgrad.formula import derivative, parse
from glassgrad.steps import _quantities, families
from glassgrad.tables.experiments import EXPERIMENTS, shipped
from glassgrad.tables.optimizers import OPTIMIZERS
from glassgrad.tables.row import Row
from glassgrad.watched import watch

PRECISIONS: tuple[Precision, ...] = ("single", "double")


def checked(experiment: Experiment, steps: tuple[int, ...] = (1,), plant: str | None = None) -> Check:
    record = train(experiment)
    return check_results(experiment, [Step(experiment, record.moment(step), 0, plant) for step in steps])


def small(name: str, **settings: Any) -> Experiment:
    """A shipped experiment with few steps."""
    return shipped(name).change(**{"steps": 12, **settings})


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_shipped_experiment_passes_and_leaves_nothing_unchecked(name: str, precision: Precision) -> None:
    result = checked(small(name, precision=precision, seed=17), (1, 2, 12))
    assert result.passed, result.worst
    assert result.largest_difference <= {"single": 1e-5, "double": 1e-12}[precision]
    assert result.unchecked == ()
    assert result.numbers == len(result.differences)


@pytest.mark.parametrize("name", ["add", "add-linear", "knob", "add-through-reward"])
def test_a_whole_training_stays_within_the_tolerance(name: str) -> None:
    steps = shipped(name).steps
    result = checked(shipped(name), tuple(range(1, steps + 1, max(1, steps // 10))))
    assert result.passed, result.worst
    assert result.unchecked == ()


MIXTURES: dict[str, dict[str, Any]] = {
    "deep": {"network": (2, 6, 5, 4, 3, 1), "activation": "tanh"},
    "dropout": {"dropout": 0.4, "network": (2, 6, 4, 1)},
    "clip": {"clip": 0.5},
    "clip that never shrinks": {"clip": 1e9},
    "l1": {"regulariser": "l1(strength=0.1)"},
    "l2 and decay": {"regulariser": "l2", "optimizer": "nadam(lr=0.01, weight_decay=0.1)"},
    "nadam": {"optimizer": "nadam"},
    "adamw": {"optimizer": "adamw(lr=0.05, weight_decay=0.2)"},
    "nesterov": {"optimizer": "nesterov(lr=0.001)"},
    "adagrad": {"optimizer": "adagrad(lr=0.1)"},
    "rmsprop": {"optimizer": "rmsprop(lr=0.01)"},
    "minibatch": {"samples": 10, "batch": 4},
    "two slopes": {"activation": "leaky_relu(slope=0.1)", "output_activation": "leaky_relu(slope=0.3)"},
    "own activation": {"activation": "z/(1 + abs(z)) + 0.1*sin(3*z)", "regulariser": "0.01*sqrt(1 + w**2)"},
    "learned slope": {"activation": "param p = 0.25; where(z > 0, z, p*z)", "dropout": 0.2, "clip": 1.0},
    "learned in the output": {"output_activation": "param s = 1.5; s*softplus(z)"},
    "own optimizer": {"optimizer": "state m = 0; state k = 1; k = 0.5*k; m = k*m + g/(1 + norm(g)); w = w - 0.1*m"},
    "own lines": {
        "objective": "state b = 0; e = o - t; objective = e**2 - b*e + 0.1*(o - mean(o))**2; b = 0.9*b + 0.1*mean(e)"
    },
    "huber": {"objective": "huber(delta=2)"},
    "exponential": {"schedule": "exponential(gamma=0.9)", "optimizer": "nesterov(lr=0.001)"},
    "cosine": {"schedule": "cosine(to=0.01)", "optimizer": "adamw(lr=0.1, weight_decay=0.2)"},
    "warm-up": {"schedule": "warmup(warmup=4)", "optimizer": "nadam(lr=0.01)"},
    "warm-up, then cosine": {"schedule": "warmup_cosine(warmup=2)", "clip": 0.5},
    "own schedule": {"schedule": "lr/sqrt(step)", "optimizer": "sgd(lr=0.001, weight_decay=0.1)"},
    "own optimizer, schedule": {"schedule": "cosine", "optimizer": "state m = 0; m = 0.9*m + g; w = w - lr*m"},
    "pathwise": {"policy": "pathwise(sigma=0.3)", "reward": "square", "objective": "reward"},
    "reinforce": {"policy": "gaussian(sigma=1)", "reward": "right", "objective": "reinforce"},
    "aggregates": {"objective": "abs(o - max(t)) + std(o) + (o - others(o))**2"},
    "all at once": {
        "network": (2, 4, 3, 1), "activation": "elu", "dropout": 0.3, "clip": 1.0, "batch": 7, "samples": 20,
        "regulariser": "l2(strength=0.05)", "optimizer": "adam(lr=0.05, weight_decay=0.01)",
        "policy": "gaussian", "reward": "distance", "objective": "reinforce_baseline",
    },
}  # fmt: skip


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("mixture", MIXTURES)
def test_mixtures_pass(mixture: str, precision: Precision) -> None:
    experiment = shipped("add").change(**{"steps": 6, "samples": 40, "precision": precision, **MIXTURES[mixture]})
    result = checked(experiment, (1, 3, 6))
    assert result.passed, result.worst
    assert result.largest_difference <= TOLERANCE[precision]


PLANTED = {
    "add": small("add", samples=30, steps=2),
    "add in double precision": small("add", samples=30, steps=2, precision="double"),
    "knob": small("knob", steps=2),
    "choose": small("choose", steps=2, network=(3, 3, 1), samples=30),
    "add-reinforce": small("add-reinforce", steps=2, network=(2, 3, 1), samples=30),
    "schedule": small("add", samples=30, steps=2, schedule="cosine(to=0.01)"),
    "own optimizer, schedule": small("add", samples=30, steps=2, optimizer="w = w - lr*g", schedule="warmup(3)"),
    "mixture": small("add", network=(2, 2, 2, 1), steps=2, samples=20, clip=0.5, dropout=0.2, optimizer="nadam",
                     regulariser="l2(strength=0.1)", activation="param p = 0.5; tanh(p*z)"),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANTED)
def test_an_error_of_a_twentieth_of_a_percent_is_caught_by_name(name: str) -> None:
    experiment = PLANTED[name]
    record = train(experiment)
    for family in families(experiment):
        result = check_results(experiment, [Step(experiment, record.moment(2), 0, family)])
        assert not result.passed, family
        assert result.families[family].largest > result.tolerance, family
    assert checked(experiment, (2,)).passed


def test_what_a_planted_error_reaches_comes_after_it() -> None:
    """The first number that differs, in the order of computing, is the planted one."""
    experiment = small("add", samples=20, steps=1)
    for family in ("z1", "a1", "z2", "objective", "dz2", "dz1", "dW1", "m_new"):
        result = checked(experiment, plant=family)
        wrong = [name for name, entry in result.families.items() if entry.largest > result.tolerance]
        assert wrong[0] == family


# Wrong rows: what is shown is not what PyTorch runs.


def wrong_row(monkeypatch: pytest.MonkeyPatch, table: dict[str, Row], name: str, old: str, new: str) -> None:
    from dataclasses import replace

    from glassgrad.method.read import _method

    assert old in table[name].formula
    monkeypatch.setitem(table, name, replace(table[name], formula=table[name].formula.replace(old, new)))
    _method.cache_clear()
    _quantities.cache_clear()


@pytest.fixture
def fresh_methods() -> Iterator[None]:
    from glassgrad.method.read import _method

    yield
    _method.cache_clear()
    _quantities.cache_clear()


@pytest.mark.parametrize(
    ("table", "name", "old", "new", "settings"),
    [
        ("activations", "relu", "relu(z)", "relu(z) + 0.001*z", {}),
        ("activations", "gelu", "sqrt(2)", "1.4145", {"activation": "gelu"}),
        ("activations", "silu", "sigmoid(z)", "sigmoid(1.001*z)", {"activation": "silu"}),
        ("objectives", "mse", "**2", "**2.001", {}),
        ("objectives", "huber", "0.5*delta", "0.501*delta", {"objective": "huber"}),
        ("optimizers", "adam", "- lr*m_hat", "- 1.001*lr*m_hat", {}),
        ("optimizers", "adam", "(1 - beta2)*g**2", "(1 - beta2)*abs(g)", {}),
        ("optimizers", "adam", "beta1**step", "beta1**(step + 1)", {}),
        ("optimizers", "nesterov", "g + momentum*m", "momentum*m", {"optimizer": "nesterov(lr=0.001)"}),
        ("schedules", "exponential", "lr*", "1.0005*lr*", {"schedule": "exponential"}),
        ("schedules", "cosine", "/2", "/2.001", {"schedule": "cosine"}),
        ("schedules", "cosine", "(step - 1)", "step", {"schedule": "cosine"}),
        ("schedules", "warmup", "step/warmup", "step/(1.0005*warmup)", {"schedule": "warmup"}),
        ("optimizers", "rmsprop", "sqrt(v) + eps", "sqrt(v + eps)", {"optimizer": "rmsprop(eps=0.01)"}),
    ],
)
@pytest.mark.usefixtures("fresh_methods")
@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_wrong_row_is_caught(
    monkeypatch: pytest.MonkeyPatch, table: str, name: str, old: str, new: str, settings: dict[str, Any],
    precision: Precision,
) -> None:  # fmt: skip
    from glassgrad.tables import activations, objectives, schedules

    tables = {
        "activations": activations.ACTIVATIONS, "objectives": objectives.OBJECTIVES, "optimizers": OPTIMIZERS,
        "schedules": schedules.SCHEDULES,
    }  # fmt: skip
    wrong_row(monkeypatch, tables[table], name, old, new)
    assert not checked(small("add", samples=30, steps=3, precision=precision, **settings), (1, 2, 3)).passed


@pytest.mark.usefixtures("fresh_methods")
def test_a_wrong_derivative_of_relu_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    real = derivative

    def wrong(tree: Any, by: str) -> Any:
        return parse("[z >= -0.1]", ("z",)) if by == "z" else real(tree, by)

    monkeypatch.setattr("glassgrad.steps.derivative", wrong)
    _quantities.cache_clear()
    result = checked(small("add", samples=50))
    assert not result.passed
    assert result.families["dz1"].largest > result.tolerance


@pytest.mark.usefixtures("fresh_methods")
def test_a_wrong_regulariser_in_the_run_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    from glassgrad.engines.torch import Objective

    real = Objective.loss
    monkeypatch.setattr(Objective, "loss", lambda *a, **k: 1.001 * real(*a, **k))
    assert not checked(small("add", regulariser="l2", samples=30)).passed


# The measure.


def test_the_measure_is_relative_to_the_scale() -> None:
    assert differences(1.0, 1.5, 2.0, 0.0) == 0.25
    assert differences(0.0, 0.0, 0.0, 0.0) == 0
    assert differences(0.0, 1e-300, 0.0, 0.0) == np.inf
    assert differences(np.nan, np.nan, 1.0, 0.0) == 0
    assert differences(np.inf, np.inf, np.inf, 0.0) == 0
    assert differences(np.nan, 1.0, 1.0, 0.0) == np.inf
    assert differences(np.inf, 1.0, 1.0, 0.0) == np.inf


def test_a_mean_over_very_many_samples_may_round_more_but_never_as_much_as_an_error_that_is_planted() -> None:
    allowed = [Check("single", samples=samples).tolerance for samples in (1, 1000, 2000, 20_000, 1_000_000)]
    assert allowed == pytest.approx([1e-5, 1e-5, 1e-5, 1e-4, 4e-4])
    experiment = small("add-linear", samples=50_000, steps=1)
    assert checked(experiment).passed
    assert not checked(experiment, plant="dW1").passed


def test_a_formula_counts_as_checked_only_where_its_terms_do_not_cancel() -> None:
    result = Check("single")
    result.add("f", "f_1", 1, np.array([0.05, 0.0]), np.array([0.05, 0.0]), np.array([1.0, 0.0]))
    assert result.passed
    assert list(result.unchecked) == ["f"]
    result.add("f", "f_2", 1, np.array([0.05, -0.1]), np.array([0.05, -0.1]), np.array([1.0, 1.0]))
    assert list(result.unchecked) == []
    assert result.numbers == 2


def test_formulas_that_are_zero_in_a_run_are_looked_at_in_others() -> None:
    """In add-linear at its goal every derivative cancels; with equal hidden units nothing passes."""
    assert checked(shipped("add-linear"), (1000,)).unchecked == ()
    stuck = checked(small("add", init="zeros"))
    assert stuck.passed
    assert "dW1" in stuck.unchecked
    cut = checked(small("add", objective="stop(o)*t"))
    assert cut.passed
    assert "dz2" in cut.unchecked


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(
    "settings",
    [
        {"objective": "log(o - 5)"},
        {"objective": "o/0"},
        {"objective": "log(-1)*o"},
        {"objective": "sqrt(o - t)"},
        {"objective": "where(o > t, (o - t)**2, log(-1))"},
        {"objective": "std(o)", "samples": 1},
        {"objective": "9**9**9 + o"},
        {"optimizer": "sgd(lr=1e9)"},
        {"optimizer": "w = w - log(0)*g"},
        {"activation": "exp(exp(z))"},
    ],
)
def test_a_run_that_diverges_is_no_failed_check(settings: dict[str, Any], precision: Precision) -> None:
    """Up to the number that is not finite everything is held against PyTorch; what follows from it is listed."""
    experiment = small("add", precision=precision, **settings)
    record = train(experiment)
    result = check_results(experiment, [Step(experiment, record.moment(s)) for s in range(1, record.steps + 1)])
    assert result.passed, result.worst
    assert result.numbers > 0


def test_an_error_before_the_divergence_is_still_caught() -> None:
    assert not checked(small("add", objective="log(o - 5)"), plant="z2").passed


def test_the_knob_up_to_its_end_passes() -> None:
    for precision in PRECISIONS:
        experiment = shipped("knob").change(steps=1000, seed=1, precision=precision)
        record = train(experiment)
        shown = [*range(1, record.steps, 60), record.steps]
        result = check_results(experiment, [Step(experiment, record.moment(step)) for step in shown])
        assert result.passed, result.worst


def test_a_planted_family_that_is_none_is_refused() -> None:
    with pytest.raises(ExperimentError):
        watch("add", steps=1, plant="nonsense")
