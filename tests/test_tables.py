"""The tables: each formula is what its row says that it is in PyTorch; names with settings become rows."""

import ast
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import glassgrad.tables
from glassgrad.errors import ExperimentError
from glassgrad.formula import Number, derivative, evaluate, parse
from glassgrad.formula.adjoint import adjoints
from glassgrad.formula.backends import NumPy
from glassgrad.formula.lines import Level, read_lines, run_lines
from glassgrad.locale import Text
from glassgrad.tables.activations import ACTIVATIONS
from glassgrad.tables.experiments import EXPERIMENTS
from glassgrad.tables.initialisations import INITIALISATIONS
from glassgrad.tables.objectives import OBJECTIVES
from glassgrad.tables.optimizers import OPTIMIZERS
from glassgrad.tables.policies import POLICIES
from glassgrad.tables.regularisers import REGULARISERS
from glassgrad.tables.rewards import REWARDS
from glassgrad.tables.row import Row, Table, find, table, unknown
from glassgrad.tables.schedules import SCHEDULES
from glassgrad.tables.tasks import TASKS
from tied import Floats, Tied, check, plants, pytorch

ROWS: dict[str, Table] = {
    "activation": ACTIVATIONS, "policy": POLICIES, "reward": REWARDS, "objective": OBJECTIVES,
    "regulariser": REGULARISERS, "optimizer": OPTIMIZERS, "schedule": SCHEDULES,
}  # fmt: skip

# Kinks (0; 20, where softplus turns into the identity; 1, huber's delta), their neighbours, and far ends.
EDGES = [0, 1e-3, 0.5, 1, 1.001, 2, 19.5, 20, 20.5, 40, 88, 100]
GRID: Floats = np.unique(np.concatenate([np.linspace(-6, 6, 193), EDGES, np.negative(EDGES)]))


def tied_activation(row: Row) -> Tied:
    reference = pytorch(row)
    tree = parse(row.formula, ("z", *row.numbers))
    return Tied(f"activation {row}", tree, "z", {"z": GRID}, lambda at: reference(at["z"]), row.numbers)


def tied_objective(row: Row) -> Tied:
    """An objective with a loss of PyTorch, sample by sample."""
    reference = pytorch(row, reduction="none")
    o, t = (side.ravel() for side in np.meshgrid(np.linspace(-3, 3, 61), [0.0, 1.0, -2.5, 18.0]))
    tree = parse(row.formula, ("o", "t", *row.numbers))
    inputs = {"o": o, "t": t}
    return Tied(f"objective {row}", tree, "o", inputs, lambda at: reference(at["o"], at["t"]), row.numbers)


def tied_others() -> list[Tied]:
    """The rows that PyTorch has no class for, against the expressions that a script has in their place."""
    grid = np.linspace(-3, 3, 25)
    a, t = (side.ravel() for side in np.meshgrid(grid, [0.0, 1.0, 0.8]))
    reward = np.linspace(-2, 1, len(grid))
    logp, chance = -np.linspace(0.1, 4, len(grid)), np.linspace(0.01, 0.99, len(grid))
    scripts = (
        ("reward", REWARDS["distance"], "a", {"a": a, "t": t}, lambda at: -(at["a"] - at["t"]).abs()),
        ("reward", REWARDS["square"], "a", {"a": a, "t": t}, lambda at: -(at["a"] - at["t"]).square()),
        ("reward", REWARDS["closeness"], "a", {"a": a, "t": t}, lambda at: 1 - 5 * (at["a"] - at["t"]).abs()),
        ("reward", REWARDS["right"], "a", {"a": a, "t": t},
         lambda at: ((at["a"] - at["t"]).abs() < 0.5) + 0 * at["a"]),
        ("objective", OBJECTIVES["reward"], "reward", {"reward": reward}, lambda at: -at["reward"]),
        ("objective", OBJECTIVES["log_output"], "o", {"reward": reward, "o": chance},
         lambda at: -at["reward"].detach() * torch.log(at["o"])),
        ("objective", OBJECTIVES["reinforce"], "logp", {"reward": reward, "logp": logp},
         lambda at: -at["reward"].detach() * at["logp"]),
        ("objective", OBJECTIVES["reinforce_constant"], "logp", {"reward": reward, "logp": logp},
         lambda at: -(at["reward"] + 1).detach() * at["logp"]),
        ("regulariser", REGULARISERS["l1"], "w", {"w": grid}, lambda at: 0.001 * at["w"].abs()),
        ("regulariser", REGULARISERS["l2"], "w", {"w": grid}, lambda at: 0.001 * at["w"].square()),
    )  # fmt: skip
    return [
        Tied(f"{kind} {row.name}", parse(row.formula), by, inputs, script, row.numbers)
        for kind, row, by, inputs, script in scripts
    ]


def tied_rows() -> list[Tied]:
    """All rows with one formula, also with other settings than their own."""
    activations = [*ACTIVATIONS.values(), *(find("activation", ACTIVATIONS, asked) for asked in
                   ("leaky_relu(slope=0.2)", "leaky_relu(slope=-0.5)", "elu(alpha=2)"))]  # fmt: skip
    losses = [
        *(row for row in OBJECTIVES.values() if row.torch),
        find("objective", OBJECTIVES, "huber(delta=0.25)"),
    ]
    return [
        *(tied_activation(row) for row in activations if row),
        *(tied_objective(row) for row in losses if row),
        *tied_others(),
    ]


TIED = {tied.name: tied for tied in tied_rows()}


@pytest.mark.parametrize("name", TIED)
def test_a_row_is_what_it_is_in_pytorch(name: str) -> None:
    check(TIED[name])


@pytest.mark.parametrize("name", TIED)
def test_a_small_error_in_a_row_is_seen_and_named(name: str) -> None:
    tied = TIED[name]
    for wrong in plants(tied.tree, tied.numbers):
        with pytest.raises(AssertionError) as caught:
            check(dataclasses.replace(tied, tree=wrong))
        assert str(caught.value).startswith(f"{name}: ")


def test_every_row_is_tied() -> None:
    tied = {name.partition("(")[0] for name in TIED}
    rows = {f"{kind} {name}" for kind, rows in ROWS.items() for name in rows}
    elsewhere = {f"{kind} {name}" for kind in ("policy", "optimizer", "schedule") for name in ROWS[kind]}
    below = {"objective reinforce_baseline", "objective reinforce_leave_one_out"}  # they read more than one sample
    assert rows - tied - elsewhere == below | {f"objective {name}" for name in SCRIPTS}


def test_the_baseline_is_the_running_mean_of_the_rewards_before() -> None:
    row = OBJECTIVES["reinforce_baseline"]
    given: dict[str, Level] = {"reward": "sample", "logp": "sample", "decay": "step"}
    program = read_lines(row.formula, given, "objective")
    baseline = 0.0
    rewards, logps = np.random.default_rng(0).normal(size=(2, 5, 3))
    for reward, logp in zip(rewards, logps, strict=True):
        values: dict[str, object] = {"reward": reward, "logp": logp, "baseline": baseline, **row.numbers}
        known = run_lines(program.lines, values, evaluate)
        assert known["objective"] == pytest.approx(-(reward - baseline) * logp, rel=1e-14)
        baseline = 0.9 * baseline + 0.1 * float(reward.mean())
        assert known[program.latest["baseline"]] == pytest.approx(baseline, rel=1e-14)


def test_the_baseline_of_an_answer_is_the_mean_of_the_others() -> None:
    given: dict[str, Level] = {"reward": "sample", "logp": "sample"}
    program = read_lines(OBJECTIVES["reinforce_leave_one_out"].formula, given, "objective")
    reward, logp = np.random.default_rng(0).normal(size=(2, 5))
    known = run_lines(program.lines, {"reward": reward, "logp": logp}, evaluate)
    wanted = [-(reward[i] - np.delete(reward, i).mean()) * logp[i] for i in range(5)]
    assert known["objective"] == pytest.approx(wanted, rel=1e-14)


def others(reward: torch.Tensor, group: int) -> torch.Tensor:
    """The mean of the other rewards of a group."""
    of = reward.reshape(-1, group)
    return ((of.sum(1, keepdim=True) - of) / (group - 1)).reshape(-1)


def relative(reward: torch.Tensor, divided: bool) -> torch.Tensor:
    """How much better than the mean of its group of four."""
    of = reward.reshape(-1, 4)
    gap = of - of.mean(1, keepdim=True)
    return (gap / (of.std(1, keepdim=True) + 1e-4) if divided else gap).reshape(-1)


def cut_off(at: dict[str, torch.Tensor], advantage: torch.Tensor) -> torch.Tensor:
    """PPO's objective as its paper has it."""
    ratio = (at["logp"] - at["before"]).exp()
    return -torch.min(ratio * advantage, ratio.clamp(0.8, 1.2) * advantage)


def with_critic(at: dict[str, torch.Tensor], value: str) -> torch.Tensor:
    advantage = (at["reward"] - at[value]).detach()
    return -advantage * at["logp"] + 0.5 * (at[value] - at["reward"].detach()).square()


SCRIPTS: dict[str, Any] = {
    "reinforce_group": lambda at: -(at["reward"] - others(at["reward"], 4)).detach() * at["logp"],
    "reinforce_log": lambda at: (
        -(at["reward"] / at["logp"].exp().clamp(min=0.003)).detach() * at["logp"]
        - 0.6 * (1 - 90 / 9000) * at["entropy"]
    ),
    "actor_critic": lambda at: with_critic(at, "o2"),
    "a2c": lambda at: with_critic(at, "o3") - 0.01 * at["entropy"],
    "ppo": lambda at: (
        cut_off(at, (at["reward"] - at["o2"]).detach()) + 0.5 * (at["o2"] - at["reward"].detach()).square()
    ),
    "ppo_entropy": lambda at: (
        cut_off(at, (at["reward"] - at["o3"]).detach())
        + 0.5 * (at["o3"] - at["reward"].detach()).square()
        - 0.01 * at["entropy"]
    ),
    "grpo": lambda at: cut_off(at, relative(at["reward"], divided=True).detach()),
    "grpo_undivided": lambda at: cut_off(at, relative(at["reward"], divided=False).detach()),
}
"""Objectives of several lines as plain PyTorch; `before` is the log-probability when the data was collected."""


def objective_of(formula: str, numbers: Mapping[str, float], at: Mapping[str, torch.Tensor]) -> tuple[Any, Any]:
    """The lines' values, and what arrives at logp, o2, o3, entropy, with four answers to each question."""
    for old in ("logp", "reward - value"):
        formula = formula.replace(f"old({old})", "before" if old == "logp" else f"stop({old})")
    read = ("reward", "logp", "before", "entropy", "o2", "o3")
    given: dict[str, Level] = {**dict.fromkeys(read, "sample"), "step": "step"}
    program = read_lines(formula, {**given, **dict.fromkeys(numbers, "step")}, "objective")
    known: dict[str, object] = {**numbers, "step": 90.0, **{name: value.detach().numpy() for name, value in at.items()}}
    backend = NumPy(group=4)
    values = run_lines(program.lines, known, lambda tree, names: evaluate(tree, names, backend))
    back = adjoints(program.lines, "objective", dict.fromkeys(("logp", "o2", "o3", "entropy"), "sample"))
    return values["objective"], run_lines(back, values, lambda tree, names: evaluate(tree, names, backend))


@pytest.mark.parametrize("name", SCRIPTS)
def test_an_objective_of_several_lines_is_its_script(name: str) -> None:
    draw = torch.Generator().manual_seed(0)
    at = {
        key: torch.randn(40, generator=draw, dtype=torch.float64)
        for key in ("reward", "logp", "before", "entropy", "o2", "o3")
    }
    at["logp"] = (0.3 * at["logp"] - 2).requires_grad_()
    at["before"] = at["logp"].detach() + 0.2 * at["before"]
    for key in ("o2", "o3", "entropy"):
        at[key].requires_grad_()
    row = OBJECTIVES[name]
    theirs = SCRIPTS[name](at)
    theirs.sum().backward()
    ours, back = objective_of(row.formula, row.numbers, at)
    assert ours == pytest.approx(theirs.detach().numpy(), rel=1e-12)
    for key in ("logp", "o2", "o3", "entropy"):
        gradient = at[key].grad
        wanted = np.zeros(40) if gradient is None else gradient.numpy()
        assert np.broadcast_to(back.get(f"d{key}", 0.0), 40) == pytest.approx(wanted, rel=1e-12), key
    for wrong in ("reward + ", "reward*1.001 - "):
        planted = row.formula.replace("reward - ", wrong).replace("reward/", "1.001*reward/")
        assert objective_of(planted, row.numbers, at)[0] != pytest.approx(theirs.detach().numpy(), rel=1e-6)


@pytest.mark.parametrize("name", ["log_output", "reinforce"])
def test_an_observed_reward_is_a_number_not_a_formula(name: str) -> None:
    assert derivative(parse(OBJECTIVES[name].formula), "reward") == Number(0.0)
    assert derivative(parse(OBJECTIVES["reward"].formula), "reward") == Number(-1.0)


def test_pytorch_of_a_row_without_one_is_an_error() -> None:
    with pytest.raises(AssertionError):
        pytorch(REWARDS["distance"])


# What a row says of itself.


def texts() -> list[tuple[str, Text, str]]:
    """(name, reading, source) of every entry of every table."""
    rows = [(f"{kind} {row.name}", row.reading, row.source) for kind, of in ROWS.items() for row in of.values()]
    rows += [(f"init {row.name}", row.reading, row.source) for row in INITIALISATIONS.values()]
    rows += [(f"task {task.name}", task.reading, "ours") for task in TASKS.values()]
    return rows + [(f"experiment {name}", each.title, "ours") for name, each in EXPERIMENTS.items()]


@pytest.mark.parametrize(("name", "reading", "source"), texts())
def test_every_entry_has_a_reading_in_both_languages_and_a_source(name: str, reading: Text, source: str) -> None:
    assert all(part.strip() for part in (name, *reading, source))
    assert reading.en != reading.zh
    assert "\n" not in reading.en + reading.zh + source


@pytest.mark.parametrize("file", sorted(Path(glassgrad.tables.__path__[0]).glob("*s.py")), ids=lambda file: file.stem)
def test_names_are_unique(file: Path) -> None:
    """Every entry that is written stands in the table: none has taken the place of another."""
    made = [
        node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        and node.func.id in ("Row", "Task", "Initialisation", "Shipped", "Slip")
    ]  # fmt: skip
    module = __import__(f"glassgrad.tables.{file.stem}", fromlist=["x"])
    entries = getattr(module, "BY_NAME", None) or getattr(module, file.stem.upper())
    assert len(entries) == len(made) > 0


def test_two_rows_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="same name"):
        table(Row("a", "z"), Row("a", "2*z"))


@pytest.mark.parametrize(("kind", "row"), [(kind, row) for kind, of in ROWS.items() for row in of.values()])
def test_a_row_written_out_is_read_back(kind: str, row: Row) -> None:
    assert find(kind, ROWS[kind], str(row)) == row
    thirds = {key: row.bounds.get(key, (0, 1))[0] + 1 / 3 for key in row.numbers}
    third = dataclasses.replace(row, numbers=thirds)
    assert find(kind, ROWS[kind], str(third)) == third


def test_own_formulas_are_marked_so() -> None:
    assert Row("z**2", "z**2").own
    assert str(Row("z**2", "z**2", numbers={"lr": 0.1})) == "z**2"
    assert not ACTIVATIONS["relu"].own


# Names with settings.


def found(kind: str, asked: str) -> Row:
    row = find(kind, ROWS[kind], asked)
    assert row is not None
    return row


@pytest.mark.parametrize(
    ("kind", "asked", "name", "numbers"),
    [
        ("activation", "relu", "relu", {}),
        ("activation", " relu ", "relu", {}),
        ("activation", "ReLU", "relu", {}),
        ("activation", "relu(z)", "relu", {}),
        ("activation", "relu()", None, {}),
        ("activation", "gelu(z)", "gelu", {}),
        ("activation", "leaky-relu", "leaky_relu", {"slope": 0.01}),
        ("activation", "leaky_relu(slope=0.2)", "leaky_relu", {"slope": 0.2}),
        ("activation", "leaky-relu( slope = 0.2 )", "leaky_relu", {"slope": 0.2}),
        ("activation", "leaky_relu(0.2)", "leaky_relu", {"slope": 0.2}),
        ("activation", "leaky_relu(z)", "leaky_relu", {"slope": 0.01}),
        ("optimizer", "Adam", "adam", {"lr": 0.001, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}),
        ("optimizer", "adam(0.1, 0.5)", "adam", {"lr": 0.1, "beta1": 0.5, "beta2": 0.999, "eps": 1e-8}),
        ("optimizer", "adam(0.1, beta2=0.5)", "adam", {"lr": 0.1, "beta1": 0.9, "beta2": 0.5, "eps": 1e-8}),
        ("optimizer", "sgd(lr=1e-3, weight_decay=0.1)", "sgd", {"lr": 0.001, "weight_decay": 0.1}),
        ("objective", "huber(delta=2)", "huber", {"delta": 2.0}),
        ("schedule", "cosine(0.001)", "cosine", {"to": 0.001}),
        ("schedule", "Warmup-Cosine(warmup=20)", "warmup_cosine", {"warmup": 20.0, "to": 0.0}),
        ("regulariser", "l1(0.1)", "l1", {"strength": 0.1}),
        ("reward", "distance", "distance", {}),
    ],
)
def test_a_name_finds_its_row(kind: str, asked: str, name: str | None, numbers: dict[str, float]) -> None:
    row = find(kind, ROWS[kind], asked)
    assert (None if row is None else row.name) == name
    assert row is None or row.numbers == numbers


def test_settings_leave_the_table_as_it_is() -> None:
    assert found("optimizer", "adam(lr=0.5)").numbers["lr"] == 0.5
    assert OPTIMIZERS["adam"].numbers["lr"] == 0.001


@pytest.mark.parametrize(
    ("kind", "formula"),
    [
        ("activation", "tanh(z) + z"),
        ("activation", "tanh(z) + relu(z)"),
        ("activation", "relu(z) - relu(z - where(z >= 1, 1, 0))"),
        ("activation", "tanh(2*z)"),
        ("activation", "sigmoid(-z)"),
        ("activation", "z"),
        ("activation", "z-1"),
        ("activation", "1/(1 + exp(-z))"),
        ("activation", "max(0, z)"),
        ("activation", "where(z == 0, 1, sin(z)/z)"),
        ("reward", "a-t"),
        ("reward", "-abs(a - t)"),
        ("reward", "t"),
        ("objective", "abs(o - t)"),
        ("objective", "-reward"),
        ("objective", "logp"),
        ("objective", "o-t"),
        ("objective", "(o - t)**4"),
        ("policy", "a = o + 0.1*noise"),
        ("policy", "a = stop(o); logp = 0*o"),
        ("optimizer", "w = w - lr*g"),
        ("schedule", "lr/sqrt(step)"),
        ("schedule", "sqrt(steps)"),
        ("schedule", "lr"),
        ("schedule", "steps"),
        ("schedule", "0.1"),
        ("optimizer", "state m = 0\nm = 0.9*m + g\nw = w - 0.1*m"),
    ],
)
def test_a_formula_is_no_name(kind: str, formula: str) -> None:
    assert find(kind, ROWS[kind], formula) is None


@pytest.mark.parametrize(
    ("kind", "asked", "key", "expected"),
    [
        ("activation", "rellu", "table.unknown", {"nearest": "relu"}),
        ("activation", "leaky-rellu", "table.unknown", {"nearest": "leaky_relu", "name": "leaky-rellu"}),
        ("activation", "Sigmiod", "table.unknown", {"nearest": "sigmoid"}),
        ("optimizer", "adm(lr=0.1)", "table.unknown", {"nearest": "adam"}),
        ("policy", "gausian", "table.unknown", {"nearest": "gaussian"}),
        ("activation", "leaky_relu(slop=0.2)", "table.setting", {"came": "slop", "known": "slope"}),
        ("activation", "relu(0.2)", "table.setting", {"came": "0.2", "known": "-"}),
        ("optimizer", "adam(lr=fast)", "table.number", {"setting": "lr", "came": "fast"}),
        ("optimizer", "adam(fast)", "table.number", {"setting": "lr", "came": "fast"}),
        ("optimizer", "adam(lr=1e999)", "table.number", {"setting": "lr"}),
        ("optimizer", "adam(lr=nan)", "table.number", {"setting": "lr"}),
        ("optimizer", "adam(lr=)", "table.number", {"setting": "lr", "came": ""}),
        ("optimizer", "adam(lr=0.1, lr=0.2)", "table.twice", {"setting": "lr"}),
        ("optimizer", "adam(0.1, lr=0.2)", "table.twice", {"setting": "lr"}),
        ("optimizer", "sgd(0.1, 0.2)", "table.setting", {"came": "0.2", "known": "lr, weight_decay"}),
        ("optimizer", "sgd(lr=-0.1)", "table.range", {"setting": "lr", "low": "0"}),
        ("optimizer", "adam(beta2=1)", "table.range", {"setting": "beta2", "high": "0.999999999"}),
        ("optimizer", "sgd(weight_decay=-1)", "table.range", {"setting": "weight_decay"}),
        ("optimizer", "momentum(momentum=0)", "table.range", {"setting": "momentum"}),
        ("policy", "gaussian(sigma=0)", "table.range", {"setting": "sigma"}),
        ("objective", "huber(delta=-1)", "table.range", {"setting": "delta"}),
        ("schedule", "warmup(1)", "table.range", {"setting": "warmup", "low": "2"}),
        ("schedule", "exponental", "table.unknown", {"nearest": "exponential"}),
    ],
)
def test_a_wrong_name_or_setting_is_explained(kind: str, asked: str, key: str, expected: dict[str, str]) -> None:
    with pytest.raises(ExperimentError) as caught:
        find(kind, ROWS[kind], asked)
    assert caught.value.key == key
    assert caught.value.values["kind"] == kind
    assert {name: caught.value.values[name] for name in expected} == expected
    assert "\n" not in str(caught.value)


def test_there_is_always_a_nearest_name() -> None:
    assert unknown("experiment", "add_lineer", EXPERIMENTS).values["nearest"] == "add-linear"
    assert unknown("task", "???", TASKS).values["nearest"] in TASKS


def test_settings_within_their_bounds_are_taken_by_pytorch() -> None:
    """The least and the largest value of each setting is one that torch.optim accepts as well."""
    for row in OPTIMIZERS.values():
        for setting, ends in row.bounds.items():
            for end in ends if setting in row.numbers or setting in row.optional else ():
                found("optimizer", f"{row.name}({setting}={end!r})")
                arguments = dataclasses.replace(row, numbers={**row.numbers, setting: end})
                assert arguments.torch is not None
                made = getattr(torch.optim, arguments.torch.path.removeprefix("optim."))
                made([torch.zeros(1)], **arguments.torch.arguments(arguments.numbers))
