"""To play: a network that was trained here, or anything that acts, in an environment."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from glassgrad.draws import Floats
from glassgrad.errors import ExperimentError
from glassgrad.experiment import Experiment
from glassgrad.insight import answers
from glassgrad.locale import say
from glassgrad.record import Record
from glassgrad.rl.environments.environment import counted
from glassgrad.rl.environments.rules import Observation, Rules

if TYPE_CHECKING:
    from glassgrad.watched import Watch

Act = Callable[[Observation], NDArray[Any]]
TOGETHER = 100  # environments


@dataclass(frozen=True)
class Played:
    """What became of episodes; arrays of shape (episodes,), inputs (episodes, inputs).

    The names are those of `info`; `episodic_return` is the episode's only reward.
    """

    inputs: Floats
    truth: Floats
    answer: Floats
    error: Floats
    is_success: NDArray[np.bool_]
    episodic_return: Floats

    @property
    def success_rate(self) -> float:
        """The share of episodes that were answered right."""
        return float(self.is_success.mean())

    @property
    def mean_error(self) -> float:
        return float(self.error.mean())

    @property
    def mean_return(self) -> float:
        return float(self.episodic_return.mean())

    def __str__(self) -> str:
        return say(
            "environments.played",
            episodes=len(self.error),
            rate=f"{100 * self.success_rate:.1f}",
            error=f"{self.mean_error:.4f}",
            mean=f"{self.mean_return:.4f}",
        )


def agent(who: "Watch | Record | Experiment | str | Act", environment: Any) -> Act:
    """What acts as a trained network does: from an observation to an action, for one environment or a vector of them.

    who: a run (`gg.watch(…)`, or its record), or an experiment (or its name), which is then trained first. It answers
        without chance, as it is judged; an answer beyond the environment's is taken to the nearest one.
        A function from observations to actions stays what it is.

    Raises:
        ExperimentError: the network reads another number of inputs, or the environment is none of Glassgrad's.

    Example:
        >>> import glassgrad as gg
        >>> environment = gymnasium.make("glassgrad/Add-v0")
        >>> act = agent(gg.watch("add-linear", seed=3), environment)
        >>> observation, _ = environment.reset(options={"x1": 5, "x2": 3})
        >>> print(f"{environment.step(act(observation))[4]['answer']:.2f}")
        8.00
    """
    rules = _rules(environment)
    if callable(who):
        return who
    record = who if isinstance(who, Record) else getattr(who, "record", None)
    experiment = _experiment(who if record is None else record.experiment)
    reads, given = experiment.network[0], len(rules.task.names)
    if reads != given:
        raise ExperimentError("environments.inputs", reads=reads, given=given, task=rules.task.name)
    final = (record or _trained(experiment)).final

    def act(observation: Observation) -> NDArray[Any]:
        many = np.reshape(observation, (-1, given))
        actions = rules.actions(answers(experiment, final, rules.inputs(many)))
        return actions if np.ndim(observation) > 1 else np.asarray(actions[0])

    return act


def play(
    who: "Watch | Record | Experiment | str | Act",
    environment: str,
    episodes: int = 100,
    *,
    seed: int = 0,
    **settings: Any,
) -> Played:
    """Play episodes, and say what became of each.

    who: as for `agent`; a function gets many observations at once, (n, inputs), and returns as many actions:
        `lambda seen: model.predict(seen, deterministic=True)[0]` of Stable-Baselines3.
    environment: its id. settings: of the environment, such as reward="square".

    Raises:
        GlassgradError: something cannot be read, or does not fit together.

    Example:
        >>> print(play("add-linear", "glassgrad/Add-v0", 1000))
        1000 episodes: 100.0 % right, mean error 0.0000, mean reward -0.0000
    """
    many = gymnasium.make_vec(environment, min(counted(episodes), TOGETHER), **settings)
    act, names = agent(who, many), _rules(many).task.names
    rounds = []
    observation, asked = many.reset(seed=seed)
    for _ in range(-(-episodes // many.num_envs)):
        inputs = np.stack([asked[name] for name in names], axis=1)
        observation, reward, _, _, asked = many.step(act(observation))
        info = {name: value for name, value in asked["final_info"].items() if not name.startswith("_")}
        rounds.append({"inputs": inputs, "episodic_return": reward, **info})
    return Played(**{name: np.concatenate([each[name] for each in rounds])[:episodes] for name in rounds[0]})


def _rules(environment: Any) -> Rules:
    found = getattr(environment.unwrapped, "rules", None)
    if not isinstance(found, Rules):
        raise ExperimentError("environments.foreign", came=str(environment)[:60])
    return found


def _experiment(who: object) -> Experiment:
    """What is to be trained, or was: an experiment, or its name."""
    if isinstance(who, str):
        from glassgrad.doors import from_keywords

        return from_keywords(who)
    if not isinstance(who, Experiment):
        raise ExperimentError("environments.who", came=repr(who)[:40])
    return who


def _trained(experiment: Experiment) -> Record:
    from glassgrad.watched import watch

    return watch(experiment).record
