"""Optimizers: the lines of each, run step by step, are torch.optim on the same gradients, state for state."""

import dataclasses
import operator
from collections.abc import Mapping

import numpy as np
import pytest
import torch

from glassgrad.formula import Program, evaluate, parse, read_lines
from glassgrad.formula.lines import Level, run_lines
from glassgrad.tables.optimizers import OPTIMIZERS, TORCH_STATES, optimizer
from glassgrad.tables.row import Row
from tied import Floats

STEPS, PARAMETERS = 200, 6
CLOSE = 1e-10

ASKED = (
    "sgd", "sgd(lr=0.5)", "sgd(lr=0.1, weight_decay=0.2)",
    "momentum", "momentum(lr=0.1, momentum=0.5)", "momentum(lr=0.1, momentum=0.7, weight_decay=0.2)",
    "nesterov", "nesterov(lr=0.1, momentum=0.5)", "nesterov(lr=0.1, momentum=0.7, weight_decay=0.2)",
    "adagrad", "adagrad(lr=0.5)", "adagrad(lr=0.1, eps=0.01, weight_decay=0.2)",
    "rmsprop", "rmsprop(lr=0.1, alpha=0.5)", "rmsprop(lr=0.1, alpha=0.9, eps=0.01, weight_decay=0.2)",
    "adam", "adam(lr=0.1)", "adam(lr=0.1, beta1=0.5, beta2=0.8, eps=0.01, weight_decay=0.2)",
    "adam(lr=0.1, beta1=0, beta2=0)",
    "adamw", "adamw(lr=0.1, weight_decay=0)",
    "adamw(lr=0.1, beta1=0.5, beta2=0.8, eps=0.01, weight_decay=0.2)",
    "nadam", "nadam(lr=0.1, momentum_decay=0.1)",
    "nadam(lr=0.1, beta1=0.5, beta2=0.8, eps=0.01, momentum_decay=0.1, weight_decay=0.2)",
)  # fmt: skip

Step = dict[str, Floats]


def row_of(asked: str) -> Row:
    row = optimizer(asked)
    assert row is not None
    return row


def gradients() -> Floats:
    """A given sequence: of both signs, over five powers of ten, with stretches of zeros, as in dead units."""
    stream = np.random.default_rng(7)
    drawn = stream.normal(size=(STEPS, PARAMETERS)) * 10.0 ** stream.integers(-3, 2, (STEPS, PARAMETERS))
    drawn[:50, 0] = 0
    drawn[100:, 1] = 0
    drawn[:, 2] = 0
    return np.asarray(drawn)


def read(row: Row) -> Program:
    given: dict[str, Level] = {"w": "parameter", "g": "parameter", "step": "step"}
    return read_lines(row.formula, {**given, **dict.fromkeys(row.numbers, "step")}, "w")


def ours(row: Row, start: Floats, given: Floats) -> list[Step]:
    """The names of all lines after each step, states under their own names."""
    program = read(row)
    state = {name: evaluate(tree, {}) for name, tree in program.states.items()}
    w: object = start
    steps: list[Step] = []
    for step, g in enumerate(given, 1):
        known = run_lines(program.lines, {**row.numbers, **state, "w": w, "g": g, "step": float(step)}, evaluate)
        w, state = known[program.latest["w"]], {name: known[program.latest[name]] for name in state}
        after = {**known, **state, "w": w}
        steps.append({name: np.asarray(value, dtype=np.float64) for name, value in after.items()})
    return steps


def theirs(row: Row, start: Floats, given: Floats) -> list[Step]:
    """What torch.optim keeps after each step, and the parameters as w.

    NAdam keeps its running product in the default type, whatever the parameters are: here it is double, too.
    """
    assert row.torch is not None
    w = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    made = operator.attrgetter(row.torch.path)(torch)([w], **row.torch.arguments(row.numbers))
    steps: list[Step] = []
    usual = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        for g in given:
            w.grad = torch.tensor(g)
            made.step()
            kept = {name: value for name, value in made.state[w].items() if isinstance(value, torch.Tensor)}
            steps.append({name: value.detach().numpy().copy() for name, value in {"w": w, **kept}.items()})
    finally:
        torch.set_default_dtype(usual)
    return steps


def compare(row: Row, pytorch: Row) -> None:
    """Hold a row's lines against another row's torch.optim.

    Raises:
        AssertionError: parameters, or a state that is tied, differ; the message names row, quantity and step.
    """
    start, given = np.linspace(-2, 2, PARAMETERS), gradients()
    tie = TORCH_STATES[row.name]
    pairs = zip(ours(row, start, given), theirs(pytorch, start, given), strict=True)
    for step, (mine, found) in enumerate(pairs, 1):
        settings = {**pytorch.numbers, "step": float(step)}
        expected: dict[str, object] = {"w": found["w"]}
        expected |= {name: found[other] for name, other in tie.kept.items()}
        expected |= {name: evaluate(parse(formula), {**found, **settings}) for name, formula in tie.derived.items()}
        for name, value in expected.items():
            np.testing.assert_allclose(
                mine[name], np.asarray(value), rtol=CLOSE, atol=CLOSE,
                err_msg=f"optimizer {row.name}: {name} at step {step}",
            )  # fmt: skip


@pytest.mark.parametrize("asked", ASKED)
def test_lines_are_torch_optim(asked: str) -> None:
    compare(row_of(asked), row_of(asked))


def test_every_optimizer_is_held_against_torch_optim() -> None:
    assert {asked.partition("(")[0] for asked in ASKED} == set(OPTIMIZERS) == set(TORCH_STATES)


def changed(row: Row, setting: str, by: float) -> Row:
    return dataclasses.replace(row, numbers={**row.numbers, setting: row.numbers[setting] + by})


@pytest.mark.parametrize("name", ["adam", "adamw", "nadam"])
def test_a_beta2_that_is_wrong_by_a_ten_thousandth_is_seen(name: str) -> None:
    row = row_of(name)
    with pytest.raises(AssertionError, match=f"optimizer {name}: "):
        compare(changed(row, "beta2", -1e-4), row)


LAST = {asked.partition("(")[0]: asked for asked in ASKED if "weight_decay=0.2" in asked}  # every setting is felt


@pytest.mark.parametrize(
    ("asked", "setting"), [(asked, setting) for asked in LAST.values() for setting in row_of(asked).numbers]
)
def test_any_setting_that_is_wrong_by_a_ten_thousandth_is_seen(asked: str, setting: str) -> None:
    row = row_of(asked)
    with pytest.raises(AssertionError, match=f"optimizer {row.name}: "):
        compare(changed(row, setting, 1e-4 * row.numbers[setting]), row)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_line_but_the_step_itself_is_tied_to_a_state_of_torch(name: str) -> None:
    """What torch.optim keeps is shown; what it does not keep is listed here."""
    program, tie = read(OPTIMIZERS[name]), TORCH_STATES[name]
    assert set(program.states) == set(tie.kept)
    assigned = {line.split("=")[0].strip() for line in program.source if not line.startswith("state ")}
    untied = {"nadam": {"mu", "mu_next", "m_hat"}}.get(name, set())
    assert assigned == {"w", *tie.kept, *tie.derived} | untied
    assert not torch_keeps(name) - set(tie.kept.values()) - {"step"}


def torch_keeps(name: str) -> set[str]:
    return set(theirs(row_of(name), np.ones(2), np.ones((1, 2)))[0]) - {"w"}


def test_weight_decay_becomes_a_line() -> None:
    with_decay = row_of("adam(weight_decay=0.1)")
    assert with_decay.formula == "g = g + weight_decay*w; " + OPTIMIZERS["adam"].formula
    assert with_decay.numbers["weight_decay"] == 0.1
    assert row_of("adam(weight_decay=0)").formula == OPTIMIZERS["adam"].formula
    assert row_of("adamw(weight_decay=0.5)").formula == OPTIMIZERS["adamw"].formula  # has it in its own line
    assert optimizer("w = w - 0.1*g") is None


def test_the_first_step_of_adam_by_hand() -> None:
    """m_hat = g and v_hat = g**2 at step 1: the step is lr, whatever the gradient's size."""
    (after,) = ours(row_of("adam(lr=0.1)"), np.array([1.0, 1.0]), np.array([[27.7308, -0.004]]))
    np.testing.assert_allclose(after["m_hat"], [27.7308, -0.004], rtol=1e-12)
    np.testing.assert_allclose(after["v_hat"], [27.7308**2, 0.004**2], rtol=1e-12)
    np.testing.assert_allclose(after["w"], [0.9, 1.1], rtol=1e-6)


def test_a_dead_parameter_does_not_move() -> None:
    for asked in ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "nadam"):
        after = ours(row_of(asked), np.array([1.5]), np.zeros((20, 1)))[-1]
        assert float(after["w"][0]) == 1.5, asked


def test_states_last_from_step_to_step() -> None:
    def at(steps: Mapping[str, Floats]) -> float:
        return float(steps["m"][0])

    found = ours(row_of("momentum(momentum=0.5)"), np.zeros(1), np.array([[1.0], [1.0], [0.0]]))
    assert [at(step) for step in found] == [1.0, 1.5, 0.75]
