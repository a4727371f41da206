"""Groups of answers to one question, and several passes over the same data: plain scripts say what both engines do."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from glassgrad import compare
from glassgrad.check import Check, check_results, check_step
from glassgrad.draws import normals
from glassgrad.engines.compiled import train_many, train_one
from glassgrad.engines.compiled.plan import plan
from glassgrad.engines.torch import train
from glassgrad.equations import Step
from glassgrad.errors import ExperimentError, FormulaError
from glassgrad.experiment import Experiment
from glassgrad.exports import export
from glassgrad.formula import evaluate, parse, read_lines
from glassgrad.formula.adjoint import adjoints
from glassgrad.formula.backends import NumPy, Torch
from glassgrad.formula.lines import run_lines
from glassgrad.method import method
from glassgrad.record import Record
from glassgrad.report.watch_text import watch_text
from glassgrad.runs import train_slowly
from glassgrad.watched import watch

LEAVE_ONE_OUT = "-stop(reward - group_others(reward))*logp"
OWN_SAMPLE = "-stop(reward - group_mean(reward))*logp"
GRPO = "-stop((reward - group_mean(reward))/(group_std(reward) + 1e-4))*logp"
CLIPPED = (
    "ratio = exp(logp - old(logp)); adv = reward - group_mean(reward); "
    "objective = -min(ratio*stop(adv), max(min(ratio, 1 + 0.2), 1 - 0.2)*stop(adv))"
)
REWARDED = Experiment(
    "rewarded", network=(2, 6, 1), policy="gaussian", reward="distance", optimizer="adam(lr=0.02)", fresh=True,
    samples=40, steps=20, group=8, objective=GRPO, precision="double",
)  # fmt: skip


# --- the functions of the language


def test_a_group_reads_the_answers_side_by_side() -> None:
    r = np.array([1.0, 3.0, 5.0, 10.0, 20.0, 60.0])
    found = {name: evaluate(parse(f"group_{name}(r)"), {"r": r}, NumPy(3)) for name in ("mean", "std", "others")}
    np.testing.assert_allclose(found["mean"], [3, 3, 3, 30, 30, 30])
    np.testing.assert_allclose(found["std"], np.repeat([2, np.sqrt(700)], 3))
    np.testing.assert_allclose(found["others"], [4, 3, 2, 40, 35, 15])


def test_without_chance_all_answers_to_a_question_are_the_same() -> None:
    """So one answer alone is its group's mean, and nothing scatters."""
    o = np.array([1.0, 3.0])
    for name, expected in (("mean", o), ("others", o), ("std", 0 * o)):
        np.testing.assert_array_equal(evaluate(parse(f"group_{name}(o)"), {"o": o}), expected)
        value = getattr(Torch(torch.float64), f"group_{name}")(torch.tensor(o))
        np.testing.assert_array_equal(value.numpy(), expected)


@pytest.mark.parametrize(
    "objective",
    [
        "group_mean(o*t)*o", "o**2*group_std(o + t)", "group_others(exp(o))*o", "mean(o)*group_mean(o)*group_others(o)",
        "b = group_std(o*t); c = group_mean(b*o); (o - c)**2/(1 + b)", "max(o, group_mean(o))**3",
        "where(o > group_mean(o), o*t, group_others(t))*o", "s = mean(o); group_mean(o*s)*o",
    ],
)  # fmt: skip
def test_derivatives_of_groups_are_slopes(objective: str) -> None:
    """Through the chain rule's lines: against finite differences, and against autograd on PyTorch."""
    given: dict[str, Any] = {"o": "sample", "t": "sample"}
    program = read_lines(objective, given, "objective")
    back = adjoints(program.lines, "objective", {"o": "sample"})
    stream, backend = np.random.RandomState(3), NumPy(3)
    o, t = stream.standard_normal(9), stream.standard_normal(9)

    def loss(o: Any) -> Any:
        known = run_lines(program.lines, {"o": o, "t": t}, lambda tree, at: evaluate(tree, at, backend))
        return np.mean(np.asarray(known["objective"]))

    every = run_lines((*program.lines, *back), {"o": o, "t": t}, lambda tree, at: evaluate(tree, at, backend))
    slope = np.asarray(every["do"]) / 9
    step = 1e-6 * np.eye(9)
    np.testing.assert_allclose(slope, [(loss(o + e) - loss(o - e)) / 2e-6 for e in step], rtol=1e-6, atol=1e-8)
    from glassgrad.formula.evaluate import evaluate_torch

    leaf = torch.tensor(o[:, None], requires_grad=True)
    values: dict[str, object] = {"o": leaf, "t": torch.tensor(t[:, None])}
    known = run_lines(program.lines, values, lambda tree, at: evaluate_torch(tree, at, torch.float64, 3))
    known["objective"].mean().backward()  # type: ignore[attr-defined]
    assert leaf.grad is not None
    np.testing.assert_allclose(slope, leaf.grad.numpy()[:, 0], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"group": 1}, ("group_mean(…)", "group=8")),
        ({"group": 3}, ("multiple of 3", "samples = 39")),
        ({"group": 7, "samples": 3}, ("samples = 7",)),
        ({"group": 0}, ("group must be from 1",)),
        ({"passes": 0}, ("passes must be from 1",)),
        ({"batch": 8, "fresh": False}, ("group = 8", "batch")),
        ({"batch": 8, "fresh": False, "group": 1, "passes": 2}, ("passes = 2", "batch")),
        ({"passes": 2, "dropout": 0.1}, ("dropout", "2 passes")),
        ({"data": "some.csv", "fresh": False}, ("file", "group = 1")),
        ({"optimizer": "w = w - group_std(g)"}, ("group_std(…)", "group=8", "std(…)")),
        ({"activation": "group_mean(z)"}, ("activation", "group_mean(…)")),
        ({"objective": "group_mean(3)"}, ("group_mean(…)", "differs between samples")),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused_in_words(settings: dict[str, Any], words: tuple[str, ...]) -> None:
    with pytest.raises((ExperimentError, FormulaError)) as caught:
        method(REWARDED.change(**settings))
    assert all(word in str(caught.value) for word in words), str(caught.value)


# --- the torch engine, held against plain scripts

Objective = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Of rewards, log-probabilities and those at the collecting step, each (questions, answers)."""


def leave_one_out(reward: Tensor, logp: Tensor, _: Tensor) -> Tensor:
    others = torch.stack([(reward.sum(1) - reward[:, k]) / (reward.shape[1] - 1) for k in range(reward.shape[1])], 1)
    return -(reward - others) * logp


def grpo(reward: Tensor, logp: Tensor, _: Tensor) -> Tensor:
    return -(reward - reward.mean(1, keepdim=True)) / (reward.std(1, keepdim=True) + 1e-4) * logp


def clipped(reward: Tensor, logp: Tensor, before: Tensor) -> Tensor:
    ratio, advantage = (logp - before).exp(), reward - reward.mean(1, keepdim=True)
    return -torch.min(ratio * advantage, ratio.clamp(0.8, 1.2) * advantage)


def script(experiment: Experiment, objective: Objective) -> list[np.ndarray[Any, Any]]:
    """A training as one would write it in PyTorch; the learned numbers with which it ends."""
    dtype = torch.float64 if experiment.precision == "double" else torch.float32
    inputs, units, _ = experiment.network
    torch.manual_seed(experiment.seed)
    net = nn.Sequential(nn.Linear(inputs, units), nn.ReLU(), nn.Linear(units, 1)).to(dtype)
    sgd = experiment.optimizer.startswith("sgd")
    optimizer = torch.optim.SGD(net.parameters(), 0.001) if sgd else torch.optim.Adam(net.parameters(), 0.02)
    stream, n = np.random.RandomState(experiment.seed), experiment.samples
    for step in range(1, experiment.steps + 1):
        if (step - 1) % experiment.passes == 0:
            if experiment.fresh or step == 1:
                questions = stream.randint(0, 10, (n // experiment.group, 2)).repeat(experiment.group, axis=0)
            x, t = (torch.tensor(part, dtype=dtype) for part in (questions, questions.sum(1)[:, None]))
            noise = torch.tensor(normals(experiment.seed, "noise", np.array([step]), n)[0], dtype=dtype)
            with torch.no_grad():
                a = net(x) + 0.5 * noise
                before = torch.distributions.Normal(net(x), 0.5).log_prob(a)
        logp, reward = torch.distributions.Normal(net(x), 0.5).log_prob(a), -(a - t).abs()
        loss = objective(*(part.reshape(-1, experiment.group) for part in (reward, logp, before))).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return [p.detach().numpy() for p in net.parameters()]


def gap(experiment: Experiment, objective: Objective) -> float:
    """The largest difference of any learned number at the end."""
    ours, theirs = train(experiment).final, script(experiment, objective)
    return max(float(np.abs(a - b).max()) for a, b in zip(ours.values(), theirs, strict=True))


SCRIPTS: dict[str, tuple[str, Objective]] = {
    "leave-one-out": (LEAVE_ONE_OUT, leave_one_out), "grpo": (GRPO, grpo), "clipped": (CLIPPED, clipped),
}  # fmt: skip


@pytest.mark.parametrize("fresh", [True, False])
@pytest.mark.parametrize("passes", [1, 4])
@pytest.mark.parametrize("name", SCRIPTS)
def test_training_is_that_of_a_plain_script(name: str, passes: int, fresh: bool) -> None:
    objective, theirs = SCRIPTS[name]
    experiment = REWARDED.change(objective=objective, passes=passes, fresh=fresh, seed=5)
    assert gap(experiment, theirs) < 1e-12
    assert gap(experiment.change(precision="single", group=10), theirs) < 2e-5


def test_an_own_sample_in_the_baseline_is_seen() -> None:
    """It scales the gradient by 7/8, which Adam hides: with SGD it shows."""
    plain = REWARDED.change(objective=LEAVE_ONE_OUT, optimizer="sgd(lr=0.001)")
    assert gap(plain, leave_one_out) < 1e-12
    assert gap(plain.change(objective=OWN_SAMPLE), leave_one_out) > 1e-4


def test_a_ratio_of_stop_is_seen_with_several_passes_and_only_there() -> None:
    """Where each step collects its own answers the ratio is 1: the slip shows on the second pass."""
    slip = REWARDED.change(objective=CLIPPED.replace("old(logp)", "stop(logp)"))
    assert gap(slip, clipped) < 1e-12
    assert gap(slip.change(passes=4), clipped) > 1e-4


# --- what a pass keeps


def test_an_answer_is_tried_once_and_shown_so() -> None:
    for policy, line in (
        ("gaussian", "a = old(o + sigma*noise)"),
        ("a = stop(o + 2*noise); logp = -(a - o)**2/8", "a = old(o + 2*noise)"),
        ("pathwise", "a = o + sigma*noise"),
    ):
        of = method(REWARDED.change(policy=policy, objective="-reward", passes=3))
        assert str(of.program.lines[0]) == line
    assert not method(REWARDED).olds
    choice = REWARDED.change(policy="bernoulli", output_activation="sigmoid", passes=3, objective="reinforce")
    assert str(method(choice).program.lines[0]) == "a = old([uniform < o])"


def test_an_answer_that_nothing_keeps_is_noted() -> None:
    choice = REWARDED.change(output_activation="sigmoid", passes=3, objective="-stop(reward)*logp")
    for answer, noted in (("[uniform < o]", True), ("stop([uniform < o])", False), ("o + noise", False)):
        of = method(choice.change(policy=f"a = {answer}; logp = where(a == 1, log(o), log(1 - o))"))
        assert any("a = stop(…)" in note.en for note in of.notes) == noted
    assert not any("a = stop(…)" in note.en for note in method(choice.change(policy="output", objective="mse")).notes)


@pytest.mark.parametrize("to", ["toml", "json", "latex", "csv", "svg"])
def test_it_can_be_exported(to: str) -> None:
    text = export(REWARDED.change(objective=CLIPPED, passes=4, steps=5), to=to)
    assert "old" in text or to == "csv"


def test_settings_can_be_varied() -> None:
    found = compare(REWARDED, vary=["group=2,8", "passes=1,4"], runs=2, steps=6)
    assert [(one.experiment.group, one.experiment.passes) for one in found.contenders] == [
        (2, 1),
        (2, 4),
        (8, 1),
        (8, 4),
    ]


def test_old_values_have_names_that_are_free() -> None:
    objective = "logp_old = old(logp); u = old(logp)*0.5 + old(2*logp) + logp_old; -stop(reward)*logp + 0*u"
    of = method(REWARDED.change(passes=2, objective=objective, group=1))
    assert list(of.olds.values()) == ["a_old", "logp_then", "old_1"]


@pytest.mark.parametrize("fresh", [True, False])
def test_data_is_that_of_the_step_that_collected_it(fresh: bool) -> None:
    record = train(REWARDED.change(passes=4, steps=10, fresh=fresh))
    assert record.noise is not None
    for step in range(1, 11):
        moment, collects = record.moment(step), 1 + 4 * ((step - 1) // 4)
        wanted = normals(0, "noise", np.array([collects]), 40)[0, :, 0]
        assert np.array_equal(record.noise[step - 1], wanted)
        assert np.array_equal(moment.inputs, record.batch(collects)[0])
        assert np.array_equal(moment.inputs, np.repeat(moment.inputs[::8], 8, axis=0))
        assert (moment.collected is None) == (step == collects)
        assert moment.collected is None or moment.collected.step == collects
    assert np.array_equal(record.batch(1)[0], record.batch(5)[0]) != fresh


def test_the_old_value_of_a_later_pass_is_the_value_of_the_first() -> None:
    """At any step of the record, in any order, from either engine."""
    experiment = REWARDED.change(objective=CLIPPED, passes=4, steps=9)
    for record in (train(experiment), train_one(experiment)):
        for step in (8, 3, 9):
            first = Step(experiment, record.moment(experiment.collects(step))).evaluated.values
            now = Step(experiment, record.moment(step)).evaluated.values
            np.testing.assert_array_equal(now["logp_old"], first["logp"])
            np.testing.assert_array_equal(now["a"], first["a"])
            assert np.all((now["ratio"] == 1) == (step == 9))


def test_an_old_number_of_the_step_and_an_old_state() -> None:
    lines = "state n = 1; objective = -stop(reward - old(mean(reward)) - old(n))*logp; n = 0.5*n + mean(reward)"
    experiment = REWARDED.change(objective=lines, passes=3, steps=7, group=1)
    record, fast = train(experiment), train_one(experiment)
    for name, values in record.parameters.items():
        np.testing.assert_allclose(fast.parameters[name], values, rtol=1e-10, atol=1e-12)
    now = Step(experiment, record.moment(6)).evaluated.values
    first = Step(experiment, record.moment(4)).evaluated.values
    assert now["mean_reward_old"] == first["mean_reward"]
    assert now["n_old"] == first["n"] != now["n"]
    assert check_results(experiment, [Step(experiment, record.moment(step)) for step in range(1, 8)]).passed


def test_a_run_that_diverges_on_a_later_pass_says_where() -> None:
    objective = "-exp(1e7*abs(logp - old(logp)))*stop(reward)*logp"
    record = train(REWARDED.change(objective=objective, passes=4, group=1))
    assert record.status.startswith("diverged at step 2: exp(")


# --- what is shown, and the check


@pytest.mark.parametrize("precision", ["single", "double"])
@pytest.mark.parametrize(("objective", "passes"), [(LEAVE_ONE_OUT, 4), (GRPO, 1), (CLIPPED, 4)])
def test_the_check_passes_and_leaves_nothing_unchecked(objective: str, passes: int, precision: str) -> None:
    run = watch(REWARDED.change(objective=objective, passes=passes, precision=precision), every=3)
    assert run.check.passed, run.check.worst
    assert run.check.unchecked == ()


def test_a_line_that_is_constant_at_a_step_has_its_derivative_there() -> None:
    """Where every ratio is cut off, the cut is a number; what arrives there is autograd's all the same."""
    lines = "ratio = exp(logp - old(logp)); cut = max(min(ratio, 0.5), 0.4); -min(ratio, cut)*stop(reward)"
    run = watch(REWARDED.change(objective=lines, passes=4), every=3)
    assert run.check.passed
    assert "dcut" not in run.check.unchecked


@pytest.mark.parametrize("family", ["group_mean_reward", "ratio", "dratio", "dlogp", "dz2", "dW1"])
def test_a_planted_error_is_found(family: str) -> None:
    run = watch(REWARDED.change(objective=CLIPPED, passes=4, precision="single"), every=3, plant=family)
    assert not run.check.passed


def test_an_old_value_that_is_another_steps_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = REWARDED.change(objective=CLIPPED, passes=4)
    moment = train(experiment).moment(4)
    step = Step(experiment, moment)
    step.evaluated.values["logp_old"] = step.evaluated.values["logp"]
    found = Check("double")
    check_step(found, step.evaluated)
    assert not found.passed


def test_json_and_text_say_where_an_old_value_is_from() -> None:
    run = watch(REWARDED.change(objective=CLIPPED, passes=4, steps=8), every=3)
    found = run.to_json()
    sample = found["steps"][6]["sample"]
    assert sample["collected"] == 5
    assert sample["logp_old"] == run.step(5).evaluated.values["logp"][0]
    read = {name for equation in found["steps"][6]["equations"] for name in equation["reads"]}
    assert {"logp_old", "a_old"} <= read
    assert {entry["symbol"] for entry in found["legend"]} >= {"logp_old", "a_old"}
    assert (found["experiment"]["group"], found["experiment"]["passes"]) == (8, 4)
    text = watch_text(run, full=True)
    assert "from step 5, when this data was collected: a_old = " in text
    assert "8 answers to each question, 40 answers a step" in text
    assert "5 new question(s) every 4 steps" in text


def test_a_group_is_shown_with_the_numbers_of_its_members() -> None:
    experiment = REWARDED.change(objective=LEAVE_ONE_OUT, group=4, steps=1)
    step = Step(experiment, train(experiment).moment(1), sample=5)
    reward = step.evaluated.values["reward"]
    equation = step.equation("group_others_reward")
    shown = " + ".join(f"{number:.4f}".rstrip("0") for number in (reward[4], reward[6], reward[7]))
    assert equation.substituted == f"({shown})/3"
    assert equation.value == pytest.approx((reward[4] + reward[6] + reward[7]) / 3)


# --- the compiled engine


def steps_are_right(experiment: Experiment, steps: range) -> Record:
    """Each step of a compiled run follows from where it starts, to 1e-12 or 1e-5."""
    record, found = train_one(experiment), Check(experiment.precision)
    assert record.steps == experiment.steps
    for step in steps:
        check_step(found, Step(experiment, record.moment(step)).evaluated)
    assert found.largest_difference < {"single": 1e-5, "double": 1e-12}[experiment.precision], found.worst
    return record


def check_compiled(experiment: Experiment, steps: range = range(1, 41, 3)) -> None:
    """Steps, each by itself (3 and 4 passes have no divisor: so each pass), and, while nothing has grown, all of it."""
    ours, theirs = steps_are_right(experiment.change(steps=40), steps), train(experiment.change(steps=40))
    room = 1e-9 if experiment.precision == "double" else 1e-3
    for name, values in theirs.parameters.items():
        np.testing.assert_allclose(ours.parameters[name], values, rtol=room, atol=room)


@pytest.mark.parametrize("passes", [1, 4])
@pytest.mark.parametrize("group", [2, 8, 10])
def test_compiled_steps_are_those_of_torch(group: int, passes: int) -> None:
    check_compiled(REWARDED.change(objective=CLIPPED, group=group, passes=passes))


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["single", "double"])
@pytest.mark.parametrize("network", [(2, 6, 1), (2, 5, 4, 1), (2, 30, 1), (2, 9, 8, 1)])
@pytest.mark.parametrize("name", SCRIPTS)
def test_every_network_and_precision_agrees(name: str, network: tuple[int, ...], precision: str) -> None:
    """Half of the sizes of groups with single precision, the others with double, and the other way round for grpo."""
    sizes = ((2, 4), (8, 1)), ((10, 4), (8, 4))
    for group, passes in sizes[(precision == "double") ^ (name == "grpo")]:
        changed = {"network": network, "precision": precision, "group": group, "passes": passes}
        experiment = REWARDED.change(objective=SCRIPTS[name][0], fresh=group != 8, **changed)
        check_compiled(experiment, range(1, 41, 3 if network[1] < 7 else 9))


@pytest.mark.parametrize(
    "settings",
    [
        {"objective": "-(reward - group_others(reward))**2*group_std(o*reward) - 0.1*group_mean(logp)", "group": 5},
        {"policy": "bernoulli", "output_activation": "sigmoid", "truth": "[x1 > x2]", "reward": "right"},
        {"policy": "pathwise", "objective": "-reward + old(o)*o - group_mean(o*old(a))", "passes": 3},
        {"policy": "output", "reward": None, "objective": "(o - t)**2 + 0.1*(o - old(o))**2", "group": 1, "passes": 3},
        {"task": "knob", "network": (1, 3, 1), "objective": LEAVE_ONE_OUT},
        {"network": (2, 30, 1), "policy": "output", "objective": "(o - t)**2 + 0.1*(o - old(o))**2", "passes": 3,
         "reward": None, "output_activation": "softplus", "fresh": False, "group": 1},
    ],
    ids=str,
)  # fmt: skip
def test_other_formulas_agree(settings: dict[str, Any]) -> None:
    check_compiled(REWARDED.change(**settings))


def test_a_run_is_the_same_alone_and_in_company() -> None:
    experiment = REWARDED.change(objective=CLIPPED, passes=4, precision="single")
    company = train_many(experiment, range(40), threads=1)
    for seeds in ([7], [31, 2]):
        alone = train_many(experiment, seeds, threads=1)
        assert np.array_equal(alone.mean_error, company.mean_error[seeds])
    slowly = train_slowly(experiment, range(3))
    np.testing.assert_allclose(company.mean_error[:3], slowly.mean_error, rtol=1e-4)


def test_questions_are_counted_only_where_each_has_one_answer() -> None:
    plain = Experiment("plain", steps=5)
    assert plan(plain).moments
    for settings in ({"group": 2}, {"passes": 2, "objective": "(o - t)**2 + (o - old(o))**2"}):
        assert not plan(plain.change(**settings)).moments
    with pytest.raises(ExperimentError, match="distinct"):
        plan(plain.change(group=2), distinct=True)
    check_compiled(plain.change(group=8, samples=80, precision="double", network=(2, 3, 1), optimizer="adam(lr=0.01)"))
