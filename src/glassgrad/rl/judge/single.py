"""The updates of single answers at some outputs: with the reward as it is, and with it exchanged."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from glassgrad.draws import Floats
from glassgrad.experiment import Experiment
from glassgrad.formula.evaluate import evaluate
from glassgrad.formula.functions import Array
from glassgrad.formula.tree import symbols
from glassgrad.rl.grouped import Grouped
from glassgrad.rl.judge.evidence import SAME, Weight
from glassgrad.rl.judge.expected import every_chance, of_weights
from glassgrad.rl.judge.feedback import CHANCE, REWARD, Exchanged, Feedback, Outputs, by_name, feedback, steps_back
from glassgrad.rl.judge.feedback import weights as weights_of

ANSWERS = 1000  # that are drawn at each place
FEW = 20  # answers to each of a choice's numbers, on average, if they are to tell something
PARALLEL = 1e-6  # a smaller share of a vector beside another one is none

Score = Callable[[Mapping[str, Array]], Floats]
"""The derivative of the log-probability of each answer (outputs, rows, answers), given every line's values."""


def read_together(experiment: Experiment, in_groups: bool) -> int:
    """How many answers may read each other: those of a batch, or those to one question."""
    return experiment.group if in_groups else experiment.batch or experiment.samples


class Single:
    """The updates of answers to one question, at some outputs (places).

    Samples that do not read each other may be any number; else there are as many batches as give so many answers.
    looked: the outputs whose updates the reward may weigh. score: of the answers, if it is known.
    """

    def __init__(
        self,
        plain: Feedback,
        inputs: Floats,
        experiment: Experiment,
        outputs: Outputs,
        looked: Sequence[str] = ("o",),
        score: Score | None = None,
    ) -> None:
        self.of, self.plain, self.inputs = plain.of, plain, inputs
        self.looked, self.score = looked, score
        batch = read_together(experiment, self.of.in_groups)
        self.size = min(ANSWERS, batch) if plain.coupled else ANSWERS
        batches = -(-ANSWERS // self.size)
        rows = {name: np.repeat(o, batches)[:, None] for name, o in by_name(outputs).items()}
        self.o: Outputs = rows if isinstance(outputs, Mapping) else rows["o"]
        self.draws = self._draws(experiment.seed, len(next(iter(rows.values()))))
        self.shape = plain.shape(self.o, self.draws)
        self.known = self._run()
        self.base = plain.updates(self.o, self.draws)
        self.strength = _largest(self.base)

    def _draws(self, seed: int, rows: int) -> dict[str, Floats]:
        names = {name for line in self.plain.lines for name in symbols(line.tree)}
        drawn = every_chance(names, seed, rows, self.size) | of_weights(self.plain, seed, rows, self.size)
        return drawn or ({"noise": np.zeros((1, self.size))} if self.plain.coupled else {})

    def _feedback(self, reward: Exchanged, moved: float = 0.0) -> Feedback:
        return feedback(self.of, self.inputs, reward=reward, moved=moved)

    def _updates(self, of: Feedback, table: Mapping[str, Array] | None = None) -> Floats:
        return of.updates(self.o, self.draws, table)

    def _run(self) -> dict[str, Floats]:
        """Every line, needed or not."""
        known: dict[str, Any] = {**self.plain.values, **self.plain.starts}
        known |= {**dict.fromkeys(CHANCE, np.zeros(self.shape)), **by_name(self.o), **self.draws}
        for line in self.plain.every:
            known[line.name] = evaluate(line.tree, known, Grouped(self.shape, (1,)))
        return {name: self._whole(value) for name, value in known.items()}

    def _whole(self, value: Array) -> Floats:
        return np.array(np.broadcast_to(value, self.shape), np.float64)

    def changed(self, other: Floats) -> float:
        """The largest change of an answer's update, as a share of the largest update."""
        return _largest(other - self.base) / self.strength if self.strength else 0.0

    def moved(self) -> Floats:
        """The updates with the truth moved by 1 and the rewards as they were."""
        if REWARD not in self.of.pieces:
            return self._updates(self._feedback("as it is", 1.0))
        moved, still = (self._updates(self._feedback("tabled", by), self.table) for by in (1.0, 0.0))
        return np.asarray(self.base + moved - still)

    @property
    def table(self) -> dict[str, Floats]:
        """The rewards of the answers, as numbers."""
        return {REWARD: self.known[REWARD]}

    def of_reward(self) -> dict[str, Any]:
        """What there is to be seen of the reward."""
        boxed, tabled = self._feedback("boxed"), self._feedback("tabled")
        back = [_largest(self._whole(evaluate(tree, self.known))) for tree in steps_back(self.plain)]
        return {
            "to_reward": _largest(self.known["dreward"]) if "dreward" in self.known else 0.0,
            "to_output": max(back, default=0.0),
            "boxed": self.changed(self._updates(boxed)),
            "tabled": self.changed(self._updates(tabled, self.table)),
            "answers": _largest(self.known[self.of.program.latest["a"]].std(axis=1)),
            "weight": self._weight(tabled),
        }

    def _weight(self, tabled: Feedback) -> Weight:
        if not self.looked:
            return Weight(0.0)
        every = weights_of(tabled, {**self.known, **self.table})
        found = np.stack([-self._whole(every.get(name, 0.0)) for name in self.looked])
        some = np.all(np.isfinite(found), axis=(0, 2)) & np.any(found != 0, axis=(0, 2))
        if not some.any():
            return Weight(0.0)
        rows, answers = found[:, some], self.known[self.of.program.latest["a"]][some]
        scatter = rows - rows.mean(axis=2, keepdims=True)
        varies = float(np.max(np.sqrt(np.mean(scatter**2, axis=(0, 2)) / np.mean(rows**2, axis=(0, 2)))))
        if self.score is None:
            other = answers - answers.mean(axis=1, keepdims=True)
            related = max(abs(_cosine(one.reshape(1, -1), other.reshape(1, -1))) for one in scatter)
            return Weight(_largest(rows), varies, related if varies > SAME else 0.0)
        score = np.asarray(self.score(self.known), np.float64)[:, some]
        related = max(abs(_cosine(scatter.reshape(1, -1), score.reshape(1, -1))), _explained(scatter, answers))
        related = related if varies > SAME else 0.0
        return Weight(_largest(rows), varies, related, _cosine(_by_row(rows), _by_row(score)), _factors(rows, score))


def _largest(rows: Floats) -> float:
    finite = rows[np.isfinite(rows)]
    return float(np.max(np.abs(finite), initial=0.0))


def _by_row(rows: Floats) -> Floats:
    """(rows, outputs*answers)."""
    return np.moveaxis(rows, 0, 1).reshape(rows.shape[1], -1)


def _cosine(rows: Floats, others: Floats) -> float:
    """The cosine between two sets of rows that is nearest to 0."""
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(others, axis=1)
    some = (lengths > 0) & np.isfinite(lengths)
    found = np.sum(rows * others, axis=1)[some] / lengths[some]
    return float(min(found, key=abs)) if len(found) else 0.0


def _explained(scatter: Floats, answers: Floats) -> float:
    """The share of the scatter (outputs, rows, answers) that goes with the answer, as a correlation; 0 if all differ.

    One output's weight rises or falls with its answer; of several, each answer has another one.
    """
    between, whole = 0.0, float(np.sum(scatter**2))
    for row in range(len(answers) if len(scatter) > 1 else 0):
        found, which, counts = np.unique(answers[row], return_inverse=True, return_counts=True)
        if len(found) > len(which) / FEW:
            return 0.0
        sums = np.stack([np.bincount(which, weights=one) for one in scatter[:, row]])
        between += float(np.sum(sums**2 / counts))
    return float(np.sqrt(between / whole)) if whole else 0.0


def _factors(rows: Floats, score: Floats) -> tuple[float, float] | None:
    """By how much the score of each answer is multiplied, the least and the most; None where that is no factor.

    A factor is one number for all outputs, so one output alone cannot tell.
    """
    if len(rows) < 2:
        return None
    square = np.sum(score**2, axis=0)
    some = square > 0
    factor = np.sum(rows * score, axis=0)[some] / square[some]
    beside = np.abs(rows[:, some] - factor * score[:, some]).max(axis=0)
    if not len(factor) or np.any(rows[:, ~some]) or np.any(beside > PARALLEL * np.abs(rows[:, some]).max(axis=0)):
        return None
    return float(factor.min()), float(factor.max())


__all__ = ["Score", "Single", "read_together"]
