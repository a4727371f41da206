"""What a graph means for learning, as one sentence: what the gradient can see of the feedback, and what it cannot."""

from glassgrad.graph.model import Graph
from glassgrad.locale import Text, text

LONGEST = 60  # a longer formula is left to the drawing


def meaning(graph: Graph) -> Text:
    """One sentence about the feedback, in both languages.

    Example:
        >>> from glassgrad.graph.build import graph
        >>> from glassgrad.tables.experiments import shipped
        >>> meaning(graph(shipped("knob"))).en[:30]
        'The reward hangs in the air: t'
    """
    if not graph.arrives:
        learned = {node.name for node in graph.nodes if node.kind == "parameter"}
        perturbed = any(edge.travels and edge.source in learned for edge in graph.edges)
        return text("graph.meaning.perturbed" if perturbed else "graph.meaning.nothing")
    arrives = Text("", "")
    if len(graph.arrives) <= LONGEST:
        arrives = text("graph.meaning.arrives", slope=f"d{graph.at}", formula=graph.arrives)
    kind, numbers = feedback(graph), stopped(graph)
    if kind == "observed" and len(numbers) > 1:
        kind = "observed_many"
    return text(f"graph.meaning.{kind}", arrives=arrives, numbers=Text(" and ".join(numbers), "、".join(numbers)))


def feedback(graph: Graph) -> str:
    """What kind of feedback reaches the output: label, through (the reward), observed, stopped, or own."""
    symbol = {node.name: node.symbol for node in graph.nodes}
    travelled = {symbol[edge.source] for edge in graph.edges if edge.travels}
    if "reward" in travelled:
        return "through"
    objective = {edge.source for edge in graph.edges if symbol[edge.target] == "objective" and edge.travels}
    if any(node.symbol == "reward" and node.hangs for node in graph.nodes):
        return "observed" if {symbol[name] for name in objective} == {"logp"} else "stopped"
    label = any(edge.source == "t" and edge.passes and symbol[edge.target] in {*travelled, "objective"}
                for edge in graph.edges)  # fmt: skip
    return "label" if label else "own"


def stopped(graph: Graph) -> list[str]:
    """What the objective reads as mere numbers."""
    symbol = {node.name: node.symbol for node in graph.nodes}
    edges = (edge for edge in graph.edges if symbol[edge.target] == "objective" and edge.why == "stop")
    return [symbol[edge.source] for edge in edges]
