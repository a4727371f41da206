"""Slips: each is found, what is right is not, at the stated rates; and the table of the page is measured."""

import json
import math
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from scipy import special, stats

import glassgrad as gg
import glassgrad.rl
from glassgrad.cli.main import main
from glassgrad.errors import ExperimentError
from glassgrad.formula.evaluate import evaluate
from glassgrad.locale import LANGUAGES, set_language
from glassgrad.method import method
from glassgrad.report.slips import held
from glassgrad.rl.held import FALSE_ALARM, LEAST, POWER, Held, Place, needed
from glassgrad.tables.experiments import shipped
from glassgrad.tables.slips import ELSEWHERE, SLIPS, Slip, named

AT = "4.5 + 0.5*t"
FEW = {"samples": 8}
OWN_CRITIC = SLIPS["slip-logp-stopped"].correct
RIGHT: dict[str, Place] = {
    "reinforce": Place(shipped("add-reinforce").change(objective="reinforce", **FEW), AT),
    "constant": Place(shipped("add-reinforce").change(objective="reinforce_constant(baseline=-3)", **FEW), AT),
    "running mean": Place(shipped("add-reinforce").change(**FEW), AT),
    "leave one out": Place(shipped("add-reinforce").change(objective="reinforce_leave_one_out", **FEW), AT),
    "in groups": Place(
        shipped("add-reinforce").change(samples=16, group=4, objective="-stop(reward - group_others(reward))*logp"), AT
    ),
    "pathwise": Place(shipped("add-reinforce").change(policy="pathwise", objective="reward", **FEW), AT),
    "bernoulli": Place(shipped("choose").change(**FEW), "0.25 + 0.5*t"),
    "actor": Place(OWN_CRITIC.change(**FEW), AT),
    "critic": Place(OWN_CRITIC.change(**FEW), AT, "-0.5*(o2 - reward)**2", 2),
    "unclipped": Place(SLIPS["slip-clipped-answer"].correct.change(**FEW), "0.2"),
    "entropy": Place(SLIPS["slip-entropy-sign"].correct.change(**FEW), "0.25 + 0.5*t", SLIPS["slip-entropy-sign"].goal),
}
SCALED = [slip for slip in SLIPS.values() if slip.check == "scale"]
each_scaled = pytest.mark.parametrize("slip", SCALED, ids=lambda slip: slip.name)
PILOT = 30_000


def pilot(slip: Slip) -> Held:
    """What a slip does to the scale, from so many batches that the power follows from it."""
    return held(slip, slip.experiment, max(LEAST, PILOT * 8 // slip.experiment.samples), seed=10**6)


@pytest.mark.slow
def test_a_right_method_is_called_wrong_once_in_a_thousand_times() -> None:
    tests = [place.held(LEAST, seed).wrong for place in RIGHT.values() for seed in range(500)]
    low, high = stats.binom.ppf([0.0005, 0.9995], len(tests), FALSE_ALARM)
    assert low <= sum(tests) <= high


@pytest.mark.parametrize("name", RIGHT)
def test_the_scale_of_a_right_method_is_one(name: str) -> None:
    found = RIGHT[name].held(20_000, seed=1)
    assert not found.wrong
    assert found.error < 0.08


def test_z_is_normal_if_all_is_right() -> None:
    z = [RIGHT["leave one out"].held(LEAST, seed).z for seed in range(400)]
    assert stats.kstest(z, "norm").pvalue > 0.001


@each_scaled
def test_a_slip_is_found_and_what_is_right_is_not(slip: Slip) -> None:
    batches = needed(pilot(slip))
    found = [held(slip, slip.experiment, batches, seed).wrong for seed in range(20)]
    # if 99 in 100 are found, at least 18 of 20 are, but for 1 in 1,000 times
    assert sum(found) >= stats.binom.ppf(0.001, 20, POWER)
    assert not held(slip, slip.correct, batches, seed=0).wrong


@pytest.mark.slow
def test_the_power_is_as_computed() -> None:
    slip = SLIPS["slip-own-sample"]
    for power in (0.5, POWER):
        batches = needed(Held(7 / 8, pilot(slip).spread, 10**12), power)
        found = sum(held(slip, slip.experiment, batches, seed).wrong for seed in range(600))
        low, high = stats.binom.ppf([0.0005, 0.9995], 600, [power - 0.01, min(1.0, power + 0.01)])
        assert low <= found <= high, (power, batches, found)


@pytest.mark.parametrize(("share", "samples"), [(7 / 8, 8), (3 / 4, 4), (1 / 2, 2)])
def test_an_own_sample_takes_its_share(share: float, samples: int) -> None:
    slip = SLIPS["slip-own-sample"]
    found = held(slip, slip.experiment.change(samples=samples), 200_000 // samples, seed=0)
    assert abs(found.scale - share) < 4 * found.error < 0.06


def test_a_broadcast_advantage_leaves_one_share_in_as_many_as_there_are_answers() -> None:
    slip = SLIPS["slip-broadcast-advantage"]
    found = held(slip, slip.experiment.change(samples=4), 50_000, seed=0)
    assert abs(found.scale - 1 / 4) < 4 * found.error < 0.05


def test_the_needed_number_is_that_of_normal_quantiles() -> None:
    found = needed(Held(0.9, 1.0, 10**12), 0.5)
    assert found == pytest.approx((-special.ndtri(FALSE_ALARM / 2) / 0.1) ** 2, abs=1.1)
    assert needed(Held(1.0, 1.0, LEAST)) == needed(Held(1.05, 1.0, LEAST)) == needed(Held(-3.0, 1.0, LEAST)) == LEAST


def test_what_does_not_vary_is_told_by_rounding_alone() -> None:
    assert [Held(scale, 0.0, LEAST).wrong for scale in (1.0, 1 + 1e-9, 1.01, math.nan)] == [False, False, True, True]


@pytest.mark.parametrize("name", ["add-reinforce", "choose", "knob-fixed"])
def test_the_exact_slope_is_that_of_autograd_and_closed_form(name: str) -> None:
    place = Place(shipped(name), {"add-reinforce": AT, "choose": "0.25 + 0.5*t", "knob-fixed": "0.5"}[name])
    d = (place.outputs["o"] - place.truth) / 0.5
    closed = {"add-reinforce": -special.erf(d / math.sqrt(2)), "choose": 2 * place.truth - 1, "knob-fixed": 5.0}[name]
    np.testing.assert_allclose(place.slope, np.broadcast_to(closed, place.slope.shape), atol=1e-6)


@pytest.mark.parametrize("slip", SLIPS.values(), ids=lambda slip: slip.name)
def test_every_slip_is_an_experiment_that_differs_in_little(slip: Slip) -> None:
    assert named(slip.name) == slip.experiment
    assert slip.experiment != slip.correct
    assert len(slip.wrong) <= 2
    assert slip.source
    for one in (slip.experiment, slip.correct):
        method(one)
    for words in (slip.reading, slip.shows):
        assert all(words)


@pytest.fixture(scope="module")
def found() -> Any:
    return gg.slips(runs=100)


@pytest.mark.slow
def test_each_slip_is_found_but_the_one_without_effect(found: Any) -> None:
    assert [entry.slip.name for entry in found.entries if not entry.found] == ["slip-target-not-stopped"]
    assert [entry.slip.name for entry in found.entries] == list(SLIPS)


@pytest.mark.slow
def test_slips_do_what_is_said_of_them(found: Any) -> None:
    harmless = {"slip-own-sample", "slip-target-not-stopped", "slip-advantage-not-stopped"}
    for entry in found.entries:
        assert (entry.p_value > 0.01) is (entry.slip.name in harmless), entry.slip.name
        assert entry.difference <= 0
    assert found["slip-normalised-one"].numbers["steps"] == 1
    assert found["slip-normalised-equal"].wrong.diverged == 100
    assert found["slip-target-not-stopped"].numbers["differ"] == 0


@pytest.mark.slow
def test_the_ratio_is_one_to_the_last_digit(found: Any) -> None:
    numbers = found["slip-ratio-one"].numbers
    assert numbers["ratio"] == [1, 1]
    assert numbers["right_ratio"][0] < 0.99 < 1.01 < numbers["right_ratio"][1]
    run = gg.watch(SLIPS["slip-ratio-one"].correct.change(schedule="constant", steps=4))
    low, high = numbers["right_ratio"]
    assert low - 1e-6 <= float(run.step(4).equation("ratio").value) <= high + 1e-6


def test_a_critic_with_the_advantage_not_stopped_is_off_by_half() -> None:
    """-logp = (a - o)**2/(2*sigma**2), of which the mean is 1/2."""
    from glassgrad.ends import ends
    from glassgrad.insight import forward

    slip = SLIPS["slip-advantage-not-stopped"]
    for experiment, off in ((slip.correct, 0.0), (slip.experiment, 0.5)):
        (end,) = ends(experiment, [1])
        assert end is not None
        value = forward(experiment, end, method(experiment).task.domain())["o2"].mean()
        assert abs(value - (off - 0.5 * math.sqrt(2 / math.pi))) < 0.1


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["glassgrad", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_one_slip_by_name(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "compare", "slip-reward-times-log", "--runs", "20") == 0
    text = capsys.readouterr().out
    assert "scale -0.2000" in text
    assert "glassgrad watch knob-fixed\n" in text
    assert run(monkeypatch, "compare", "slip-reward-times-log", "--runs", "20", "--format", "json") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["right"]["solved"], row["wrong"]["solved"], row["found"]) == (20, 0, True)
    assert row["wrong"]["settings"] == {"objective": "-stop(reward)*log(o)"}


def test_a_slip_among_other_experiments(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "compare", "knob-fixed", "slip-reward-times-log", "--runs", "10") == 0
    assert "slip-reward-times-log" in capsys.readouterr().out
    assert run(monkeypatch, "compare", "slips", "knob") == 2
    assert "slips stands alone" in capsys.readouterr().err
    assert run(monkeypatch, "compare", "slip-own") == 2
    assert "did you mean 'slip-own-sample'" in capsys.readouterr().err


def test_an_unknown_slip_is_refused() -> None:
    with pytest.raises(ExperimentError, match="did you mean 'slip-entropy-sign'"):
        gg.slips("slip-entropy")


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_text_and_the_list_have_every_slip(language: Any, found: Any) -> None:
    set_language(language)
    try:
        text = found.to_text()
    finally:
        set_language("en")
    for name in [*SLIPS, *(row.name for row in ELSEWHERE)]:
        assert f"\n{name}\n" in text
    assert [item.name for item in gg.list("slips")["slips"]] == [*SLIPS, *(row.name for row in ELSEWHERE)]
    assert all(len(line) <= 80 for line in text.splitlines())


# What environments get wrong.


def test_a_filler_row_is_half_of_what_is_collected() -> None:
    def rewards(mode: AutoresetMode) -> list[float]:
        many = gymnasium.make_vec(
            "glassgrad/Add-v0", 4, vectorization_mode="sync", vector_kwargs={"autoreset_mode": mode}
        )
        many.reset(seed=glassgrad.rl.seeds(0, 4))  # type: ignore[arg-type]
        found = []
        for _ in range(40):
            _, reward, *_ = many.step(np.full((4, 1), 0.987, np.float32))
            found += reward.tolist()
        return found

    filler, none = (
        [reward == 0 for reward in rewards(mode)] for mode in (AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP)
    )
    assert (sum(filler), sum(none)) == (80, 0)
    assert glassgrad.rl.VectorEnvironment.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP


def test_seeds_that_are_counted_up_overlap() -> None:
    def asked(seed: int | list[int]) -> list[bytes]:
        many = gymnasium.make_vec("glassgrad/Add-v0", 8, vectorization_mode="sync")
        rows = [many.reset(seed=seed)[0]]  # type: ignore[arg-type]
        for _ in range(10):
            rows.append(many.step(np.zeros((8, 1), np.float32))[0])
        return [np.ascontiguousarray(stream).tobytes() for stream in np.stack(rows, axis=1)]

    assert len(set(asked(0)) & set(asked(1))) == 7
    assert not set(asked(glassgrad.rl.seeds(0, 8))) & set(asked(glassgrad.rl.seeds(1, 8)))


# The lines of the page, in PyTorch.


def arriving(name: str, o: Any, noise: Any, t: Any) -> Any:
    """What arrives at each output of a batch by the formula of a slip."""
    of = method(SLIPS[name].experiment)
    known: dict[str, Any] = {**of.numbers, "o": o, "noise": noise, "t": t, "step": 1.0, "baseline": 0.0}
    for line in (*of.program.lines, *of.backward):
        known[line.name] = evaluate(line.tree, known)
    return known["do"] / len(o)


@pytest.mark.parametrize("name", ["slip-broadcast-labels", "slip-broadcast-advantage", "slip-own-sample"])
def test_the_formula_is_what_pytorch_does(name: str) -> None:
    import torch

    stream = np.random.default_rng(3)
    values, noise, t = stream.normal(5, 2, 8), stream.normal(size=8), stream.integers(0, 19, 8).astype(np.float64)
    out, truth = torch.tensor(values[:, None], requires_grad=True), torch.tensor(t)
    dist = torch.distributions.Normal(out, 0.5)
    a = (out + 0.5 * torch.tensor(noise[:, None])).detach()
    logp, reward = dist.log_prob(a), -(a.squeeze(1) - truth).abs()
    loss = {
        "slip-broadcast-labels": lambda: ((out - truth) ** 2).mean(),
        "slip-broadcast-advantage": lambda: -((reward - 0.0) * logp).mean(),
        "slip-own-sample": lambda: -((reward - reward.mean()) * logp.squeeze(1)).mean(),
    }[name]
    loss().backward()  # type: ignore[no-untyped-call]
    assert out.grad is not None
    np.testing.assert_allclose(out.grad[:, 0], arriving(name, values, noise, t), rtol=1e-10)


def test_rsample_gives_no_gradient() -> None:
    import torch

    out = torch.tensor([[5.0]], requires_grad=True)
    dist = torch.distributions.Normal(out, 0.5)
    (-2.0 * dist.log_prob(dist.rsample())).sum().backward()
    assert out.grad is not None
    assert abs(out.grad.item()) < 1e-5
