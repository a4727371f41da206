"""Whether the derivative of a formula passes to one of its names, and what stands in its way if not."""

from glassgrad.formula.derivative import derivative
from glassgrad.formula.functions import AGGREGATES, BELOW, COMPARISONS
from glassgrad.formula.simplify import ZERO
from glassgrad.formula.tree import Apply, Tree, parts, symbols
from glassgrad.graph.model import Why

CHANCE = {"noise", "uniform"}
_COMPARING = {row.name for row in COMPARISONS}
_FLAT: dict[str, Why] = {"stop": "stop", "old": "stop", "sign": "sign", "round": "round", "count": "constant"}


def obstacle(tree: Tree, name: str) -> Why | None:
    """None if the derivative of a formula with respect to a name is not 0 everywhere, else the reason.

    Example:
        >>> from glassgrad.formula.parser import parse
        >>> objective = parse("-stop(reward)*log(o)")
        >>> obstacle(objective, "o"), obstacle(objective, "reward")
        (None, 'stop')
    """
    return None if passes(tree, name) else _reason(tree, name) or "constant"


def passes(tree: Tree, name: str) -> bool:
    """Whether the derivative is anything but 0; that of an aggregate is decided by what it aggregates."""
    match tree:
        case Apply(function, (inner,)) if function == BELOW:
            return passes(inner, name)
        case Apply(function, (inner,)) if function in AGGREGATES:
            return AGGREGATES[function].share != "0" and passes(inner, name)
    return derivative(tree, name) != ZERO


def _reason(tree: Tree, name: str) -> Why | None:
    """The outermost function around the name that lets no derivative through."""
    if name not in symbols(tree) or not isinstance(tree, Apply):
        return None
    if tree.function in _FLAT:
        return _FLAT[tree.function]
    if tree.function in _COMPARING:
        return "sampling" if CHANCE & set(symbols(tree)) else "comparison"
    return next((found for part in parts(tree) if (found := _reason(part, name))), None)
