"""The equations of a step, in three forms: symbolic, with the numbers plugged in, and the result.

They are made from a `Moment` and the formulas alone, wherever the numbers came from.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from glassgrad.experiment import Experiment
from glassgrad.formula.backends import NumPy
from glassgrad.formula.evaluate import evaluate, evaluate_with_scale
from glassgrad.formula.functions import AGGREGATES, COMPARISONS, GROUPED
from glassgrad.formula.latex import latex, latex_name
from glassgrad.formula.lines import Line
from glassgrad.formula.simplify import multiply
from glassgrad.formula.text import number_text, show
from glassgrad.formula.tree import Apply, Number, Symbol, Tree, replace, substitute, symbols
from glassgrad.method import Method, method
from glassgrad.network import gradient_name
from glassgrad.record import Moment
from glassgrad.steps import Quantity, Section, collecting, quantities, update_name

MOST = 10_000  # equations in one report
ROUNDING = {"single": 1e-6, "double": 1e-14}
LARGEST_SHARES = 5
COMPARING = {row.name for row in COMPARISONS}
PLANTED = 5e-4  # the error that can be planted, to see the check catch it


@dataclass(frozen=True)
class Share:
    """What one sample contributes to a mean over the batch; `count` samples are equal to it in all its numbers."""

    sample: int
    inputs: tuple[float, ...]
    truth: float
    value: float
    count: int = 1


@dataclass(frozen=True)
class Equation:
    """`name = symbolic = substituted = value`; at level sample, of the chosen sample.

    reads: the names on the right-hand side. family: the formula it is an instance of.
    samples: for a mean over the batch, the largest contributions.
    """

    name: str
    section: Section
    symbolic: str
    substituted: str
    value: float
    latex: str
    reads: tuple[str, ...]
    level: str
    family: str
    samples: tuple[Share, ...] = ()


class Evaluated:
    """All quantities of one step with their values and scales, in double precision.

    plant: a family whose values are made wrong by 0.05 %.
    values, scales: by name, arrays over samples, or numbers; of the update's lines arrays over parameters.
    """

    def __init__(self, experiment: Experiment, moment: Moment, plant: str | None = None) -> None:
        self.experiment, self.moment, self.of, self.plant = experiment, moment, method(experiment), plant
        self.rounding, self.backend = ROUNDING[experiment.precision], NumPy(experiment.group)
        self.parameters = list(self.of.network.parameters())
        self.settings: dict[str, Any] = {
            "step": float(moment.step),
            **self.of.activation.numbers,
            **self.of.output_activation.numbers,
            **self.of.numbers,
        }
        if self.of.regulariser is not None:
            self.settings |= self.of.regulariser.numbers
        if experiment.clip is not None:
            self.settings["max_norm"] = experiment.clip
        self.values: dict[str, Any] = {**self.settings, **self._given(moment)}
        self.scales: dict[str, Any] = {}
        self._collect()
        self.quantities = quantities(experiment)
        for quantity in self.quantities:
            self._compute(quantity.line, quantity.family, self.values, self.scales, self.settings)
        self.update_values, self.update_scales = self._update()

    def _given(self, moment: Moment) -> dict[str, Any]:
        """Inputs, truth, noise, and every parameter by its own name."""
        given: dict[str, Any] = {f"x{i + 1}": moment.inputs[:, i] for i in range(moment.inputs.shape[1])}
        given["t"] = moment.truth
        for name, drawn in (("noise", moment.noise), ("uniform", moment.uniform)):
            if drawn is not None:
                given[name] = drawn
        for layer, mask in moment.masks.items():
            given |= {f"keep{layer}_{i + 1}": mask[:, i] for i in range(mask.shape[1])}
        if moment.weight_noise is not None:
            given |= {f"noise_{name}": moment.weight_noise[:, i] for i, (name, _, _) in enumerate(self.parameters)}
        given |= {name: np.float64(moment.parameters[array][place]) for name, array, place in self.parameters}
        return given | {name: np.float64(value) for name, value in moment.lines.items()}

    def _collect(self) -> None:
        """The values of all old(…), with their scales: worked out at the step that collected the data."""
        if not self.of.olds:
            return
        moment, scales = self.moment.collected or self.moment, dict[str, Any]()
        settings = {**self.settings, "step": float(moment.step)}
        values = {**settings, **self._given(moment)}
        for line in collecting(self.of):
            self._compute(line, "", values, scales, settings)
        for name in self.of.olds.values():
            self.values[name], self.scales[name] = values[name], scales[name]

    def _compute(
        self,
        line: Line,
        family: str,
        values: dict[str, Any],
        scales: dict[str, Any],
        settings: Mapping[str, Any],
    ) -> None:
        """A line's value and scale; settings alone round nothing, so they enter as numbers."""
        tree = _folded(line.tree, settings)
        if family == self.plant:
            tree = Apply("*", (tree, Number(1 + PLANTED)))
        value, scale = evaluate_with_scale(tree, values, scales, self.rounding, self.backend)
        if line.level == "sample":
            value, scale = (np.broadcast_to(part, self.moment.truth.shape) for part in (value, scale))
        values[line.name], scales[line.name] = value, scale

    def _update(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The optimizer's lines, over all parameters as one vector; nothing where no update followed."""
        program, moment = self.of.optimizer_program, self.moment
        if not moment.updated:
            return {}, {}
        settings = {**self.of.optimizer.numbers, "step": float(moment.step)}
        gradients = [self.gradient_name(name) for name, _, _ in self.parameters]
        values: dict[str, Any] = {
            **settings,
            "w": np.array([self.values[name] for name, _, _ in self.parameters]),
            "g": np.array([self.values[name] for name in gradients]),
        }
        scales: dict[str, Any] = {"g": np.array([self.scales[name] for name in gradients])}
        for state in program.states:
            flat = np.array([moment.states[state][array][place] for _, array, place in self.parameters], dtype=float)
            values[state] = flat if program.level(state) == "parameter" else np.float64(flat[0])
        for line in program.lines:  # PyTorch's scheduler rounds in its own way: then nothing is folded
            self._compute(line, line.name, values, scales, {} if line == self.of.rate else settings)
        return values, scales

    def gradient_name(self, parameter: str) -> str:
        """The gradient that the optimizer sees: the clipped one where there is clipping."""
        plain = gradient_name(parameter)
        return f"g_{plain[1:]}" if self.experiment.clip is not None else plain


def _folded(tree: Tree, settings: Mapping[str, Any]) -> Tree:
    """Parts that read nothing but settings, as numbers: 1 - beta1 is computed in doubles everywhere."""

    def set_alone(part: Tree) -> bool:
        if isinstance(part, Apply):
            return all(map(set_alone, part.arguments))
        return isinstance(part, Number) or part.name in settings

    def change(part: Tree) -> Tree | None:
        comparison = isinstance(part, Apply) and part.function in COMPARING  # a condition is no number
        if comparison or isinstance(part, Number) or not set_alone(part):
            return None
        return Number(float(evaluate(part, settings)))

    return replace(tree, change) if settings else tree


def _with_settings(tree: Tree, settings: Mapping[str, Any]) -> Tree:
    """A formula with the settings as the numbers that they are, not rounded: 1 - 0.99999 is not 1 - 1."""
    return substitute(tree, {name: Number(float(value)) for name, value in settings.items()})


class Step:
    """The equations of one step.

    sample: which sample of the batch is shown in full.

    Example:
        >>> from glassgrad.engines.torch import train
        >>> from glassgrad.tables.experiments import shipped
        >>> record = train(shipped("knob").change(steps=1))
        >>> print(Step(record.experiment, record.moment(1)).equation("dz1").symbolic)
        do*sigmoid(z1)*(1 - sigmoid(z1))
    """

    def __init__(self, experiment: Experiment, moment: Moment, sample: int = 0, plant: str | None = None) -> None:
        self.experiment, self.moment, self.sample = experiment, moment, sample
        self.evaluated = Evaluated(experiment, moment, plant)

    @property
    def of(self) -> Method:
        return self.evaluated.of

    @cached_property
    def by_name(self) -> dict[str, Quantity]:
        return {quantity.name: quantity for quantity in self.evaluated.quantities}

    @cached_property
    def equations(self) -> tuple[Equation, ...]:
        """All of them, in the order in which they are computed."""
        plain = tuple(self.equation(quantity.name) for quantity in self.evaluated.quantities)
        return plain + tuple(self._updates())

    def equation(self, name: str) -> Equation:
        """The equation of one quantity (the optimizer's are in `equations`)."""
        quantity = self.by_name[name]
        values, tree = self.evaluated.values, quantity.line.tree
        return Equation(
            name,
            quantity.section,
            show(tree),
            substituted(_with_settings(tree, self.evaluated.settings), values, self.sample, self.experiment.group),
            self.at(values[name]),
            f"{latex_name(name)} = {latex(tree)}",
            self.links(tree),
            quantity.line.level,
            quantity.family,
            self.shares(tree),
        )

    def at(self, value: Any) -> float:
        """A value of the chosen sample, or of the step."""
        return float(value[self.sample]) if np.ndim(value) else float(value)

    def links(self, tree: Tree) -> tuple[str, ...]:
        return tuple(name for name in symbols(tree) if name != "pi")

    def shares(self, tree: Tree) -> tuple[Share, ...]:
        """The samples behind a mean: those that contribute most."""
        mean = next(
            (part for part in (tree, *_terms(tree)) if isinstance(part, Apply) and part.function == "mean"),
            None,
        )
        if mean is None:
            return ()
        moment = self.moment
        found = evaluate(mean.arguments[0], self.evaluated.values, self.evaluated.backend)
        values = np.broadcast_to(found, moment.truth.shape)
        rows = np.column_stack([moment.inputs, moment.truth, values])
        _, first, count = np.unique(rows, axis=0, return_index=True, return_counts=True)
        order = np.lexsort((first, -np.abs(values[first])))[:LARGEST_SHARES]
        return tuple(
            Share(
                int(moment.places[k]),
                tuple(map(float, moment.inputs[k])),
                float(moment.truth[k]),
                float(values[k]),
                int(c),
            )
            for k, c in zip(first[order], count[order], strict=True)
        )

    def _updates(self) -> list[Equation]:
        """The optimizer's lines, for the step and then for every parameter."""
        program, found = self.of.optimizer_program, []
        if not self.moment.updated:
            return []
        for line in program.lines:
            if line.level == "step":
                found.append(self._update(line, "", 0))
        for index, (parameter, _, _) in enumerate(self.evaluated.parameters):
            found += [self._update(line, parameter, index) for line in program.lines if line.level == "parameter"]
        return found

    def _update(self, line: Line, parameter: str, index: int) -> Equation:
        values = self.evaluated.update_values
        names = self._names(parameter)
        tree = substitute(line.tree, {own: Symbol(name) for own, name in names.items()})
        read = {names.get(own, own): values[own] for own in self.links(line.tree)}
        value = values[line.name]
        name = names.get(line.name, line.name)
        return Equation(
            name,
            "update",
            show(tree),
            substituted(_with_settings(tree, {**self.of.optimizer.numbers, "step": self.moment.step}), read, index),
            float(value[index]) if np.ndim(value) else float(value),
            f"{latex_name(name)} = {latex(tree)}",
            self.links(tree) if parameter else self._all_names(tree),
            line.level,
            line.name,
        )

    def _all_names(self, tree: Tree) -> tuple[str, ...]:
        """What a line of the whole step reads: of w, g and the like, those of every parameter."""
        names = [self._names(parameter) for parameter, _, _ in self.evaluated.parameters]
        read = (dict.fromkeys(one.get(symbol, symbol) for one in names) for symbol in self.links(tree))
        return tuple(dict.fromkeys(name for each in read for name in each))

    def _names(self, parameter: str) -> dict[str, str]:
        """What the optimizer's names are called for one parameter."""
        if not parameter:
            return {}
        program = self.of.optimizer_program
        own = [line.name for line in program.lines if line.level == "parameter"]
        own += [state for state in program.states if program.level(state) == "parameter"]
        return {
            "w": parameter,
            "g": self.evaluated.gradient_name(parameter),
            **{name: update_name(name, parameter) for name in own},
        }


def _terms(tree: Tree) -> tuple[Tree, ...]:
    return tree.arguments if isinstance(tree, Apply) and tree.function == "+" else ()


def plain_number(value: float) -> str:
    """A number as it is plugged into a formula: at most four decimals, or four digits if it is very small or large.

    Example:
        >>> plain_number(0.30000001), plain_number(2.0), plain_number(1.23456e-7)
        ('0.3', '2', '1.235e-07')
    """
    if not math.isfinite(value):
        return str(value)
    if value == 0 or 1e-3 <= abs(value) < 1e6:
        return number_text(round(value, 4) + 0.0)
    return f"{value:.4g}"


def substituted(tree: Tree, values: Mapping[str, Any], index: int, group: int = 1) -> str:
    """A formula with the numbers of one sample plugged in; a mean as its first three terms and the count.

    group: how many samples, side by side, answer the same question.

    Example:
        >>> from glassgrad.formula.parser import parse
        >>> substituted(parse("mean(d*x)"), {"d": np.array([1.0, 2, 3, 4]), "x": np.array([5.0, 6, 7, 8])}, 0)
        '(1*5 + 2*6 + 3*7 + …)/4'
    """
    if isinstance(tree, Apply) and tree.function == "+":
        pieces = [substituted(term, values, index, group) if _aggregate(term) else None for term in tree.arguments]
        if any(pieces):
            plain = [piece or _shown(term, values, index) for piece, term in zip(pieces, tree.arguments, strict=True)]
            return " + ".join(plain)
    if _aggregate(tree):
        return _spread(tree, values, index, group)
    return _shown(tree, values, index)


def _aggregate(tree: Tree) -> bool:
    return isinstance(tree, Apply) and len(tree.arguments) == 1 and tree.function in AGGREGATES


def _spread(tree: Tree, values: Mapping[str, Any], index: int, group: int) -> str:
    assert isinstance(tree, Apply)
    inner = tree.arguments[0]
    count = max((np.size(values[name]) for name in symbols(inner) if name in values), default=1)
    first = index - index % group
    read = list(range(first, first + group) if tree.function in GROUPED else range(count))
    if tree.function == "group_others":
        read.remove(index)
    terms = [_shown(inner, values, k) for k in read[:3]]
    dots = ["…"] if len(read) > 3 else []
    if tree.function in ("mean", "group_mean", "group_others"):
        return f"({' + '.join(terms + dots)})/{len(read)}"
    return f"{tree.function}({', '.join(terms + dots)})"


def _shown(tree: Tree, values: Mapping[str, Any], index: int) -> str:
    def number(part: Tree) -> Tree | None:
        if not isinstance(part, Symbol) or part.name not in values:
            return None
        value = values[part.name]
        one = float(value[min(index, len(value) - 1)]) if np.ndim(value) else float(value)
        text = plain_number(one)
        return Number(float(text)) if math.isfinite(one) else Symbol(text.replace("-inf", "(-inf)"))

    return show(replace(tree, number))


def chain_of(step: Step, parameter: str) -> Equation:
    """One weight's gradient with the whole chain rule written out, back to the output.

    dW1_4_x1 = mean(2*(z2 - t)*W2_1_a1_4*[z1_4 > 0]*x1)
    """
    name = gradient_name(parameter)
    tree = step.by_name[name].line.tree
    backward = {q.name: q.line.tree for q in step.evaluated.quantities if q.section == "backward"}
    while inner := [symbol for symbol in symbols(tree) if symbol in backward]:
        tree = _flattened(substitute(tree, {symbol: backward[symbol] for symbol in inner}))
    values = step.evaluated.values
    return Equation(
        name,
        "gradient",
        show(tree),
        substituted(tree, values, step.sample),
        step.at(values[name]),
        f"{latex_name(name)} = {latex(tree)}",
        tuple(symbols(tree)),
        "step",
        step.by_name[name].family,
        step.shares(tree),
    )


def _flattened(tree: Tree) -> Tree:
    """A product of products as one product."""

    def change(part: Tree) -> Tree | None:
        if isinstance(part, Apply) and part.function == "*":
            return multiply(tuple(_flattened(factor) for factor in part.arguments))
        return None

    return replace(tree, change)
