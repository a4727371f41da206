"""Along which edges a derivative of L comes back: where the formulas let it pass to something that is learned."""

from dataclasses import replace

from glassgrad.graph.model import Edge


def flowing(edges: tuple[Edge, ...], parameters: set[str]) -> tuple[Edge, ...]:
    """The edges with `travels` and `cut` found, as autograd finds them.

    edges: in the order of the forward pass. parameters: the names of what is learned.

    Example:
        >>> [edge.travels for edge in flowing((Edge("x", "L", True), Edge("W1", "L", True)), {"W1"})]
        [False, True]
    """
    learned, touched = (
        set(parameters),
        set(parameters),
    )  # leads to a parameter: by a way that passes, by any way
    for edge in edges:
        if edge.source in touched:
            touched.add(edge.target)
        if edge.source in learned and edge.passes:
            learned.add(edge.target)
    arrives = {"L"}
    for edge in reversed(edges):
        if edge.target in arrives and edge.passes:
            arrives.add(edge.source)
    return tuple(
        replace(
            edge,
            travels=edge.passes and edge.source in learned and edge.target in arrives,
            cut=not edge.passes and edge.source in touched,
        )
        for edge in edges
    )
