"""The rules of an environment: what is seen, what an action answers, what it earns. On arrays: for one, or for many.

An observation is the question's inputs, an action the answer, each laid out from -1 to 1 over all that it can be:
libraries expect that, and their networks learn better so. A discrete action counts the whole answers from 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from glassgrad.draws import Floats
from glassgrad.errors import ExperimentError
from glassgrad.formula.text import number_text
from glassgrad.rl.environments.reward import Reward, read_reward
from glassgrad.tables.row import unknown
from glassgrad.tables.tasks import TASKS
from glassgrad.task import Task

Observation = NDArray[np.float32]
Places = NDArray[np.int64]
GRID = 19  # answers on which a reward is tried, beside the truth


@dataclass(frozen=True)
class Outcome:
    """What became of answers; all of shape (n,)."""

    truth: Floats
    answer: Floats
    error: Floats
    is_success: NDArray[np.bool_]
    reward: Floats

    @property
    def info(self) -> dict[str, NDArray[Any]]:
        """What a learner is told beside the reward."""
        return {"truth": self.truth, "answer": self.answer, "error": self.error, "is_success": self.is_success}


@dataclass(frozen=True)
class Rules:
    """questions (n, inputs) and their truth (n,); answers run from lowest to highest, whole ones if discrete."""

    task: Task
    discrete: bool
    reward: Reward
    lowest: float
    highest: float
    questions: Floats
    truth: Floats

    @property
    def observation_space(self) -> spaces.Space[Any]:
        return spaces.Box(-1, 1, (len(self.task.names),), np.float32)

    @property
    def action_space(self) -> spaces.Space[Any]:
        return spaces.Discrete(self.choices) if self.discrete else spaces.Box(-1, 1, (1,), np.float32)

    @property
    def choices(self) -> int:
        """How many whole answers there are."""
        return round(self.highest - self.lowest) + 1

    @cached_property
    def range(self) -> tuple[Floats, Floats]:
        """What each input is seen as -1 at, and as 1; an input that never changes is seen as 1."""
        low, high = self.questions.min(axis=0), self.questions.max(axis=0)
        return np.where(low < high, low, high - 2), high

    @cached_property
    def places(self) -> Places:
        """0, 1, …: every question."""
        return np.arange(len(self.questions))

    @cached_property
    def observations(self) -> Observation:
        """What is seen of each question."""
        low, high = self.range
        return (2 * (self.questions - low) / (high - low) - 1).astype(np.float32)

    def inputs(self, observations: Observation) -> Floats:
        """The inputs that observations (n, inputs) stand for."""
        low, high = self.range
        return np.asarray(low + (observations.astype(np.float64) + 1) / 2 * (high - low))

    def named(self, which: Places) -> dict[str, Floats]:
        """The inputs of questions by name: x1, x2, …, each of shape (n,)."""
        return {name: self.questions[which, i] for i, name in enumerate(self.task.names)}

    def written(self, which: int) -> str:
        """A question as it is written: 5 + 3."""
        return self.task.question(tuple(self.questions[which]))

    def actions(self, answers: Floats) -> NDArray[Any]:
        """The actions that come nearest to answers: numbers (n, 1), or whole ones (n,)."""
        near = np.clip(answers, self.lowest, self.highest)
        if self.discrete:
            return np.rint(near - self.lowest).astype(np.int64)
        return (2 * (near - self.lowest) / (self.highest - self.lowest) - 1).astype(np.float32)[:, None]

    def answers(self, actions: NDArray[Any]) -> Floats:
        """What actions answer, of shape (n,).

        Raises:
            ExperimentError: they are not numbers from -1 to 1, or not whole ones from 0 to the last choice.
        """
        if self.discrete:
            _check_actions(actions, np.issubdtype(actions.dtype, np.integer), 0, self.choices - 1, "whole")
            return self.lowest + actions
        _check_actions(actions, actions.dtype.kind in "fiu", -1, 1, "beyond")
        return self.lowest + (actions[:, 0].astype(np.float64) + 1) / 2 * (self.highest - self.lowest)

    def outcome(self, which: Places, answers: Floats) -> Outcome:
        """What becomes of answers to questions. The reward is a number: no gradient leads through it."""
        truth = self.truth[which]
        error = np.abs(answers - truth)
        earned = self.reward.of(answers, truth, self.named(which))
        return Outcome(truth, answers, error, error < self.task.tolerance, earned)

    def matching(self, options: Mapping[str, Any]) -> Places:
        """The places of the questions that have these inputs: {"x1": 3, "x2": 4} leaves one, {"x1": 3} several.

        Raises:
            ExperimentError: there is no such input, or no such question.
        """
        if not options:
            return self.places
        left = np.ones(len(self.questions), dtype=np.bool_)
        for name, value in options.items():
            if name not in self.task.names:
                known = ", ".join(self.task.names)
                raise ExperimentError("environments.option", name=str(name)[:30], known=known)
            if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
                raise ExperimentError("environments.number", name=name, came=repr(value)[:40])
            left &= self.questions[:, self.task.names.index(name)] == value
        if not left.any():
            example = dict(zip(self.task.names, self.questions[len(left) // 2], strict=True))
            raise ExperimentError("environments.question", came=_listed(options), example=_listed(example))
        return np.flatnonzero(left)


def rules(task: str, discrete: bool, reward: str, answers: tuple[float, float] | None = None) -> Rules:
    """The rules of a task; without `answers`, they run from the smallest truth to the largest.

    Raises:
        ExperimentError: there is no such task or reward, or they do not fit together.
        FormulaError: the reward cannot be read.

    Example:
        >>> rules("add", True, "distance").answers(np.array([0, 18]))
        array([ 0., 18.])
    """
    if task not in TASKS:
        raise unknown("task", str(task), TASKS)
    questions = TASKS[task].domain()
    truth = TASKS[task].true(questions)
    lowest, highest = map(float, answers or (truth.min(), truth.max()))
    if not lowest < highest or (discrete and not np.all(truth - lowest == np.round(truth - lowest))):
        raise ExperimentError("environments.answers", task=task, truth=number_text(float(truth[0])))
    if not isinstance(reward, str):
        raise ExperimentError("environments.text", came=repr(reward)[:40])
    found = Rules(TASKS[task], discrete, read_reward(reward, TASKS[task].names), lowest, highest, questions, truth)
    _check_finite(found)
    return found


def _check_actions(actions: NDArray[Any], numbers: bool, low: int, high: int, key: str) -> None:
    wrong = ~((actions >= low) & (actions <= high)) if numbers else None  # NaN is wrong too
    if wrong is None or wrong.any():
        came = actions.dtype.name if wrong is None else number_text(float(actions[wrong][0]))
        raise ExperimentError(f"environments.{key}", low=low, high=high, came=came)


def _check_finite(of: Rules) -> None:
    """Each answer has to earn a number: the truth of each question, and a grid of answers to it."""
    grid = of.lowest + np.arange(of.choices) if of.discrete else np.linspace(of.lowest, of.highest, GRID)
    answers = np.concatenate([np.broadcast_to(grid, (len(of.truth), len(grid))), of.truth[:, None]], axis=1)
    which = np.repeat(np.arange(len(of.truth)), answers.shape[1])
    earned = of.outcome(which, answers.ravel()).reward
    bad = ~np.isfinite(earned)
    if bad.any():
        at = int(np.argmax(bad))
        answer, value = number_text(float(answers.flat[at])), number_text(float(earned[at]))
        question = of.written(int(which[at]))
        raise ExperimentError("environments.infinite", reward=value, answer=answer, question=question)


def _listed(inputs: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {number_text(float(value))}" for name, value in inputs.items())
