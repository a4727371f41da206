"""The measurements do the work that they say: the same first values, counted operations, tables. Nothing is timed."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bench import a2c, compiled, flops, growth, piece, report, runs, work
from bench.__main__ import finite
from bench.contest import contest
from bench.outcome import Outcome, join, witness
from bench.problem import ADD, WIDER, Problem
from bench.words import CHINESE, ENGLISH, words_for
from glassgrad.initial import initial_parameters
from glassgrad.network import Network
from glassgrad.tables.experiments import shipped

SEEDS = [0, 1, 7, 123_456, 2**32 - 1]
PEERS = ("jax", "jaxlib", "stable_baselines3", "gymnasium", "llvmlite")


def test_it_imports_without_the_peers() -> None:
    files = sorted(Path(runs.__file__).parent.glob("[!_]*.py"))
    modules = [f"bench.{file.stem}" for file in files if file.stem != "addition"]  # a subclass of Gymnasium's
    program = (
        f"import sys\nfor name in {PEERS!r}: sys.modules[name] = None\n"
        f"import importlib\nfor name in {modules!r}: importlib.import_module(name)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_work_is_the_shipped_experiment() -> None:
    add = shipped("add")
    assert (add.network, add.samples, add.steps) == ((work.INPUTS, work.UNITS, 1), work.SAMPLES, work.STEPS)
    assert (add.optimizer, add.objective, add.activation, add.batch) == (f"adam(lr={work.RATE})", "mse", "relu", None)


@pytest.mark.parametrize("problem", [ADD, *WIDER.values()], ids=lambda problem: str(problem.sizes))
def test_the_problems_are_as_their_experiments(problem: Problem) -> None:
    experiment = problem.experiment
    assert (experiment.network, experiment.steps) == (problem.sizes, problem.steps)
    assert experiment.optimizer == f"adam(lr={problem.rate})"
    if problem is not ADD and problem.name != "add":
        assert experiment == shipped(problem.name)


@pytest.mark.parametrize("sizes", [(2, 5, 1), (2, 16, 1), (2, 64, 64, 1), (3, 8, 1)])
def test_first_parameters_are_those_of_the_plain_script(sizes: tuple[int, ...]) -> None:
    found = work.parameters(SEEDS, sizes)
    problem = Problem(sizes=sizes)
    for row, seed in zip(found, SEEDS, strict=True):
        wanted = initial_parameters("default", Network(sizes), seed)
        for layer, (weight, bias) in enumerate(problem.layers(row), 1):
            assert np.array_equal(weight, wanted[f"W{layer}"].numpy())
            assert np.array_equal(bias, wanted[f"b{layer}"].numpy())


def test_questions_are_those_of_the_plain_script() -> None:
    for asked, seed in zip(work.questions(SEEDS), SEEDS, strict=True):
        np.random.seed(seed)  # noqa: NPY002
        assert np.array_equal(asked, np.random.randint(0, 10, (work.SAMPLES, 2)))  # noqa: NPY002


@pytest.mark.parametrize("name", ["add", "both"])
def test_distinct_questions_are_counted(name: str) -> None:
    problem = WIDER.get(name, ADD)
    for counts, seed in zip(problem.weights(SEEDS), SEEDS, strict=True):
        drawn = problem.task.sample(np.random.RandomState(seed), problem.experiment.samples)
        for question, count in zip(problem.domain.T, counts, strict=True):
            assert count == (drawn == question).all(axis=1).sum()


def test_the_outcome_is_the_error_on_all_questions() -> None:
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn((3, work.PARAMETERS), generator=generator).numpy()
    found = ADD.judge(rows)
    for row, error in zip(rows, found.error, strict=True):
        (w1, b1), (w2, b2) = ADD.layers(row)
        gaps = [
            abs(float(w2[0] @ np.maximum(w1 @ np.array([x1, x2]) + b1, 0) + b2[0]) - x1 - x2)
            for x1 in range(10)
            for x2 in range(10)
        ]
        assert error == pytest.approx(np.mean(gaps), rel=1e-4)


def test_diverged_runs_count() -> None:
    outcome = Outcome(np.array([1, np.nan, np.inf], np.float32), np.array([True, False, False]))
    found = witness(join([outcome, outcome]))
    assert (found["runs"], found["median"], found["solved"]) == (6, np.inf, 1 / 3)
    assert finite({"error": found})["error"]["median"] is None


class Counted:
    """A number that counts what is done with it."""

    done = 0

    def __init__(self, value: float) -> None:
        self.value = value

    def _of(self, value: float) -> "Counted":
        Counted.done += 1
        return Counted(value)

    def __add__(self, other: "Counted") -> "Counted":
        return self._of(self.value + other.value)

    def __sub__(self, other: "Counted") -> "Counted":
        return self._of(self.value - other.value)

    def __mul__(self, other: "Counted") -> "Counted":
        return self._of(self.value * other.value)

    def __truediv__(self, other: "Counted") -> "Counted":
        return self._of(self.value / other.value)

    def root(self) -> "Counted":
        return self._of(self.value**0.5)


def one_step(inputs: int, units: int, questions: list[list[float]]) -> tuple[int, list[float], list[float]]:
    """A step as it is counted, on numbers that count: operations, gradients, first parameters; all units active."""
    start = iter(np.linspace(0.1, 1, inputs * units + 2 * units + 1))
    w, b, u, c = (
        [[Counted(next(start)) for _ in range(inputs)] for _ in range(units)],
        [Counted(next(start)) for _ in range(units)], [Counted(next(start)) for _ in range(units)],
        Counted(next(start)),
    )  # fmt: skip
    s = [[Counted(0.0) for _ in range(inputs + 1)] for _ in range(units)]
    total, weight = Counted(0.0), Counted(2 / len(questions))
    Counted.done = 0
    for question in questions:
        x, t = [Counted(value) for value in question], Counted(sum(question))
        o = c
        for i in range(units):
            z = b[i]
            for k in range(inputs):
                z = z + w[i][k] * x[k]
            o = o + u[i] * z
        d = (o - t) * weight
        total = total + d
        for i in range(units):
            s[i][-1] = s[i][-1] + d
            for k in range(inputs):
                s[i][k] = s[i][k] + d * x[k]
    gradients = [u[i] * s[i][k] for i in range(units) for k in range(inputs)] + [u[i] * s[i][-1] for i in range(units)]
    for i in range(units):
        g = b[i] * s[i][-1]
        for k in range(inputs):
            g = g + w[i][k] * s[i][k]
        gradients.append(g)
    gradients.append(total)
    parameters = [value for row in w for value in row] + b + u + [c]
    for p, g in zip(parameters, gradients, strict=True):
        beta1, rest1, beta2, rest2, rate, scale, eps = (Counted(value) for value in (0.9, 0.1, 0.999, 0.001, 1, 1, 1))
        m = beta1 * Counted(0) + rest1 * g
        v = beta2 * Counted(0) + rest2 * g * g
        _ = p - rate * (m / (v.root() * scale + eps))
    return Counted.done, [g.value for g in gradients], [p.value for p in parameters]


@pytest.mark.parametrize(("inputs", "units"), [(2, 5), (3, 8)])
def test_operations_are_counted_as_they_are_done(inputs: int, units: int) -> None:
    questions = [[float(q + k) for k in range(inputs)] for q in range(7)]
    done, gradients, start = one_step(inputs, units, questions)
    assert done == flops.run(7, steps=1, inputs=inputs, units=units)
    p = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    w, b, u, c = p.split([inputs * units, units, units, 1])
    x = torch.tensor(questions, dtype=torch.float64)
    loss = ((torch.relu(x @ w.reshape(units, inputs).T + b) @ u + c - x.sum(dim=1)) ** 2).mean()
    (wanted,) = torch.autograd.grad(loss, p)
    assert gradients == pytest.approx(wanted.tolist())


@pytest.mark.parametrize(("inputs", "units"), [(2, 5), (3, 8)])
def test_operations_of_a_step_made_of_moments_are_counted_as_they_are_done(inputs: int, units: int) -> None:
    """All units are on, so that every feature of a question is there; M and v are made beforehand."""
    random = np.random.default_rng(0)
    x = np.hstack([random.random((7, inputs)), np.ones((7, 1))])
    w, above, last, truth = random.random((units, inputs + 1)), random.random(units), 0.3, x[:, :inputs].sum(axis=1)
    phi = np.hstack([np.tile(x, units), np.ones((7, 1))])
    moments, v = 2 * phi.T @ phi, -2 * phi.T @ truth
    Counted.done = 0
    u = [Counted(a) * Counted(b) for a, b in zip(above.repeat(inputs + 1), w.ravel(), strict=True)] + [Counted(last)]
    sums = []
    for row, each in zip(moments, v, strict=True):
        total = Counted(row[0]) * u[0]
        for m, part in zip(row[1:], u[1:], strict=True):
            total = total + Counted(m) * part
        sums.append(total * Counted(1 / 7) + Counted(each) * Counted(1 / 7))
    block = inputs + 1
    inner = [s * Counted(above[i // block]) for i, s in enumerate(sums[:-1])]
    along = [s * Counted(b) for s, b in zip(sums[:-1], w.ravel(), strict=True)]
    outer = [sum_of(along[i * block : (i + 1) * block]) for i in range(units)]
    gradients = Counted.done
    moved = units * block
    assert gradients + flops.adam(units * (inputs + 2) + 1) + moved == flops.by_moments(1, inputs, units)
    tensors = [torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in (w, above)]
    o = torch.relu(torch.tensor(x) @ tensors[0].T) @ tensors[1] + last
    wanted = torch.autograd.grad(torch.mean((o - torch.tensor(truth)) ** 2), tensors)
    assert [g.value for g in inner] == pytest.approx(wanted[0].ravel().tolist())
    assert [g.value for g in outer] == pytest.approx(wanted[1].tolist())


def sum_of(numbers: list[Counted]) -> Counted:
    total = numbers[0]
    for number in numbers[1:]:
        total = total + number
    return total


def test_the_fraction_of_the_peak() -> None:
    assert runs.fraction(None, 100.0, 10**6) is None
    assert runs.fraction(1e3, None, 10**6) is None
    assert runs.fraction(1e3, 100.0, 10**6) == pytest.approx(0.01)


def test_the_a2c_setting_is_quick_but_learns() -> None:
    tried = [{"error": 0.4, "rate": 500.0}, {"error": 0.6, "rate": 2000.0}, {"error": 0.61, "rate": 5000.0}]
    assert a2c.chosen(tried)["rate"] == 2000


def found() -> dict[str, Any]:
    """A made-up result with gaps, as of a run without JAX."""
    error = {"runs": 8, "lower": 0.0005, "median": 0.0021, "upper": 0.3, "solved": 0.953}
    add: dict[str, Any] = {name: {"rate": None, "reason": "jax is not there"} for name in runs.SPEEDS}
    add |= {"eager": {"rate": 2.4, "error": error}, "compiled_distinct": {"rate": 9876.0, "error": error}}
    point = {"axis": "runs", "value": 1_000_000, "runs": 1_000_000}
    return {
        **{name: add[name]["rate"] for name in runs.SPEEDS},
        "fma_fraction": 0.3, "reinforce": 1.2e7, "sb3_a2c": 1500.0,
        "growth": [{**point, "seconds": None, "peak_memory_mib": None, "skipped": "expected to take 900 s",
                    "expected_seconds": 900.0}],
        "details": {
            "machine": {"cores": 2, "architecture": "x86_64", "instructions": "AVX-512", "system": "Linux",
                        "versions": {"python": "3.11", "jax": None}},
            "add": add, "peak": {"gflops": 200.0, "gflops_one_core": 100.0},
            "networks": {"2-16-1": {"jax": {"rate": None}, "compiled": {"rate": 100.0}}},
            "sb3_a2c": {"rate": 1500.0, "steps": 10_000, "error": 0.3},
            "reinforce": {"rate": 1.2e7, "steps": 300_000, "error": 0.06},
            "shipped": {"add": {"first_use": 1.2, "new_process": 0.31, "runs": 0.12}, "knob": "not yet"},
        },
    }  # fmt: skip


def test_the_table_for_the_terminal() -> None:
    text = report.text(found(), ENGLISH)
    assert "`compiled_distinct`  Glassgrad, distinct questions      9,880" in text
    assert "4,120" in text  # times the plain script
    assert "0.0021 (0.0005 … 0.3)" in text
    assert "2 cores; x86_64; AVX-512; Linux; python 3.11; measured peak 200" in text
    assert "skipped: about 900 s" in text
    assert ["add", "1.20", "0.31", "0.12"] in [line.split() for line in text.splitlines()]
    assert "None" not in text


def test_the_page_is_filled_between_its_marks(tmp_path: Path) -> None:
    for name, words in (("speed.md", ENGLISH), ("speed.zh.md", CHINESE)):
        page = tmp_path / name
        page.write_text("before\n<!-- measured -->\nold\n<!-- /measured -->\nafter\n", encoding="utf-8")
        for _ in range(2):
            report.fill(page, found(), words_for(page))
        text = page.read_text(encoding="utf-8")
        assert text.startswith("before\n<!-- measured -->\n")
        assert text.endswith("<!-- /measured -->\nafter\n")
        assert "old" not in text
        assert f"| {words.names['eager']} |" in text
    with pytest.raises(ValueError, match="measured"):
        report.fill(_empty(tmp_path), found(), ENGLISH)


def _empty(folder: Path) -> Path:
    page = folder / "empty.md"
    page.write_text("", encoding="utf-8")
    return page


def test_both_languages_name_the_same() -> None:
    assert ENGLISH.names.keys() == CHINESE.names.keys() >= set(runs.SPEEDS)
    assert ENGLISH.axes.keys() == CHINESE.axes.keys() == growth.AXES.keys()
    for head in ("speeds", "networks", "learning", "growth", "shipped"):
        assert len(getattr(ENGLISH, head)) == len(getattr(CHINESE, head))


@pytest.mark.parametrize("page", ["docs/speed.md", "docs/speed.zh.md"])
def test_the_pages_have_their_marks(page: str) -> None:
    text = (Path(runs.__file__).parents[1] / page).read_text(encoding="utf-8")
    assert len(report.BLOCK.findall(text)) == 1


def test_what_is_missing_is_left_out_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.worker.installed", lambda module: False)
    said: list[str] = []
    assert contest({"jax_vmap": {"module": "jax_vmap"}}, True, 1, 0.1, said.append) == {
        "jax_vmap": {"rate": None, "reason": "jax is not there"}
    }
    assert any("left out" in each for each in said)


def test_growth_skips_what_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "installed", lambda module: True)
    monkeypatch.setattr(growth, "piece", lambda name, axis, value: {"seconds": value / 1e3, "peak_memory_mib": 1.0})
    entries = growth.measure(50, lambda said: None)
    assert {(each["axis"], each["value"]) for each in entries if "skipped" in each} == {
        ("runs", 100_000), ("runs", 1_000_000), ("samples", 100_000), ("steps", 100_000),
    }  # fmt: skip
    assert all(each.keys() >= {"axis", "value", "seconds", "peak_memory_mib"} for each in entries)
    monkeypatch.setattr(growth, "installed", lambda module: False)
    assert growth.measure(50, lambda said: None) == []


@pytest.mark.parametrize("axis", growth.AXES)
def test_growth_points_are_experiments(axis: str) -> None:
    for value in growth.AXES[axis]:
        number, settings = growth.experiment_of(axis, value)
        shipped("add").change(**settings)
        assert number > 0


def test_pieces_are_there() -> None:
    for name, (function, _) in piece.PIECES.items():
        module = sys.modules.get(f"bench.{name}") or __import__(f"bench.{name}", fromlist=[function])
        assert callable(getattr(module, function))
    with pytest.raises(KeyError):
        piece.run("nothing", [])


def test_the_command_says_what_it_can() -> None:
    done = subprocess.run([sys.executable, "-m", "bench", "--help"], capture_output=True, text=True, check=True)
    assert "runs" in done.stdout
    assert "growth" in done.stdout


def test_results_are_json() -> None:
    assert json.loads(json.dumps(finite(found()), allow_nan=False))["eager"] == 2.4


def test_the_compiled_engine_is_asked_as_it_can_be() -> None:
    pytest.importorskip("glassgrad.engines.compiled")
    variant = compiled.variant(8, {"steps": 20}, distinct=True)
    outcome = variant.judge(variant.train(range(8)))
    assert outcome.error.shape == outcome.solved.shape == (8,)
