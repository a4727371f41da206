"""Copies every step's numbers into arrays made beforehand."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from glassgrad.engines.torch.net import Piece
from glassgrad.engines.torch.optimizer import OwnOptimizer, TorchOptimizer
from glassgrad.experiment import Experiment
from glassgrad.record import MEMORY


class Recorder:
    """Copies every step's numbers into arrays made beforehand."""

    def __init__(
        self,
        experiment: Experiment,
        pieces: Sequence[Piece],
        shapes: Mapping[str, tuple[int, ...]],
        states: Mapping[str, float],
        every: int,
    ) -> None:
        steps = experiment.steps
        self.owners = [piece.parameter for piece in pieces]
        numbers = sum(p.numel() * p.element_size() for p in self.owners) * (2 + len(states))
        shown = np.arange(1, steps + 2)
        if numbers * steps > MEMORY:
            each = np.arange(1, steps + 1, every)
            collecting = [experiment.collects(int(step)) for step in each]
            shown = np.unique(np.concatenate([each, collecting, np.arange(2, steps + 2, every), [steps + 1]]))
        self.rows = np.full(steps + 2, -1, np.int64)
        self.rows[shown] = np.arange(len(shown))
        self.place: list[int] = self.rows.tolist()
        self.latest = 0  # the last step whose numbers are kept
        self.sources = [parameter.detach() for parameter in self.owners]  # the same memory, without a graph
        kind = self.owners[0].dtype
        self.arrays: list[dict[str, Tensor]] = []

        def room() -> list[Tensor]:
            """For each piece the rows of its array, over all steps: the same memory."""
            whole = {name: torch.zeros((len(shown), *shape), dtype=kind) for name, shape in shapes.items()}
            self.arrays.append(whole)
            return [whole[p.array][:, p.rows] if p.parameter.dim() else whole[p.array] for p in pieces]

        self.parameters, self.gradients = room(), room()
        self.states = {name: room() for name in states}
        for name, first in states.items():
            for part in self.states[name]:
                part[0] = first
        self.loss = np.full(steps, np.nan)
        self.reward = np.full(steps, np.nan)

    def before(self, step: int) -> None:
        """The parameters and gradients before a step's update."""
        row = self.place[step]
        if row >= 0:
            for room, source in zip(self.parameters, self.sources, strict=True):
                room[row].copy_(source)
            for room, owner in zip(self.gradients, self.owners, strict=True):
                if owner.grad is not None:
                    room[row].copy_(owner.grad)

            self.latest = step

    def kept(self, rooms: list[Tensor], step: int) -> list[Tensor]:
        """One step's numbers; nothing if they were not kept."""
        row = self.place[step] if step <= self.latest else -1
        return [room[row] for room in rooms] if row >= 0 else []

    def back_to(self, step: int) -> None:
        """Give the network the numbers back that it had before a step's update, if they were kept."""
        for source, before in zip(self.sources, self.kept(self.parameters, step), strict=False):
            source.copy_(before)

    def after(self, step: int, optimizer: OwnOptimizer | TorchOptimizer) -> None:
        """The optimizer's states as the next step finds them."""
        row = self.place[step + 1]
        if row >= 0:
            for name, rooms in self.states.items():
                for room, source in zip(rooms, optimizer.state(name), strict=True):
                    room[row].copy_(source)

    def close(self, place: int) -> dict[str, Any]:
        """W1, b1, W2, … over all steps: 0 for the parameters, 1 for the gradients, then each state."""
        return {name: whole.numpy() for name, whole in self.arrays[place].items()}
