"""The kinds of feedback side by side: what arrives at the output, dL/do, as a formula and for one question."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from glassgrad.draws import normals
from glassgrad.equations import substituted
from glassgrad.experiment import Experiment
from glassgrad.formula.evaluate import evaluate
from glassgrad.formula.latex import latex
from glassgrad.formula.simplify import multiply
from glassgrad.formula.text import show
from glassgrad.formula.tree import Apply, Symbol, Tree, replace, substitute, symbols
from glassgrad.initial import initial_parameters
from glassgrad.insight import forward
from glassgrad.locale import Text, text
from glassgrad.method import Method, check_one_output, method
from glassgrad.tables.experiments import shipped

KINDS = ("add", "add-through-reward", "add-reinforce", "knob")
"""One experiment for each kind of feedback, in the order of the table."""


@dataclass(frozen=True)
class Feedback:
    """What arrives at the output of an experiment's network.

    arrives: dL/do, a formula. substituted, value: for one question, with the network as it is before training.
    """

    experiment: str
    name: Text
    question: str
    output: float
    truth: float
    arrives: str
    latex: str
    substituted: str
    value: float
    reading: Text
    knows: Text


def arriving(of: Method, output: str = "o") -> Tree:
    """dL/do of one sample, with everything put in but what is only observed: reward, answer, baseline.

    output: which one, of several: o1, o2, ….

    Example:
        >>> show(arriving(method(shipped("add-through-reward"))))
        'sign(o - t)'
    """
    if output not in of.outputs:
        check_one_output(of, "dL/do")
    backward = {line.name: line.tree for line in of.backward}
    tree: Tree = backward[f"d{output}"]
    while inner := {name: backward[name] for name in symbols(tree) if name in backward}:
        tree = _joined(substitute(tree, dict(inner)))
    answer = next((line.tree for line in of.program.lines if line.name == "a"), None)
    return substitute(tree, {"a": Symbol("o")}) if answer == Symbol("o") else tree


def _joined(tree: Tree) -> Tree:
    def change(part: Tree) -> Tree | None:
        return multiply((part,)) if isinstance(part, Apply) and part.function in ("*", "/", "neg") else None

    return replace(tree, change)


def feedback(seed: int = 0, question: tuple[float, ...] = (5, 3)) -> tuple[Feedback, ...]:
    """The table, with the numbers of one question before the first step.

    Example:
        >>> [row.arrives for row in feedback()]
        ['2*(o - t)', 'sign(o - t)', '-stop(reward - baseline)*(a - o)/sigma**2', '-stop(reward)/o']
    """
    return tuple(_row(shipped(name).change(seed=seed), question) for name in KINDS)


def _row(experiment: Experiment, question: tuple[float, ...]) -> Feedback:
    of = method(experiment)
    asked = question if len(question) == len(of.task.inputs) else of.task.asked[0]
    values = _values(experiment, of, np.array([asked], dtype=np.float64))
    tree = arriving(of)
    key = f"feedback.{experiment.name}"
    return Feedback(
        experiment.name,
        text(f"{key}.name"),
        of.task.question(asked),
        float(values["o"]),
        float(values["t"]),
        show(tree),
        latex(tree),
        substituted(tree, values, 0),
        float(evaluate(tree, values)),
        text(f"{key}.reading"),
        text(f"{key}.knows"),
    )


def _values(experiment: Experiment, of: Method, inputs: Any) -> dict[str, Any]:
    """All names of the lines for one question, before training; a sampled answer with the first noise of the seed."""
    start = initial_parameters(experiment.init, of.network, experiment.seed)
    parameters = {name: value.numpy() for name, value in start.items()}
    values: dict[str, Any] = {
        **of.numbers,
        "t": float(of.task.true(inputs)[0]),
        "step": 1.0,
        "o": float(forward(experiment, parameters, inputs)["o"][0]),
        "noise": _noise(experiment.seed),
    }
    values |= {state: float(evaluate(tree, {})) for state, tree in of.program.states.items()}
    for line in of.program.lines:
        values[line.name] = float(evaluate(line.tree, values))
    return values


def _noise(seed: int) -> float:
    """The seed's first noise that is large enough to be seen."""
    return next(float(number) for number in normals(seed, "noise", np.array([1]), 64)[0, :, 0] if abs(number) > 0.5)


__all__ = ["KINDS", "Feedback", "arriving", "feedback"]
