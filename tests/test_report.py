"""The pieces of the demo's report: the kinds of feedback, the claims and their verdicts, the glossary, the lesson."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.stats
import torch

import glassgrad as gg
import plainly
from glassgrad.draws import normals
from glassgrad.engines.compiled import train_one
from glassgrad.engines.torch import train
from glassgrad.experiment import Experiment
from glassgrad.insight import answers
from glassgrad.locale import catalogue, set_language
from glassgrad.method import method
from glassgrad.record import Record
from glassgrad.report import claims as claims_module
from glassgrad.report import demo as demo_module
from glassgrad.report.by_reward import by_reward
from glassgrad.report.claims import Claim, knob_reaches, learned_to_add, reward_is_reinforcement, weights_approach_one
from glassgrad.report.demo import SHOWN, Demo, demo_lines
from glassgrad.report.feedback import KINDS, Feedback, feedback
from glassgrad.report.labels_and_reward import Entry, LabelsAndReward, labels_and_reward
from glassgrad.report.labels_text import cells, picture
from glassgrad.report.legend import legend
from glassgrad.report.page import page
from glassgrad.report.watch_json import finite
from glassgrad.runs import train_slowly
from glassgrad.statistics import Interval, wilson
from glassgrad.tables.experiments import EXPERIMENTS, shipped
from glassgrad.watched import Watch

Parameters = dict[str, Any]


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    set_language("en")
    yield
    set_language("en")


# The kinds of feedback.


def by_autograd(row: Feedback, seed: int) -> float:
    """dL/do of one question as PyTorch has it, for each kind written as in its script."""
    o = torch.tensor(row.output, dtype=torch.float64, requires_grad=True)
    t = row.truth
    if row.experiment == "add":
        loss = torch.nn.functional.mse_loss(o, torch.tensor(t, dtype=torch.float64))
    elif row.experiment == "add-through-reward":
        loss = torch.abs(o - t)
    elif row.experiment == "knob":
        loss = -(1 - 5 * abs(o.item() - t)) * torch.log(o)
    else:
        noise = next(float(n) for n in normals(seed, "noise", np.array([1]), 64)[0, :, 0] if abs(n) > 0.5)
        answer = o.item() + 0.5 * noise
        reward = -abs(answer - t)
        loss = -reward * torch.distributions.Normal(o, 0.5).log_prob(torch.tensor(answer, dtype=torch.float64))
    (gradient,) = torch.autograd.grad(loss, o)
    return gradient.item()


@pytest.mark.parametrize("seed", [0, 1, 7, 2**32 - 1])
@pytest.mark.parametrize("question", [(5, 3), (0, 0), (9, 9)])
def test_what_arrives_at_the_output_is_autograds(seed: int, question: tuple[float, ...]) -> None:
    rows = feedback(seed, question)
    assert tuple(row.experiment for row in rows) == KINDS
    for row in rows:
        assert row.value == pytest.approx(by_autograd(row, seed), rel=1e-9), row.experiment
        assert row.name.en
        assert row.name.zh
        assert row.reading.en != row.reading.zh
        assert row.knows.en != row.knows.zh


def test_the_table_reads_as_the_design_has_it() -> None:
    rows = feedback()
    assert [row.arrives for row in rows] == [
        "2*(o - t)", "sign(o - t)", "-stop(reward - baseline)*(a - o)/sigma**2", "-stop(reward)/o",
    ]  # fmt: skip
    assert rows[0].question == "5 + 3"
    assert rows[0].substituted == f"2*({round(rows[0].output, 4):.10g} - 8)"
    assert all(row.latex for row in rows)


def test_the_output_of_the_table_is_the_networks_before_training() -> None:
    for row in feedback(seed=4)[:3]:
        record = train(shipped(row.experiment).change(seed=4, steps=1))
        assert row.output == pytest.approx(
            float(answers(record.experiment, record.parameters_at(1), np.array([[5.0, 3.0]]))[0])
        )


# The claims: verdicts from numbers.


def ended_as(final: Callable[[Experiment], Parameters]) -> Callable[[Experiment, Sequence[int]], Iterator[Parameters]]:
    """Runs that end at given weights."""

    def run(experiment: Experiment, seeds: Sequence[int]) -> Iterator[Parameters]:
        for seed in seeds:
            yield final(experiment.change(seed=seed))

    return run


def verdict_of(
    monkeypatch: pytest.MonkeyPatch, claim: Callable[[], Claim], final: Callable[[Experiment], Parameters]
) -> Claim:
    monkeypatch.setattr(claims_module, "ends", ended_as(final))
    return claim()


def hidden(weight: float, share: float = 1.0) -> Parameters:
    """Five units that pass x1 + x2, `share` of the sum each."""
    return {
        "W1": np.full((5, 2), weight), "b1": np.zeros(5), "W2": np.full((1, 5), share), "b2": np.zeros(1),
    }  # fmt: skip


def linear(one: float, two: float = 1.0) -> Parameters:
    return {"W1": np.array([[one, two]]), "b1": np.zeros(1)}


@pytest.mark.parametrize(
    ("units", "without", "verdict"),
    [
        (hidden(1.0), linear(1.0), "true"),  # every single weight is 1
        (hidden(0.5, 0.4), linear(1.0), "partly"),  # local slopes are 1, and the network without units
        (hidden(0.5, 0.4), linear(2.0), "partly"),  # local slopes alone
        (hidden(0.5, 0.3), linear(1.0), "partly"),  # without units alone
        (hidden(0.5, 0.3), linear(1.0, 1.06), "false"),
    ],
)
def test_whether_the_weights_approach_one(
    monkeypatch: pytest.MonkeyPatch, units: Parameters, without: Parameters, verdict: str
) -> None:
    found = verdict_of(
        monkeypatch, lambda: weights_approach_one(2), lambda e: without if e.name == "add-linear" else units
    )
    assert found.verdict == verdict
    assert found.measured.en.startswith("Of the single weights of 2 trained networks, ")
    assert found.claim.en != found.claim.zh


@pytest.mark.parametrize(
    ("outputs", "verdict", "numbers"),
    [
        ([0.0, 1.0, 0.0], "false", ("0 end within", "2 end below", "1 above")),
        ([0.8, 0.81, 0.79], "true", ()), ([0.8, 0.0, 1.0], "partly", ()),
        ([0.74, 0.86, 0.0], "false", ()), ([0.76, 0.84, 0.8], "true", ()),
    ],
)  # fmt: skip
def test_where_the_knob_ends(
    monkeypatch: pytest.MonkeyPatch, outputs: list[float], verdict: str, numbers: tuple[str, ...]
) -> None:
    def final(experiment: Experiment) -> Parameters:
        o = np.clip(outputs[experiment.seed], 1e-12, 1 - 1e-12)
        return {"W1": np.zeros((1, 1)), "b1": np.array([np.log(o / (1 - o))])}

    found = verdict_of(monkeypatch, lambda: knob_reaches(3), final)
    assert found.verdict == verdict
    assert all(number in found.measured.en for number in numbers)


@pytest.mark.parametrize(
    ("add", "sub", "verdict"),
    [
        ((1000, 0.2), (1000, 0.4), "true"),
        ((1000, 0.2), (1000, 0.6), "partly"),  # right inside, not outside
        ((999, 0.2), (1000, 0.4), "partly"),  # one run did not learn
        ((12, 3.0), (0, 8.0), "partly"),
        ((0, 0.2), (0, 0.2), "false"),
    ],
)
def test_whether_it_has_learned_to_add(
    compared: LabelsAndReward, add: tuple[int, float], sub: tuple[int, float], verdict: str
) -> None:
    found = learned_to_add(ending(compared, {"add": add, "sub": sub}))
    assert found.verdict == verdict
    for solved, far in (add, sub):
        low, high = scipy.stats.binomtest(solved, 1000).proportion_ci(0.95, method="wilson")
        share = f"{solved / 10:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"
        assert f"{solved:,}" in found.measured.en
        assert share in found.measured.en
        assert share.replace(" %", "%") in found.measured.zh
        middle, least, most = (f"{value:#.2g}".rstrip(".") for value in (far, far / 2, 2 * far))
        assert f"{middle} [{least}, {most}]" in found.measured.en


def ending(found: LabelsAndReward, as_: dict[str, tuple[int, float]]) -> LabelsAndReward:
    """The comparison, had so many of 1,000 runs been solved, and had they been so far off outside."""

    def changed(entry: Entry) -> Entry:
        if entry.experiment.name not in as_:
            return entry
        solved, far = as_[entry.experiment.name]
        row = replace(entry.row, runs=1000, solved=solved, rate=wilson(solved, 1000))
        return replace(entry, row=row, outside=Interval(far, far / 2, 2 * far))

    return replace(found, entries=tuple(map(changed, found.entries)))


@pytest.mark.slow
def test_the_claims_say_what_the_runs_say() -> None:
    """Each number of a sentence, from runs that are trained one by one."""
    records = {name: [train_one(shipped(name).change(seed=seed)) for seed in range(20)] for name in ("add", "knob")}
    at = np.array([sigmoid(float(r.final["W1"][0, 0] + r.final["b1"][0])) for r in records["knob"]])
    below, above = int(np.sum(at < 0.75)), int(np.sum(at > 0.85))
    assert f"; {below} end below, {5 * below:.1f} % [" in knob_reaches(20).measured.en
    assert f"], and {above} above." in knob_reaches(20).measured.en
    single, local = [], []
    for record in records["add"]:
        weights = np.concatenate([record.final["W1"].ravel(), record.final["W2"].ravel()])
        single.append(np.mean(abs(weights - 1) < 0.05))
        domain = method(record.experiment).task.domain()
        on = (domain @ record.final["W1"].T.astype(np.float64) + record.final["b1"]) > 0
        slopes = (on * record.final["W2"].astype(np.float64)) @ record.final["W1"].astype(np.float64)
        local.append(np.mean(np.all(abs(slopes - 1) < 0.05, axis=1)))
    said = weights_approach_one(20).measured.en
    assert f", {share(single)} are within" in said
    assert f" around {share(local)} of all questions" in said
    assert "20 of 20 runs, 100.0 % [83.9, 100.0]." in said


def share(values: Sequence[Any]) -> str:
    """A mean over the runs with its interval, in percent."""
    middle, half = np.mean(values), 1.959964 * np.std(values, ddof=1) / np.sqrt(len(values))
    return f"{100 * middle:.1f} % [{100 * (middle - half):.1f}, {100 * (middle + half):.1f}]"


def sigmoid(z: float) -> float:
    return float(1 / (1 + np.exp(-z)))


def test_the_gradient_through_the_reward_is_regression_to_the_last_digit() -> None:
    found = reward_is_reinforcement()
    assert found.verdict == "false"
    assert "1000" in found.measured.en.replace(",", "")


def test_a_difference_would_change_the_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    real = train

    def other(experiment: Experiment) -> Record:
        return real(experiment.change(seed=0 if experiment.reward else 1, steps=2))

    monkeypatch.setattr(claims_module, "train", other)
    assert reward_is_reinforcement().verdict == "partly"


# The glossary.


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_legend_explains_the_symbols_of_the_run(name: str) -> None:
    run = gg.watch(name, steps=2)
    found = {entry.symbol: entry for entry in legend(run)}
    assert len(found) == len(legend(run))
    net, n = run.of.network, len(run.record.moment(1).inputs)
    assert found[", ".join(run.of.task.names)].shape == (n, len(run.of.task.names))
    assert found["dW1_1_x1 …"].shape == run.record.parameters["W1"].shape[1:]
    assert found[net.sum_name(net.last, 0)].shape == (n, 1)
    if net.last > 1:
        assert found["z1_i"].shape == found["a1_i"].shape == (n, net.sizes[1])
    assert ("o" in found) == (not run.of.linear_output)
    assert ("reward" in found) == (run.experiment.reward is not None)
    for entry in found.values():
        assert entry.meaning.en
        assert entry.meaning.zh
        assert entry.pytorch


def test_the_legend_of_other_runs() -> None:
    others: list[dict[str, Any]] = [
        {"network": "2-3-2-1", "optimizer": "nadam"}, {"optimizer": "sgd"},
        {"policy": "pathwise", "reward": "distance"},
        {"activation": "z*sigmoid(z)", "output_activation": "log(1 + exp(z))"}, {"objective": "log(o - 5)"},
        {"optimizer": "state m = 0; m = 0.5*m + g; w = w - 0.1*m"},
    ]  # fmt: skip
    for settings in others:
        run = gg.watch("add", steps=2, **settings)
        assert len(legend(run)) > 4


# The lesson.


def small_demo(compared: LabelsAndReward) -> Demo:
    watches = {
        label: gg.watch(name, **{**settings, "steps": min(shipped(name).steps, 30), "every": 5})
        for label, name, settings in SHOWN
    }
    measured = tuple(
        Claim(gg_text, "partly", gg_text, "glassgrad list") for gg_text in (catalogue()["claims.knob.claim"],) * 4
    )
    return Demo(watches, feedback(), compared, measured, by_reward())


@pytest.fixture(scope="module")
def compared() -> LabelsAndReward:
    """A few short runs, on PyTorch."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("glassgrad.ends.last_parameters", plainly.last_parameters)
        return labels_and_reward(3, train=train_slowly, steps=20)


@pytest.fixture(scope="module")
def lesson(compared: LabelsAndReward) -> Demo:
    return small_demo(compared)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_demo_has_its_seven_parts_in_order(lesson: Demo, language: Any) -> None:
    set_language(language)
    text = "\n".join(line for _, line in demo_lines(lesson))
    places = [text.index(f"\n{number}. ") for number in range(1, 8)]
    assert places == sorted(places)
    run = lesson.watches["add"]
    assert f"Epoch 1: Loss = {run.record.loss[0]:.4f}" in text
    gradient = np.abs(run.record.gradients["W1"][0][:, 0]).argmax()
    assert f"dW1_{gradient + 1}_x1 = " in text
    answer = answers(run.experiment, run.record.final, np.array([[5.0, 3.0]]))[0]
    assert f"5 + 3 = {answer:.2f}   12 + 30 = " in text
    assert f"{sum(w.check.numbers for w in lesson.checked):,}" in text
    for entry in lesson.labels.entries:
        assert " ".join([entry.experiment.name, *cells(entry)]) in re.sub(" +", " ", text)
    assert all(line in text for line in picture(lesson.labels))
    assert ("“" in text) or ("「" in text)
    assert not set("{}") & set(text.replace("{x1}", ""))


def test_the_demo_fails_if_one_check_fails(lesson: Demo) -> None:
    assert lesson.passed
    bad = gg.watch("knob", steps=2, plant="o")
    assert not replace(lesson, watches={**lesson.watches, "knob": bad}).passed
    assert not replace(lesson, reward=replace(lesson.reward, run=bad)).passed


def test_what_the_demo_shows_ships() -> None:
    for label, name, settings in SHOWN:
        assert name in EXPERIMENTS
        assert label
        assert settings
    assert {"add", "add-linear", "sub", "knob", "knob-up", "knob-fixed"} <= {label for label, _, _ in SHOWN}


def test_the_page_of_all_runs_holds_everything(lesson: Demo) -> None:
    text = page(list(lesson.watches.values()), lesson.table, lesson.claims, lesson.labels, lesson.reward)
    assert text.count("<!DOCTYPE html>") == 1
    assert text.rstrip().endswith("</html>")


# The catalogue, and JSON.


def test_every_verdict_and_kind_has_its_texts() -> None:
    texts = catalogue()
    for verdict in ("true", "false", "partly"):
        assert f"claims.verdict_{verdict}" in texts
    for kind in KINDS:
        assert all(f"feedback.{kind}.{part}" in texts for part in ("name", "reading", "knows"))
    for key, pair in texts.items():
        assert set(_names(pair.en)) == set(_names(pair.zh)), key


def _names(text: str) -> list[str]:
    from string import Formatter

    return [name for _, name, _, _ in Formatter().parse(text) if name]


def test_what_is_not_finite_becomes_none() -> None:
    found = finite({"a": [np.float64(np.nan), float("inf"), 1.5], "b": np.array([1.0, -np.inf]), "c": (2, None, "x")})
    assert found == {"a": [None, None, 1.5], "b": [1.0, None], "c": [2, None, "x"]}


def test_a_run_tells_whether_it_solved_its_task() -> None:
    run: Watch = gg.watch("add-linear")
    assert run.solved
    assert "Solved: " in run.to_text()
    bad = gg.watch("add-linear", steps=1)
    assert not bad.solved
    assert "Not solved: " in bad.to_text()
    assert demo_module.SHOWN is SHOWN
