"""Standard normal numbers made of Philox's words, a vector of samples at a time.

The words are those of the host, bit for bit; the normal numbers made of them agree to the last digits.
"""

import math
from typing import Any

from llvmlite import ir

from glassgrad.engines.compiled.arithmetic import bits_of, log_near, polynomial, sqrt, whole
from glassgrad.engines.compiled.vector import Code, Vector

SIN = (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)
COS = (2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)


def normal(code: Code, first: Any, second: Any) -> Vector:
    """Normal numbers from two words each."""
    return (box_muller if code.form.single else box_muller_in_doubles)(code, first, second)


def box_muller(code: Code, first: Any, second: Any) -> Vector:
    """sqrt(-2 log(u)) cos(2 pi w), u = (first + 1)/2**32, w = second/2**32, in single precision.

    Where u is near 1 the logarithm is made of 1 - u, which is exact as a whole number. The angle is brought to at most
    an eighth of a turn by the upper bits of its word.
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
    turned = at.add(second, whole(kind, 1 << 29))
    angle = Vector(code, at.sitofp(at.sub(at.and_(turned, whole(kind, 0x3FFFFFFF)), whole(kind, 1 << 29)), single))
    angle = angle * (2 * math.pi / 2**32)
    z = angle * angle
    cosine, sine = polynomial(z, COS) * z * z - z * 0.5 + 1, polynomial(z, SIN) * z * angle + angle
    quarter = at.lshr(turned, whole(kind, 30))
    odd = at.icmp_unsigned("!=", at.and_(quarter, whole(kind, 1)), whole(kind, 0))
    minus = at.icmp_unsigned("!=", at.and_(at.add(quarter, whole(kind, 1)), whole(kind, 2)), whole(kind, 0))
    found = sine.where(odd, cosine)
    return length * (-found).where(minus, found)


def box_muller_in_doubles(code: Code, first: Any, second: Any) -> Vector:
    """The same in double precision, by the C library."""
    at, double = code.at, ir.VectorType(code.form.kind, first.type.count)
    u = (Vector(code, at.uitofp(first, double)) + 1) * 2.0**-32
    w = Vector(code, at.uitofp(second, double)) * 2.0**-32
    return sqrt(u.library("log") * -2.0) * (w * (2 * math.pi)).intrinsic("cos")
