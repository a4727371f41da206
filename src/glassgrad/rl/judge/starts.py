"""Where training starts: how the first outputs are distributed over basins, computed or drawn.

A network without a hidden layer starts with a sum of evenly distributed numbers, w1*x1 + w2*x2 + … + b, whose
distribution is a formula. Of any other, networks are drawn as a run draws them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from glassgrad.draws import Floats
from glassgrad.experiment import Experiment
from glassgrad.formula.evaluate import evaluate
from glassgrad.formula.parser import parse
from glassgrad.initial import initial_parameters
from glassgrad.method import Method
from glassgrad.rl.judge.basins import Basin
from glassgrad.rl.judge.outputs import moved, policy_outputs
from glassgrad.rl.network import every_output, flat
from glassgrad.tables.initialisations import INITIALISATIONS

DRAWN = 2_000  # networks
TERMS = 6  # of a sum whose distribution is computed: more lose digits
FURTHEST = 1e6  # the largest sum that is looked for


@dataclass(frozen=True)
class Starts:
    """The share of first outputs in each basin.

    shares: one a basin. drawn: of how many networks; 0 where it was computed.
    """

    shares: tuple[float, ...]
    drawn: int = 0


def starts(experiment: Experiment, of: Method, question: Floats, basins: Sequence[Basin]) -> Starts:
    """How the first outputs of one question are distributed over basins.

    Example:
        >>> from glassgrad.method import method
        >>> from glassgrad.tables.experiments import shipped
        >>> knob = shipped("knob")
        >>> found = starts(knob, method(knob), np.array([1.0]), [Basin(0, 0.6, None), Basin(0.6, 1, None)])
        >>> [f"{share:.4f}" for share in found.shares]
        ['0.6822', '0.3178']
    """
    widths = even_widths(experiment, of, question)
    edges = None if widths is None else _sums([basin.high for basin in basins[:-1]], of)
    if widths is not None and edges is not None:
        below = np.array([0.0, *(sum_below(edge, widths) for edge in edges), 1.0])
        return Starts(tuple(map(float, np.diff(below))))
    o = first_outputs(experiment, of, question[None])[:, 0]
    which = basin_of(o, basins)
    return Starts(tuple(float(np.mean(which == i)) for i in range(len(basins))), len(o))


class Bordered(Protocol):
    """What reaches up to a border."""

    @property
    def high(self) -> float: ...


def basin_of(o: Floats, basins: Sequence[Bordered]) -> NDArray[np.int64]:
    """In which basin each output lies; -1 where it is no number. A border belongs to the basin below.

    Example:
        >>> basin_of(np.array([0.1, 0.6, 0.9, np.nan]), [Basin(0, 0.6, None), Basin(0.6, 1, None)])
        array([ 0,  0,  1, -1])
    """
    found = np.searchsorted([basin.high for basin in basins[:-1]], o, side="left")
    return np.where(np.isnan(o), -1, found)


def even_widths(experiment: Experiment, of: Method, question: Floats) -> Floats | None:
    """The bounds of the evenly distributed terms that the first sum has; None where that is not how it starts."""
    if (
        of.network.last != 1
        or of.network.outputs > 1
        or len(question) + 1 > TERMS
        or experiment.init not in INITIALISATIONS
    ):
        return None
    row, sizes = INITIALISATIONS[experiment.init], {"n_in": float(len(question)), "n_out": 1.0}
    weight, bias = (float(evaluate(parse(formula, ("n_in", "n_out")), sizes)) for formula in (row.weight, row.bias))
    found = np.array([*(weight * np.abs(question)), bias])
    return found[found > 0]


def sum_below(edge: float, widths: Floats) -> float:
    """P(sum < edge) for the sum of numbers evenly distributed in [-width, width].

    Over the signs s: Σ s1*s2*…*max(0, edge + Σ s_i*width_i)**n / (n! * Π 2*width_i).

    Example:
        >>> sum_below(0.0, np.array([1.0, 1.0])), sum_below(0.5, np.array([1.0]))
        (0.5, 0.75)
    """
    n = len(widths)
    if not n:
        return float(edge > 0)
    if abs(edge) >= widths.sum():
        return float(edge > 0)
    signs = np.array(list(product((1, -1), repeat=n)), dtype=np.float64)
    powers = np.prod(signs, axis=1) * np.maximum(0.0, edge + signs @ widths) ** n
    return float(np.sum(powers) / (np.prod(np.arange(1, n + 1)) * np.prod(2 * widths)))


def _sums(edges: Sequence[float], of: Method) -> list[float] | None:
    """The sums z whose outputs are these; None where the output does not rise with z."""
    formula = of.output_activation

    def at(z: Floats) -> Floats:
        values = evaluate(formula.tree, {"z": z, **formula.numbers, **formula.learned})
        return np.asarray(np.broadcast_to(values, z.shape), np.float64)

    if np.any(np.diff(at(np.linspace(-50, 50, 2001))) < 0):
        return None
    low, high = np.full(len(edges), -FURTHEST), np.full(len(edges), FURTHEST)
    for _ in range(200):
        middle = (low + high) / 2
        above = at(middle) > np.array(edges)
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return [float(z) for z in (low + high) / 2]


def first_outputs(experiment: Experiment, of: Method, questions: Floats, drawn: int = DRAWN) -> Floats:
    """The outputs (networks, questions) before training, of the networks of so many seeds from the experiment's on.

    Of several outputs that which decides the answer, if it is one alone; or else the first.
    """
    seeds = [(experiment.seed + i) % 2**32 for i in range(drawn)]
    every = [initial_parameters(experiment.init, of.network, seed) for seed in seeds]
    theta = np.stack([flat(of, {name: value.numpy() for name, value in one.items()}) for one in every])
    with np.errstate(all="ignore"):
        return every_output(of, theta, questions)[:, :, of.outputs.index(moved(of.outputs, policy_outputs(of)))]


__all__ = ["Starts", "basin_of", "even_widths", "first_outputs", "starts", "sum_below"]
