"""A watched run: the contract's lines of text and its JSON, against the numbers of a plain script."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import glassgrad as gg
from glassgrad.equations import MOST
from glassgrad.errors import ExperimentError
from glassgrad.locale import set_language
from glassgrad.tables.experiments import EXPERIMENTS
from glassgrad.watched import Watch

NUMBER = r"-?(?:\d+\.\d{4}|inf|nan)"
Json = dict[str, Any]


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    set_language("en")
    yield
    set_language("en")


@pytest.fixture(scope="module")
def add() -> Watch:
    return gg.watch("add", seed=5, steps=45, samples=300, every=20)


def plain_add(seed: int, steps: int, samples: int, every: int) -> tuple[list[str], nn.Module]:
    """The plain script, printing as a reader's script would."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        hidden, output = nn.Linear(2, 5), nn.Linear(5, 1)
    questions = np.random.RandomState(seed).randint(0, 10, (samples, 2))
    x = torch.tensor(questions, dtype=torch.float32)
    t = torch.tensor(questions.sum(1), dtype=torch.float32).unsqueeze(1)
    model = nn.Sequential(hidden, nn.ReLU(), output)
    optimizer, printed, threads = torch.optim.Adam(model.parameters(), lr=0.1), list[str](), torch.get_num_threads()
    torch.set_num_threads(1)
    for step in range(1, steps + 1):
        loss = nn.functional.mse_loss(model(x), t)
        optimizer.zero_grad()
        loss.backward()
        if (step - 1) % every == 0:
            printed += [
                f"Epoch {step}: Loss = {loss.item():.4f}",
                *formulas(hidden, output),
                *gradients(hidden, output),
            ]
        optimizer.step()
    torch.set_num_threads(threads)
    return printed, model


def formulas(hidden: nn.Linear, output: nn.Linear) -> Iterator[str]:
    for i in range(5):
        w1, w2 = hidden.weight[i].tolist()
        yield f"z1_{i + 1} = {w1:.4f} * x1 + {w2:.4f} * x2 + {hidden.bias[i].item():.4f}"
    terms = " + ".join(f"{w:.4f} * a1_{i}" for i, w in enumerate(output.weight[0].tolist(), 1))
    yield f"z2 = {terms} + {output.bias.item():.4f}"


def gradients(hidden: nn.Linear, output: nn.Linear) -> Iterator[str]:
    grads = [p.grad.tolist() for p in (hidden.weight, hidden.bias, output.weight, output.bias) if p.grad is not None]
    for i in range(5):
        yield f"dW1_{i + 1}_x1 = {grads[0][i][0]:.4f}, dW1_{i + 1}_x2 = {grads[0][i][1]:.4f}"
        yield f"dB1_{i + 1} = {grads[1][i]:.4f}"
    yield ", ".join(f"dW2_1_a1_{i} = {value:.4f}" for i, value in enumerate(grads[2][0], 1))
    yield f"dB2_1 = {grads[3][0]:.4f}"


def contract_lines(text: str) -> list[str]:
    """The lines of a shown step, in their order."""
    wanted = rf"Epoch \d+: Loss = {NUMBER}|Reward = {NUMBER}|(z\d(_\d+)?|d[WB]\d_\w+) = {NUMBER}.*"
    before_the_end = text.partition("\nBehind one number")[0].partition("\nAfter ")[0]
    return [line for line in before_the_end.splitlines() if re.fullmatch(wanted, line)]


# The text.


@pytest.mark.parametrize(
    ("seed", "steps", "samples", "every"), [(0, 101, 1000, 100), (31, 7, 10, 1), (2**32 - 1, 25, 100, 8), (8, 1, 1, 5)]
)
def test_the_lines_are_the_plain_scripts(seed: int, steps: int, samples: int, every: int) -> None:
    run = gg.watch("add", seed=seed, steps=steps, samples=samples, every=every)
    printed, model = plain_add(seed, steps, samples, every)
    text = run.to_text()
    assert contract_lines(text) == printed
    final = text.split(f"After {steps} steps:\n")[1].splitlines()
    assert final[:6] == list(formulas(model[0], model[2]))  # type: ignore[index]
    with torch.no_grad():
        for one, two in ((5, 3), (12, 30), (0, 0)):
            answer = model(torch.tensor([[float(one), float(two)]])).item()
            shown = next(line for line in final if re.fullmatch(rf"{one} \+ {two} = -?\d+\.\d\d", line))
            assert float(shown.split("= ")[1]) == pytest.approx(answer, abs=0.0051)


def test_a_reward_stands_below_the_loss() -> None:
    run = gg.watch("add-through-reward", steps=9, every=4)
    lines = contract_lines(run.to_text())
    assert run.record.reward is not None
    epochs = [i for i, line in enumerate(lines) if line.startswith("Epoch")]
    assert [lines[i].split(":")[0] for i in epochs] == ["Epoch 1", "Epoch 5", "Epoch 9"]
    for i, step in zip(epochs, run.shown, strict=True):
        assert lines[i] == f"Epoch {step}: Loss = {run.record.loss[step - 1]:.4f}"
        assert lines[i + 1] == f"Reward = {run.record.reward[step - 1]:.4f}"
        assert lines[i + 2].startswith("z1_1 = ")


def test_no_reward_no_line() -> None:
    assert not any(line.startswith("Reward") for line in contract_lines(gg.watch("add", steps=2).to_text()))


def test_other_shapes_of_networks_print_the_same_forms() -> None:
    assert contract_lines(gg.watch("add-linear", steps=1).to_text())[1:] == [
        line for line in contract_lines(gg.watch("add-linear", steps=1).to_text()) if not line.startswith("Epoch")
    ]
    deep = contract_lines(gg.watch("add", network="2-3-2-1", steps=1).to_text())
    heads = [line.split(" = ")[0] for line in deep[1:]]
    assert heads == ["z1_1", "z1_2", "z1_3", "z2_1", "z2_2", "z3",
                     "dW1_1_x1", "dB1_1", "dW1_2_x1", "dB1_2", "dW1_3_x1", "dB1_3",
                     "dW2_1_a1_1", "dB2_1", "dW2_2_a1_1", "dB2_2", "dW3_1_a2_1", "dB3_1"]  # fmt: skip
    knob = gg.watch("knob", steps=1).to_text()
    assert re.search(rf"^z1 = {NUMBER} \* x1 \+ {NUMBER}$", knob, re.MULTILINE)
    assert "\no = sigmoid(z1)\n" in knob


def test_the_contracts_lines_are_the_same_in_chinese(add: Watch) -> None:
    english = add.to_text()
    set_language("zh")
    chinese = add.to_text()
    assert contract_lines(chinese) == contract_lines(english)
    assert "After 45 steps:" in chinese
    assert [line for line in chinese.splitlines() if re.fullmatch(r"\d+ \+ \d+ = -?\d+\.\d\d", line)] == [
        line for line in english.splitlines() if re.fullmatch(r"\d+ \+ \d+ = -?\d+\.\d\d", line)
    ]


def test_full_text_has_every_equation_and_graph_draws_the_cut() -> None:
    from glassgrad.report.watch_text import watch_text

    run = gg.watch("knob", steps=2, every=1)
    full = watch_text(run, full=True)
    for equation in run.step(2).equations:
        assert f"  {equation.name} = {equation.symbolic}" in full
    graph = watch_text(run, graph=True)
    assert len(graph) > len(run.to_text())


def test_questions_are_worked_out_unit_by_unit() -> None:
    run = gg.watch("add", steps=50, ask=["12 + 30", "7+8"])
    assert [test.question for test in run.tests] == ["12 + 30", "7 + 8"]
    final = run.record.final
    text = run.to_text()
    block = text.split("12 + 30: ")[1].split("12 + 30 = ")[0]
    for i in range(5):
        z = final["W1"][i].astype(float) @ [12, 30] + float(final["b1"][i])
        assert re.search(rf"z1_{i + 1} = .* = {re.escape(f'{z:.4f}')} ", block)
        assert f"a1_{i + 1} = {max(z, 0):.4f}" in block


def test_sub_answers_outside_too() -> None:
    assert [test.question for test in gg.watch("sub", steps=1).tests] == ["5 - 3", "3 - 5", "30 - 12", "0 - 0"]


def test_a_large_network_is_shown_without_its_equations() -> None:
    run = gg.watch("add", network="2-70-70-1", steps=2, samples=5)
    assert run.too_large
    text = run.to_text()
    assert "Epoch 1: Loss = " in text
    assert "z1_32 = " in text
    assert "z1_33 = " not in text
    assert "Not checked" in text
    for refuse in (run.to_json, run.to_html):
        with pytest.raises(ExperimentError, match="smaller"):
            refuse()


def test_a_huge_network_is_refused_without_waiting() -> None:
    run = gg.watch("add", network="2-256-256-256-256-1", steps=1, samples=2)
    with pytest.raises(ExperimentError):
        run.to_json()


# The JSON.


def strict(text: str) -> Json:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    found: Json = json.loads(text, parse_constant=refuse)
    return found


def as_json(run: Watch) -> Json:
    return strict(json.dumps(run.to_json(), allow_nan=False))


KEYS = {
    "": {"experiment", "status", "steps", "final", "tests", "solved", "error", "check"},
    "step": {"step", "loss", "reward", "output", "parameters", "gradients", "update", "equations"},
    "equation": {"name", "symbolic", "substituted", "value", "latex"},
    "test": {"question", "truth", "answer"},
    "check": {"numbers", "largest_difference", "unchecked"},
}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_json_has_the_contracts_keys(name: str) -> None:
    run = gg.watch(name, steps=6, every=5)
    found = as_json(run)
    assert found.keys() >= KEYS[""]
    assert found["status"] == "finished"
    assert [step["step"] for step in found["steps"]] == [1, 2, 3, 4, 5, 6]
    shapes = run.of.network.shapes()
    for step in found["steps"]:
        assert step.keys() >= KEYS["step"]
        assert isinstance(step["loss"], float)
        assert isinstance(step["output"], float)
        assert (step["reward"] is None) == (run.experiment.reward is None)
        for part in ("parameters", "gradients", "update"):
            assert {key: np.shape(value) for key, value in step[part].items()} == shapes
        assert bool(step["equations"]) == (step["step"] in (1, 6))
        assert all(equation.keys() >= KEYS["equation"] for equation in step["equations"])
    assert found["final"]["parameters"].keys() == shapes.keys()
    assert all(test.keys() >= KEYS["test"] for test in found["tests"])
    assert isinstance(found["solved"], bool)
    assert found["error"].keys() == {"mean", "max"}
    assert found["check"].keys() >= KEYS["check"]
    assert found["check"]["unchecked"] == []
    assert found["check"]["numbers"] == sum(len(step["equations"]) for step in found["steps"])


def test_the_json_has_the_runs_numbers_to_the_last_digit(add: Watch) -> None:
    found, record = as_json(add), add.record
    for step in found["steps"]:
        number = step["step"]
        assert step["loss"] == record.loss[number - 1]
        for name, value in step["parameters"].items():
            before, after = record.parameters_at(number)[name], record.parameters_at(number + 1)[name]
            assert np.array_equal(np.array(value, np.float32), before)
            assert np.array_equal(np.array(step["update"][name], np.float32), after - before)
        for name, value in step["gradients"].items():
            assert np.array_equal(np.array(value, np.float32), record.moment(number).gradients[name])
        o = output_of(step["parameters"], record.inputs[0])
        assert step["output"] == pytest.approx(o, rel=1e-5)
    for name, value in found["final"]["parameters"].items():
        assert np.array_equal(np.array(value, np.float32), record.final[name])


def output_of(parameters: Mapping[str, Any], x: Any) -> float:
    hidden = np.maximum(np.array(parameters["W1"]) @ x + parameters["b1"], 0)
    return float((np.array(parameters["W2"]) @ hidden + parameters["b2"])[0])


def test_the_equations_of_the_json_are_checked_one_by_one(add: Watch) -> None:
    for step in as_json(add)["steps"]:
        for equation in step["equations"]:
            assert equation["checked"] is True
            assert 0 <= equation["difference"] <= 1e-5


def test_what_is_not_finite_is_null() -> None:
    found = as_json(gg.watch("add", objective="log(o - 5)", steps=4))
    assert found["status"].startswith("diverged at step 1: log(-")
    assert len(found["steps"]) == 1
    assert found["steps"][0]["loss"] is None
    values = {equation["name"]: equation for equation in found["steps"][0]["equations"]}
    assert values["L"]["value"] is None
    assert values["L"]["difference"] is None or values["L"]["difference"] <= 1e-5
    assert values["z2"]["value"] is not None
    knob = as_json(gg.watch("knob", steps=1000, seed=1, every=100))
    assert knob["status"].startswith("diverged at step 4")
    assert None in [step["loss"] for step in knob["steps"]] or None in knob["steps"][-1]["gradients"]["b1"]


def test_a_huge_learning_rate_gives_json_too() -> None:
    for optimizer in ("sgd(lr=1e9)", "w = w - log(0)*g", "w = w - 1e30*g"):
        found = as_json(gg.watch("add", optimizer=optimizer, steps=30))
        assert found["status"].startswith("diverged")
        assert found["solved"] is False


def test_too_many_equations_are_refused_with_what_would_do() -> None:
    run = gg.watch("add", steps=300, samples=20, every=1)
    with pytest.raises(ExperimentError) as caught:
        run.to_json()
    assert caught.value.key == "watch.too_many"
    every = caught.value.values["every"]
    assert isinstance(every, int)
    assert f"--every {every}" in str(caught.value)
    assert gg.watch("add", steps=300, samples=20, every=every).equations_count() <= MOST
    assert gg.watch("add", steps=300, samples=20, every=every - 1).equations_count() > MOST


def test_the_chosen_sample_is_shown() -> None:
    run = gg.watch("add", steps=3, samples=10, sample=7)
    found = as_json(run)
    x1, x2 = run.record.inputs[6]
    assert found["steps"][0]["sample"] == {"index": 6, "inputs": [x1, x2], "truth": x1 + x2}
    z = next(e for e in found["steps"][0]["equations"] if e["name"] == "z1_1")
    w = found["steps"][0]["parameters"]
    assert z["value"] == pytest.approx(np.dot(w["W1"][0], [x1, x2]) + w["b1"][0])


@pytest.mark.parametrize("sample", [0, -1, 11])
def test_a_sample_that_is_not_there_is_refused(sample: int) -> None:
    with pytest.raises(ExperimentError):
        gg.watch("add", steps=1, samples=10, sample=sample)


def test_a_last_batch_that_is_smaller_shows_its_last_sample() -> None:
    run = gg.watch("add", steps=8, samples=10, batch=3, sample=3, every=1)
    found = as_json(run)
    assert len(run.record.moment(4).inputs) == 1
    assert found["steps"][3]["output"] == pytest.approx(run.step(4).equation("z2").value, rel=1e-5)
    assert found["check"]["passed"]


@pytest.mark.parametrize("every", [0, -1])
def test_every_is_at_least_one(every: int) -> None:
    with pytest.raises(ExperimentError):
        gg.watch("add", steps=1, every=every)


def test_a_stopped_run_can_be_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(step: int, steps: int) -> None:
        raise KeyboardInterrupt

    clock = iter(range(10**7))
    monkeypatch.setattr("glassgrad.engines.torch.run.time.perf_counter", lambda: float(next(clock)))
    run = gg.watch("add", steps=50, progress=stop)
    monkeypatch.undo()
    assert run.record.status == "stopped at step 1"
    assert "After 1 steps:" in run.to_text()
    assert as_json(run)["status"] == "stopped at step 1"


def test_a_run_stopped_before_its_first_step_can_be_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("glassgrad.engines.torch.run._Run.advance", stop)
    run = gg.watch("add", steps=50)
    monkeypatch.undo()
    assert run.record.status == "stopped at step 0"
    assert run.shown == ()
    assert "After 0 steps:" in run.to_text()
    assert as_json(run)["steps"] == []


def test_a_plant_is_told() -> None:
    run = gg.watch("add", steps=2, plant="dW1")
    assert not run.check.passed
    assert "CHECK FAILED" in run.to_text()
    assert "dW1" in run.check.worst or "_W1_" in run.check.worst
    assert as_json(run)["check"]["passed"] is False


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk"])
def test_a_file_can_be_watched(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "账.csv"
    file.write_text("价格,数量,总价\n1,2,2\n3,4,12\n2.5,2,5\n7,1,7\n", encoding=encoding)
    run = gg.watch("add", data=str(file), held_out=0.25, steps=5)
    found = as_json(run)
    assert found["check"]["passed"]
    assert "总价" in run.to_text()


def test_the_page_is_one_file_that_asks_for_nothing(add: Watch) -> None:
    page = add.to_html()
    assert page.lstrip().lower().startswith("<!doctype html>")
    assert not re.search(r"""(src|href|url\(|action|import)\s*=?\s*["'(]?\s*(https?:)?//""", page)
    assert not re.search(r"\b(XMLHttpRequest|WebSocket|sendBeacon|EventSource)\b", page)
    assert re.search(r"""http-equiv="Content-Security-Policy" content="default-src 'none'""", page)
    assert "</script" in page
    assert add._repr_html_().startswith("<iframe")


def test_what_modules_are_imported_first_does_not_matter() -> None:
    """`gg.watch` is the function, also after its module has been imported."""
    import importlib

    for name in ("watched", "check", "exports", "report.page"):
        importlib.import_module(f"glassgrad.{name}")
    assert callable(gg.watch)
    assert callable(gg.export)
    assert isinstance(gg.Watch, type)


def test_a_run_is_drawn_with_one_call(tmp_path: Path) -> None:
    file = tmp_path / "run.svg"
    figure = gg.watch("knob", steps=20).plot(str(file))
    assert [len(axes.lines) for axes in figure.axes] == [1, 1]
    assert file.read_text(encoding="utf-8").startswith("<?xml")
    assert len(gg.watch("add-linear", steps=5).plot().axes) == 1
