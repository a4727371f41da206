"""The questions of a task, answered by a network with several outputs: normal around one of them, or a choice.

A sigma that is learned is a formula in the outputs: dJ/do_k = dJ/dmu*[o_k is the mean] + dJ/dsigma*dsigma/do_k.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from glassgrad.draws import Floats
from glassgrad.errors import ExperimentError
from glassgrad.formula.derivative import derivative
from glassgrad.formula.evaluate import evaluate
from glassgrad.formula.functions import Array
from glassgrad.formula.lines import Level, Line, read_lines
from glassgrad.formula.outputs import INDEX, several_outputs
from glassgrad.formula.simplify import ONE
from glassgrad.formula.tree import Number, Symbol, Tree, substitute, symbols
from glassgrad.method import Method
from glassgrad.rl.arriving import joined
from glassgrad.rl.exact import Exact, choice, normal, without_stop
from glassgrad.rl.network import every_output, jacobian
from glassgrad.rl.situation import Situation, bernoulli_lines, check_sigma, earned, gaussian_lines, inlined
from glassgrad.tables.policies import POLICIES


@dataclass(frozen=True)
class Answering:
    """How outputs answer by chance: mean + sigma*noise, or, where mean is None, first + a choice by softmax.

    mean: the output that is the mean. sigma: a formula in the outputs. first: the first of the answers to choose from.
    One output alone has a fixed sigma, and chooses 1 with probability o, else 0.
    """

    mean: str | None
    sigma: Tree = ONE
    first: float = 0.0

    def lines(self, outputs: int) -> tuple[Line, ...]:
        """The policy's lines, with the mean called o."""
        if outputs == 1:
            return bernoulli_lines() if self.mean is None else gaussian_lines()
        if self.mean is not None:
            before = (Line("o", Symbol(self.mean), "sample"), Line("sigma", self.sigma, "sample"))
            return (*before, *gaussian_lines())
        names = (*(f"o{k + 1}" for k in range(outputs)), "uniform")
        given: dict[str, Level] = {**dict.fromkeys(names, "sample"), "o": "output", INDEX: "output", "first": "step"}
        lines = read_lines(POLICIES["categorical"].formula, given, "a", several_outputs(outputs)).lines
        known: dict[str, Tree] = {"first": Number(self.first)}
        return tuple(Line(line.name, substitute(line.tree, known), line.level) for line in lines)


def answering(of: Method, numbers: Mapping[str, Tree], sigma: float | None = None) -> Answering:
    """How a policy answers by chance.

    numbers: the values of all settings. sigma: answer with the first output + sigma*noise, whatever the policy is.

    Raises:
        ExperimentError: neither with one of the outputs + sigma*noise nor with a choice.

    Example:
        >>> from glassgrad.formula.text import show
        >>> from glassgrad.method import method
        >>> from glassgrad.tables.experiments import shipped
        >>> found = answering(method(shipped("add-a2c")), {"least": Number(0.1)})
        >>> found.mean, show(found.sigma)
        ('o1', 'exp(o2) + 0.1')
    """
    if sigma is not None:
        check_sigma(sigma)
        return Answering(of.outputs[0], Number(float(sigma)))
    policy = of.pieces["policy"]
    tree = without_stop(substitute(inlined(of.program.lines, of.program.latest["a"]), dict(numbers)))
    if chosen := _choosing(tree, of.outputs):
        return chosen
    if not {"noise", "uniform"} & set(symbols(tree)):
        raise ExperimentError("estimators.no_chance", policy=policy.name[:40])
    spread, middle = derivative(tree, "noise"), substitute(tree, {"noise": Number(0.0)})
    mean = next((name for name in of.outputs if _is(middle, name, of.outputs)), None)
    if mean is None or not set(symbols(spread)) <= set(of.outputs):
        raise ExperimentError("estimators.policy", policy=policy.name[:40])
    if not symbols(spread):
        value = abs(float(evaluate(spread, {})))
        check_sigma(value)
        spread = Number(value)
    return Answering(mean, spread)


def _choosing(tree: Tree, outputs: tuple[str, ...]) -> Answering | None:
    """The choice that an answer is: by softmax, from any first answer on; of one output, 1 with probability o."""
    if outputs == ("o",):
        return Answering(None) if tree == without_stop(inlined(bernoulli_lines(), "a")) else None
    known = {name: np.zeros(1) for name in outputs} | {"uniform": np.zeros(1)}  # the first answer is chosen
    if not set(symbols(tree)) <= set(known):
        return None
    found = Answering(None, first=float(np.ravel(evaluate(tree, known))[0]))
    same = without_stop(inlined(found.lines(len(outputs)), "a"))
    return found if joined(same) == joined(tree) else None


def _is(tree: Tree, name: str, outputs: tuple[str, ...]) -> bool:
    """Whether a formula is worth just this output, whatever the others are."""
    tried = np.array([-3.5, 0.0, 0.25, 7.0])
    known = {other: np.roll(tried, k) for k, other in enumerate(outputs, 1)} | {name: tried}
    plain = set(symbols(tree)) <= set(outputs) and derivative(tree, name) == ONE
    return plain and np.array_equal(evaluate(tree, known), tried)


def several(
    of: Method, theta: Floats, inputs: Floats, values: Mapping[str, Array], reward: Tree, how: Answering
) -> Situation:
    """The questions, answered by several outputs; those that do not decide the answer are given, as a critic's is.

    Raises:
        ExperimentError: a reward or a sigma is not a number that will do.
    """
    names = of.outputs
    o = dict(zip(names, every_output(of, theta[None], inputs)[0].T, strict=True))
    deciding = [name for name in names if how.mean is None or name in (how.mean, *symbols(how.sigma))]
    exact, spread = _choice(how, o, reward, values) if how.mean is None else _normal(how, how.mean, o, reward, values)
    shared: dict[str, Any] = {} if symbols(how.sigma) or how.mean is None else {"sigma": spread}
    return Situation(
        policy=how.lines(len(names)),
        reward=reward,
        values={**values, **shared, **{name: o[name] for name in names if name not in deciding}},
        variables={name: o[name] for name in deciding},
        exact=exact,
        slopes={name: jacobian(of, theta, inputs, names.index(name))[1] for name in deciding},
        parameters=tuple(name for name, _, _ in of.network.parameters()),
        move=lambda by: _named(deciding, names, every_output(of, theta + by, inputs)),
        spread=spread,
        chance="uniform" if how.mean is None else "noise",
        choices=tuple(how.first + k for k in range(len(names))) if how.mean is None else (),
    )


def shared(of: Method, theta: Floats, inputs: Floats, situation: Situation) -> tuple[str, ...]:
    """The outputs that do not decide the answer, whose loss yet moves units that do: a critic in a shared trunk."""
    beside = [k for k, name in enumerate(of.outputs) if name not in situation.variables and of.arriving(k) is not None]
    moved = {k: np.any(jacobian(of, theta, inputs, k)[1] != 0, axis=0) for k in beside}
    return tuple(of.outputs[k] for k in beside if np.any(moved[k] & (situation.moving > 0)))


def _named(deciding: list[str], names: tuple[str, ...], outputs: Floats) -> dict[str, Floats]:
    return {name: outputs[:, :, names.index(name)] for name in deciding}


def _normal(
    how: Answering, mean: str, o: Mapping[str, Floats], reward: Tree, values: Mapping[str, Array]
) -> tuple[Exact, float]:
    """J and its slopes in the outputs; the spread of the answers."""
    sigma = np.array(np.broadcast_to(evaluate(how.sigma, o), o[mean].shape), dtype=np.float64)
    bad = ~((sigma > 0) & np.isfinite(sigma))
    check_sigma(float(sigma[bad][0]) if bad.any() else float(sigma[0]))
    found = normal(reward, o[mean], sigma, values)
    slopes = {}
    for name in o:
        by_sigma = evaluate(derivative(how.sigma, name), o)
        slopes[name] = found.slopes["sigma"] * by_sigma + (found.slopes["mu"] if name == mean else 0.0)
    return Exact(found.value, slopes, found.error, found.form), float(np.mean(sigma))


def _choice(how: Answering, o: Mapping[str, Floats], reward: Tree, values: Mapping[str, Array]) -> tuple[Exact, float]:
    """The same for a choice, going through all answers."""
    outputs = np.stack(list(o.values()), axis=1)
    answers = [np.full(len(outputs), how.first + k) for k in range(outputs.shape[1])]
    return choice(outputs, np.stack([earned(reward, answer, values) for answer in answers], axis=1)), 1.0


__all__ = ["Answering", "answering", "several", "shared"]
