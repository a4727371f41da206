"""Methods of learning by reward: what ships is checked, the same on both engines, and learns."""

import pytest
import torch
from torch import Tensor

from glassgrad.engines.compiled import train_many
from glassgrad.engines.torch import train
from glassgrad.tables.experiments import METHODS, shipped
from glassgrad.watched import watch
from test_compiled import check_equal

NUMBERS = [name for name in METHODS if name != "add-categorical"]
"""Methods whose answer is any number."""

BY_CONSTRUCTION = {"add-grpo": ("L",)}
"""What cannot be seen: advantages of a group add up to 0, and so does the loss while no ratio is far off 1."""

LEAST = dict.fromkeys(NUMBERS, 187) | {"add-evolution": 149}
"""Of 200 runs so many are solved: fewer come once in 10,000 times if 98 % (of evolution strategies 85 %) of all are."""


@pytest.mark.parametrize("name", METHODS)
def test_every_number_of_a_step_is_pytorchs(name: str) -> None:
    found = watch(name, steps=9, every=4)
    assert found.check.passed
    assert found.check.unchecked == BY_CONSTRUCTION.get(name, ())


@pytest.mark.parametrize("name", METHODS)
def test_a_small_error_in_the_objective_is_found(name: str) -> None:
    assert not watch(name, steps=9, every=4, plant="objective").check.passed


@pytest.mark.parametrize("name", NUMBERS)
def test_both_engines_agree(name: str) -> None:
    check_equal(shipped(name).change(steps=20, precision="double"))


@pytest.mark.slow
@pytest.mark.parametrize("name", NUMBERS)
def test_a_method_learns(name: str) -> None:
    assert train_many(shipped(name), range(1000, 1200)).solved.sum() >= LEAST[name]


@pytest.mark.slow
def test_right_or_wrong_alone_is_enough() -> None:
    """Of 40 runs fewer than 33 are solved once in 10,000 times if 97 % of all runs are."""
    assert train_many(shipped("add-categorical"), range(1000, 1040)).solved.sum() >= 33


def plain_ppo(seed: int, updates: int) -> tuple[Tensor, Tensor]:
    """First weights of both networks: ours, and those of PPO as a plain script with the ratio cut off."""
    experiment = shipped("add-ppo").change(seed=seed, steps=updates, precision="double")
    record = train(experiment)
    hidden, last = ([torch.nn.Linear(*shape).double() for _ in range(2)] for shape in ((2, 5), (5, 1)))
    first = record.moment(1).parameters
    with torch.no_grad():
        for k in range(2):
            for layer, number, rows in ((hidden[k], 1, slice(5 * k, 5 * k + 5)), (last[k], 2, slice(k, k + 1))):
                layer.weight.copy_(torch.tensor(first[f"W{number}"][rows]))
                layer.bias.copy_(torch.tensor(first[f"b{number}"][rows]))
    parameters = [parameter for layer in (*hidden, *last) for parameter in layer.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=0.03)
    for step in range(1, updates + 1):
        moment = record.moment(step)
        assert moment.noise is not None
        x, t, noise = (torch.tensor(part, dtype=torch.float64) for part in (moment.inputs, moment.truth, moment.noise))
        o, value = (last[k](torch.relu(hidden[k](x)))[:, 0] for k in range(2))
        if (step - 1) % 4 == 0:
            answer = (o + 0.5 * noise).detach()
            reward = -(answer - t).abs()
            before = torch.distributions.Normal(o, 0.5).log_prob(answer).detach()
            advantage = (reward - value).detach()
        ratio = (torch.distributions.Normal(o, 0.5).log_prob(answer) - before).exp()
        clipped = ratio.clamp(0.8, 1.2)
        loss = -torch.minimum(ratio * advantage, clipped * advantage).mean() + 0.5 * (value - reward).square().mean()
        optimizer.param_groups[0]["lr"] = 0.03 * step / 300
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return torch.tensor(record.final["W1"]), torch.cat([layer.weight for layer in hidden]).detach()


def test_ppo_is_the_plain_script() -> None:
    ours, theirs = plain_ppo(seed=3, updates=24)
    assert torch.allclose(ours, theirs, rtol=0, atol=1e-10)
