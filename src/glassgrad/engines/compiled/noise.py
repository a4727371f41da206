"""Standard normal numbers made of Philox's words, a vector of samples at a time.

The words are those of the host, bit for bit; the normal numbers made of them agree to the last digits.
"""

import math
from typing import Any

from llvmlite import ir

from glassgrad.engines.compiled.arithmetic import bits_of, log_near, polynomial, sqrt, whole
from glassgrad.engines.compiled.vector import Code, Vector

# sin(x)/x = 1 + z*(…), z = x*x, to 6e-9 up to a quarter of a turn: the polynomial of least error
SIN = (2.6057806e-6, -1.98096029e-4, 8.33306625e-3, -1.66666596e-1)


def normal(code: Code, first: Any, second: Any) -> Vector:
    """Normal numbers from two words each."""
    return (box_muller if code.form.single else box_muller_in_doubles)(code, first, second)


def box_muller(code: Code, first: Any, second: Any) -> Vector:
    """sqrt(-2 log(u)) cos(2 pi w), u = (first + 1)/2**32, w = second/2**32, in single precision.

    Where u is near 1 the logarithm is made of 1 - u, which is exact as a whole number. The cosine is the sine of what
    is left to a quarter of a turn, which is exact, too.
    """
    at, kind = code.at, first.type
    single = ir.VectorType(code.form.kind, kind.count)
    near = at.icmp_unsigned(">=", first, whole(kind, 0xB504F334))  # u above sqrt(1/2)
    gap = Vector(code, at.uitofp(at.not_(first), single)) * -(2.0**-32)
    u = Vector(code, at.uitofp(at.add(first, whole(kind, 1)), single))
    bits = at.bitcast(u.ir, bits_of(u))
    power = Vector(code, at.sitofp(at.sub(at.lshr(bits, whole(kind, 23)), whole(kind, 127 + 32)), single))
    mantissa = at.or_(at.and_(bits, whole(kind, 0x7FFFFF)), whole(kind, 0x3F800000))
    m = Vector(code, at.bitcast(mantissa, single))
    big = m.compare(">", 1.41421356)
    m, power = (m * 0.5).where(big, m) - 1, (power + 1).where(big, power)
    length = sqrt(log_near(gap.where(near, m), power.like(0).where(near, power)) * -2.0)
    nothing = whole(kind, 0)
    turned = at.select(at.icmp_signed("<", second, nothing), at.sub(nothing, second), second)  # at most half a turn
    angle = Vector(code, at.sitofp(at.sub(whole(kind, 1 << 30), turned), single)) * (2 * math.pi / 2**32)
    z = angle * angle
    return length * (polynomial(z, SIN) * z * angle + angle)


def box_muller_in_doubles(code: Code, first: Any, second: Any) -> Vector:
    """The same in double precision, by the C library."""
    at, double = code.at, ir.VectorType(code.form.kind, first.type.count)
    u = (Vector(code, at.uitofp(first, double)) + 1) * 2.0**-32
    w = Vector(code, at.uitofp(second, double)) * 2.0**-32
    return sqrt(u.library("log") * -2.0) * (w * (2 * math.pi)).intrinsic("cos")
