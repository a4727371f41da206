"""The compiled engine: the torch engine's numbers, whatever the company, from kernels that are compiled once."""

import ctypes
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pytest
import torch
from llvmlite import ir
from numpy.typing import NDArray

from glassgrad.check import Check, check_step
from glassgrad.draws import normals, philox_key, weight_noise
from glassgrad.engines.compiled import build, kernel, streams, train_many, train_one
from glassgrad.engines.compiled.arithmetic import FUNCTIONS
from glassgrad.engines.compiled.body import Body
from glassgrad.engines.compiled.denormals import flushing
from glassgrad.engines.compiled.noise import cosine, four_normals, normal, sine
from glassgrad.engines.compiled.plan import plan
from glassgrad.engines.compiled.stages import SUMS, stages
from glassgrad.engines.compiled.vector import Code, Form
from glassgrad.engines.compiled.words import Word, Words, loop
from glassgrad.engines.torch import train
from glassgrad.equations import Step
from glassgrad.errors import ExperimentError
from glassgrad.experiment import Experiment
from glassgrad.record import Record
from glassgrad.runs import train_slowly
from glassgrad.tables.activations import ACTIVATIONS
from glassgrad.tables.experiments import EXPERIMENTS, shipped
from glassgrad.tables.initialisations import INITIALISATIONS
from glassgrad.tables.objectives import OBJECTIVES
from glassgrad.tables.optimizers import OPTIMIZERS
from glassgrad.tables.policies import POLICIES
from glassgrad.tables.regularisers import REGULARISERS
from glassgrad.tables.rewards import REWARDS
from glassgrad.tables.schedules import SCHEDULES
from glassgrad.tables.tasks import TASKS

SMALL = shipped("add").change(samples=40, steps=20, network=(2, 3, 1))
STEEP = 20
"""Gradients may differ by so many times as much as parameters: they differ at once, while parameters move slowly."""

FREE = {"single": 1e-4, "double": 1e-10}  # over 50 steps; after that training is chaotic
SEEDS = (0, 5, 2**32 - 1)


def distance(ours: Record, theirs: Record, what: Literal["parameters", "gradients"] = "parameters") -> float:
    """The largest difference of any of them at any step, by the largest."""
    steps = theirs.steps + (what == "parameters")  # those after the last step, too
    mine, their = ({name: values[:steps] for name, values in getattr(of, what).items()} for of in (ours, theirs))
    largest = max(float(np.abs(values).max()) for values in their.values())
    gaps = (float(np.abs(mine[name] - values).max()) for name, values in their.items())
    return max(gaps) / largest if largest else max(gaps)


def check_equal(experiment: Experiment) -> None:
    """Both engines start from the same bits and stay together.

    Raises:
        AssertionError: they do not.
    """
    ours, theirs = train_one(experiment), train(experiment)
    assert ours.steps == theirs.steps
    for name, values in theirs.parameters.items():
        assert np.array_equal(ours.parameters[name][0], values[0]), f"{experiment.name}: {name} starts elsewhere"
    gap, slopes = distance(ours, theirs), distance(ours, theirs, "gradients")
    assert gap <= FREE[experiment.precision], f"{experiment.name}: {gap}"
    assert slopes <= STEEP * FREE[experiment.precision], f"{experiment.name}: gradients differ by {slopes}"


def machine_code(write: Callable[[ir.Module, Form], None], precision: str, *names: str) -> list[Callable[..., None]]:
    """Functions as Python may call them: whole numbers and addresses as 64 bits."""
    module = ir.Module()
    write(module, Form(precision))
    made = build.build(str(module), names)
    count = {name: len(module.get_global(name).args) for name in names}
    return [ctypes.CFUNCTYPE(None, *[ctypes.c_uint64] * count[name])(made.addresses[name]) for name in names]


def streams_to_test(module: ir.Module, form: Form) -> None:
    streams.twisters(module, form)
    double = ir.DoubleType()
    code = Code(module, form, "uniforms", ("count", "TWISTER", "RANGE", "OUT"))
    low, width = (
        code.at.load(code.at.gep(code["RANGE"], [ir.Constant(ir.IntType(64), i)], source_etype=double), typ=double)
        for i in range(2)
    )
    with loop(code, Word(code, code["count"])) as i:
        code.store(code["OUT"], i.ir, streams.torch_uniform(code, code["TWISTER"], low, width))
    code.close()


@pytest.mark.parametrize("seed", SEEDS)
def test_both_twisters_are_those_of_the_host(seed: int) -> None:
    seeded, rewind, integers, uniforms = machine_code(
        streams_to_test, "single", "seed", "rewind", "integers", "uniforms"
    )
    state, ours = np.zeros(streams.TWISTER, np.uint32), np.zeros(3000 + streams.LANES, np.uint32)
    seeded(seed, state.ctypes.data)
    theirs = np.random.RandomState(seed)
    for most, count in ((9, 3000), (1, 3000), (1, 80), (1000, 3000), (1, 1), (9, 160), (9, 160), (6, 17)):
        integers(most, count, state.ctypes.data, ours.ctypes.data)
        assert np.array_equal(ours[:count], theirs.randint(0, most + 1, count))
    for count in (3, 3000):  # within the first words, and beyond
        rewind(seed, state.ctypes.data)
        drawn, reach = np.empty(count, np.float32), np.float32(0.7071067811865476)
        span = np.array([-reach, reach + reach], np.float64)
        uniforms(count, state.ctypes.data, span.ctypes.data, drawn.ctypes.data)
        torchs = torch.Generator().manual_seed(seed)
        assert np.array_equal(drawn, torch.empty(count).uniform_(-float(reach), float(reach), generator=torchs).numpy())


@pytest.mark.parametrize(("precision", "furthest"), [("single", 2e-6), ("double", 1e-14)])
def test_noise_is_that_of_the_host(precision: str, furthest: float) -> None:
    def write(module: ir.Module, form: Form) -> None:
        code = Code(module, form, "noise", ("step", "KEY", "OUT"))
        philox = streams.Philox(code, Words(code, code["KEY"], 32), 0)
        with loop(code, 4096, step=form.lanes) as q:
            words = philox.words((Word(code, code["step"]), q, 0, 0))
            code.store(code["OUT"], q.ir, normal(code, words))
        code.close()

    (draw,) = machine_code(write, precision, "noise")
    out: NDArray[Any] = np.zeros(4096, np.float32 if precision == "single" else np.float64)
    for seed in SEEDS:
        key = np.array(philox_key(seed, "noise"), np.uint32)
        for step in (1, 2, 77):
            draw(step, key.ctypes.data, out.ctypes.data)
            theirs = normals(seed, "noise", np.array([step]), len(out))[0, :, 0]
            assert np.abs(out - theirs).max() < furthest


IN_DOUBLES: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "exp": np.exp,
    "log": np.log,
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "softplus": lambda x: np.logaddexp(0, x),
    "sqrt": np.sqrt,
}


@pytest.mark.parametrize("name", sorted(IN_DOUBLES))
@pytest.mark.parametrize("scale", [1.0, 1 + 2e-6])
def test_functions_are_exact_to_a_few_units_in_the_last_place(name: str, scale: float) -> None:
    """From 1e-30 to beyond where exp overflows, both signs; tiny results are 0. The planted error is 2 in a million."""
    random = np.random.default_rng(0)
    x = np.concatenate([np.geomspace(1e-30, 120, 40_000), random.uniform(0, 12, 40_000)]).astype(np.float32)
    x = x if name in ("log", "sqrt") else np.concatenate([x, -x])
    x = np.concatenate([x, np.array([np.nan, np.inf, -np.inf, 0, 88.5, -88.5, 104, -104], np.float32)])
    x = np.concatenate([x, np.zeros(-len(x) % 16, np.float32)])

    def write(module: ir.Module, form: Form) -> None:
        code = Code(module, form, "values", ("count", "X", "OUT"))
        with flushing(code), loop(code, Word(code, code["count"]), step=form.lanes) as i:
            code.store(code["OUT"], i.ir, FUNCTIONS[name](code.load(code["X"], i.ir)) * scale)
        code.close()

    out = np.empty_like(x)
    machine_code(write, "single", "values")[0](len(x), x.ctypes.data, out.ctypes.data)
    with np.errstate(all="ignore"):
        wanted = IN_DOUBLES[name](x.astype(np.float64))
        single = wanted.astype(np.float32)
        fine = np.isfinite(single) & (np.abs(single) >= 4 * np.finfo(np.float32).tiny)
        off = np.abs(out.astype(np.float64) / wanted - 1)[fine].max()
    assert (off < 6e-7) == (scale == 1)
    assert np.array_equal(np.isnan(out), np.isnan(wanted)) or name == "sqrt"  # the root of infinity may be NaN
    assert not out[~np.isnan(out) & ~np.isinf(out) & (single == 0)].any()
    assert name not in ("tanh", "sigmoid") or scale > 1 or np.nanmax(np.abs(out)) <= 1


@pytest.mark.parametrize(("precision", "furthest"), [("single", 2e-6), ("double", 1e-14)])
@pytest.mark.parametrize("vectors", [1, 2])
def test_noise_of_weights_is_that_of_the_host(precision: str, furthest: float, vectors: int) -> None:
    """All four numbers of a block."""

    def write(module: ir.Module, form: Form) -> None:
        code = Code(module, form, "weights", ("step", "block", "KEY", "OUT"))
        philox, step = streams.Philox(code, Words(code, code["KEY"], 32), 0), Word(code, code["step"])
        with loop(code, 4096, step=vectors * form.lanes) as q:
            drawn = four_normals(code, philox.words((step, q, 0, Word(code, code["block"])), vectors))
            for row, numbers in enumerate(drawn):
                code.store(code["OUT"], (q + 4096 * row).ir, numbers)
        code.close()

    (draw,) = machine_code(write, precision, "weights")
    out: NDArray[Any] = np.zeros((4, 4096), np.float32 if precision == "single" else np.float64)
    for seed in SEEDS:
        key = np.array(philox_key(seed, "weights"), np.uint32)
        for step, block in ((1, 0), (2, 5), (77, 1)):
            draw(step, block, key.ctypes.data, out.ctypes.data)
            theirs = weight_noise(seed, step, 4096, 24)[:, 4 * block : 4 * block + 4].T
            assert np.abs(out - theirs).max() < furthest


@pytest.mark.parametrize("precision", ["single", "double"])
def test_turns_are_right_at_their_ends(precision: str) -> None:
    """Cosine and sine of words where whole numbers change their sign, and at each quarter of a turn."""
    ends = np.array([(k << 30) + by & 0xFFFFFFFF for k in range(4) for by in (-2, -1, 0, 1)], np.uint32)

    def write(module: ir.Module, form: Form) -> None:
        code = Code(module, form, "turns", ("WORDS", "OUT"))
        for row, turn in enumerate((cosine, sine)):
            code.store(code["OUT"], 16 * row, turn(code, code.words(code["WORDS"], 0, 16)))
        code.close()

    (turns,) = machine_code(write, precision, "turns")
    out: NDArray[Any] = np.zeros((2, 16), np.float32 if precision == "single" else np.float64)
    turns(ends.ctypes.data, out.ctypes.data)
    angle = 2 * np.pi * (ends / 2**32)
    np.testing.assert_allclose(out, [np.cos(angle), np.sin(angle)], atol=1e-7 if precision == "single" else 1e-15)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(EXPERIMENTS))
def test_shipped_experiments_run_as_on_the_torch_engine(name: str) -> None:
    experiment = shipped(name).change(steps=50)
    for seed in (1, 2**31 + 8):  # where no gradient is so near 0 that Adam would magnify its rounding
        check_equal(experiment.change(seed=seed))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["add", "add-reinforce", "choose"])
def test_double_precision_agrees_closely(name: str) -> None:
    check_equal(shipped(name).change(steps=50, precision="double", seed=3))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(ACTIVATIONS) - {"linear", "relu"}))
def test_every_activation_agrees(name: str) -> None:
    check_equal(SMALL.change(name=name, activation=name, precision="double"))


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "softplus"])
def test_vector_arithmetic_is_right_in_single_precision(name: str) -> None:
    check_equal(SMALL.change(name=name, activation=name))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(OPTIMIZERS) - {"adam"}))
def test_every_optimizer_agrees(name: str) -> None:
    check_equal(SMALL.change(name=name, optimizer=f"{name}(lr=0.01)", precision="double"))


JUDGED: dict[str, Any] = {"reward": "distance", "policy": "gaussian", "objective": "reinforce"}
GROUPED: dict[str, Any] = {**JUDGED, "group": 4}
CRITIC: dict[str, Any] = {**JUDGED, "policy": "gaussian_first", "network": (2, 3, 2)}
OBJECTIVES_NEED: dict[str, dict[str, Any]] = {
    "reward": {"reward": "distance"},
    "log_output": {"reward": "distance", "output_activation": "softplus"},
    **dict.fromkeys((name for name in OBJECTIVES if name.startswith("reinforce")), JUDGED),
    "reinforce_group": GROUPED,
    "reinforce_log": {**JUDGED, "reward": "right", "policy": "categorical", "network": (2, 3, 4)},
    "actor_critic": CRITIC,
    "a2c": {**CRITIC, "policy": "gaussian_learned", "network": (2, 3, 3)},
    "ppo": {**CRITIC, "passes": 4},
    "ppo_entropy": {**CRITIC, "policy": "gaussian_learned", "network": (2, 3, 3), "passes": 4},
    "grpo": {**GROUPED, "passes": 4},
    "grpo_undivided": {**GROUPED, "passes": 4},
}
"""Settings without which an objective makes no sense."""


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(OBJECTIVES) - {"mse"}))
def test_every_objective_agrees(name: str) -> None:
    settings = {**OBJECTIVES_NEED.get(name, {}), "objective": name, "precision": "double"}
    check_equal(SMALL.change(name=name, **settings))


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {"regulariser": "l1(0.01)", "clip": 0.5},
        {"dropout": 0.2, "batch": 16},
        {"network": (2, 70, 1), "regulariser": "l2(0.01)", "clip": 0.5, "dropout": 0.1},
        {"network": (2, 9, 7, 1), "activation": "tanh", "batch": 7},
        {"objective": "log(1 + (o - t)**2)", "optimizer": "state m = 0; m = 0.8*m + g; w = w - 0.01*m/(1 + abs(m))"},
        {"init": "xavier"},
        {"init": "he", "fresh": True},
        {"activation": "param p = 0.25; where(z > 0, z, p*z)"},
        {
            "output_activation": "param p = 0.25; where(z > 0, z, p*z)",
            "network": (2, 70, 3, 1),
            "regulariser": "l1(0.01)",
        },
        {"activation": "param p = 0.25; where(z > 0, z, p*z)", "network": (2, 70, 3, 1), "dropout": 0.1},
        {"objective": "(o - t)**2 - mean(o)"},
        {"objective": "(o - t)**2 + max(o) - min(o)"},
        {"objective": "(o - t)**2/(1 + std(o)) + 0.01*others(o)*o + 0.01*norm(o)/count(o)"},
        {"objective": "(o - t)**2 + max(o)", "network": (2, 70, 1)},
        {"optimizer": "w = w - 0.1*g/(1 + norm(g))"},
        {"optimizer": "w = w - 0.01*g/(max(g) - min(g) + std(g) + 1) - 0.001*others(g)"},
        {"optimizer": "state n = 1; n = n*0.9; w = w - 0.1*g*n"},
    ],
    ids=str,
)
def test_everything_else_agrees(settings: dict[str, Any]) -> None:
    check_equal(SMALL.change(precision="double", **settings))


def test_a_run_is_the_same_alone_and_in_company() -> None:
    experiment = shipped("knob")
    company = train_many(experiment, range(300))
    for seeds, threads in (([7], 1), ([7, 3], 1), (range(299, -1, -1), 2)):
        found = train_many(experiment, seeds, threads=threads)
        places = [int(seed) for seed in seeds]
        assert np.array_equal(found.mean_error, company.mean_error[places])
        assert np.array_equal(found.solved_at, company.solved_at[places])


def test_many_runs_are_judged_as_one_by_one() -> None:
    """The tables agree for each seed: errors within rounding, the rest exactly."""
    experiment = shipped("knob").change(steps=20)
    fast, slow = train_many(experiment, range(12)), train_slowly(experiment, range(12))
    np.testing.assert_allclose(fast.mean_error, slow.mean_error, atol=1e-5)
    np.testing.assert_allclose(fast.curves, slow.curves, atol=1e-5)
    for name in ("solved", "solved_at", "diverged_at", "dead", "checkpoints", "seeds"):
        assert np.array_equal(getattr(fast, name), getattr(slow, name)), name


def test_distinct_questions_by_count_are_the_same_mathematics() -> None:
    experiment = shipped("add").change(steps=50)
    by_count, one_by_one = (train_many(experiment, range(8), distinct=choice) for choice in (True, False))
    np.testing.assert_allclose(by_count.mean_error, one_by_one.mean_error, rtol=1e-3)


@pytest.mark.parametrize("name", ["add", "sub", "both"])
@pytest.mark.parametrize("precision", ["single", "double"])
def test_steps_made_of_moments_are_those_of_passes_through_the_samples(name: str, precision: str) -> None:
    """Early on, where nothing is chaotic yet, errors agree; with whole numbers the sums of features are exact."""
    experiment = shipped(name).change(steps=50, precision=precision)
    assert plan(experiment).moments
    by_count, one_by_one = (train_many(experiment, range(9), distinct=choice) for choice in (True, False))
    slowly = train_slowly(experiment, range(9))
    for field in ("mean_error", "max_error"):
        np.testing.assert_allclose(getattr(by_count, field), getattr(slowly, field), rtol=1e-4)
        np.testing.assert_allclose(getattr(one_by_one, field), getattr(slowly, field), rtol=1e-4)


@pytest.mark.parametrize(
    "changed",
    [{"activation": "tanh"}, {"objective": "abs(o - t)"}, {"batch": 10}, {"clip": 1.0}, {"network": (2, 5, 5, 1)},
     {"output_activation": "softplus"}, {"optimizer": "w = w - 0.1*g/(1 + norm(g))"}, {"fresh": True}],
    ids=str,
)  # fmt: skip
def test_moments_are_used_only_where_they_are_exact(changed: dict[str, Any]) -> None:
    assert not plan(shipped("add").change(**changed)).moments


@pytest.mark.parametrize(
    "changed",
    [
        {"objective": "0.3*(o - t)**2"},
        {"objective": "(o - 17)**2"},
        {"objective": "(o - 0.5*t)**2"},
        {"optimizer": "momentum(lr=0.3, momentum=1.5)", "samples": 16},
        {"optimizer": "adam(lr=1e9)", "network": (2, 6, 1), "samples": 16},
        {"optimizer": "adam(eps=0)", "network": (2, 6, 1), "samples": 16},
        {"optimizer": "momentum(lr=0.003, momentum=1.1)"},  # dead units grow until M u overflows
    ],
    ids=str,
)
def test_moments_and_passes_agree_where_runs_diverge_or_numbers_are_odd(
    changed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment, seeds = shipped("add").change(steps=700, **changed), range(50, 73)
    assert plan(experiment).moments
    ours, alone = train_many(experiment, seeds), [train_many(experiment, [seed]) for seed in seeds]
    assert [run.diverged_at[0] for run in alone] == list(ours.diverged_at)
    assert np.array_equal([run.mean_error[0] for run in alone], ours.mean_error, equal_nan=True)
    kernel.kernel.cache_clear()
    monkeypatch.setattr(kernel, "fits", lambda _: False)
    passes = train_many(experiment, seeds)
    kernel.kernel.cache_clear()
    assert np.abs(ours.diverged_at - passes.diverged_at).max() <= 2  # of rounding
    well = ours.diverged_at == 0
    np.testing.assert_allclose(ours.mean_error[well], passes.mean_error[well], rtol=0.1, atol=0.01)


def test_a_run_counts_as_finite_whatever_fills_up_its_vectors() -> None:
    """Places beyond the learned numbers become 0/0 where eps is 0; this run is looked at in company only that way."""
    experiment = shipped("add").change(optimizer="adam(lr=0.01, eps=0)", network=(2, 6, 1), steps=400)
    company, alone = train_many(experiment, range(1040)), train_many(experiment, [1012])
    assert company.diverged_at[1012] == alone.diverged_at[0] == 0
    assert company.mean_error[1012] == alone.mean_error[0]


def test_quotients_of_whole_numbers_are_exact() -> None:
    """round(t)/t is 1 for every t; t goes from 41 to 50."""
    experiment = shipped("add-reinforce").change(
        truth="x1 + 41", reward="where(round(t + 1e-9*a)/t == 1, 1, 0)", steps=3, samples=1000
    )
    np.testing.assert_allclose(np.asarray(train_one(experiment).reward), 1, atol=1e-5)


def test_moments_notice_a_run_that_diverges_at_its_step() -> None:
    """The step is that of the slow engine, found by going through the last steps once more."""
    experiment = shipped("add").change(steps=300, optimizer="w = w + 0.01*g")
    found, slowly = train_many(experiment, range(6)), train_slowly(experiment, range(6))
    assert (slowly.diverged_at > 0).all()
    assert np.abs(found.diverged_at - slowly.diverged_at).max() <= 1


def test_a_run_that_diverges_is_a_result_and_the_others_go_on() -> None:
    found = train_many(shipped("knob").change(steps=1000), range(40))
    falling = found.diverged_at > 0
    assert 0 < falling.sum() < 40
    assert np.all((found.diverged_at[falling] > 380) & (found.diverged_at[falling] < 460))
    assert not found.solved[falling].any()
    assert np.isfinite(found.mean_error[~falling]).all()


def test_a_run_that_was_right_when_it_diverged_is_not_solved() -> None:
    """Its table is that of the slow engine: no errors, not solved, but solved at the checkpoint before."""
    late = "state b = 0; b = b + 1; objective = (o - t)**2 + 0*log(450.5 - b)"
    experiment = shipped("add-linear").change(samples=40, steps=500, objective=late)
    found, slowly = train_many(experiment, range(3)), train_slowly(experiment, range(3))
    assert (found.diverged_at == 451).all()
    assert (found.solved_at > 0).all()
    assert not found.solved.any()
    for name in ("solved", "solved_at", "diverged_at", "mean_error", "max_error"):
        np.testing.assert_array_equal(getattr(found, name), getattr(slowly, name))


def test_a_batch_of_all_samples_is_none() -> None:
    """Nothing is chosen by chance then: masks and noise belong to the samples in their order."""
    experiment = SMALL.change(dropout=0.2, precision="double")
    check_equal(experiment.change(batch=40))
    whole, batch = (train_many(experiment.change(batch=batch), range(3)) for batch in (None, 40))
    np.testing.assert_array_equal(whole.mean_error, batch.mean_error)


def test_a_uniform_number_is_below_one_in_single_precision() -> None:
    """These runs drew one that is rounded to 1, and took a choice of probability 0."""
    assert not train_many(shipped("choose"), [126, 753, 1963]).diverged_at.any()


def test_ctrl_c_keeps_what_is_finished() -> None:
    def interrupt(done: int, runs: int) -> None:
        if done:
            raise KeyboardInterrupt

    found = train_many(shipped("knob"), range(100_000), interrupt)
    assert 0 < len(found) < 100_000
    assert np.array_equal(found.seeds, np.arange(len(found)))


def test_what_it_cannot_run_is_refused_by_name() -> None:
    with pytest.raises(ExperimentError, match="distinct"):
        train_many(SMALL.change(dropout=0.1), range(3), distinct=True)


def test_a_changed_number_compiles_nothing() -> None:
    plan(shipped("knob"))
    known = len(build._built)
    changed = shipped("knob").change(seed=9, steps=7, optimizer="adam(lr=0.3, beta1=0.5)", precision="single")
    train_many(changed, range(5))
    assert len(build._built) == known


def every_row() -> dict[str, Experiment]:
    """An experiment for each row of each table, by the names of table and row."""
    chosen = {**JUDGED, "policy": "bernoulli", "output_activation": "sigmoid", "reward": "right"}
    whole: dict[str, dict[str, Any]] = {
        **{f"objective {name}": {**settings, "objective": name} for name, settings in OBJECTIVES_NEED.items()},
        "policy pathwise": {"reward": "square", "objective": "reward"},
        "policy gaussian": JUDGED,
        "policy bernoulli": chosen,
        "policy categorical": {**JUDGED, "policy": "categorical", "reward": "right", "network": (2, 3, 4)},
        "policy gaussian_first": CRITIC,
        "policy gaussian_learned": {**JUDGED, "policy": "gaussian_learned", "network": (2, 3, 2)},
        "init own": {"init": "W1=[[0.5,-1],[1,0.25],[-0.5,2]]; b1=[0,1,2]; W2=[[1,-1,0.5]]; b2=[0.1]"},
        "task own": {"truth": "x1*x2"},
    }
    tables: dict[str, Any] = {
        "activation": ACTIVATIONS, "objective": OBJECTIVES, "policy": POLICIES, "regulariser": REGULARISERS,
        "init": INITIALISATIONS, "task": TASKS,
    }  # fmt: skip
    rows = {f"{table} {name}": {table: name} for table, names in tables.items() for name in names}
    rows |= {f"reward {name}": {**JUDGED, "reward": name} for name in REWARDS}
    rows |= {f"optimizer {name}": {"optimizer": f"{name}(lr=0.01)"} for name in OPTIMIZERS}
    rows |= {f"{name} decaying": {"optimizer": f"{name}(lr=0.01, weight_decay=0.2)"} for name in OPTIMIZERS}
    rows |= {f"schedule {name}": {"schedule": name + "(warmup=5)" * ("warmup" in name)} for name in SCHEDULES}
    rows = {row: {**settings, **whole.pop(row, {})} for row, settings in rows.items()} | whole
    for name, task in TASKS.items():
        rows[f"task {name}"]["network"] = (len(task.names), 3, 1)
    small = {row: SMALL.change(name=row, precision="double", **settings) for row, settings in rows.items()}
    return small | {f"experiment {name}": shipped(name).change(steps=20) for name in EXPERIMENTS}


EVERY_ROW = every_row()


@pytest.mark.slow
@pytest.mark.parametrize("row", EVERY_ROW)
def test_every_row_agrees_and_is_compiled_once(row: str) -> None:
    """The contract of a row: the torch engine's numbers, and nothing to compile when it comes again."""
    experiment = EVERY_ROW[row]
    check_equal(experiment)
    train_many(experiment, range(3))
    known = set(build._built)
    again = experiment.change(seed=11, steps=15)
    check_equal(again)
    train_many(again, range(2, 30))
    assert set(build._built) == known


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(EXPERIMENTS))
def test_each_step_of_a_whole_run_is_right_from_where_it_starts(name: str) -> None:
    """However far two programs have drifted apart: gradient, states and update follow from the step's own state."""
    record = train_one(shipped(name))
    last = record.steps if record.moment(record.steps).updated else record.steps - 1
    found = Check(record.experiment.precision)
    for step in sorted({1, 2, last // 3, last // 2, last}):
        check_step(found, Step(record.experiment, record.moment(step)).evaluated)
    assert found.passed, f"{found.worst}: {found.largest_difference}"


def test_what_is_the_same_in_every_pass_is_computed_once() -> None:
    body = Body(shipped("add-grpo"))
    assert {"reward", "advantage"} <= set(body.olds)
    assert not {"reward", "advantage"} & {line.name for line in body.each_pass()}
    assert not Body(shipped("add-grpo").change(passes=1, objective="reinforce")).settled


def test_loops_through_the_samples_are_short() -> None:
    body = Body(shipped("add-a2c"))
    found = stages(body.each_pass(), (), body.cuts())
    assert max(len(stage.aggregates) for stage in found) <= SUMS
    lines = {line.name: [stage for stage in found if line in stage.each] for line in body.each_pass()}
    assert lines["z2_1"] != lines["objective"] != lines["dz1_1"]
    assert sum(len(stage.aggregates) for stage in found) == sum(
        len(stage.aggregates) for stage in stages(body.each_pass(), ())
    )


@pytest.mark.parametrize(
    ("name", "settings", "cause"),
    [
        ("add", {"objective": "(o - t)**2 + log(100.5 - step)"}, "diverged at step 101: log(-0.5) in objective"),
        ("add", {"objective": "(o - t)**2/(step - 7)", "batch": 16}, "diverged at step 7: "),
        ("add-ppo", {"optimizer": "w = w - 1e30*g", "schedule": "constant"}, "diverged at step 2: overflow in z2"),
        ("add-evolution", {"optimizer": "w = w - 1e30*g", "schedule": "constant"}, "diverged at step 2: "),
        ("add", {"activation": "param p = 0.25; where(z > 0, z, p*z)", "optimizer": "w = w - 1e30*g"},
         "diverged at step 2: overflow in a1"),
        ("choose", {"objective": "state b = 3; b = b - 1; objective = -stop(reward)*logp/b"}, "diverged at step 3: "),
    ],
)  # fmt: skip
def test_the_cause_of_a_divergence_is_that_of_the_torch_engine(name: str, settings: dict[str, Any], cause: str) -> None:
    experiment = shipped(name).change(steps=110, seed=1, **settings)
    found = train_one(experiment).status
    assert found == train(experiment).status
    assert found.startswith(cause)


def test_a_number_that_pytorch_still_has_is_said_to_be_too_small() -> None:
    """The knob's output falls below the normal range, where PyTorch goes on for a step or two."""
    statuses = {train_one(shipped("knob").change(steps=1000, seed=seed)).status for seed in range(12)}
    assert any(status.endswith(": a number too small or too large") for status in statuses)
