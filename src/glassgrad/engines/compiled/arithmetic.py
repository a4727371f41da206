"""The functions of the formula language on vectors.

Single precision: branch-free polynomials (after Cephes) that are exact to about one unit in the last place. Double
precision: the C library's, lane by lane.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from llvmlite import ir

from glassgrad.engines.compiled.vector import FAST, Vector

SHORT = 4  # coefficients that Horner's rule goes through one after the other


def polynomial(x: Vector, coefficients: Sequence[float]) -> Vector:
    """c0*x**n + c1*x**(n - 1) + … + cn: even and odd powers by Horner each, which is half the wait of all in a row."""
    if len(coefficients) <= SHORT:
        return _horner(x, coefficients)
    with x.code.in_order():
        square, last = x * x, len(coefficients) % 2
        even, odd = (_horner(square, coefficients[start::2]) for start in (1 - last, last))
        return odd * x + even


def _horner(x: Vector, coefficients: Sequence[float]) -> Vector:
    found = x.like(coefficients[0])
    for coefficient in coefficients[1:]:
        found = found * x + coefficient
    return found


def absolute(x: Vector) -> Vector:
    """|x|."""
    return x.intrinsic("fabs")


def square(x: Vector) -> Vector:
    """x²."""
    return x * x


def relu(x: Vector) -> Vector:
    """x where it is positive, else 0."""
    return x.like(0).where(x.like(0).compare(">", x), x)  # NaN stays NaN


def sign(x: Vector) -> Vector:
    """-1, 0 or 1."""
    return x.like(1).where(x.compare(">", 0), x.like(-1).where(x.compare("<", 0), x * 0.0))


def larger(a: Vector, b: Vector) -> Vector:
    """The larger of two; the first at a tie, NaN if one is."""
    a, b = a.pair(b)
    return a.where(b.compare("<=", a), b.where(a.compare("==", a), a))


def smaller(a: Vector, b: Vector) -> Vector:
    """The smaller of two; the first at a tie, NaN if one is."""
    a, b = a.pair(b)
    return a.where(b.compare(">=", a), b.where(a.compare("==", a), a))


def bits_of(x: Vector) -> ir.Type:
    """Whole numbers as wide as x."""
    kind = ir.IntType(32)
    return ir.VectorType(kind, x.width) if x.width > 1 else kind


def whole(kind: ir.Type, value: int) -> ir.Constant:
    """A whole number in every lane of a kind."""
    if isinstance(kind, ir.VectorType):
        return ir.Constant(kind, [ir.Constant(kind.element, value)] * kind.count)
    return ir.Constant(kind, value)


ROUNDING = 1.5 * 2**23
EXP = (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
LOG = (7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
       2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1)  # fmt: skip


TANH = ((1.3177469781902e-8, 2.0481147657847e-5, 3.4878086298704e-3, 0.13374473154545, 1.0),
        (7.7040243695592e-7, 3.2729163649492e-4, 2.5847379118204e-2, 0.46707788109780, 1.0))  # fmt: skip


def between(x: Vector, low: float, high: float) -> Vector:
    """x where it is between two numbers, else the nearer of them; NaN stays NaN."""
    x = x.like(high).where(x.compare(">", high), x)
    return x.like(low).where(x.compare("<", low), x)


def exp(x: Vector) -> Vector:
    """e**x = 2**n * e**r, |r| <= log(2)/2; 0 where that is below the normal range."""
    if not x.code.form.single:
        return x.library("exp")
    y = x.like(88.8).where(x.compare(">", 88.8), x.like(-87.3).where(x.compare("<", -87.3), x))
    r, power = parts_of_exp(y)
    found = raised(polynomial(r, EXP) * r * r + r + 1, power)
    found = x.like(0).where(x.compare("<", -87.3), found.where(x.compare("<", 88.722839), x.like(float("inf"))))
    return found.where(x.compare("==", x), x)


def parts_of_exp(y: Vector) -> tuple[Vector, Any]:
    """r and n with e**y = 2**n * e**r, |r| <= log(2)/2; n as what it adds to the bits of a number.

    1.5*2**23 added to a number rounds it to a whole one, which stands in the last bits.
    """
    at, kind = y.code.at, bits_of(y)
    with y.code.in_order():
        shifted = y * 1.44269504 + ROUNDING
        n = shifted - ROUNDING
        r = y - n * 0.693359375 - n * -2.12194440e-4
    return r, at.shl(at.bitcast(shifted.ir, kind), whole(kind, 23))


def raised(x: Vector, power: Any) -> Vector:
    """x * 2**n, for a power of `parts_of_exp`; x near 1."""
    at = x.code.at
    return Vector(x.code, at.bitcast(at.add(at.bitcast(x.ir, bits_of(x)), power), x.ir.type))


def log(x: Vector) -> Vector:
    """log(x) = k*log(2) + log(1 + m), sqrt(1/2) <= 1 + m < sqrt(2)."""
    if not x.code.form.single:
        return x.library("log")
    at, kind = x.code.at, bits_of(x)
    tiny = x.compare("<", 1.17549435e-38)
    bits = at.bitcast((x * x.like(16777216).where(tiny, 1)).ir, kind)
    e = Vector(x.code, at.sitofp(at.sub(at.ashr(bits, whole(kind, 23)), whole(kind, 127)), x.ir.type))
    mantissa = at.or_(at.and_(bits, whole(kind, 0x7FFFFF)), whole(kind, 0x3F800000))
    m = Vector(x.code, at.bitcast(mantissa, x.ir.type))
    big = m.compare(">", 1.41421356)
    m = (m * 0.5).where(big, m) - 1
    k = e + x.like(1).where(big, 0) - x.like(24).where(tiny, 0)
    found = log_near(m, k)
    found = x.like(float("-inf")).where(x.compare("==", 0), found)
    found = x.like(float("nan")).where(x.compare("<", 0), found)
    return found.where(x.compare("<", float("inf")), x)


def log_near(m: Vector, k: Vector) -> Vector:
    """k*log(2) + log(1 + m) in single precision, for sqrt(1/2) <= 1 + m < sqrt(2)."""
    z = m * m
    p = polynomial(m, LOG) * m * z + k * -2.12194440e-4 - z * 0.5
    return m + p + k * 0.693359375


def log1p(e: Vector) -> Vector:
    """log(1 + e) = 2 artanh(e/(2 + e)) for 0 <= e <= 1."""
    if not e.code.form.single:
        return e.library("log1p")
    s = e / (e + 2)
    return s * (polynomial(s * s, [2 / k for k in (13, 11, 9, 7, 5, 3)]) * (s * s) + 2)


def tanh(x: Vector) -> Vector:
    """x P(x²)/Q(x²): the polynomials of degree 4 whose largest relative error up to 9.1, where tanh is 1, is least."""
    if not x.code.form.single:
        return x.library("tanh")
    near = between(x, -9.1, 9.1)
    y = near * near
    with x.code.quick():
        return between(near * _horner(y, TANH[0]) / _horner(y, TANH[1]), -1, 1)


def sigmoid(x: Vector) -> Vector:
    """1/(1 + e**-x); below -88 it is 0."""
    if not x.code.form.single:
        e = (-absolute(x)).library("exp")
        return x.like(1).where(x.compare(">=", 0), e) / (e + 1)
    r, power = parts_of_exp(between(-x, -87, 88))
    e = raised(polynomial(r, EXP) * (r * r) + r + 1, power)
    with x.code.quick():
        return 1 / (e + 1)


def softplus(x: Vector) -> Vector:
    """log(1 + e**x); beyond 20 it is x, as in PyTorch."""
    return x.where(x.compare(">", 20), relu(x) + log1p(exp(-absolute(x))))


def sqrt(x: Vector) -> Vector:
    """The root; of infinity it may be NaN, which is as good a sign of divergence. Where speed counts: of NaN 0."""
    found = x.intrinsic("sqrt", flags=(*FAST, "ninf"))
    return found if "ninf" in x.code.flags else found.where(x.compare("==", x), x)


def power(a: Vector, b: Vector) -> Vector:
    """a**b, as the C library has it."""
    a, b = a.pair(b)
    return a.intrinsic("pow", b)


FUNCTIONS: Mapping[str, Callable[..., Vector]] = {
    "exp": exp, "log": log, "tanh": tanh, "sigmoid": sigmoid, "softplus": softplus, "relu": relu, "sign": sign,
    "abs": absolute, "max": larger, "min": smaller, "**": power,
    "sqrt": sqrt, "round": lambda x: x.intrinsic("rint"),
    "sin": lambda x: x.intrinsic("sin"), "cos": lambda x: x.intrinsic("cos"), "erf": lambda x: x.library("erf"),
}  # fmt: skip
POWERS: Mapping[float, Callable[[Vector], Vector]] = {
    2.0: square, 3.0: lambda x: x * x * x, 0.5: sqrt, -1.0: lambda x: 1 / x,
}  # fmt: skip
