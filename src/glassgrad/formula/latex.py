"""From a formula to LaTeX: products by juxtaposition, quotients as fractions, `[a > 0]` in brackets."""

import re

from glassgrad.formula.functions import AGGREGATES, FUNCTIONS
from glassgrad.formula.text import number_text
from glassgrad.formula.tree import Apply, Number, Symbol, Tree

_GREEK = {name: rf"\{name}" for name in ("sigma", "mu", "beta", "alpha", "rho", "delta", "theta", "pi", "gamma", "tau")}
_GREEK |= {"eps": r"\varepsilon", "epsilon": r"\varepsilon", "lam": r"\lambda"}


def latex(tree: Tree) -> str:
    """The formula as LaTeX source (for math mode).

    Example:
        >>> from glassgrad.formula.parser import parse
        >>> latex(parse("2*(o - t)/sigma**2"))
        '\\\\frac{2\\\\,\\\\left(o - t\\\\right)}{{\\\\sigma}^{2}}'
    """
    match tree:
        case Number(value):
            return latex_number(value)
        case Symbol(name):
            return latex_name(name)
        case Apply("+", terms):
            return _sum(terms)
        case Apply("*", factors):
            return _product(factors)
        case Apply("neg", (part,)):
            return "-" + _factor(part)
        case Apply("**", (base, exponent)):
            return f"{{{_base(base)}}}^{{{latex(exponent)}}}"
        case Apply("where", (condition, Number(1.0), Number(0.0))):
            return rf"\left[{latex(condition)}\right]"
        case Apply("where", (condition, then, otherwise)):
            return (
                rf"\begin{{cases}}{latex(then)} & {latex(condition)}\\{latex(otherwise)} & "
                r"\text{otherwise}\end{cases}"
            )
        case Apply(name, arguments):
            row = AGGREGATES[name] if len(arguments) == 1 and name in AGGREGATES else FUNCTIONS[name]
            return row.latex.format(**dict(zip("abc", map(latex, arguments), strict=False)))


def latex_number(value: float) -> str:
    """A number, with powers of ten written out: 10^{-8}."""
    text = number_text(value)
    if "e" not in text:
        return text
    digits, exponent = text.split("e")
    power = rf"10^{{{int(exponent)}}}"
    return power if digits == "1" else rf"{digits} \cdot {power}"


def latex_name(name: str) -> str:
    r"""A name of the vocabulary, its indices as subscripts; dW1_4_x1 is a partial derivative of L.

    What starts with a backslash is LaTeX already.

    Example:
        >>> latex_name("z1_4"), latex_name("beta1"), latex_name("W1_4_x1")
        ('z_{1,4}', '\\beta_{1}', 'W_{1,4,x_{1}}')
    """
    if name.startswith("\\"):
        return name
    if found := re.fullmatch(r"d([WBzao]\d*(?:_\w+)*|reward|logp|[a-z]_\d+|(?:sum|mean|max|min|below)_\w+)", name):
        inner = re.sub("^B", "b", found[1])
        return rf"\frac{{\partial L}}{{\partial {latex_name(inner)}}}"
    if name.endswith("_new"):
        return f"{latex_name(name[:-4])}^{{\\prime}}"
    if re.fullmatch(r"x\d+", name):
        return f"x_{{{name[1:]}}}"
    head, *rest = name.split("_")
    letters, digits = re.fullmatch(r"(.*?)(\d*)", head).groups()  # type: ignore[union-attr]
    if len(letters) == 1 or letters in _GREEK:
        subscripts = [digits] if digits else []
        head = _GREEK.get(letters, letters)
    else:
        subscripts, head = [], rf"\mathrm{{{head}}}"
    return head + _subscripts(subscripts, rest)


def _subscripts(own: list[str], rest: list[str]) -> str:
    """z1_4 → _{1,4}; m_hat → a hat would hide which moment: it stays a word."""
    words = own + [part if part.isdigit() else _index(part) for part in rest]
    return f"_{{{','.join(words)}}}" if words else ""


def _index(part: str) -> str:
    found = re.fullmatch(r"([A-Za-z])(\d+)", part)
    return f"{found[1]}_{{{found[2]}}}" if found else part if len(part) == 1 else rf"\mathrm{{{part}}}"


def _factor(tree: Tree, leads: bool = False) -> str:
    """As a factor: in brackets, if it is a sum or a case, or starts with a minus and does not lead."""
    text = latex(tree)
    weak = _is_sum(tree) or text.startswith(r"\begin") or (text.startswith("-") and not leads)
    return rf"\left({text}\right)" if weak else text


def _is_sum(tree: Tree) -> bool:
    return isinstance(tree, Apply) and tree.function == "+"


def _base(tree: Tree) -> str:
    """What a power stands on, in brackets unless it is a name or a plain number."""
    text = latex(tree)
    name = isinstance(tree, Symbol) and not text.startswith(r"\frac")  # a derivative is written as a fraction
    number = isinstance(tree, Number) and text.replace(".", "").isdigit()
    return text if name or number else rf"\left({text}\right)"


def _sum(terms: tuple[Tree, ...]) -> str:
    """Terms with their signs between them; a product's leading minus becomes the sign."""
    text = _factor(terms[0], leads=True)
    for term in terms[1:]:
        own = _factor(term, leads=True)
        text += f" - {own[1:]}" if own.startswith("-") else f" + {own}"
    return text


def _product(factors: tuple[Tree, ...]) -> str:
    """Factors side by side; a dot before a number, and before what starts with one."""
    text = _factor(factors[0], leads=True)
    for factor in factors[1:]:
        own = _factor(factor)
        text += (r" \cdot " if re.match(r"\{*\d", own) else r"\,") + own
    return text
