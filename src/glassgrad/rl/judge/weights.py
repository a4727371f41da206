"""The mean update of perturbed weights, drawn, beside the gradient of the expected reward, found in another way.

Weights are tried around those of some networks. The update of many batches is averaged; of what is drawn, two parts
are taken away whose mean is known to be 0: the mean of the noise, and that of (v*noise)*noise_k - v_k, with factors
that come from other batches. The gradient has other noise and another formula: the derivative of the reward is carried
back through the perturbed network by the chain rule; where the reward may jump, by central differences.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np

from glassgrad.draws import Floats, uniforms
from glassgrad.experiment import Experiment
from glassgrad.formula.adjoint import adjoints
from glassgrad.formula.derivative import derivative
from glassgrad.formula.evaluate import evaluate
from glassgrad.formula.functions import COMPARISONS, Array
from glassgrad.formula.lines import Line, reads
from glassgrad.formula.parser import parse
from glassgrad.formula.simplify import ONE, ZERO
from glassgrad.formula.tree import Apply, Number, Tree, substitute, symbols, walk
from glassgrad.insight import forward
from glassgrad.method import Method
from glassgrad.rl.exact import without_stop
from glassgrad.rl.grouped import Grouped
from glassgrad.rl.judge.drawing import STENCIL
from glassgrad.rl.judge.expected import SETTLING, chance, of_weights, settled
from glassgrad.rl.judge.feedback import REWARD, Feedback, feedback
from glassgrad.rl.judge.outputs import SEEDS, Place, columns, distinct, networks
from glassgrad.rl.judge.several import Several, coupled
from glassgrad.rl.judge.single import read_together
from glassgrad.rl.situation import inlined
from glassgrad.steps import perturbing

ANSWERS = 131_072  # that are drawn around each network, for the update, and as many for the gradient
NUMBERS = 1 << 21  # of chance, at most: fewer answers where there are many weights
BATCHES = 100, 16_384  # at least, at most
LARGEST = 4096  # a batch is not drawn larger than this
PIECE = 1 << 15  # answers that are worked out at a time
FEW = 1000  # answers that tell how far a weight scatters, where that is no formula
STEP = 0.25  # of difference quotients, in deviations of the noise
UPDATE, GRADIENT = SETTLING, 1 << 20  # where in the stream of chance the numbers begin
_JUMPING = {"sign", "round", "where", *(row.name for row in COMPARISONS)}


class Tried:
    """Networks whose weights are perturbed, in one question. places: their weights."""

    def __init__(self, experiment: Experiment, of: Method, inputs: Floats, trained: bool) -> None:
        self.experiment, self.of, self.inputs = experiment, of, inputs
        self.plain = feedback(of, inputs)
        self.weights = self.plain.updated
        self.answers = min(read_together(experiment, of.in_groups), LARGEST)
        answers = min(ANSWERS, NUMBERS // len(self.weights))
        self.rows = max(BATCHES[0], min(BATCHES[1], answers // self.answers))
        every = tuple(self._networks(trained))
        self.places = (*every, *self._around([place for place in every if not place.trained]))

    def _networks(self, trained: bool) -> Iterator[Place]:
        for seed, late, parameters in networks(self.experiment, self.of, trained):
            weights = {name: float(parameters[array][at]) for name, array, at in self.of.network.parameters()}
            if np.isfinite(forward(self.experiment, parameters, self.inputs[None])["o"][0]):
                yield Place(seed, late, weights, self.experiment.steps if late else 1)

    def _around(self, first: Sequence[Place]) -> Iterator[Place]:
        """Where networks start alike, as with own weights: weights around theirs."""
        if not first or distinct(first) == SEEDS:
            return
        for away in uniforms(self.experiment.seed, "judge", np.arange(SEEDS - 1), 1, units=len(self.weights))[:, 0]:
            weights = {name: first[0].outputs[name] + by - 0.5 for name, by in zip(self.weights, away, strict=True)}
            yield Place(first[0].seed, False, weights, around=True)

    def seen(self) -> Several:
        """The updates, and the slopes of what has a name."""
        reward = None if self._slopes is None else self._reward
        drawn = {name: rows for name, rows in (("dJ", self._slopes), ("dS", self._error_slopes)) if rows is not None}
        means: dict[str, Floats | None] = dict.fromkeys(("dJ", "dS"))
        means |= {name: rows.mean(axis=0) for name, rows in drawn.items()}
        by_step = any("step" in reads(self.plain.every, name) for name in self.plain.arriving.values())
        return Several(self.places, self.weights, self.weights, self.updates(self.plain), reward, means, by_step, drawn)

    def updates(self, of: Feedback) -> Floats:
        """The mean update of each batch (repetitions, places, weights), without noise whose mean is known to be 0."""
        found = np.zeros((self.rows, len(self.places), len(self.weights)))
        if not of.moved:
            return found
        noise, bent = np.zeros((2, *found.shape))
        states = [settled(of, self._columns(place), self.answers, self.experiment.seed) for place in self.places]
        for rows, draws in self._pieces(of, UPDATE):
            every = np.stack([draws[f"noise_{name}"] for name in self.weights])
            for i, place in enumerate(self.places):
                found[rows, i] = of.updates(self._columns(place), draws, states[i]).mean(axis=2).T
                noise[rows, i] = every.mean(axis=2).T
                along = self._along[i]
                bent[rows, i] = (np.einsum("k,krn->rn", along, every) * every).mean(axis=2).T - along
        return steadied(found, noise, bent)

    def _pieces(self, of: Feedback, begin: int) -> Iterator[tuple[slice, dict[str, Floats]]]:
        """Numbers of chance for some batches, after those for others."""
        each = max(1, PIECE // self.answers)
        for first in range(0, self.rows, each):
            rows = slice(first, min(first + each, self.rows))
            yield rows, chance(of, self.experiment.seed, begin + first, rows.stop - first, self.answers)

    def _at(self, place: Place) -> dict[str, Array]:
        return {**self.plain.values, **self.plain.starts, **place.outputs, "step": float(place.step)}

    def _columns(self, place: Place) -> dict[str, Floats]:
        return {name: column[:, None] for name, column in columns((place,), self.of).items()}

    @cached_property
    def _along(self) -> list[Floats]:
        """What the reward's slope makes of the noise of each weight, at each place."""
        slopes = np.zeros((len(self.places), len(self.weights))) if self._slopes is None else self._slopes.mean(axis=0)
        return [np.where(np.isfinite(slopes[i]), slopes[i], 0.0) * spread for i, spread in enumerate(self.spread)]

    # How weights are drawn.

    @cached_property
    def spread(self) -> Floats:
        """The deviation of what is tried of each weight (places, weights): its slope by the noise; or else drawn."""
        still: dict[str, Array] = {f"noise_{name}": 0.0 for name in self.weights}
        trees = {name: inlined_freely(perturbing(self.of), self.of.tried[name]) for name in self.weights}
        draws = of_weights(self.plain, self.experiment.seed, 1, FEW)
        found = np.empty((len(self.places), len(self.weights)))
        for i, place in enumerate(self.places):
            at = self._at(place)
            for k, (name, tree) in enumerate(trees.items()):
                slope = abs(float(evaluate(derivative(tree, f"noise_{name}"), {**at, **still})))
                tried = evaluate(tree, {**at, **draws})
                found[i, k] = slope or (float(np.std(tried)) if np.ptp(tried) else 0.0)
        return found

    @cached_property
    def deviations(self) -> Mapping[str, Tree] | None:
        """The deviation of each weight as a formula, where each is normal around itself; None where one is not."""
        lines, found = perturbing(self.of), {}
        still = {f"noise_{name}": Number(0.0) for name in self.weights}
        for name in self.weights:
            tree = inlined_freely(lines, self.of.tried[name])
            found[name], middle = derivative(tree, f"noise_{name}"), substitute(tree, still)
            plain = derivative(middle, name) == ONE and set(symbols(middle)) & set(self.weights) == {name}
            if not plain or found[name] == ZERO or set(symbols(tree)) & {*still} != {f"noise_{name}"}:
                return None
            if set(symbols(found[name])) & {*still}:
                return None
        return found

    def score(self, known: Mapping[str, Array]) -> Floats:
        """The derivative of the log-probability of what is tried, by each weight (weights, rows, answers)."""
        assert self.deviations is not None
        found = {name: known[f"noise_{name}"] / evaluate(s, known) for name, s in self.deviations.items()}
        for name, s in self.deviations.items():
            for other in set(symbols(s)) & set(self.weights):
                away = known[f"noise_{name}"] ** 2 - 1
                found[other] = found[other] + away * evaluate(derivative(s, other), known) / evaluate(s, known)
        return np.stack([found[name] for name in self.weights])

    # The gradient, in another way.

    @cached_property
    def _slopes(self) -> Floats | None:
        """dJ/dw (repetitions, places, weights); None where J is not the mean of one answer alone."""
        return self._gradient(self._until(REWARD), REWARD) if REWARD in self.of.pieces else None

    @cached_property
    def _reward(self) -> Floats:
        """J at each place."""
        lines, sums = self._until(REWARD), np.zeros(len(self.places))
        for rows, draws in self._pieces(self.plain, GRADIENT):
            for i, place in enumerate(self.places):
                known = self._run(lines, self._at(place), draws)[REWARD]
                sums[i] += (rows.stop - rows.start) * float(np.mean(known))
        return np.asarray(sums / self.rows)

    @cached_property
    def _error_slopes(self) -> Floats | None:
        """The slope of minus the mean squared error of the answer."""
        answer = self.of.program.latest["a"]
        squared = Line("squared", parse(f"-({answer} - t)**2", (answer, "t")), "sample")
        return self._gradient((*self._until(answer), squared), "squared")

    def _until(self, name: str) -> tuple[Line, ...]:
        """The lines that a name is made of, with nothing stopped."""
        wanted = reads(self.plain.lines, name)
        return tuple(
            Line(line.name, without_stop(line.tree), line.level) for line in self.plain.lines if line.name in wanted
        )

    def _gradient(self, lines: tuple[Line, ...], name: str) -> Floats | None:
        """The slopes of the mean of a line (repetitions, places, weights)."""
        if coupled(lines, name):
            return None
        found = np.zeros((self.rows, len(self.places), len(self.weights)))
        jumps = any(isinstance(part, Apply) and part.function in _JUMPING for line in lines for part in walk(line.tree))
        back = adjoints(lines, name, dict.fromkeys(self.weights, "sample"))
        for rows, draws in self._pieces(self.plain, GRADIENT):
            for i, place in enumerate(self.places):
                at = self._at(place)
                each = self._by_differences(lines, name, i, draws) if jumps else self._back(lines, back, at, draws)
                found[rows, i] = each.T
        return found

    def _back(
        self, lines: tuple[Line, ...], back: tuple[Line, ...], at: Mapping[str, Array], draws: Mapping[str, Floats]
    ) -> Floats:
        """By the chain rule (weights, rows)."""
        known, shape = self._run((*lines, *back), at, draws), (self._count(draws), self.answers)
        there = {line.name for line in back}
        every = (known[f"d{name}"] if f"d{name}" in there else 0.0 for name in self.weights)
        return np.stack([np.broadcast_to(row, shape).mean(axis=1) for row in every])

    def _by_differences(self, lines: tuple[Line, ...], name: str, i: int, draws: Mapping[str, Floats]) -> Floats:
        """By central differences, the same noise on both sides (weights, rows)."""
        at, shape, found = self._at(self.places[i]), (self._count(draws), self.answers), []
        for weight, spread in zip(self.weights, self.spread[i], strict=True):
            h, total = STEP * (spread or 1.0), np.zeros(shape)
            for away, share in STENCIL.items():
                total += share * self._run(lines, {**at, weight: at[weight] + away * h}, draws)[name]
            found.append(total.mean(axis=1) / h)
        return np.stack(found)

    def _count(self, draws: Mapping[str, Floats]) -> int:
        return len(draws[f"noise_{self.weights[0]}"])

    def _run(self, lines: Sequence[Line], at: Mapping[str, Array], draws: Mapping[str, Floats]) -> dict[str, Array]:
        known: dict[str, Array] = {**at, **draws}
        backend = Grouped(self.plain.shape({}, draws), (1,))
        for line in lines:
            known[line.name] = evaluate(line.tree, known, backend)
        return known


def inlined_freely(lines: tuple[Line, ...], name: str) -> Tree:
    """What a name is worth, with all lines put in and nothing stopped."""
    return without_stop(inlined(lines, name))


def steadied(rows: Floats, *controls: Floats) -> Floats:
    """Rows (repetitions, places, weights) without what goes with controls, whose mean is 0: the mean stays unbiased.

    How much goes with them is learned from every other repetition.

    Example:
        >>> noise = np.array([-3.0, 1.0, 2.0, -2.0, 5.0, -4.0, 1.0, 0.0])[:, None, None]
        >>> np.round(steadied(5 + 2*noise, noise).ravel(), 9)
        array([5., 5., 5., 5., 5., 5., 5., 5.])
    """
    found = np.empty_like(rows)
    for place in np.ndindex(rows.shape[1:]):
        y = rows[(slice(None), *place)]
        x = np.stack([np.ones(len(y)), *(control[(slice(None), *place)] for control in controls)], axis=1)
        for half in (0, 1):
            factors = np.linalg.lstsq(x[1 - half :: 2], y[1 - half :: 2], rcond=None)[0]
            found[(slice(half, None, 2), *place)] = y[half::2] - x[half::2, 1:] @ factors[1:]
    return found


__all__ = ["Tried", "steadied"]
