"""A user's own loss function under judgement: its model's output is replaced by any number, its reward by a black box.

The loss function is called as it is. What the model gives out is exchanged for a number of our choice, from which the
derivative is then taken; the reward, which it is handed, can be boxed, read from a table, or shifted. Every call draws
from generators that are seeded for it, and the user's own are put back afterwards.
"""

import inspect
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from glassgrad.draws import Floats
from glassgrad.errors import ExperimentError
from glassgrad.rl.judge.evidence import SHIFT

if TYPE_CHECKING:
    import torch

LossFunction = Callable[..., Any]
Reward = Callable[..., Any]
Exchange = Literal["as it is", "boxed", "tabled", "shifted", "signed"]
"""What becomes of the reward; signed: 1 is added to some of the answers' rewards and taken away from the others'."""


EVERYWHERE = (-np.inf, np.inf)
RANGES = {"Sigmoid": (0.0, 1.0), "Tanh": (-1.0, 1.0), "Softplus": (0.0, np.inf), "ReLU": (0.0, np.inf)}
"""What a last layer of this kind can give out."""


@dataclass
class Call:
    """One call of the loss function.

    update (rows): -dL/do, times the number of rows. reward (rows): what the answers earned. to_reward, to_output: the
    largest |dL/dreward| and |dreward/do|. given: what the reward was called with, and what it gave.
    """

    update: Floats
    reward: Floats | None
    answers: Floats | None
    to_reward: float
    to_output: float
    given: list[Any] = field(default_factory=list)


class Script:
    """A loss function, its model, a batch, and the reward that it is handed.

    Raises:
        ExperimentError: something cannot be judged from outside.
    """

    def __init__(
        self, loss_fn: LossFunction, model: Any, batch: Any, reward: Reward | None, truth: Any, seed: int
    ) -> None:
        import torch

        self.torch, self.loss_fn, self.model, self.batch = torch, loss_fn, model, batch
        self.reward, self.seed = reward, seed
        if not isinstance(model, torch.nn.Module):
            raise ExperimentError("judge.no_module", came=type(model).__name__)
        count = 2 if reward is None else 3
        try:
            inspect.signature(loss_fn).bind(*range(count))
        except (TypeError, ValueError):
            raise ExperimentError("judge.signature_reward" if reward else "judge.signature") from None
        self.row = 0
        self.seen: list[Any] = []  # outputs of the model in this call
        self.leaf: torch.Tensor | None = None
        self.values: torch.Tensor | None = None
        self.calls: list[tuple[tuple[Any, ...], Any]] = []
        self.table: list[Any] = []
        self.exchange: Exchange = "as it is"
        self.first = self.output()
        self.truths = self._truths(truth)

    def output(self) -> Floats:
        """The model's own output (rows), and what the reward is called with."""
        before = [(part, part.detach().clone()) for part in self.model.parameters()]
        self._forward(0)
        with self.torch.no_grad():
            moved = [part.copy_(was) for part, was in before if not self.torch.equal(part, was)]
        if moved:
            raise ExperimentError("judge.parameters_move")
        if not self.seen:
            raise ExperimentError("judge.model_not_called")
        found = self.seen[0]
        if (
            not isinstance(found, self.torch.Tensor)
            or found.ndim > 2
            or found.numel() != (len(found) if found.ndim else 1)
        ):
            raise ExperimentError("judge.one_output", came=tuple(getattr(found, "shape", ())))
        if self.reward is not None and not self.calls:
            raise ExperimentError("judge.reward_not_called")
        return _numbers(found)

    def _truths(self, given: Any) -> Floats | None:
        """The truth of each row: as given, or the reward's second argument."""
        if given is None:
            return _rows([told[1] for told, _ in self.calls if len(told) > 1], len(self.first))
        found = _rows([given], len(self.first))
        if found is None:
            raise ExperimentError("judge.truth", rows=len(self.first))
        return found

    @property
    def asked(self) -> NDArray[np.bool_]:
        """The rows of the question: those with the truth of one row; without truths that row alone."""
        same = np.arange(len(self.first)) == self.row if self.truths is None else self.truths == self.truths[self.row]
        return np.asarray(same, dtype=np.bool_)

    @property
    def questions(self) -> list[int]:
        """A row for each of the first two truths."""
        if self.truths is None:
            return [0]
        return [0, *map(int, np.flatnonzero(self.truths != self.truths[0])[:1])]

    def at(self, o: float, seed: int, exchange: Exchange = "as it is", table: list[Any] | None = None) -> Call:
        """Call the loss function with the output of the question's rows at o, the others' as they are."""
        torch = self.torch
        values = np.where(self.asked, o, self.first)
        self.values, self.exchange, self.table = torch.as_tensor(values), exchange, list(table or [])
        loss = self._forward(seed)
        leaf, results = self.leaf, [given for _, given in self.calls]
        self.values = None
        tensors = [r for r in results if isinstance(r, torch.Tensor) and r.requires_grad]
        assert leaf is not None
        update, *through = self._derivatives(loss, [leaf, *tensors])
        back = [self._derivatives(r.sum(), [leaf])[0] for r in tensors]
        n = len(self.first)
        return Call(
            -n * update,
            self._rewards(results),
            _rows([given[0] for given, _ in self.calls if given], n),
            max((float(np.max(np.abs(part))) for part in through), default=0.0) * n,
            max((float(np.max(np.abs(part))) for part in back), default=0.0),
            [_detached(result) for result in results],
        )

    def earned(self, o: float, seed: int) -> float:
        """The mean reward of the question's rows alone."""
        self.values, self.exchange = self.torch.as_tensor(np.where(self.asked, o, self.first)), "as it is"
        with self.torch.no_grad():
            self._forward(seed)
        self.values = None
        found = self._rewards([result for _, result in self.calls])
        return np.nan if found is None else float(np.mean(found))

    def _derivatives(self, of: "torch.Tensor", by: "list[torch.Tensor]") -> list[Floats]:
        """The derivatives as numbers; 0 where nothing leads there."""
        if not of.requires_grad:
            return [np.zeros(part.numel()) for part in by]
        try:
            found: tuple[Any, ...] = self.torch.autograd.grad(of, by, allow_unused=True, retain_graph=True)
        except RuntimeError:
            raise ExperimentError("judge.backward") from None
        return [np.zeros(p.numel()) if g is None else _numbers(g) for p, g in zip(by, found, strict=True)]

    def _rewards(self, results: list[Any]) -> Floats | None:
        """The rewards of the question's rows in one call; one number stands for all rows."""
        rows = _rows(results, len(self.first))
        return None if rows is None else rows[self.asked]

    def _forward(self, seed: int) -> "torch.Tensor":
        self.seen, self.calls, self.leaf = [], [], None
        _seeded(self.torch, (self.seed * 1_000_003 + seed) % 2**32)
        handle = self.model.register_forward_hook(self._exchanged)
        try:
            loss = self.loss_fn(self.model, self.batch, *(() if self.reward is None else (self._earned,)))
        finally:
            handle.remove()
        if not isinstance(loss, self.torch.Tensor) or loss.numel() != 1:
            raise ExperimentError("judge.no_loss", came=type(loss).__name__)
        return loss.sum()

    def _exchanged(self, _: Any, __: Any, out: Any) -> Any:
        """The model's output; exchanged for a leaf with numbers of our choice, if there are any."""
        self.seen.append(out)
        if self.values is None:
            return None
        if self.leaf is None:
            self.leaf = self.values.to(out.dtype).reshape(out.shape).requires_grad_()
        return self.leaf

    def _earned(self, *given: Any) -> Any:
        """The reward, as the loss function gets it."""
        assert self.reward is not None
        if self.exchange == "tabled":
            result = self.table[len(self.calls)]
        elif self.exchange == "boxed":
            result = _detached(self.reward(*map(_detached, given)))
        else:
            result = self.reward(*given)
        if self.exchange == "shifted":
            result = result + SHIFT
        elif self.exchange == "signed":
            result = result + self._signs(result)
        self.calls.append((tuple(map(_detached, given)), result))
        return result

    def _signs(self, result: Any) -> Any:
        """1 and -1 in turn, in the shape of the rewards; of single numbers, from call to call."""
        if not isinstance(result, self.torch.Tensor) or result.numel() == 1:
            return 1.0 - 2.0 * (len(self.calls) % 2)
        signs = 1.0 - 2.0 * (self.torch.arange(result.numel()) % 2)
        return signs.to(result.dtype).reshape(result.shape)


def _detached(value: Any) -> Any:
    return value.detach().clone() if hasattr(value, "detach") else value


def _numbers(value: Any) -> Floats:
    """Numbers as a vector."""
    plain = value.detach().cpu().numpy() if hasattr(value, "detach") else value
    return np.asarray(plain, dtype=np.float64).reshape(-1)


def _rows(parts: list[Any], rows: int) -> Floats | None:
    """One number for each row: from one call for all rows, or one call a row; None where that is not what there is."""
    try:
        found = [_numbers(part) for part in parts]
    except (TypeError, ValueError):
        return None
    for some in (found, found[:1]):
        if some and sum(part.size for part in some) in (1, rows):
            return np.array(np.broadcast_to(np.concatenate(some), (rows,)))
    return None


def _seeded(torch: Any, seed: int) -> None:
    if torch.accelerator.is_available():
        torch.manual_seed(seed)
    else:  # without devices that are asked first, each with a list of who asks: a hundred times quicker
        torch.default_generator.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    random.seed(seed)


def outputs_of(model: Any) -> tuple[float, float]:
    """The least and the largest output that a model can give, if its last layer tells.

    Example:
        >>> from torch import nn
        >>> outputs_of(nn.Sequential(nn.Linear(1, 1), nn.Sigmoid())), outputs_of(nn.Linear(1, 1))
        ((0.0, 1.0), (-inf, inf))
    """
    layers = list(model.modules()) if hasattr(model, "modules") else []
    return RANGES.get(type(layers[-1]).__name__, EVERYWHERE) if layers else EVERYWHERE


@contextmanager
def untouched(model: Any) -> Iterator[None]:
    """Everybody's generators, the model's buffers and the number of threads are afterwards as they were."""
    import torch

    threads = torch.get_num_threads()
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()] if hasattr(model, "buffers") else []
    try:
        with torch.random.fork_rng(devices=[]):
            torch.set_num_threads(1)  # small networks are faster so
            yield
    finally:
        torch.set_num_threads(threads)
        np.random.set_state(numpy_state)  # noqa: NPY002
        random.setstate(python_state)
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)


__all__ = ["Call", "Exchange", "LossFunction", "Reward", "Script", "outputs_of", "untouched"]
