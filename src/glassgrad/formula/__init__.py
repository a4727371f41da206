"""The language of formulas: read, shown, differentiated, evaluated; each formula is written once."""

from glassgrad.formula.derivative import derivative
from glassgrad.formula.evaluate import evaluate
from glassgrad.formula.latex import latex
from glassgrad.formula.lines import Line, Program, read_lines
from glassgrad.formula.parser import parse
from glassgrad.formula.text import show
from glassgrad.formula.tree import Apply, Number, Symbol, Tree, symbols

__all__ = [
    "Apply",
    "Line",
    "Number",
    "Program",
    "Symbol",
    "Tree",
    "derivative",
    "evaluate",
    "latex",
    "parse",
    "read_lines",
    "show",
    "symbols",
]
