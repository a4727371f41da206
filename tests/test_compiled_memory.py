"""Machine code writes nowhere but into the arrays that it was given: each is laid between guards."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from glassgrad.engines.compiled import plan, train_many, train_one
from glassgrad.engines.compiled.layout import LINE, aligned
from glassgrad.experiment import Experiment
from glassgrad.tables.experiments import shipped
from test_compiled import EVERY_ROW

GUARD, MARK = 2**18, 0xAB  # bytes on each side of an array, and what they hold
SMALL = shipped("add").change(samples=16, steps=6)
STATEFUL = "state m = 0; m = 0.9*m + g; w = w - 0.01*m/(1 + norm(m))"
SHAPES: list[dict[str, Any]] = [
    {"network": network, "samples": samples, "optimizer": STATEFUL, "precision": precision}
    for network in ((2, 1), (2, 64, 1), (2, 17, 9, 1), (2, 250, 1)) for samples in (1, 16, 33)
    for precision in ("single", "double")
] + [
    {"network": (2, 70, 1), "samples": 5, "batch": 3, "dropout": 0.2, "clip": 1.0, "optimizer": STATEFUL},
    {"network": (2, 8, 5), "apart": True, "policy": "gaussian_first", "reward": "distance",
     "objective": "actor_critic"},
    {"network": (2, 40, 3), "policy": "categorical", "reward": "right", "objective": "ppo", "passes": 3},
    {"network": (2, 9, 1), "policy": "evolution", "reward": "distance", "objective": "reinforce_group", "group": 4},
    {"network": (2, 40, 1), "objective": "(o - t)**2/(1 + std(o)) + max(o) + others(o)", "regulariser": "l1"},
]  # fmt: skip


@pytest.fixture
def guarded(monkeypatch: pytest.MonkeyPatch) -> list[NDArray[np.uint8]]:
    """The guards of all arrays into which code may write, from before until after each."""
    guards: list[NDArray[np.uint8]] = []

    def between_guards(array: NDArray[Any]) -> NDArray[Any]:
        room = aligned(np.full(array.nbytes + 2 * GUARD + LINE, MARK, np.uint8))
        found = room[GUARD : GUARD + array.nbytes].view(array.dtype).reshape(array.shape)
        found[...] = array
        guards.extend((room[:GUARD], room[GUARD + array.nbytes :]))
        return found

    monkeypatch.setattr(plan, "aligned", between_guards)
    return guards


def check(experiment: Experiment, guards: list[NDArray[np.uint8]]) -> None:
    train_one(experiment)
    train_many(experiment, range(5), threads=1)
    assert guards
    assert all(np.all(guard == MARK) for guard in guards)


@pytest.mark.parametrize("settings", SHAPES, ids=str)
def test_networks_of_all_sizes_stay_in_their_memory(settings: dict[str, Any], guarded: list[NDArray[np.uint8]]) -> None:
    check(SMALL.change(**settings), guarded)


@pytest.mark.parametrize("row", EVERY_ROW)
def test_every_row_stays_in_its_memory(row: str, guarded: list[NDArray[np.uint8]]) -> None:
    check(EVERY_ROW[row].change(steps=3), guarded)


def test_a_number_too_far_is_noticed(guarded: list[NDArray[np.uint8]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: room for one value of the optimizer less than it needs."""
    of = plan.plan(SMALL.change(network=(2, 250, 1), optimizer=STATEFUL)).kernel.body
    monkeypatch.setattr(type(of), "room", lambda self, samples: len(self.drawers) * self.slots - self.form.lanes)
    monkeypatch.setattr(type(of), "rows", 0)
    with pytest.raises(AssertionError):
        check(SMALL.change(network=(2, 250, 1), optimizer=STATEFUL), guarded)
