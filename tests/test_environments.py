"""The environments for Gymnasium: what the checkers want, the same alone and together, and wrong ones are caught."""

import doctest
import importlib
import pkgutil
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env as check_gymnasium
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from stable_baselines3.common.env_checker import check_env as check_stable_baselines3

import glassgrad as gg
from glassgrad.errors import GlassgradError
from glassgrad.experiment import Experiment
from glassgrad.formula import parse
from glassgrad.formula.evaluate import evaluate
from glassgrad.locale import LANGUAGES, set_language
from glassgrad.rl import Environment, Played, VectorEnvironment, agent, environments, play, seeds
from glassgrad.rl.environments.ids import ROWS, Row, threshold
from glassgrad.rl.environments.picture import WIDTH
from glassgrad.rl.environments.rules import rules
from glassgrad.rl.environments.streams import AHEAD, Streams
from glassgrad.tables.rewards import REWARDS
from glassgrad.tables.tasks import TASKS

DOCS = Path(__file__).resolve().parents[1] / "docs"
IDS = [row.id for row in ROWS]
each_row = pytest.mark.parametrize("row", ROWS, ids=IDS)
each_language = pytest.mark.parametrize("language", LANGUAGES)


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    yield
    set_language("en")


def made(row: Row, **settings: Any) -> Environment:
    """The environment itself, without the wrappers of `make`."""
    found = gymnasium.make(row.id, **settings).unwrapped
    assert isinstance(found, Environment)
    return found


def together(row: Row, n: int, **settings: Any) -> VectorEnvironment:
    found = gymnasium.make_vec(row.id, n, **settings)
    assert isinstance(found, VectorEnvironment)
    return found


def single_precision(values: Any) -> NDArray[np.float32]:
    return np.array(values, dtype=np.float32)


# How they are found, and what the checkers say.


def test_every_task_has_its_environments() -> None:
    names = ("Add", "AddDiscrete", "Sub", "SubDiscrete", "Both", "BothDiscrete", "Choose", "Knob")
    assert [f"glassgrad/{name}-v0" for name in names] == IDS
    assert {row.task for row in ROWS} == set(TASKS)


@pytest.mark.parametrize(
    "program",
    [
        "import gymnasium, glassgrad.rl; gymnasium.make('glassgrad/Add-v0')",
        "import glassgrad.rl, gymnasium; gymnasium.make('glassgrad/Add-v0')",
        "import gymnasium; gymnasium.make('glassgrad.rl:glassgrad/Add-v0')",
        "import gymnasium; gymnasium.make_vec('glassgrad.rl:glassgrad/Add-v0', 3)",
        "import glassgrad as gg, gymnasium; gg.rl; gymnasium.make('glassgrad/Add-v0')",
    ],
)
def test_they_are_found_without_torch(program: str) -> None:
    program = f"{program}\nimport sys\nassert not {{'torch', 'matplotlib', 'pydantic'}} & set(sys.modules)"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")


@each_row
def test_the_checker_of_gymnasium_is_content(row: Row) -> None:
    check_gymnasium(made(row))
    check_gymnasium(made(row, render_mode="rgb_array"))


@each_row
def test_the_checker_of_stable_baselines3_is_content(row: Row) -> None:
    check_stable_baselines3(gymnasium.make(row.id), warn=True, skip_render_check=False)
    check_stable_baselines3(made(row, render_mode="rgb_array"), warn=True, skip_render_check=False)


@each_row
def test_its_specification_can_be_written_out_and_read_back(row: Row) -> None:
    spec = gymnasium.make(row.id, reward="square").spec
    assert spec is not None
    again = gymnasium.make(EnvSpec.from_json(spec.to_json())).unwrapped
    assert isinstance(again, Environment)
    assert (again.rules.reward.row.name, again.action_space) == ("square", made(row).action_space)


@each_row
def test_the_threshold_is_what_the_reward_gives_to_nearly_solved(row: Row) -> None:
    spec = gymnasium.spec(row.id)
    formula, error = parse(REWARDS[row.reward].formula), 1.0 if row.discrete else TASKS[row.task].tolerance
    right, off = (float(evaluate(formula, {"a": 5.0 + wrong, "t": 5.0})) for wrong in (0, error))
    assert spec.reward_threshold == pytest.approx(0.95 * right + 0.05 * off if row.discrete else off)
    assert spec.reward_threshold == pytest.approx(threshold(row))
    assert not spec.nondeterministic
    assert spec.max_episode_steps is None


MODULES = [module.name for module in pkgutil.iter_modules(environments.__path__, "glassgrad.rl.environments.")]


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_in_the_docstrings_are_right(module: str) -> None:
    assert doctest.testmod(importlib.import_module(module)).failed == 0


# Deliberately wrong environments.


class _Wrong(Environment):
    """Right but for what a subclass breaks."""

    def broken(self, *result: Any) -> Any:
        return result

    def step(self, action: Any) -> Any:
        return self.broken(*super().step(action))


class NumpyBoolean(_Wrong):
    """terminated is np.bool_, as a comparison of arrays gives it."""

    def broken(self, seen: Any, reward: Any, terminated: Any, truncated: Any, info: Any) -> Any:
        return seen, reward, np.bool_(terminated), truncated, info


class Truncated(_Wrong):
    """The end is called a truncation."""

    def broken(self, seen: Any, reward: Any, terminated: Any, truncated: Any, info: Any) -> Any:
        return seen, reward, False, True, info


class Double(_Wrong):
    """The observation is float64."""

    def broken(self, seen: Any, reward: Any, terminated: Any, truncated: Any, info: Any) -> Any:
        return seen.astype(np.float64), reward, terminated, truncated, info


class Beyond(_Wrong):
    """The observation is the plain inputs, outside of the space."""

    def broken(self, seen: Any, reward: Any, terminated: Any, truncated: Any, info: Any) -> Any:
        return seen + np.float32(9), reward, terminated, truncated, info


class Array(_Wrong):
    """The reward is an array of shape (1,)."""

    def broken(self, seen: Any, reward: Any, terminated: Any, truncated: Any, info: Any) -> Any:
        return seen, np.array([reward]), terminated, truncated, info


class Tensor(_Wrong):
    """The reward still carries a gradient."""

    def broken(self, seen: Any, reward: Any, terminated: Any, truncated: Any, info: Any) -> Any:
        return seen, torch.tensor(reward, requires_grad=True), terminated, truncated, info


class Written(_Wrong):
    """The reward is text."""

    def broken(self, seen: Any, reward: Any, terminated: Any, truncated: Any, info: Any) -> Any:
        return seen, f"{reward}", terminated, truncated, info


class NotANumber(_Wrong):
    """The reward is NaN."""

    def broken(self, seen: Any, reward: Any, terminated: Any, truncated: Any, info: Any) -> Any:
        return seen, float("nan"), terminated, truncated, info


class FourValues(_Wrong):
    """The result is that of the library's predecessor."""

    def broken(self, seen: Any, reward: Any, terminated: Any, truncated: Any, info: Any) -> Any:
        return seen, reward, terminated, info


class NoInfo(_Wrong):
    """info is None."""

    def broken(self, seen: Any, reward: Any, terminated: Any, truncated: Any, info: Any) -> Any:
        return seen, reward, terminated, truncated, None


class Noisy(_Wrong):
    """The reward has noise that no seed decides."""

    def broken(self, seen: Any, reward: Any, terminated: Any, truncated: Any, info: Any) -> Any:
        return seen, reward + float(np.random.default_rng().normal()), terminated, truncated, info


class Reused(_Wrong):
    """All observations are one and the same array, written over."""

    def broken(self, seen: Any, reward: Any, terminated: Any, truncated: Any, info: Any) -> Any:
        self.same = getattr(self, "same", seen)
        self.same[:] = seen
        return self.same, reward, terminated, truncated, info

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        seen, info = super().reset(seed=seed, options=options)
        self.same = getattr(self, "same", seen)
        self.same[:] = seen
        return self.same, info


class Unseeded(_Wrong):
    """The question is drawn from a generator of its own, and the seed is ignored."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self.np_random = np.random.default_rng()
        return super().reset(seed=None, options=options)


class SeedForgotten(_Wrong):
    """The seed is taken, but not passed on."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        return super().reset(seed=None, options=options)


class NoOptions(_Wrong):
    """reset takes no options."""

    def reset(self, *, seed: int | None = None) -> Any:  # type: ignore[override]
        return super().reset(seed=seed)


class FromOne(_Wrong):
    """The discrete actions start at 1."""

    def __init__(self, **keywords: Any) -> None:
        super().__init__(**{**keywords, "discrete": True})
        self.action_space = gymnasium.spaces.Discrete(18, start=1)


class Plain(_Wrong):
    """The action is the plain answer, from 0 to 18."""

    def __init__(self, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.action_space = gymnasium.spaces.Box(0, 18, (1,), np.float32)

    def step(self, action: Any) -> Any:
        return super().step(action / 9 - 1)


class Blind(_Wrong):
    """Ways of rendering are promised, and nothing comes."""

    def render(self) -> Any:
        return None


WRONG: dict[type[Environment], str] = {
    NumpyBoolean: "`terminated` signal must be a boolean",
    Truncated: "truncates after 1 step",
    Double: "dtype to be float32",
    Beyond: "not within the observation space",
    Array: "must be a float",
    Tensor: "must be a float",
    Written: "must be a float",
    NotANumber: "NaN",
    FourValues: "five values",
    NoInfo: "must be a python dictionary",
    Noisy: "step rewards are not equivalent",
    Reused: "share an object|non-deterministic",
    Unseeded: "non-deterministic",
    SeedForgotten: "random number generator|non-deterministic",
    NoOptions: "options",
    FromOne: "non-zero start",
    Plain: "symmetric and normalized",
    Blind: "should produce a string",
}


def complaints(environment: type[Environment], **settings: Any) -> list[str]:
    """What each of the two checkers raises, if it does."""
    creator: Any = environment
    gymnasium.register("glassgrad/Wrong-v0", entry_point=creator, disable_env_checker=True, order_enforce=False)
    found = []
    try:
        for check in (check_gymnasium, check_stable_baselines3):
            try:
                check(gymnasium.make("glassgrad/Wrong-v0", **settings).unwrapped)
            except Exception as complaint:  # noqa: BLE001 - whatever a checker raises
                found.append(str(complaint))
    finally:
        del gymnasium.registry["glassgrad/Wrong-v0"]
    return found


@pytest.mark.parametrize("environment", WRONG, ids=lambda environment: environment.__name__)
def test_a_wrong_environment_is_caught(environment: type[Environment]) -> None:
    assert any(re.search(WRONG[environment], complaint) for complaint in complaints(environment))


def test_what_the_wrong_ones_are_made_from_is_right() -> None:
    assert complaints(_Wrong) == []
    assert complaints(_Wrong, render_mode="rgb_array") == []


# What is seen, answered and earned.


@each_row
def test_observations_are_the_inputs_laid_out_from_minus_1_to_1(row: Row) -> None:
    of, task = rules(**row.settings), TASKS[row.task]
    every = of.observations
    assert every.dtype == np.float32
    assert (every.min(), every.max()) == (-1 if row.task != "knob" else 1, 1)
    np.testing.assert_allclose(of.inputs(every), task.domain(), atol=1e-6)
    np.testing.assert_array_equal(of.truth, task.true(task.domain()))
    assert all(one in of.observation_space for one in every)


@each_row
def test_every_question_can_be_answered_right(row: Row) -> None:
    of = rules(**row.settings)
    actions = of.actions(of.truth)
    assert all(np.asarray(one) in of.action_space for one in actions)
    outcome = of.outcome(of.places, of.answers(actions))
    assert outcome.is_success.all()
    assert outcome.error.max() < 1e-6


@pytest.mark.parametrize(
    ("name", "ends"),
    [
        ("Add", (0, 18)), ("AddDiscrete", (0, 18)), ("Sub", (-9, 9)), ("SubDiscrete", (-9, 9)), ("Both", (-9, 18)),
        ("BothDiscrete", (-9, 18)), ("Choose", (0, 1)), ("Knob", (0, 1)),
    ],
)  # fmt: skip
def test_the_lowest_and_the_highest_action(name: str, ends: tuple[int, int]) -> None:
    row = next(row for row in ROWS if row.name == name)
    environment, found = made(row), []
    last = environment.rules.choices - 1
    for action in (np.int64(0), np.int64(last)) if row.discrete else (single_precision([-1]), single_precision([1])):
        environment.reset()
        found.append(environment.step(action)[4]["answer"])
    assert tuple(found) == ends
    expected = gymnasium.spaces.Discrete(last + 1) if row.discrete else gymnasium.spaces.Box(-1, 1, (1,), np.float32)
    assert environment.action_space == expected


@each_row
@given(seed=st.integers(0, 2**63), draw=st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_a_step_says_what_became_of_the_answer(row: Row, seed: int, draw: int) -> None:
    environment, task = made(row), TASKS[row.task]
    seen, told = environment.reset(seed=seed)
    environment.action_space.seed(draw)
    action = environment.action_space.sample()
    after, reward, terminated, truncated, info = environment.step(action)

    asked = np.array([[told[name] for name in task.names]])
    answer, truth = float(np.squeeze(environment.rules.answers(np.array([action])))), float(task.true(asked)[0])
    earned = float(evaluate(parse(REWARDS[row.reward].formula), {"a": answer, "t": truth}))
    assert terminated is True
    assert truncated is False
    assert type(reward) is float
    assert reward == earned
    right = abs(answer - truth) < task.tolerance
    assert info == {"truth": truth, "answer": answer, "error": abs(answer - truth), "is_success": right}
    assert [type(value) for value in (*told.values(), *info.values())] == [float] * (len(told) + 3) + [bool]
    assert seen.tobytes() == after.tobytes()
    assert not np.shares_memory(seen, after)


def test_all_questions_are_asked_equally_often() -> None:
    row = next(row for row in ROWS if row.name == "Choose")
    environment = together(row, 100)
    environment.reset(seed=5)
    counts = np.zeros(len(environment.rules.questions))
    for _ in range(1000):
        np.add.at(counts, environment._questions, 1)
        environment.step(np.zeros(100, np.int64))
    expected = 100_000 / len(counts)
    chi = float(((counts - expected) ** 2 / expected).sum())
    assert abs(chi - len(counts)) < 5 * np.sqrt(2 * len(counts))  # 180 questions: from 85 to 275


@pytest.mark.parametrize(
    ("reward", "formula"),
    [
        ("distance", "-abs(a - t)"),
        ("right", "where(abs(a - t) < 0.5, 1, 0)"),
        ("-abs(a - t)", "-abs(a - t)"),
        ("1 - 0.1*(a - t)**2", "1 - 0.1*(a - t)**2"),
        ("d = abs(a - t); where(d < 1, 1 - d, 0)", "where(abs(a - t) < 1, 1 - abs(a - t), 0)"),
        ("-abs(a - x1 - x2)", "-abs(a - t)"),
        ("3", "3 + 0*a"),
    ],
)
def test_an_own_reward(reward: str, formula: str) -> None:
    environment = gymnasium.make("glassgrad/Add-v0", reward=reward)
    for action in (-1.0, -0.3, 0.9):
        environment.reset(seed=3, options={"x1": 9, "x2": 4})
        _, earned, _, _, info = environment.step(np.array([action], np.float32))
        known = {"a": info["answer"], "t": info["truth"]}
        assert earned == pytest.approx(float(evaluate(parse(formula), known)), abs=1e-12)
    check_gymnasium(environment.unwrapped)


def test_the_reward_carries_no_gradient() -> None:
    environment = gymnasium.make("glassgrad/Add-v0")
    environment.reset(options={"x1": 5, "x2": 3})
    action = torch.tanh(torch.zeros(1, requires_grad=True))
    with pytest.raises(GlassgradError, match=r"without a gradient \(\.detach\(\)\)"):
        environment.step(action)
    assert environment.step(action.detach())[1] == -1.0


# Seeds, options, mistakes.


@each_row
def test_a_seed_decides_everything_and_nothing_else_does(row: Row) -> None:
    def played() -> list[Any]:
        environment = made(row)
        episodes: list[Any] = [environment.reset(seed=7)]
        environment.action_space.seed(7)
        for _ in range(20):
            episodes += [environment.step(environment.action_space.sample()), environment.reset()]
        return episodes

    before = np.random.get_state()  # noqa: NPY002
    once = played()
    np.random.seed(1)  # noqa: NPY002
    assert data_equivalence(once, played(), exact=True)
    np.random.set_state(before)  # noqa: NPY002


@each_row
def test_options_fix_the_question(row: Row) -> None:
    environment, task = made(row), TASKS[row.task]
    for inputs in task.domain()[::7]:
        options = dict(zip(task.names, inputs, strict=True))
        assert environment.reset(options=options)[1] == options
        assert environment._question is not None
        assert environment.step(environment.action_space.sample())[4]["truth"] == task.true(inputs[None])[0]
    assert options == dict(zip(task.names, inputs, strict=True))  # they are left as they are


def test_options_may_fix_a_part_of_the_question() -> None:
    environment = made(ROWS[0])
    asked = [environment.reset(seed=seed, options={"x1": 3})[1] for seed in range(50)]
    assert {told["x1"] for told in asked} == {3.0}
    assert len({told["x2"] for told in asked}) > 5


def test_different_seeds_ask_different_questions() -> None:
    environment = made(ROWS[0])
    asked = [
        tuple(environment.reset(seed=seed)[1].values()) + tuple(environment.reset()[1].values()) for seed in range(100)
    ]
    assert len(set(asked)) > 90


def single(**keywords: Any) -> Callable[[], object]:
    return lambda: gymnasium.make("glassgrad/Add-v0", **keywords)


def stepped(action: Any, id: str = "glassgrad/Add-v0") -> Callable[[], object]:
    def step() -> object:
        environment = gymnasium.make(id).unwrapped
        environment.reset(seed=0)
        return environment.step(action)

    return step


def reset(n: int = 0, id: str = "glassgrad/Add-v0", **keywords: Any) -> Callable[[], object]:
    environment = gymnasium.make_vec(id, n) if n else gymnasium.make(id).unwrapped
    return lambda: environment.reset(**keywords)


def many_stepped(actions: Any) -> Callable[[], object]:
    def step() -> object:
        environments = gymnasium.make_vec("glassgrad/Add-v0", 3)
        environments.reset(seed=0)
        return environments.step(actions)

    return step


def twice() -> None:
    environment = gymnasium.make("glassgrad/Add-v0").unwrapped
    environment.reset(seed=0)
    environment.step(np.zeros(1, np.float32))
    environment.step(np.zeros(1, np.float32))


MISTAKES: dict[str, tuple[Callable[[], object], str]] = {
    "unknown input": (reset(options={"x3": 1}), "there is no option 'x3'; a question is fixed by x1, x2"),
    "out of range": (
        reset(options={"x1": 12, "x2": 30}),
        "there is no question with x1 = 12, x2 = 30; there is one with x1 = 5, x2 = 0",
    ),
    "between": (reset(options={"x1": 0.5}), "no question with x1 = 0.5"),
    "no such triple": (reset(id="glassgrad/Choose-v0", options={"x1": 5, "x2": 3, "x3": 7}), "x3 = 7"),
    "NaN": (reset(options={"x1": float("nan")}), "no question with x1 = nan"),
    "text": (reset(options={"x1": "three"}), "option x1 must be a number, got 'three'"),
    "boolean": (reset(options={"x1": True}), "option x1 must be a number, got True"),
    "no mapping": (reset(options=[3, 4]), "options must be inputs by name, such as {'x1': 3, 'x2': 4}, got [3, 4]"),
    "mask for one": (reset(options={"reset_mask": np.array([True])}), "there is no option 'reset_mask'"),
    "mask of the wrong length": (reset(3, options={"reset_mask": np.array([True])}), "must be an array of 3 booleans"),
    "mask of numbers": (reset(3, options={"reset_mask": np.array([1, 0, 1])}), "must be an array of 3 booleans"),
    "empty mask": (reset(3, options={"reset_mask": np.zeros(3, bool)}), "one of them true at least"),
    "a part at first": (reset(3, options={"reset_mask": np.array([True, False, True])}), "call reset()"),
    "seeds": (reset(3, seed=[1, 2]), "a list of one for each of the 3 environments, got 2 of them"),
    "no reset": (lambda: gymnasium.make("glassgrad/Add-v0").unwrapped.step(0), "call reset() before each step"),
    "no reset of many": (lambda: gymnasium.make_vec("glassgrad/Add-v0", 2).step(0), "call reset() before each step"),
    "a second step": (twice, "an episode is one question, so call reset() before each step"),
    "too high": (stepped(single_precision([1.5])), "an action must be a number from -1 to 1, got 1.5"),
    "not a number": (stepped(single_precision([np.nan])), "an action must be a number from -1 to 1, got nan"),
    "a number alone": (stepped(0.5), "actions must have the shape (1,), got ()"),
    "two numbers": (stepped([0.5, 0.5]), "actions must have the shape (1,), got (2,)"),
    "words": (stepped(["eight"]), "an action must be a number from -1 to 1, got str"),
    "ragged": (stepped([[1], [1, 2]]), "an action must be numbers in an array"),
    "too many": (stepped(19, "glassgrad/AddDiscrete-v0"), "an action must be a whole number from 0 to 18, got 19"),
    "negative": (stepped(-1, "glassgrad/AddDiscrete-v0"), "from 0 to 18, got -1"),
    "not whole": (stepped(3.0, "glassgrad/AddDiscrete-v0"), "a whole number from 0 to 18, got float64"),
    "(B,) for (B, 1)": (many_stepped(np.zeros(3, np.float32)), "actions must have the shape (3, 1), got (3,)"),
    "(B, B) for (B, 1)": (many_stepped(np.zeros((3, 3), np.float32)), "shape (3, 1), got (3, 3)"),
    "unknown reward": (single(reward="distanse"), "did you mean distance"),
    "no formula": (single(reward="-abs(a - y)"), "reward: in '-abs(a - y)', position 10: 'y' means nothing here"),
    "the output": (single(reward="-abs(o - t)"), "'o' means nothing here; known are a, t, x1, x2"),
    "a function": (single(reward=lambda a, t: -abs(a - t)), "the reward must be a text"),
    "all samples": (single(reward="a - mean(a)"), "mean(…) reads all samples"),
    "state": (single(reward="state n = 0; n = n + 1; -abs(a - t)*n"), "keeps no state, but 'n' is one"),
    "infinite": (single(reward="1/abs(a - t)"), "the reward is inf for the answer 0 to 0 + 0"),
    "logarithm": (single(reward="log(a - t)"), "the reward is -inf for the answer 0 to 0 + 0"),
    "render mode": (lambda: Environment("add", render_mode="human"), "render_mode must be one of ansi, rgb_array"),
    "no render mode": (lambda: gymnasium.make("glassgrad/Add-v0").unwrapped.render(), "call reset()"),
    "task": (lambda: Environment("ad"), "'ad'"),
    "one answer only": (lambda: Environment("knob"), "say what they run from and to, such as answers=(0, 1)"),
    "discrete 0.8": (lambda: Environment("knob", discrete=True, answers=(0, 1)), "discrete ones must be whole"),
    "no environments": (lambda: VectorEnvironment(0), "a whole number from 1 on, got 0"),
    "half an episode": (lambda: play("add", "glassgrad/Add-v0", 0.5), "a whole number from 1 on, got 0.5"),  # type: ignore[arg-type]
    "another task": (
        lambda: play("add", "glassgrad/Both-v0"),
        "the network reads 2 numbers, but a question of 'both' has 3: take a run of that task",
    ),
    "another environment": (lambda: play("add", "CartPole-v1"), "is none of Glassgrad's environments"),
    "nobody": (lambda: play(3, "glassgrad/Add-v0"), "an experiment or a function of observations can play, got 3"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_said_in_one_line(mistake: str) -> None:
    act, said = MISTAKES[mistake]
    with pytest.raises(GlassgradError) as raised:
        act()
    for language in LANGUAGES:
        set_language(language)
        message = str(raised.value)
        assert "\n" not in message
        assert len(message) < 220
        assert language == "zh" or said in message


def test_nothing_is_rendered_without_a_mode() -> None:
    environment = made(ROWS[0])
    environment.reset()
    with pytest.raises(GlassgradError, match="render_mode when it is made, one of ansi, rgb_array"):
        environment.render()


# Many at once.


def test_each_of_many_has_a_seed_of_its_own() -> None:
    assert seeds(3, 5) == seeds(3, 8)[:5]
    many = [seed for base in range(50) for seed in seeds(base, 50)]
    assert len(set(many)) == 2500
    assert not set(many) & set(range(1000))
    assert all(type(seed) is int for seed in many)


def test_numbers_drawn_ahead_are_those_drawn_one_by_one() -> None:
    streams = Streams([4, 5, 6])
    singles = [np.random.default_rng(seed) for seed in (4, 5, 6)]
    for k in range(2 * AHEAD + 3):
        which = np.array([0, 1, 2] if k % 3 else [1])
        np.testing.assert_array_equal(streams.next(which), [singles[i].random() for i in which])
    streams.renew(1, 9)
    assert streams.next(np.array([1]))[0] == np.random.default_rng(9).random()


def merged(many: VectorEnvironment, infos: list[dict[str, Any]]) -> dict[str, Any]:
    """Infos of single environments as Gymnasium itself puts them together."""
    found: dict[str, Any] = {}
    for i, info in enumerate(infos):
        found = many._add_info(found, info, i)
    return found


@each_row
def test_many_are_as_many_single_ones(row: Row) -> None:
    n, many = 5, together(row, 5)
    singles = [made(row) for _ in range(n)]
    seen, told = many.reset(seed=11)
    alone = [one.reset(seed=seed) for one, seed in zip(singles, seeds(11, n), strict=True)]
    many.action_space.seed(0)
    for _ in range(AHEAD + 5):
        assert data_equivalence(seen, np.stack([observation for observation, _ in alone]), exact=True)
        assert data_equivalence(told, merged(many, [info for _, info in alone]), exact=True)
        actions = many.action_space.sample()
        seen, reward, terminated, truncated, told = many.step(actions)
        steps = [one.step(action) for one, action in zip(singles, actions, strict=True)]
        assert data_equivalence(reward, np.array([step[1] for step in steps]), exact=True)
        assert (terminated.tolist(), truncated.tolist()) == ([True] * n, [False] * n)
        final = merged(many, [{"final_obs": step[0], "final_info": step[4]} for step in steps])
        assert data_equivalence({name: told.pop(name) for name in final}, final, exact=True)
        alone = [one.reset() for one in singles]


@each_row
def test_many_are_as_those_that_gymnasium_puts_together(row: Row) -> None:
    ours = together(row, 4)
    theirs = gymnasium.make_vec(
        row.id, 4, vectorization_mode="sync", vector_kwargs={"autoreset_mode": AutoresetMode.SAME_STEP}
    )
    assert (ours.observation_space, ours.action_space) == (theirs.observation_space, theirs.action_space)
    assert ours.metadata["autoreset_mode"] is theirs.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    asked: list[int] = seeds(2, 4)
    assert data_equivalence(ours.reset(seed=asked), theirs.reset(seed=asked), exact=True)  # type: ignore[arg-type]
    ours.action_space.seed(1)
    for step in range(30):
        if step % 10 == 4:
            mask = np.array([True, False, False, True])
            again = ours.reset(options={"reset_mask": mask}), theirs.reset(options={"reset_mask": mask})
            assert data_equivalence(*again, exact=True)
        actions = ours.action_space.sample()
        assert data_equivalence(ours.step(actions), theirs.step(actions), exact=True)


def test_the_first_of_many_are_the_same_however_many_there_are() -> None:
    few, many = together(ROWS[0], 3), together(ROWS[0], 2000)
    assert data_equivalence(few.reset(seed=1)[0], many.reset(seed=1)[0][:3], exact=True)
    for _ in range(150):
        seen = few.step(np.zeros((3, 1), np.float32))[0], many.step(np.zeros((2000, 1), np.float32))[0][:3]
        assert data_equivalence(*seen, exact=True)


def test_without_a_seed_the_streams_go_on_and_a_mask_leaves_the_others_alone() -> None:
    environments = together(ROWS[0], 3)
    environments.reset(seed=1)
    singles = [made(ROWS[0]) for _ in range(3)]
    for one, seed in zip(singles, seeds(1, 3), strict=True):
        one.reset(seed=seed)
    first, told = environments.reset(options={"reset_mask": np.array([False, True, False]), "x1": 4})
    assert told["x1"][1] == singles[1].reset(options={"x1": 4})[1]["x1"] == 4
    assert (told["_x1"].tolist(), told["x1"][0]) == ([False, True, False], 0)
    second, _ = environments.reset()
    np.testing.assert_array_equal(second, [one.reset()[0] for one in singles])
    masked, _ = environments.reset(seed=9, options={"reset_mask": np.array([True, False, False])})
    np.testing.assert_array_equal(masked[1:], second[1:])
    np.testing.assert_array_equal(masked[0], singles[0].reset(seed=seeds(9, 3)[0])[0])
    after = environments.step(np.zeros((3, 1), np.float32))[0]
    np.testing.assert_array_equal(after, [one.reset()[0] for one in singles])
    assert not np.shares_memory(first, second)


def test_the_mask_stays_in_the_options() -> None:
    options = {"reset_mask": np.array([True, True])}
    together(ROWS[0], 2).reset(options=options)
    assert list(options) == ["reset_mask"]


def test_many_without_a_seed_differ() -> None:
    asked = [together(ROWS[0], 20).reset()[0].tobytes() for _ in range(2)]
    assert asked[0] != asked[1]


def test_what_a_step_returns_is_not_written_over() -> None:
    environments = together(ROWS[0], 3)
    kept: list[NDArray[Any]] = [environments.reset(seed=0)[0]]
    for _ in range(3):
        seen, reward, terminated, truncated, infos = environments.step(np.zeros((3, 1), np.float32))
        kept += [seen, reward, terminated, truncated, *(value for value in infos["final_info"].values())]
    assert not any(np.shares_memory(one, other) for i, one in enumerate(kept) for other in kept[:i])


# To look at.


@each_language
@each_row
def test_an_episode_as_text(row: Row, language: str) -> None:
    set_language("zh" if language == "zh" else "en")
    environment = made(row, render_mode="ansi")
    environment.reset(seed=0)
    question, line, open_ = environment.render().splitlines()  # type: ignore[union-attr]
    assert question.endswith(" = ?")
    assert line.count("─") == WIDTH
    _, reward, _, _, info = environment.step(environment.action_space.sample())
    text = environment.render()
    assert isinstance(text, str)
    title, line, verdict = text.splitlines()
    assert title.startswith(question.removesuffix("?"))
    assert float(title.rpartition("= ")[2]) == pytest.approx(info["answer"], abs=0.005)
    assert line.count("●") + line.count("◉") == 1
    assert f"{reward:.2f}" in verdict
    assert open_ != verdict
    wrong = {"en": "wrong", "zh": "答错"}[language]
    assert (wrong in verdict) is not info["is_success"]


def test_a_line_of_answers() -> None:
    environment = gymnasium.make("glassgrad/AddDiscrete-v0", render_mode="ansi")
    environment.reset(options={"x1": 5, "x2": 4})
    environment.step(18)
    assert environment.render() == (
        f"5 + 4 = 18\n0 ├{'─' * 24}┼{'─' * 23}●┤ 18\ntruth 9, off by 9: wrong; reward -9.00"
    )
    environment.reset(options={"x1": 0, "x2": 0})
    environment.step(0)
    assert environment.render() == f"0 + 0 = 0\n0 ├◉{'─' * 48}┤ 18\ntruth 0, off by 0: right; reward -0.00"


@each_row
def test_an_episode_as_a_picture(row: Row) -> None:
    environment = made(row, render_mode="rgb_array")
    environment.reset(seed=0)
    frames = [environment.render()]
    for shift in (0.0, 0.7 * (environment.rules.highest - environment.rules.lowest)):
        environment.reset(seed=0)
        assert environment._question is not None
        (action,) = environment.rules.actions(environment.rules.truth[[environment._question]] - shift)
        environment.step(action)
        frames.append(environment.render())
    blue, orange = (0x2B, 0x6C, 0xAB), (0xB8, 0x56, 0x0F)
    assert all(isinstance(frame, np.ndarray) and frame.shape == (240, 640, 3) for frame in frames)
    found = [
        [bool((frame == colour).all(axis=2).any()) for colour in (blue, orange)] for frame in map(np.asarray, frames)
    ]
    assert found == [[False, False], [True, False], [False, True]]


def test_many_are_rendered_one_by_one() -> None:
    environments = gymnasium.make_vec("glassgrad/Add-v0", 2, render_mode="ansi")
    environments.reset(options={"x1": 5, "x2": 3})
    frames = environments.render()
    assert frames is not None
    assert [str(frame).splitlines()[0] for frame in frames] == ["5 + 3 = ?"] * 2
    environments.step(single_precision([[-1], [1]]))
    frames = environments.render()
    assert frames is not None
    assert [str(frame).splitlines()[0] for frame in frames] == ["5 + 3 = 0.00", "5 + 3 = 18.00"]
    environments.reset(options={"x1": 4, "x2": 9})
    frames = environments.render()
    assert frames is not None
    assert [str(frame).splitlines()[0] for frame in frames] == ["4 + 9 = ?"] * 2


# To play.


def test_a_trained_network_plays() -> None:
    run = gg.watch("add", seed=3)
    played = play(run, "glassgrad/Add-v0", 250, seed=1)
    wanted = {
        tuple(inputs): float(error)
        for inputs, error in zip(TASKS["add"].domain().tolist(), run.errors.tolist(), strict=True)
    }
    assert len(played.error) == 250
    assert played.mean_error == pytest.approx(
        np.mean([wanted[tuple(inputs)] for inputs in played.inputs.tolist()]), abs=1e-4
    )
    np.testing.assert_allclose(played.truth, played.inputs.sum(axis=1))
    np.testing.assert_allclose(played.episodic_return, -np.abs(played.answer - played.truth))
    assert played.success_rate == 1.0 == run.solved
    assert str(played).startswith("250 episodes: 100.0 % right, mean error 0.0")


@pytest.mark.parametrize(
    ("experiment", "name", "right"),
    [("sub", "Sub", 0.9), ("both", "BothDiscrete", 0.9), ("choose", "Choose", 0.9), ("knob-fixed", "Knob", 1.0),
     ("knob", "Knob", 0.0), ("sub", "Add", 0.0)],
)  # fmt: skip
def test_what_was_learned_shows(experiment: str, name: str, right: float) -> None:
    rate = play(experiment, f"glassgrad/{name}-v0", 300).success_rate
    assert rate >= right if right else rate < 0.2


def test_play_takes_runs_records_experiments_names_and_functions() -> None:
    run = gg.watch("knob-fixed")
    everybody = (run, run.record, Experiment("mine", **_settings(run.experiment)), "knob-fixed")
    assert len({play(who, "glassgrad/Knob-v0", 3).mean_error for who in everybody}) == 1
    assert play(lambda seen: np.zeros((len(seen), 1)), "glassgrad/Knob-v0", 3).answer.tolist() == [0.5] * 3
    rewarded = play(run, "glassgrad/Knob-v0", 2, reward="10 - abs(a - t)")
    assert rewarded.mean_return == pytest.approx(10 - rewarded.mean_error)


def test_play_asks_the_questions_of_its_seed() -> None:
    def asked(seed: int) -> list[Any]:
        played = play(lambda seen: np.zeros((len(seen), 1)), "glassgrad/Add-v0", 130, seed=seed)
        return list(played.inputs.tolist())

    assert asked(1) == asked(1)
    assert asked(1) != asked(2)


def _settings(experiment: Experiment) -> Mapping[str, Any]:
    return {name: value for name, value in vars(experiment).items() if name != "name"}


def test_an_agent_acts_alone_and_for_many() -> None:
    one, many = gymnasium.make("glassgrad/Add-v0"), gymnasium.make_vec("glassgrad/Add-v0", 3)
    run = gg.watch("add-linear", seed=3)
    seen, _ = many.reset(seed=0)
    actions = agent(run, many)(seen)
    assert actions in many.action_space
    act = agent(run, one)
    for observation, action in zip(seen, actions, strict=True):
        assert act(observation) in one.action_space
        np.testing.assert_array_equal(act(observation), action)


def test_an_answer_beyond_is_taken_to_the_nearest() -> None:
    of = rules("add", False, "distance")
    np.testing.assert_array_equal(of.actions(np.array([-3.0, 18.2])), [[-1], [1]])
    np.testing.assert_array_equal(rules("add", True, "distance").actions(np.array([-3.0, 7.6, 40])), [0, 8, 18])


def test_what_was_played_can_be_told_in_both_languages() -> None:
    ones = np.ones(4)
    played = Played(ones[:, None], ones, ones, 0 * ones, ones > 0, -ones)
    set_language("zh")
    assert str(played) == "4 个回合：答对 100.0%，平均误差 0.0000，平均奖励 -1.0000"


@each_language
@each_row
def test_the_page_has_every_id_with_its_reward_and_threshold(row: Row, language: str) -> None:
    page = (DOCS / f"environments{'.zh' if language == 'zh' else ''}.md").read_text(encoding="utf-8")
    (line,) = re.findall(rf"^\| `{row.id}` .*$", page, re.MULTILINE)
    low, high = rules(**row.settings).lowest, rules(**row.settings).highest
    assert f"| `{REWARDS[row.reward].formula}` | {threshold(row):.2g} |" in line
    assert {f"{low:g}", f"{high:g}"} <= set(re.findall(r"-?\d+", line.split("|")[3]))


@pytest.mark.slow
def test_stable_baselines3_learns_to_add_as_the_page_says() -> None:
    pages = [(DOCS / name).read_text(encoding="utf-8") for name in ("environments.md", "environments.zh.md")]
    (example,), other = (re.findall(r"^```py\n(.*?)^```$", page, re.MULTILINE | re.DOTALL) for page in pages)
    assert other == [example]
    assert "learn(20_000)" in example
    assert "mean_error < 0.5\nTrue" in example  # six seeds: 0.12 to 0.29
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    torch.set_num_threads(1)
    try:
        test = doctest.DocTestParser().get_doctest(example, {}, "environments.md", None, None)
        assert doctest.DocTestRunner().run(test).failed == 0
    finally:
        torch.set_num_threads(threads)
        torch.set_rng_state(state)
