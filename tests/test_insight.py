"""What a network has become, held against PyTorch: answers, local slopes, dead and saturated units, solved."""

from typing import Any

import numpy as np
import pytest
import torch

from glassgrad.engines.torch import DTYPES, Net, train
from glassgrad.experiment import Experiment
from glassgrad.insight import answers, errors, forward, slopes, solved, squares, units
from glassgrad.method import method
from glassgrad.tables.activations import ACTIVATIONS
from glassgrad.tables.experiments import EXPERIMENTS, shipped

Array = np.ndarray[Any, Any]


def net_of(experiment: Experiment, parameters: dict[str, Array]) -> Net:
    """The same network as a module of PyTorch, in double precision."""
    tensors = {name: torch.tensor(np.asarray(value, np.float64)) for name, value in parameters.items()}
    return Net(method(experiment), tensors, DTYPES["double"])


NETWORKS = {
    **{name: shipped(name).change(steps=20) for name in EXPERIMENTS},
    "deep": shipped("add").change(network=(2, 6, 5, 4, 1), activation="tanh", steps=20),
    "dropout": shipped("add").change(dropout=0.5, steps=20),
    "learned": shipped("add").change(activation="param p = 0.3; p*tanh(z) + z", steps=20),
    "output": shipped("add").change(output_activation="softplus", activation="gelu", steps=20),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_output_and_its_slopes_are_autograds(name: str) -> None:
    experiment = NETWORKS[name]
    parameters = train(experiment).final
    inputs = method(experiment).task.domain()[::3]
    x = torch.tensor(inputs, requires_grad=True)
    o = net_of(experiment, parameters)(x, {})
    (gradient,) = torch.autograd.grad(o.sum(), x)
    assert forward(experiment, parameters, inputs)["o"] == pytest.approx(o.detach().numpy()[:, 0], rel=1e-12)
    for i, slope in enumerate(slopes(experiment, parameters, inputs)):
        assert slope.inputs == tuple(inputs[i])
        assert slope.slopes == pytest.approx(gradient[i].numpy(), rel=1e-9, abs=1e-12)
        there = slope.intercept + float(np.dot(slope.slopes, inputs[i]))
        assert there == pytest.approx(o[i].item(), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_runs_as_torchs(activation: str) -> None:
    experiment = shipped("add").change(activation=activation, output_activation=activation, steps=1)
    parameters, inputs = train(experiment).final, method(experiment).task.domain()
    found = forward(experiment, parameters, inputs)
    seen: dict[str, torch.Tensor] = {}
    o = net_of(experiment, parameters)(torch.tensor(inputs), {}, seen)
    for i in range(5):
        assert found[f"z1_{i + 1}"] == pytest.approx(seen["z1"][:, i].detach().numpy(), rel=1e-12, abs=1e-12)
        assert found[f"a1_{i + 1}"] == pytest.approx(seen["a1"][:, i].detach().numpy(), rel=1e-12, abs=1e-12)
    assert found["o"] == pytest.approx(o.detach().numpy()[:, 0], rel=1e-12, abs=1e-12)


def test_answers_are_the_policy_without_chance() -> None:
    inputs = np.array([[5.0, 3.0], [9.0, 9.0]])
    for name in ("add", "add-through-reward", "add-reinforce"):
        parameters = train(shipped(name).change(steps=3)).final
        assert np.array_equal(
            answers(shipped(name), parameters, inputs), forward(shipped(name), parameters, inputs)["o"]
        )
    choose = shipped("choose")
    parameters, domain = train(choose.change(steps=3)).final, method(choose).task.domain()
    o = forward(choose, parameters, domain)["o"]
    assert np.array_equal(answers(choose, parameters, domain), (o > 0.5) * 1.0)


def hand(w1: Any, b1: Any, w2: Any, b2: Any) -> dict[str, Array]:
    return {"W1": np.array(w1), "b1": np.array(b1), "W2": np.array(w2), "b2": np.array(b2)}


def test_solved_is_every_question_within_the_tolerance() -> None:
    linear = shipped("add-linear")
    domain = method(linear).task.domain()
    assert len(domain) == 100
    right = {"W1": np.array([[1.0, 1.0]]), "b1": np.array([0.0])}
    assert solved(linear, right)
    assert not errors(linear, right, domain).any()
    assert solved(linear, {**right, "b1": np.array([0.4999])})
    assert not solved(linear, {**right, "b1": np.array([0.5])})
    one_off = {"W1": np.array([[1.0, 1.0 + 0.51 / 9]]), "b1": np.array([0.0])}  # right but for x2 = 9
    assert not solved(linear, one_off)
    assert (errors(linear, one_off, domain) >= 0.5).sum() == 10
    knob = shipped("knob")
    for z, verdict in ((np.log(4), True), (np.log(4) + 0.5, False), (np.log(4) + 0.3, True), (np.log(4) - 0.3, False)):
        assert solved(knob, {"W1": np.array([[0.0]]), "b1": np.array([z])}) is verdict


def test_dead_is_zero_on_every_question_and_saturated_is_flat_on_every_question() -> None:
    relu = shipped("add").change(network=(2, 4, 1))
    seen = units(relu, hand([[-1, -1], [-1, -1], [1, 0], [0, 0]], [0, 0.5, -8.5, 0], [[1, 1, 1, 1]], [0]))
    assert seen.dead == ("a1_1", "a1_4")  # the second is 0.5 at 0 + 0, the third 0.5 at 9 + anything
    assert seen.saturated == ()
    tanh = relu.change(activation="tanh")
    seen = units(tanh, hand([[1, 0], [1, 0], [0, 0], [0, 0]], [20, 0, -9, 0], [[1, 1, 1, 1]], [0]))
    assert seen.saturated == ("a1_1", "a1_3")
    assert seen.dead == ("a1_4",)
    assert units(shipped("add-linear"), {"W1": np.zeros((1, 2)), "b1": np.zeros(1)}).dead == ()


def test_a_network_whose_units_are_all_dead_answers_one_number() -> None:
    experiment = shipped("add")
    net = hand([[-1.0, -1.0]] * 5, [-1.0] * 5, [[1.0] * 5], [9.0])
    assert len(units(experiment, net).dead) == 5
    inputs = method(experiment).task.domain()
    assert set(answers(experiment, net, inputs)) == {9.0}
    assert all(slope.slopes == (0.0, 0.0) and slope.intercept == 9.0 for slope in slopes(experiment, net, inputs))


def test_without_a_hidden_layer_the_slopes_are_the_weights() -> None:
    linear = shipped("add-linear")
    net = {"W1": np.array([[2.0, -3.0]]), "b1": np.array([0.5])}
    (slope,) = slopes(linear, net, np.array([[4.0, 1.0]]))
    assert (slope.slopes, slope.intercept) == ((2.0, -3.0), 0.5)


def test_squares_are_rows_of_x1_and_columns_of_x2() -> None:
    ((fixed, grid),) = squares(method(shipped("sub")))
    assert fixed == ""
    assert grid.shape == (10, 10, 2)
    assert grid[3, 7].tolist() == [3.0, 7.0]
    both = squares(method(shipped("both")))
    assert [fixed for fixed, _ in both] == ["x3 = 1", "x3 = -1"]
    assert both[1][1][2, 5].tolist() == [2.0, 5.0, -1.0]
    assert squares(method(shipped("knob"))) == []


def test_huge_and_undefined_numbers_are_no_error() -> None:
    experiment = shipped("add")
    for value in (1e200, np.inf, np.nan):
        net = hand([[value, value]] * 5, [0.0] * 5, [[value] * 5], [0.0])
        inputs = method(experiment).task.domain()
        assert not solved(experiment, net)
        assert len(slopes(experiment, net, inputs)) == 100
        units(experiment, net)
