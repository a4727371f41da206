"""The arithmetic that generated kernels call, one source for each precision; it is pasted into every kernel's module.

Single precision: branch-free polynomials (after Cephes), which LLVM turns into vector code; pip's Numba has no vector
mathematics of its own. Double precision: the C library's.
"""

COMMON = """
@inline
def square(x):
    return x * x

@inline
def cube(x):
    return x * x * x

@inline
def relu(x):
    return F(0) if x <= F(0) else x  # NaN stays NaN

@inline
def sign(x):
    return F(1) if x > F(0) else (F(-1) if x < F(0) else x * F(0))

@inline
def larger(a, b):
    return a if (a >= b or a != a) else b

@inline
def smaller(a, b):
    return a if (a <= b or a != a) else b

@inline
def sigmoid(x):
    e = exp(-abs(x))
    return (F(1) if x >= F(0) else e) / (F(1) + e)

@inline
def softplus(x):
    return x if x > F(20) else relu(x) + log1p(exp(-abs(x)))

@inline
def sqrt(x):
    return np.sqrt(x)

@inline
def rint(x):
    return np.rint(x)

@inline
def power(a, b):
    return F(math.pow(a, b))

@inline
def sin(x):
    return F(math.sin(x))

@inline
def cos(x):
    return F(math.cos(x))

@inline
def erf(x):
    return F(math.erf(x))
"""

SINGLE = """
F = np.float32
I = np.int32

@inline
def two_to(n):
    return I((n + I(127)) << I(23)).view(np.float32)

@inline
def exp(x):
    y = F(89) if x > F(89) else (F(-104) if x < F(-104) else x)
    n = np.floor(y * F(1.44269504) + F(0.5))
    r = y - n * F(0.693359375) - n * F(-2.12194440e-4)
    p = F(1.9875691500e-4)
    p = p * r + F(1.3981999507e-3)
    p = p * r + F(8.3334519073e-3)
    p = p * r + F(4.1665795894e-2)
    p = p * r + F(1.6666665459e-1)
    p = p * r + F(5.0000001201e-1)
    p = p * r * r + r + F(1)
    k = I(n)
    half = k >> I(1)
    return p * two_to(half) * two_to(k - half)

@inline
def log(x):
    tiny = x < F(1.17549435e-38)
    bits = F(x * (F(16777216) if tiny else F(1))).view(np.int32)
    e = (bits >> I(23)) - I(127)
    m = I((bits & I(0x7FFFFF)) | I(0x3F800000)).view(np.float32)
    big = m > F(1.41421356)
    m = (m * F(0.5) if big else m) - F(1)
    k = F(e) + (F(1) if big else F(0)) - (F(24) if tiny else F(0))
    z = m * m
    p = F(7.0376836292e-2)
    p = p * m + F(-1.1514610310e-1)
    p = p * m + F(1.1676998740e-1)
    p = p * m + F(-1.2420140846e-1)
    p = p * m + F(1.4249322787e-1)
    p = p * m + F(-1.6668057665e-1)
    p = p * m + F(2.0000714765e-1)
    p = p * m + F(-2.4999993993e-1)
    p = p * m + F(3.3333331174e-1)
    p = p * m * z + k * F(-2.12194440e-4) - F(0.5) * z
    found = m + p + k * F(0.693359375)
    found = F(-np.inf) if x == F(0) else found
    found = F(np.nan) if x < F(0) else found
    return x if (x != x or x == F(np.inf)) else found

@inline
def log1p(e):
    s = e / (F(2) + e)  # log(1 + e) = 2 atanh(s), 0 <= s <= 1/3
    z = s * s
    p = F(2.0 / 13.0)
    p = p * z + F(2.0 / 11.0)
    p = p * z + F(2.0 / 9.0)
    p = p * z + F(2.0 / 7.0)
    p = p * z + F(2.0 / 5.0)
    p = p * z + F(2.0 / 3.0)
    return s * (p * z + F(2))

@inline
def tanh(x):
    a = abs(x)
    z = x * x
    p = F(-5.70498872745e-3)
    p = p * z + F(2.06390887954e-2)
    p = p * z + F(-5.37397155531e-2)
    p = p * z + F(1.33314422036e-1)
    p = p * z + F(-3.33332819422e-1)
    near = p * z * x + x
    e = exp(a + a)
    far = F(1) - F(2) / (e + F(1))
    return near if a < F(0.625) else (far if x > F(0) else (-far if x < F(0) else x))
"""

DOUBLE = """
F = np.float64

@inline
def exp(x):
    return math.exp(x) if x < 709.0 else np.exp(x)

@inline
def log(x):
    return np.log(x)

@inline
def log1p(e):
    return math.log1p(e)

@inline
def tanh(x):
    return math.tanh(x)
"""

HEAD = """
import math
import numpy as np
from numba import njit

FAST = {"reassoc", "contract", "nsz", "arcp", "afn"}  # not nnan, not ninf: a run that diverges must be seen
inline = njit(forceinline=True, fastmath=FAST, error_model="numpy")
kernel = njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
exact = njit(nogil=True, cache=True, error_model="numpy")
"""


def library(precision: str) -> str:
    """The source that a kernel's module begins with."""
    return HEAD + (SINGLE if precision == "single" else DOUBLE) + COMMON
