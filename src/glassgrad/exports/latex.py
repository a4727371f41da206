"""The formulas of an experiment as a LaTeX document: forward pass, loss, chain rule, update."""

import re
from collections.abc import Iterable, Iterator
from contextvars import copy_context
from dataclasses import replace

from glassgrad.experiment import Experiment
from glassgrad.exports.chain import Chain, Equation, share
from glassgrad.exports.outputs import for_all_outputs
from glassgrad.formula.derivative import derivative
from glassgrad.formula.latex import latex, latex_name, latex_number
from glassgrad.formula.lines import Line
from glassgrad.formula.parser import parse
from glassgrad.formula.simplify import ONE
from glassgrad.formula.tree import Symbol, Tree, substitute
from glassgrad.locale import Language, language, say, set_language
from glassgrad.method import TRIED, Formula, Method, method
from glassgrad.network import Network
from glassgrad.tables.experiments import BY_NAME

__all__ = ["latex_text"]

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
    chinese = language() == "zh"
    shipped = BY_NAME.get(experiment.name)
    title = f"{experiment.name}: {getattr(shipped.title, language())}" if shipped else experiment.name
    sections = (
        ("latex.forward", _network(of, experiment.dropout)),
        ("latex.loss", _loss(of)),
        ("latex.backward", _backward(of, experiment.dropout)),
        ("latex.update", _update(of, experiment.clip)),
        ("latex.numbers", _numbers(of)),
    )
    return _DOCUMENT.format(
        how="xelatex" if chinese else "pdflatex",
        kind="ctexart" if chinese else "article",
        title=escaped(title),
        note=" ".join(_note(of)),
        body="\n".join(_section(say(key), list(equations)) for key, equations in sections),
    )


def _note(of: Method) -> Iterator[str]:
    yield say("latex.note")
    if of.network.parts > 1:
        yield say("latex.apart")
    if of.tried:
        yield say("latex.tried", tried=latex_name(f"{of.program.latest[TRIED]}_k"))


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


def _one_network(of: Method) -> Method:
    """Where networks are apart, the method with one of them."""
    if of.network.parts == 1:
        return of
    inputs, *hidden, outputs = of.network.sizes
    return replace(of, network=Network((inputs, *(units // outputs for units in hidden), 1), of.network.learned))


def _each_network(of: Method, equations: Iterable[Equation]) -> Iterator[Equation]:
    """Equations of one of several networks that are apart: its numbers with the network's own number above."""
    for equation in equations:
        if of.network.parts == 1:
            yield equation
            continue
        left, right = (re.sub(r"(?<![A-Za-z])([zaWb]|\\mathrm{mask})_{", r"\1^{(k)}_{", side) for side in equation)
        yield re.sub(r"\bo\b", "o_{k}", left), re.sub(r"\bo\b", "o_{k}", right)


def _unit(of: Method, layer: int) -> str:
    """The index of a layer's units: i; 1 where there is one, k where they are the outputs."""
    units = of.network.sizes[layer]
    return "1" if units == 1 else "k" if layer == of.network.last else "i"


def _output(of: Method) -> str:
    return "o" if of.network.outputs == 1 else "o_{k}"


def _indexed(of: Method, letter: str, layer: int) -> str:
    """z_{1,i}, or z_{2} for the one output."""
    unit = _unit(of, layer)
    single = letter == "z" and layer == of.network.last and unit == "1"
    return f"{letter}_{{{layer}}}" if single else f"{letter}_{{{layer},{'i' if unit == '1' else unit}}}"


def _sum_symbol(of: Method, layer: int) -> str:
    """The same sum as a name of the language."""
    if layer < of.network.last:
        return f"z{layer}_i"
    return f"z{layer}" if of.network.outputs == 1 else f"z{layer}_k"


def _activation(of: Method, layer: int) -> Tree:
    """A layer's activation, of z1_i or z2."""
    last = layer == of.network.last
    formula = of.output_activation if last else of.activation
    return substitute(formula.in_layer(layer), {"z": Symbol(_sum_symbol(of, layer))})


def _slope(of: Method, layer: int, name: str = "z") -> Tree:
    """Its derivative, in its sum or in a number that it learns."""
    return derivative(_activation(of, layer), _sum_symbol(of, layer) if name == "z" else name)


def _network(of: Method, dropout: float) -> Iterator[Equation]:
    """From the inputs to the output, or to all of them."""
    yield from Chain(for_all_outputs(of)).before()
    *before, (left, right) = _each_network(of, _forward(_one_network(of), dropout))
    yield from before
    several = rf" \quad (k = 1, \dots, {of.network.outputs})" if of.network.outputs > 1 else ""
    yield left, right + several


def _mask(layer: int) -> str:
    """What dropout multiplies an activation by."""
    return rf"\mathrm{{mask}}_{{{layer},i}}"


def _forward(of: Method, dropout: float) -> Iterator[Equation]:
    network, (w, b) = of.network, (r"\tilde{W}", r"\tilde{b}") if of.tried else "Wb"
    for layer in network.layers:
        below = "x_{j}" if layer == 1 else f"a_{{{layer - 1},j}}"
        unit = _unit(of, layer)
        weight = f"{w}_{{{layer},{unit},j}}"
        total = rf"\sum_{{j=1}}^{{{network.sizes[layer - 1]}}} {weight}\,{below} + {b}_{{{layer},{unit}}}"
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
    yield _output(of), latex(_activation(of, network.last))


def _lines(lines: tuple[Line, ...]) -> Iterator[Equation]:
    for line in lines:
        yield latex_name(line.name), latex(line.tree)


def _loss(of: Method) -> Iterator[Equation]:
    if of.task.truth:
        yield "t", latex(parse(of.task.truth))
    yield from Chain(for_all_outputs(of)).forward()
    mean = rf"\frac{{1}}{{n}} \sum {latex_name('objective')}"
    yield "L", mean + (rf" + \sum_{{w}} {_bracketed(of.regulariser.tree)}" if of.regulariser else "")


def _backward(of: Method, dropout: float) -> Iterator[Equation]:
    """From dL/do of a sample down to each weight; the gradient of a weight is the mean over the samples."""
    lines = list(Chain(for_all_outputs(of)).backward())
    if of.tried:
        yield from _to_the_weights(of, lines)
        return
    several = _output(of)
    yield from lines if of.backward else [(share(several), "0")]
    yield from _each_network(of, _through_layers(_one_network(of), dropout, "k" if of.network.parts == 1 else "l"))


def _to_the_weights(of: Method, lines: list[Equation]) -> Iterator[Equation]:
    """Where weights are perturbed: the lines themselves lead to each of them, w_k; a bias costs nothing."""
    gradient = share(latex_name("w_k"))
    *before, (last, arriving) = lines or [("", "")]
    yield from lines if last != gradient else before
    arriving = arriving if last == gradient else "0"
    extra = rf" + \left[w_{{k}} \in W\right]\,\left({_cost(of.regulariser, 'w_k')}\right)" if of.regulariser else ""
    yield gradient, arriving + extra


def _through_layers(of: Method, dropout: float, unit_above: str) -> Iterator[Equation]:
    """From dL/do down to each weight. unit_above: the index of the units of the layer above."""
    network, o = of.network, _output(of)
    yield share(_indexed(of, "z", network.last)), _product(share(o), _slope(of, network.last))
    yield from _learned(of, network.last, share(o))
    for layer in reversed(network.layers):
        z = _indexed(of, "z", layer)
        if layer < network.last:
            one = layer + 1 == network.last and network.outputs == 1
            k = "1" if one else unit_above
            above = _indexed(of, "z", network.last) if one else f"z_{{{layer + 1},{k}}}"
            total = rf"{share(above)}\,W_{{{layer + 1},{k},i}}"
            yield share(f"a_{{{layer},i}}"), total if one else rf"\sum_{{{k}}} {total}"
            arriving = share(f"a_{{{layer},i}}") + (rf" \cdot {_mask(layer)}" if dropout else "")
            yield share(z), _product(arriving, _slope(of, layer))
            yield from _learned(of, layer, arriving)
        unit = _unit(of, layer)
        below = "x_{j}" if layer == 1 else f"a_{{{layer - 1},j}}"
        extra = f" + {_cost(of.regulariser, f'W{layer}_{unit}_j')}" if of.regulariser else ""
        yield share(f"W_{{{layer},{unit},j}}"), rf"\mathrm{{mean}}\left({share(z)}\,{below}\right){extra}"
        yield share(f"b_{{{layer},{unit}}}"), rf"\mathrm{{mean}}\left({share(z)}\right)"


def _cost(regulariser: Formula, weight: str) -> str:
    """The derivative of what a weight costs."""
    slope = derivative(regulariser.tree, "w")
    return latex(substitute(slope, {"w": Symbol(weight)}))


def _product(arriving: str, slope: Tree) -> str:
    """What arrives, times the activation's own slope."""
    return arriving if slope == ONE else rf"{arriving} \cdot {_bracketed(slope)}"


def _learned(of: Method, layer: int, arriving: str) -> Iterator[Equation]:
    """The gradients of the numbers that a layer's activation learns: all of its units share them."""
    units = rf"\sum_{{{_unit(of, layer)}}} " if of.network.sizes[layer] > 1 else ""
    for name in of.network.learned_in(layer):
        slope = _product(arriving, _slope(of, layer, f"{name}{layer}"))
        yield share(latex_name(f"{name}{layer}")), rf"\mathrm{{mean}}\left({units}{slope}\right)"


def _bracketed(tree: Tree) -> str:
    text = latex(tree)
    return text if isinstance(tree, Symbol) or text.startswith(r"\left[") else rf"\left({text}\right)"


def _update(of: Method, clip: float | None) -> Iterator[Equation]:
    length = rf"\left\lVert \nabla L \right\rVert + {latex_number(1e-6)}"
    shorter = "" if clip is None else rf" \cdot \min\left(1, \frac{{{latex_number(clip)}}}{{{length}}}\right)"
    yield "g", share("w") + shorter
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
