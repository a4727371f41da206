"""The part on reward: its numbers are those of PyTorch and of the runs; its text fits 80 columns in both languages."""

import doctest
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.cells import cell_len

import glassgrad as gg
import plainly
from glassgrad.draws import Floats
from glassgrad.equations import plain_number
from glassgrad.locale import LANGUAGES, Language, Text, set_language
from glassgrad.report import by_reward as parts
from glassgrad.report import by_reward_tools as measured
from glassgrad.report.by_reward import STEP, ByReward, Told, by_reward
from glassgrad.report.by_reward_json import by_reward_json
from glassgrad.report.by_reward_text import by_reward_lines, paragraph, told_lines
from glassgrad.report.labels_and_reward import LabelsAndReward, labels_and_reward
from glassgrad.runs import train_slowly


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    set_language("en")
    yield
    set_language("en")


@pytest.fixture(scope="module")
def found() -> ByReward:
    return by_reward()


@pytest.fixture(scope="module")
def labels() -> LabelsAndReward:
    """A few short runs, on PyTorch."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("glassgrad.ends.last_parameters", plainly.last_parameters)
        return labels_and_reward(3, train=train_slowly, steps=20)


def lines(found: ByReward, labels: LabelsAndReward, language: Language) -> list[str]:
    set_language(language)
    return [line for _, line in by_reward_lines(found, labels)]


# One step.


def by_autograd(found: ByReward) -> dict[str, Any]:
    """The step as a plain script would compute it, from the run's parameters, questions and noise."""
    record = found.run.record
    start = {name: torch.tensor(array, dtype=torch.float64) for name, array in record.parameters_at(STEP).items()}
    moment = record.moment(STEP)
    assert moment.noise is not None
    assert record.reward is not None
    x, t, noise = (torch.tensor(array, dtype=torch.float64) for array in (moment.inputs, moment.truth, moment.noise))
    weight = start["W2"].requires_grad_()
    hidden = torch.relu(x @ start["W1"].T + start["b1"])
    o = (hidden @ weight.T + start["b2"])[:, 0]
    o.retain_grad()
    a = o.detach() + 0.5 * noise
    reward = -torch.abs(a - t)
    baseline = 0.0
    for mean in record.reward[: STEP - 1]:
        baseline = 0.9 * baseline + 0.1 * float(mean)
    logp = torch.distributions.Normal(o, 0.5).log_prob(a)
    (-(reward - baseline) * logp).mean().backward()
    assert o.grad is not None
    assert weight.grad is not None
    one = {"noise": noise, "a": a, "logp": logp, "reward": reward, "reward - baseline": reward - baseline}
    numbers = {name: float(array[0].detach()) for name, array in one.items()}
    arrives = o.grad.numpy() * len(t)
    right = -arrives * (t.numpy() - o.detach().numpy()) > 0
    numbers |= {"baseline": baseline, "dz2": float(arrives[0])}
    return {**numbers, "dW2": weight.grad[0].numpy(), "right": int(right.sum()), "hidden": hidden[0].detach().numpy()}


def test_the_numbers_of_the_step_are_autograds(found: ByReward) -> None:
    expected = by_autograd(found)
    told = {one.name or one.symbolic: one for one in parts.told(found)}
    *names, weight = told
    assert names == ["noise", "a", "logp", "reward", "baseline", "reward - baseline", "dz2"]
    for name in names:
        assert told[name].value == pytest.approx(expected[name], rel=1e-4, abs=1e-6), name
    unit = int(np.argmax(expected["hidden"]))
    assert weight == f"dW2_1_a1_{unit + 1}"
    assert told[weight].value == pytest.approx(expected["dW2"][unit], rel=1e-4)
    assert f"{expected['right']} move their output" in parts.ways(found).en
    assert found.run.check.passed


def test_the_readme_tells_of_this_step(found: ByReward) -> None:
    right = by_autograd(found)["right"]
    samples = len(found.step.moment.inputs)
    for name, said in (("README.md", "{} of its {} samples"), ("README.zh.md", "{1} 个样本里，{0} 个")):
        text = (Path(__file__).parents[1] / name).read_text(encoding="utf-8")
        assert said.format(right, samples) in text
        assert f"--steps {STEP} --every {STEP - 1} --full" in text


def test_it_is_the_first_step_that_begins_with_five_and_three(found: ByReward) -> None:
    first = [tuple(found.run.record.batch(step)[0][0]) for step in range(1, STEP + 1)]
    assert first.index((5.0, 3.0)) == STEP - 1


def test_every_equation_of_the_step_is_the_runs(found: ByReward) -> None:
    for one in parts.told(found):
        if one.symbolic and one.name:
            equation = found.step.equation(one.name)
            assert (one.symbolic, one.substituted) == (equation.symbolic, equation.substituted)
    advantage = next(one for one in parts.told(found) if one.symbolic == "reward - baseline")
    assert f"-stop({advantage.substituted})" == found.step.equation("dlogp").substituted
    assert advantage.value == -found.step.equation("dlogp").value


@pytest.mark.parametrize(("advantage", "arrives", "said"), [
    (1.0, 0.5, "more than usual, so this sample draws the output towards it: down"),
    (1.0, -0.5, "more than usual, so this sample draws the output towards it: up"),
    (-1.0, 0.5, "less than usual, so this sample pushes the output away from it: down"),
])  # fmt: skip
def test_which_way_a_sample_moves_the_output_is_read_from_its_numbers(
    found: ByReward, monkeypatch: pytest.MonkeyPatch, advantage: float, arrives: float, said: str
) -> None:
    value = ByReward.value
    real = parts._advantage(found)
    monkeypatch.setattr(parts, "_advantage", lambda found: replace(real, value=advantage))
    monkeypatch.setattr(ByReward, "value", lambda self, name: arrives if name == "dz2" else value(self, name))
    assert said in parts.moves(found).en


def test_who_sees_what(found: ByReward) -> None:
    rows = parts.seen(found)
    assert [(row.plain.en, row.visible) for row in rows] == [
        ("the question", True), ("how it answers", True), ("the answer it tries", True), ("what it earned", True),
        ("the right answer", False), ("the reward's formula", False),
    ]  # fmt: skip
    assert rows[0].here.en == "5 + 3"
    assert rows[4].here.en == "t = 8"
    assert rows[3].here.en == plain_number(found.value("reward"))


def test_the_picture_of_the_policy_is_a_normal_distribution(found: ByReward) -> None:
    drawn = parts.curve(found)
    x, y = (np.array(drawn[name]) for name in "xy")
    assert abs(x[np.argmax(y)] - drawn["o"]) < x[1] - x[0]
    at_sigma: Floats = np.interp([drawn["o"] - drawn["sigma"], drawn["o"] + drawn["sigma"]], x, y)
    assert at_sigma == pytest.approx(np.exp(-0.5), abs=1e-3)
    assert all(x[0] < drawn[name] < x[-1] for name in "oat")


def test_the_examples_run() -> None:
    assert doctest.testmod(parts).failed == 0


# Estimators, verdicts, tools.


def test_the_estimators_are_those_of_the_command(found: ByReward) -> None:
    rows = {row.name: row for row in measured.estimated(found)}
    rounded = gg.estimators(reward="-abs(round(a) - t)")
    for name, row in rows.items():
        assert row.stepped == rounded[name].columns[0]
    assert rows["pathwise"].verdicts == ("none", "all")
    assert rows["pathwise"].stepped.mean == 0
    assert rows["reinforce"].verdicts == rows["baseline"].verdicts == ("none", "none")
    assert rows["log_output"].smooth.mean < 0 < rows["log_output"].smooth.exact


def test_the_verdicts_are_the_judges(found: ByReward) -> None:
    rows = list(measured.verdicts(found))
    assert [(row.name, row.verdict) for row in rows] == [
        ("add", "labels"), ("add-through-reward", "derivative"), ("add-reinforce", "observed"), ("knob", "neither"),
    ]  # fmt: skip
    assert rows[3].climbs.en == "climbs the integral of r/o, to o = 0 or 1 (wrong)"
    assert "reward + 1 turns the update at o = 0.5 from -1 to 1" in rows[3].evidence.en
    assert rows[1].evidence.en.endswith("changes by 100 %")
    assert not [row for row in rows if "–" in row.evidence.en]


def test_the_tools_cost_what_the_comparison_measured(found: ByReward, labels: LabelsAndReward) -> None:
    by_labels, through, observed, steps, neither = measured.tools(found, labels)
    for tool, ending in ((by_labels, ""), (through, "-through-reward"), (observed, "-reinforce")):
        add, sub = labels["add" + ending], labels["sub" + ending]
        assert f"{add.samples:,} questions" in tool.why.en
        assert f"add {100 * add.row.rate.value:.1f} %, sub {100 * sub.row.rate.value:.1f} %" in tool.why.en
    times = labels["add-reinforce"].samples / labels["add"].samples
    assert f"{times:.0f} times as many" in observed.why.en
    assert f"is {found.stepped.exact[0]:.4f}" in steps.why.en
    assert "100 % of the knob's runs" in neither.why.en
    assert "add: adam(lr=0.1); add-through-reward: adam(lr=0.01)" in measured.settings(labels).en


# The text.


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_line_is_wider_than_80_columns(found: ByReward, labels: LabelsAndReward, language: Language) -> None:
    assert [line for line in lines(found, labels, language) if cell_len(line) > 80] == []
    assert not [line for line in lines(found, labels, language) if line.lstrip()[:1] in ("，", "。", "；", "：", "、")]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_text_has_every_number_of_the_step(found: ByReward, labels: LabelsAndReward, language: Language) -> None:
    text = lines(found, labels, language)
    for one in parts.told(found):
        assert getattr(one.words, language) in "\n".join(text)
        told = [line for line in text if line.endswith(f" = {plain_number(one.value)}")]
        assert [line for line in told if one.substituted in line], one.words.en
    whole = re.sub(r"\s", "", "".join(text))
    for row in measured.verdicts(found):
        for said in (row.learns, row.climbs, row.evidence):
            assert re.sub(r"\s", "", getattr(said, language)) in whole
    for tool in measured.tools(found, labels):
        assert re.sub(r"\s", "", getattr(tool.why, language)) in whole
    assert "…" not in "".join(line for line in text if " ± " in line)


def test_a_long_formula_has_its_numbers_below() -> None:
    short = Told(Text("", ""), "a", "o + 1", "2 + 1", 3.0, "")
    assert told_lines(short) == ["a = o + 1 = 2 + 1 = 3"]
    assert told_lines(short, 15) == ["a = o + 1", "= 2 + 1 = 3"]


@pytest.mark.parametrize(
    ("said", "broken"),
    [
        ("a word " * 12, [" ".join(["a word"] * 11) + " a", "word"]),
        ("数" * 40 + "，后面", ["数" * 39, "数，后面"]),
        ("数" * 38 + "（ab）后", ["数" * 38, "（ab）后"]),
        ("数" * 37 + " reinforce 数", ["数" * 37, "reinforce 数"]),
    ],
)
def test_a_paragraph_breaks_where_its_language_may(said: str, broken: list[str]) -> None:
    assert [line for _, line in paragraph(said)] == broken


# The page.


def test_what_the_page_is_given_is_the_same(found: ByReward, labels: LabelsAndReward) -> None:
    given = by_reward_json(found, labels)
    assert [one["value"] for one in given["told"]] == [one.value for one in parts.told(found)]
    assert given["estimators"][2]["columns"][1]["said"] == {"en": "all bias", "zh": "全是偏差"}
    assert given["moves"] == parts.moves(found)._asdict()
    assert len(given["verdicts"]) == 4
    assert len(given["tools"]) == 5
    assert given["checked"] is True
