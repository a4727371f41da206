"""Experiments put together at random from the tables and a few own formulas: both engines agree, to the last digits."""

import random
from contextlib import suppress
from typing import Any

import pytest

from glassgrad.engines.compiled import train_one
from glassgrad.engines.torch import train
from glassgrad.errors import ExperimentError
from glassgrad.experiment import Experiment
from glassgrad.tables.activations import ACTIVATIONS
from glassgrad.tables.optimizers import OPTIMIZERS
from test_compiled import check_equal

INPUTS = {"add": 2, "sub": 2, "both": 3, "choose": 3, "knob": 1}
OWN_POLICY = "a = stop(o + noise*(0.3 + 0.1*uniform)); logp = -(a - o)**2/(2*0.3**2)"
CLIPPED = "r = exp(logp - old(logp)); objective = -min(r*stop(reward), max(min(r, 1.2), 0.8)*stop(reward))"
REINFORCE = ("reinforce", "reinforce_constant(baseline=-2)", "reinforce_baseline", "reinforce_leave_one_out")

KINDS: list[tuple[str, int, tuple[str, ...]]] = [
    ("output", 1, ("mse", "mae", "huber(delta=0.7)", "reward", "log(1 + (o - t)**2)", "(o - t)**2 + max(o) - min(o)",
                   "abs(o - t)**1.5 + 0.01*others(o)*o", "where(o > t, 2*(o - t), t - o)", "(o - t)**2/(1 + std(o))",
                   "state b = 0; objective = (o - t - b)**2; b = 0.9*b + 0.1*mean(o)")),
    ("pathwise", 1, ("reward", "mse")),
    ("gaussian(sigma=0.3)", 1, (*REINFORCE, "reinforce_group", "grpo", "grpo_undivided")),
    ("bernoulli", 1, REINFORCE),
    ("categorical(first=-1)", 4, ("reinforce", "reinforce_log(until=3)", "-stop(reward)*logp - 0.1*entropy")),
    ("gaussian_first", 2, ("actor_critic", "ppo", "reinforce")),
    ("gaussian_learned", 3, ("a2c", "ppo_entropy")),
    ("evolution(sigma=0.1)", 1, (*REINFORCE, "reinforce_group")),
    (OWN_POLICY, 1, ("reinforce", "-stop(reward - mean(reward))*logp", CLIPPED)),
]  # fmt: skip
"""Policy, outputs, objectives that go with it."""

ANY: dict[str, tuple[Any, ...]] = {
    "activation": (*ACTIVATIONS, "param p = 0.25; where(z > 0, z, p*z)", "max(-1, min(1, z))", "0.1*z**4"),
    "init": ("default", "default", "xavier", "he"),
    "optimizer": (*(f"{name}(lr=0.01)" for name in OPTIMIZERS), "adam(lr=0.02, weight_decay=0.1)",
                  "state m = 0; m = 0.8*m + g; w = w - 0.001*m/(1 + norm(m))", "lr = 0.01; w = w - lr*sign(g)",
                  "w = w - 0.001*g/(max(g) - min(g) + std(g) + 1) - 0.001*others(g)"),
    "schedule": ("constant", "constant", "exponential(gamma=0.9)", "cosine(to=0.001)", "warmup_cosine(warmup=3)"),
    "regulariser": (None, None, "l1(strength=0.01)", "l2(strength=0.01)", "0.01*w**4"),
    "reward": ("distance", "square", "closeness", "right", "where(a > t, -1, a - t)"),
    "clip": (None, None, None, 0.1, 5.0),
    "dropout": (0.0, 0.0, 0.0, 0.3),
    "fresh": (True, False),
    "hidden": ((), (3,), (5,), (1,), (4, 3), (40,), (17, 9)),
    "answers": (1, 2, 5, 9),
}  # fmt: skip


def put_together(seed: int) -> Experiment:
    """One experiment; what does not fit is refused where it is made.

    Raises:
        ExperimentError: it does not fit together.
    """
    choice = random.Random(seed).choice
    policy, outputs, objectives = choice(KINDS)
    some = {name: choice(values) for name, values in ANY.items()}
    hidden, answers, task, objective = some.pop("hidden"), some.pop("answers"), choice(list(INPUTS)), choice(objectives)
    small = sum(hidden) < 9  # perturbed weights, and networks that are apart, are written out number by number
    hidden = hidden if small or "evolution" not in policy else (3,)
    if policy == "output" and objective != "reward":
        del some["reward"]
    group = choice((2, 4)) if "gr" in objective else choice((1, 1, 1, 3))
    if "lr=" not in some["optimizer"]:
        some["schedule"] = "constant"
    if not some["fresh"] and group == 1:
        some["batch"] = choice((None, None, 1, answers))
    return Experiment(
        f"random {seed}", task=task, network=(INPUTS[task], *hidden, outputs), policy=policy, objective=objective,
        group=group, samples=group * answers, output_activation="sigmoid" if policy == "bernoulli" else "linear",
        apart=outputs > 1 and small and choice((True, False)), precision="double", seed=seed, steps=6,
        passes=1 if some.get("batch") or some["dropout"] or "evolution" in policy else choice((1, 1, 3)), **some,
    )  # fmt: skip


def fitting(count: int) -> list[Experiment]:
    """The first of them that fit together."""
    found: list[Experiment] = []
    for seed in range(2 * count):
        with suppress(ExperimentError):
            found.append(put_together(seed))
    return found[:count]


@pytest.mark.parametrize("experiment", fitting(80), ids=lambda experiment: experiment.name)
def test_both_engines_do_the_same(experiment: Experiment) -> None:
    """Where both begin to differ by rounding alone, six steps are too few to magnify it."""
    expected = train(experiment)
    if expected.status == "finished":
        check_equal(experiment)
    else:
        assert train_one(experiment).status == expected.status
