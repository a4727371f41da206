"""Addition as an environment of one step: two digits are seen, a number is answered, minus the distance comes back."""

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

HIGHEST = 18.0
Observation = NDArray[np.float32]
QUESTIONS = np.stack([np.repeat(np.arange(10), 10), np.tile(np.arange(10), 10)], axis=1)


def seen(questions: NDArray[np.int64]) -> Observation:
    """What is observed: the digits, from 0 to 1, since libraries expect that."""
    return (questions / 9).astype(np.float32)


def answered(action: NDArray[np.float32]) -> NDArray[np.float32]:
    """The answer: from -1 … 1 to 0 … 18."""
    return (action + 1) * np.float32(HIGHEST / 2)


class Addition(gymnasium.Env[Observation, NDArray[np.float32]]):
    """An episode is one question."""

    observation_space = gymnasium.spaces.Box(0, 1, (2,), np.float32)
    action_space = gymnasium.spaces.Box(-1, 1, (1,), np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        super().reset(seed=seed)
        self._question = self.np_random.integers(0, 10, 2)
        return seen(self._question), {}

    def step(self, action: NDArray[np.float32]) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        reward = -abs(float(answered(action)[0]) - float(self._question.sum()))
        return seen(self._question), reward, True, False, {}
