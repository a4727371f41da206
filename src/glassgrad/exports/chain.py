"""The lines from the outputs to the loss as LaTeX, forward and back; several outputs at once: o_k, sums over k."""

from collections.abc import Iterator

from glassgrad.exports.outputs import levels_of, over_outputs
from glassgrad.formula.adjoint import through
from glassgrad.formula.derivative import derivative
from glassgrad.formula.functions import BELOW
from glassgrad.formula.latex import latex, latex_name
from glassgrad.formula.lines import Line
from glassgrad.formula.outputs import INDEX
from glassgrad.formula.simplify import ONE, ZERO, add, multiply
from glassgrad.formula.tree import Apply, Number, Symbol, Tree, negative, substitute, symbols
from glassgrad.method import Method

Equation = tuple[str, str]
"""Left and right side."""

RESULT = "objective"


def share(name: str) -> str:
    """The derivative of L by what has this name in LaTeX."""
    return rf"\frac{{\partial L}}{{\partial {name}}}"


class Chain:
    """The lines of a method, one for all outputs, and the chain rule back through them.

    of: as `for_all_outputs` gives it.

    Example:
        >>> from glassgrad.exports.outputs import for_all_outputs
        >>> from glassgrad.experiment import Experiment
        >>> from glassgrad.method import method
        >>> experiment = Experiment("mine", network=(2, 3), policy="a = o1", objective="sum((o - t)**2)")
        >>> for left, right in Chain(for_all_outputs(method(experiment))).backward():
        ...     print(left, "=", right)
        \\frac{\\partial L}{\\partial o_{k}} = 2\\,\\left(o_{k} - t\\right)
    """

    def __init__(self, of: Method) -> None:
        self.of, self.lines, self.levels = of, of.program.lines, levels_of(of)
        self.found: dict[str, Line] = {}

    def forward(self) -> Iterator[Equation]:
        """Each line."""
        for line in self.lines:
            inner = over_outputs(line.tree, self.levels)
            yield self.name(line.name), self.tree(line.tree) if inner is None else self.over(line.tree, inner)

    def backward(self) -> Iterator[Equation]:
        """The derivative of L by each line that moves it, from the last back to the outputs."""
        for name, alike, summed in self.slopes():
            yield share(self.name(name)), self.terms(alike, summed, mean=self.levels[name] == "step")

    def slopes(self) -> Iterator[tuple[str, Tree, Tree]]:
        """Each line's name, and what arrives there: as it stands, and what is summed over k."""
        last = ("o",) if any("o" in symbols(line.tree) for line in self.lines) else self.of.outputs
        for name in (*(line.name for line in reversed(self.lines)), *last):
            if name == RESULT:
                continue
            alike, summed = self.arriving(name)
            if name == "o" and len(self.of.outputs) > 1:
                alike = add((alike, *(self.one(k) for k in range(len(self.of.outputs)))))
            if (alike, summed) != (ZERO, ZERO):
                self.found[name] = Line(f"d{name}", alike, self.levels[name])
                yield name, alike, summed

    def one(self, output: int) -> Tree:
        """What arrives at one output by its own name, as a share of what arrives at o_k: [k = 1]*…"""
        alike, summed = self.arriving(self.of.outputs[output])
        over_l = Symbol(rf"\sum_{{l}} {_bracketed(self.tree(summed, 'l'), summed)}")
        total = add((alike, *([over_l] if summed != ZERO else [])))
        return multiply((Symbol(rf"\left[k = {output + 1}\right]"), total)) if total != ZERO else ZERO

    def arriving(self, name: str) -> tuple[Tree, Tree]:
        """What reaches a name through all lines that read it: as it stands, and what is summed over k."""
        alike: list[Tree] = []
        summed: list[Tree] = []
        for line in self.lines:
            if name not in symbols(line.tree) or not (line.name == RESULT or line.name in self.found):
                continue
            if line.level != "output" and over_outputs(line.tree, self.levels) is None:
                alike.append(through(line, name, RESULT, self.found, self.levels) or ZERO)
            else:
                (alike if self.levels[name] == "output" else summed).append(self.through(line, name))
        return add(alike), add(summed)

    def through(self, line: Line, name: str) -> Tree:
        """What reaches a name through a line over the outputs, or with a value for each, at output k."""
        arriving: Tree = ONE if line.name == RESULT else Symbol(f"d{line.name}")
        inner = over_outputs(line.tree, self.levels)
        if inner is None or not isinstance(line.tree, Apply):
            return multiply((arriving, derivative(line.tree, name)))
        factors = [arriving, derivative(inner, name)]
        if line.tree.function == BELOW:
            above = share(self.name(line.name, "l"))
            factors[0] = Symbol(rf"\left(\sum_{{l>k}} {above}\right)")
        elif line.tree.function in ("max", "min"):
            of = rf"\arg\{line.tree.function}_{{l}} {_bracketed(self.tree(inner, 'l'), inner)}"
            factors.append(Symbol(rf"\left[k = {of}\right]"))
        return multiply(factors)

    def over(self, tree: Tree, inner: Tree) -> str:
        """An aggregate over the outputs."""
        assert isinstance(tree, Apply)
        k, sign = ("l", r"\sum_{l<k}") if tree.function == BELOW else ("k", rf"\{tree.function}_{{k}}")
        return f"{sign} {_bracketed(self.tree(inner, k), inner)}"

    def terms(self, alike: Tree, summed: Tree, mean: bool) -> str:
        """A sum of both kinds; mean: what is summed over k is that of many samples."""
        found = self.tree(alike) if alike != ZERO else ""
        if summed == ZERO:
            return found
        text = self.tree(summed)
        minus = text.startswith("-") and not _is_sum(summed)
        text = rf"\sum_{{k}} {text[1:] if minus else _bracketed(text, summed)}"
        text = rf"\mathrm{{mean}}\left({text}\right)" if mean else text
        return f"{found} {'-' if minus else '+'} {text}" if found else f"-{text}" if minus else text

    def name(self, name: str, k: str = "k") -> str:
        """A line's name, with the index that it has."""
        return latex_name(self.indexed(name, k))

    def indexed(self, name: str, k: str) -> str:
        stem = name.removesuffix("_new")
        return f"{stem}_{k}" + name[len(stem) :] if self.levels.get(name) == "output" else name

    def tree(self, tree: Tree, k: str = "k") -> str:
        """A formula at output k."""
        known: dict[str, Tree] = {name: Symbol(self.indexed(name, k)) for name in symbols(tree)}
        known |= {f"d{name}": Symbol(share(self.name(name, k))) for name in self.found}
        return latex(substitute(tree, known | {INDEX: Apply("+", (Symbol(k), negative(Number(1.0))))}))


def _bracketed(text: str, tree: Tree) -> str:
    return rf"\left({text}\right)" if _is_sum(tree) or text.startswith("-") else text


def _is_sum(tree: Tree) -> bool:
    return isinstance(tree, Apply) and tree.function == "+"
