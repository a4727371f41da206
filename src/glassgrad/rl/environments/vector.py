"""Many environments as one: all questions are asked, answered and rewarded together, in arrays."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from glassgrad.draws import Floats
from glassgrad.errors import ExperimentError
from glassgrad.rl.environments.environment import check_mode, checked, counted, shaped
from glassgrad.rl.environments.picture import MODES, Frame, Scene, frame
from glassgrad.rl.environments.rules import Observation, Outcome, Places, rules
from glassgrad.rl.environments.streams import Streams, seeds

Infos = dict[str, Any]
Booleans = NDArray[np.bool_]


class VectorEnvironment(VectorEnv[Observation, NDArray[Any], NDArray[Any]]):
    """`num_envs` environments, each as if it were alone.

    Reset with `seed=s`, environment i asks the questions that a single one asks after `reset(seed=seeds(s, n)[i])`;
    with `seed=[s0, s1, …]`, those after `reset(seed=si)`. Environments of different seeds share nothing.

    Autoreset is SAME_STEP: as every step ends all episodes, its observation is that of the next question, and
    `final_obs`, `final_info` (with masks) belong to the one that was answered. Under Gymnasium's default, NEXT_STEP,
    every second step would be a filler without question and reward.

    Example:
        >>> environments = VectorEnvironment(2, "add")
        >>> _ = environments.reset(options={"x1": 5, "x2": 3})
        >>> _, reward, _, _, infos = environments.step(np.array([[0.0], [-1.0]]))
        >>> reward, infos["final_info"]["truth"]
        (array([-1., -8.]), array([8., 8.]))
    """

    metadata: dict[str, Any] = {  # noqa: RUF012
        "render_modes": list(MODES),
        "render_fps": 1,
        "autoreset_mode": AutoresetMode.SAME_STEP,
    }

    def __init__(
        self,
        num_envs: int = 1,
        task: str = "add",
        *,
        discrete: bool = False,
        reward: str = "distance",
        answers: tuple[float, float] | None = None,
        render_mode: str | None = None,
    ) -> None:
        check_mode(render_mode)
        self.num_envs = counted(num_envs)
        self.rules = rules(task, discrete, reward, answers)
        self.single_observation_space = self.rules.observation_space
        self.single_action_space = self.rules.action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.render_mode = render_mode
        self._streams: Streams | None = None
        self._questions: Places = np.full(num_envs, -1)
        self._last: tuple[Places, Outcome] | None = None

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, Infos]:
        """New questions: for all, or for those that `options={"reset_mask": mask}` says; other options as for one.

        Raises:
            ExperimentError: no question is like that, or the mask or the seeds are not one for each environment.
        """
        fixed = dict(checked(options))
        mask = self._mask(fixed.pop("reset_mask", None))
        left = self.rules.matching(fixed)
        super().reset(seed=seed if isinstance(seed, int) else None)
        self._seed(seed, mask)
        if mask.all():
            self._last = None
        self._ask(np.flatnonzero(mask), left)
        return self._seen(), self._told(mask)

    def step(self, actions: NDArray[Any]) -> tuple[Observation, Floats, Booleans, Booleans, Infos]:
        """Answer all questions, and ask the next ones. The rewards are numbers that carry no gradient.

        Raises:
            ExperimentError: the actions are none of the action space, or there are no questions.
        """
        if self._streams is None:
            raise ExperimentError("environments.reset_first")
        answers = self.rules.answers(shaped(actions, self.action_space.shape))
        outcome = self.rules.outcome(self._questions, answers)
        self._last = self._questions.copy(), outcome
        every = np.ones(self.num_envs, dtype=np.bool_)
        infos = {"final_obs": _apart(self._seen()), "_final_obs": every.copy(),
                 "final_info": _masked(outcome.info, every), "_final_info": every.copy()}  # fmt: skip
        self._ask(np.arange(self.num_envs), self.rules.places)
        return self._seen(), outcome.reward.copy(), every, ~every, infos | self._told(every)

    def render(self) -> tuple[Frame, ...]:
        """A frame for each environment: what was answered last, or the question where nothing was yet."""
        if self._streams is None:
            raise ExperimentError("environments.reset_first")
        if self.render_mode is None:
            raise ExperimentError("environments.no_mode", known=", ".join(MODES))
        questions, outcome = self._last or (self._questions, None)
        scenes = (Scene(self.rules, int(which), outcome, i) for i, which in enumerate(questions))
        return tuple(frame(scene, self.render_mode) for scene in scenes)

    def _mask(self, given: object) -> Booleans:
        if given is None:
            return np.ones(self.num_envs, dtype=np.bool_)
        mask = np.asarray(given)
        if mask.dtype != np.bool_ or mask.shape != (self.num_envs,) or not mask.any():
            raise ExperimentError("environments.mask", n=self.num_envs, came=repr(given)[:40])
        if self._streams is None and not mask.all():
            raise ExperimentError("environments.reset_first")
        return mask.copy()

    def _seed(self, seed: int | Sequence[int | None] | None, mask: Booleans) -> None:
        """Begin the streams: all of them at the first reset, later those that are masked and have a seed."""
        if isinstance(seed, Sequence) and len(seed) != self.num_envs:
            raise ExperimentError("environments.seeds", n=self.num_envs, came=len(seed))
        each = seeds(seed, self.num_envs) if isinstance(seed, int) else seed or [None] * self.num_envs
        if self._streams is None:
            self._streams = Streams(each)
            return
        for i, one in enumerate(each):
            if mask[i] and one is not None:
                self._streams.renew(i, one)

    def _ask(self, which: Places, left: Places) -> None:
        assert self._streams is not None
        self._questions[which] = left[(self._streams.next(which) * len(left)).astype(np.int64)]

    def _seen(self) -> Observation:
        return self.rules.observations[self._questions]

    def _told(self, mask: Booleans) -> Infos:
        """The inputs of the questions that were asked, by name."""
        told = {name: np.where(mask, value, 0.0) for name, value in self.rules.named(self._questions).items()}
        return _masked(told, mask)


def _masked(info: Mapping[str, NDArray[Any]], mask: Booleans) -> Infos:
    """Each value of an info with the mask that says whose it is, as Gymnasium has it."""
    return {key: part for name, value in info.items() for key, part in ((name, value), (f"_{name}", mask.copy()))}


def _apart(observations: Observation) -> NDArray[np.object_]:
    """Observations as an array of arrays, as Gymnasium has final ones."""
    found = np.empty(len(observations), dtype=object)
    for i, one in enumerate(observations):
        found[i] = one
    return found
