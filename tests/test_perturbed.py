"""Policies that perturb the weights (evolution strategies): a plain script, closed forms, both engines, refusals."""

from typing import Any

import numpy as np
import pytest
import torch

from glassgrad.check import Check, check_step
from glassgrad.draws import philox_key, weight_noise
from glassgrad.engines.compiled import train_many
from glassgrad.engines.torch import train
from glassgrad.equations import Evaluated
from glassgrad.errors import ExperimentError, FormulaError, GlassgradError
from glassgrad.experiment import Experiment
from glassgrad.formula.evaluate import evaluate
from glassgrad.graph import graph
from glassgrad.graph.meaning import meaning
from glassgrad.method import method
from glassgrad.runs import train_slowly
from glassgrad.steps import quantities
from test_compiled import check_equal

EVOLUTION: dict[str, Any] = {
    "policy": "evolution(sigma=0.1)", "reward": "distance", "objective": "reinforce_leave_one_out", "fresh": True,
    "samples": 40, "steps": 20, "optimizer": "adam(lr=0.02)", "precision": "double",
}  # fmt: skip
LINEAR = Experiment("linear", network=(2, 1), **EVOLUTION)


def test_the_lines_are_written_out_for_each_weight() -> None:
    lines = {quantity.name: str(quantity.line) for quantity in quantities(LINEAR)}
    assert lines["tried_b1_1"] == "tried_b1_1 = stop(b1_1 + sigma*noise_b1_1)"
    assert lines["z1"] == "z1 = tried_W1_1_x1*x1 + tried_W1_1_x2*x2 + tried_b1_1"
    assert lines["dW1_1_x2"] == "dW1_1_x2 = mean(dlogp_w_W1_1_x2*(tried_W1_1_x2 - W1_1_x2)/sigma**2)"
    assert not {"dz1", "dW1_1_x1_new"} & set(lines), "nothing comes back through the network"


def test_a_network_is_trained_as_by_a_plain_script() -> None:
    """Salimans et al. 2017, line by line: the gradient is the mean of advantage*noise/sigma."""
    experiment = Experiment("net", network=(2, 3, 1), **EVOLUTION).change(optimizer="sgd(lr=0.001)")
    record = train(experiment)
    first = record.parameters_at(1)
    w = np.concatenate([first["W1"].ravel(), first["b1"], first["W2"].ravel(), first["b2"]])
    order = [*(3 * unit + k for unit in range(3) for k in range(2)), 2, 5, 8, 9, 10, 11, 12]  # ours: unit by unit
    for step in range(1, 21):
        noise = weight_noise(0, step, 40, 13)[:, order]
        tried = w + 0.1 * noise
        x, t = record.inputs[step - 1], record.truth[step - 1]
        hidden = np.maximum(np.einsum("nij,nj->ni", tried[:, :6].reshape(-1, 3, 2), x) + tried[:, 6:9], 0)
        reward = -np.abs((tried[:, 9:12] * hidden).sum(1) + tried[:, 12] - t)
        advantage = reward - (reward.sum() - reward) / 39
        w = w + 0.001 * (advantage[:, None] * noise).mean(0) / 0.1
    last = record.final
    np.testing.assert_allclose(
        w, np.concatenate([last["W1"].ravel(), last["b1"], last["W2"].ravel(), last["b2"]]), rtol=1e-10
    )


def test_the_mean_update_is_the_gradient_of_the_expected_reward() -> None:
    """For -(a - t)**2 and a linear network that is the gradient of -(o - t)**2: the noise adds a constant.

    Six means of 200,000 samples, each within 4.9 standard errors: false alarms once in 150,000 times.
    """
    n = 200_000
    experiment = LINEAR.change(samples=n, steps=1, reward="-(a - t)**2", seed=3)
    moment = train(experiment).moment(1)
    assert moment.weight_noise is not None
    x = np.column_stack([moment.inputs, np.ones(n)])
    w = np.array([*moment.parameters["W1"][0], moment.parameters["b1"][0]])
    exact = (2 * (x @ w - moment.truth)[:, None] * x).mean(0)
    reward = -((((w + 0.1 * moment.weight_noise) * x).sum(1) - moment.truth) ** 2)
    each = -(reward - reward.mean())[:, None] * moment.weight_noise / 0.1
    error = each.std(0, ddof=1) / np.sqrt(n)
    found = np.array([*moment.gradients["W1"][0], moment.gradients["b1"][0]])
    assert np.all(np.abs(found - exact) < 4.9 * error)
    assert not np.all(np.abs(found * 1.3 - exact) < 4.9 * error), "a gradient three tenths too large would be seen"
    reward_seen = np.asarray(Evaluated(experiment, moment).values["reward"])
    np.testing.assert_allclose(reward_seen, reward, rtol=1e-9, atol=1e-9)


def test_the_noise_of_a_weight_is_its_own() -> None:
    """Philox's words for (step, sample, 0, weight // 4), and nothing that another purpose draws."""
    found = weight_noise(5, 2, 400, 25)
    assert abs(found.mean()) < 5 / np.sqrt(10_000)
    assert abs(found.std() - 1) < 5 / np.sqrt(20_000)
    np.testing.assert_array_equal(found[:30, :7], weight_noise(5, 2, 30, 7))
    keys = {philox_key(5, purpose) for purpose in ("noise", "uniform", "dropout", "minibatch", "weights")}
    assert len(keys) == 5


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"network": (2, 4, 1), "clip": 0.5, "regulariser": "l2(0.01)"},
        {"network": (2, 3, 2, 1), "activation": "tanh", "dropout": 0.2},
        {"network": (2, 4, 1), "fresh": False, "batch": 7, "output_activation": "softplus"},
        {"group": 8, "objective": "reinforce_group"},
        {"samples": 1, "objective": "reinforce_baseline"},
        {"samples": 50, "network": (2, 4, 1), "precision": "single", "steps": 5},
        {"policy": "s = 0.1 + 0.5/step; tried = stop(w + s*noise_w); a = o + 0.3*noise; "
                   "logp = sum(-(tried - w)**2/(2*s**2))"},
        {"objective": "-stop(reward)*logp + 0.01*sum(w**2)*mean(o)**2"},
    ],
)  # fmt: skip
def test_both_engines_agree(settings: dict[str, Any]) -> None:
    check_equal(LINEAR.change(**settings))


@pytest.mark.parametrize("name", ["tried", "logp", "dlogp", "dW1", "dB2", "z1", "objective", "w_new"])
def test_a_planted_error_is_caught(name: str) -> None:
    experiment = Experiment("net", network=(2, 3, 1), **EVOLUTION)
    moment = train(experiment).moment(4)
    fine, wrong = Check("double"), Check("double")
    check_step(fine, Evaluated(experiment, moment))
    check_step(wrong, Evaluated(experiment, moment, name))
    assert fine.passed
    assert not wrong.passed
    assert wrong.families[name].largest > wrong.tolerance


def test_runs_are_the_same_alone_and_in_company() -> None:
    experiment = Experiment("net", network=(2, 3, 1), **EVOLUTION)
    together, alone = train_many(experiment, range(6)), train_slowly(experiment, range(6))
    np.testing.assert_allclose(together.mean_error, alone.mean_error, rtol=1e-9)
    np.testing.assert_array_equal(train_many(experiment, [4]).mean_error, together.mean_error[4:5])


def test_large_networks_are_refused_by_the_compiled_engine() -> None:
    with pytest.raises(ExperimentError, match="perturbed weights with at most 200 learned numbers"):
        train_many(Experiment("wide", network=(2, 60, 1), **EVOLUTION), [0])


def test_what_is_drawn_of_it_says_how_it_learns() -> None:
    found = graph(LINEAR)
    assert [(edge.source, edge.why) for edge in found.into("tried")] == [
        ("noise_w", "stop"), ("W1", "stop"), ("b1", "stop"),
    ]  # fmt: skip
    assert {edge.source for edge in found.into("logp_w") if edge.travels} == {"W1", "b1"}
    assert found.node("W1").derivative == "mean(dlogp_w*(tried - w)/sigma**2)"
    assert "likelier" in meaning(found).en


def test_an_objective_that_does_not_reach_the_weights_is_said_to_teach_nothing() -> None:
    found = method(LINEAR.change(objective="(o - t)**2", reward=None))
    assert [note.en for note in found.notes if "nothing will be learned" in note.en]
    assert not method(LINEAR).notes


STOPPED = "tried = stop(w + 0.1*noise_w)"
LOGP = "logp = -sum((tried - w)**2)"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"policy": f"a = o + noise_w; {LOGP}"}, ("what is tried",)),
        ({"policy": f"{STOPPED}; a = o + noise_w; {LOGP}"}, ("a is a single number",)),
        ({"policy": "a = o; logp = -sum(w**2)"}, ("what is tried",)),
        ({"policy": f"tried = sum(noise_w); a = o; {LOGP}"}, ("what is tried",)),
        ({"policy": f"tried = w + 0.1*noise_w; a = o; {LOGP}"}, ("stop(w + sigma*noise_w)",)),
        ({"policy": f"tried = stop(2*w + noise_w); a = o; {LOGP}"}, ("noise_w = 0", "the weight itself")),
        ({"policy": f"tried = stop(abs(w) + noise_w); a = o; {LOGP}"}, ("noise_w = 0", "the weight itself")),
        ({"policy": f"tried = stop(w*step + noise_w); a = o; {LOGP}"}, ("noise_w = 0", "the weight itself")),
        ({"policy": f"tried = stop(0.3 + noise_w + 0*w); a = o; {LOGP}"}, ("noise_w = 0", "the weight itself")),
        ({"policy": f"tried = stop(w); a = o; {LOGP}"}, ("without chance", "stop(w + sigma*noise_w)")),
        ({"policy": f"{STOPPED}; a = o + sum((tried - w)**2); {LOGP}"}, ("through the output", "a = o")),
        ({"policy": f"{STOPPED}; a = o + 0.01*sum(w); {LOGP}"}, ("through the output", "a = o")),
        ({"policy": f"{STOPPED}; a = o; logp = group_mean(tried)", "group": 8}, ("over weights",)),
        ({"policy": f"tried = stop(w + o*noise_w); a = o; {LOGP}"}, ("cannot read o",)),
        ({"policy": f"tried = stop(w + x1*noise_w); a = o; {LOGP}"}, ("cannot read x1",)),
        ({"passes": 4}, ("passes = 4",)),
        ({"network": (2, 3, 2)}, ("one output", "2-5-1")),
        ({"network": (2, 3, 1), "activation": "param p = 0.25; where(z > 0, z, p*z)"}, ("'p'",)),
        ({"policy": f"m = w; {STOPPED}; a = o; {LOGP}"}, ("'m'",)),
        ({"policy": f"{STOPPED}; a = w; {LOGP}"}, ("a is a single number",)),
        ({"policy": f"{STOPPED}; a = o; b = below(w); {LOGP}"}, ("below",)),
        ({"policy": "output", "objective": "(o - t)**2 + sum(w**2)"}, ("'w'",)),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_one_line(settings: dict[str, Any], words: tuple[str, ...]) -> None:
    with pytest.raises((ExperimentError, FormulaError)) as caught:
        method(LINEAR.change(**settings))
    said = str(caught.value)
    assert "\n" not in said
    assert all(word in said for word in words), said
    assert isinstance(caught.value, GlassgradError)


def test_w_may_be_a_name_of_the_policys_own() -> None:
    own = LINEAR.change(policy="w = 2; a = stop(o + 0.5*w*noise); logp = -(a - o)**2")
    assert not method(own).tried
    check_equal(own)


def test_what_is_tried_may_be_written_in_two_lines() -> None:
    experiment = LINEAR.change(policy=f"tried = w; tried = stop(tried + 0.1*noise_w); a = o; {LOGP}")
    check_equal(experiment)
    assert {edge.source for edge in graph(experiment).into("z1")} == {"x", "tried_new"}


def test_what_is_tried_is_drawn_although_only_the_answer_knows_it() -> None:
    found = graph(LINEAR.change(policy=f"{STOPPED}; a = o", objective="(o - t)**2", reward=None))
    assert {edge.source for edge in found.into("z1")} == {"x", "tried"}


def test_a_line_for_each_weight_has_its_value() -> None:
    """sum, mean and max over the weights, by hand."""
    experiment = LINEAR.change(policy=f"{STOPPED}; far = abs(tried - w); a = o; logp = -mean(far)*max(far)")
    moment = train(experiment).moment(1)
    assert moment.weight_noise is not None
    far = np.abs(0.1 * moment.weight_noise)
    values = Evaluated(experiment, moment).values
    np.testing.assert_allclose(values["logp"], -far.mean(1) * far.max(1), rtol=1e-12)
    tree = next(quantity.line.tree for quantity in quantities(experiment) if quantity.name == "tried_b1_1")
    assert evaluate(tree, {"b1_1": 2.0, "noise_b1_1": 1.0}) == pytest.approx(2.1)


def test_autograd_of_the_surrogate_is_the_gradient() -> None:
    """The same with PyTorch's Normal in place of our lines."""
    experiment = Experiment("net", network=(2, 3, 1), **EVOLUTION)
    moment = train(experiment).moment(2)
    values = Evaluated(experiment, moment).values
    of = method(experiment)
    tried = torch.tensor(np.stack([values[name] for name in of.tried.values()], axis=1))
    w = torch.tensor(np.array([values[name] for name in of.tried]), requires_grad=True)
    reward = torch.tensor(np.asarray(values["reward"]))
    advantage = reward - (reward.sum() - reward) / (len(reward) - 1)
    (-advantage * torch.distributions.Normal(w, 0.1).log_prob(tried).sum(1)).mean().backward()
    assert w.grad is not None
    names = ["dB" + name[1:] if name.startswith("b") else f"d{name}" for name in of.tried]
    np.testing.assert_allclose([values[name] for name in names], w.grad.numpy(), rtol=1e-10)
