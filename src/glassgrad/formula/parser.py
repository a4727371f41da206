"""From text to a formula: Python's own `ast` reads it, a white list admits it, nothing is evaluated.

Whatever is not in the language is refused with its position, what was expected, and the nearest known name.
"""

import ast
import math
from collections.abc import Collection

from glassgrad.errors import FormulaError
from glassgrad.formula.functions import AGGREGATES, CALLABLE, CONSTANTS, FUNCTIONS
from glassgrad.formula.spelling import (
    MAX_DEPTH,
    MAX_LENGTH,
    check_spelling,
    hint,
    nearest_function,
    nearest_name,
)
from glassgrad.formula.tree import Apply, Number, Symbol, Tree, chain, negative

__all__ = ["MAX_DEPTH", "MAX_LENGTH", "parse"]

_OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**",
}  # fmt: skip
_COMPARISONS: dict[type[ast.AST], str] = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip


def parse(formula: str, names: Collection[str] | None = None, more: Collection[str] = ()) -> Tree:
    """Read a formula.

    formula: at most 2,000 characters, nested at most 50 deep; line ends count as spaces.
    names: the symbols that it may use; None admits every name. more: functions of one argument beside those that are
        known everywhere.

    Raises:
        FormulaError: it is no formula of the language; with the position and the nearest known name.

    Example:
        >>> parse("2*(o - t)", names=("o", "t")).function
        '*'
    """
    check_spelling(formula)
    # Wrapped in brackets, so that leading spaces do not matter and a column is a position counted from 1.
    source = f"({formula})".translate({9: " ", 10: " ", 13: " "})
    try:
        body = ast.parse(source, mode="eval").body
    except SyntaxError as error:
        raise _syntax_error(formula, (error.offset or 1) - 1) from None
    except (RecursionError, MemoryError):  # thousands of signs before one number
        raise FormulaError("formula.too_deep", formula=formula, position=1, most=MAX_DEPTH) from None
    return _Reader(formula, names, more).read(body, 0)


def _syntax_error(formula: str, position: int) -> FormulaError:
    """A single = is the commonest slip; the rest is something too much or too little."""
    bare = formula.translate({ord(sign): " " for sign in "<>!"}).replace("==", "  ")
    if "=" in bare:
        return FormulaError("formula.assignment", formula=formula, position=bare.index("=") + 1)
    return FormulaError("formula.syntax", formula=formula, position=min(max(position, 1), len(formula)))


class _Reader:
    """Turns Python's tree into ours, node by node; anything not named here is refused."""

    def __init__(self, formula: str, names: Collection[str] | None, more: Collection[str]) -> None:
        self.formula = formula
        self.names = names
        self.more = more

    def error(self, node: ast.expr, key: str, **values: object) -> FormulaError:
        position = min(max(node.col_offset, 1), len(self.formula))
        return FormulaError(key, formula=self.formula, position=position, **values)

    def piece(self, node: ast.expr, most: int = 30) -> str:
        """What the reader wrote, as far as it belongs to a node."""
        written = self.formula[max(node.col_offset - 1, 0) : (node.end_col_offset or 0) - 1].strip()
        return written if len(written) <= most else written[: most - 1] + "…"

    def read(self, node: ast.expr, depth: int) -> Tree:
        if depth > MAX_DEPTH:
            raise self.error(node, "formula.too_deep", most=MAX_DEPTH)
        match node:
            case ast.Constant(value=int() | float() as value):
                return self.number(node, value)
            case ast.Name():
                return self.symbol(node)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return negative(self.read(operand, depth + 1))
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.read(operand, depth + 1)
            case ast.BinOp():
                return self.operation(node, depth)
            case ast.Compare():
                raise self.error(node, "formula.comparison", came=self.piece(node))
            case ast.List(elts=[ast.Compare() as compare]):  # [a > 0]: 1 where it holds, else 0
                return Apply("where", (self.comparison(compare, depth + 1), Number(1.0), Number(0.0)))
            case ast.List():
                raise self.error(node, "formula.square_brackets", came=self.piece(node))
            case ast.Call(func=ast.Name(id=name)):
                return self.call(node, name, depth)
        raise self.error(node, "formula.not_allowed", came=self.piece(node))

    def number(self, node: ast.expr, written: float) -> Number:
        try:
            value = float(written)
        except OverflowError:  # a whole number of more than 308 digits
            value = math.inf
        if not math.isfinite(value):
            raise self.error(node, "formula.too_large")
        return Number(value)

    def symbol(self, node: ast.Name) -> Tree:
        name = node.id
        if name in CALLABLE or name in self.more:
            raise self.error(node, "formula.function_alone", name=name)
        if self.names is None or name in self.names or name in CONSTANTS:
            return Symbol(name)
        if not self.names:
            raise self.error(node, "formula.numbers_only", name=name)
        near = nearest_name(name, (*self.names, *CONSTANTS))
        raise self.error(node, "formula.unknown_name", name=name, known=", ".join(self.names), hint=hint(near))

    def operation(self, node: ast.BinOp, depth: int) -> Tree:
        """A chain of operators from the left; a + b + c is one sum and one level, a / b / c two."""
        spine: list[ast.BinOp] = []
        innermost: ast.expr = node
        while isinstance(innermost, ast.BinOp):
            spine.append(innermost)
            innermost = innermost.left
        tree = self.read(innermost, depth + 1)
        for link in reversed(spine):
            grown = self.joined(link, tree, self.read(link.right, depth + 1))
            flat = isinstance(tree, Apply) and isinstance(grown, Apply) and tree.function == grown.function in "+*"
            depth += not flat
            if depth > MAX_DEPTH:
                raise self.error(link, "formula.too_deep", most=MAX_DEPTH)
            tree = grown
        return tree

    def joined(self, node: ast.BinOp, left: Tree, right: Tree) -> Tree:
        name = _OPERATORS.get(type(node.op))
        if name is None:
            raise self.error(node, "formula.not_allowed", came=self.piece(node))
        if name == "-":
            return chain("+", (left, negative(right)))
        return chain(name, (left, right)) if name in "+*" else Apply(name, (left, right))

    def comparison(self, node: ast.Compare, depth: int) -> Tree:
        if len(node.ops) != 1:
            raise self.error(node, "formula.one_comparison", came=self.piece(node))
        name = _COMPARISONS[type(node.ops[0])]
        return Apply(name, (self.read(node.left, depth + 1), self.read(node.comparators[0], depth + 1)))

    def call(self, node: ast.Call, name: str, depth: int) -> Tree:
        if name not in CALLABLE and name not in self.more:
            near = nearest_function(name, self.names or ())
            raise self.error(node, "formula.unknown_function", name=name, hint=hint(near))
        if node.keywords or any(isinstance(argument, ast.Starred) for argument in node.args):
            raise self.error(node, "formula.keywords", name=name)
        count = len(node.args)
        if (name in AGGREGATES or name in self.more) and count == 1:
            return Apply(name, (self.read(node.args[0], depth + 1),))
        if name not in FUNCTIONS or count != FUNCTIONS[name].arity:
            expected = FUNCTIONS[name].arity if name in FUNCTIONS else 1
            raise self.error(node, "formula.arity", name=name, expected=expected, came=count)
        if name != "where":
            return Apply(name, tuple(self.read(argument, depth + 1) for argument in node.args))
        condition, *sides = node.args
        if not isinstance(condition, ast.Compare):
            raise self.error(condition, "formula.condition", came=self.piece(condition))
        chosen = self.comparison(condition, depth + 1)
        return Apply("where", (chosen, *(self.read(side, depth + 1) for side in sides)))
