"""The reference engine: bit for bit the numbers of plain scripts, written here as a reader would write them."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from glassgrad.draws import dropout_mask, minibatch, normals, uniforms
from glassgrad.engines.torch import train
from glassgrad.experiment import Experiment
from glassgrad.insight import answers
from glassgrad.record import Record
from glassgrad.tables.experiments import shipped

Array = np.ndarray[Any, Any]
SEEDS = [0, 3, 20_260_101, 2**32 - 1]


class Diary:
    """What a plain script writes down at each step, before the update."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.losses: list[float] = []
        self.rewards: list[float] = []
        self.parameters: list[list[Array]] = []
        self.gradients: list[list[Array]] = []

    def write(self, loss: torch.Tensor, reward: float | None = None) -> None:
        self.losses.append(loss.item())
        if reward is not None:
            self.rewards.append(reward)
        self.parameters.append([p.detach().numpy().copy() for p in self.model.parameters()])
        self.gradients.append([p.grad.numpy().copy() for p in self.model.parameters() if p.grad is not None])

    def agrees(self, record: Record) -> None:
        """Everything equal to the last bit."""
        assert record.steps == len(self.losses)
        assert record.loss.tolist() == self.losses
        if self.rewards:
            assert record.reward is not None
            assert record.reward.tolist() == self.rewards
        for step in range(1, record.steps + 1):
            row = record.rows[step]
            for i, values in enumerate(record.parameters.values()):
                assert np.array_equal(values[row], self.parameters[step - 1][i]), step
            for i, values in enumerate(record.gradients.values()):
                assert np.array_equal(values[row], self.gradients[step - 1][i]), step
        for value, last in zip(record.final.values(), self.model.parameters(), strict=True):
            assert np.array_equal(value, last.detach().numpy())


class Hidden(nn.Module):
    """2-5-1 (or 3-8-1) with ReLU."""

    def __init__(self, inputs: int = 2, units: int = 5) -> None:
        super().__init__()
        self.hidden = nn.Linear(inputs, units)
        self.output = nn.Linear(units, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        value: torch.Tensor = self.output(torch.relu(self.hidden(x)))
        return value


class Knob(nn.Module):
    """1-1 with a sigmoid."""

    def __init__(self) -> None:
        super().__init__()
        self.output = nn.Linear(1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.output(x))


@pytest.fixture(autouse=True)
def _plain_scripts_seed_the_global_generators() -> Iterator[None]:
    """The scripts of this file seed PyTorch and NumPy as a reader would; both get their state and threads back."""
    theirs, ours, threads = torch.get_rng_state(), np.random.get_state(), torch.get_num_threads()  # noqa: NPY002
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    torch.set_rng_state(theirs)
    np.random.set_state(ours)  # noqa: NPY002


def draw(seed: int, *shape: int) -> Array:
    """`numpy.random.seed(seed)`, then digits."""
    np.random.seed(seed)  # noqa: NPY002
    return np.random.randint(0, 10, shape)  # noqa: NPY002


def by_labels(seed: int, steps: int, samples: int, sign: int = 1) -> Diary:
    """`add` and `sub`: labels, mean squared error, Adam."""
    torch.manual_seed(seed)
    questions = draw(seed, samples, 2)
    x = torch.tensor(questions, dtype=torch.float32)
    t = torch.tensor(questions[:, 0] + sign * questions[:, 1], dtype=torch.float32).reshape(-1, 1)
    model = Hidden()
    optimizer, criterion, diary = torch.optim.Adam(model.parameters(), lr=0.1), nn.MSELoss(), Diary(model)
    for _ in range(steps):
        loss = criterion(model(x), t)
        optimizer.zero_grad()
        loss.backward()
        diary.write(loss)
        optimizer.step()
    return diary


def through_reward(seed: int, steps: int, sign: int = 1) -> Diary:
    """`add-through-reward`: one fresh question a step, the gradient goes through -abs(a - t)."""
    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    model = Hidden()
    optimizer, diary = torch.optim.Adam(model.parameters(), lr=0.01), Diary(model)
    for _ in range(steps):
        one, two = np.random.randint(0, 10, 2)  # noqa: NPY002
        answer = model(torch.tensor([[float(one), float(two)]]))
        reward = -torch.abs(answer - float(one + sign * two))
        loss = -reward.mean()
        optimizer.zero_grad()
        loss.backward()
        diary.write(loss, reward.item())
        optimizer.step()
    return diary


def both_through_reward(seed: int, steps: int) -> Diary:
    """`both-through-reward`: at each step ten fresh pairs, then their signs; through -abs(a - t)."""
    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    model = Hidden(3, 8)
    optimizer, diary = torch.optim.Adam(model.parameters(), lr=0.01), Diary(model)
    for _ in range(steps):
        digits = np.random.randint(0, 10, (10, 2))  # noqa: NPY002
        sign = np.random.choice([1, -1], 10)  # noqa: NPY002
        x = torch.tensor(np.column_stack([digits, sign]), dtype=torch.float32)
        t = torch.tensor(digits[:, 0] + sign * digits[:, 1], dtype=torch.float32).unsqueeze(1)
        reward = -torch.abs(model(x) - t)
        loss = -reward.mean()
        optimizer.zero_grad()
        loss.backward()
        diary.write(loss, reward.mean().item())
        optimizer.step()
    return diary


def knob(seed: int, steps: int, stopped: bool = True) -> Diary:
    """`knob`: the reward is a number of Python's, times log of the output; `knob-fixed` differentiates it."""
    torch.manual_seed(seed)
    model = Knob()
    optimizer, diary, x = torch.optim.Adam(model.parameters(), lr=0.1), Diary(model), torch.ones(1, 1)
    for _ in range(steps):
        volume = model(x)
        if stopped:
            reward = 1 - 5 * abs(volume.item() - 0.8)
            loss = -(reward * torch.log(volume)).mean()
        else:
            felt = 1 - 5 * torch.abs(volume - 0.8)
            reward, loss = felt.item(), -felt.mean()
        optimizer.zero_grad()
        loss.backward()
        diary.write(loss, reward)
        optimizer.step()
    return diary


def both(seed: int, steps: int, samples: int) -> Diary:
    """`both`: x3 is drawn after the digits, and says which operation."""
    torch.manual_seed(seed)
    digits = draw(seed, samples, 2)
    sign = np.random.choice([1, -1], samples)  # noqa: NPY002
    x = torch.tensor(np.column_stack([digits, sign]), dtype=torch.float32)
    t = torch.tensor(digits[:, 0] + sign * digits[:, 1], dtype=torch.float32).unsqueeze(1)
    model = Hidden(3, 8)
    optimizer, diary = torch.optim.Adam(model.parameters(), lr=0.03), Diary(model)
    for _ in range(steps):
        loss = nn.functional.mse_loss(model(x), t)
        optimizer.zero_grad()
        loss.backward()
        diary.write(loss)
        optimizer.step()
    return diary


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("name", "sign"), [("add", 1), ("sub", -1)])
@pytest.mark.parametrize(("steps", "samples"), [(120, 1000), (40, 7), (3, 1)])
def test_labels_give_the_plain_scripts_numbers(seed: int, name: str, sign: int, steps: int, samples: int) -> None:
    record = train(shipped(name).change(seed=seed, steps=steps, samples=samples))
    by_labels(seed, steps, samples, sign).agrees(record)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("name", "sign"), [("add-through-reward", 1), ("sub-through-reward", -1)])
def test_a_differentiated_reward_gives_the_plain_scripts_numbers(seed: int, name: str, sign: int) -> None:
    through_reward(seed, 250, sign).agrees(train(shipped(name).change(seed=seed, steps=250)))


@pytest.mark.parametrize("seed", [*SEEDS, 1, 2])
def test_the_knob_gives_the_plain_scripts_numbers(seed: int) -> None:
    knob(seed, 50).agrees(train(shipped("knob").change(seed=seed)))
    knob(seed, 50, stopped=False).agrees(train(shipped("knob-fixed").change(seed=seed)))


@pytest.mark.parametrize("seed", SEEDS)
def test_both_gives_the_plain_scripts_numbers(seed: int) -> None:
    both(seed, 60, 300).agrees(train(shipped("both").change(seed=seed, steps=60, samples=300)))


@pytest.mark.parametrize("seed", SEEDS)
def test_both_through_the_reward_gives_the_plain_scripts_numbers(seed: int) -> None:
    both_through_reward(seed, 250).agrees(train(shipped("both-through-reward").change(seed=seed, steps=250)))


def test_a_whole_run_gives_the_plain_scripts_numbers() -> None:
    by_labels(11, 1000, 1000).agrees(train(shipped("add").change(seed=11)))


def test_fresh_questions_drawn_at_once_are_the_same() -> None:
    record = train(shipped("add-through-reward").change(steps=50, seed=5))
    assert np.array_equal(record.inputs[:, 0], draw(5, 50, 2))


# What a notebook's own state sees of it: nothing.


def state() -> tuple[bytes, bytes, int, torch.dtype]:
    generator: Any = np.random.get_state()  # noqa: NPY002
    return (
        torch.get_rng_state().numpy().tobytes(),
        generator[1].tobytes() + str(generator[2:]).encode(),
        torch.get_num_threads(),
        torch.get_default_dtype(),
    )


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


class Impatient:
    """A progress callback that presses Ctrl-C."""

    def __init__(self, error: BaseException) -> None:
        self.error, self.calls = error, 0

    def __call__(self, step: int, steps: int) -> None:
        self.calls += 1
        raise self.error


@pytest.fixture
def always_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that runs so fast that the progress is told at every step."""
    clock = iter(range(10_000_000))
    monkeypatch.setattr("glassgrad.engines.torch.run.time.perf_counter", lambda: float(next(clock)))


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("name", ["add", "add-reinforce", "choose"])
def test_a_run_leaves_the_global_state_alone(name: str) -> None:
    before = state()
    train(shipped(name).change(steps=3, precision="double", dropout=0.2, clip=1.0))
    assert state() == before


@pytest.mark.usefixtures("two_threads", "always_told")
def test_an_interrupted_run_and_an_error_leave_the_global_state_alone() -> None:
    before = state()
    train(shipped("add").change(steps=5), progress=Impatient(KeyboardInterrupt()))
    assert state() == before
    with pytest.raises(ZeroDivisionError):
        train(shipped("add").change(steps=5, precision="double"), progress=Impatient(ZeroDivisionError()))
    assert state() == before


def test_a_run_does_not_depend_on_the_global_state() -> None:
    first = train(shipped("add-reinforce").change(steps=5))
    torch.manual_seed(99)
    np.random.seed(99)  # noqa: NPY002
    again = train(shipped("add-reinforce").change(steps=5))
    assert np.array_equal(first.loss, again.loss)


# Runs that end early.


@pytest.mark.usefixtures("always_told")
def test_ctrl_c_gives_the_record_so_far() -> None:
    whole = train(shipped("add").change(steps=2))
    record = train(shipped("add").change(steps=9), progress=Impatient(KeyboardInterrupt()))
    assert record.status == "stopped at step 1"
    assert record.loss.tolist() == whole.loss[:1].tolist()
    for name, value in record.final.items():
        assert np.array_equal(value, whole.parameters_at(2)[name])
    assert np.isfinite(record.moment(1).loss)


@pytest.mark.parametrize("place", ["forward", "backward", "step"])
def test_ctrl_c_in_the_middle_of_a_step_takes_that_step_back(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    whole, calls = train(shipped("add").change(steps=6)), 0
    home = {"forward": nn.Linear, "backward": torch.Tensor, "step": torch.optim.Adam}[place]
    real: Callable[..., Any] = getattr(home, place)
    limit = 9 if place == "forward" else 5  # two layers a step

    def pressed(*arguments: Any, **keywords: Any) -> Any:
        nonlocal calls
        calls += 1
        found = real(*arguments, **keywords)  # the update is half done, or done
        if calls == limit:
            raise KeyboardInterrupt
        return found

    monkeypatch.setattr(home, place, pressed)
    record = train(shipped("add").change(steps=9))
    assert record.status == "stopped at step 4"
    for name, value in record.final.items():
        assert np.array_equal(value, whole.parameters_at(5)[name])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_knob_diverges_where_its_output_reaches_zero(seed: int) -> None:
    record = train(shipped("knob").change(steps=1000, seed=seed))
    assert record.status.startswith(f"diverged at step {record.steps}: ")
    assert 380 < record.steps < 460
    assert record.status.endswith(("log(0) in objective", "in do"))  # -r/o overflows just before log(0) does
    assert all(np.isfinite(value).all() for value in record.final.values())
    last = record.moment(record.steps)
    assert not last.updated
    assert not all(np.isfinite(part).all() for part in (np.array(last.loss), *last.gradients.values()))


@pytest.mark.parametrize(
    ("settings", "step", "cause"),
    [
        ({"optimizer": "sgd(lr=1e9)"}, 2, "in objective"),
        ({"optimizer": "sgd(lr=1e9)", "precision": "double", "steps": 400}, None, "in "),
        ({"optimizer": "w = w - 1e30*g"}, 2, "overflow in z2"),
        ({"optimizer": "w = w - log(0)*g"}, 1, "log(0) in w"),
        ({"optimizer": "w = w - sqrt(g)"}, 1, "sqrt(-"),
        ({"optimizer": "state m = 1; m = m*1e200; w = w - g*m"}, 1, "1*1e+200 in m"),
        ({"objective": "log(o - 5)"}, 1, "log(-"),
        ({"objective": "(o - t)/0"}, 1, "/0 in objective"),
        ({"objective": "9**9**9 + o"}, 1, "9**387420000 in objective"),
        ({"objective": "where(o > t, 1, log(-1))*o"}, 1, "log(-1) in objective"),
        ({"objective": "sqrt(abs(o - o)) + sqrt(relu(o - 99))"}, 1, "in do"),
        ({"activation": "exp(exp(z))"}, 1, "overflow in a1"),
        ({"output_activation": "log(z - 100)"}, 1, "in the output activation"),
    ],
)
def test_what_is_not_finite_ends_a_run_with_its_cause(settings: dict[str, Any], step: int | None, cause: str) -> None:
    record = train(shipped("add").change(**{"steps": 30, **settings}))
    assert record.status.startswith("diverged at step ")
    assert step is None or record.steps == step
    assert cause in record.status
    assert all(np.isfinite(value).all() for value in record.final.values())
    assert record.kept(record.steps)


# Records too large for the memory.


def test_a_large_network_keeps_the_shown_steps_only(monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = shipped("add").change(steps=25, seed=2)
    whole = train(experiment)
    monkeypatch.setattr("glassgrad.engines.torch.recorder.MEMORY", 1000)
    thin = train(experiment, every=10)
    assert [step for step in range(1, 26) if thin.kept(step)] == [1, 2, 11, 12, 21, 22]
    assert np.array_equal(thin.loss, whole.loss)
    for step in (1, 11, 21):
        for part in ("parameters", "after", "gradients"):
            for name, value in getattr(thin.moment(step), part).items():
                assert np.array_equal(value, getattr(whole.moment(step), part)[name])
        for state_name, by in thin.moment(step).states_after.items():
            assert all(np.array_equal(by[n], whole.moment(step).states_after[state_name][n]) for n in by)
    for name, value in thin.final.items():
        assert np.array_equal(value, whole.final[name])
    with pytest.raises(KeyError):
        thin.parameters_at(5)


def test_a_thinned_run_that_diverges_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glassgrad.engines.torch.recorder.MEMORY", 100)
    record = train(shipped("add").change(steps=2000, optimizer="sgd(lr=0.9)", activation="linear"), every=100)
    whole_status = "diverged at step"
    assert record.status.startswith(whole_status)
    assert record.steps < 2000


def test_five_layers_of_256_units_train_within_the_memory() -> None:
    record = train(shipped("add").change(network=(2, 256, 256, 256, 256, 1), steps=170, samples=20), every=85)
    assert record.status == "finished"
    assert sum(array.nbytes for array in record.parameters.values()) < 20 * 4 * 200_000
    torch.manual_seed(0)
    sizes = (2, 256, 256, 256, 256, 1)
    linears = [nn.Linear(a, b) for a, b in pairwise(sizes)]
    for i, linear in enumerate(linears, 1):
        assert np.array_equal(record.parameters[f"W{i}"][0], linear.weight.detach().numpy())


# Everything else that a training may have, against plain PyTorch.


def plain(
    experiment: Experiment,
    optimizer: Callable[[list[nn.Parameter]], torch.optim.Optimizer],
    *,
    activation: Callable[[torch.Tensor], torch.Tensor] = torch.relu,
    objective: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] = nn.functional.mse_loss,
    shares: Callable[[list[nn.Parameter]], torch.Tensor] | None = None,
) -> Diary:
    """A training with minibatches, dropout, clipping and a regulariser, in plain PyTorch."""
    seed, dtype = experiment.seed, torch.float64 if experiment.precision == "double" else torch.float32
    torch.manual_seed(seed)
    sizes = experiment.network
    linears = nn.ModuleList([nn.Linear(a, b) for a, b in pairwise(sizes)]).to(dtype)
    questions = draw(seed, experiment.samples, 2)
    x, t = (torch.tensor(part, dtype=dtype) for part in (questions, questions.sum(1)[:, None]))
    running, diary = optimizer(list(linears.parameters())), Diary(linears)
    for step in range(1, experiment.steps + 1):
        seen = minibatch(seed, step, experiment.samples, experiment.batch) if experiment.batch else slice(None)
        value = x[seen]
        for layer, linear in enumerate(linears, 1):
            value = linear(value)
            if layer < len(linears):
                value = activation(value)
                if experiment.dropout:
                    mask = dropout_mask(seed, step, len(value), layer, value.shape[1], experiment.dropout)
                    value = value * torch.tensor(mask, dtype=dtype)
        loss = objective(value, t[seen])
        if shares is not None:
            loss = loss + shares([linear.weight for linear in linears])  # type: ignore[misc]
        running.zero_grad()
        loss.backward()
        diary.write(loss)
        if experiment.clip is not None:
            nn.utils.clip_grad_norm_(linears.parameters(), experiment.clip)
        running.step()
    return diary


def close(diary: Diary, record: Record, relative: float) -> None:
    """The same numbers up to the order in which they are added."""
    assert record.loss == pytest.approx(diary.losses, rel=relative)
    for step in range(1, record.steps + 1):
        row = record.rows[step]
        for mine, theirs in ((record.parameters, diary.parameters), (record.gradients, diary.gradients)):
            for values, other in zip(mine.values(), theirs[step - 1], strict=True):
                room = relative * max(1.0, float(np.abs(other).max()))
                assert np.abs(values[row] - other).max() <= room


def adam(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr=0.01)


MIXED = shipped("add").change(
    network=(2, 6, 4, 1), steps=40, samples=30, batch=8, dropout=0.3, clip=2.0, optimizer="adam(lr=0.01)", seed=4
)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"dropout": 0.0, "clip": None, "batch": None},
        {"dropout": 0.0, "clip": None},
        {"dropout": 0.0, "batch": None},
        {"clip": None, "batch": None},
    ],
)
def test_minibatches_dropout_and_clipping_are_plain_torch(settings: dict[str, Any]) -> None:
    experiment = MIXED.change(**settings)
    plain(experiment, adam).agrees(train(experiment))


def test_a_minibatch_sees_every_sample_once_a_pass() -> None:
    record = train(shipped("add").change(steps=8, samples=10, batch=3))
    first_pass = np.concatenate([record.places(step) for step in range(1, 5)])
    assert sorted(first_pass) == list(range(10))
    assert [len(record.moment(step).inputs) for step in range(1, 9)] == [3, 3, 3, 1] * 2


def test_regularisers_are_part_of_the_loss_and_touch_no_bias() -> None:
    plain_l1 = plain(
        MIXED.change(dropout=0.0),
        adam,
        shares=lambda weights: sum((0.01 * w.abs()).sum() for w in weights),  # type: ignore[arg-type, return-value]
    )
    close(plain_l1, train(MIXED.change(dropout=0.0, regulariser="l1(strength=0.01)")), 1e-5)
    doubled = MIXED.change(precision="double")
    plain_l2 = plain(doubled, adam, shares=lambda weights: sum((0.02 * w**2).sum() for w in weights))  # type: ignore[arg-type, return-value]
    close(plain_l2, train(doubled.change(regulariser="l2(strength=0.02)")), 1e-12)
    close(plain_l2, train(doubled.change(regulariser="0.02*w**2")), 1e-12)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("sgd(lr=0.01)", lambda p: torch.optim.SGD(p, lr=0.01)),
        ("sgd(lr=0.01, weight_decay=0.1)", lambda p: torch.optim.SGD(p, lr=0.01, weight_decay=0.1)),
        ("momentum(lr=0.01, momentum=0.8)", lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.8)),
        ("nesterov(lr=0.01)", lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, nesterov=True)),
        ("adagrad(lr=0.1)", lambda p: torch.optim.Adagrad(p, lr=0.1)),
        ("rmsprop(lr=0.01)", lambda p: torch.optim.RMSprop(p, lr=0.01)),
        ("adam(lr=0.1, beta1=0.8)", lambda p: torch.optim.Adam(p, lr=0.1, betas=(0.8, 0.999))),
        ("adamw(lr=0.1)", lambda p: torch.optim.AdamW(p, lr=0.1)),
        ("nadam(lr=0.1)", lambda p: torch.optim.NAdam(p, lr=0.1)),
    ],
)
def test_an_optimizers_row_runs_torchs_own(ours: str, theirs: Callable[[Any], torch.optim.Optimizer]) -> None:
    experiment = shipped("add").change(steps=30, samples=20, optimizer=ours, seed=8)
    plain(experiment, theirs).agrees(train(experiment))


ADAM_LINES = """
state m = 0
state v = 0
m = 0.9*m + 0.1*g          # the running mean of gradients
v = 0.999*v + 0.001*g**2
w = w - 0.01*(m/(1 - 0.9**step))/(sqrt(v/(1 - 0.999**step)) + 1e-8)
"""


@pytest.mark.parametrize("precision", ["single", "double"])
def test_own_lines_typed_in_full_are_the_row_and_plain_torch(precision: str) -> None:
    experiment = MIXED.change(
        optimizer=ADAM_LINES, objective="(o - t)**2", activation="where(z > 0, z, 0)", precision=precision
    )
    rows = MIXED.change(precision=precision)
    room = 1e-4 if precision == "single" else 1e-10
    close(plain(rows, adam), train(experiment), room)
    assert train(experiment).loss == pytest.approx(train(rows).loss, rel=room)


def test_an_own_objective_and_activation_run_as_plain_torch() -> None:
    experiment = shipped("add").change(
        objective="where(abs(o - t) < 1, (o - t)**2, abs(o - t))", activation="z/(1 + abs(z))", steps=20, samples=50
    )

    def objective(o: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return torch.where((o - t).abs() < 1, (o - t) ** 2, (o - t).abs()).mean()

    diary = plain(
        experiment.change(optimizer="adam(lr=0.1)"),
        lambda p: torch.optim.Adam(p, lr=0.1),
        activation=nn.functional.softsign,
        objective=objective,
    )
    close(diary, train(experiment), 1e-4)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("linear", lambda z: z), ("relu", torch.relu),
        ("leaky_relu(slope=0.2)", lambda z: nn.functional.leaky_relu(z, 0.2)),
        ("elu", nn.functional.elu), ("gelu", nn.functional.gelu), ("silu", nn.functional.silu),
        ("softplus", nn.functional.softplus), ("sigmoid", torch.sigmoid), ("tanh", torch.tanh), ("sin", torch.sin),
    ],
)  # fmt: skip
def test_an_activations_row_runs_torchs_own(ours: str, theirs: Callable[[torch.Tensor], torch.Tensor]) -> None:
    experiment = shipped("add").change(steps=20, samples=20, activation=ours)
    plain(experiment, lambda p: torch.optim.Adam(p, lr=0.1), activation=theirs).agrees(train(experiment))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("mae", nn.L1Loss()), ("huber", nn.HuberLoss()), ("huber(delta=0.3)", nn.HuberLoss(delta=0.3))],
)
def test_an_objectives_row_runs_torchs_own(ours: str, theirs: nn.Module) -> None:
    experiment = shipped("add").change(steps=20, samples=20, objective=ours)
    plain(experiment, lambda p: torch.optim.Adam(p, lr=0.1), objective=theirs).agrees(train(experiment))


def test_reinforce_is_the_plain_script_with_the_same_noise() -> None:
    steps, n, sigma, baseline = 30, 100, 0.5, 0.0
    settings = {"samples": n, "optimizer": "adam(lr=0.01)", "schedule": "constant", "precision": "double"}
    record = train(shipped("add-reinforce").change(steps=steps, seed=3, **settings))
    noise = normals(3, "noise", np.arange(1, steps + 1), n)[:, :, 0]
    torch.manual_seed(3)
    model = Hidden().double()
    optimizer, diary = torch.optim.Adam(model.parameters(), lr=0.01), Diary(model)
    questions = draw(3, steps, n, 2)
    for step in range(steps):
        x, t = torch.tensor(questions[step], dtype=torch.float64), questions[step].sum(1)[:, None]
        o = model(x)
        answer = (o + sigma * torch.tensor(noise[step])[:, None]).detach()
        reward = -np.abs(answer.numpy() - t)
        logp = torch.distributions.Normal(o, sigma).log_prob(answer)
        loss = (-torch.tensor(reward - baseline) * logp).mean()
        optimizer.zero_grad()
        loss.backward()
        diary.write(loss, float(reward.mean()))
        optimizer.step()
        baseline = 0.9 * baseline + 0.1 * float(reward.mean())
        assert record.lines["baseline"][step + 1] == pytest.approx(baseline, rel=1e-12)
    close(diary, record, 1e-10)


def test_a_choice_is_the_plain_script_with_the_same_chance() -> None:
    steps, n, baseline = 20, 100, 0.0
    settings = {"samples": n, "optimizer": "adam(lr=0.01)", "schedule": "constant", "precision": "double"}
    record = train(shipped("choose").change(steps=steps, seed=6, **settings))
    chance = uniforms(6, "uniform", np.arange(1, steps + 1), n)[:, :, 0]
    torch.manual_seed(6)
    model = Hidden(3, 8).double()
    optimizer, diary = torch.optim.Adam(model.parameters(), lr=0.01), Diary(model)
    for step in range(steps):
        o = torch.sigmoid(model(torch.tensor(record.inputs[step])))
        right = (record.inputs[step][:, 2] == record.inputs[step][:, 0] + record.inputs[step][:, 1]) * 1.0
        action = (torch.tensor(chance[step])[:, None] < o).double()
        reward = (action.numpy()[:, 0] == right) * 1.0
        logp = torch.distributions.Bernoulli(o).log_prob(action)
        loss = (-torch.tensor(reward - baseline)[:, None] * logp).mean()
        optimizer.zero_grad()
        loss.backward()
        diary.write(loss, float(reward.mean()))
        optimizer.step()
        baseline = 0.9 * baseline + 0.1 * float(reward.mean())
    close(diary, record, 1e-9)


def test_double_precision_starts_from_the_single_draws() -> None:
    for init in ("default", "xavier", "he", "zeros"):
        single, double = (train(shipped("add").change(steps=1, init=init, precision=p)) for p in ("single", "double"))
        for name, value in double.parameters.items():
            assert value.dtype == np.float64
            assert np.array_equal(value[0], single.parameters[name][0].astype(np.float64))
        assert np.array_equal(single.inputs, double.inputs)


def test_initialisations_are_torchs_own_draws() -> None:
    def he(weight: torch.Tensor) -> torch.Tensor:
        return nn.init.kaiming_uniform_(weight, nonlinearity="relu")

    for init, fill in (("xavier", nn.init.xavier_uniform_), ("he", he)):
        record = train(shipped("add").change(steps=1, init=init, seed=9))
        torch.manual_seed(9)
        for name, shape in (("W1", (5, 2)), ("W2", (1, 5))):
            assert np.array_equal(record.parameters[name][0], fill(torch.empty(shape)).numpy())
        assert not record.parameters["b1"][0].any()


def test_own_first_values_are_taken_as_they_are() -> None:
    record = train(shipped("add-linear").change(steps=1, init="W1 = [[0.25, -3]]; b1=[1.5]"))
    assert record.parameters["W1"][0].tolist() == [[0.25, -3.0]]
    assert record.parameters["b1"][0].tolist() == [1.5]


def test_a_file_is_trained_on_as_plain_torch_would(tmp_path: Path) -> None:
    rows = np.array([[1, 2, 3], [4, 5, 9], [0, 0, 0.5], [7, 1, 8], [2, 2, 4.25]])
    file = tmp_path / "mine.csv"
    file.write_text("a,b,y\n" + "\n".join(",".join(map(str, row)) for row in rows), encoding="utf-8")
    record = train(Experiment("mine", data=str(file), held_out=0.4, steps=25))
    torch.manual_seed(0)
    model = Hidden()
    x, t = (torch.tensor(part[:3], dtype=torch.float32) for part in (rows[:, :2], rows[:, 2:]))
    optimizer, diary = torch.optim.Adam(model.parameters(), lr=0.1), Diary(model)
    for _ in range(25):
        loss = nn.functional.mse_loss(model(x), t)
        optimizer.zero_grad()
        loss.backward()
        diary.write(loss)
        optimizer.step()
    diary.agrees(record)
    with torch.no_grad():
        theirs = model(torch.tensor(rows[:, :2], dtype=torch.float32)).numpy()[:, 0]
    assert answers(record.experiment, record.final, rows[:, :2]) == pytest.approx(theirs, rel=1e-5)


def test_numbers_that_an_activation_learns_are_learned_as_nn_prelu_would() -> None:
    experiment = shipped("add").change(
        activation="param p = 0.25; where(z > 0, z, p*z)", steps=30, samples=40, precision="double"
    )
    record = train(experiment)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 5), nn.Linear(5, 1)).double()
    p = nn.Parameter(torch.tensor(0.25, dtype=torch.float64))
    questions = draw(0, 40, 2)
    x, t = (torch.tensor(part, dtype=torch.float64) for part in (questions, questions.sum(1)[:, None]))
    optimizer = torch.optim.Adam([*model.parameters(), p], lr=0.1)
    for step in range(30):
        assert record.parameters["p1"][step] == pytest.approx(p.item(), rel=1e-9)
        z = model[0](x)
        loss = nn.functional.mse_loss(model[1](torch.where(z > 0, z, p * z)), t)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert record.loss[step] == pytest.approx(loss.item(), rel=1e-9)


def test_a_run_that_ends_early_is_the_beginning_of_the_whole_run() -> None:
    experiment = shipped("add-reinforce").change(steps=12, schedule="lr*(1 - step/steps)")
    begun, whole = train(experiment, until=5), train(experiment)
    assert (begun.steps, whole.steps) == (5, 12)
    for name, values in begun.final.items():
        assert np.array_equal(values, whole.parameters_at(6)[name])
