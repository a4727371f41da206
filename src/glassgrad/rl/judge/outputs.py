"""Several outputs: which of them the policy reads, at which values they are looked at, and one alone, others held."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from glassgrad.draws import Floats
from glassgrad.ends import ends
from glassgrad.errors import ExperimentError
from glassgrad.experiment import Experiment
from glassgrad.formula.adjoint import adjoints
from glassgrad.formula.lines import Line
from glassgrad.formula.tree import Number, Symbol, Tree, substitute, symbols
from glassgrad.initial import initial_parameters
from glassgrad.insight import forward
from glassgrad.method import Method
from glassgrad.network import Network
from glassgrad.rl.judge.feedback import updated
from glassgrad.rl.judge.profile import reach

SEEDS = 4  # networks whose outputs are looked at, before training and after it
AROUND = (0.5, 1.0)  # so far each output is moved, both ways; of an axis that ends, this half of the way at most
APART = 1e-3  # places that are nearer to each other in every output are one and the same


@dataclass(frozen=True)
class Place:
    """The outputs of one network in the question: of which seed, whether it is trained, at which step.

    Where the weights are perturbed, outputs are these weights. around: whether they were moved away from the network's.
    """

    seed: int
    trained: bool
    outputs: Mapping[str, float]
    step: int = 1
    around: bool = False


def policy_outputs(of: Method) -> tuple[str, ...]:
    """The outputs that decide the answer, in their order.

    Example:
        >>> from glassgrad.method import method
        >>> from glassgrad.tables.experiments import shipped
        >>> policy_outputs(method(shipped("add-a2c")))
        ('o1', 'o2')
    """
    read = {of.program.latest["a"]}
    for line in reversed(of.program.lines):
        if line.name in read:
            read |= set(symbols(line.tree))
    return tuple(name for name in of.outputs if name in read)


def moved(outputs: Sequence[str], policy: Sequence[str]) -> str:
    """The output that is looked at alone: the one that decides the answer; or else the first.

    Example:
        >>> moved(("o1", "o2", "o3"), ("o2",)), moved(("o1", "o2", "o3"), ("o2", "o3"))
        ('o2', 'o1')
    """
    return policy[0] if len(policy) == 1 else outputs[0]


def places(experiment: Experiment, of: Method, question: Floats, trained: bool) -> tuple[Place, ...]:
    """The outputs of some networks as they start and, if they are trained, as they end; diverged ones are left out.

    Where networks start with the same outputs, as with own weights, there are also places around these.
    """
    found = []
    for seed, late, parameters in networks(experiment, of, trained):
        seen = forward(experiment, parameters, question[None])
        outputs = {name: float(seen[name][0]) for name in of.outputs}
        if np.all(np.isfinite(list(outputs.values()))):
            found.append(Place(seed, late, outputs, experiment.steps if late else 1))
    first = [place for place in found if not place.trained]
    more = around(first[0].outputs, reach(of.output_activation)) if first and distinct(first) < SEEDS else ()
    return (*found, *(Place(first[0].seed, False, outputs, around=True) for outputs in more))


def distinct(some: Sequence[Place]) -> int:
    """How many places there are if those that coincide count once.

    Example:
        >>> distinct([Place(seed, False, {"o1": 0.5, "o2": o2}) for seed, o2 in enumerate((0.0, 0.0, 1.0))])
        2
    """
    return len({tuple(np.round(np.array([*place.outputs.values()]) / APART)) for place in some})


def around(outputs: Mapping[str, float], ends: tuple[float, float], but: str = "") -> list[dict[str, float]]:
    """The outputs with one of them moved, each in turn, between the ends of their range. but: this one stays.

    Example:
        >>> around({"o1": 1.0, "o2": 3.0}, (0.0, np.inf), but="o2")
        [{'o1': 0.75, 'o2': 3.0}, {'o1': 1.5, 'o2': 3.0}, {'o1': 0.5, 'o2': 3.0}, {'o1': 2.0, 'o2': 3.0}]
    """
    found = []
    for name, o in outputs.items():
        for away in AROUND if name != but else ():
            found += [
                {**outputs, name: o + side * min(away, abs(end - o) * away / 2)}
                for side, end in zip((-1, 1), ends, strict=True)
            ]
    return found


def networks(experiment: Experiment, of: Method, trained: bool) -> Iterator[tuple[int, bool, Mapping[str, Any]]]:
    """Some networks as they start and, if they are trained, as they end: seed, whether trained, parameters."""
    seeds = [(experiment.seed + i) % 2**32 for i in range(SEEDS)]
    first = [initial_parameters(experiment.init, of.network, seed) for seed in seeds]
    last = _ends(experiment, seeds) if trained else []
    for seed, one in zip(seeds, first, strict=True):
        yield seed, False, {name: value.numpy() for name, value in one.items()}
    for i, end in enumerate(last):
        if end is not None:
            yield seeds[i], True, end


def _ends(experiment: Experiment, seeds: list[int]) -> list[Mapping[str, Any] | None]:
    """The last parameters of each run; none where the engine that trains many cannot run it."""
    try:
        return list(ends(experiment, seeds))
    except ExperimentError:
        return []


def columns(some: tuple[Place, ...], of: Method) -> dict[str, Floats]:
    """Each output (or each weight that is perturbed), and the step, at some places."""
    found = {name: np.array([place.outputs[name] for place in some]) for name in updated(of)}
    return found | {"step": np.array([float(place.step) for place in some])}


def alone(of: Method, output: str, held: Mapping[str, float]) -> Method:
    """The same method with one output, called o; all others are held at these values.

    Example:
        >>> from glassgrad.method import method
        >>> from glassgrad.tables.experiments import shipped
        >>> found = alone(method(shipped("add-actor-critic")), "o1", {"o2": -4.0})
        >>> [str(line) for line in found.program.lines][-2:]
        ['advantage = stop(reward - value)', 'objective = -advantage*logp + share*(value - stop(reward))**2']
        >>> [str(line) for line in found.program.lines if line.name == "value"]
        ['value = -4']
    """
    known: dict[str, Tree] = {name: Number(value) for name, value in held.items() if name != output}
    known[output] = Symbol("o")
    lines = tuple(Line(line.name, substitute(line.tree, known), line.level) for line in of.program.lines)
    return replace(
        of,
        network=Network((of.network.sizes[0], 1)),
        program=replace(of.program, lines=lines),
        backward=adjoints(lines, "objective", {"o": "sample"}),
    )


__all__ = [
    "SEEDS", "Place", "alone", "around", "columns", "distinct", "moved", "networks", "places",
    "policy_outputs"
]  # fmt: skip
