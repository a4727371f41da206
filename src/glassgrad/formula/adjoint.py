"""The chain rule over lines: from a result back to what it depends on, as lines of the same language.

For a line u that is read by the result, `du` is the derivative of the result with respect to u. What differs
between samples carries it times the number of samples, so that the gradient of anything is the mean over
the samples.
"""

from collections.abc import Mapping

from glassgrad.formula.derivative import derivative
from glassgrad.formula.functions import AGGREGATES
from glassgrad.formula.lines import Level, Line
from glassgrad.formula.parser import parse
from glassgrad.formula.simplify import ONE, ZERO, add, multiply
from glassgrad.formula.tree import Apply, Symbol, Tree, substitute, symbols


def adjoints(lines: tuple[Line, ...], result: str, given: Mapping[str, Level]) -> tuple[Line, ...]:
    """The derivatives of `result`, from the last line back to the given names; what it cannot move has none.

    lines: in order, each name assigned once. given: the names that the lines read, and their levels.

    Example:
        >>> from glassgrad.formula.lines import read_lines
        >>> given = {"o": "sample", "t": "sample"}
        >>> program = read_lines("a = o; reward = -abs(a - t); loss = -reward", given, "loss")
        >>> [str(line) for line in adjoints(program.lines, "loss", {"o": "sample"})]
        ['dreward = -1', 'da = -dreward*sign(a - t)', 'do = da']
    """
    found: dict[str, Line] = {}
    levels = {**given, **{line.name: line.level for line in lines}}
    readers: dict[str, list[Line]] = {}
    for line in lines:
        for name in symbols(line.tree):
            readers.setdefault(name, []).append(line)
    for name in (*(line.name for line in reversed(lines)), *given):
        if name == result:
            continue
        terms = [through(line, name, result, found, levels) for line in readers.get(name, ())]
        total = add(term for term in terms if term is not None)
        if total != ZERO:
            found[name] = Line(f"d{name}", total, levels[name])
    return tuple(found.values())


def through(line: Line, name: str, result: str, found: Mapping[str, Line], levels: Mapping[str, Level]) -> Tree | None:
    """What reaches `name` through one line that reads it."""
    if line.name == result:
        arriving: Tree = ONE
    elif line.name in found:
        arriving = Symbol(f"d{line.name}")
    else:
        return None
    match line.tree:
        case Apply(function, (inner,)) if function in AGGREGATES:
            here = {"d": arriving, "a": inner, "f": Symbol(line.name)}
            share = substitute(parse(AGGREGATES[function].share), here)
            term, finer = multiply((share, derivative(inner, name))), True
        case _:
            term, finer = multiply((arriving, derivative(line.tree, name))), line.level == "sample"
    crossing = finer and levels[name] == "step"
    return Apply("mean", (term,)) if crossing and term != ZERO else term
