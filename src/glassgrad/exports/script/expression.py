"""From a formula to Python source: `relu(z)` becomes `torch.relu(z)`, on NumPy arrays `np.maximum(z, 0.0)`.

Each part of a formula is a number, a NumPy array or a tensor; that decides the call that a script would make.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from glassgrad.exports.script.calls import (
    ACROSS_CALLS,
    AGGREGATE_CALLS,
    ATOM,
    CALLS,
    COMPARISON,
    CONDITION,
    POWER,
    PRODUCT,
    SIGN,
    SUM,
    binding,
)
from glassgrad.formula.functions import AGGREGATES, BELOW, COMPARISONS, GROUPED
from glassgrad.formula.text import number_text
from glassgrad.formula.tree import Apply, Number, Symbol, Tree, walk

Kind = Literal["number", "array", "tensor"]
_KINDS: tuple[Kind, ...] = ("number", "array", "tensor")

_COMPARING = {row.name for row in COMPARISONS}


@dataclass(frozen=True, slots=True)
class Source:
    """A piece of Python: its text, what it is, whether a derivative can pass, and how tightly it binds.

    each: whether it has a value for each output, a column each.
    """

    text: str
    kind: Kind = "number"
    live: bool = False
    strength: int = ATOM
    each: bool = False

    @property
    def atom(self) -> str:
        """The text, in brackets unless nothing can tear it apart."""
        return self.text if self.strength == ATOM else f"({self.text})"


class Printer:
    """Writes formulas as Python.

    names: what each symbol of the formulas is in the script.
    used: what the script must hold for the written pieces to run: `lazy_where`, `math`.
    outputs: how many columns has what differs between outputs.

    Example:
        >>> from glassgrad.formula.parser import parse
        >>> names = {"o": Source("o", "tensor", live=True), "t": Source("t", "tensor")}
        >>> Printer(names).write(parse("abs(o - t)**2")).text
        'torch.abs(o - t) ** 2'
    """

    def __init__(self, names: Mapping[str, Source], precision: str = "single", outputs: int = 1) -> None:
        self.names, self.outputs = names, outputs
        self.double = precision == "double"
        self.used: set[str] = set()

    def write(self, tree: Tree) -> Source:
        """The formula as a piece of Python."""
        match tree:
            case Number(value):
                text = number_text(value)
                return Source(text, strength=SIGN if text.startswith("-") else ATOM)
            case Symbol(name):
                return self.names[name] if name in self.names else Source(f"np.{name}")
            case Apply("+", terms):
                return self.sum(terms)
            case Apply("*" | "/" as sign, factors):
                first, *rest = parts = [self.write(factor) for factor in factors]
                texts = [_inside(first, PRODUCT), *(_inside(part, SIGN) for part in rest)]
                return _together(f" {sign} ".join(texts), parts, PRODUCT)
            case Apply("neg", (part,)):
                return self.negative(self.write(part))
            case Apply("**", (base, exponent)):
                return self.power(self.write(base), self.write(exponent))
            case Apply("where", (condition, then, otherwise)):
                return self.where(self.write(condition), then, otherwise)
            case Apply("max" | "min", (a, b)):
                return self.extreme(tree.function, a, b)
            case Apply(name, (left, right)) if name in _COMPARING:
                sides = [self.write(left), self.write(right)]
                text = f" {name} ".join(_inside(side, SUM) for side in sides)
                return replace(_together(text, sides, COMPARISON), live=False)
            case Apply(name, (part,)):
                inner = self.write(part)
                return self.across(name, inner) if inner.each and name in ACROSS_CALLS else self.call(name, inner)
        raise ValueError(f"no Python for {tree}")

    def across(self, name: str, part: Source) -> Source:
        """An aggregate over the outputs."""
        template, count = ACROSS_CALLS[name], self.outputs
        text = template.format(a=part.text, A=part.atom, count=count, less=count - 1)
        if name == "count":
            return Source(text)
        return replace(part, text=text, strength=binding(template), each=name in ("others", BELOW))

    def negative(self, part: Source) -> Source:
        clear = part.strength != POWER and not part.text.startswith("-")
        return _together("-" + (_inside(part, SIGN) if clear else part.atom), [part], SIGN)

    def sum(self, terms: tuple[Tree, ...]) -> Source:
        parts = [self.write(terms[0])]
        text = _inside(parts[0], SUM)
        for term in terms[1:]:
            sign = "-" if isinstance(term, Apply) and term.function == "neg" else "+"
            part = self.write(term.arguments[0] if isinstance(term, Apply) and sign == "-" else term)
            if part.text.startswith("-") and isinstance(term, Number):
                sign, part = "-", replace(part, text=part.text[1:])
            parts.append(part)
            text += f" {sign} {_inside(part, PRODUCT)}"
        return _together(text, parts, SUM)

    def power(self, base: Source, exponent: Source) -> Source:
        kind = _kind([base, exponent])
        if kind != "tensor" and exponent.text != "2":
            return _together(f"np.power({_float(base)}, {_float(exponent)})", [base, exponent], ATOM)
        if base.kind != "tensor" and kind == "tensor":
            return _together(f"torch.pow({_float(base)}, {exponent.text})", [base, exponent], ATOM)
        simple = all(re.fullmatch(r"-?[\w.]+", side.text) for side in (base, exponent))
        text = ("**" if simple else " ** ").join((base.atom, _inside(exponent, SIGN)))
        return _together(text, [base, exponent], POWER)

    def call(self, name: str, part: Source) -> Source:
        """A function of one argument; on tensors `stop` is `.detach()`, where there is anything to detach."""
        if name in ("stop", "old") and not part.live:
            return part
        row = AGGREGATE_CALLS[name] if name in AGGREGATE_CALLS else CALLS[name]
        template = {"tensor": row.tensor, "array": row.array, "number": row.number or row.array}[part.kind]
        if "math." in template:
            self.used.add("math")
        if name in GROUPED:
            self.used |= {name, "group_mean"} if name == "group_std" else {name}
        one = name in AGGREGATE_CALLS and not AGGREGATES[name].each  # one number of many
        kind: Kind = "number" if name == "count" or (one and part.kind == "array") else part.kind
        live = part.live and name not in ("stop", "old", "count")
        return Source(template.format(a=part.text, A=part.atom), kind, live, binding(template), part.each)

    def where(self, condition: Source, then: Tree, otherwise: Tree) -> Source:
        sides = [self.write(then), self.write(otherwise)]
        kind, texts = condition.kind, [_float(side) for side in sides]
        each = any(part.each for part in (condition, *sides))
        if kind == "number":
            then_text = f"({texts[0]})" if sides[0].strength == CONDITION else texts[0]
            return _together(f"{then_text} if {condition.text} else {texts[1]}", [condition, *sides], CONDITION)
        if kind == "array":
            return Source(f"np.where({condition.text}, {', '.join(texts)})", kind, each=each)
        if (then, otherwise) == (Number(1.0), Number(0.0)):
            return Source(f"{condition.atom}.{'double' if self.double else 'float'}()", kind, each=each)
        if self.plain(then) and self.plain(otherwise):
            return _together(f"torch.where({condition.text}, {', '.join(texts)})", [condition, *sides], ATOM)
        return self.lazy(condition, then, otherwise)

    def lazy(self, condition: Source, then: Tree, otherwise: Tree) -> Source:
        """A choice of which each side is computed only where it is taken."""
        self.used.add("lazy_where")
        names = (part.name for side in (then, otherwise) for part in walk(side) if isinstance(part, Symbol))
        read = {name: self.names[name] for name in names if self.kind(name) == "tensor"}
        given = ", ".join(dict.fromkeys(source.text for source in read.values()))
        sides = [self.write(side) for side in (then, otherwise)]
        lambdas = ", ".join(f"lambda {given}: {side.text}" for side in sides)
        return _together(f"lazy_where({condition.text}, {lambdas}, {given})", [condition, *sides], ATOM)

    def kind(self, name: str) -> Kind:
        return self.names[name].kind if name in self.names else "number"

    def plain(self, side: Tree) -> bool:
        """Whether torch.where gives this side's exact derivative: finite where not taken, in one piece."""
        live = [part.name for part in walk(side) if isinstance(part, Symbol) and part.name in self.names
                and self.names[part.name].live]  # fmt: skip
        return not live or (len(set(live)) == len(live) and not any(_can_overflow(part) for part in walk(side)))

    def extreme(self, name: str, a: Tree, b: Tree) -> Source:
        """max or min of two; the first takes the derivative at a tie."""
        first, second = self.write(a), self.write(b)
        kind = _kind([first, second])
        if kind != "tensor":
            template = CALLS[name].number if kind == "number" else CALLS[name].array
            return replace(_together(template.format(a=first.text, b=second.text), [first, second], ATOM), live=False)
        if second.kind == "number":
            bound = "min" if name == "max" else "max"
            return _together(f"{first.atom}.clamp({bound}={second.text})", [first, second], ATOM)
        sides = ("<", b, a) if name == "max" else (">", b, a)
        return self.where(self.write(Apply(sides[0], (a, b))), *sides[1:])


LAZY_WHERE = '''
def lazy_where(taken, then, otherwise, *read):
    """{lazy_where}"""
    taken, *read = torch.broadcast_tensors(taken, *read)
    if taken.all():
        return then(*read)
    if not taken.any():
        return otherwise(*read)
    result = torch.zeros(taken.shape, dtype=read[0].dtype)
    for mask, side in ((taken, then), (~taken, otherwise)):
        part = torch.as_tensor(side(*(value[mask] for value in read)), dtype=result.dtype)
        result = result.masked_scatter(mask, part.expand(int(mask.sum())))
    return result
'''


def _can_overflow(part: Tree) -> bool:
    """Whether a function's derivative may be infinite somewhere: 0 times that is NaN."""
    match part:
        case Apply("/", (_, Number())):
            return False
        case Apply("**", (_, Number(exponent))):
            return exponent < 1
    return isinstance(part, Apply) and part.function in ("/", "**", "exp", "log", "sqrt")


def _kind(parts: list[Source]) -> Kind:
    return _KINDS[max(_KINDS.index(part.kind) for part in parts)]


def _together(text: str, parts: list[Source], strength: int) -> Source:
    return Source(text, _kind(parts), any(part.live for part in parts), strength, any(part.each for part in parts))


def _inside(part: Source, strength: int) -> str:
    return part.text if part.strength >= strength else f"({part.text})"


def _float(part: Source) -> str:
    """The text of a number as a float: 2 becomes 2.0, so that nothing counts in whole numbers."""
    return part.text + ".0" if re.fullmatch(r"-?\d+", part.text) else part.text
