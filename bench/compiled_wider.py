"""Glassgrad's compiled engine on wider and deeper networks, and with other activations."""

from bench import compiled
from bench.problem import PASSING, WIDER
from bench.variant import Variant

NEEDS = compiled.NEEDS
UNITS = {"2-16-1": 512, "2-64-1": 64, "2-64-64-1": 8, "both": 512}


def variants(quick: bool, network: str) -> list[Variant]:
    """A network of `problem.WIDER`, or a name of `problem.PASSING`."""
    if network in PASSING:
        return [compiled.variant(2048, PASSING[network])]
    problem = WIDER[network]
    settings = {"network": problem.sizes, "steps": problem.steps, **problem.settings}
    return [compiled.variant(UNITS[network], settings, problem.name)]
