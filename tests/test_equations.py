"""The equations of a step: what is written is what is computed, and every name in it can be looked up."""

import math
from typing import Any

import numpy as np
import pytest

from glassgrad.engines.torch import train
from glassgrad.equations import Equation, Step, chain_of, plain_number
from glassgrad.experiment import Experiment
from glassgrad.formula import parse
from glassgrad.formula.evaluate import evaluate
from glassgrad.formula.tree import Apply, Number, Tree, symbols, walk
from glassgrad.network import gradient_name
from glassgrad.record import Moment, Record
from glassgrad.steps import families, quantities
from glassgrad.tables.experiments import EXPERIMENTS, shipped

MIXED = shipped("add").change(
    network=(2, 4, 3, 1), steps=4, samples=12, batch=5, dropout=0.25, clip=3.0, optimizer="nadam(lr=0.01)",
    regulariser="l2(strength=0.02)", activation="silu", objective="huber(delta=2)",
)  # fmt: skip
OWN = shipped("add").change(
    steps=4, samples=9, activation="param p = 0.3; where(z > 0, z, p*z)", policy="gaussian(sigma=0.7)",
    reward="1 - abs(a - t)/(1 + t)",
    objective="state b = 0.5; objective = -stop(reward - b)*logp; b = 0.9*b + 0.1*mean(reward)",
    optimizer="state m = 0; state k = 1; k = 0.5*k; m = k*m + g/(1 + norm(g)); w = w - 0.1*m",
)  # fmt: skip
EXPERIMENTS_SHOWN = {name: shipped(name).change(steps=4) for name in EXPERIMENTS} | {
    "mixed": MIXED, "own": OWN, "scheduled": MIXED.change(schedule="warmup_cosine(warmup=2)"),
    "own, scheduled": OWN.change(optimizer="lr = 0.1*pi; w = w - lr*g", schedule="cosine(to=0.01)"),
}  # fmt: skip


def step_of(experiment: Experiment, number: int = 3, sample: int = 0) -> Step:
    return Step(experiment, train(experiment).moment(number), sample)


def numbers_moved(tree: Tree) -> float:
    """How far the value of a formula of numbers may be off because each number in it is rounded."""

    def moved(part: Tree, place: list[int], at: int, by: float) -> Tree:
        if isinstance(part, Number):
            place[0] += 1
            room = 5e-5 if abs(part.value) >= 1e-3 else 5e-4 * abs(part.value)
            room = max(room, 5e-4 * abs(part.value) if abs(part.value) >= 1e6 else 0.0)
            return Number(part.value + by * room) if place[0] - 1 == at else part
        if isinstance(part, Apply):
            return Apply(part.function, tuple(moved(one, place, at, by) for one in part.arguments))
        return part

    count = sum(isinstance(part, Number) for part in walk(tree))
    value = float(evaluate(tree, {}))
    total = 0.0
    for at in range(count):
        ends = [abs(float(evaluate(moved(tree, [0], at, by), {})) - value) for by in (1.0, -1.0)]
        total += max((end for end in ends if math.isfinite(end)), default=0.0)
    return total


@pytest.mark.parametrize("name", EXPERIMENTS_SHOWN)
@pytest.mark.parametrize("sample", [0, -1])
def test_the_numbers_plugged_in_give_the_result(name: str, sample: int) -> None:
    experiment = EXPERIMENTS_SHOWN[name]
    moment = train(experiment).moment(3)
    step, read = Step(experiment, moment, sample % len(moment.inputs)), 0
    for equation in step.equations:
        if "…" in equation.substituted or not math.isfinite(equation.value):
            continue
        tree = parse(equation.substituted, ())
        assert symbols(tree) in ((), ("pi",))
        assert abs(float(evaluate(tree, {})) - equation.value) <= 2 * numbers_moved(tree) + 1e-9, equation
        read += 1
    assert read > len(step.equations) / 3


@pytest.mark.parametrize("name", EXPERIMENTS_SHOWN)
def test_the_symbols_give_the_result(name: str) -> None:
    """Each symbolic form, evaluated with the values of the names that it reads, is the value shown."""
    step = step_of(EXPERIMENTS_SHOWN[name])
    seen = step.evaluated.values
    for equation in step.equations:
        if equation.section == "update" or equation.name == "shrink":  # its `norm` is a name here
            continue
        tree = parse(equation.symbolic, tuple(equation.reads))
        found = np.broadcast_to(evaluate(tree, seen), np.shape(seen[equation.name]))
        assert np.allclose(found, seen[equation.name], rtol=1e-12, atol=1e-300), equation.name
        assert equation.value == step.at(seen[equation.name])


@pytest.mark.parametrize("name", EXPERIMENTS_SHOWN)
def test_every_name_can_be_looked_up(name: str) -> None:
    """What an equation reads is an equation above it, or given: inputs, truth, chance, parameters, states, settings."""
    experiment = EXPERIMENTS_SHOWN[name]
    step = step_of(experiment)
    of = step.of
    parameters = [parameter for parameter, _, _ in of.network.parameters()]
    given = {*of.task.names, "t", "noise", "uniform", "step", "max_norm", *parameters, *of.program.states, *of.numbers}
    given |= {*of.activation.numbers, *of.output_activation.numbers, *of.optimizer.numbers}
    given |= set(of.regulariser.numbers) if of.regulariser else set()
    given |= {f"{state}_{p}" for state in of.optimizer_program.states for p in parameters}
    given |= {*of.optimizer_program.states}
    given |= {f"keep{layer}_{i + 1}" for layer in of.network.layers for i in of.network.units(layer)}
    for equation in step.equations:
        assert set(equation.reads) <= given, (equation.name, set(equation.reads) - given)
        assert equation.name not in given
        given.add(equation.name)
    assert {f"{parameter}_new" for parameter in parameters} <= given
    assert {gradient_name(parameter) for parameter in parameters} <= given
    assert {equation.family for equation in step.equations} == set(families(experiment))


@pytest.mark.parametrize("name", EXPERIMENTS_SHOWN)
def test_the_shares_of_all_samples_add_up_to_the_gradient(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glassgrad.equations.LARGEST_SHARES", 10_000)
    experiment = EXPERIMENTS_SHOWN[name]
    step = step_of(experiment)
    n = len(step.moment.inputs)
    means = [equation for equation in step.equations if equation.section == "gradient" and equation.samples]
    assert len(means) == step.of.network.count
    for equation in means:
        shares = equation.samples
        assert sum(share.count for share in shares) == n
        total = sum(share.value * share.count for share in shares) / n
        extra = 0.0
        if experiment.regulariser and equation.name.startswith("dW"):
            extra = 2 * 0.02 * float(step.evaluated.values[equation.name[1:]])
        room = 1e-12 * (1 + max(abs(share.value) for share in shares))
        assert abs(total + extra - equation.value) <= room
        assert [abs(share.value) for share in shares] == sorted((abs(s.value) for s in shares), reverse=True)
        for share in shares:
            place = list(step.moment.places).index(share.sample)
            assert tuple(step.moment.inputs[place]) == share.inputs
            assert step.moment.truth[place] == share.truth


def test_the_largest_shares_are_shown() -> None:
    equation = step_of(shipped("add").change(steps=3)).equation("dB2_1")
    assert len(equation.samples) == 5
    assert all(share.count >= 1 for share in equation.samples)


@pytest.mark.parametrize("name", EXPERIMENTS_SHOWN)
def test_the_whole_chain_of_a_weight_is_its_gradient(name: str) -> None:
    step = step_of(EXPERIMENTS_SHOWN[name])
    backward = {q.name for q in step.evaluated.quantities if q.section == "backward"}
    for parameter, array, _ in step.of.network.parameters():
        if array.startswith("W"):
            whole = chain_of(step, parameter)
            assert whole.name == gradient_name(parameter)
            assert not set(whole.reads) & backward
            value = evaluate(parse(whole.symbolic, whole.reads), step.evaluated.values)
            assert float(value) == pytest.approx(whole.value, rel=1e-9, abs=1e-12)


def test_the_chain_reads_as_the_books_have_it() -> None:
    step = step_of(shipped("add").change(steps=1), 1)
    assert chain_of(step, "W1_4_x1").symbolic == "mean(2*(z2 - t)*W2_1_a1_4*[z1_4 > 0]*x1)"
    assert chain_of(step, "W2_1_a1_4").symbolic == "mean(2*(z2 - t)*a1_4)"


# A second reference: central differences of the loss.


def loss_at(experiment: Experiment, moment: Moment, parameters: dict[str, Any]) -> float:
    from dataclasses import replace

    evaluated = Step(experiment, replace(moment, parameters=parameters)).evaluated
    return float(evaluated.values["L"])


@pytest.mark.parametrize(
    "experiment",
    [
        shipped("add"), shipped("add-linear"), shipped("knob-fixed"), shipped("add-through-reward"),
        shipped("both").change(samples=50), MIXED, MIXED.change(regulariser="l1", activation="tanh", dropout=0.0),
        shipped("add").change(policy="pathwise", reward="square", objective="reward", samples=20),
        shipped("add").change(activation="param p = 0.3; p*tanh(z) + z", samples=20),
    ],
    ids=lambda e: f"{e.name} {e.objective} {e.activation}"[:30],
)  # fmt: skip
def test_gradients_agree_with_central_differences(experiment: Experiment) -> None:
    experiment = experiment.change(precision="double", steps=3)
    moment = train(experiment).moment(2)
    step = Step(experiment, moment)
    for name, array, place in step.of.network.parameters():
        losses = []
        for by in (1e-6, -1e-6):
            moved = {key: np.array(value, dtype=np.float64) for key, value in moment.parameters.items()}
            moved[array][place] += by
            losses.append(loss_at(experiment, moment, moved))
        slope = (losses[0] - losses[1]) / 2e-6
        shown = float(step.evaluated.values[gradient_name(name)])
        assert slope == pytest.approx(shown, rel=1e-5, abs=1e-5 * (1 + abs(losses[0]))), name


def test_what_is_stopped_has_no_derivative() -> None:
    """The knob's gradient is not the derivative of its loss: the reward is stopped."""
    step = step_of(shipped("knob").change(precision="double", steps=1), 1)
    value = step.evaluated.values
    o, reward = value["o"][0], value["reward"][0]
    assert step.equation("do").value == pytest.approx(-reward / o)
    assert step.equation("dz1").value == pytest.approx(-reward / o * o * (1 - o))


# The update.


def test_the_update_is_what_the_run_did() -> None:
    for experiment in (shipped("add").change(steps=5), MIXED, OWN):
        record: Record = train(experiment)
        step = Step(experiment, record.moment(2))
        updates = {e.name: e for e in step.equations if e.section == "update"}
        for name, array, place in step.of.network.parameters():
            new = updates[f"{name}_new"].value
            assert new == pytest.approx(float(record.parameters_at(3)[array][place]), rel=2e-6, abs=1e-7)


def test_where_a_run_diverges_there_is_no_update_to_show() -> None:
    experiment = shipped("add").change(objective="log(o - 5)", steps=3)
    step = Step(experiment, train(experiment).moment(1))
    assert not any(equation.section == "update" for equation in step.equations)
    assert {equation.section for equation in step.equations} == {"forward", "objective", "backward", "gradient"}


def test_settings_are_written_in_full() -> None:
    experiment = shipped("add").change(optimizer="adam(lr=0.000123456, beta2=0.99999)", steps=1)
    texts = {e.name: e.substituted for e in step_of(experiment, 1).equations}
    assert "(1 - 0.99999)" in texts["v_W1_1_x1_new"]
    assert "0.000123456*" in texts["W1_1_x1_new"]


# How numbers are written.


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"), (-0.0, "0"), (2.0, "2"), (0.30000001, "0.3"), (-1.23456, "-1.2346"), (1.23456e-7, "1.235e-07"),
        (123456.78912, "123456.7891"), (1.5e9, "1.5e+09"), (0.00099999, "0.001"), (math.inf, "inf"), (math.nan, "nan"),
    ],
)  # fmt: skip
def test_numbers_are_short(value: float, text: str) -> None:
    assert plain_number(value) == text


def test_a_mean_shows_its_first_three_terms_and_the_count() -> None:
    step = step_of(shipped("add").change(steps=1), 1)
    loss = step.equation("L")
    assert loss.substituted.count("+") == 3
    assert loss.substituted.endswith("+ …)/1000")
    first = step.evaluated.values["objective"][:3]
    assert loss.substituted == f"({' + '.join(plain_number(float(v)) for v in first)} + …)/1000"
    assert Step(step.experiment, step.moment).equation("L").value == pytest.approx(step.moment.loss, rel=1e-5)


def test_the_chosen_sample_is_the_one_shown() -> None:
    experiment = shipped("add").change(steps=1, samples=20)
    record = train(experiment)
    for sample in (0, 7, 19):
        step = Step(experiment, record.moment(1), sample)
        x1, x2 = record.inputs[sample]
        values = step.evaluated.values
        assert f"*{plain_number(x1)} + " in step.equation("z1_1").substituted
        assert step.equation("z2").value == values["z2"][sample]
        assert f"*{plain_number(x2)}" in step.equation("z1_1").substituted


def test_equations_come_in_the_order_of_computing() -> None:
    order = ["forward", "objective", "backward", "gradient", "update"]
    for experiment in EXPERIMENTS_SHOWN.values():
        equations: tuple[Equation, ...] = step_of(experiment).equations
        places = [order.index(equation.section) for equation in equations]
        assert places == sorted(places)
        assert len({equation.name for equation in equations}) == len(equations)
        assert len(quantities(experiment)) == sum(place < 4 for place in places)
        assert all(equation.latex and equation.symbolic for equation in equations)
