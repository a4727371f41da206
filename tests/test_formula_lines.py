"""Methods as lines: names, levels, state, aggregates, mistakes; Adam and NAdam; the chain rule."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
import torch

from glassgrad.errors import FormulaError
from glassgrad.formula.adjoint import adjoints
from glassgrad.formula.evaluate import evaluate, evaluate_torch
from glassgrad.formula.lines import Level, Program, read_lines, reads, run_lines, split_lines
from glassgrad.formula.text import show

OPTIMIZER: dict[str, Level] = {"w": "parameter", "g": "parameter", "lr": "step", "step": "step"}
OBJECTIVE: dict[str, Level] = {"o": "sample", "t": "sample", "noise": "sample", "k": "step"}


def written(source: str, given: Mapping[str, Level] = OBJECTIVE, result: str = "objective") -> list[str]:
    """The lines of a program as text, each with its level."""
    return [f"{line} [{line.level}]" for line in read_lines(source, given, result).lines]


def test_a_formula_alone_is_the_result() -> None:
    assert written("(o - t)**2") == ["objective = (o - t)**2 [sample]"]
    assert written("a = 2*o; a - t") == ["a = 2*o [sample]", "objective = a - t [sample]"]
    assert written("where(o == t, 1, 0)") == ["objective = [o == t] [sample]"]


def test_a_name_means_its_latest_value() -> None:
    assert written("a = o; a = a + a; a = 2*a; objective = a") == [
        "a = o [sample]", "a_new = a + a [sample]", "a_new_new = 2*a_new [sample]",
        "objective = a_new_new [sample]",
    ]  # fmt: skip


def test_no_name_is_made_twice() -> None:
    lines = written("o_new = 1; o = 2*o + o_new; mean_o = 3; objective = mean(o) + mean_o + mean(o - t) + mean(o*t)")
    names = [line.split(" ")[0] for line in lines]
    assert len(set(names)) == len(names)
    assert lines[1] == "o_new_new = 2*o + o_new [sample]"
    assert lines[-1] == "objective = mean_o_new_new + mean_o + mean_1 + mean_2 [step]"


def test_aggregates_inside_a_formula_become_lines() -> None:
    assert written("(o - mean(o))/std(o)") == [
        "mean_o = mean(o) [step]", "std_o = std(o) [step]", "objective = (o - mean_o)/std_o [sample]",
    ]  # fmt: skip
    assert written("mean(o - mean(o)) + mean(o)") == [
        "mean_o = mean(o) [step]", "mean_1 = mean(o - mean_o) [step]", "objective = mean_1 + mean_o [step]",
    ]  # fmt: skip
    assert written("b = mean(o); o - mean(o)") == ["b = mean(o) [step]", "objective = o - b [sample]"]


def test_leaving_one_out_stays_with_each_sample() -> None:
    program = read_lines("o - others(o)", OBJECTIVE, "objective")
    assert [line.level for line in program.lines] == ["sample", "sample"]
    values = run_numpy(program, {"o": np.array([1.0, 2.0, 6.0])})
    np.testing.assert_allclose(values["objective"], [1 - 4, 2 - 3.5, 6 - 1.5])


def test_the_level_of_a_state_is_that_of_its_line() -> None:
    program = read_lines("state m = 0; state p = 1; m = 0.9*m + g; p = 0.5*p; w = w - lr*m*p", OPTIMIZER, "w")
    assert (program.level("m"), program.level("p"), program.level("w")) == ("parameter", "step", "parameter")
    assert program.latest == {**{name: name for name in OPTIMIZER}, "m": "m_new", "p": "p_new", "w": "w_new"}
    assert {name: show(tree) for name, tree in program.states.items()} == {"m": "0", "p": "1"}


def test_states_may_lean_on_each_other() -> None:
    source = "state a = 0; state b = 0; state c = 0; a = b; b = c; c = c + g; w = w - a"
    program = read_lines(source, OPTIMIZER, "w")
    assert {program.level(name) for name in "abc"} == {"parameter"}


def test_norm_reads_all_parameters() -> None:
    clip = "n = norm(g); g = g*min(1, 1/n); w = w - lr*g"
    assert written(clip, OPTIMIZER, "w")[0] == "n = norm(g) [step]"


def test_lines_are_split_outside_of_brackets_and_lose_their_remarks() -> None:
    source = "# a method\na = where(o > 0,\n  o, 0)  # the positive part; only\n\nb = a; c = b"
    assert split_lines(source) == ("a = where(o > 0,\n  o, 0)", "b = a", "c = b")
    assert written(source + "\nc")[0] == "a = where(o > 0, o, 0) [sample]"


def test_what_a_name_depends_on() -> None:
    program = read_lines("a = o + k; b = t; c = 2*a; objective = c", OBJECTIVE, "objective")
    assert reads(program.lines, "objective") == {"objective", "c", "a", "o", "k"}


MISTAKES = [
    ("", "expected a formula"),
    (" ; \n # nothing", "expected a formula"),
    ("a = o", "'objective' is never assigned"),
    ("state b = 0; o - b", "'b' is never assigned"),
    ("o - t; objective = o", "expected a line name = formula"),
    ("o （ t; objective = o", "write ("),
    ("a ＝ o; objective = a", "write ="),
    ("objective = o +", "something is missing"),
    ("objective = q", "known are o, t, noise, k"),
    ("objective == o", "comparison"),
    ("exp = o; objective = o", "'exp' cannot be assigned"),
    ("pi = 3; objective = o", "'pi' cannot be assigned"),
    ("mean = o; objective = o", "'mean' cannot be assigned"),
    ("_a = o; objective = o", "'_a' cannot be assigned"),
    ("2a = o; objective = o", "'2a' cannot be assigned"),
    ("a += o; objective = a", "cannot be assigned"),
    ("a.b = o; objective = o", "cannot be assigned"),
    ("学 = o; objective = o", "cannot be assigned"),
    ("lambda = 2; objective = o", "did you mean lam?"),
    ("a = b = o; objective = a", "expected a formula, got '='"),
    ("state m = 0; state m = 1; m = k; objective = m", "declared twice"),
    ("state o = 0; o = k; objective = o", "declared twice"),
    ("state m = k; m = k; objective = m", "only numbers can be used"),
    ("state m 0; objective = o", "expected a line name = formula"),
    ("state m = 0; m = 0.9*m + o; objective = m", "would differ between samples"),
    ("objective = mean(k)", "mean(…) in 'objective = mean(k)' needs something that differs"),
    ("objective = o - others(2)", "others(…) in 'others_1 = others(2)' needs something"),
    ("objective = " + "+".join(["o"] * 2000), "at most 2000 characters"),
]


@pytest.mark.parametrize(("source", "message"), MISTAKES)
def test_a_mistake_is_said_in_one_line(source: str, message: str) -> None:
    with pytest.raises(FormulaError) as caught:
        read_lines(source, OBJECTIVE, "objective")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_samples_and_parameters_do_not_mix() -> None:
    given: dict[str, Level] = {"o": "sample", "w": "parameter"}
    with pytest.raises(FormulaError, match=r"mixes .* 'objective = o\*w'|'objective = o\*w' mixes"):
        read_lines("o*w", given, "objective")
    assert written("mean(o)*w", given) == ["mean_o = mean(o) [step]", "objective = mean_o*w [parameter]"]


# --- optimizers, written in the language, against PyTorch's

ADAM = """
state m = 0
state v = 0
m = beta1*m + (1 - beta1)*g
v = beta2*v + (1 - beta2)*g**2
m_hat = m/(1 - beta1**step)
v_hat = v/(1 - beta2**step)
w = w - lr*m_hat/(sqrt(v_hat) + eps)
"""
NADAM = """
state m = 0; state v = 0; state product = 1   # the product lasts from step to step, one for all parameters
mu = beta1*(1 - 0.5*0.96**(step*0.004))
mu_next = beta1*(1 - 0.5*0.96**((step + 1)*0.004))
product = product*mu
m = beta1*m + (1 - beta1)*g
v = beta2*v + (1 - beta2)*g**2
w = w - lr*(1 - mu)/(1 - product)*g/(sqrt(v/(1 - beta2**step)) + eps) \
      - lr*mu_next/(1 - product*mu_next)*m/(sqrt(v/(1 - beta2**step)) + eps)
""".replace("\\\n", "")
NUMBERS = {"lr": 0.05, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}


@pytest.fixture
def double_by_default() -> Iterator[None]:
    """NAdam keeps its running product in the default precision."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("double_by_default")
@pytest.mark.parametrize(("source", "optimizer"), [(ADAM, torch.optim.Adam), (NADAM, torch.optim.NAdam)])
@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_an_optimizer_as_lines_is_torchs(source: str, optimizer: Any, backend: str) -> None:
    program = read_lines(source, {**OPTIMIZER, **dict.fromkeys(NUMBERS, "step")}, "w")
    generator = np.random.default_rng(3)
    w = generator.normal(size=5)
    theirs = torch.tensor(w, requires_grad=True)
    torch_optimizer = optimizer([theirs], lr=NUMBERS["lr"])
    values: dict[str, Any] = {"w": torch.tensor(w) if backend == "torch" else w, **NUMBERS}
    values |= {name: float(evaluate(tree, {})) for name, tree in program.states.items()}
    for step in range(1, 61):
        g = generator.normal(size=5)
        theirs.grad = torch.tensor(g)
        torch_optimizer.step()
        values |= {"step": float(step), "g": torch.tensor(g) if backend == "torch" else g}
        after = run_torch(program, values) if backend == "torch" else run_numpy(program, values)
        values |= {name: after[program.latest[name]] for name in (*program.states, "w")}
        np.testing.assert_allclose(np.asarray(values["w"]), theirs.detach().numpy(), rtol=0, atol=1e-14)


def run_numpy(program: Program, values: Mapping[str, Any]) -> dict[str, Any]:
    return run_lines(program.lines, dict(values), evaluate)


def run_torch(program: Program, values: Mapping[str, Any]) -> dict[str, Any]:
    return run_lines(program.lines, dict(values), lambda tree, at: evaluate_torch(tree, at, torch.float64))


# --- the chain rule over lines, against autograd

PROGRAMS = [
    "(o - t)**2",
    "a = o; reward = -abs(a - t); objective = -reward",
    "a = stop(o + k*noise); logp = -(a - o)**2/(2*k**2) - log(k); objective = -stop(-abs(a - t))*logp",
    "r = o*t; m = mean(r); s = sqrt(mean((r - m)**2)); objective = -tanh((r - m)/s)",
    "r = o*t*k; objective = -(r - mean(r))/(std(r) + 1)*r",
    "r = o*k + t; b = others(r); objective = (r - b)**2",
    "r = o*k + t; b = others(r); objective = 2*r - b",
    "b = others(o*t); objective = b",
    "objective = sum(o**2)*0.1 + max(o*k)*o - min(t*o) + norm(o - t)",
    "objective = mean(o*k)*mean(t*k)",
    "a = max(o, t); b = where(a > k, log(a + 3), a*t); objective = a*b - stop(b)*o",
    "c = k*k; a = c*o; c = c + mean(a); objective = c*a",
]


@pytest.mark.parametrize("source", PROGRAMS)
def test_the_chain_rule_over_lines_is_autograds(source: str) -> None:
    program = read_lines(source, OBJECTIVE, "objective")
    generator = np.random.default_rng(5)
    values: dict[str, Any] = {name: generator.normal(size=7) for name in ("o", "t", "noise")} | {"k": 0.6}
    leaves = {name: torch.tensor(value, dtype=torch.float64, requires_grad=True) for name, value in values.items()}
    loss = torch.as_tensor(run_torch(program, leaves)["objective"]).mean()
    loss.backward()
    known = run_numpy(program, values)
    backward = adjoints(program.lines, "objective", OBJECTIVE)
    known = run_lines(backward, known, evaluate)
    for name in OBJECTIVE:
        gradient = leaves[name].grad
        there = np.zeros(1) if gradient is None else gradient.numpy()
        here = np.asarray(known.get(f"d{name}", 0.0)) / (1 if name == "k" else 7)
        here, there = np.broadcast_arrays(here, there)
        np.testing.assert_allclose(here, there, rtol=1e-12, atol=1e-14, err_msg=name)
