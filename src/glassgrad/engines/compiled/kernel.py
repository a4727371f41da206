"""The kernel of an experiment: machine code made from its formulas, and how its arguments are laid out."""

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassgrad.engines.compiled.body import Body
from glassgrad.engines.compiled.build import Built, build
from glassgrad.engines.compiled.emit import Constants, Unsupported
from glassgrad.engines.compiled.groups import Groups
from glassgrad.engines.compiled.moments import MomentsBody, fits
from glassgrad.engines.compiled.signs import Signs
from glassgrad.engines.compiled.training import Training
from glassgrad.engines.compiled.wide import WideBody
from glassgrad.experiment import Experiment
from glassgrad.formula.evaluate import evaluate
from glassgrad.method import method

UNROLLED = 100  # learned numbers up to which a network is written out
MOST = 200  # the same for networks that cannot be written with loops: more would take long to compile


@dataclass(frozen=True)
class Kernel:
    """A kernel's machine code, and how its numbers are laid out.

    columns: numbers in a row of history.
    """

    built: Built
    body: Body
    columns: int

    def call(self, table: NDArray[np.int64], count: int, *, moments: bool) -> None:
        """Train the first `count` seeds of a table; other threads of Python go on meanwhile."""
        address = self.built.addresses["groups" if moments else "runs"]
        ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)(address)(table.ctypes.data, count)


@lru_cache(maxsize=64)
def kernel(experiment: Experiment, distinct: bool) -> Kernel:
    """The machine code of an experiment; distinct: each question counts as often as it was drawn.

    Raises:
        Unsupported: a formula has a part that this engine cannot run.
    """
    names: tuple[str, ...] = ("runs",)
    body: Body
    if fits(experiment):
        body = MomentsBody(experiment)
        signs = Signs(body)
        signs.rebuild()
        signs.repair()
        body.refer()
        body.advance()
        names += ("groups",)
    else:
        body = WideBody(experiment) if _wide(experiment) else Body(experiment)
    body.step()
    body.evaluation()
    if body.olds:
        body.collect()
    training = Groups(body, distinct) if isinstance(body, MomentsBody) else Training(body, distinct)
    training.write()
    return Kernel(build(str(body.module), names), body, training.columns)


def _wide(experiment: Experiment) -> bool:
    """Whether a network is so large that it takes loops.

    Raises:
        Unsupported: it is, but it is one that has to be written out, and too large for that.
    """
    of = method(experiment)
    written_out = "apart" if of.network.parts > 1 else "tried" if of.tried else None
    if written_out and of.network.count > MOST:
        raise Unsupported(written_out, MOST)
    return of.network.count > UNROLLED and written_out is None


def table(constants: Constants, settings: Mapping[str, float], steps: int, dtype: Any) -> NDArray[Any]:
    """The value of each constant at each step, (steps, constants), computed in double precision."""
    found = np.zeros((max(steps, 1), len(constants.trees)), dtype)
    values = {**settings, "step": np.arange(1.0, max(steps, 1) + 1)}
    for i, tree in enumerate(constants.trees):
        with np.errstate(all="ignore"):
            found[:, i] = evaluate(tree, values)
    return found
