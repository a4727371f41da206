"""The network as one node for each layer's inputs, weights, biases, sums and activations."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from glassgrad.formula.text import show
from glassgrad.formula.tree import Symbol, Tree, chain, substitute
from glassgrad.graph.model import Node, Why
from glassgrad.method import Method

MANY = 12  # a layer of more units has no numbers by name


@dataclass(frozen=True)
class Draft:
    """A node before its edges: the formula that it is computed by, or what it reads and what stands in the way."""

    node: Node
    tree: Tree | None = None
    reads: tuple[tuple[str, Why | None], ...] = ()


def vector(layer: int, kind: str) -> str:
    """The name of a layer's numbers taken together: x, a1, z2.

    Example:
        >>> vector(0, "a"), vector(2, "z")
        ('x', 'z2')
    """
    return "x" if layer == 0 else f"{kind}{layer}"


def layer_drafts(of: Method, dropout: bool) -> Iterator[Draft]:
    """x, then W1, b1, z1, a1, and so on up to the last sum."""
    net = of.network
    yield Draft(Node("x", "x", "input", "inputs", shape=(net.sizes[0],), numbers=of.task.names))
    for layer in net.layers:
        yield from _parameter_drafts(of, layer)
        below, z, units = vector(layer - 1, "a"), f"z{layer}", net.sizes[layer]
        before = f"{of.tried_name}_" if of.tried else ""
        formula = f"{before}W{layer}·{below} + {before}b{layer}"
        node = Node(z, z, "layer", _role(of, layer), formula, layer, (units,),
                    _few(net.sum_name(layer, i) for i in net.units(layer)))  # fmt: skip
        numbers = (of.tried_name,) if of.tried else (f"W{layer}", f"b{layer}")
        yield Draft(node, reads=((below, None), *((name, None) for name in numbers)))
        if layer < net.last:
            yield from _activation_drafts(of, layer, dropout)


def _few(names: Iterator[str]) -> tuple[str, ...]:
    found = tuple(islice(names, MANY + 1))
    return found if len(found) <= MANY else ()


def _role(of: Method, layer: int) -> str:
    if layer < of.network.last:
        return "sum"
    return "output" if of.linear_output else "last_sum"


def _parameter_drafts(of: Method, layer: int) -> Iterator[Draft]:
    net = of.network
    units, below = net.sizes[layer], net.fan_in(layer)
    weights = (net.weight_name(layer, i, j) for i in net.units(layer) for j in net.sources(layer, i))
    biases = (net.bias_name(layer, i) for i in net.units(layer))
    for name, role, shape, names in ((f"W{layer}", "weights", (units, below), weights),
                                     (f"b{layer}", "biases", (units,), biases)):  # fmt: skip
        yield Draft(Node(name, name, "parameter", role, layer=layer, shape=shape, numbers=_few(names)))
    for own in net.learned_in(layer):
        name = f"{own}{layer}"
        yield Draft(Node(name, name, "parameter", "learned", layer=layer, shape=(1,), numbers=(name,)))


def _activation_drafts(of: Method, layer: int, dropout: bool) -> Iterator[Draft]:
    net, z, a = of.network, f"z{layer}", f"a{layer}"
    shape = (net.sizes[layer],)
    tree = substitute(of.activation.in_layer(layer), {"z": Symbol(z)})
    keep = f"keep{layer}"
    numbers = _few(f"a{layer}_{i + 1}" for i in net.units(layer))
    if dropout:
        yield Draft(Node(keep, keep, "input", "mask", layer=layer, shape=shape,
                         numbers=_few(f"{keep}_{i + 1}" for i in net.units(layer))))  # fmt: skip
        tree = chain("*", (tree, Symbol(keep)))
    yield Draft(Node(a, a, "layer", "activation", show(tree), layer, shape, numbers), tree)


def output_draft(of: Method) -> Iterator[Draft]:
    """o, where there is an activation after the last sum."""
    if not of.linear_output:
        last = of.network.last
        tree = substitute(of.output_activation.in_layer(last), {"z": Symbol(f"z{last}")})
        numbers = _few(iter(of.outputs))
        yield Draft(Node("o", "o", "layer", "output", show(tree), last, (of.network.outputs,), numbers), tree)
