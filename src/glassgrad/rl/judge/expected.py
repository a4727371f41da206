"""The expected update at an output: by a formula, by quadrature over the chance of the answer, or from drawn batches.

Nothing left to chance: the formula. One number of chance: quadrature, to the last digits. Where the samples of a batch
read each other (a baseline over the batch), batches of the run's own size are drawn; where the exact policy gradient
is known, what is drawn is only the difference to REINFORCE with the expected reward as baseline, whose mean it is.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from glassgrad.draws import Floats, normals, uniforms
from glassgrad.errors import ExperimentError
from glassgrad.formula.evaluate import evaluate
from glassgrad.formula.simplify import ONE, ZERO, add
from glassgrad.formula.tree import Apply, Symbol, Tree, chain, negative, substitute, symbols
from glassgrad.rl.exact import without_stop
from glassgrad.rl.integral import NODES, WEIGHTS, integral
from glassgrad.rl.judge.feedback import CHANCE, REWARD, Feedback, Outputs
from glassgrad.rl.judge.profile import Axis
from glassgrad.rl.kinks import kinks

SETTLING = 60  # steps after which a running mean has forgotten where it began
COARSE = 21  # outputs at which states settle, where all else is exact; between them they are interpolated
REPETITIONS = 400  # batches that are drawn at each output
PANELS = 32  # pieces of the interval of a uniform number


@dataclass(frozen=True)
class Sampled:
    """How an answer is drawn around its output: normal with this deviation, or, without one, a choice of 1 or 0."""

    sigma: float | None

    def score(self, o: Floats, answers: Floats) -> Floats:
        """The derivative in o of the log-probability of an answer."""
        with np.errstate(all="ignore"):
            if self.sigma is not None:
                return (answers - o) / self.sigma**2
            return np.where(answers == 1, 1 / o, -1 / (1 - o))


def expected(tree: Tree, values: Mapping[str, float]) -> float:
    """The mean of a formula over its one number of chance.

    Example:
        >>> from glassgrad.formula.parser import parse
        >>> f"{expected(parse('abs(noise)'), {}):.10f}", f"{expected(parse('[uniform < 0.3]'), {}):.10f}"
        ('0.7978845608', '0.3000000000')
    """
    tree = cancelled(without_stop(tree))
    (name,) = (name for name in CHANCE if name in symbols(tree)) if set(CHANCE) & set(symbols(tree)) else (None,)
    if name is None:
        return float(evaluate(tree, values))
    standing = substitute(tree, {name: Symbol("a")})
    return integral(standing, 0.0, 1.0, values).value if name == "noise" else _over_one(standing, values)


@lru_cache(maxsize=64)
def cancelled(tree: Tree) -> Tree:
    """The same value, without what is added and taken away again: exp(logp - old(logp)) is 1, and needs no search.

    Example:
        >>> from glassgrad.formula.parser import parse
        >>> from glassgrad.formula.text import show
        >>> show(cancelled(parse("exp(a*t - 1 - (a*t - 1))*abs(a - (t + a))")))
        'abs(-t)'
    """
    if not isinstance(tree, Apply):
        return tree
    parts = tuple(map(cancelled, tree.arguments))
    match tree.function:
        case "+":
            return add(term for part in parts for term in _without_brackets(part))
        case "*":
            kept = tuple(part for part in parts if part != ONE)
            return chain("*", kept) if kept else ONE
        case "exp" if parts == (ZERO,):
            return ONE
    return Apply(tree.function, parts)


def _without_brackets(tree: Tree) -> tuple[Tree, ...]:
    """The terms of a sum that is taken away; or the tree itself."""
    match tree:
        case Apply("neg", (Apply("+", terms),)):
            return tuple(map(negative, terms))
    return (tree,)


def _over_one(tree: Tree, values: Mapping[str, float]) -> float:
    """The integral over a from 0 to 1, between the kinks."""
    found = kinks(tree, lambda a: {**values, "a": a}, 0.0, 1.0)
    edges = np.unique(np.concatenate([np.linspace(0, 1, PANELS + 1), found.points]))
    half = np.diff(edges) / 2
    a = (edges[:-1] + half)[:, None] + half[:, None] * NODES
    return float(np.sum(half[:, None] * WEIGHTS * np.broadcast_to(evaluate(tree, {**values, "a": a}), a.shape)))


def chance(of: Feedback, seed: int, place: int, rows: int, answers: int) -> dict[str, Floats]:
    """Numbers of chance (rows, answers), as far as the update reads any."""
    names = {name for line in of.needed for name in symbols(line.tree)}
    return every_chance(names, seed, rows, answers, place) | of_weights(of, seed, rows, answers, place)


def of_weights(of: Feedback, seed: int, rows: int, answers: int, place: int = 0) -> dict[str, Floats]:
    """A number of chance for each weight that is perturbed, (rows, answers) each."""
    return {
        f"noise_{name}": normals(seed, "judge", np.array([place]), rows, layer=i, units=answers)[0]
        for i, name in enumerate(of.of.tried, 1)
    }


def every_chance(names: Collection[str], seed: int, rows: int, answers: int, place: int = 0) -> dict[str, Floats]:
    """Numbers of chance (rows, answers), of those names that are of chance."""
    draw = {"noise": normals, "uniform": uniforms}
    return {
        name: draw[name](seed, "judge", np.array([place]), rows, units=answers)[0] for name in CHANCE if name in names
    }


def settled(of: Feedback, o: Outputs, answers: int, seed: int) -> dict[str, Floats]:
    """The states (rows, 1) after some steps at outputs that do not move (rows, 1)."""
    latest, (rows, _) = of.of.program.latest, of.shape(o, {})
    now = {name: np.full((rows, 1), start) for name, start in of.starts.items()}
    for step in range(SETTLING if now else 0):
        known = of.run(o, chance(of, seed, step, rows, answers), now)
        now = {name: np.broadcast_to(known[latest[name]], (rows, 1)).astype(np.float64) for name in now}
    return now


@dataclass(frozen=True)
class Expected:
    """The expected update of one question as a function of the output.

    axis: of the outputs. answers: how many a batch has. sampled: how answers are drawn around their output, where that
    is known.
    """

    of: Feedback
    axis: Axis
    answers: int
    seed: int
    sampled: Sampled | None = None

    @property
    def exact(self) -> bool:
        """Whether it is computed, not estimated."""
        return not self.of.chance or (not self.of.coupled and len(self.of.chance) == 1)

    def __call__(self, o: Floats, known: tuple[Floats, Floats] | None = None) -> Floats:
        """The update (repetitions, places); one repetition where it is exact. known: J and dJ/do at these places."""
        o = np.asarray(o, dtype=np.float64)
        if not self.of.moved:
            return np.zeros((1, len(o)))
        if not self.of.chance:
            return self._by_formula(o)
        return self._by_quadrature(o) if self.exact else self._by_drawing(o, known)

    def _by_formula(self, o: Floats) -> Floats:
        column = o[:, None]
        copies = {"noise": np.zeros((1, self.answers))} if self.of.coupled else {}
        return np.asarray(self.of.updates(column, copies, self._states(o)).mean(axis=1)[None])

    def _by_quadrature(self, o: Floats) -> Floats:
        states = self._states(o)
        found = np.full((1, len(o)), np.nan)
        for i, place in enumerate(o):
            here = {name: float(value[i, 0]) for name, value in states.items()}
            try:
                found[0, i] = expected(self.of.update, {**self.of.values, **here, "o": float(place)})
            except ExperimentError:  # no number there; a reward that has a mean nowhere is refused
                if i == len(o) - 1 and not np.any(np.isfinite(found)):
                    raise
        return found

    def _states(self, o: Floats) -> dict[str, Floats]:
        """The settled states (places, 1)."""
        coarse, values = self._settled
        return {name: np.interp(o, coarse, rows)[:, None] for name, rows in values.items()}

    @cached_property
    def _settled(self) -> tuple[Floats, dict[str, Floats]]:
        coarse = np.unique(np.concatenate([self.axis.places(COARSE), self.axis.spread()]))
        found = settled(self.of, coarse[:, None], self.answers, self.seed)
        return coarse, {name: rows[:, 0] for name, rows in found.items()}

    def _by_drawing(self, o: Floats, known: tuple[Floats, Floats] | None) -> Floats:
        """The mean update of each of many batches at each output; all outputs see the same numbers of chance."""
        columns = [np.full((REPETITIONS, 1), place) for place in o]
        latest, starts = self.of.of.program.latest, self.of.starts
        states = [{name: np.full((REPETITIONS, 1), start) for name, start in starts.items()} for _ in o]
        for step in range(SETTLING if starts else 0):
            draws = chance(self.of, self.seed, step, REPETITIONS, self.answers)
            for i, column in enumerate(columns):
                now = self.of.run(column, draws, states[i])
                states[i] = {name: np.broadcast_to(now[latest[name]], column.shape) for name in starts}
        draws = chance(self.of, self.seed, SETTLING, REPETITIONS, self.answers)
        found = [self._batches(column, draws, states[i], _at(known, i)) for i, column in enumerate(columns)]
        return np.stack(found, axis=1)

    def _batches(
        self, o: Floats, draws: Mapping[str, Floats], states: Mapping[str, Floats], known: tuple[float, float] | None
    ) -> Floats:
        """The mean update of each batch; of what is known exactly, only the difference is drawn."""
        all_, answer = self.of.run(o, draws, states), self.of.of.program.latest["a"]
        shape = (REPETITIONS, self.answers)
        update = np.broadcast_to(-all_["do"], shape)
        if known is None or self.sampled is None or REWARD not in all_ or answer not in all_:
            return np.asarray(update.mean(axis=1))
        (value, slope), rewards, answers = known, all_[REWARD], all_[answer]
        plain = np.broadcast_to((rewards - value) * self.sampled.score(o, answers), shape)
        return np.asarray(slope + (update - plain).mean(axis=1))


def _at(known: tuple[Floats, Floats] | None, place: int) -> tuple[float, float] | None:
    return None if known is None else (float(known[0][place]), float(known[1][place]))


def mean_of(tree: Tree, values: Mapping[str, float], o: Floats) -> Floats:
    """The mean of a formula over chance, at each output.

    Raises:
        ExperimentError: it reads more than one number of chance.
    """
    if len(set(CHANCE) & set(symbols(tree))) > 1:
        raise ExperimentError("judge.two_kinds_of_chance")
    return np.array([expected(tree, {**values, "o": float(place)}) for place in o])


__all__ = ["Expected", "Sampled", "cancelled", "chance", "every_chance", "expected", "mean_of", "of_weights", "settled"]
