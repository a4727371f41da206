"""Experiments against each other: the same seeds for all, pieces that can run anywhere, rows that say what is so."""

import csv
import errno
import itertools
import json
import os
import re
import shlex
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
import scipy.stats
from rich.cells import cell_len

import glassgrad as gg
import plainly
from glassgrad import plots
from glassgrad.cli.settings import SETTINGS
from glassgrad.cli.terminal import progress
from glassgrad.comparison import Comparison, compare, failed_last
from glassgrad.contenders import MAX_METHODS, grid
from glassgrad.doors import from_keywords
from glassgrad.engines.torch import train
from glassgrad.errors import ExperimentError, GlassgradError
from glassgrad.experiment import FIELDS, Experiment
from glassgrad.exports import runs as exported
from glassgrad.insight import errors
from glassgrad.locale import LANGUAGES, Language, language, set_language
from glassgrad.method import method
from glassgrad.report.compare_html import compare_html
from glassgrad.report.compare_json import compare_json
from glassgrad.report.compare_text import compare_text, legend, warnings
from glassgrad.report.labels_and_reward import LabelsAndReward, labels_and_reward
from glassgrad.report.labels_text import labels_and_reward_text, picture
from glassgrad.runs import CURVES, Progress, Runs, checkpoints, train_slowly
from glassgrad.statistics import Interval, wilson
from glassgrad.study import joined, one_run, pieces
from glassgrad.tables.experiments import shipped
from glassgrad.watched import watch
from glassgrad.why import Cause, why

CONTRACT = {
    "name",
    "runs",
    "solved",
    "rate",
    "low",
    "high",
    "median_error",
    "median_steps_to_solve",
    "diverged",
    "seconds",
}


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    before = language()
    set_language("en")
    yield
    set_language(before)


@pytest.fixture(autouse=True)
def slow_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Single runs on the torch engine: nothing is compiled for them."""
    for place in ("again", "why"):
        monkeypatch.setattr(f"glassgrad.{place}.one_run", lambda experiment, compiled: train(experiment))
    monkeypatch.setattr("glassgrad.ends.last_parameters", plainly.last_parameters)


def made_up(experiment: Experiment, seeds: Sequence[int], progress: Progress | None = None) -> Runs:
    """Runs without any training: each a pure function of its seed and of the learning rate."""
    n, marks = len(seeds), checkpoints(experiment.steps)
    draws = np.array([np.random.default_rng([int(seed), len(experiment.optimizer)]).random(3) for seed in seeds])
    draws = draws.reshape(n, 3)
    most = (0.2 + 0.4 * draws[:, 0]).astype(np.float32)
    diverged = np.where(draws[:, 1] < 0.03, 5, 0)
    most[diverged > 0] = np.nan
    solved = most < 0.5
    if progress is not None:
        progress(n, n)
    return Runs(
        experiment,
        np.asarray(seeds, np.uint32),
        (most / 2).astype(np.float32),
        most.astype(np.float32),
        solved,
        np.where(solved, marks[(draws[:, 2] * len(marks)).astype(int)], 0).astype(np.int32),
        diverged.astype(np.int32),
        np.where(draws[:, 2] < 0.02, 5, 0).astype(np.int16),
        marks,
        np.repeat(most[:CURVES, None], len(marks), axis=1).astype(np.float32),
        0.5,
    )


@pytest.fixture(scope="module")
def knob() -> Comparison:
    return compare("knob", "knob-fixed", runs=60, train=train_slowly)


@pytest.fixture(scope="module")
def rates() -> Comparison:
    vary = ["optimizer=adam(lr=0.01),adam(lr=0.1),adam(lr=1),sgd(lr=0.01),sgd(lr=0.1),sgd(lr=1)"]
    return compare("add", vary=vary, runs=200, train=made_up)


def test_the_rows_are_those_of_the_contract(knob: Comparison) -> None:
    rows = json.loads(json.dumps(knob.to_json(), allow_nan=False))
    assert [row["name"] for row in rows] == ["knob", "knob-fixed"]
    assert all(set(row) >= CONTRACT for row in rows)
    assert [(row["runs"], row["solved"], row["rate"]) for row in rows] == [(60, 0, 0.0), (60, 60, 1.0)]
    assert rows[0]["high"] == pytest.approx(0.0602, abs=1e-3)
    assert rows[0]["improvement"] is None
    assert rows[1]["improvement"]["probability"] == 1.0
    assert rows[1]["p_value"] == pytest.approx(2 / 2**60)
    assert rows[1]["median_error"] < 0.05 < rows[0]["median_error"]
    assert 1 <= rows[1]["median_steps_to_solve"] <= 50


def test_the_knob_has_two_camps(knob: Comparison) -> None:
    low, high = sorted(knob.to_json()[0]["two_camps"], key=lambda camp: float(camp["answer"]))
    assert low["answer"] < 0.1 < 0.9 < high["answer"]
    assert 0.5 < low["share"] < 0.9
    assert low["count"] + high["count"] == 60
    assert next(warnings(knob)).startswith("knob has two camps: ")
    assert knob.rows[1].camps is None


def test_the_knob_fails_in_two_basins(knob: Comparison, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glassgrad.why.LOOKED_AT", 60)
    found, fixed = knob.why()
    assert (found.failed, found.runs, found.looked_at) == (60, 60, 60)
    assert {(cause.kind, cause.detail) for cause in found.causes} == {("basin", "0.0"), ("basin", "1.0")}
    assert sum(cause.count for cause in found.causes) == 60
    assert all(cause.exact for cause in found.causes)
    assert fixed.causes == ()
    assert compare_json(knob, (found, fixed))[0]["why"][0]["kind"] == "basin"
    assert f"--seed {found.causes[0].seed}" in compare_text(knob, (found, fixed))


def test_more_failures_than_are_looked_at_are_counted_with_the_nearest(
    knob: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = {(cause.detail, cause.count) for cause in knob.why()[0].causes}
    monkeypatch.setattr("glassgrad.why.LOOKED_AT", 6)
    some = why(knob.contenders[0], knob.runs[0])
    assert some.looked_at == 6
    assert {(cause.detail, cause.count) for cause in some.causes} == whole
    assert not all(cause.exact for cause in some.causes)


def test_what_stands_in_the_table_is_not_trained_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glassgrad.why._look", lambda contender, seed, curve: (("slow", ""), True))
    found = why(compare("add", runs=300, train=made_up).contenders[0], table := made_up(shipped("add"), range(300)))
    counts = {cause.kind: cause.count for cause in found.causes}
    failed = ~table.solved
    assert counts["diverged"] == np.sum(table.diverged_at > 0)
    assert counts["dead"] == np.sum(failed & (table.dead == 5) & (table.diverged_at == 0))
    assert sum(counts.values()) == failed.sum()


@pytest.mark.parametrize(
    ("written", "cells"),
    [
        (None, [{}]),
        (["steps=10,50"], [{"steps": 10}, {"steps": 50}]),
        (["optimizer=adam(lr=0.1, beta1=0.5),sgd"], [{"optimizer": "adam(lr=0.1, beta1=0.5)"}, {"optimizer": "sgd"}]),
        (["fresh=true,False", "apart=true"], [{"fresh": True, "apart": True}, {"fresh": False, "apart": True}]),
        (["output-activation=tanh", "dropout=0,0.5"],
         [{"output_activation": "tanh", "dropout": 0.0}, {"output_activation": "tanh", "dropout": 0.5}]),
        (["init=W1=[[1, 1]]; b1=[0],default"], [{"init": "W1=[[1, 1]]; b1=[0]"}, {"init": "default"}]),
        ({"lr": 0.1, "optimizer": "adam"}, [{"lr": 0.1, "optimizer": "adam"}]),
        ({"steps": np.array([10, 50])}, [{"steps": 10}, {"steps": 50}]),
        ({"network": [(2, 5, 1), "2-8-1"]}, [{"network": (2, 5, 1)}, {"network": "2-8-1"}]),
        ("reward=-abs(a - t),1 - max(a, t)", [{"reward": "-abs(a - t)"}, {"reward": "1 - max(a, t)"}]),
    ],
)  # fmt: skip
def test_a_grid(written: Any, cells: list[dict[str, Any]]) -> None:
    assert grid(written) == cells


def test_a_grid_is_a_product_and_its_names_say_so() -> None:
    found = compare("add", "sub", vary=["steps=10,20", "optimizer=adam,sgd"], runs=2, train=made_up)
    assert len(found.names) == len(set(found.names)) == 8
    assert found.names[1] == "add steps=10 optimizer=sgd"
    assert found["sub steps=20 optimizer=adam"].experiment == from_keywords("sub", steps=20, optimizer="adam")


@pytest.mark.parametrize("chosen", LANGUAGES)
@pytest.mark.parametrize(
    ("names", "keywords", "shown"),
    [
        (("ad",), {}, "add"),
        (("add", "add"), {}, "add"),
        (("add",), {"vary": ["optimzer=adam"]}, "optimizer"),
        (("add",), {"vary": ["optimizer"]}, "optimizer"),
        (("add",), {"vary": ["optimizer=adam,"]}, "adam"),
        (("add",), {"vary": ["foo=1"]}, ", precision, lr"),
        (("add",), {"vary": ["seed=1,2"]}, "--runs"),
        (("add",), {"vary": ["name=a,b"]}, "name "),
        (("add",), {"vary": ["regulariser=l3"]}, "l1, l2"),
        ((Experiment("mine"), Experiment("mine", steps=3)), {}, 'name = "…"'),
        (("add",), {"vary": ["steps=1", "steps=2"]}, "steps"),
        (("add",), {"vary": ["steps=1,2"], "steps": 5}, "steps"),
        (("add",), {"vary": ["steps=ten"]}, "ten"),
        (("add",), {"vary": ["objective=reward"]}, "reward"),
        (("add",), {"vary": {"dropout": [i / 1000 for i in range(MAX_METHODS + 1)]}}, str(MAX_METHODS)),
        (("add",), {"vary": 5}, '{"lr": [0.1, 0.01]}'),
        (("add",), {"vary": [("lr", [0.1])]}, "('lr', [0.1])"),
        (("add",), {"vary": {3: [1]}}, "3"),
        (("add",), {"vary": {"steps": []}}, "steps="),
        ((["add", "sub"],), {}, "['add', 'sub']"),
        ((3,), {}, '"add"'),
        ((Experiment("mine"),), {"vary": {"network": "2-a"}}, "2-5-1"),
        (("add",), {"held_out": 0.2}, "held_out = 0.2"),
        (("add",), {"vary": ["held_out=0,0.2"]}, "held_out = 0.2"),
        (("add",), {"runs": 0}, "0"),
        (("add",), {"runs": 10**9}, "1000000000"),
        (("add",), {"seed": 2**32 - 1, "runs": 2}, "--seed 4294967294"),
        (("add",), {"seed": 2**32, "runs": 2}, "4294967295"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_refused_in_one_line(
    chosen: str, names: tuple[str, ...], keywords: dict[str, Any], shown: str
) -> None:
    set_language(chosen)  # type: ignore[arg-type]
    with pytest.raises(GlassgradError) as refused:
        compare(*names, **{"runs": 2, "train": made_up, **keywords})
    assert shown in str(refused.value)
    assert "\n" not in str(refused.value)


def test_all_have_the_same_seeds(rates: Comparison) -> None:
    assert all(np.array_equal(runs.seeds, np.arange(200)) for runs in rates.runs)
    later = compare("add", "sub", runs=3, seed0=7, train=made_up)
    assert [runs.seeds.tolist() for runs in later.runs] == [[7, 8, 9], [7, 8, 9]]


def test_pieces_in_any_order_are_the_whole() -> None:
    experiment = shipped("add")
    whole = made_up(experiment, range(100))
    parts = [piece.run(made_up) for piece in reversed(pieces(experiment, range(100), 17))]
    both = joined(parts[::-1])
    for name in ("seeds", "mean_error", "max_error", "solved", "solved_at", "diverged_at", "dead", "curves"):
        np.testing.assert_array_equal(getattr(both, name), getattr(whole, name))


def test_memory_holds_no_more_curves_than_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glassgrad.study.BLOCK", 900)
    found = compare("add", runs=2500, train=made_up)
    assert found.runs[0].curves.shape[0] == CURVES
    assert len(found.runs[0]) == 2500


def test_progress_counts_all_runs() -> None:
    seen: list[tuple[int, int]] = []
    compare("add", "sub", runs=10, train=made_up, progress=lambda done, every: seen.append((done, every)))
    assert seen[-1] == (20, 20)
    assert seen == sorted(seen)


def stopping(at: int) -> Any:
    """An engine that is stopped in its n-th piece, and returns what it has of it."""
    calls = iter(range(1, 100))

    def train(experiment: Experiment, seeds: Sequence[int], progress: Progress | None = None) -> Runs:
        return made_up(experiment, seeds[:4] if next(calls) == at else seeds)

    return train


def test_what_is_finished_when_stopped_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glassgrad.study.BLOCK", 10)
    found = compare("add", "sub", "add-linear", runs=20, train=stopping(4))
    assert found.names == ("add", "sub")
    assert [len(runs) for runs in found.runs] == [20, 14]
    assert found.stopped
    assert found.rows[1].runs == 14
    assert "sub: 14 of 20" in compare_text(found)
    assert found.missing == ("add-linear",)
    for chosen in LANGUAGES:
        set_language(chosen)
        assert any("add-linear" in warning for warning in warnings(found))
        assert re.search(r"\b34\D+60\b|\b60\D+34\b", compare_text(found).splitlines()[0])
    set_language("en")
    rows = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert [(row["name"], row["runs"], row["asked"], row["stopped"]) for row in rows] == [
        ("add", 20, 20, False),
        ("sub", 14, 20, True),
        ("add-linear", 0, 20, True),
    ]
    assert rows[0].keys() == rows[2].keys()
    assert rows[2]["rate"] is None
    with pytest.raises(KeyboardInterrupt):
        compare("add", runs=20, train=lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))


def test_errors_of_other_questions_are_not_held_against_each_other() -> None:
    found = compare("add", "add-linear", "sub", runs=20, train=made_up)
    assert [row.better is None for row in found.rows] == [True, False, True]
    assert "sub" in next(warnings(found))


def test_diverged_runs_count_as_failures(rates: Comparison) -> None:
    row, runs = rates.rows[0], rates.runs[0]
    assert row.diverged == np.sum(runs.diverged_at > 0) > 0
    assert row.rate.value == row.solved / 200
    infinite = failed_last(runs)
    assert np.isinf(infinite).sum() == row.diverged
    assert row.median_error.value == np.median(infinite)


@pytest.fixture
def stopped_in_the_fourth(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while the fourth failing run is looked at."""
    calls = iter(range(1, 1000))

    def look(*_: Any) -> tuple[tuple[str, str], bool]:
        if next(calls) == 4:
            raise KeyboardInterrupt
        return ("slow", ""), True

    monkeypatch.setattr("glassgrad.why._look", look)


@pytest.mark.usefixtures("stopped_in_the_fourth")
def test_causes_found_before_ctrl_c_are_kept() -> None:
    found = compare("knob", "knob-fixed", "add", runs=60, train=made_up)
    causes = found.why()
    assert [one.stopped for one in causes] == [True, True, True]
    assert causes[0].looked_at == 3
    assert sum(cause.count for cause in causes[0].causes) + causes[0].unsorted == causes[0].failed
    slow = next(cause for cause in causes[0].causes if cause.kind == "slow")
    assert (slow.count, slow.exact) == (3, True)
    assert causes[2].looked_at == 0
    for chosen, word in (("en", "stopped: "), ("zh", "已停止：")):
        set_language(chosen)  # type: ignore[arg-type]
        assert compare_text(found, causes).count(word) == 3
        assert word in compare_html(found, causes)
    rows = compare_json(found, causes)
    assert [row["why_stopped"] for row in rows] == [True, True, True]
    assert rows[0]["why_unsorted"] == causes[0].unsorted > 0


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.usefixtures("stopped_in_the_fourth", "no_training")
def test_ctrl_c_while_causes_are_looked_for_keeps_all_that_was_trained(
    form: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    table, page = tmp_path / "runs.csv", tmp_path / "picture.html"
    command_line("compare", "add", "--runs", "40", "--steps", "5", "--why", "--format", form, "--csv", str(table),
                 "--plot", str(page))  # fmt: skip
    shown = capsys.readouterr()
    assert len(table.read_text(encoding="utf-8").splitlines()) == 41
    assert "stopped: " in page.read_text(encoding="utf-8")
    assert "stopped: " in (shown.out if form == "text" else shown.err)
    assert form == "text" or json.loads(shown.out)[0]["why_stopped"]


@pytest.mark.usefixtures("no_training")
def test_ctrl_c_before_any_cause_is_found_keeps_the_table(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(runs: Runs) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("glassgrad.why.to_look_at", stopped)
    command_line("compare", "add", "--runs", "20", "--steps", "5", "--why")
    shown = capsys.readouterr()
    assert shown.out.startswith("20 runs each")
    assert "stopped: " in shown.err


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Single runs on the compiled engine, as they are."""
    for place in ("again", "why"):
        monkeypatch.setattr(f"glassgrad.{place}.one_run", one_run)


def solved(name: str, seed: int) -> bool:
    """Whether the run that `watch --engine compiled` shows is solved."""
    run = watch(name, engine="compiled", seed=seed)
    task = run.of.task
    return bool(np.all(errors(run.experiment, run.record.final, task.domain()) < task.tolerance))


@pytest.mark.usefixtures("compiled")
def test_every_seed_that_is_named_fails_when_it_is_watched() -> None:
    found = compare("sub", runs=300)
    causes = found.why()[0].causes
    assert {cause.kind for cause in causes} == {"unsteady", "dead", "few"}
    assert all(not solved("sub", cause.seed) for cause in causes if cause.seed is not None)
    assert found.failing is not None
    assert found.failing[2]
    assert not solved("sub", found.failing[1])
    unsure = [cause for cause in causes if cause.seed is None]
    assert bool(unsure) is ("hang on rounding" in compare_text(found, found.why()))


@pytest.mark.usefixtures("compiled")
def test_runs_that_are_solved_when_trained_again_are_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    table = made_up(shipped("add"), range(60))
    failed = np.ones(60, np.bool_)
    best = compare("add", runs=60)  # all of these seeds but a few are solved
    lucky = best.runs[0].solved
    kept = {name: getattr(table, name)[lucky] for name in ("seeds", "mean_error", "max_error", "solved_at", "dead")}
    n = int(lucky.sum())
    lost = replace(table, **kept | {"solved": ~failed[:n], "solved_at": np.full(n, 20, np.int32),
                   "diverged_at": np.zeros(n, np.int32), "dead": np.zeros(n, np.int16),
                   "mean_error": np.ones(n, np.float32), "max_error": np.ones(n, np.float32)})  # fmt: skip
    found = replace(best, runs=(lost,), asked=n)
    (one,) = found.why()
    assert [(cause.kind, cause.seed) for cause in one.causes] == [("unsteady", None)]
    assert found.failing is not None
    assert found.failing[2] is False
    for chosen, word in (("en", "hang on rounding"), ("zh", "取决于舍入")):
        set_language(chosen)  # type: ignore[arg-type]
        assert word in compare_text(found)
        assert word in compare_text(found, (one,))


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize(("chosen", "word"), [("en", "not trained again"), ("zh", "没有再试")])
def test_what_would_take_long_is_not_tried_again_and_that_is_said(
    chosen: Language, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glassgrad.again.MOST_KEPT", 0)
    found = compare("add", runs=60)
    set_language(chosen)
    assert found.failing is not None
    assert found.failing[2] is None
    assert word.replace(" ", "") in "".join(compare_text(found).split())  # wherever lines break
    assert "--seed" in compare_text(found)


@pytest.mark.usefixtures("compiled")
def test_looking_at_runs_ends_after_some_time_but_sees_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glassgrad.why.PATIENCE", 0.0)
    (one,) = compare("knob", runs=30).why()
    assert (one.looked_at, one.failed, one.unsorted, one.stopped) == (1, 30, 0, False)


@pytest.mark.usefixtures("compiled")
def test_a_camp_is_shown_by_a_run_that_ends_in_it_again() -> None:
    camps = compare("knob", runs=200).rows[0].camps
    assert camps is not None
    for camp in camps:
        assert camp.seed is not None
        run = watch("knob", engine="compiled", seed=camp.seed)
        error = errors(run.experiment, run.record.final, run.of.task.domain()).mean()
        assert error == pytest.approx(camp.error, rel=0.1)


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize(
    ("name", "vary", "settings"),
    [
        ("add", ["clip=none,1"], {}),
        ("add-reinforce", {"fresh": [True, False]}, {"samples": 20}),
        (Experiment("mine", activation="tanh", clip=0.5), {"clip": [None, 0.5]}, {}),
        ("add", ["batch=none,10"], {"activation": "where(z > 0, z, 0.1*z)"}),
        ("slip-own-sample", ["lr=0.01,0.02"], {}),
        ("both", ["network=3-4-1", "precision=double"], {"optimizer": "w = w - 0.01*g"}),
        ("add-actor-critic", {"apart": [True, False]}, {"samples": 20}),
    ],
)
def test_every_command_that_is_shown_runs(
    name: str | Experiment, vary: Any, settings: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    found = compare(name, vary=vary, runs=2, steps=10, **settings)
    shown = {one.command(seed): one.experiment.change(seed=seed) for one in found.contenders for seed in (0, 1)}
    assert compare_text(found).splitlines()[-1].strip() in shown
    for command, wanted in shown.items():
        if command.startswith("gg."):
            ran = eval(command, {"gg": gg}).to_json()["experiment"]  # noqa: S307
        else:
            command_line(*shlex.split(command)[1:], "--format", "json")
            ran = json.loads(capsys.readouterr().out)["experiment"]
        expected = json.loads(json.dumps(asdict(wanted)))
        assert {field for field in ran.keys() & expected.keys() if ran[field] != expected[field]} <= {"name", "truth"}


def test_own_values_of_an_experiment_are_not_said() -> None:
    found = compare("add", vary=["clip=none,1"], runs=2, optimizer="adam(lr=0.1)", train=made_up)
    assert [one.command(0) for one in found.contenders] == [
        "glassgrad watch add --seed 0",
        "glassgrad watch add --clip 1 --seed 0",
    ]


def test_every_setting_has_its_option_or_is_said_in_python() -> None:
    flags = {row.field for row in SETTINGS}
    assert {field for field in FIELDS if field not in flags} <= {"name", "fresh"}


@pytest.mark.parametrize("chosen", LANGUAGES)
@pytest.mark.parametrize("kind", ["unsteady", "slow", "basin"])
def test_causes_say_what_to_try_and_promise_nothing(kind: str, chosen: Language) -> None:
    said = str(getattr(Cause(kind, "", 1, True, 0).reading, chosen))
    assert ("try " in said) if chosen == "en" else ("可以" in said)
    assert not re.search("helps|有帮助", said)


@pytest.mark.parametrize("chosen", LANGUAGES)
def test_below_six_runs_there_is_no_interval_of_the_median(chosen: Language) -> None:
    set_language(chosen)
    few, enough = (compare("add", runs=runs, train=made_up) for runs in (5, 6))
    assert compare_text(few).count("[–]") == 2
    assert "[–]" not in compare_text(enough)
    row = compare_json(few)[0]
    assert (row["median_error_low"], row["iqm_high"], row["steps_low"]) == (None, None, None)
    assert compare_json(enough)[0]["median_error_low"] is not None
    assert plots.svg(few)


def test_the_legend_says_how_far_apart_checkpoints_are_and_which_test_it_is() -> None:
    found = compare("add", "sub", runs=6, train=made_up)
    said = dict(legend(found))
    assert "every 20 steps" in said["ever, %"]
    assert "McNemar" in said["p"]
    assert "Holm" in said["p"]
    assert "up to 50" in dict(legend(compare("add", vary=["steps=100,1234"], runs=6, train=made_up)))["ever, %"]
    assert "after every step" in dict(legend(compare("add", steps=30, runs=6, train=made_up)))["ever, %"]


def test_one_run_is_one_run_of_one_seed() -> None:
    assert compare_text(compare("add", runs=1, seed=357, train=made_up)).startswith("1 run each, seed 357, in ")


def test_labels_are_broken_between_words() -> None:
    found = compare("add", "sub", vary={"output_activation": ["linear", "softplus"]}, runs=1000, train=made_up)
    lines = [line.split()[0] for line in compare_text(found).splitlines() if line]
    assert {"linear", "softplus"} <= set(lines)
    assert "add output_activation=softplus " in compare_text(found, width=140)


def test_where_p_and_better_point_in_opposite_ways_it_is_said() -> None:
    def made(experiment: Experiment, seeds: Sequence[int], progress: Progress | None = None) -> Runs:
        """sgd: all solved, but with the larger errors; adam: one in two."""
        table, sgd = made_up(experiment, seeds), experiment.optimizer == "sgd"
        right = np.arange(len(seeds)) % 2 == 0
        error = np.where(right, 0.1, 0.15).astype(np.float32)
        return replace(
            table, solved=right | sgd, diverged_at=0 * table.diverged_at, mean_error=error + np.float32(0.1 * sgd)
        )

    found = compare("add", vary=["optimizer=adam,sgd"], runs=100, train=made)
    assert any("opposite" in warning for warning in warnings(found))
    assert not any("opposite" in warning for warning in warnings(compare("add", "add-linear", runs=9, train=made)))


def test_pictures_say_what_they_leave_out(rates: Comparison) -> None:
    def heading(found: Comparison) -> str:
        return str(found.plot().subfigs[-1]._suptitle.get_text())  # type: ignore[attr-defined]

    many = compare("add", vary={"dropout": [i / 100 for i in range(15)]}, runs=CURVES + 1, train=made_up)
    assert heading(many).endswith("; of the first 1,000 runs each; only the first 12 of 15 are drawn")
    assert ";" not in heading(rates)


def test_the_page_has_the_causes(knob: Comparison) -> None:
    causes = knob.why()
    page = compare_html(knob, causes)
    assert "Why 60 of 60 runs of knob fail" in page
    assert f"--seed {causes[0].causes[0].seed}" in page
    assert "Why 60" not in knob.to_html()


def test_progress_counts_with_commas(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    for left in (True, False):
        with progress("training", left=left) as tick:
            tick(3578, 10_000)
        assert "3,578/10,000" in capsys.readouterr().err


def test_progress_never_goes_back(knob: Comparison) -> None:
    seen: list[tuple[int, int]] = []
    replace(knob, contenders=knob.contenders * 2, runs=knob.runs * 2).why(lambda *at: seen.append(at))
    assert seen == sorted(seen)
    assert {total for _, total in seen} == {100}


@pytest.mark.parametrize("chosen", LANGUAGES)
def test_the_tables_fit_80_columns(rates: Comparison, knob: Comparison, chosen: str) -> None:
    set_language(chosen)  # type: ignore[arg-type]
    for found in (rates, knob):
        text = compare_text(found, found.why() if found is knob else ())
        shown = [line for line in text.splitlines() if not line.startswith("  glassgrad ")]  # commands stay one line
        assert max(map(cell_len, shown)) <= 80
        assert all(label in text for label in found.labels)
        assert "None" not in text


def test_what_python_shows_is_what_is_printed(knob: Comparison) -> None:
    for found in (knob, gg.watch("knob", steps=3), gg.judge("knob", runs=0), gg.estimators(samples=400)):
        assert repr(found) == found.to_text()
        assert len(repr(found)) < 20_000


def test_the_command_shows_the_very_run(rates: Comparison) -> None:
    command = shlex.split(rates.contenders[1].command(12))
    assert command == ["glassgrad", "watch", "add", "--seed", "12"]
    command = shlex.split(rates.contenders[0].command(12))
    assert command == ["glassgrad", "watch", "add", "--optimizer", "adam(lr=0.01)", "--seed", "12"]
    for vary in (["fresh=true,false"], {"fresh": [True, False]}, {"fresh": np.array([True, False])}):
        both = compare("add", vary=vary, runs=1, train=made_up)
        assert [one.experiment.fresh for one in both.contenders] == [True, False]
        assert [one.command(3) for one in both.contenders] == [
            "glassgrad watch add --fresh --seed 3",
            "glassgrad watch add --seed 3",
        ]
    wide = compare("add", vary={"output_activation": ["tanh"]}, network="2-8-1", runs=1, train=made_up)
    assert wide.contenders[0].command(0).endswith("--network 2-8-1 --output-activation tanh --seed 0")


def test_a_varied_number_is_found(rates: Comparison, knob: Comparison) -> None:
    found = plots.sweep(rates)
    assert found is not None
    assert found.name == "lr"
    assert {rest: [value for value, _ in points] for rest, points in found.lines.items()} == {
        "adam": [0.01, 0.1, 1.0],
        "sgd": [0.01, 0.1, 1.0],
    }
    assert plots.sweep(knob) is None


def test_pictures_are_written(rates: Comparison, knob: Comparison, tmp_path: Path) -> None:
    before = dict(mpl.rcParams)
    for ending in ("png", "svg", "html"):
        plots.save(knob, str(tmp_path / f"knob.{ending}"))
    assert (tmp_path / "knob.png").read_bytes().startswith(b"\x89PNG")
    drawing = (tmp_path / "knob.svg").read_text(encoding="utf-8")
    assert ElementTree.fromstring(drawing).tag.endswith("svg")
    assert len(rates.plot().subfigs) == 3
    assert dict(mpl.rcParams) == before
    page = (tmp_path / "knob.html").read_text(encoding="utf-8")
    assert not re.search(r"(?:src|href)=[\"'](?!#|data:)", page.replace("xlink:href", "href"))
    assert "two camps" in page
    assert "knob-fixed" in knob._repr_html_()
    with pytest.raises(GlassgradError, match=r"\.png"):
        plots.save(knob, str(tmp_path / "knob.pdf"))
    knob.plot(str(tmp_path / "new" / "folder" / "knob.svg"))
    assert (tmp_path / "new" / "folder" / "knob.svg").exists()
    with pytest.raises(GlassgradError, match="cannot write"):
        plots.save(knob, str(tmp_path / "knob.png" / "knob.png"))


def test_pictures_are_the_same_each_time(knob: Comparison) -> None:
    assert plots.svg(knob) == plots.svg(knob)


def test_chinese_pictures_need_a_font(knob: Comparison, monkeypatch: pytest.MonkeyPatch) -> None:
    set_language("zh")
    monkeypatch.setattr(plots, "CHINESE", ())
    with plots.style() as words:
        assert words("step_axis") == "step"
    plots.figure(knob)


def test_one_line_a_run(rates: Comparison, tmp_path: Path) -> None:
    file = tmp_path / "new" / "runs.csv"
    rates.to_csv(str(file))
    with file.open(encoding="utf-8", newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert len(lines) == 6 * 200
    assert lines[201] == {
        "name": "add optimizer=adam(lr=0.1)",
        "seed": "1",
        **{key: str(getattr(rates.runs[1], key)[1].item()) for key in exported.COLUMNS[1:]},
    }
    table = exported.columns(rates)
    assert {len(column) for column in table.values()} == {1200}


def test_parquet_has_the_same_rows_with_their_types(rates: Comparison, tmp_path: Path) -> None:
    from pyarrow import parquet

    file = str(tmp_path / "new" / "runs.parquet")
    rates.to_parquet(file)
    table = parquet.read_table(file)
    assert {field.name: str(field.type) for field in table.schema} == {
        "name": "string", "seed": "uint32", "mean_error": "float", "max_error": "float", "solved": "bool",
        "solved_at": "int32", "diverged_at": "int32", "dead": "int16",
    }  # fmt: skip
    for name, column in exported.columns(rates).items():
        np.testing.assert_array_equal(table[name].to_numpy(), np.asarray(column, table[name].to_numpy().dtype))


def test_parquet_without_pyarrow_is_refused(rates: Comparison, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ExperimentError, match="pip install pyarrow"):
        rates.to_parquet("runs.parquet")


# Labels against reward: every number of the table, against runs that are trained and judged anew.

RUNS, STEPS = 5, 30
SEEN = {"": (1000, 1000), "-through-reward": (30, 300), "-reinforce": (2400, 2400)}
"""By the ending of an experiment's name: how many questions a run of 30 steps draws, and how many one of `both`."""


@pytest.fixture(scope="module")
def compared() -> LabelsAndReward:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("glassgrad.ends.last_parameters", plainly.last_parameters)
        patch.setattr("glassgrad.report.labels_and_reward.OUTSIDE_OBSERVED", 3)
        return labels_and_reward(runs=RUNS, train=train_slowly, steps=STEPS)


@pytest.fixture(scope="module")
def trained_anew() -> dict[str, list[str]]:
    """What the table has to say of each experiment, but for the seconds."""
    return {task + kind: cells_of(task, kind) for task in ("add", "sub", "both") for kind in SEEN}


def cells_of(task: str, kind: str) -> list[str]:
    """A row of the table, from runs of PyTorch."""
    experiment = shipped(task + kind).change(steps=STEPS)
    asked_of = method(experiment).task
    inside, outside = [], []
    for seed in range(RUNS):
        final = train(experiment.change(seed=seed)).final
        far = asked_of.extrapolation(seed)
        assert far is not None
        inside.append(gaps(task, final, asked_of.domain()))
        outside.append(gaps(task, final, far).mean())
    solved = sum(bool((gap < 0.5).all()) for gap in inside)
    share = scipy.stats.binomtest(solved, RUNS).proportion_ci(0.95, method="wilson")
    return [
        f"{100 * solved / RUNS:.1f} [{100 * share.low:.1f}, {100 * share.high:.1f}]",
        two_digits(np.median([gap.mean() for gap in inside])),
        two_digits(np.median(outside[:3] if kind == "-reinforce" else outside)),
        "30",
        f"{SEEN[kind][task == 'both']:,}",
    ]


def gaps(task: str, final: Any, x: Any) -> Any:
    """How far off a network with one hidden layer is, question by question."""
    sign = {"add": 1, "sub": -1, "both": x[:, -1]}[task]
    hidden = np.maximum(x @ final["W1"].T.astype(np.float64) + final["b1"], 0)
    return np.abs((hidden @ final["W2"].T.astype(np.float64) + final["b2"])[:, 0] - (x[:, 0] + sign * x[:, 1]))


def two_digits(value: Any) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:#.2g}".rstrip(".")


def wrong(found: LabelsAndReward, expected: dict[str, list[str]]) -> list[str]:
    """The rows of the printed table that do not say what was measured anew, nor how long the runs took."""
    lines = {line.split()[0]: line.split() for line in labels_and_reward_text(found).splitlines() if "[" in line}
    assert lines.keys() == expected.keys()
    took = {
        name: two_digits(runs.seconds) for name, runs in zip(found.comparison.names, found.comparison.runs, strict=True)
    }
    return [name for name, cells in expected.items() if lines[name] != [name, *" ".join(cells).split(), took[name]]]


def test_every_number_of_labels_against_reward_is_what_the_runs_say(
    compared: LabelsAndReward, trained_anew: dict[str, list[str]]
) -> None:
    assert wrong(compared, trained_anew) == []


@pytest.mark.parametrize(
    "plant",
    [
        lambda entry: replace(entry, outside=entry.outside._replace(value=1.02 * entry.outside.value)),
        lambda entry: replace(entry, samples=entry.samples + 1),
        lambda entry: replace(entry, row=replace(entry.row, rate=wilson(1, RUNS))),
        lambda entry: replace(entry, row=replace(entry.row, median_error=entry.outside)),
        lambda entry: replace(entry, experiment=entry.experiment.change(steps=31)),
        lambda entry: replace(entry, row=replace(entry.row, seconds=1.1 * entry.row.seconds)),
    ],
)
def test_a_wrong_number_in_labels_against_reward_is_found(
    compared: LabelsAndReward, trained_anew: dict[str, list[str]], plant: Callable[[Any], Any]
) -> None:
    entries = tuple(plant(entry) if entry.experiment.name == "sub-reinforce" else entry for entry in compared.entries)
    assert wrong(replace(compared, entries=entries), trained_anew) == ["sub-reinforce"]


def test_labels_against_reward_as_json(compared: LabelsAndReward) -> None:
    rows = json.loads(json.dumps(compared.to_json(), allow_nan=False))
    assert [row["name"] for row in rows[-3:]] == ["both", "both-through-reward", "both-reinforce"]
    assert all(set(row) >= CONTRACT for row in rows)
    assert [row["arrives"] for row in rows[:3]] == [
        "2*(o - t)",
        "sign(o - t)",
        "-stop(reward - baseline)*(a - o)/sigma**2",
    ]
    for row, entry in zip(rows, compared.entries, strict=True):
        assert row["runs_outside"] == (3 if "reinforce" in row["name"] else RUNS)
        assert row["error_half"][0] <= row["median_error"] <= row["error_half"][1]
        assert row["error_outside_half"][0] <= row["error_outside"] <= row["error_outside_half"][1]
        assert row["median_error"] == entry.row.median_error.value < row["error_outside"]


@pytest.mark.parametrize("chosen", LANGUAGES)
def test_labels_against_reward_fits_80_columns(compared: LabelsAndReward, chosen: Language) -> None:
    set_language(chosen)
    lines = labels_and_reward_text(compared).splitlines()
    assert max(map(cell_len, lines)) <= 80
    assert sum("dL/do" in line for line in lines) == 3


def test_the_picture_has_each_error_in_its_place(compared: LabelsAndReward) -> None:
    ticks, *lines = picture(compared)
    ones = ticks.index(" 1 ") + 1
    a_power = ticks.index(" 10 ") + 1 - ones
    drawn = {line.split()[0]: line for line in lines if line}
    for entry in compared.entries:
        assert entry.outside is not None
        for sign, value in (("●", entry.inside.value), ("○", entry.outside.value)):
            place = drawn[entry.experiment.name].index(sign)
            assert abs(place - ones - a_power * np.log10(value)) < 2, (entry.experiment.name, sign)


def test_what_diverged_is_not_drawn(compared: LabelsAndReward) -> None:
    never = Interval(np.inf, np.inf, np.inf)
    first = replace(compared.entries[0], outside=never, row=replace(compared.entries[0].row, median_error=never))
    found = replace(compared, entries=(first, *compared.entries[1:]))
    assert picture(found)[1].split() == ["add", "│"]
    assert " ∞ " in next(line for line in labels_and_reward_text(found).splitlines() if line.startswith("add "))
    assert found.to_json()[0]["error_outside"] is None


def command_line(*arguments: str) -> None:
    from glassgrad.cli.main import build

    build()(list(arguments), standalone_mode=False)


@pytest.fixture
def no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glassgrad.engines.compiled.train_many", made_up)


@pytest.mark.usefixtures("no_training")
def test_the_command_prints_json_alone(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "new" / "picture.svg"
    command_line("compare", "add", "sub", "--vary", "optimizer=adam(lr=0.1),sgd", "--runs", "20", "--steps", "30",
                 "--seed", "5", "--format", "json", "--plot", str(file))  # fmt: skip
    shown = capsys.readouterr()
    rows = json.loads(shown.out)
    assert [row["name"] for row in rows][:2] == ["add optimizer=adam(lr=0.1)", "add optimizer=sgd"]
    assert all(row["runs"] == 20 for row in rows)
    assert file.exists()
    assert str(file) in shown.err


@pytest.mark.usefixtures("no_training")
def test_every_file_that_is_asked_for_is_written(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    files = [str(tmp_path / name) for name in ("a.png", "b.svg", "c.csv", "d.csv", "e.parquet", "f.parquet")]
    options = ("--plot", "--plot", "--csv", "--csv", "--parquet", "--parquet")
    command_line("compare", "add", "--runs", "20", *itertools.chain(*zip(options, files, strict=True)))
    told = capsys.readouterr().err
    assert all(Path(file).stat().st_size and file in told for file in files)
    command_line("estimators", "--samples", "400", "--plot", files[0] + ".svg", "--plot", files[0] + ".png")
    assert all(Path(f"{files[0]}.{ending}").stat().st_size for ending in ("svg", "png"))


@pytest.mark.usefixtures("no_training")
def test_labels_against_reward_stand_alone(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "runs.csv"
    command_line("compare", "labels-and-reward", "--runs", "3", "--steps", "5", "--csv", str(file))
    assert "dL/do = 2*(o - t)" in capsys.readouterr().out
    assert len(file.read_text(encoding="utf-8").splitlines()) == 1 + 9 * 3
    with pytest.raises(GlassgradError, match="alone"):
        command_line("compare", "labels-and-reward", "add")


@pytest.mark.usefixtures("no_training")
def test_the_command_prints_tables(capsys: pytest.CaptureFixture[str]) -> None:
    command_line("compare", "add", "--runs", "20")
    shown = capsys.readouterr().out
    assert shown.startswith("20 runs each, seeds 0 to 19")
    assert "\x1b" not in shown
    assert "\n  glassgrad watch add --engine compiled --seed" in shown


@pytest.mark.parametrize(
    "options",
    [
        ("--plot", "a.pdf"),
        ("--csv", "a.txt"),
        ("--parquet", "a.csv"),
        ("--runs", "0"),
        ("--format", "html"),
        ("--vary", "x"),
    ],
)
def test_what_cannot_be_written_is_refused_before_training(
    options: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glassgrad.engines.compiled.train_many", lambda *_: pytest.fail("it trained"))
    with pytest.raises(GlassgradError):
        command_line("compare", "add", *options)


@pytest.mark.parametrize("chosen", LANGUAGES)
@pytest.mark.parametrize("option", ["--csv", "--parquet", "--plot"])
@pytest.mark.parametrize("place", ["folder", "file/runs"])
def test_a_place_where_nothing_can_be_written_is_refused_before_training(
    chosen: Language, option: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glassgrad.engines.compiled.train_many", lambda *_: pytest.fail("it trained"))
    set_language(chosen)
    ending = {"--plot": ".png"}.get(option, f".{option[2:]}")
    (tmp_path / f"folder{ending}").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(GlassgradError) as refused:
        command_line("compare", "add", option, str(tmp_path / f"{place}{ending}"))
    said = str(refused.value)
    assert place in said
    assert os.strerror(errno.EISDIR if place == "folder" else errno.ENOTDIR) in said
    assert "--out" not in said


def test_what_a_file_holds_stays_until_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any) -> Runs:
        raise ExperimentError("experiment.no_reward")

    monkeypatch.setattr("glassgrad.engines.compiled.train_many", refused)
    old, new = tmp_path / "old.csv", tmp_path / "new.svg"
    old.write_text("mine", encoding="utf-8")
    with pytest.raises(ExperimentError):
        command_line("compare", "add", "--csv", str(old), "--plot", str(new))
    assert old.read_text(encoding="utf-8") == "mine"
    assert not new.exists()


def test_the_learning_rate_may_be_varied_by_itself() -> None:
    found = compare("add", vary=["lr=0.1,0.01"], runs=20, optimizer="adam(lr=1, beta1=0.5)", steps=20)
    assert [row.experiment.optimizer for row in found.runs] == ["adam(lr=0.1, beta1=0.5)", "adam(lr=0.01, beta1=0.5)"]
    plain = compare("add", vary=["optimizer=adam(lr=0.1, beta1=0.5)"], runs=20, steps=20)
    assert np.array_equal(found.runs[0].mean_error, plain.runs[0].mean_error)
    for wrong, named in (("w = w - 0.1*g", "w = w - 0.1*g"), ("adam", "x")):
        with pytest.raises(ExperimentError, match=re.escape(named)):
            compare("add", vary=[f"lr={'x' if named == 'x' else 0.1}"], runs=2, optimizer=wrong)
