"""One environment: an episode is one question, one answer, one reward."""

from collections.abc import Mapping
from typing import Any, SupportsFloat

import gymnasium
import numpy as np
from numpy.typing import NDArray

from glassgrad.errors import ExperimentError
from glassgrad.rl.environments.picture import MODES, Frame, Scene, frame
from glassgrad.rl.environments.rules import Observation, Outcome, rules


class Environment(gymnasium.Env[Observation, Any]):
    """A question is seen, an answer is given, a reward comes back, and the episode is over.

    observation: Box(-1, 1, (inputs,), float32): the inputs, -1 for the smallest that there is, 1 for the largest.
    action: Box(-1, 1, (1,), float32): the answer, -1 for the smallest that is right anywhere, 1 for the largest;
        if discrete, Discrete(n): the whole answers, counted from 0.
    reward: a formula in the answer a, the truth t and the inputs x1, x2, …, or a name of the table of rewards.
    info: after `reset` the inputs as they are; after `step` truth, answer, error = |answer - truth|, and is_success:
        whether the error is below the task's tolerance. Plain numbers and booleans.

    task: a name of the table of tasks. answers: what they run from and to, if not as the truth does.

    Raises:
        GlassgradError: one of the settings will not do.

    Example:
        >>> environment = Environment("add")
        >>> environment.reset(options={"x1": 5, "x2": 3})
        (array([ 0.11111111, -0.33333334], dtype=float32), {'x1': 5.0, 'x2': 3.0})
        >>> environment.step(np.array([0.0]))[1:]
        (-1.0, True, False, {'truth': 8.0, 'answer': 9.0, 'error': 1.0, 'is_success': False})
    """

    metadata: dict[str, Any] = {"render_modes": list(MODES), "render_fps": 1}  # noqa: RUF012

    def __init__(
        self,
        task: str = "add",
        *,
        discrete: bool = False,
        reward: str = "distance",
        answers: tuple[float, float] | None = None,
        render_mode: str | None = None,
    ) -> None:
        check_mode(render_mode)
        self.rules = rules(task, discrete, reward, answers)
        self.observation_space = self.rules.observation_space
        self.action_space = self.rules.action_space
        self.render_mode = render_mode
        self._question: int | None = None
        self._outcome: Outcome | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """A new question; all are equally likely. `options={"x1": 3, "x2": 4}` fixes it, `{"x1": 3}` a part of it.

        Raises:
            ExperimentError: no question is like that.
        """
        super().reset(seed=seed)
        left = self.rules.matching(checked(options))
        self._question = int(left[int(self.np_random.random() * len(left))])
        self._outcome = None
        named = self.rules.named(np.array([self._question]))
        return self._seen(), {name: float(value[0]) for name, value in named.items()}

    def step(self, action: Any) -> tuple[Observation, SupportsFloat, bool, bool, dict[str, Any]]:
        """Answer. Ends the episode: terminated, since nothing follows; truncated would promise that something did.

        The reward is a number that carries no gradient: it is what a learner observes. To differentiate a reward
        instead, train with a formula that is known: `gg.watch("add-through-reward")`.

        Raises:
            ExperimentError: the action is none of the action space, or there is no question.
        """
        if self._question is None or self._outcome is not None:
            raise ExperimentError("environments.reset_first")
        answers = self.rules.answers(shaped(action, self.action_space.shape)[None])
        self._outcome = outcome = self.rules.outcome(np.array([self._question]), answers)
        info = {name: value[0].item() for name, value in outcome.info.items()}
        return self._seen(), float(outcome.reward[0]), True, False, info

    def render(self) -> Frame:
        """The question and, once it is given, the answer beside the truth: as text, or as a picture (H, W, 3)."""
        if self._question is None:
            raise ExperimentError("environments.reset_first")
        if self.render_mode is None:
            raise ExperimentError("environments.no_mode", known=", ".join(MODES))
        return frame(Scene(self.rules, self._question, self._outcome), self.render_mode)

    def _seen(self) -> Observation:
        assert self._question is not None
        return np.array(self.rules.observations[self._question])


def check_mode(mode: str | None) -> None:
    """Refuse a way of rendering that there is not."""
    if mode is not None and mode not in MODES:
        raise ExperimentError("experiment.choice", setting="render_mode", known=", ".join(MODES), came=str(mode)[:30])


def counted(n: object) -> int:
    """How many environments, or episodes: one at least."""
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise ExperimentError("environments.number_of", came=repr(n)[:40])
    return n


def checked(options: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The options of a reset, which have to be by name."""
    if options is not None and not isinstance(options, Mapping):
        raise ExperimentError("environments.options", came=repr(options)[:40])
    return options or {}


def shaped(action: Any, shape: tuple[int, ...] | None) -> NDArray[Any]:
    """An action as an array, which has to have the action space's shape: (n,) and (n, 1) must not be mixed up."""
    try:
        found = np.asarray(action)
    except (TypeError, ValueError, RuntimeError):  # lists of different lengths; a tensor that carries a gradient
        raise ExperimentError("environments.array", came=repr(action)[:40]) from None
    if found.shape != shape:
        raise ExperimentError("environments.shape", expected=shape, came=found.shape)
    return found
