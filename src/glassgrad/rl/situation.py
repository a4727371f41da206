"""A situation in which a gradient is estimated: questions, how they are answered by chance, and what answers earn.

One question with a normal answer or a choice, or all questions of a task, answered by a network at some step of a run.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from glassgrad.draws import Floats
from glassgrad.errors import ExperimentError, FormulaError
from glassgrad.formula.evaluate import evaluate, is_aggregate
from glassgrad.formula.functions import Array
from glassgrad.formula.lines import Level, Line, read_lines, reads
from glassgrad.formula.text import number_text, show
from glassgrad.formula.tree import Apply, Number, Symbol, Tree, substitute, walk
from glassgrad.rl.exact import Exact, categorical, normal
from glassgrad.tables.policies import POLICIES
from glassgrad.tables.rewards import REWARDS
from glassgrad.tables.row import find

MOVED = 0.1  # how far parameters are moved, as a share of the answers' own spread
MOST_CHOICES, FURTHEST = 50, 500  # logits: how many, and how large
Move = Callable[[Floats], dict[str, Floats]]


@dataclass(frozen=True)
class Situation:
    """Where a gradient is estimated. The gradient is that of the mean of J over all questions.

    policy: lines that sample an answer `a` and give its `logp`; chance: what they read of it, noise or uniform.
    reward: a formula in a. values: what the formulas read beside a and chance, a number or (questions).
    variables: what decides the answers, by name: its values (questions). exact: J and its slopes in them.
    slopes: by variable, its derivatives with respect to the parameters, (questions, parameters).
    parameters: their names. move: the variables (sets, questions) when (sets, parameters) are added to the parameters.
    spread: how far the answers scatter, as parameters see it: s is a tenth of it.
    choices: the answers of which one is chosen; none where the answer is normal.
    """

    policy: tuple[Line, ...]
    reward: Tree
    values: Mapping[str, Array]
    variables: Mapping[str, Floats]
    exact: Exact
    slopes: Mapping[str, Floats]
    parameters: tuple[str, ...]
    move: Move = field(repr=False)
    spread: float
    chance: str
    choices: tuple[float, ...] = ()

    @property
    def questions(self) -> int:
        """How many questions there are."""
        return len(next(iter(self.variables.values())))

    @cached_property
    def gradient(self) -> Floats:
        """The exact gradient (parameters): the mean over the questions of Σ dJ/dv * dv/dparameter."""
        terms = (self.exact.slopes[name] @ self.slopes[name] for name in self.variables)
        return np.asarray(sum(terms) / self.questions, dtype=np.float64)

    @property
    def moving(self) -> Floats:
        """1 for each parameter that moves the answer, 0 for others, as those of a critic by itself (parameters)."""
        moved = [np.any(slope != 0, axis=0) for slope in self.slopes.values()]
        return np.asarray(np.any(moved, axis=0), dtype=np.float64)

    @property
    def value(self) -> float:
        """The expected reward, over all questions."""
        return float(np.mean(self.exact.value))

    @cached_property
    def step_size(self) -> float:
        """s: how far the rows that move parameters move them."""
        size = np.sqrt(np.mean(sum(np.sum(slope**2, axis=1) for slope in self.slopes.values())) / len(self.variables))
        return MOVED * self.spread / float(size) if size > 0 else MOVED


def one_question(reward: str, truth: float, mu: float, sigma: float) -> Situation:
    """One question, answered by a = mu + sigma*noise; the parameters are mu and sigma.

    Raises:
        GlassgradError: the reward is no formula in a and t, or a number will not do.

    Example:
        >>> found = one_question("-abs(a - t)", 7, 6.3, 1.5)
        >>> [f"{slope:.4f}" for slope in found.gradient]
        ['0.3593', '-0.7156']
    """
    _finite(mu=mu, truth=truth)
    check_sigma(sigma)
    tree, place = reward_tree(reward, ("t",)), {"t": np.array([float(truth)])}
    variables = {"o": np.array([float(mu)]), "sigma": np.array([float(sigma)])}
    exact = normal(tree, variables["o"], float(sigma), place)
    return Situation(
        policy=gaussian_lines(),
        reward=tree,
        values=place,
        variables=variables,
        exact=replace(exact, slopes={"o": exact.slopes["mu"], "sigma": exact.slopes["sigma"]}),
        slopes={"o": np.array([[1.0, 0.0]]), "sigma": np.array([[0.0, 1.0]])},
        parameters=("mu", "sigma"),
        move=lambda by: {"o": mu + by[:, :1], "sigma": sigma + by[:, 1:]},
        spread=float(sigma),
        chance="noise",
    )


def one_choice(reward: str, truth: float, logits: tuple[float, ...]) -> Situation:
    """One question, answered by a choice: of one logit, 1 with probability sigmoid(z1), else 0; of several, 0, 1, ….

    Raises:
        GlassgradError: the reward is no formula in a and t, or a number will not do.

    Example:
        >>> one_choice("right", 1, (0.0, 0.0)).gradient
        array([-0.25,  0.25])
    """
    _finite(truth=truth)
    far = next((z for z in logits if not abs(z) <= FURTHEST), None)
    if far is not None:
        raise ExperimentError("experiment.range", setting="logits", low=-FURTHEST, high=FURTHEST, came=far)
    if not 1 <= len(logits) <= MOST_CHOICES:
        raise ExperimentError("experiment.range", setting="logits", low=1, high=MOST_CHOICES, came=len(logits))
    tree, place = reward_tree(reward, ("t",)), {"t": np.array([float(truth)])}
    z = np.array(logits, dtype=np.float64)
    answers = np.arange(max(2, len(z)), dtype=np.float64)
    rewards = earned(tree, answers, {"t": float(truth)})
    exact = categorical(np.array([0.0, z[0]]) if len(z) == 1 else z, rewards)
    names = tuple(f"z{i + 1}" for i in range(len(z)))
    given = [exact.slopes["z2"]] if len(z) == 1 else [exact.slopes[name] for name in names]
    return Situation(
        policy=read_lines(choice_lines(len(z)), {**dict.fromkeys(names, "sample"), "uniform": "sample"}, "a").lines,
        reward=tree,
        values=place,
        variables={name: z[i : i + 1] for i, name in enumerate(names)},
        exact=Exact(np.atleast_1d(exact.value), {n: np.atleast_1d(s) for n, s in zip(names, given, strict=True)}),
        slopes={name: row[None] for name, row in zip(names, np.eye(len(z)), strict=True)},
        parameters=names,
        move=lambda by: {name: z[i] + by[:, i : i + 1] for i, name in enumerate(names)},
        spread=1.0,
        chance="uniform",
        choices=tuple(map(float, answers)),
    )


def reward_tree(reward: str, names: tuple[str, ...]) -> Tree:
    """A reward as one formula in a: a row of the table, a formula, or lines.

    Raises:
        GlassgradError: it is none, or reads more than the answer and `names`.
    """
    row = find("reward", REWARDS, reward)
    source, numbers = (row.formula, row.numbers) if row else (reward, {})
    given: dict[str, Level] = {**dict.fromkeys(("a", *names), "sample"), **dict.fromkeys(numbers, "step")}
    try:
        tree = inlined(read_lines(source, given, "reward").lines, "reward")
        tree = substitute(tree, {name: Number(value) for name, value in numbers.items()})
        return alone(tree)
    except FormulaError as error:
        raise error.within("reward") from None


def alone(reward: Tree) -> Tree:
    """A reward that is earned by one answer alone.

    Raises:
        FormulaError: it reads all samples, as mean(…) does.
    """
    found = next((part for part in walk(reward) if is_aggregate(part)), None)
    if isinstance(found, Apply):
        raise FormulaError("formula.no_aggregate", formula=show(reward), position=1, name=found.function)
    return reward


def inlined(lines: tuple[Line, ...], name: str, keep: frozenset[str] = frozenset()) -> Tree:
    """What a name is worth, with the lines that it reads put in, except those that are kept.

    Example:
        >>> show(inlined(read_lines("b = 2*x; c = b + 1", {"x": "sample"}, "c").lines, "c"))
        '2*x + 1'
    """
    lines = tuple(line for line in lines if line.name not in keep)
    known: dict[str, Tree] = {}
    wanted = reads(lines, name)
    for line in lines:
        if line.name in wanted:
            known[line.name] = substitute(line.tree, known)
    return known.get(name, Symbol(name))


def gaussian_lines() -> tuple[Line, ...]:
    """a = stop(o + sigma*noise), and its log-probability: the table's row."""
    return _row_lines("gaussian", ("o", "sigma", "noise"))


def bernoulli_lines() -> tuple[Line, ...]:
    """a = stop([uniform < o]), and its log-probability: the table's row."""
    return _row_lines("bernoulli", ("o", "uniform"))


def _row_lines(name: str, reads: tuple[str, ...]) -> tuple[Line, ...]:
    return read_lines(POLICIES[name].formula, dict.fromkeys(reads, "sample"), "a").lines


def choice_lines(logits: int) -> str:
    """A choice as lines in z1, z2, …: its probabilities p1, p2, … add up to 1, and `uniform` falls into one of them.

    Example:
        >>> choice_lines(1)
        'o = sigmoid(z1); a = stop([uniform < o]); logp = where(a == 1, log(o), log(1 - o))'
    """
    if logits == 1:
        return f"o = sigmoid(z1); {POLICIES['bernoulli'].formula}"
    total = " + ".join(f"exp(z{k})" for k in range(1, logits + 1))
    p = "; ".join(f"p{k} = exp(z{k})/total" for k in range(1, logits + 1))
    passed = " + ".join(f"[uniform >= {' + '.join(f'p{i}' for i in range(1, k + 1))}]" for k in range(1, logits))
    logp = " + ".join(f"where(a == {k - 1}, z{k}, 0)" for k in range(1, logits + 1))
    return f"total = {total}; {p}; a = stop({passed}); logp = {logp} - log(total)"


def earned(reward: Tree, answers: Floats, values: Mapping[str, Array]) -> Floats:
    """The rewards of some answers.

    Raises:
        ExperimentError: one is not a finite number.
    """
    found = np.array(np.broadcast_to(evaluate(reward, {**values, "a": answers}), answers.shape), dtype=np.float64)
    bad = ~np.isfinite(found)
    if bad.any():
        answer = number_text(float(answers[bad][0]))
        raise ExperimentError("estimators.not_finite", reward=show(reward), answer=answer)
    return found


def _finite(**numbers: float) -> None:
    for name, value in numbers.items():
        if not np.isfinite(value):
            raise ExperimentError("estimators.number", setting=name, came=value)


def check_sigma(sigma: float) -> None:
    """Refuse a deviation that is none.

    Raises:
        ExperimentError: it is not positive, or too large.
    """
    low, high = POLICIES["gaussian"].bounds["sigma"]
    if not low <= sigma <= high:
        raise ExperimentError("experiment.range", setting="sigma", low=f"{low:g}", high=f"{high:g}", came=sigma)


__all__ = [
    "Situation",
    "alone",
    "bernoulli_lines",
    "check_sigma",
    "earned",
    "gaussian_lines",
    "inlined",
    "one_choice",
    "one_question",
    "reward_tree",
]
