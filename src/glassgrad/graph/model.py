"""The graph as a value: nodes, edges, and what a derivative can do on them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Kind = Literal["input", "parameter", "layer", "line", "loss"]
Why = Literal["stop", "sampling", "comparison", "sign", "round", "constant"]
"""What makes a derivative 0: `stop`, a condition (on chance: sampling), a flat function, or nothing of it is left."""


@dataclass(frozen=True, slots=True)
class Node:
    """A number of a step, or all numbers of one layer.

    name: its key in the graph. symbol: what it is called in formulas.
    role: what it is to the reader: `inputs`, `weights`, `activation`, `reward`, … (texts: `graph.role.…`).
    formula: how it is computed; empty for what is given.
    layer: the network's layer, from 1. shape: how many numbers it stands for.
    numbers: their names, unless they are many.
    derivative: what comes back to it; empty if nothing does. slopes: the names of the derivative's numbers.
    back: what the derivative is called, if it is that of one of the node's numbers.
    hangs: whether it lies on the way from the output to the objective, and no derivative comes back to it.
    """

    name: str
    symbol: str
    kind: Kind
    role: str
    formula: str = ""
    layer: int | None = None
    shape: tuple[int, ...] = ()
    numbers: tuple[str, ...] = ()
    derivative: str = ""
    slopes: tuple[str, ...] = ()
    back: str = ""
    hangs: bool = False


@dataclass(frozen=True, slots=True)
class Edge:
    """`target` reads `source`.

    passes: whether the derivative of the target's formula with respect to the source is anything but 0.
    why: why not, if it does not pass.
    travels: whether a derivative of L really comes back along it: it does not where nothing arrives at the target,
        nor where nothing behind the source is learned.
    cut: whether it is here that the way back to the parameters is cut.
    """

    source: str
    target: str
    passes: bool
    why: Why | None = None
    travels: bool = False
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Graph:
    """The computation graph of one step, in the order of the forward pass.

    output: the name of the network's output. arrives: dL/do of a sample as one formula; empty if nothing arrives.
    at: of several outputs the one that it is about.
    """

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    output: str
    arrives: str
    at: str = ""

    def node(self, name: str) -> Node:
        """The node of a name.

        Raises:
            KeyError: there is none.
        """
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)

    def into(self, name: str) -> tuple[Edge, ...]:
        """The edges of what a node reads."""
        return tuple(edge for edge in self.edges if edge.target == name)


def chosen(values: Mapping[str, Any], sample: int = 0) -> dict[str, float]:
    """One sample's numbers, by name, out of the arrays of `Step.evaluated.values`.

    Example:
        >>> chosen({"o": np.array([1.0, 2.0]), "L": 3.0}, 1)
        {'o': 2.0, 'L': 3.0}
    """
    return {name: float(value[sample] if np.ndim(value) else value) for name, value in values.items()}
