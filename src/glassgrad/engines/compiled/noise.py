"""Standard normal numbers made of Philox's words, a vector of samples at a time.

The words are those of the host, bit for bit; the normal numbers made of them agree to the last digits.
"""

import math
from collections.abc import Sequence
from typing import Any

from llvmlite import ir

from glassgrad.engines.compiled.arithmetic import bits_of, log_near, polynomial, sqrt, whole
from glassgrad.engines.compiled.vector import Code, Vector

# sin(x)/x = 1 + z*(…), z = x*x, to 6e-9 up to a quarter of a turn: the polynomial of least error
SIN = (2.6057806e-6, -1.98096029e-4, 8.33306625e-3, -1.66666596e-1)
QUARTER = 1 << 30  # of a turn, as a word


def normal(code: Code, words: Sequence[Any]) -> Vector:
    """Box and Muller's sqrt(-2 log(u)) cos(2 pi w) from two words each: u = (first + 1)/2**32, w = second/2**32."""
    return length(code, words[0]) * cosine(code, words[1])


def four_normals(code: Code, words: Sequence[Any]) -> list[Vector]:
    """Box and Muller's two, with cosine and with sine, from words 0 and 1, and from words 2 and 3."""
    lengths = {i: length(code, words[i]) for i in (0, 2)}
    return [lengths[i] * turn(code, words[i + 1]) for i in lengths for turn in (cosine, sine)]


def blocks(count: int) -> int:
    """Blocks of words for so many normal numbers, four from each."""
    return -(-count // 4)


def length(code: Code, first: Any) -> Vector:
    """sqrt(-2 log(u)), u = (first + 1)/2**32: by the C library in double precision.

    Where u is near 1 the logarithm is made of 1 - u, which is exact as a whole number.
    """
    at, kind = code.at, first.type
    form = ir.VectorType(code.form.kind, kind.count)
    if not code.form.single:
        return sqrt(((Vector(code, at.uitofp(first, form)) + 1) * 2.0**-32).library("log") * -2.0)
    near = at.icmp_unsigned(">=", first, whole(kind, 0xB504F334))  # u above sqrt(1/2)
    gap = Vector(code, at.uitofp(at.not_(first), form)) * -(2.0**-32)
    u = Vector(code, at.uitofp(at.add(first, whole(kind, 1)), form))
    bits = at.bitcast(u.ir, bits_of(u))
    power = Vector(code, at.sitofp(at.sub(at.lshr(bits, whole(kind, 23)), whole(kind, 127 + 32)), form))
    mantissa = at.or_(at.and_(bits, whole(kind, 0x7FFFFF)), whole(kind, 0x3F800000))
    m = Vector(code, at.bitcast(mantissa, form))
    big = m.compare(">", 1.41421356)
    m, power = (m * 0.5).where(big, m) - 1, (power + 1).where(big, power)
    with code.quick():  # no logarithm of these is infinite
        return sqrt(log_near(gap.where(near, m), power.like(0).where(near, power)) * -2.0)


def cosine(code: Code, second: Any) -> Vector:
    """cos(2 pi w), w = second/2**32: the sine of what is left to a quarter of a turn, which is exact."""
    if not code.form.single:
        return _angle(code, second).intrinsic("cos")
    at, kind = code.at, second.type
    nothing = whole(kind, 0)
    turned = at.select(at.icmp_signed("<", second, nothing), at.sub(nothing, second), second)  # at most half a turn
    left = at.sitofp(at.sub(whole(kind, QUARTER), turned), ir.VectorType(code.form.kind, kind.count))
    angle = Vector(code, left) * (2 * math.pi / 2**32)
    z = angle * angle
    return polynomial(z, SIN) * z * angle + angle


def sine(code: Code, second: Any) -> Vector:
    """sin(2 pi w): the cosine a quarter of a turn before."""
    if not code.form.single:
        return _angle(code, second).intrinsic("sin")
    return cosine(code, code.at.sub(second, whole(second.type, QUARTER)))


def _angle(code: Code, second: Any) -> Vector:
    """2 pi w in double precision."""
    w = Vector(code, code.at.uitofp(second, ir.VectorType(code.form.kind, second.type.count))) * 2.0**-32
    return w * (2 * math.pi)
