"""Networks with several outputs: lines written out for each, values, derivatives, both engines, every face."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import nn

import glassgrad as gg
from glassgrad.check import Check, check_step
from glassgrad.draws import Floats, normals, uniforms
from glassgrad.engines.compiled import train_many, train_one
from glassgrad.engines.compiled.plan import plan
from glassgrad.engines.torch import DTYPES, Batch, Net, Objective, alone, train
from glassgrad.engines.torch.objective import first_states
from glassgrad.equations import Step
from glassgrad.errors import ExperimentError, FormulaError
from glassgrad.experiment import Experiment
from glassgrad.formula import evaluate, read_lines
from glassgrad.formula.adjoint import adjoints
from glassgrad.formula.lines import Level, Program
from glassgrad.formula.outputs import several_outputs
from glassgrad.graph import graph, graph_text
from glassgrad.insight import answers, forward, slopes
from glassgrad.method import method
from glassgrad.record import Record
from glassgrad.runs import train_slowly
from glassgrad.tables.policies import POLICIES

FRESH: dict[str, Any] = {"fresh": True, "samples": 50, "steps": 20, "optimizer": "adam(lr=0.01)"}
CHOOSING: dict[str, Any] = {
    "policy": "categorical", "reward": "where(a == t, 1, 0)", "objective": "-stop(reward)*logp", **FRESH,
}  # fmt: skip
CRITIC: dict[str, Any] = {
    "policy": "a = stop(o1 + 0.5*noise); logp = -(a - o1)**2/(2*0.5**2)",
    "reward": "-abs(a - t)",
    "objective": "value = o2; adv = stop(reward - value); objective = -adv*logp + 0.5*(value - stop(reward))**2",
    **FRESH,
}
SHAPES = {
    "choose": Experiment("choose", network=(2, 19), **CHOOSING),
    "choose-hidden": Experiment("choose-hidden", network=(2, 8, 19), **CHOOSING),
    "critic": Experiment("critic", network=(2, 5, 2), **CRITIC),
    "critic-apart": Experiment("critic-apart", network=(2, 5, 2), apart=True, **CRITIC),
}
MORE = {
    "deep-apart": Experiment("deep-apart", network=(2, 4, 3, 2), apart=True, dropout=0.1, clip=1.0, **CRITIC),
    "squashed": Experiment("squashed", network=(3, 8, 4), task="both", output_activation="sigmoid", samples=20,
                           steps=20, policy="a = 10*o1 + o3", objective="sum((10*o - t)**2) + 0.1*std(o)"),
    "same-for-all": Experiment("same-for-all", network=(2, 3), samples=20, steps=20, objective="(a - t)**2",
                                policy="s = 0.5; weight = index + s; a = sum(weight*o)"),
    "learned-sigma": Experiment("learned-sigma", network=(2, 5, 2), **{
        **CRITIC, "policy": "gaussian_learned", "objective": "-stop(reward - mean(reward))*logp"}),
    "reward-of-all": Experiment("reward-of-all", network=(2, 4, 3), **{**CHOOSING, "reward": "norm(a - 2*index)"}),
    "old-outputs": Experiment("old-outputs", network=(2, 4, 3), passes=2, precision="double", **{
        **CHOOSING, "objective": "q = old(p); -old(reward)*logp + sum(q*log(q/p)) + 0.1*sum((o - old(o))**2)"}),
}  # fmt: skip


# --- the language

K = 4
GIVEN: dict[str, Level] = {"o": "output", "index": "output", "t": "sample", "uniform": "sample", "step": "step"}


def program(source: str, outputs: int = K) -> Program:
    names: dict[str, Level] = dict.fromkeys((f"o{k + 1}" for k in range(outputs)), "sample")
    return read_lines(source, {**GIVEN, **names}, "objective", several_outputs(outputs))


def written(source: str, outputs: int = 2) -> list[str]:
    return [str(line) for line in program(source, outputs).lines]


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("sum(o)", ["objective = o1 + o2"]),
        ("mean(o) - t", ["mean_o = (o1 + o2)/2", "objective = mean_o - t"]),
        ("sum(index*o)", ["objective = 0*o1 + 1*o2"]),
        ("count(o)*t", ["objective = 2*t"]),
        ("q = max(o, t); t", ["q_1 = max(o1, t)", "q_2 = max(o2, t)", "objective = t"]),
        ("p = o/t; p = 2*p; sum(p)", ["p_1 = o1/t", "p_2 = o2/t", "p_new_1 = 2*p_1", "p_new_2 = 2*p_2",
                                      "objective = p_new_1 + p_new_2"]),
        ("p_1 = t; p = o; sum(p) + p_1", ["p_1 = t", "p_new_1 = o1", "p_new_2 = o2", "sum_p_new = p_new_1 + p_new_2",
                                          "objective = sum_p_new + p_1"]),
        ("q = o - mean(t); sum(q)", ["mean_t = mean(t)", "q_1 = o1 - mean_t", "q_2 = o2 - mean_t",
                                     "objective = q_1 + q_2"]),
        ("mean(sum(o))", ["sum_o = o1 + o2", "objective = mean(sum_o)"]),
    ],
)  # fmt: skip
def test_lines_are_written_out(source: str, lines: list[str]) -> None:
    assert written(source) == lines


def test_nothing_is_quadratic() -> None:
    """Sums over the outputs before, and the largest so far, are lines of their own: 19 outputs, short formulas."""
    found = program(f"{POLICIES['categorical'].formula}; logp".replace("first", "0"), 19)
    assert len(found.lines) < 6 * 19
    assert sum(len(str(line)) for line in found.lines) < 200 * 19


def test_levels() -> None:
    found = program("p = exp(o); s = sum(p); b = mean(s); i = index/2; s*b + sum(i)")
    levels = {line.name: line.level for line in found.lines}
    assert (levels["p_1"], levels["s"], levels["b"], levels["i_3"]) == ("sample", "sample", "step", "step")
    assert set(found.each) == {"o", "index", "p", "i"}
    assert found.families["p_3"] == "p"


@pytest.mark.parametrize(
    ("source", "key"),
    [
        ("(o - t)**2", "formula.for_each_of_outputs"),
        ("a = o; sum(o)", "formula.for_each_of_outputs"),
        ("logp = log(index); sum(o)", "formula.for_each_of_outputs"),
        ("state s = 0; s = o; sum(o)", "formula.for_each_of_outputs"),
        ("below(t)", "formula.below"),
        ("sum(below(t)*o)", "formula.below"),
        ("sum(o) + o5", "formula.unknown_name"),
        ("sum(step)", "formula.nothing_to_aggregate"),
        ("below = t; below + t", "formula.bad_name"),
    ],
)
def test_what_does_not_fit_is_refused(source: str, key: str) -> None:
    with pytest.raises(FormulaError) as caught:
        program(source)
    assert caught.value.key == key


def test_one_output_knows_nothing_of_it() -> None:
    for source in ("below(o)", "index*o", "o1"):
        with pytest.raises(FormulaError):
            read_lines(source, {"o": "sample"}, "objective")


OUT: Floats = np.random.default_rng(3).normal(size=(7, K))
UNIFORM: Floats = np.linspace(0.01, 0.99, 7)
T: Floats = np.arange(7.0) - 3
SOFTMAX: Floats = np.exp(OUT) / np.exp(OUT).sum(axis=1, keepdims=True)
BEFORE = np.cumsum(SOFTMAX, axis=1) - SOFTMAX
VALUES: dict[str, tuple[str, Floats]] = {
    "sum": ("sum(index*o) - t", OUT @ np.arange(K) - T),
    "mean": ("mean(o**2)", (OUT**2).mean(axis=1)),
    "max": ("max(2*o)", 2 * OUT.max(axis=1)),
    "min": ("min(o) + 1", OUT.min(axis=1) + 1),
    "std": ("std(o)", OUT.std(axis=1, ddof=1)),
    "norm": ("norm(o - t)", np.linalg.norm(OUT - T[:, None], axis=1)),
    "others": ("sum(others(o)**2)", (((OUT.sum(axis=1, keepdims=True) - OUT) / (K - 1)) ** 2).sum(axis=1)),
    "below": ("sum(below(o)*o)", ((np.cumsum(OUT, axis=1) - OUT) * OUT).sum(axis=1)),
    "choice": ("p = exp(o)/sum(exp(o)); sum([below(p) <= uniform])", np.sum(UNIFORM[:, None] >= BEFORE, axis=1)),
    "log-softmax": ("m = stop(max(o)); sum([index == 2]*o) - m - log(sum(exp(o - m)))", np.log(SOFTMAX[:, 2])),
    "entropy": ("e = exp(o - stop(max(o))); p = e/sum(e); -sum(p*log(p))", -(SOFTMAX * np.log(SOFTMAX)).sum(axis=1)),
}  # fmt: skip


@pytest.mark.parametrize("name", VALUES)
def test_values_are_those_of_numpy(name: str) -> None:
    source, expected = VALUES[name]
    known: dict[str, Any] = {f"o{k + 1}": OUT[:, k] for k in range(K)} | {"t": T, "uniform": UNIFORM}
    for line in program(source).lines:
        known[line.name] = evaluate(line.tree, known)
    np.testing.assert_allclose(known["objective"], expected, rtol=1e-12)


DERIVED: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "log-softmax": lambda o: torch.log_softmax(o, dim=1)[:, 2],
    "entropy": lambda o: -(torch.softmax(o, dim=1) * torch.log_softmax(o, dim=1)).sum(dim=1),
    "max": lambda o: 2 * o.amax(dim=1),
    "std": lambda o: o.std(dim=1),
    "below": lambda o: ((torch.cumsum(o, dim=1) - o) * o).sum(dim=1),
}


@pytest.mark.parametrize("name", DERIVED)
def test_derivatives_are_those_of_autograd(name: str) -> None:
    """dobjective/do_k through all lines, times the samples as everywhere; an error of 0.05 % is seen."""
    source, _ = VALUES[name]
    o = torch.tensor(OUT, requires_grad=True)
    expected = torch.autograd.grad(DERIVED[name](o).sum(), o)[0].numpy()
    found = program(source)
    known: dict[str, Any] = {f"o{k + 1}": OUT[:, k] for k in range(K)} | {"t": T, "uniform": UNIFORM}
    back = adjoints(found.lines, "objective", dict.fromkeys((f"o{k + 1}" for k in range(K)), "sample"))
    for line in (*found.lines, *back):
        known[line.name] = evaluate(line.tree, known)
    ours = np.stack([np.broadcast_to(known.get(f"do{k + 1}", 0.0), T.shape) for k in range(K)], axis=1)
    np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-12)
    assert np.abs(1.0005 * ours - expected).max() > 1e-4 * np.abs(expected).max()


def test_the_norm_of_zeros_has_the_derivative_zero() -> None:
    found = program("norm(o)")
    known: dict[str, Any] = {f"o{k + 1}": np.zeros(3) for k in range(K)}
    for line in (*found.lines, *adjoints(found.lines, "objective", dict.fromkeys(known, "sample"))):
        known[line.name] = evaluate(line.tree, known)
    assert all(np.array_equal(np.broadcast_to(known[f"do{k + 1}"], 3), np.zeros(3)) for k in range(K))


# --- the policies

ALPHA = 1e-4  # how often the test of a right sampler would fail


def test_answers_come_as_often_as_their_probabilities() -> None:
    """Chi-square of 200,000 answers against softmax(o), first = 3."""
    logits = np.array([0.3, -1.0, 2.0, 0.0, -3.0])
    found = read_lines(POLICIES["categorical"].formula, {**GIVEN, **dict.fromkeys(["o1", "o2", "o3", "o4", "o5"],
                       "sample"), "first": "step"}, "a", several_outputs(5))  # fmt: skip
    chance = uniforms(1, "uniform", np.array([1]), 200_000)[0, :, 0]
    known: dict[str, Any] = {f"o{k + 1}": value for k, value in enumerate(logits)} | {"uniform": chance, "first": 3.0}
    for line in found.lines:
        known[line.name] = evaluate(line.tree, known)
    p = np.exp(logits) / np.exp(logits).sum()
    counts = np.bincount(known["a"].astype(int), minlength=8)
    assert counts[:3].sum() == 0
    assert stats.chisquare(counts[3:], p * len(chance)).pvalue > ALPHA
    moved = np.roll(counts[3:], 1)
    assert stats.chisquare(moved, p * len(chance)).pvalue < ALPHA
    logp = torch.distributions.Categorical(logits=torch.tensor(logits)).log_prob(torch.tensor(known["a"] - 3)).numpy()
    np.testing.assert_allclose(known["logp"], logp, rtol=1e-12)


@pytest.mark.parametrize("certain", [1.0, 30.0, 300.0, 5000.0])
def test_the_entropy_of_a_choice_is_pytorchs_however_certain(certain: float) -> None:
    """Probabilities that vanish: 0 log 0 would be NaN, and the run would count as diverged."""
    o = torch.tensor(certain * OUT, dtype=torch.float32, requires_grad=True)
    entropy = torch.distributions.Categorical(logits=o).entropy()
    expected = torch.autograd.grad(entropy.sum(), o)[0].numpy()
    source = f"{POLICIES['categorical'].formula}; objective = entropy".replace("first", "0")
    found, known = program(source), {f"o{k + 1}": o.detach().numpy()[:, k] for k in range(K)}
    known["uniform"] = UNIFORM.astype(np.float32)
    back = adjoints(found.lines, "objective", dict.fromkeys((f"o{k + 1}" for k in range(K)), "sample"))
    for line in (*found.lines, *back):
        known[line.name] = evaluate(line.tree, known)
    np.testing.assert_allclose(known["entropy"], entropy.detach().numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        np.stack([known[f"do{k + 1}"] for k in range(K)], axis=1), expected, rtol=1e-4, atol=1e-6
    )


def test_an_answer_without_chance_is_the_median() -> None:
    experiment = SHAPES["choose"].change(policy="categorical(first=2)")
    o = np.log(np.array([[0.2, 0.25, 0.1, *[0.45 / 16] * 16], [0.05, 0.9, *[0.05 / 17] * 17]]))
    np.testing.assert_array_equal(answers(experiment, {}, np.zeros((2, 2)), o), [4, 3])


# --- the torch engine beside a plain script


class Apart(nn.Module):
    """A stack for each output, one after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ModuleList(
            nn.Sequential(nn.Linear(2, 5), nn.ReLU(), nn.Linear(5, 1)) for _ in range(2)
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([part(x) for part in self.parts], dim=1)


def plain_net(name: str) -> nn.Module:
    if name == "choose":
        return nn.Linear(2, 19)
    if name == "critic-apart":
        return Apart()
    hidden, outputs = (8, 19) if name == "choose-hidden" else (5, 2)
    return nn.Sequential(nn.Linear(2, hidden), nn.ReLU(), nn.Linear(hidden, outputs))


def plain_script(name: str, seed: int, shift: int = 0) -> list[torch.Tensor]:
    """What one would write: the parameters after 20 steps. shift: an error, a choice taken for one beside it."""
    torch.manual_seed(seed)
    net, stream = plain_net(name), np.random.RandomState(seed)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for step in range(1, 21):
        asked = stream.randint(0, 10, (50, 2))
        x, t = torch.tensor(asked, dtype=torch.float32), torch.tensor(asked.sum(axis=1), dtype=torch.float32)
        o = net(x)
        if name.startswith("choose"):
            chance = torch.tensor(uniforms(seed, "uniform", np.array([step]), 50)[0], dtype=torch.float32)
            with torch.no_grad():
                p = torch.softmax(o, dim=1)
                a = ((torch.cumsum(p, dim=1) - p) <= chance).sum(dim=1) - 1
            logp = torch.distributions.Categorical(logits=o).log_prob((a + shift).clamp(max=18))
            loss = -((a == t).float() * logp).mean()
        else:
            noise = torch.tensor(normals(seed, "noise", np.array([step]), 50)[0, :, 0], dtype=torch.float32)
            mean, value = o[:, 0], o[:, 1]
            a = (mean + 0.5 * noise).detach()
            reward = -(a - t).abs()
            adv = (reward - value).detach()
            loss = (adv * (a - mean) ** 2 / (2 * 0.5**2) + 0.5 * (value - reward) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return [parameter.detach() for parameter in net.parameters()]


def in_order(record: Record) -> list[NDArray[Any]]:
    """The final arrays as the script has them: part after part, layer after layer."""
    net, final = record.method.network, record.final
    return [
        final[f"{letter}{layer}"][net.rows(layer, part).start : net.rows(layer, part).stop]
        for part in range(net.parts)
        for layer in net.layers
        for letter in "Wb"
    ]


def gap(name: str, seed: int, shift: int = 0) -> float:
    ours, theirs = in_order(train(SHAPES[name].change(seed=seed))), plain_script(name, seed, shift)
    return max(float(np.abs(a - b.numpy()).max()) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("seed", [0, 7])
def test_it_is_what_a_plain_script_computes(name: str, seed: int) -> None:
    assert gap(name, seed) < 2e-5


@pytest.mark.parametrize("name", ["choose", "choose-hidden"])
def test_an_index_that_is_off_by_one_is_seen(name: str) -> None:
    assert gap(name, 0, shift=1) > 0.01


def test_what_is_apart_does_not_read_the_other() -> None:
    """An objective of the first output alone leaves the second network as it was."""
    experiment = SHAPES["critic-apart"].change(reward=None, policy="a = o1", objective="(o1 - t)**2")
    record = train(experiment)
    for name, rows in (("W1", slice(5, 10)), ("b1", slice(5, 10)), ("W2", slice(1, 2)), ("b2", slice(1, 2))):
        start, end = record.parameters_at(1)[name], record.final[name]
        assert np.array_equal(start[rows], end[rows])
        assert not np.array_equal(start, end)


# --- the compiled engine

CLOSE = {"double": 1e-12, "single": 1e-5}


def check_each_step(experiment: Experiment) -> None:
    """From the state of each of 40 steps: loss, gradient and update are those that PyTorch has from there."""
    record, theirs = train_one(experiment), train(experiment.change(steps=1))
    for name, values in theirs.parameters.items():
        assert np.array_equal(record.parameters[name][0], values[0]), f"{name} starts elsewhere"
    of, dtype = method(experiment), DTYPES[experiment.precision]
    largest = max(float(np.abs(values).max()) for values in record.parameters.values())
    checked = Check(experiment.precision)
    for step in range(1, experiment.steps + 1):
        moment = record.moment(step)
        check_step(checked, Step(experiment, moment).evaluated)
        with alone(experiment.precision):
            net = Net(of, {name: torch.tensor(value) for name, value in moment.parameters.items()}, dtype)
            batch = Batch(torch.tensor(moment.inputs, dtype=dtype), torch.tensor(moment.truth[:, None], dtype=dtype),
                          moment.inputs, moment.truth, moment.noise, moment.uniform)  # fmt: skip
            o = net(batch.x, {})
            loss = Objective(of, dtype).loss(o, batch, step, first_states(of), {}, [])
            loss.backward()
        for piece in net.pieces():
            assert piece.parameter.grad is not None
            ours = moment.gradients[piece.array][piece.rows]
            scale = max(largest, float(np.abs(ours).max()))
            apart = float(np.abs(ours - piece.parameter.grad.numpy()).max()) / scale
            assert apart <= CLOSE[experiment.precision], f"{piece.array} at step {step}: {apart}"
    assert checked.passed, f"{checked.worst}: {checked.largest_difference}"


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("precision", ["single", "double"])
def test_each_compiled_step_is_pytorchs(name: str, precision: str) -> None:
    check_each_step(SHAPES[name].change(precision=precision, steps=40, seed=3))


def test_the_larger_ones_are_worked_out_in_loops() -> None:
    counts = {name: method(experiment).network.count for name, experiment in SHAPES.items()}
    assert counts == {"choose": 57, "choose-hidden": 195, "critic": 27, "critic-apart": 42}


@pytest.mark.slow
@pytest.mark.parametrize("name", MORE)
def test_other_shapes_agree_too(name: str) -> None:
    experiment = MORE[name].change(precision="double")
    ours, theirs = train_one(experiment), train(experiment)
    for array, values in theirs.parameters.items():
        np.testing.assert_allclose(ours.parameters[array], values, atol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("init", ["default", "xavier", "he", "zeros"])
@pytest.mark.parametrize("name", ["choose-hidden", "critic-apart", "deep-apart"])
def test_both_engines_start_alike(name: str, init: str) -> None:
    experiment = {**SHAPES, **MORE}[name].change(init=init, steps=1)
    ours, theirs = train_one(experiment), train(experiment)
    for array, values in theirs.parameters.items():
        assert np.array_equal(ours.parameters[array][0], values[0]), array


@pytest.mark.slow
@pytest.mark.parametrize("name", [*SHAPES, *MORE])
def test_many_runs_are_judged_as_one_by_one(name: str) -> None:
    experiment = {**SHAPES, **MORE}[name].change(steps=10)
    fast, slow = train_many(experiment, range(5)), train_slowly(experiment, range(5))
    np.testing.assert_allclose(fast.mean_error, slow.mean_error, atol=1e-4)
    assert np.array_equal(fast.dead, slow.dead)
    assert np.array_equal(fast.solved, slow.solved)


def test_a_large_network_apart_is_refused_by_name() -> None:
    with pytest.raises(ExperimentError, match="networks that are apart"):
        plan(SHAPES["critic-apart"].change(network=(2, 40, 2)))


def test_two_outputs_of_squared_errors_are_not_made_of_moments() -> None:
    assert not plan(Experiment("mine", network=(2, 3, 2), policy="a = o1", objective="sum((o - t)**2)")).moments


# --- what is shown


@pytest.mark.parametrize("name", [*SHAPES, *MORE])
def test_a_run_is_shown_and_its_check_passes(name: str) -> None:
    run = gg.watch({**SHAPES, **MORE}[name], every=10)
    assert run.check.passed, run.check.worst
    assert "z" in run.to_text()
    found = json.loads(json.dumps(run.to_json()))
    outputs = run.experiment.network[-1]
    assert all(len(step["output"]) == outputs for step in found["steps"])
    assert found["experiment"]["sizes"] == list(run.of.network.sizes)
    assert found["slopes"] == []
    assert found["check"]["passed"]


@pytest.mark.parametrize(("name", "plant"), [("choose-hidden", "p"), ("choose", "sum_e"), ("critic-apart", "dz2")])
def test_a_planted_error_is_caught(name: str, plant: str) -> None:
    run = gg.watch(SHAPES[name], every=10, plant=plant)
    assert not run.check.passed
    assert run.check.families[plant].largest > 3 * run.check.tolerance


def test_the_cause_of_a_divergence_is_found_with_old_outputs() -> None:
    objective = "sum(log(abs(o1 - old(o)) + step*0)) + o1"
    case = MORE["old-outputs"].change(objective=objective, reward=None, policy="a = o1")
    assert train(case).status == "diverged at step 1: log(0) in sum_1"


def test_the_output_of_a_step_is_the_networks() -> None:
    run = gg.watch(SHAPES["critic-apart"], every=10, sample=3)
    moment = run.record.moment(11)
    seen = forward(run.experiment, moment.parameters, moment.inputs[2:3])
    np.testing.assert_allclose(run.output[10], [seen["o1"][0], seen["o2"][0]], rtol=1e-5)


def test_slopes_are_those_of_one_output() -> None:
    assert slopes(SHAPES["critic"], train(SHAPES["critic"].change(steps=1)).final, np.zeros((1, 2))) == []


def test_the_graph_has_one_line_for_all_outputs() -> None:
    found = graph(SHAPES["choose"])
    assert {"e", "p", "below_p", "sum_e"} <= {node.name for node in found.nodes}
    assert len(found.node("e").slopes) == 1
    assert found.node("e").back == "de_1"
    text = graph_text(found, {})
    assert "p = e/sum_e" in text
    assert "dz1_1 = de_1*exp(z1_1 - m)" in text


@pytest.mark.parametrize("name", ["critic-apart", "choose-hidden"])
def test_the_page_renders(name: str) -> None:
    page = gg.watch(SHAPES[name], every=10).to_html()
    assert page.startswith("<!DOCTYPE html>")
    assert len(page) > 100_000


def test_every_export_knows_several_outputs() -> None:
    for to in ("toml", "json", "svg", "csv", "torch", "latex"):
        assert gg.export(SHAPES["critic"].change(steps=2), to=to)
