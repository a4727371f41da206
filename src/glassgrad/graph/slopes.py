"""The derivatives as texts: what comes back to each node, and what arrives at the network's output."""

from collections.abc import Collection
from dataclasses import replace

from glassgrad.errors import FormulaError
from glassgrad.formula.derivative import derivative
from glassgrad.formula.outputs import NOISE
from glassgrad.formula.simplify import ZERO, multiply
from glassgrad.formula.text import show
from glassgrad.formula.tree import Symbol, Tree, substitute
from glassgrad.graph.model import Edge, Node
from glassgrad.method import Method
from glassgrad.network import gradient_name


def slope_texts(of: Method, nodes: tuple[Node, ...], edges: tuple[Edge, ...]) -> tuple[Node, ...]:
    """The nodes with the derivatives that come back to them."""
    reached = {edge.source for edge in edges if edge.travels}
    masked = {node.layer for node in nodes if node.role == "mask"}
    return tuple(_with_slope(of, node, node.layer in masked) if node.name in reached else node for node in nodes)


def _with_slope(of: Method, node: Node, masked: bool) -> Node:
    if node.kind == "parameter":
        text = _learned(of, node, masked) if node.role == "learned" else _parameter(of, node)
        return replace(node, derivative=text, slopes=tuple(map(gradient_name, node.numbers)))
    back = _back(of, node)
    text = _line(of, back) if back else _layer(of, node, masked)
    if of.tried and len(node.numbers) > 1 and not node.layer:  # one line for all weights
        text, back = _of_any_weight(of, back), ""
    own = "" if back in ("", node.symbol) else f"d{of.output_names.get(back, back)}"
    slopes = (own,) if own else tuple(f"d{name}" for name in node.numbers)
    return replace(node, derivative=text, slopes=slopes, back=own) if text else node


def _back(of: Method, node: Node) -> str:
    """The line or output whose derivative is said at a node: of several numbers the first that has one."""
    if node.role == "output":
        return next(iter(reached(of)), of.outputs[0])
    if node.layer:
        return ""
    moved = {line.name for line in of.backward}
    return next((name for name in numbers_of(of, node.symbol) if f"d{name}" in moved), node.symbol)


def numbers_of(of: Method, name: str) -> tuple[str, ...]:
    """The numbers that a line as it is written stands for: itself, or p_1, p_2, … where it has one for each output."""
    names = tuple(line.name for line in of.program.lines)
    if name in names or name not in of.program.families.values():
        return (name,)
    return tuple(one for one in names if of.program.families.get(one) == name)


def _line(of: Method, wanted: str) -> str:
    """The chain rule's own line."""
    shown = of.output_names
    renamed: dict[str, Tree] = {name: Symbol(shown[name]) for name in shown}
    renamed |= {f"d{name}": Symbol(f"d{shown[name]}") for name in shown}
    return next((show(substitute(line.tree, renamed)) for line in of.backward if line.name == f"d{wanted}"), "")


def _layer(of: Method, node: Node, masked: bool) -> str:
    """What comes back through the weights above, or through the activation."""
    layer = node.layer or 1
    if node.role == "activation":
        return f"W{layer + 1}ᵀ·dz{layer + 1}"
    return show(_through(of, layer, "z", masked))


def reached(of: Method) -> tuple[str, ...]:
    """The outputs at which something arrives: o, or some of o1, o2, …"""
    return tuple(name for k, name in enumerate(of.outputs) if of.arriving(k))


def _through(of: Method, layer: int, name: str, masked: bool) -> Tree:
    """What comes back through a layer's activation to z, or to a number that the activation learns."""
    final = layer == of.network.last
    tree = (of.output_activation if final else of.activation).in_layer(layer)
    slope = substitute(derivative(tree, name), {"z": Symbol(f"z{layer}")})
    kept = (Symbol(f"keep{layer}"),) if masked else ()
    return multiply((Symbol("do" if final else f"da{layer}"), *kept, slope))


def _learned(of: Method, node: Node, masked: bool) -> str:
    """A number that acts in every unit of its layer."""
    layer = node.layer or 1
    text = show(_through(of, layer, node.symbol, masked))
    return f"mean(sum({text}))" if of.network.sizes[layer] > 1 else f"mean({text})"


def _parameter(of: Method, node: Node) -> str:
    layer = node.layer or 1
    share = ZERO if of.regulariser is None else derivative(of.regulariser.tree, "w")
    if of.tried:
        cost = share if node.role == "weights" else ZERO
        return f"{_of_any_weight(of, next(iter(of.tried)))}{_plus(show(substitute(cost, {'w': Symbol(node.symbol)})))}"
    if node.role == "biases":
        return f"mean(dz{layer})"
    below = "x" if layer == 1 else f"a{layer - 1}"
    return f"mean(dz{layer}·{below}ᵀ){_plus(show(substitute(share, {'w': Symbol(node.symbol)})))}"


def _of_any_weight(of: Method, name: str) -> str:
    """The chain rule's own line for something that there is once for each perturbed weight."""
    weight = next(iter(of.tried))
    tree = next((line.tree for line in of.backward if line.name == f"d{name}"), ZERO)
    ends = {name: family for name, family in of.program.families.items() if name.endswith(f"_{weight}")}
    ends |= {weight: "w", f"noise_{weight}": NOISE} | {f"d{name}": f"d{family}" for name, family in ends.items()}
    return show(substitute(tree, {name: Symbol(family) for name, family in ends.items()}))


def _plus(text: str) -> str:
    return "" if text == "0" else f" - {text[1:]}" if text.startswith("-") else f" + {text}"


def arriving(of: Method, through: Collection[str]) -> str:
    """dL/do as one formula: what a derivative passes through is put in, what is only a number stays a name.

    Of several outputs, the first that anything arrives at, by the chain rule's own line.

    through: the lines that a derivative passes through.

    Example:
        >>> from glassgrad.method import method
        >>> from glassgrad.tables.experiments import shipped
        >>> arriving(method(shipped("add")), through=())
        '2*(z2 - t)'
    """
    if not of.backward or of.tried:
        return ""
    if len(of.outputs) > 1:
        return _line(of, next(iter(reached(of)), of.outputs[0]))
    inline: dict[str, Tree] = {}
    for line in of.program.lines:
        if line.name in through or line.name == "objective":
            inline[line.name] = substitute(line.tree, inline)
    try:
        slope = derivative(inline["objective"], "o")
    except FormulaError:  # an aggregate: the chain rule's own line says it better
        slope = next(line.tree for line in of.backward if line.name == "do")
    return show(substitute(slope, {"o": Symbol(of.output_name)}))
