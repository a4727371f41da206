"""The table of functions: one row a function: value, derivatives, LaTeX, and what happens at its kinks.

The derivatives are formulas of the same language, in the arguments `a`, `b`. Kinks, ties and edges are
PyTorch's, said in the row. `B` is the backend that computes: NumPy or PyTorch, under NumPy's names.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from glassgrad.locale import Text

Array = Any  # a NumPy array, a PyTorch tensor, or a Python float


@dataclass(frozen=True)
class Function:
    """One function of the language.

    name: as it is written in a formula, or its operator.
    value: computes it, given a backend and its arguments.
    derivatives: for each argument a formula in `a`, `b`; empty where the derivative picks a side (where,
        max, min).
    latex: a template in {a}, {b}, {c}.
    edge: what it does at its kinks and limits.
    """

    name: str
    value: Callable[..., Array]
    derivatives: tuple[str, ...] = ()
    latex: str = ""
    edge: Text | None = None
    arity: int = 1


ARITHMETIC = (
    Function("+", lambda B, *terms: B.total(terms)),
    Function("*", lambda B, *terms: B.product(terms)),
    Function("neg", lambda B, a: -a, ("-1",), "-{a}"),
    Function("/", lambda B, a, b: B.divide(a, b), ("1/b", "-a/b**2"), r"\frac{{{a}}}{{{b}}}", arity=2),
    Function(
        "**",
        lambda B, a, b: B.power(a, b),
        ("where(b == 0, 0, b*a**(b - 1))", "where(a == 0, where(b >= 0, 0, a**b*log(a)), a**b*log(a))"),
        "{{{a}}}^{{{b}}}",
        edge=Text(
            "`a**0` is 1, with derivative 0, for every a; in b the derivative of `0**b` is 0",
            "对任何 a，`a**0` 是 1，导数是 0；`0**b` 对 b 的导数是 0",
        ),
        arity=2,
    ),
)

COMPARISONS = (
    Function("<", lambda B, a, b: a < b, latex="{a} < {b}", arity=2),
    Function("<=", lambda B, a, b: a <= b, latex=r"{a} \le {b}", arity=2),
    Function(">", lambda B, a, b: a > b, latex="{a} > {b}", arity=2),
    Function(">=", lambda B, a, b: a >= b, latex=r"{a} \ge {b}", arity=2),
    Function("==", lambda B, a, b: a == b, latex="{a} = {b}", arity=2),
    Function("!=", lambda B, a, b: a != b, latex=r"{a} \ne {b}", arity=2),
)

CHOICES = (
    Function(
        "where",
        lambda B, c, a, b: B.where(c, a, b),
        edge=Text("the side not taken contributes nothing, NaN included", "没有选中的一侧不起任何作用，NaN 也不例外"),
        arity=3,
    ),
    Function(
        "max",
        lambda B, a, b: B.where((a >= b) | (a != a), a, b),
        latex=r"\max\left({a}, {b}\right)",
        edge=Text(
            "at a tie the first argument takes the derivative (torch.maximum gives half to each)",
            "相等时导数归第一个参数（torch.maximum 各给一半）",
        ),
        arity=2,
    ),
    Function(
        "min",
        lambda B, a, b: B.where((a <= b) | (a != a), a, b),
        latex=r"\min\left({a}, {b}\right)",
        edge=Text(
            "at a tie the first argument takes the derivative (torch.minimum gives half to each)",
            "相等时导数归第一个参数（torch.minimum 各给一半）",
        ),
        arity=2,
    ),
)

SMOOTH = (
    Function("exp", lambda B, a: B.exp(a), ("exp(a)",), r"e^{{{a}}}"),
    Function(
        "log",
        lambda B, a: B.log(a),
        ("1/a",),
        r"\ln\left({a}\right)",
        edge=Text("log(0) is -inf, log of a negative number NaN", "log(0) 是 -inf，负数的 log 是 NaN"),
    ),
    Function(
        "sqrt",
        lambda B, a: B.sqrt(a),
        ("1/(2*sqrt(a))",),
        r"\sqrt{{{a}}}",
        edge=Text("sqrt'(0) is infinite", "sqrt'(0) 是无穷大"),
    ),
    Function("tanh", lambda B, a: B.tanh(a), ("1 - tanh(a)**2",), r"\tanh\left({a}\right)"),
    Function(
        "sigmoid",
        lambda B, a: B.sigmoid(a),
        ("sigmoid(a)*(1 - sigmoid(a))",),
        r"\sigma\left({a}\right)",
        edge=Text(
            "finite at both ends: 1/(1 + exp(-a)) written out has the derivative NaN at a = -100",
            "两端都是有限的数：直接写 1/(1 + exp(-a))，在 a = -100 处导数是 NaN",
        ),
    ),
    Function(
        "softplus",
        lambda B, a: B.softplus(a),
        ("where(a > 20, 1, sigmoid(a))",),
        r"\mathrm{{softplus}}\left({a}\right)",
        edge=Text(
            "log(1 + exp(a)); above 20 it is a itself, as in nn.Softplus",
            "log(1 + exp(a))；超过 20 就是 a 本身，与 nn.Softplus 相同",
        ),
    ),
    Function("sin", lambda B, a: B.sin(a), ("cos(a)",), r"\sin\left({a}\right)"),
    Function("cos", lambda B, a: B.cos(a), ("-sin(a)",), r"\cos\left({a}\right)"),
    Function(
        "erf", lambda B, a: B.erf(a), ("1.1283791670955126*exp(-a**2)",), r"\mathrm{{erf}}\left({a}\right)"
    ),  # 2/√π
)

KINKED = (
    Function(
        "abs", lambda B, a: B.abs(a), ("sign(a)",), r"\left|{a}\right|", edge=Text("abs'(0) is 0", "abs'(0) 是 0")
    ),
    Function(
        "relu",
        lambda B, a: B.relu(a),
        ("[a > 0]",),
        r"\mathrm{{relu}}\left({a}\right)",
        edge=Text("relu'(0) is 0", "relu'(0) 是 0"),
    ),
    Function(
        "sign",
        lambda B, a: B.sign(a),
        ("0",),
        r"\mathrm{{sign}}\left({a}\right)",
        edge=Text("sign(0) is 0", "sign(0) 是 0"),
    ),
    Function(
        "round",
        lambda B, a: B.round(a),
        ("0",),
        r"\mathrm{{round}}\left({a}\right)",
        edge=Text("halves go to the even neighbour", "恰好一半时取偶数"),
    ),
)

CUTS = (
    Function(
        "stop",
        lambda B, a: B.stop(a),
        ("0",),
        r"\mathrm{{stop}}\left({a}\right)",
        edge=Text(
            "the value of a, the derivative 0: `.item()` or `.detach()` in PyTorch",
            "值是 a，导数是 0：即 PyTorch 的 `.item()` 或 `.detach()`",
        ),
    ),
    Function(
        "old",
        lambda B, a: B.stop(a),
        ("0",),
        r"\mathrm{{old}}\left({a}\right)",
        edge=Text(
            "the value of a when the data was collected, the derivative 0; with passes = 1 each step collects its own: "
            "stop(a)",
            "收集数据时 a 的值，导数是 0；passes = 1 时每一步都重新收集，所以等于 stop(a)",
        ),
    ),
)

FUNCTIONS: dict[str, Function] = {
    row.name: row for row in (*ARITHMETIC, *COMPARISONS, *CHOICES, *SMOOTH, *KINKED, *CUTS)
}


@dataclass(frozen=True)
class Aggregate:
    """A function that reads all samples (or, in an optimizer, all parameters) and gives one number a step.

    share: what a sample's term receives of the result's derivative `d`, times the number of samples: a
        formula in `d`, the term `a` and the result `f`.
    each: True where the result still differs from sample to sample (`others`, and all that read one group).
    """

    name: str
    value: Callable[..., Array]
    share: str
    latex: str
    each: bool = False


AGGREGATES: dict[str, Aggregate] = {
    row.name: row
    for row in (
        Aggregate("mean", lambda B, a: B.mean(a), "d", r"\mathrm{{mean}}\left({a}\right)"),
        Aggregate("sum", lambda B, a: B.sum(a), "d*count(a)", r"\sum\left({a}\right)"),
        Aggregate("max", lambda B, a: B.amax(a), "d*[a == f]/mean([a == f])", r"\max\left({a}\right)"),
        Aggregate("min", lambda B, a: B.amin(a), "d*[a == f]/mean([a == f])", r"\min\left({a}\right)"),
        Aggregate(
            "std",
            lambda B, a: B.std(a),
            "d*count(a)*(a - mean(a))/((count(a) - 1)*f)",
            r"\mathrm{{std}}\left({a}\right)",
        ),
        Aggregate(
            "norm",
            lambda B, a: B.norm(a),
            "where(f == 0, 0, d*count(a)*a/f)",
            r"\left\lVert {a} \right\rVert",
        ),
        Aggregate("count", lambda B, a: B.count(a), "0", r"\mathrm{{count}}\left({a}\right)"),
        Aggregate("others", lambda B, a: B.others(a), "others(d)", r"\mathrm{{others}}\left({a}\right)", each=True),
        Aggregate(
            "group_mean",
            lambda B, a: B.group_mean(a),
            "group_mean(d)",
            r"\mathrm{{mean}}_{{g}}\left({a}\right)",
            each=True,
        ),
        Aggregate(
            "group_std",
            lambda B, a: B.group_std(a),
            "group_mean(d)*(a - group_others(a))/f",
            r"\mathrm{{std}}_{{g}}\left({a}\right)",
            each=True,
        ),
        Aggregate(
            "group_others",
            lambda B, a: B.group_others(a),
            "group_others(d)",
            r"\mathrm{{others}}_{{g}}\left({a}\right)",
            each=True,
        ),
    )
}

GROUPED = frozenset(name for name in AGGREGATES if name.startswith("group_"))
"""Those that read the answers to the same question: samples that lie side by side."""

BELOW = "below"
"""For each output of a network the sum over the outputs before it; it stands in lines of several outputs alone."""

CONSTANTS = {"pi": 3.141592653589793}

CALLABLE = frozenset(name for name in (*FUNCTIONS, *AGGREGATES) if name.isidentifier()) - {"neg"}
"""The names that stand before a bracket: no symbol may have one of them."""
