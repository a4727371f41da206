"""From a formula back to text, with no more brackets than it needs: `parse(show(f))` is f."""

from glassgrad.formula.functions import COMPARISONS
from glassgrad.formula.tree import Apply, Number, Symbol, Tree

_COMPARING = {row.name for row in COMPARISONS}
# how tightly each kind binds: sum < product < sign < power < anything with brackets of its own
_SUM, _PRODUCT, _SIGN, _POWER, _ATOM = range(5)


def show(tree: Tree) -> str:
    """The formula as text that the parser reads back as the same formula.

    Example:
        >>> from glassgrad.formula.parser import parse
        >>> show(parse("((o) - (t))**2"))
        '(o - t)**2'
    """
    return _Writer().write(tree)[0]


def number_text(value: float) -> str:
    """A number in the shortest form that reads back as itself: 2, 0.1, 1e-08."""
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


class _Writer:
    """Text and binding strength of each part; what binds less than its place asks for gets brackets."""

    def write(self, tree: Tree) -> tuple[str, int]:
        match tree:
            case Number(value):
                signed = value < 0 or str(value).startswith("-")
                return ("-0.0" if value == 0 and signed else number_text(value)), _SIGN if signed else _ATOM
            case Symbol(name):
                return name, _ATOM
            case Apply("+", terms):
                return self.sum(terms), _SUM
            case Apply("*", factors):
                first = self.inside(factors[0], _PRODUCT)
                return "*".join((first, *(self.inside(factor, _SIGN) for factor in factors[1:]))), _PRODUCT
            case Apply("/", (above, below)):
                return f"{self.inside(above, _PRODUCT)}/{self.inside(below, _SIGN)}", _PRODUCT
            case Apply("neg", (part,)):
                return "-" + self.inside(part, _SIGN, never=Number), _SIGN
            case Apply("**", (base, exponent)):
                return f"{self.inside(base, _ATOM)}**{self.inside(exponent, _SIGN)}", _POWER
            case Apply("where", (condition, Number(1.0), Number(0.0))):
                return f"[{self.condition(condition)}]", _ATOM
            case Apply("where", (condition, *sides)):
                return f"where({', '.join((self.condition(condition), *map(show, sides)))})", _ATOM
            case Apply(name, (_, _)) if name in _COMPARING:
                return self.condition(tree), _SUM
            case Apply(name, arguments):
                return f"{name}({', '.join(map(show, arguments))})", _ATOM

    def inside(self, tree: Tree, strength: int, never: type | None = None) -> str:
        text, own = self.write(tree)
        return f"({text})" if own < strength or (never and isinstance(tree, never)) else text

    def sum(self, terms: tuple[Tree, ...]) -> str:
        text = self.inside(terms[0], _SUM)
        for term in terms[1:]:
            match term:
                case Apply("neg", (part,)):
                    text += f" - {self.inside(part, _PRODUCT)}"
                case Number(value) if str(value).startswith("-"):
                    text += f" - {self.write(Number(-value))[0]}"
                case _:
                    text += f" + {self.inside(term, _PRODUCT)}"
        return text

    def condition(self, tree: Tree) -> str:
        assert isinstance(tree, Apply)
        left, right = tree.arguments
        return f"{show(left)} {tree.function} {show(right)}"
