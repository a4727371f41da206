"""The formulas of an experiment as a LaTeX document: forward pass, loss, chain rule, update."""

import re
from collections.abc import Iterator
from contextvars import copy_context

from glassgrad.experiment import Experiment
from glassgrad.formula.derivative import derivative
from glassgrad.formula.latex import latex, latex_name, latex_number
from glassgrad.formula.lines import Line
from glassgrad.formula.parser import parse
from glassgrad.formula.simplify import ONE
from glassgrad.formula.tree import Symbol, Tree, substitute
from glassgrad.locale import Language, language, say, set_language
from glassgrad.method import Formula, Method, check_one_output, method
from glassgrad.tables.experiments import BY_NAME

__all__ = ["latex_text"]

Equation = tuple[str, str]
"""Left and right side."""

_DOCUMENT = r"""% {how}
\documentclass{{{kind}}}
\usepackage{{amsmath}}
\title{{{title}}}
\author{{}}
\date{{}}
\begin{{document}}
\maketitle
{note}
{body}
\end{{document}}
"""


def latex_text(experiment: Experiment, *, lang: Language | None = None) -> str:
    """A document of its own, for `pdflatex` in English and for `xelatex` in Chinese.

    Raises:
        FormulaError, ExperimentError, DataError: the experiment cannot be run.

    Example:
        >>> from glassgrad.tables.experiments import shipped
        >>> r"\\frac{\\partial L}{\\partial o} &= 2" in latex_text(shipped("add"))
        True
    """

    def written() -> str:
        set_language(lang or language())
        return _document(experiment, method(experiment))

    return copy_context().run(written)


def _document(experiment: Experiment, of: Method) -> str:
    check_one_output(of, "--to latex")
    chinese = language() == "zh"
    shipped = BY_NAME.get(experiment.name)
    title = f"{experiment.name}: {getattr(shipped.title, language())}" if shipped else experiment.name
    sections = (
        ("latex.forward", _forward(of, experiment.dropout)),
        ("latex.loss", _loss(of)),
        ("latex.backward", _backward(of, experiment.dropout)),
        ("latex.update", _update(of, experiment.clip)),
        ("latex.numbers", _numbers(of)),
    )
    return _DOCUMENT.format(
        how="xelatex" if chinese else "pdflatex",
        kind="ctexart" if chinese else "article",
        title=escaped(title),
        note=say("latex.note"),
        body="\n".join(_section(say(key), list(equations)) for key, equations in sections),
    )


def _section(heading: str, equations: list[Equation]) -> str:
    if not equations:
        return ""
    rows = " \\\\\n".join(f"{left} &= {right}" for left, right in equations)
    return f"\n\\section{{{heading}}}\n\\begin{{align*}}\n{rows}\n\\end{{align*}}"


def escaped(text: str) -> str:
    r"""A text for LaTeX: what is special there stands for itself.

    Example:
        >>> escaped("50 % of a_1")
        '50 \\% of a\\_1'
    """
    names = {"\\": r"\textbackslash{}", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}"}
    return re.sub(r"[\\^~&%$#_{}]", lambda found: names.get(found[0], "\\" + found[0]), " ".join(text.split()))


def _indexed(of: Method, letter: str, layer: int) -> str:
    """z_{1,i}, or z_{2} for the one output."""
    single = letter == "z" and layer == of.network.last and of.network.sizes[layer] == 1
    return f"{letter}_{{{layer}}}" if single else f"{letter}_{{{layer},i}}"


def _activation(of: Method, layer: int) -> Tree:
    """A layer's activation, of z1_i or z2."""
    last = layer == of.network.last
    formula, z = (of.output_activation, of.network.sum_name(layer, 0)) if last else (of.activation, f"z{layer}_i")
    return substitute(formula.in_layer(layer), {"z": Symbol(z)})


def _slope(of: Method, layer: int, name: str = "z") -> Tree:
    """Its derivative, in its sum or in a number that it learns."""
    if name == "z":
        name = of.network.sum_name(layer, 0) if layer == of.network.last else f"z{layer}_i"
    return derivative(_activation(of, layer), name)


def _mask(layer: int) -> str:
    """What dropout multiplies an activation by."""
    return rf"\mathrm{{mask}}_{{{layer},i}}"


def _forward(of: Method, dropout: float) -> Iterator[Equation]:
    network = of.network
    for layer in network.layers:
        below = "x_{j}" if layer == 1 else f"a_{{{layer - 1},j}}"
        unit = "1" if network.sizes[layer] == 1 else "i"
        weight = f"W_{{{layer},{unit},j}}"
        total = rf"\sum_{{j=1}}^{{{network.sizes[layer - 1]}}} {weight}\,{below} + b_{{{layer},{unit}}}"
        yield _indexed(of, "z", layer), total
        if layer < network.last:
            activation = _activation(of, layer)
            dropped = rf"{_bracketed(activation)} \cdot {_mask(layer)}"
            yield _indexed(of, "a", layer), dropped if dropout else latex(activation)
    if dropout:
        kept = latex_number(1 - dropout)
        yield (
            r"\mathrm{mask}",
            rf"\left\{{0, \tfrac{{1}}{{{kept}}}\right\}} \quad (P = {latex_number(dropout)}, {kept})",
        )
    yield "o", latex(_activation(of, network.last))


def _lines(lines: tuple[Line, ...]) -> Iterator[Equation]:
    for line in lines:
        yield latex_name(line.name), latex(line.tree)


def _loss(of: Method) -> Iterator[Equation]:
    if of.task.truth:
        yield "t", latex(parse(of.task.truth))
    yield from _lines(of.program.lines)
    mean = rf"\frac{{1}}{{n}} \sum {latex_name('objective')}"
    yield "L", mean + (rf" + \sum_{{w}} {_bracketed(of.regulariser.tree)}" if of.regulariser else "")


def _backward(of: Method, dropout: float) -> Iterator[Equation]:
    """From dL/do of a sample down to each weight; the gradient of a weight is the mean over the samples."""
    network = of.network
    yield from _lines(of.backward) if of.backward else [(_share("o"), "0")]
    yield _share(_indexed(of, "z", network.last)), _product(_share("o"), _slope(of, network.last))
    yield from _learned(of, network.last, _share("o"))
    for layer in reversed(network.layers):
        z = _indexed(of, "z", layer)
        if layer < network.last:
            above = _indexed(of, "z", layer + 1).replace("i", "k")
            weight = f"W_{{{layer + 1},k,i}}" if "k" in above else f"W_{{{layer + 1},1,i}}"
            total = rf"{_share(above)}\,{weight}"
            yield _share(f"a_{{{layer},i}}"), rf"\sum_{{k}} {total}" if "k" in above else total
            arriving = _share(f"a_{{{layer},i}}") + (rf" \cdot {_mask(layer)}" if dropout else "")
            yield _share(z), _product(arriving, _slope(of, layer))
            yield from _learned(of, layer, arriving)
        unit = "1" if network.sizes[layer] == 1 else "i"
        below = "x_{j}" if layer == 1 else f"a_{{{layer - 1},j}}"
        extra = f" + {_cost(of.regulariser, f'W{layer}_{unit}_j')}" if of.regulariser else ""
        yield _share(f"W_{{{layer},{unit},j}}"), rf"\mathrm{{mean}}\left({_share(z)}\,{below}\right){extra}"
        yield _share(f"b_{{{layer},{unit}}}"), rf"\mathrm{{mean}}\left({_share(z)}\right)"


def _cost(regulariser: Formula, weight: str) -> str:
    """The derivative of what a weight costs."""
    slope = derivative(regulariser.tree, "w")
    return latex(substitute(slope, {"w": Symbol(weight)}))


def _share(name: str) -> str:
    return rf"\frac{{\partial L}}{{\partial {name}}}"


def _product(arriving: str, slope: Tree) -> str:
    """What arrives, times the activation's own slope."""
    return arriving if slope == ONE else rf"{arriving} \cdot {_bracketed(slope)}"


def _learned(of: Method, layer: int, arriving: str) -> Iterator[Equation]:
    """The gradients of the numbers that a layer's activation learns: all of its units share them."""
    units = r"\sum_{i} " if of.network.sizes[layer] > 1 else ""
    for name in of.network.learned_in(layer):
        slope = _product(arriving, _slope(of, layer, f"{name}{layer}"))
        yield _share(latex_name(f"{name}{layer}")), rf"\mathrm{{mean}}\left({units}{slope}\right)"


def _bracketed(tree: Tree) -> str:
    text = latex(tree)
    return text if isinstance(tree, Symbol) or text.startswith(r"\left[") else rf"\left({text}\right)"


def _update(of: Method, clip: float | None) -> Iterator[Equation]:
    length = rf"\left\lVert \nabla L \right\rVert + {latex_number(1e-6)}"
    shorter = "" if clip is None else rf" \cdot \min\left(1, \frac{{{latex_number(clip)}}}{{{length}}}\right)"
    yield "g", _share("w") + shorter
    yield from _lines(of.optimizer_program.lines)


def _numbers(of: Method) -> Iterator[Equation]:
    """The settings that the formulas name."""
    found = {**of.activation.numbers, **of.output_activation.numbers, **of.numbers, **of.optimizer.numbers}
    found |= of.regulariser.numbers if of.regulariser else {}
    for name, value in found.items():
        yield latex_name(name), latex_number(float(value))
    for name, start in of.network.starts().items():
        yield f"{latex_name(name)}^{{(0)}}", latex_number(start)
    for program in (of.program, of.optimizer_program):
        for name, first in program.states.items():
            yield f"{latex_name(name)}^{{(0)}}", latex(first)
