"""The computation graph of a step: which number reads which, and along which of these edges a derivative comes back.

It is made from the formulas alone: an edge lets the derivative pass if the formula's derivative is not 0.
"""

from glassgrad.graph.build import graph
from glassgrad.graph.meaning import meaning
from glassgrad.graph.model import Edge, Graph, Node, Why, chosen
from glassgrad.graph.svg import graph_svg
from glassgrad.graph.text import graph_text

__all__ = ["Edge", "Graph", "Node", "Why", "chosen", "graph", "graph_svg", "graph_text", "meaning"]
