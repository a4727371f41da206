"""All questions of a task, answered by a network as it is at some step of its training."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from glassgrad.draws import Floats
from glassgrad.errors import ExperimentError
from glassgrad.formula.evaluate import evaluate
from glassgrad.formula.functions import Array
from glassgrad.formula.lines import Line
from glassgrad.formula.tree import Number, Symbol, Tree, substitute, symbols
from glassgrad.method import Method
from glassgrad.rl.exact import Exact, bernoulli, normal
from glassgrad.rl.network import every_output, flat, jacobian, outputs
from glassgrad.rl.several_outputs import answering, several
from glassgrad.rl.situation import (
    Situation,
    alone,
    earned,
    inlined,
)

MOST_QUESTIONS = 1_000  # of more, so many are taken, evenly spread
MOST_PARAMETERS = 20_000


@dataclass(frozen=True)
class Chance:
    """How a policy answers by chance: a = o + sigma*noise, or, where sigma is None, 1 with probability o."""

    lines: tuple[Line, ...]
    sigma: float | None


def in_training(of: Method, parameters: Mapping[str, Any], step: int, sigma: float | None = None) -> Situation:
    """The questions of the task's domain, answered by a network with these parameters.

    step: what a formula that reads `step` sees. sigma: answer with o + sigma*noise, whatever the policy is.

    Raises:
        ExperimentError: there is no reward, or the policy is neither normal around o nor a choice.
    """
    if of.network.count > MOST_PARAMETERS:
        raise ExperimentError("estimators.parameters", count=f"{of.network.count:,}", most=f"{MOST_PARAMETERS:,}")
    reward, theta, inputs = reward_of(of, step), flat(of, parameters), questions(of)
    names = {name: inputs[:, i] for i, name in enumerate(of.task.names)}
    values: dict[str, Array] = {**names, "t": of.task.true(inputs)}
    if of.network.outputs > 1:
        if not np.all(np.isfinite(every_output(of, theta[None], inputs))):
            raise ExperimentError("estimators.output", step=step - 1)
        return several(of, theta, inputs, values, reward, answering(of, _numbers(of, step), sigma))
    chance = chance_of(of, step, sigma)
    o, slopes = jacobian(of, theta, inputs)
    shared: dict[str, Any] = {
        "policy": chance.lines,
        "reward": reward,
        "variables": {"o": o},
        "slopes": {"o": slopes},
        "parameters": tuple(name for name, _, _ in of.network.parameters()),
        "move": lambda by: {"o": outputs(of, theta + by, inputs)},
    }
    if not np.all(np.isfinite(o)):
        raise ExperimentError("estimators.output", step=step - 1)
    if chance.sigma is None:
        exact, spread = _choice(reward, o, values), float(np.sqrt(np.mean(o * (1 - o))))
        size = float(np.sqrt(np.mean(np.sum(slopes**2, axis=1))))
        spread = min(spread, size)  # where nothing is left to chance, a step of a tenth at most
        return Situation(**shared, values=values, exact=exact, spread=spread, chance="uniform", choices=(0.0, 1.0))
    found = normal(reward, o, chance.sigma, values)
    exact = replace(found, slopes={"o": found.slopes["mu"]})
    place = {**values, "sigma": chance.sigma}
    return Situation(**shared, values=place, exact=exact, spread=chance.sigma, chance="noise")


def check(of: Method, sigma: float | None = None) -> None:
    """Refuse what cannot be estimated, before anything is trained.

    Raises:
        ExperimentError: there is no reward, or the policy is neither normal around an output nor a choice.
    """
    reward_of(of, 1)
    if of.network.outputs > 1:
        answering(of, _numbers(of, 1), sigma)
    else:
        chance_of(of, 1, sigma)


def _choice(reward: Tree, o: Floats, values: Mapping[str, Array]) -> Exact:
    right, left = (earned(reward, np.full_like(o, answer), values) for answer in (1.0, 0.0))
    return bernoulli(o, right, left)


def questions(of: Method) -> Floats:
    """The questions that are asked, (questions, inputs): the whole domain, or 1,000 of it, evenly spread."""
    domain = of.task.domain()
    if len(domain) <= MOST_QUESTIONS:
        return domain
    return domain[np.linspace(0, len(domain) - 1, MOST_QUESTIONS).astype(np.int64)]


def reward_of(of: Method, step: int) -> Tree:
    """The reward as one formula in a and what is asked, with its settings put in.

    Raises:
        ExperimentError: there is none, or it reads more than the answer and the question.
    """
    if "reward" not in of.pieces:
        raise ExperimentError("estimators.no_reward")
    latest = of.program.latest
    tree = inlined(of.program.lines, latest["reward"], keep=frozenset({latest["a"]}))
    tree = alone(substitute(tree, {**_numbers(of, step), latest["a"]: Symbol("a")}))
    more = [name for name in symbols(tree) if name not in (*of.task.names, "a", "t", "pi")]
    if more:
        raise ExperimentError("estimators.reward_reads", name=more[0])
    return tree


def chance_of(of: Method, step: int, sigma: float | None = None) -> Chance:
    """How the policy answers by chance.

    Raises:
        ExperimentError: neither with o + sigma*noise nor with a choice of 1 with probability o.
    """
    found = answering(of, _numbers(of, step), sigma)
    if symbols(found.sigma):
        raise ExperimentError("estimators.policy", policy=of.pieces["policy"].name[:40])
    return Chance(found.lines(1), None if found.mean is None else float(evaluate(found.sigma, {})))


def _numbers(of: Method, step: int) -> dict[str, Tree]:
    return {**{name: Number(float(value)) for name, value in of.numbers.items()}, "step": Number(float(step))}


__all__ = ["Chance", "chance_of", "check", "in_training", "questions", "reward_of"]
