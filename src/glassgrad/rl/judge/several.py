"""The expected updates of several outputs at some places, beside the slopes of what they may climb."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import compress

import numpy as np

from glassgrad.draws import Floats
from glassgrad.errors import ExperimentError
from glassgrad.experiment import Experiment
from glassgrad.formula.adjoint import adjoints
from glassgrad.formula.evaluate import evaluate, is_aggregate
from glassgrad.formula.functions import Array
from glassgrad.formula.lines import Line, reads
from glassgrad.formula.text import number_text, show
from glassgrad.formula.tree import symbols
from glassgrad.method import Method
from glassgrad.rl.exact import without_stop
from glassgrad.rl.judge.drawing import Around, Chances, drawn, seen_chance
from glassgrad.rl.judge.expected import REPETITIONS, SETTLING, chance, settled
from glassgrad.rl.judge.feedback import CHANCE, REWARD, Feedback, feedback
from glassgrad.rl.judge.objectives import OF_SEVERAL, OF_WEIGHTS, Fit, Objective, best_fit, simplest
from glassgrad.rl.judge.outputs import Place, columns, distinct, policy_outputs
from glassgrad.rl.judge.profile import standard_error
from glassgrad.rl.judge.single import read_together
from glassgrad.rl.situation import inlined

LEAST_NOISE = 0.01  # of the largest standard error: what seems to be less noisy weighs no more
TOLERANCE = 1e-6  # of what is computed: the largest difference that counts as none, as a share of the update


@dataclass(frozen=True)
class Several:
    """What was seen of all outputs at some places.

    outputs: their names. policy: those that decide the answer. update (repetitions, places, outputs): one repetition
    where it is exact. reward (places): J. slopes: of what has a name, (places, policy); None where that is unknown.
    by_step: whether the update changes from step to step. Then the objective is that of step 1, and its name too.
    drawn: slopes that are estimates, (repetitions, places, policy); `slopes` has their means. Then the outputs are the
    weights that the policy perturbs.
    """

    places: tuple[Place, ...]
    outputs: tuple[str, ...]
    policy: tuple[str, ...]
    update: Floats
    reward: Floats | None
    slopes: Mapping[str, Floats | None]
    by_step: bool = False
    drawn: Mapping[str, Floats] | None = None

    @cached_property
    def mean(self) -> Floats:
        """The expected updates (places, outputs)."""
        return np.asarray(self.update.mean(axis=0))

    @cached_property
    def error(self) -> Floats:
        """Their standard errors; 0 where they are exact."""
        return standard_error(self.update.reshape(len(self.update), -1)).reshape(self.mean.shape)

    @cached_property
    def of_policy(self) -> Floats:
        """The updates of the outputs that decide the answer (repetitions, places, policy)."""
        return self.update[:, :, [self.outputs.index(name) for name in self.policy]]

    @property
    def perturbed(self) -> bool:
        """Whether the outputs are weights that the policy perturbs."""
        return self.drawn is not None

    @property
    def others(self) -> tuple[str, ...]:
        """The outputs that the answer does not read, such as a critic's."""
        return tuple(name for name in self.outputs if name not in self.policy)

    @cached_property
    def enough(self) -> bool:
        """Whether updates and slopes are numbers at so many distinct places that an objective could have been found."""
        slopes = self.slopes.get("dJ")
        rows = np.all(np.isfinite(self.of_policy), axis=(0, 2))
        rows = rows if slopes is None else rows & np.all(np.isfinite(slopes), axis=1)
        return distinct(list(compress(self.places, rows))) > 2

    def named(self) -> tuple[Fit, ...]:
        """The objectives with a name that the outputs of the policy climb."""
        fits = (self._fitted(row) for row in (OF_WEIGHTS if self.perturbed else OF_SEVERAL))
        return simplest([fit for fit in fits if fit is not None and fit.holds])

    def _fitted(self, row: Objective) -> Fit | None:
        """An objective held against all places and outputs; None where it reads what is not known."""
        known = {**self.slopes, **(self.drawn or {}), "J": None if self.reward is None else self.reward[:, None]}
        if any(known[name] is None for tree in row.trees for name in symbols(tree)) or not self.policy:
            return None
        first = np.array([place.step == 1 or not self.by_step for place in self.places])
        shape, rows = self.of_policy.shape, len(self.update)
        update = self.of_policy[:, first].reshape(rows, -1)
        every = (np.broadcast_to(evaluate(tree, known), shape) for tree in row.trees)
        slopes = np.stack([slope[:, first].reshape(rows, -1) for slope in every])
        finite = np.all(np.isfinite(slopes), axis=(0, 1)) & np.all(np.isfinite(update), axis=0)
        update, slopes = update[:, finite], slopes[:, :, finite]
        held = distinct(list(compress(compress(self.places, first), finite.reshape(-1, shape[2]).all(axis=1))))
        if held < 1 + len(slopes) or held * shape[2] < 2 + len(slopes) or not np.any(update.mean(axis=0)):
            return None
        size = _noise(update - slopes[0]) if self.perturbed else None
        return best_fit(row, update, slopes, TOLERANCE, size)


class Updates:
    """Updates and what is earned in one question, at places of several outputs."""

    def __init__(self, experiment: Experiment, of: Method, inputs: Floats, places: tuple[Place, ...]) -> None:
        self.experiment, self.of, self.inputs, self.places = experiment, of, inputs, places
        self.plain = feedback(of, inputs)
        self.how = drawn(self.plain)
        self.at = {name: column[:, None] for name, column in columns(places, of).items()}
        self.policy = policy_outputs(of)
        self.answer = of.program.latest["a"]
        self.chances = Chances(self.plain, self.how)

    def seen(self) -> Several:
        """The updates, and the slopes of what has a name."""
        earned = self.reward
        slopes: dict[str, Floats | None] = dict.fromkeys(("dJ", "dH", "dS", "dW"))
        if self.policy:
            slopes = {"dJ": self.reward_slopes, "dH": self.entropy_slopes, "dS": self.error_slopes, "dW": self.written}
        update = self.updates(self.plain)
        by_step = any("step" in reads(self.plain.every, name) for name in self.plain.arriving.values())
        return Several(self.places, self.of.outputs, self.policy, update, earned, slopes, by_step)

    def updates(self, of: Feedback) -> Floats:
        """The expected updates under a feedback (repetitions, places, outputs); one repetition where all are exact."""
        answers = read_together(self.experiment, self.of.in_groups)
        if not any(seen_chance(of.every, line) for line in of.arriving.values()):
            return self._by_formula(of, answers)
        exact = {name: line for name, line in of.arriving.items() if _exact(of, line)}
        found = self._over_all_chance(of, tuple(exact.values()))
        drawn = [name in of.arriving and name not in exact for name in self.of.outputs]
        return np.where(drawn, self._drawn(of, answers), found) if any(drawn) else found

    def _by_formula(self, of: Feedback, answers: int) -> Floats:
        """Nothing is left to chance: a batch is the same answer, again and again."""
        states = settled(of, self.at, answers, self.experiment.seed)
        found = of.updates(self.at, {"noise": np.zeros((1, answers))}, states)
        return np.asarray(np.moveaxis(found.mean(axis=2), 0, 1)[None])

    def _over_all_chance(self, of: Feedback, lines: tuple[str, ...]) -> Floats:
        """The updates whose mean is exact, those of some lines (1, places, outputs); the others are no means."""
        if not lines:
            return np.zeros((1, len(self.places), len(self.of.outputs)))
        answers = read_together(self.experiment, self.of.in_groups)
        states = settled(of, self.at, answers, self.experiment.seed)
        around = Chances(of, self.how).around(self.at, lines, states)
        draws = {**dict.fromkeys(CHANCE, np.zeros((1, 1))), **around.draws}
        return np.moveaxis(around.mean(of.updates(self.at, draws, states)), 0, 1)[None]

    def _drawn(self, of: Feedback, answers: int) -> Floats:
        """The mean update of each of many batches, of which what is known exactly is not drawn."""
        seed = self.experiment.seed
        draws = chance(of, seed, SETTLING, REPETITIONS, answers)
        found = []
        for i in range(len(self.places)):
            at = {name: np.full((REPETITIONS, 1), float(column[i, 0])) for name, column in self.at.items()}
            known = of.run(at, draws, settled(of, at, answers, seed))
            shape = of.shape(at, draws)
            each = (-known[of.arriving[name]] if name in of.arriving else 0.0 for name in self.of.outputs)
            rows = np.stack([np.broadcast_to(row, shape).mean(axis=1) for row in each])
            found.append(rows + self._known(i, draws, known))
        return np.asarray(np.stack(found, axis=2).transpose(1, 2, 0))

    def _known(self, i: int, draws: Mapping[str, Floats], known: Mapping[str, Array]) -> Floats | float:
        """What makes drawn means less noisy: slope - mean((r - J)*score), whose mean is 0 (outputs, repetitions)."""
        slopes, here = (
            self.reward_slopes if self.policy else None,
            {name: column[i : i + 1] for name, column in self.at.items()},
        )
        if slopes is None or self.reward is None or self.how is None or not self.how.known or REWARD not in known:
            return 0.0
        score = self.chances.score(here, draws, self.policy)
        plain = np.mean((known[REWARD] - self.reward[i]) * score, axis=2)  # (policy, repetitions)
        found = np.zeros((len(self.of.outputs), plain.shape[1]))
        found[[self.of.outputs.index(name) for name in self.policy]] = slopes[i][:, None] - plain
        return found

    @cached_property
    def reward(self) -> Floats | None:
        """J at each place; None where there is none, or no exact one.

        Raises:
            ExperimentError: it is no number at any of them.
        """
        if REWARD not in self.of.pieces or not self._has_mean(REWARD):
            return None
        found = self._mean(self.at, REWARD)[:, 0]
        if not np.any(np.isfinite(found)):
            raise self._no_number()
        return found

    def _no_number(self) -> ExperimentError:
        """Which reward of which answer is no number: of the likeliest such answer."""
        around, known = self._over_chance(self.at, REWARD)
        rewards, answers = np.broadcast_arrays(known[REWARD], known[self.answer])
        weights = np.where(np.isfinite(rewards), -1.0, np.broadcast_to(around.weights, rewards.shape))
        answer = number_text(float(f"{answers.flat[np.argmax(weights)]:.4g}"))
        reward = show(inlined(self.plain.lines, REWARD, keep=frozenset({self.answer})))
        return ExperimentError("estimators.not_finite", reward=reward, answer=answer)

    @cached_property
    def reward_slopes(self) -> Floats | None:
        """dJ/do (places, policy)."""
        return None if self.reward is None else self._slopes(REWARD)

    @cached_property
    def error_slopes(self) -> Floats | None:
        """The slope of minus the mean squared error of the answer."""
        if not self._has_mean(self.answer):
            return None
        return _finite(self.chances.slopes(lambda here: -self._mean(here, self.answer, True), self.at, self.policy))

    @cached_property
    def entropy_slopes(self) -> Floats | None:
        """The slope of the entropy of what is drawn; None where nothing is, or where that is not the answer."""
        if self.how is None or not self.how.known or not self.how.whole:
            return None
        return _finite(self.chances.slopes(self.chances.entropy, self.at, self.policy))

    @cached_property
    def written(self) -> Floats | None:
        """Minus the slope of the objective as it is written, where nothing is left to chance, and samples are alone."""
        if seen_chance(self.plain.lines, "objective") or not self._has_mean("objective"):
            return None
        return -self._by_chain_rule("objective")

    def _has_mean(self, name: str) -> bool:
        """Whether a line has an exact mean: it reads one number of chance at most, and one sample."""
        return _exact(self.plain, name)

    def _mean(self, outputs: Mapping[str, Floats], name: str, squared: bool = False) -> Floats:
        """The mean of a line, or of its squared distance from the truth (rows, 1)."""
        around, known = self._over_chance(outputs, name)
        return around.mean((known[name] - known["t"]) ** 2 if squared else known[name])[:, None]

    def _over_chance(self, outputs: Mapping[str, Floats], name: str) -> tuple[Around, dict[str, Array]]:
        """What a line reads, and itself, for the numbers of chance with which its mean is exact."""
        around, read = self.chances.around(outputs, (name,)), reads(self.plain.lines, name)
        known: dict[str, Array] = {**self.chances.standing(outputs), **around.draws}
        for line in self.plain.lines:
            if line.name not in self.chances.still and line.name in read:
                known[line.name] = evaluate(line.tree, known)
        return around, known

    def _slopes(self, name: str) -> Floats:
        """The slopes of a line's mean (places, policy): by the chain rule; by differences where chance has a part."""
        if not seen_chance(self.plain.lines, name):
            return self._by_chain_rule(name)
        return _finite(self.chances.slopes(lambda here: self._mean(here, name), self.at, self.policy))

    def _by_chain_rule(self, name: str) -> Floats:
        """The slope of a line as if nothing were stopped."""
        lines = tuple(Line(line.name, without_stop(line.tree), line.level) for line in self.plain.lines)
        lines = lines[: 1 + next(i for i, line in enumerate(lines) if line.name == name)]
        back = adjoints(lines, name, dict.fromkeys(self.of.outputs, "sample"))
        known = self.chances.standing(self.at)
        for line in back:
            known[line.name] = evaluate(line.tree, known)
        rows = [known.get(f"d{one}", 0.0) if _there(back, one) else 0.0 for one in self.policy]
        return np.stack([np.broadcast_to(row, (len(self.places), 1))[:, 0] for row in rows], axis=1)


def _noise(rest: Floats) -> Floats:
    """What weighs what is drawn in a fit: standard errors, that of the least noisy not taken for less than a few."""
    error = standard_error(rest)
    return np.maximum(error, LEAST_NOISE * float(np.max(error)) or 1.0)


def _exact(of: Feedback, line: str) -> bool:
    """Whether a line has an exact mean: of one number of chance, and of one answer alone."""
    return len(seen_chance(of.every, line)) < 2 and not coupled(of.every, line)


def coupled(lines: tuple[Line, ...], name: str) -> bool:
    """Whether samples read each other in what a line depends on."""
    read = reads(lines, name)
    return any(is_aggregate(line.tree) for line in lines if line.name in read)


def _there(back: Sequence[Line], output: str) -> bool:
    return any(line.name == f"d{output}" for line in back)


def _finite(rows: Floats) -> Floats:
    """(policy, places, 1) as (places, policy)."""
    return np.asarray(rows[:, :, 0].T)


__all__ = ["Several", "Updates", "coupled"]
