"""Where training ends: many runs, how many are solved, and, for one question, the last output of each.

The engine that trains many gives |answer - truth| of each run. So, for one question, a run's twin is trained, in which
only what is judged at the end differs: its answer is the output moved beyond the truth, so that the error tells it.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glassgrad.comparison import compare
from glassgrad.draws import Floats
from glassgrad.experiment import Experiment
from glassgrad.formula.text import number_text, show
from glassgrad.formula.tree import Number, Symbol, Tree, substitute
from glassgrad.insight import answers
from glassgrad.method import Method
from glassgrad.runs import Progress

MARGIN = 1.0  # an output with a lower end is moved so far beyond the truth
BEYOND = 1024.0  # and one without
OWN_NAMES = {"reward": "earned", "logp": "likelihood"}  # an objective alone may not call its lines so


@dataclass(frozen=True)
class Ends:
    """solved, diverged (runs). outputs (runs): the last ones where there is one question, NaN of a diverged run."""

    solved: NDArray[np.bool_]
    diverged: NDArray[np.bool_]
    outputs: Floats | None
    seconds: float


def ends(experiment: Experiment, of: Method, runs: int, low: float, progress: Progress | None = None) -> Ends:
    """Train so many runs, from the experiment's seed on. low: the least output that there may be.

    Example:
        >>> from glassgrad.method import method
        >>> from glassgrad.tables.experiments import shipped
        >>> knob = shipped("knob")
        >>> outputs = ends(knob, method(knob), 200, 0.0).outputs
        >>> [int(np.sum(part)) for part in (outputs < 0.6, outputs > 0.6)]
        [142, 58]
    """
    domain = of.task.domain()
    one = len(domain) == 1 and of.network.outputs == 1 and not of.tried
    moved = _moved(of, domain, low) if one else 0.0
    trained = twin(experiment, of, moved) if one else experiment
    table = compare(trained, runs=runs, seed0=experiment.seed, progress=progress).runs[0]
    diverged = table.diverged_at > 0
    if not one:
        return Ends(table.solved & ~diverged, diverged, None, table.seconds)
    truth = float(of.task.true(domain)[0])
    outputs = np.where(diverged, np.nan, table.mean_error.astype(np.float64) + truth - moved)
    answered = answers(experiment, {}, np.repeat(domain, len(outputs), axis=0), outputs)
    return Ends(np.abs(answered - truth) < of.task.tolerance, diverged, outputs, table.seconds)


def _moved(of: Method, domain: Floats, low: float) -> float:
    truth = float(of.task.true(domain)[0])
    return truth - low + MARGIN if np.isfinite(low) else abs(truth) + BEYOND


def twin(experiment: Experiment, of: Method, moved: float) -> Experiment:
    """The same training, all its lines as one objective; what is judged at the end is the output, moved.

    Example:
        >>> from glassgrad.method import method
        >>> from glassgrad.tables.experiments import shipped
        >>> knob = shipped("knob")
        >>> twin(knob, method(knob), 2.0).objective
        'tried = o; earned = 1 - 5*abs(tried - t); objective = -stop(earned)*log(o)'
    """
    program = of.program
    taken = {*program.latest, *(line.name for line in program.lines)}
    names = {program.latest["a"]: _free("tried", taken)}
    names |= {name: _free(other, taken) for name, other in OWN_NAMES.items() if name in taken}
    known: dict[str, Tree] = {name: Number(float(value)) for name, value in of.numbers.items()}
    known |= {old: Symbol(new) for old, new in names.items()}
    lines = [f"state {name} = {show(tree)}" for name, tree in program.states.items()]
    lines += [f"{names.get(line.name, line.name)} = {show(substitute(line.tree, known))}" for line in program.lines]
    lines += [f"{name} = {program.latest[name]}" for name in program.states]
    return experiment.change(policy=f"a = o + {number_text(moved)}", reward=None, objective="; ".join(lines))


def _free(name: str, taken: Collection[str]) -> str:
    return name if name not in taken else _free(f"{name}_", taken)


__all__ = ["Ends", "ends", "twin"]
