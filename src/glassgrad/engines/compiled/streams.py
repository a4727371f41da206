"""The two Mersenne twisters and Philox inside the machine code: bit for bit PyTorch's and NumPy's numbers.

Setting up a run on the host costs more than training it; here it is a few microseconds.
"""

import math

import numpy as np
from numba import njit

WORDS = 624
fast = njit(nogil=True, error_model="numpy")


@fast
def seed_twister(state, seed):  # type: ignore[no-untyped-def]
    """The state after manual_seed(seed), as numpy.random.seed has it; state[624] is the place of the next word."""
    state[0] = np.uint32(seed)
    for i in range(1, WORDS):
        before = np.uint64(state[i - 1])
        mixed = np.uint64(1812433253) * (before ^ (before >> np.uint64(30))) + np.uint64(i)
        state[i] = np.uint32(mixed & np.uint64(0xFFFFFFFF))
    state[WORDS] = np.uint32(WORDS)


@fast
def next_word(state):  # type: ignore[no-untyped-def]
    """The next 32 bits."""
    if state[WORDS] >= WORDS:
        for i in range(WORDS):
            mixed = (state[i] & np.uint32(0x80000000)) | (state[(i + 1) % WORDS] & np.uint32(0x7FFFFFFF))
            odd = np.uint32(0x9908B0DF) if mixed & np.uint32(1) else np.uint32(0)
            state[i] = state[(i + 397) % WORDS] ^ (mixed >> np.uint32(1)) ^ odd
        state[WORDS] = np.uint32(0)
    y = state[state[WORDS]]
    state[WORDS] = np.uint32(state[WORDS] + 1)
    y ^= y >> np.uint32(11)
    y ^= (y << np.uint32(7)) & np.uint32(0x9D2C5680)
    y ^= (y << np.uint32(15)) & np.uint32(0xEFC60000)
    return np.uint32(y ^ (y >> np.uint32(18)))


@fast
def torch_uniform(state, bound, out):  # type: ignore[no-untyped-def]
    """Tensor.uniform_(-bound, bound) in single precision: u*(to - from) + from, rounded once."""
    low, high = np.float32(-bound), np.float32(bound)
    width = np.float32(high - low)
    for i in range(out.shape[0]):
        u = np.float32(next_word(state) & np.uint32(0xFFFFFF)) * np.float32(1.0 / 16777216.0)
        out[i] = np.float32(np.float64(u) * np.float64(width) + np.float64(low))


@fast
def randint(state, most):  # type: ignore[no-untyped-def]
    """numpy.random.randint(0, most + 1): the low bits of a word, drawn again while they are too large."""
    if most == 0:
        return 0
    mask = np.uint32(most)
    for shift in (1, 2, 4, 8, 16):
        mask |= mask >> np.uint32(shift)
    value = next_word(state) & mask
    while value > np.uint32(most):
        value = next_word(state) & mask
    return np.int64(value)


@fast
def philox(c0, c1, c2, c3, k0, k1):  # type: ignore[no-untyped-def]
    """Ten rounds of Philox4x32: the first two words."""
    low, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    for _ in range(10):
        first, second = np.uint64(0xD2511F53) * c0, np.uint64(0xCD9E8D57) * c2
        c0, c1, c2, c3 = (second >> half) ^ c1 ^ k0, second & low, (first >> half) ^ c3 ^ k1, first & low
        k0, k1 = (k0 + np.uint64(0x9E3779B9)) & low, (k1 + np.uint64(0xBB67AE85)) & low
    return c0, c1


@fast
def normals(k0, k1, step, out):  # type: ignore[no-untyped-def]
    """Standard normal numbers for the samples of a step, by Box and Muller."""
    zero = np.uint64(0)
    for i in range(out.shape[0]):
        first, second = philox(np.uint64(step), np.uint64(i), zero, zero, np.uint64(k0), np.uint64(k1))
        u = (np.float64(first) + 1.0) / 4294967296.0
        out[i] = math.sqrt(-2.0 * math.log(u)) * math.cos(2.0 * math.pi * (np.float64(second) / 4294967296.0))


@fast
def uniforms(k0, k1, step, layer, unit, out):  # type: ignore[no-untyped-def]
    """Numbers 0 <= u < 1 for the samples of a step."""
    for i in range(out.shape[0]):
        at = (np.uint64(step), np.uint64(i), np.uint64(layer), np.uint64(unit))
        first, _ = philox(at[0], at[1], at[2], at[3], np.uint64(k0), np.uint64(k1))
        out[i] = np.float64(first) / 4294967296.0
