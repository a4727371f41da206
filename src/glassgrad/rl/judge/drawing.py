"""How chance makes an answer out of several outputs: what is drawn, how probable it is, and means over all of it.

A number that is normal around some formula of the outputs, or a choice: the uniform number falls between borders that
are formulas of the outputs. Means are exact then: by quadrature between the kinks, or over the choices, one by one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from glassgrad.draws import Floats
from glassgrad.errors import ExperimentError
from glassgrad.formula.derivative import derivative
from glassgrad.formula.evaluate import evaluate
from glassgrad.formula.functions import COMPARISONS, Array
from glassgrad.formula.lines import Line, reads
from glassgrad.formula.simplify import ZERO
from glassgrad.formula.tree import Apply, Number, Symbol, Tree, replace, substitute, symbols, walk
from glassgrad.rl.exact import without_stop
from glassgrad.rl.grouped import Grouped
from glassgrad.rl.integral import CORE, GRADED, NODES, PANEL, WEIGHTS
from glassgrad.rl.judge.feedback import CHANCE, Feedback
from glassgrad.rl.kinks import kinks
from glassgrad.rl.situation import inlined

STEP = 1e-3  # of difference quotients, in outputs, or in deviations where these are smaller
STENCIL = {-2: 1 / 12, -1: -8 / 12, 1: 8 / 12, 2: -1 / 12}  # of a derivative, to the fourth order
NEAR_STEEP = GRADED[:20]  # ends of intervals on each side of what may be steep
PANELS = 32  # pieces of the interval of a uniform number
_COMPARING = {row.name for row in COMPARISONS}


@dataclass(frozen=True)
class Drawn:
    """How an answer is drawn. name: noise, uniform, or "" where nothing is left to chance.

    normal: the number that is normal, as a formula in noise; None of a choice. whole: whether it is the answer itself.
    borders: of a choice, where the uniform number goes from one answer to the next.
    """

    name: str
    normal: Tree | None = None
    whole: bool = True
    borders: tuple[Tree, ...] = ()

    @property
    def known(self) -> bool:
        """Whether it is known how probable an answer is."""
        return self.normal is not None or bool(self.borders)


def still(lines: Sequence[Line]) -> frozenset[str]:
    """The lines that do not depend on chance."""
    moving, found = set(CHANCE), set[str]()
    for line in lines:
        (moving if moving & set(symbols(line.tree)) else found).add(line.name)
    return frozenset(found)


def seen_chance(lines: tuple[Line, ...], name: str) -> tuple[str, ...]:
    """The numbers of chance that a line depends on."""
    read = reads(lines, name)
    return tuple(chance for chance in CHANCE if chance in read)


def drawn(of: Feedback) -> Drawn | None:
    """How the answer is drawn; None if that is neither a normal number nor a choice.

    All that the outputs do to the answer has to be done by what is drawn: not so in o + noise**3.
    """
    answer = of.of.program.latest["a"]
    names = seen_chance(of.lines, answer)
    if not names:
        return Drawn("")
    if len(names) > 1:
        return None
    tree = without_stop(inlined(of.lines, answer, keep=still(of.lines)))
    found = _normal(tree) if names == ("noise",) else _choice(tree)
    if found is None:
        return None
    how, rest = found
    read = set().union(*(reads(of.lines, name) for name in symbols(rest)))
    return None if read & set(of.of.outputs) else how


def _normal(tree: Tree) -> tuple[Drawn, Tree] | None:
    """The largest part of the answer that is normal, if all noise comes through it; and what is left without it."""
    for part in walk(tree):
        if "noise" not in symbols(part):
            continue
        slope, rest = derivative(part, "noise"), _without(tree, part)
        if slope != ZERO and not {"noise"} & {*symbols(slope), *symbols(rest)}:
            return Drawn("noise", part, part == tree), rest
    return None


def _without(tree: Tree, part: Tree) -> Tree:
    return replace(tree, lambda one: Number(0.0) if one == part else None)


def _choice(tree: Tree) -> tuple[Drawn, Tree] | None:
    """The borders of a choice, if all that reads the uniform number is its comparison with them; and what is left."""
    uniform, borders = Symbol("uniform"), list[Tree]()
    for part in walk(tree):
        match part:
            case Apply(name, (u, v)) if name in _COMPARING and uniform in (u, v):
                borders.append(v if u == uniform else u)
                tree = _without(tree, part)
    if "uniform" in symbols(tree) or any("uniform" in symbols(border) for border in borders):
        return None
    return Drawn("uniform", None, True, tuple(dict.fromkeys(borders))), tree


@dataclass(frozen=True)
class Around:
    """Numbers of chance at some outputs, and what each weighs in a mean: draws by name, weights (rows, numbers)."""

    draws: dict[str, Floats]
    weights: Floats

    def mean(self, values: Array) -> Floats:
        """The mean over chance (…, rows)."""
        return np.asarray(np.sum(self.weights * values, axis=-1))


class Chances:
    """Means over chance of what a feedback's lines give, at outputs (rows, 1) by name. how: answers are drawn."""

    def __init__(self, of: Feedback, how: Drawn | None) -> None:
        self.of, self.how = of, how
        self.still = still(of.every)

    def standing(self, outputs: Mapping[str, Floats], more: Mapping[str, Array] | None = None) -> dict[str, Array]:
        """The values of all lines that do not depend on chance."""
        known: dict[str, Array] = {**self.of.values, **self.of.starts, **outputs, **(more or {})}
        for line in self.of.every:
            if line.name in self.still:
                known[line.name] = evaluate(line.tree, known, Grouped((_rows(outputs), 1), (1,)))
        return known

    def around(
        self, outputs: Mapping[str, Floats], names: Sequence[str], more: Mapping[str, Floats] | None = None
    ) -> Around:
        """The numbers of chance with which these lines have exact means. more: states (rows, 1).

        Raises:
            ExperimentError: they read both numbers of chance.
        """
        read = {chance for name in names for chance in seen_chance(self.of.every, name)}
        if len(read) > 1:
            raise ExperimentError("judge.two_kinds_of_chance")
        if not read:
            return Around({}, np.ones((_rows(outputs), 1)))
        (chance,) = read
        if chance == "uniform" and self.how is not None and self.how.borders:
            ends = self.borders(outputs)
            return Around({chance: (ends[:, :-1] + ends[:, 1:]) / 2}, np.diff(ends))
        return self._between_kinks(chance, names, outputs, more or {})

    def _between_kinks(
        self, chance: str, names: Sequence[str], outputs: Mapping[str, Floats], more: Mapping[str, Floats]
    ) -> Around:
        every = (inlined(self.of.every, name, keep=self.still) for name in names)
        trees = [substitute(without_stop(tree), {chance: Symbol("a")}) for tree in every]
        known, rows = self.standing(outputs, more), _rows(outputs)
        each = {name: np.broadcast_to(value, (rows, 1))[:, 0] for name, value in known.items()}
        found = [_nodes(chance, trees, {name: float(part[i]) for name, part in each.items()}) for i in range(rows)]
        longest = max(len(z) for z, _ in found)  # what is short is filled up with what weighs nothing
        z = np.stack([np.pad(z, (0, longest - len(z)), mode="edge") for z, _ in found])
        return Around({chance: z}, np.stack([np.pad(weights, (0, longest - len(weights))) for _, weights in found]))

    def borders(self, outputs: Mapping[str, Floats]) -> Floats:
        """The ends of the intervals of a choice (rows, ends), from 0 to 1."""
        assert self.how is not None
        known, rows = self.standing(outputs), _rows(outputs)
        found = [np.broadcast_to(evaluate(tree, known), (rows, 1)) for tree in self.how.borders]
        inner = np.clip(np.concatenate(found, axis=1), 0.0, 1.0)
        return np.concatenate([np.zeros((rows, 1)), np.sort(inner, axis=1), np.ones((rows, 1))], axis=1)

    def normal(self, outputs: Mapping[str, Floats]) -> Floats:
        """Mean and standard deviation of the normal number (rows, 2)."""
        assert self.how is not None
        tree = self.how.normal
        assert tree is not None
        known = {**self.standing(outputs), "noise": 0.0}
        both = (tree, derivative(tree, "noise"))
        return np.concatenate([np.broadcast_to(evaluate(one, known), (_rows(outputs), 1)) for one in both], axis=1)

    def slopes(
        self, at: Callable[[Mapping[str, Floats]], Floats], outputs: Mapping[str, Floats], by: Sequence[str]
    ) -> Floats:
        """The derivatives (by, rows, numbers) of a function of the outputs (rows, numbers), by differences."""
        normal = self.how is not None and self.how.normal is not None
        h = (
            STEP * np.minimum(1.0, np.abs(self.normal(outputs)[:, 1:]))
            if normal
            else np.full((_rows(outputs), 1), STEP)
        )
        found = []
        for name in by:
            near = [share * at({**outputs, name: outputs[name] + away * h}) for away, share in STENCIL.items()]
            found.append(np.sum(near, axis=0) / h)
        return np.stack(found)

    def score(self, outputs: Mapping[str, Floats], draws: Mapping[str, Array], by: Sequence[str]) -> Floats:
        """d(log-probability of what was drawn)/d(each output) (by, rows, numbers).

        Of a normal number m + s*noise: noise/s*dm + (noise**2 - 1)/s*ds. Of a choice: dp/p of its answer.
        """
        assert self.how is not None
        if self.how.normal is not None:
            noise, s = np.asarray(draws["noise"], np.float64), self.normal(outputs)[:, 1:]
            slopes = self.slopes(self.normal, outputs, by)
            return np.asarray(noise / s * slopes[:, :, :1] + (noise**2 - 1) / s * slopes[:, :, 1:])
        uniform, ends = np.asarray(draws["uniform"], np.float64), self.borders(outputs)
        widths, slopes = np.diff(ends), self.slopes(lambda here: np.diff(self.borders(here)), outputs, by)
        with np.errstate(all="ignore"):
            each = np.where(widths > 0, slopes / widths, 0.0)
        inner = np.broadcast_to(ends[:, None, 1:-1], (len(ends), uniform.shape[1], ends.shape[1] - 2))
        which = np.sum(uniform[:, :, None] >= inner, axis=2)  # (rows, numbers)
        return np.stack([np.take_along_axis(one, which, axis=1) for one in each])

    def entropy(self, outputs: Mapping[str, Floats]) -> Floats:
        """Of what is drawn (rows, 1), up to a constant."""
        assert self.how is not None
        if self.how.normal is not None:
            return np.log(np.abs(self.normal(outputs)[:, 1:]))
        p = np.diff(self.borders(outputs))
        return np.asarray(-np.sum(p * np.log(np.where(p > 0, p, 1.0)), axis=1, keepdims=True))


def _rows(outputs: Mapping[str, Floats]) -> int:
    return len(next(iter(outputs.values())))


def _nodes(chance: str, trees: Sequence[Tree], known: Mapping[str, float]) -> tuple[Floats, Floats]:
    """Numbers of chance and their weights, between the kinks of some formulas in a."""
    low, high, panels = (-CORE, CORE, int(2 * CORE / PANEL)) if chance == "noise" else (0.0, 1.0, PANELS)
    edges = [np.linspace(low, high, panels + 1)]
    for tree in trees:
        found = kinks(tree, lambda z: {**known, "a": z}, low, high)
        edges += [found.points, found.steep, *(found.steep + side * gap for side in (-1, 1) for gap in NEAR_STEEP)]
    ends = np.unique(np.concatenate(edges))
    ends = ends[(ends >= low) & (ends <= high)]
    half = np.diff(ends) / 2
    z = ((ends[:-1] + half)[:, None] + half[:, None] * NODES).ravel()
    weights = (half[:, None] * WEIGHTS).ravel()
    return z, weights * np.exp(-z * z / 2) / np.sqrt(2 * np.pi) if chance == "noise" else weights


__all__ = ["Around", "Chances", "Drawn", "drawn", "seen_chance", "still"]
