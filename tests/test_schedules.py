"""Schedules: each row is PyTorch's scheduler on a real optimizer, and a run with one is the plain script's."""

import operator
import re
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn, optim
from torch.optim import lr_scheduler

import glassgrad as gg
from glassgrad.check import check_results
from glassgrad.doors import from_keywords, read_toml
from glassgrad.engines.torch import train
from glassgrad.engines.torch.optimizer import TorchOptimizer
from glassgrad.equations import Step
from glassgrad.errors import ExperimentError, FormulaError
from glassgrad.experiment import Experiment
from glassgrad.exports import toml_text
from glassgrad.formula import Tree, evaluate, parse
from glassgrad.formula.evaluate import evaluate_torch
from glassgrad.locale import Language, set_language
from glassgrad.method import method
from glassgrad.runs import train_slowly
from glassgrad.tables.experiments import shipped
from glassgrad.tables.optimizers import OPTIMIZERS
from glassgrad.tables.schedules import SCHEDULES
from tied import Floats, plants

ADD = shipped("add").change(steps=30, samples=20)
Numbers = dict[str, float]
SCHEDULERS: dict[str, Callable[[optim.Optimizer, Numbers, int], lr_scheduler.LRScheduler]] = {
    "constant": lambda of, at, steps: lr_scheduler.ConstantLR(of, 1.0),
    "exponential": lambda of, at, steps: lr_scheduler.ExponentialLR(of, at["gamma"]),
    "cosine": lambda of, at, steps: lr_scheduler.CosineAnnealingLR(of, steps, at["to"]),
    "warmup": lambda of, at, steps: lr_scheduler.LinearLR(of, 1 / at["warmup"], total_iters=int(at["warmup"]) - 1),
    "warmup_cosine": lambda of, at, steps: lr_scheduler.SequentialLR(
        of, [SCHEDULERS["warmup"](of, at, steps), SCHEDULERS["cosine"](of, at, max(1, steps - int(at["warmup"])))],
        [int(at["warmup"])]),
}  # fmt: skip
"""What a script would write in a row's place."""


def rates(optimizer: optim.Optimizer, scheduler: lr_scheduler.LRScheduler, steps: int) -> list[float]:
    """The learning rates of a training's updates."""
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


def ours(tree: Tree, lr: float, numbers: Numbers, steps: int) -> Floats:
    given_ = {**numbers, "lr": lr, "step": np.arange(1.0, steps + 1), "steps": float(steps)}
    return np.broadcast_to(evaluate(tree, given_), (steps,))


def hold(name: str, tree: Tree, lr: float, numbers: Numbers, steps: int, of: str = "sgd") -> None:
    """Hold a schedule against PyTorch's.

    Raises:
        AssertionError: they differ; the message names the row.
    """
    row = OPTIMIZERS[of]
    assert row.torch is not None
    optimizer = operator.attrgetter(row.torch.path)(torch)([nn.Parameter(torch.zeros(1))], lr=lr)
    theirs = rates(optimizer, SCHEDULERS[name](optimizer, numbers, steps), steps)
    np.testing.assert_allclose(ours(tree, lr, numbers, steps), theirs, rtol=1e-12, atol=1e-12 * lr, err_msg=name)


@settings(deadline=None, max_examples=25)
@given(
    st.sampled_from(list(SCHEDULES)), st.floats(1e-6, 10), st.floats(0.5, 1.01), st.floats(0, 1), st.integers(2, 60),
    st.integers(1, 80), st.sampled_from(list(OPTIMIZERS)),
)  # fmt: skip
def test_a_row_is_pytorchs_scheduler(
    name: str, lr: float, gamma: float, to: float, warmup: int, steps: int, of: str
) -> None:
    numbers = {key: {"gamma": gamma, "to": to, "warmup": float(warmup)}[key] for key in SCHEDULES[name].numbers}
    hold(name, parse(SCHEDULES[name].formula), lr, numbers, steps, of)


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_small_error_in_a_row_is_seen_and_named(name: str) -> None:
    numbers = {key: {"gamma": 0.9, "to": 0.02, "warmup": 6.0}[key] for key in SCHEDULES[name].numbers}
    for wrong in plants(parse(SCHEDULES[name].formula), numbers):
        with pytest.raises(AssertionError, match=name):
            hold(name, wrong, 0.1, numbers, 20)


def test_the_ends() -> None:
    cosine, warmup = (parse(SCHEDULES[name].formula) for name in ("cosine", "warmup"))
    assert ours(cosine, 0.1, {"to": 0.0}, 4).tolist() == pytest.approx([0.1, 0.0853553, 0.05, 0.0146447], rel=1e-5)
    assert ours(warmup, 0.1, {"warmup": 4.0}, 6).tolist() == pytest.approx([0.025, 0.05, 0.075, 0.1, 0.1, 0.1])


# A run.


def plain(optimizer: str, schedule: str, experiment: Experiment) -> list[float]:
    """The losses of a plain script with PyTorch's own scheduler, in double precision."""
    of = method(experiment.change(optimizer=optimizer, schedule=schedule))
    assert of.optimizer.torch is not None
    torch.manual_seed(experiment.seed)
    net = nn.Sequential(nn.Linear(2, 5), nn.ReLU(), nn.Linear(5, 1)).double()
    x = torch.tensor(np.random.RandomState(experiment.seed).randint(0, 10, (experiment.samples, 2))).double()
    made = operator.attrgetter(of.optimizer.torch.path)(torch)
    trained = made(net.parameters(), **of.optimizer.torch.arguments(of.optimizer.numbers))
    scheduler = SCHEDULERS[of.schedule.row.name](trained, dict(of.schedule.numbers), experiment.steps)
    losses = []
    for _ in range(experiment.steps):
        loss = nn.functional.mse_loss(net(x), x.sum(1, keepdim=True))
        trained.zero_grad()
        loss.backward()
        trained.step()
        scheduler.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("schedule", ["exponential(gamma=0.9)", "cosine(to=0.003)", "warmup(7)", "warmup_cosine(7)"])
@pytest.mark.parametrize("optimizer", ["sgd(lr=0.002, weight_decay=0.1)", "adam(lr=0.1)", "adamw(lr=0.1)", "nesterov"])
def test_a_run_is_that_of_a_script_with_pytorchs_scheduler(optimizer: str, schedule: str) -> None:
    experiment = ADD.change(precision="double", optimizer=optimizer, schedule=schedule)
    with torch.random.fork_rng():
        wanted = plain(optimizer, schedule, experiment)
    assert train(experiment).loss.tolist() == pytest.approx(wanted, rel=1e-9)
    assert train(experiment.change(schedule="constant")).loss.tolist() != pytest.approx(wanted, rel=1e-3)


@pytest.mark.parametrize("optimizer", [*OPTIMIZERS, "w = w - lr*g", "lr = 0.02; w = w - lr*g"])
def test_without_a_schedule_every_bit_stays(optimizer: str) -> None:
    """`constant` and `lr` are no line at all; one that computes lr afresh gives the same bits."""
    usual = ADD.change(optimizer=optimizer)
    assert method(usual).rate is None
    assert method(usual).optimizer_program == method(usual.change(schedule="lr")).optimizer_program
    for schedule in ("constant", "lr", "lr*1"):
        assert train(usual.change(schedule=schedule)).loss.tolist() == train(usual).loss.tolist()


def test_torch_optim_runs_itself_where_lr_stays() -> None:
    made = TorchOptimizer([nn.Parameter(torch.zeros(1))], method(ADD))
    assert made.step == made.optimizer.step


@pytest.mark.parametrize(
    ("optimizer", "schedule", "lines"),
    [
        ("w = w - lr*g", "cosine", "w = w - 0.01*(1 + cos(pi*(step - 1)/steps))/2*g"),
        ("w = w - lr*g", "0.02/sqrt(step)", "w = w - 0.02/sqrt(step)*g"),
        ("lr = 0.02; w = w - lr*g", "exponential(0.9)", "w = w - 0.02*0.9**(step - 1)*g"),
        ("lr = 0.02; lr = lr/2; w = w - lr*g", "lr/step", "w = w - 0.01/step*g"),
        ("state m = 0; m = 0.9*m + g; w = w - lr*m", "warmup(9)",
         "state m = 0; m = 0.9*m + g; w = w - 0.01*min(1, step/9)*m"),
        ("lr = 0.02*(1 - step/steps); w = w - lr*g", "constant", "w = w - 0.02*(1 - step/30)*g"),
        ("state steps = 0; steps = steps + 1; w = w - lr/steps*g", "constant", "w = w - 0.01/step*g"),
        ("state steps = 0; steps = steps + 1; w = w - lr/steps*g", "exponential(0.9)",
         "w = w - 0.01*0.9**(step - 1)/step*g"),
    ],
)  # fmt: skip
def test_own_lines_take_a_schedule_and_may_have_their_own(optimizer: str, schedule: str, lines: str) -> None:
    experiment = ADD.change(precision="double", optimizer=optimizer, schedule=schedule)
    same = train(experiment.change(optimizer=lines, schedule="constant")).loss.tolist()
    assert train(experiment).loss.tolist() == pytest.approx(same, rel=1e-12)
    assert gg.watch(experiment, every=10).check.passed


def test_the_usual_lr_is_noted_only_where_the_schedule_reads_it() -> None:
    own = ADD.change(optimizer="w = w - lr*g")
    assert "0.01" in method(own.change(schedule="cosine")).notes[0].en
    assert method(own.change(schedule="0.1/step")).notes == ()


# Refused, in one line.


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("optimizer", ["w = w - 0.1*g", "w - 0.1*g", "lr = 0.1; w = w - 0.1*g", "k = 2; w = w - k*g"])
def test_an_optimizer_without_lr_is_refused_with_the_fix(optimizer: str, lang: Language) -> None:
    set_language(lang)
    try:
        with pytest.raises(ExperimentError, match=re.escape("w = w - lr*g")) as caught:
            method(ADD.change(optimizer=optimizer, schedule="cosine"))
        assert "\n" not in str(caught.value)
        assert "'cosine'" in str(caught.value) or "“cosine”" in str(caught.value)
    finally:
        set_language("en")
    method(ADD.change(optimizer=optimizer))


@pytest.mark.parametrize(
    ("schedule", "says"),
    [
        ("cosin", "did you mean cosine"), ("none", "constant"), ("warm-up", "did you mean warmup"), ("lr*g", "'g'"),
        ("lr*mean(step)", "mean"), ("cosine(from=1)", "from"), ("warmup(1)", "from 2 to"), ("exponential(-1)", "gamma"),
        ("lr = lr = 1", "schedule: "), ("lr; step", "schedule: "), ("lr/", "schedule: "), ("", "schedule: "),
        ("state s = 0; lr*s", "schedule: "), ("lr if step < 5 else 0", "where"),
    ],
)  # fmt: skip
def test_what_is_no_schedule_is_refused(schedule: str, says: str) -> None:
    with pytest.raises((ExperimentError, FormulaError)) as caught:
        method(ADD.change(schedule=schedule))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_schedule_that_is_not_finite_ends_the_run_with_its_cause() -> None:
    assert train(ADD.change(schedule="lr*log(2 - step)")).status == "diverged at step 2: log(0) in lr"


# Seen.


def test_the_equations_show_and_link_it() -> None:
    run = gg.watch("add", schedule="cosine(to=0.01)", steps=40, every=10, samples=20)
    equations = {equation.name: equation for equation in run.step(11).equations}
    rate = equations["lr_new"]
    assert rate.symbolic == "to + (lr - to)*(1 + cos(pi*(step - 1)/steps))/2"
    assert rate.substituted == "0.01 + (0.1 - 0.01)*(1 + cos(pi*(11 - 1)/40))/2"
    assert rate.value == pytest.approx(0.01 + 0.09 * (1 + np.cos(np.pi / 4)) / 2)
    assert (rate.section, rate.level, rate.family) == ("update", "step", "lr_new")
    assert rate.reads == ("to", "lr", "step", "steps")
    assert rate.latex.startswith(r"\mathrm{lr}^{\prime} = ")
    updates = [equation for name, equation in equations.items() if re.fullmatch(r"[Wb]\d_.*_new", name)]
    assert len(updates) == 21
    assert all("lr_new" in equation.reads and "lr" not in equation.reads for equation in updates)


def test_text_and_json_say_it() -> None:
    run = gg.watch("add", schedule="exponential(gamma=0.9)", steps=3, samples=20)
    assert "schedule:     lr = lr*0.9**(step - 1)" in run.to_text()
    assert "optimizer:    adam(lr=0.1, beta1=0.9, beta2=0.999, eps=1e-08)\n" in run.to_text()
    assert "  lr_new = lr*gamma**(step - 1) = 0.1*0.9**(1 - 1) = 0.1\n" in run.to_text()
    found = run.to_json()
    assert found["experiment"]["schedule"] == "exponential(gamma=0.9)"
    assert found["experiment"]["schedule_formula"] == "lr*gamma**(step - 1)"
    assert found["experiment"]["optimizer_lines"][0] == "lr = lr*gamma**(step - 1)"
    assert found["experiment"]["numbers"]["gamma"] == 0.9
    shown = next(one for one in found["steps"][0]["equations"] if one["name"] == "lr_new")
    assert (shown["checked"], shown["value"], shown["difference"]) == (True, 0.1, 0.0)
    entry = next(entry for entry in found["legend"] if entry["symbol"] == "lr")
    assert entry["pytorch"] == "optimizer.param_groups[0]['lr']"
    assert "schedule:" not in gg.watch("add", steps=1, samples=20).to_text()


def test_a_comparison_over_schedules_names_them() -> None:
    found = gg.compare("knob", vary=["schedule=constant,warmup_cosine(warmup=9, to=0)"], runs=2, train=train_slowly)
    assert found.labels == ("constant", "warmup_cosine(warmup=9, to=0)")
    assert found.contenders[1].command(1) == "glassgrad watch knob --schedule 'warmup_cosine(warmup=9, to=0)' --seed 1"


@pytest.mark.parametrize("schedule", [*map(str, SCHEDULES.values()), "lr/sqrt(step)", "lr = lr*0.5"])
def test_what_is_written_out_is_read_back(schedule: str) -> None:
    experiment = from_keywords("add", schedule=schedule)
    assert read_toml(toml_text(experiment)) == experiment
    assert method(read_toml(toml_text(experiment))) == method(experiment)


# The check.


@pytest.mark.parametrize("precision", ["single", "double"])
def test_a_run_that_sets_another_lr_than_it_shows_is_caught(monkeypatch: pytest.MonkeyPatch, precision: str) -> None:
    monkeypatch.setattr("glassgrad.engines.torch.optimizer.evaluate_torch", lambda *a: 1.0005 * evaluate_torch(*a))
    experiment = ADD.change(schedule="cosine", precision=precision, steps=3)
    assert not check_results(experiment, steps_of(experiment)).passed


def steps_of(experiment: Experiment) -> Iterator[Step]:
    record = train(experiment)
    return (Step(experiment, record.moment(step)) for step in range(1, record.steps + 1))


@pytest.mark.parametrize("schedule", ["cosine", "warmup_cosine(to=0.001)", "exponential(0.99)", "warmup"])
def test_the_check_holds_to_the_last_step_of_a_long_run(schedule: str) -> None:
    """Where the cosine ends, 1 + cos(…) has lost nearly all of its digits."""
    experiment = shipped("add-linear").change(precision="double", samples=5, steps=2000, schedule=schedule)
    record = train(experiment)
    result = check_results(
        experiment, [Step(experiment, record.moment(step)) for step in (1, 1000, *range(1990, 2001))]
    )
    assert result.passed, result.worst
    assert result.unchecked == ()
