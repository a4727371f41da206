"""The spelling of a formula, looked through before it is read: its signs, its brackets, the commonest slips.

What passes consists of numbers, names, operators and matching brackets, and is safe to hand to Python's
parser.
"""

import difflib
import keyword
import re
import unicodedata
from collections.abc import Collection, Iterable

from glassgrad.errors import FormulaError
from glassgrad.formula.functions import CALLABLE
from glassgrad.locale import text

MAX_LENGTH = 2_000
MAX_QUOTED = 30  # characters of a piece that an error repeats
MAX_DEPTH = 50

_TOKEN = re.compile(
    r"(?P<space>[ \t\r\n]+)"
    r"|(?P<number>(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<operator>\*\*|<=|>=|==|!=|[-+*/<>=,.])"
    r"|(?P<open>[(\[])|(?P<close>[)\]])"
)
_PARTNER = {"(": ")", "[": "]"}

# What people write elsewhere, and what it is here.
_SIGNS = {
    "^": "**", "{": "(", "}": ")", "|": "abs(…)", "²": "**2", "³": "**3", "√": "sqrt", "×": "*", "·": "*",
    "⋅": "*", "∙": "*", "÷": "/", "−": "-", "–": "-", "—": "-", "≤": "<=", "≥": ">=", "≠": "!=",
    "。": ".", "、": ",", "【": "[", "】": "]", "λ": "lam", "ε": "eps", "π": "pi", "｜": "abs(…)",
    "＾": "**", "∞": "1e308", "½": "0.5",
}  # fmt: skip
_WORDS = {
    "if": "where(a > b, …, …)", "else": "where(a > b, …, …)", "and": "[a > 0]*[b > 0]",
    "or": "max([a > 0], [b > 0])", "not": "1 - [a > 0]", "lambda": "lam", "True": "1", "False": "0",
    "is": "==",
}  # fmt: skip
_ALIASES = {
    "ln": "log", "log10": "log(…)/log(10)", "log2": "log(…)/log(2)", "log1p": "log(1 + …)",
    "expm1": "exp(…) - 1", "pow": "a**b", "power": "a**b", "square": "…**2", "e": "exp",
    "tan": "sin(…)/cos(…)", "fabs": "abs", "absolute": "abs", "sgn": "sign", "signum": "sign",
    "logistic": "sigmoid", "expit": "sigmoid", "swish": "z*sigmoid(z)", "silu": "z*sigmoid(z)",
    "gelu": "0.5*z*(1 + erf(z/sqrt(2)))", "leaky_relu": "max(z, 0.01*z)", "detach": "stop",
    "item": "stop", "no_grad": "stop", "stop_gradient": "stop", "maximum": "max", "amax": "max",
    "minimum": "min", "amin": "min", "clip": "min(max(…, low), high)", "clamp": "min(max(…, low), high)",
    "iif": "where", "ifelse": "where", "average": "mean", "avg": "mean", "var": "std(…)**2",
    "floor": "round(… - 0.5)", "neg": "-…",
}  # fmt: skip


def check_spelling(formula: str) -> None:
    """Refuse what cannot be a formula, by its length, a sign, a word, a bracket, or two things side by side.

    Raises:
        FormulaError: with the position of the first thing that is wrong.

    Example:
        >>> check_spelling("2*(o - t)")
    """
    if len(formula) > MAX_LENGTH:
        raise FormulaError("formula.too_long", length=len(formula), most=MAX_LENGTH)
    if not formula.strip():
        raise FormulaError("formula.empty")
    before, kind_before, waiting = "", "", list[tuple[str, int]]()
    position = 0
    while position < len(formula):
        token = _TOKEN.match(formula, position)
        if token is None:
            raise _sign_error(formula, position)
        kind, piece = str(token.lastgroup), token[0]
        if kind != "space":
            _check_neighbours(formula, position, before, kind_before, piece, kind)
            _check_brackets(formula, position, piece, kind, waiting)
            before, kind_before = piece, kind
        position = token.end()
    if waiting:
        raise FormulaError("formula.never_closed", formula=formula, position=waiting[-1][1] + 1, came=waiting[-1][0])


def _sign_error(formula: str, position: int) -> FormulaError:
    sign = formula[position]
    meant = _SIGNS.get(sign) or _plain(sign)
    if meant is None:
        return FormulaError("formula.character", formula=formula, position=position + 1, came=ascii(sign))
    if meant.isspace():
        return FormulaError("formula.space", formula=formula, position=position + 1)
    return FormulaError("formula.lookalike", formula=formula, position=position + 1, came=sign, meant=meant)


def _plain(sign: str) -> str | None:
    """The sign of the keyboard that looks like this one; Greek letters by their names."""
    plain = unicodedata.normalize("NFKC", sign)
    if plain.isascii() and _TOKEN.fullmatch(plain):
        return plain
    greek = re.fullmatch(r"GREEK SMALL LETTER (\w+)", unicodedata.name(sign, ""))
    return greek[1].lower() if greek else None


def _check_neighbours(formula: str, position: int, before: str, kind_before: str, piece: str, kind: str) -> None:
    """Two operands need an operator between them; a word of Python's is no name."""
    if kind == "name" and keyword.iskeyword(piece):
        raise keyword_error(formula, position, piece)
    if before == "." and kind == "name":
        raise FormulaError("formula.dotted", formula=formula, position=position, name=piece)
    if kind_before == "name" and piece == "[":
        raise FormulaError("formula.index", formula=formula, position=position + 1, name=before)
    side_by_side = kind_before in ("number", "name", "close") and kind in ("number", "name", "open")
    if side_by_side and not (kind_before == "name" and piece == "("):  # that is a function
        raise FormulaError(
            "formula.implicit_product",
            formula=formula,
            position=position + 1,
            before=before if len(before) <= MAX_QUOTED else f"…{before[-MAX_QUOTED:]}",
            after=piece if len(piece) <= MAX_QUOTED else f"{piece[:MAX_QUOTED]}…",
        )


def keyword_error(formula: str, position: int, name: str) -> FormulaError:
    """A word of Python's stands where a name should."""
    near = hint(_WORDS.get(name))
    return FormulaError("formula.keyword", formula=formula, position=position + 1, name=name, hint=near)


def _check_brackets(formula: str, position: int, piece: str, kind: str, waiting: list[tuple[str, int]]) -> None:
    """Keep the brackets that wait to be closed; each is closed by its partner."""
    if kind == "open":
        waiting.append((piece, position))
        if len(waiting) > MAX_DEPTH:
            raise FormulaError("formula.too_deep", formula=formula, position=position + 1, most=MAX_DEPTH)
    elif kind == "close" and not waiting:
        raise FormulaError("formula.never_opened", formula=formula, position=position + 1, came=piece)
    elif kind == "close" and _PARTNER[waiting.pop()[0]] != piece:
        raise FormulaError("formula.wrong_bracket", formula=formula, position=position + 1, came=piece)


def hint(nearest: str | None) -> object:
    """`; did you mean …?`, or nothing."""
    return text("formula.hint", nearest=nearest) if nearest else ""


def nearest_name(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant: the same in other letters' case, else the most similar one.

    Example:
        >>> nearest_name("rewad", ("reward", "a")), nearest_name("X1", ("x1", "x2"))
        ('reward', 'x1')
    """
    names = list(known)
    same = next((other for other in names if other.lower() == name.lower()), None)
    return same or next(iter(difflib.get_close_matches(name, names, n=1, cutoff=0.6)), None)


def nearest_function(name: str, symbols: Collection[str]) -> str | None:
    """The function that was probably meant, or the product, if the name is that of a number."""
    if name in symbols:
        return f"{name}*(…)"
    return _ALIASES.get(name) or _ALIASES.get(name.lower()) or nearest_name(name, sorted(CALLABLE))
