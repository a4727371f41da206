"""Policies: answers and their log-probabilities are those of torch.distributions; which of them know o."""

import dataclasses

import numpy as np
import pytest
import torch

from glassgrad.formula import Program, evaluate, parse, read_lines
from glassgrad.formula.adjoint import adjoints
from glassgrad.formula.lines import Level
from glassgrad.formula.outputs import several_weights
from glassgrad.tables.policies import POLICIES
from glassgrad.tables.row import Row, find
from tied import Floats, Tied, check, plants, pytorch

GRID: Floats = np.linspace(-4, 4, 33)
PROBABILITIES: Floats = np.linspace(0.1, 0.9, 41)  # nearer to 0 and 1 PyTorch itself loses digits, by its logits


def policy(asked: str) -> Row:
    row = find("policy", POLICIES, asked)
    assert row is not None
    return row


def program(row: Row) -> Program:
    given: dict[str, Level] = dict.fromkeys(("o", "o1", "o2", "noise", "uniform"), "sample")
    weights = several_weights(("u", "v"))
    each: dict[str, Level] = dict.fromkeys(weights.given if "noise_w" in row.formula else (), "output")
    return read_lines(row.formula, {**given, **each, **dict.fromkeys(row.numbers, "step")}, "a", weights)


def line(row: Row, name: str, by: str, inputs: dict[str, Floats]) -> Tied:
    """One line of a policy; what it is in PyTorch is still to be said."""
    tree = next(line.tree for line in program(row).lines if line.name == name)
    return Tied(f"policy {row}, {name}", tree, by, inputs, lambda at: at[by], row.numbers)


def gaussian(row: Row, o_name: str = "o") -> Tied:
    """log p(a) of a normal distribution around an output."""

    def logp(at: dict[str, torch.Tensor]) -> torch.Tensor:
        made: torch.Tensor = pytorch(row, loc=at[o_name]).log_prob(at["a"])  # type: ignore[attr-defined]
        return made

    a, o = (side.ravel() for side in np.meshgrid(GRID, [-1.0, 0.0, 0.3, 18.0]))
    return dataclasses.replace(line(row, "logp", o_name, {"a": a, o_name: o}), reference=logp)


def gaussian_learned(row: Row) -> Tied:
    """log p(a) of a normal distribution around o1, whose deviation is a line of its own."""

    def logp(at: dict[str, torch.Tensor]) -> torch.Tensor:
        made: torch.Tensor = pytorch(row, loc=at["o1"], scale=at["sigma"]).log_prob(at["a"])  # type: ignore[attr-defined]
        return made

    a, o, sigma = (side.ravel() for side in np.meshgrid(GRID, [-1.0, 0.3, 18.0], [0.01, 0.5, 3.0]))
    return dataclasses.replace(line(row, "logp", "sigma", {"a": a, "o1": o, "sigma": sigma}), reference=logp)


def deviation(row: Row) -> Tied:
    """exp(o2), and what is added so that it does not vanish."""
    least = row.numbers["least"]
    return dataclasses.replace(line(row, "sigma", "o2", {"o2": GRID}), reference=lambda at: at["o2"].exp() + least)


def evolution(row: Row) -> Tied:
    """log p of a weight that was tried: a normal distribution around it."""

    def logp(at: dict[str, torch.Tensor]) -> torch.Tensor:
        made: torch.Tensor = pytorch(row, loc=at["u"]).log_prob(at["tried_u"])  # type: ignore[attr-defined]
        return made

    u, gap = (side.ravel() for side in np.meshgrid([-1.0, 0.3, 18.0], GRID))
    return dataclasses.replace(line(row, "logp_w_u", "u", {"u": u, "tried_u": u + gap}), reference=logp)


def bernoulli(row: Row) -> Tied:
    """log p(a) of a choice of 1 with probability o."""

    def logp(at: dict[str, torch.Tensor]) -> torch.Tensor:
        made: torch.Tensor = pytorch(row, probs=at["o"]).log_prob(at["a"])  # type: ignore[attr-defined]
        return made

    a, o = (side.ravel() for side in np.meshgrid([0.0, 1.0], PROBABILITIES))
    return dataclasses.replace(line(row, "logp", "o", {"a": a, "o": o}), reference=logp)


def pathwise(row: Row) -> Tied:
    """An answer that is the output plus noise, as Normal.rsample makes it: loc + eps*scale."""
    noise, o = (side.ravel() for side in np.meshgrid(GRID, [0.0, 5.0]))
    tied = line(row, "a", "o", {"noise": noise, "o": o})
    return dataclasses.replace(tied, reference=lambda at: at["o"] + at["noise"] * row.numbers["sigma"])


def output(row: Row) -> Tied:
    return dataclasses.replace(line(row, "a", "o", {"o": GRID}), reference=lambda at: at["o"] * 1)


TIED = {
    tied.name: tied
    for tied in (
        output(policy("output")),
        pathwise(policy("pathwise")),
        pathwise(policy("pathwise(sigma=2)")),
        gaussian(policy("gaussian")),
        gaussian(policy("gaussian(sigma=0.05)")),
        gaussian(policy("gaussian(sigma=3)")),
        gaussian(policy("gaussian_first"), "o1"),
        bernoulli(policy("bernoulli")),
        evolution(policy("evolution")),
        evolution(policy("evolution(sigma=0.5)")),
        gaussian_learned(policy("gaussian_learned")),
        deviation(policy("gaussian_learned(least=0.5)")),
    )
}


@pytest.mark.parametrize("name", TIED)
def test_a_policy_is_what_it_is_in_pytorch(name: str) -> None:
    check(TIED[name])


@pytest.mark.parametrize("name", TIED)
def test_a_small_error_in_a_policy_is_seen_and_named(name: str) -> None:
    for wrong in plants(TIED[name].tree, TIED[name].numbers):
        with pytest.raises(AssertionError) as caught:
            check(dataclasses.replace(TIED[name], tree=wrong))
        assert str(caught.value).startswith(f"{name}: ")


def test_every_policy_is_tied() -> None:
    """All but categorical, which chooses among outputs: `tests/test_outputs.py`."""
    assert {name.split()[1].partition("(")[0].rstrip(",") for name in TIED} == set(POLICIES) - {"categorical"}


def answer(row: Row, **values: object) -> Floats:
    tree = program(row).lines[0].tree
    return np.asarray(evaluate(tree, {**row.numbers, **values}))


def test_a_gaussian_answer_is_the_output_plus_noise() -> None:
    np.testing.assert_array_equal(answer(policy("gaussian(sigma=2)"), o=3.0, noise=GRID), 3 + 2 * GRID)


def test_a_choice_is_1_as_often_as_its_probability_says() -> None:
    uniform = (np.arange(1000) + 0.5) / 1000  # evenly spread: the share of ones is the probability itself
    for o in (0.0, 0.125, 0.5, 0.999, 1.0):
        chosen = answer(policy("bernoulli"), o=o, uniform=uniform)
        assert set(np.unique(chosen)) <= {0.0, 1.0}
        assert chosen.mean() == pytest.approx(o, abs=1e-3)


def test_answers_are_judged_without_chance() -> None:
    """noise = 0 gives the middle of the answers, uniform = 0.5 the likelier choice."""
    assert answer(policy("gaussian"), o=3.0, noise=0.0) == 3.0
    assert answer(policy("pathwise"), o=3.0, noise=0.0) == 3.0
    assert answer(policy("bernoulli"), o=0.51, uniform=0.5) == 1.0
    assert answer(policy("bernoulli"), o=0.49, uniform=0.5) == 0.0


@pytest.mark.parametrize(
    ("asked", "paths"),
    [
        ("output", {"a": True, "logp": None}),
        ("pathwise", {"a": True, "logp": None}),
        ("gaussian", {"a": False, "logp": True}),
        ("bernoulli", {"a": False, "logp": True}),
    ],
)
def test_what_knows_the_output(asked: str, paths: dict[str, bool | None]) -> None:
    """Whether a derivative leads from the answer, and from its log-probability, to the output."""
    lines = program(policy(asked)).lines
    for result, expected in paths.items():
        assert (result in {line.name for line in lines}) == (expected is not None)
        if expected is not None:
            upto = lines[: [line.name for line in lines].index(result) + 1]
            found = {line.name for line in adjoints(upto, result, {"o": "sample"})}
            assert ("do" in found) == expected


def test_the_mean_of_the_score_is_zero() -> None:
    """E[d logp / d o] = 0 for every policy that samples: what makes a baseline harmless."""
    noise = np.linspace(-8, 8, 4001)
    weight = np.exp(-(noise**2) / 2) / np.sqrt(2 * np.pi) * (noise[1] - noise[0])
    score = evaluate(parse("(a - o)/sigma**2"), {"a": 3 + 0.5 * noise, "o": 3.0, "sigma": 0.5})
    assert float(np.sum(weight * score)) == pytest.approx(0, abs=1e-12)
    for o in (0.2, 0.9):
        scores = evaluate(parse("where(a == 1, 1/o, -1/(1 - o))"), {"a": np.array([0.0, 1.0]), "o": o})
        assert float(np.sum(np.array([1 - o, o]) * scores)) == pytest.approx(0, abs=1e-12)
