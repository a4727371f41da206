"""Experiments and methods: what is out of range or does not fit is refused or noted, in words that teach."""

import dataclasses
import inspect
import re
from typing import Any

import numpy as np
import pytest

from glassgrad.errors import ExperimentError, FormulaError, GlassgradError
from glassgrad.experiment import FIELDS, MAX_LAYERS, MAX_UNITS, Experiment, unknown_setting
from glassgrad.locale import catalogue
from glassgrad.method import Method, method
from glassgrad.tables.experiments import EXPERIMENTS, shipped

MINE = Experiment("mine")


# The frozen value.


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("steps", 0), ("steps", 1_000_001), ("steps", -5), ("steps", True), ("steps", float("nan")),
        ("samples", 0), ("samples", 1_000_001), ("seed", -1), ("seed", 2**32), ("batch", 0),
        ("batch", 1001),
        ("dropout", -0.1), ("dropout", 1.0), ("dropout", float("nan")),
        ("held_out", -0.1), ("held_out", 0.95), ("clip", 0.0), ("clip", -1.0), ("clip", float("inf")),
    ],
)  # fmt: skip
def test_a_number_out_of_range_is_refused(setting: str, value: float) -> None:
    with pytest.raises(ExperimentError) as caught:
        Experiment("mine", **{setting: value})  # type: ignore[arg-type]
    assert caught.value.key == "experiment.range"
    assert caught.value.values["setting"] == setting
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("steps", 1), ("steps", 1_000_000), ("samples", 1), ("seed", 0), ("seed", 2**32 - 1), ("batch", 1),
        ("batch", 1000), ("dropout", 0.99), ("held_out", 0.9), ("clip", 1e-12),
        ("precision", "double"), ("network", (2, 1)),
    ],
)  # fmt: skip
def test_the_ends_of_a_range_are_taken(setting: str, value: object) -> None:
    assert getattr(MINE.change(**{setting: value}), setting) == value


@pytest.mark.parametrize(
    ("network", "setting"),
    [((2,), "layers"), ((), "layers"), ((2,) * (MAX_LAYERS + 1), "layers"),
     ((2, 0, 1), "units"), ((2, -1, 1), "units"), ((2, MAX_UNITS + 1, 1), "units")],
)  # fmt: skip
def test_a_network_too_small_or_too_large_is_refused(network: tuple[int, ...], setting: str) -> None:
    with pytest.raises(ExperimentError) as caught:
        Experiment("mine", network=network)
    assert (caught.value.key, caught.value.values["setting"]) == ("experiment.range", setting)


def test_a_precision_is_single_or_double() -> None:
    with pytest.raises(ExperimentError) as caught:
        Experiment("mine", precision="half")  # type: ignore[arg-type]
    assert caught.value.key == "experiment.choice"


def test_fresh_questions_have_no_minibatches() -> None:
    with pytest.raises(ExperimentError) as caught:
        Experiment("mine", fresh=True, batch=10)
    assert caught.value.key == "experiment.fresh_batch"


def test_an_experiment_is_a_frozen_value() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        MINE.steps = 5  # type: ignore[misc]
    assert Experiment("mine") == MINE
    assert hash(MINE) == hash(Experiment("mine"))


def test_change_leaves_the_old_one_as_it_was() -> None:
    changed = MINE.change(seed=7, optimizer="sgd")
    assert (changed.seed, changed.optimizer, changed.name) == (7, "sgd", "mine")
    assert MINE.seed == 0
    assert MINE.change() == MINE


def test_a_change_is_checked() -> None:
    with pytest.raises(ExperimentError):
        MINE.change(steps=0)


@pytest.mark.parametrize(
    ("name", "nearest"), [("step", "steps"), ("optimiser", "optimizer"), ("activaton", "activation")]
)
def test_an_unknown_setting_is_refused_with_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(ExperimentError) as caught:
        MINE.change(**{name: 1})
    assert caught.value.key == "experiment.setting"
    assert (caught.value.values["name"], caught.value.values["nearest"]) == (name, nearest)


def test_there_is_always_a_nearest_setting() -> None:
    assert unknown_setting("???").values["nearest"] in FIELDS


def test_every_setting_is_explained() -> None:
    text = inspect.getdoc(Experiment)
    assert text
    assert [name for name in FIELDS if name not in text] == []


def test_an_unknown_experiment_is_refused_with_the_nearest() -> None:
    with pytest.raises(ExperimentError) as caught:
        shipped("add-lineer")
    assert (caught.value.key, caught.value.values["nearest"]) == ("experiment.unknown", "add-linear")


# What ships.

REINFORCE = ["dlogp = -stop(reward - baseline)", "do = dlogp*(a - o)/sigma**2"]
THROUGH = ["dreward = -1", "da = -dreward*sign(a - t)", "do = da"]
BACKWARD: dict[str, list[str]] = {
    "add": ["do = 2*(o - t)"],
    "sub": ["do = 2*(o - t)"],
    "add-linear": ["do = 2*(o - t)"],
    "both": ["do = 2*(o - t)"],
    "add-through-reward": THROUGH,
    "sub-through-reward": THROUGH,
    "add-reinforce": REINFORCE,
    "sub-reinforce": REINFORCE,
    "both-through-reward": THROUGH,
    "both-reinforce": REINFORCE,
    "knob": ["do = -stop(reward)/o"],
    "knob-fixed": ["dreward = -1", "da = -5*dreward*sign(a - t)", "do = da"],
    "choose": ["dlogp = -stop(reward - baseline)", "do = dlogp*where(a == 1, 1/o, -1/(1 - o))"],
}


def backward(of: Method) -> list[str]:
    """The chain rule's lines, but for the derivative of an answer that leads nowhere."""
    lines = [str(line) for line in of.backward]
    return lines if "do = da" in lines else [line for line in lines if not line.startswith("da = ")]


def test_what_ships_is_listed_here() -> None:
    assert set(BACKWARD) == set(EXPERIMENTS)
    assert all(name == each.experiment.name for name, each in EXPERIMENTS.items())


@pytest.mark.parametrize("name", BACKWARD)
def test_the_chain_rule_of_what_ships(name: str) -> None:
    found = method(shipped(name))
    assert backward(found) == BACKWARD[name]
    assert found.notes == ()


def test_only_a_path_through_the_reward_is_no_observed_reward() -> None:
    through = {name for name in EXPERIMENTS if not method(shipped(name)).observed}
    assert through == {"add-through-reward", "sub-through-reward", "both-through-reward", "knob-fixed"}


@pytest.mark.parametrize("name", BACKWARD)
def test_the_network_of_what_ships_fits_its_task(name: str) -> None:
    found = method(shipped(name))
    assert found.network.sizes[0] == len(found.task.names)
    assert found.output_name == ("o" if name in ("knob", "knob-fixed", "choose") else f"z{found.network.last}")


def test_the_settings_of_the_pieces_are_the_methods_numbers() -> None:
    assert method(shipped("add-reinforce")).numbers == {"sigma": 0.5, "decay": 0.9}
    assert method(shipped("add")).optimizer.numbers["lr"] == 0.1


# What fits together, and what does not.


def refused(key: str, **settings: Any) -> GlassgradError:
    base = settings.pop("base", "add")
    with pytest.raises(GlassgradError) as caught:
        method(shipped(base).change(**settings))
    assert caught.value.key == key
    assert "\n" not in str(caught.value)
    return caught.value


def noted(**settings: Any) -> set[str]:
    """The keys of the notes on a method."""
    base = settings.pop("base", "add")
    own = {key: pair.en for key, pair in catalogue().items() if key.startswith("experiment.")}
    patterns = {key: re.sub(r"\\\{.*?\\\}", ".*", re.escape(text)) for key, text in own.items()}
    notes = method(shipped(base).change(**settings)).notes
    return {key for key, pattern in patterns.items() for note in notes if re.fullmatch(pattern, note.en)}


def test_a_network_has_as_many_inputs_as_a_question() -> None:
    error = refused("experiment.inputs", network=(3, 5, 1))
    assert (error.values["came"], error.values["expected"], error.values["fix"]) == (3, 2, "2-5-1")
    assert refused("experiment.inputs", task="both").values["fix"] == "3-5-1"


def test_several_outputs_are_no_answer_by_themselves() -> None:
    assert "write o1, o2, … for one output" in str(refused("formula.for_each_of_outputs", network=(2, 5, 2)))
    for objective in ("(o - t)**2", "state s = 0; s = s + o; o1"):
        refused("formula.for_each_of_outputs", network=(2, 5, 2), policy="a = o1", objective=objective)


def test_what_only_several_outputs_have_is_explained() -> None:
    assert refused("experiment.one_output", policy="categorical").values["name"] == "below"
    assert refused("experiment.one_output", policy="a = o1 + o2").values["name"] == "o1"
    assert refused("experiment.one_output", objective="sum(below(o))").values["name"] == "below"


def test_what_is_apart_has_something_to_be_apart() -> None:
    for network in ((2, 5, 1), (2, 3)):
        with pytest.raises(ExperimentError, match="apart gives each output hidden layers of its own"):
            Experiment("mine", network=network, apart=True)
    learned = {"activation": "param p = 0.25; where(z > 0, z, p*z)", "policy": "a = o1", "objective": "sum(o)"}
    assert refused("experiment.apart_learned", network=(2, 5, 2), apart=True, **learned).values["name"] == "p"


@pytest.mark.parametrize("activation", ["linear", "tanh", "leaky_relu", "z**3"])
def test_the_log_of_an_output_that_can_be_negative_is_refused(activation: str) -> None:
    refused("experiment.log_negative", base="knob", output_activation=activation)


@pytest.mark.parametrize("activation", ["sigmoid", "softplus", "relu", "exp(z)"])
def test_the_log_of_an_output_above_0_is_taken(activation: str) -> None:
    method(shipped("knob").change(output_activation=activation))


def test_a_log_of_something_else_is_no_log_of_the_output() -> None:
    method(shipped("add").change(objective="log(1 + (o - t)**2)"))


@pytest.mark.parametrize("objective", ["reinforce", "reinforce_baseline", "-stop(reward)*logp"])
@pytest.mark.parametrize("policy", ["output", "pathwise", "a = o + noise"])
def test_logp_without_a_sampled_answer_is_refused(policy: str, objective: str) -> None:
    refused("experiment.no_logp", base="add-reinforce", policy=policy, objective=objective)


@pytest.mark.parametrize("objective", ["reward", "log_output", "-reward", "(reward - 1)**2"])
def test_an_objective_without_its_reward_is_refused(objective: str) -> None:
    refused("experiment.no_reward", objective=objective)


@pytest.mark.parametrize("activation", ["linear", "relu", "tanh", "2*sigmoid(z)"])
def test_a_choice_needs_a_probability(activation: str) -> None:
    refused("experiment.bernoulli_range", base="choose", output_activation=activation)


@pytest.mark.parametrize(
    ("settings", "first", "last"),
    [
        ({"output_activation": "sigmoid"}, "0", "18"),
        ({"output_activation": "tanh"}, "0", "18"),
        ({"base": "sub", "output_activation": "relu"}, "-9", "9"),
        ({"truth": "x1 + 50", "output_activation": "10*sigmoid(z)"}, "50", "59"),
    ],
)
def test_labels_that_an_output_cannot_reach_are_noted(settings: dict[str, Any], first: str, last: str) -> None:
    base = settings.get("base", "add")
    (note,) = method(shipped(base).change(**{key: settings[key] for key in settings if key != "base"})).notes
    assert noted(**settings) == {"experiment.range_warning"}
    for text in note:
        assert first in text
        assert last in text


def test_labels_that_an_output_can_reach_are_not_noted() -> None:
    assert noted(output_activation="relu") == set()
    assert noted(output_activation="20*sigmoid(z)") == set()
    assert noted(truth="1000*x1 - 5000*x2") == set()  # a linear output goes as far as it has to
    assert noted(truth="exp(2*x1)", output_activation="exp(z)") == set()
    assert noted(truth="-1000*x1", output_activation="leaky_relu") == set()
    assert noted(truth="1000*x1", output_activation="10*sin(z)") == {"experiment.range_warning"}


@pytest.mark.parametrize(
    "settings",
    [
        {"policy": "gaussian", "objective": "reward", "reward": "distance"},
        {"policy": "a = stop(o)", "objective": "-reward", "reward": "distance"},
        {"objective": "reward", "reward": "right"},
        {"objective": "reward", "reward": "-stop(abs(a - t))"},
        {"objective": "stop((o - t)**2)"},
        {"objective": "t**2"},
    ],
)
def test_a_method_without_a_path_to_the_output_is_noted(settings: dict[str, str]) -> None:
    assert "experiment.no_path" in noted(**settings)
    assert method(shipped("add").change(**settings)).backward == ()


def test_a_reward_that_nothing_reads_is_noted() -> None:
    assert noted(reward="distance") == {"experiment.reward_unused"}


def test_an_own_piece_gets_usual_numbers_and_a_note() -> None:
    assert noted(optimizer="w = w - lr*g") == {"experiment.default_number"}
    assert noted(optimizer="lr = 0.1; w = w - lr*g") == set()
    own = {"base": "add-reinforce", "objective": "reinforce"}
    assert noted(policy="a = stop(o + sigma*noise); logp = -(a - o)**2/(2*sigma**2)", **own) == {
        "experiment.default_number"
    }
    assert method(shipped("add").change(optimizer="w = w - lr*g")).optimizer.numbers == {"lr": 0.01}


@pytest.mark.parametrize(
    ("setting", "value", "piece"),
    [
        ("activation", "relu(y)", "activation"),
        ("output_activation", "z +", "output activation"),
        ("policy", "a = o + nosie", "policy"),
        ("reward", "-abs(a - t", "reward"),
        ("objective", "(o - truth)**2", "objective"),
        ("regulariser", "w**2 + z", "regulariser"),
        ("optimizer", "w = w - 0.1*grad", "optimizer"),
        ("schedule", "lr*g", "schedule"),
        ("truth", "x1 + x3", "truth"),
        ("truth", "__import__('os')", "truth"),
    ],
)
def test_a_formula_that_cannot_be_read_names_its_piece(setting: str, value: str, piece: str) -> None:
    with pytest.raises(FormulaError) as caught:
        method(shipped("add").change(**{setting: value}))
    assert str(caught.value).startswith(f"{piece}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("activation", "rellu"), ("policy", "gausian"), ("reward", "distanse"), ("objective", "msse"),
     ("regulariser", "l3_penalty"), ("optimizer", "adamm"), ("schedule", "cosin"), ("task", "ad")],
)  # fmt: skip
def test_a_name_that_is_in_no_table_is_refused_with_the_nearest(setting: str, value: str) -> None:
    error = refused("table.unknown", **{setting: value})
    assert error.values["name"] == value


def test_own_formulas_work_like_those_that_ship() -> None:
    own = method(
        shipped("add-reinforce").change(
            activation="z*sigmoid(z)",
            schedule="constant",
            policy="a = stop(o + 0.5*noise); logp = -(a - o)**2/(2*0.5**2)",
            reward="-abs(a - t)",
            objective="-stop(reward)*logp",
            regulariser="0.001*w**2",
            optimizer="w = w - 0.01*g",
            truth="x1*x2",
        )
    )
    assert own.notes == ()
    assert backward(own)[0] == "dlogp = -stop(reward)"
    np.testing.assert_array_equal(own.task.true(np.array([[3.0, 4.0]])), [12.0])


def test_an_own_truth_keeps_the_tasks_questions() -> None:
    found = method(shipped("add").change(truth="x1*x2"))
    assert found.task.question((3, 4)) == "3, 4"
    assert found.task.parse_question("3, 4") == (3, 4)
    assert found.task.domain().shape == (100, 2)
