"""The graph of an experiment: its network layer by layer, then the lines of policy, reward and objective, then L."""

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache

from glassgrad.experiment import Experiment
from glassgrad.formula.functions import CONSTANTS
from glassgrad.formula.lines import Line, reads
from glassgrad.formula.outputs import INDEX, NOISE
from glassgrad.formula.text import show
from glassgrad.formula.tree import Symbol, Tree, substitute, symbols
from glassgrad.graph.flow import flowing
from glassgrad.graph.layers import Draft, layer_drafts, output_draft
from glassgrad.graph.model import Edge, Graph, Node
from glassgrad.graph.obstacle import obstacle
from glassgrad.graph.slopes import arriving, numbers_of, reached, slope_texts
from glassgrad.method import TRIED, Method, method

_ROLES = {"a": "answer", "reward": "reward", "objective": "objective", "logp": "logp"}
_GIVEN = {"t": "label", "noise": "noise", "uniform": "noise", NOISE: "noise", "step": "step"}


@lru_cache(maxsize=64)
def graph(experiment: Experiment) -> Graph:
    """The computation graph of a step.

    Raises:
        FormulaError, ExperimentError, DataError: the experiment cannot be read.

    Example:
        >>> from glassgrad.tables.experiments import shipped
        >>> [(edge.source, edge.why) for edge in graph(shipped("knob")).into("objective")]
        [('reward', 'stop'), ('o', None)]
    """
    of = method(experiment)
    drafts = [*layer_drafts(of, experiment.dropout > 0), *output_draft(of)]
    lines = _line_drafts(of, {draft.node.name for draft in drafts})
    drafts += [*_given_drafts(of, lines), *lines, *_loss_drafts(of, lines)]
    drafts = _perturbed_first(of, drafts) if of.tried else drafts
    output = _output(of)
    edges = flowing(tuple(_edges(of, drafts, output)), {d.node.name for d in drafts if d.node.kind == "parameter"})
    nodes = slope_texts(of, tuple(draft.node for draft in drafts), edges)
    through = {node.symbol for node in nodes if node.kind == "line" and node.derivative}
    at = next(iter(reached(of)), of.outputs[0])
    return Graph(_hanging(nodes, edges, output), edges, output, arriving(of, through), of.output_names[at])


def _perturbed_first(of: Method, drafts: list[Draft]) -> list[Draft]:
    """Where weights are perturbed, what is tried comes before the first sum, and all that it reads before that."""
    before = reads(_lines(of), TRIED)
    first = [draft for draft in drafts if draft.node.kind == "parameter" or draft.node.symbol in {"x", *before}]
    given = [draft for draft in first if draft.node.kind != "line"]
    return [*given, *(d for d in first if d not in given), *(d for d in drafts if d not in first)]


def _output(of: Method) -> str:
    """The node of the output: z2, or o."""
    return f"z{of.network.last}" if of.linear_output else "o"


def _lines(of: Method) -> tuple[Line, ...]:
    """The lines as they are written, one for all outputs."""
    return tuple(Line(name, tree, "sample") for name, tree in of.written)


def _wanted(of: Method) -> set[str]:
    """The lines that lead to the objective, to the reward, or to a state of the next step."""
    results = ("objective", "reward", *(of.program.latest[state] for state in of.program.states))
    return reads(_lines(of), *results)


def _line_drafts(of: Method, taken: set[str]) -> list[Draft]:
    output: dict[str, Tree] = {"o": Symbol(_output(of)), **{n: Symbol(shown) for n, shown in of.output_names.items()}}
    wanted, found = _wanted(of), []
    next_values = {of.program.latest[state] for state in of.program.states}
    for line in _lines(of):
        if line.name in wanted:
            role = "next" if line.name in next_values else _ROLES.get(line.name, "line")
            name = _free(line.name, {*taken, "L", "R"})
            numbers = numbers_of(of, line.name)
            node = Node(name, line.name, "line", role, show(substitute(line.tree, output)), numbers=numbers)
            found.append(Draft(node, line.tree))
    return found


def _free(name: str, taken: set[str]) -> str:
    """An own line may be called as a layer is: its node then is not."""
    return name if name not in taken else _free(name + "'", taken)


def _given_drafts(of: Method, lines: list[Draft]) -> list[Draft]:
    """What the lines read and nothing computes: the label, chance, states from the step before."""
    own = ("o", *of.outputs, *([INDEX] if len(of.outputs) > 1 else ()), *(draft.node.symbol for draft in lines))
    own += ("w",) if of.tried else ()
    known = {*own, *of.task.names, *of.numbers, *CONSTANTS}
    wanted = dict.fromkeys(name for draft in lines for name in symbols(draft.tree or Symbol("t")))
    return [
        Draft(Node(name, name, "input", _GIVEN.get(name, "state"), numbers=() if name == NOISE else (name,)))
        for name in wanted
        if name not in known
    ]


def _loss_drafts(of: Method, lines: list[Draft]) -> list[Draft]:
    """L, and what the weights cost."""
    objective = next(draft.node for draft in lines if draft.node.symbol == "objective")
    loss = Node("L", "L", "loss", "loss", "mean(objective)", numbers=("L",))
    if of.regulariser is None:
        return [Draft(loss, reads=((objective.name, None),))]
    weights = [f"W{layer}" for layer in of.network.layers]
    cost = Node("R", "R", "line", "regulariser", f"sum({show(of.regulariser.tree)})")
    loss = replace(loss, formula="mean(objective) + R")
    trees = {name: substitute(of.regulariser.tree, {"w": Symbol(name)}) for name in weights}
    return [Draft(cost, reads=tuple((name, obstacle(tree, name)) for name, tree in trees.items())),
            Draft(loss, reads=((objective.name, None), ("R", None)))]  # fmt: skip


def _edges(of: Method, drafts: list[Draft], output: str) -> Iterable[Edge]:
    """One edge for each node that another one reads, however many of its numbers it reads."""
    own = {draft.node.symbol: draft.node.name for draft in drafts if draft.node.kind in ("line", "input")}
    inputs = {name: "x" for draft in drafts if draft.node.name == "x" for name in draft.node.numbers}
    weights = tuple(draft.node.name for draft in drafts if draft.node.kind == "parameter") if of.tried else ()
    for draft in drafts:
        network = draft.node.layer is not None
        outputs = dict.fromkeys(("o", *of.outputs), output)
        home = {draft.node.name: draft.node.name for draft in drafts} if network else {**inputs, **own, **outputs}
        if draft.reads:
            yield from (Edge(source, draft.node.name, why is None, why) for source, why in draft.reads)
        elif draft.tree is not None:
            yield from _tree_edges(draft.node.name, draft.tree, home)
            if "w" in symbols(draft.tree):
                why = obstacle(draft.tree, "w")
                yield from (Edge(name, draft.node.name, why is None, why) for name in weights)


def _tree_edges(target: str, tree: Tree, home: dict[str, str]) -> Iterable[Edge]:
    found: dict[str, Edge] = {}
    for name in symbols(tree):
        if name in home:
            why, source = obstacle(tree, name), home[name]
            if source not in found or why is None:
                found[source] = Edge(source, target, why is None, why)
    yield from found.values()


def _hanging(nodes: tuple[Node, ...], edges: tuple[Edge, ...], output: str) -> tuple[Node, ...]:
    """Lines between the output and the objective to which no derivative comes back."""
    below, above = {output}, {"L"}
    for edge in edges:
        if edge.source in below:
            below.add(edge.target)
    for edge in reversed(edges):
        if edge.target in above:
            above.add(edge.source)
    reached = {edge.source for edge in edges if edge.travels} | {"L"}
    return tuple(replace(node, hangs=node.kind == "line" and node.name in (below & above) - reached) for node in nodes)
