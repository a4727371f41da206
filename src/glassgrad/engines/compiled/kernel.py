"""The kernel of an experiment: machine code made from its formulas, and how its arguments are laid out."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassgrad.engines.compiled.body import Body
from glassgrad.engines.compiled.build import Built, build
from glassgrad.engines.compiled.emit import Constants
from glassgrad.engines.compiled.moments import MomentsBody, fits
from glassgrad.engines.compiled.noise import noise
from glassgrad.engines.compiled.wide import WideBody
from glassgrad.experiment import Experiment
from glassgrad.formula.evaluate import evaluate
from glassgrad.method import method

UNROLLED = 100  # learned numbers up to which a network is written out
FUNCTIONS = ("step", "evaluation", "noise")
MOMENTS = ("advance", "rebuild")


@dataclass(frozen=True)
class Kernel:
    """A kernel's machine code, and how its arguments are laid out.

    slots: places for the learned numbers. width: what samples are filled up to. constants, rates: what the arrays H
    and HO hold.
    """

    built: Built
    body: Body
    slots: int
    width: int
    lanes: int
    constants: Constants
    rates: Constants

    def addresses(self) -> list[int]:
        """Where the functions are."""
        return list(self.built.addresses.values())

    def whole(self, count: int) -> int:
        """Questions of an evaluation, filled up."""
        return -(-count // self.lanes) * self.lanes


@lru_cache(maxsize=64)
def kernel(experiment: Experiment) -> Kernel:
    """The machine code of an experiment.

    Raises:
        Unsupported: a formula has a part that this engine cannot run.
    """
    if fits(experiment):
        body: Body = MomentsBody(experiment)
    else:
        body = Body(experiment) if method(experiment).network.count <= UNROLLED else WideBody(experiment)
    body.step()
    body.evaluation()
    noise(body.module, body.form)
    names: tuple[str, ...] = FUNCTIONS
    if isinstance(body, MomentsBody):
        body.rebuild()
        body.repair()
        body.advance()
        names += MOMENTS
    built = build(str(body.module), names)
    return Kernel(built, body, body.slots, body.width, body.form.lanes, body.constants, body.rates)


def table(constants: Constants, settings: Mapping[str, float], steps: int, dtype: Any) -> NDArray[Any]:
    """The value of each constant at each step, (steps, constants), computed in double precision."""
    found = np.zeros((max(steps, 1), len(constants.trees)), dtype)
    values = {**settings, "step": np.arange(1.0, max(steps, 1) + 1)}
    for i, tree in enumerate(constants.trees):
        with np.errstate(all="ignore"):
            found[:, i] = evaluate(tree, values)
    return found
