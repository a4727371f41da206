"""The two Mersenne twisters and Philox inside the machine code: bit for bit PyTorch's and NumPy's numbers.

Setting up a run on the host costs more than training it; here it is a few microseconds. A twister is an array of
uint32: 624 words of state, the 624 words drawn from it, the place of the next one, and how often it was refilled.
"""

import numpy as np
from numba import njit

WORDS = 624
NEXT = 2 * WORDS
TWISTER = NEXT + 2  # length of the array
fast = njit(nogil=True, error_model="numpy")


@fast
def seed_twister(state, seed):  # type: ignore[no-untyped-def]
    """The state after manual_seed(seed), which is also that after numpy.random.seed(seed)."""
    word = np.uint32(seed)
    state[0] = word
    for i in range(1, WORDS):
        word = np.uint32(np.uint32(1812433253) * (word ^ (word >> np.uint32(30))) + np.uint32(i))
        state[i] = word
    state[NEXT + 1] = np.uint32(0)
    refill(state)


@fast
def refill(state):  # type: ignore[no-untyped-def]
    """The next 624 words."""
    for i in range(WORDS - 397):
        state[i] = state[i + 397] ^ twisted(state[i], state[i + 1])
    for i in range(WORDS - 397, WORDS - 1):
        state[i] = state[i + 397 - WORDS] ^ twisted(state[i], state[i + 1])
    state[WORDS - 1] = state[396] ^ twisted(state[WORDS - 1], state[0])
    for i in range(WORDS):
        y = state[i]
        y ^= y >> np.uint32(11)
        y ^= (y << np.uint32(7)) & np.uint32(0x9D2C5680)
        y ^= (y << np.uint32(15)) & np.uint32(0xEFC60000)
        state[WORDS + i] = y ^ (y >> np.uint32(18))
    state[NEXT] = np.uint32(0)
    state[NEXT + 1] += np.uint32(1)


@fast
def twisted(a, b):  # type: ignore[no-untyped-def]
    """A word of state from two neighbours."""
    mixed = (a & np.uint32(0x80000000)) | (b & np.uint32(0x7FFFFFFF))
    return (mixed >> np.uint32(1)) ^ (np.uint32(0x9908B0DF) * (b & np.uint32(1)))


@fast
def rewound(state):  # type: ignore[no-untyped-def]
    """Go back to the first word, if none of the first 624 is lost: PyTorch's and NumPy's streams begin alike."""
    if state[NEXT + 1] > 1:
        return False
    state[NEXT] = np.uint32(0)
    return True


@fast
def next_word(state):  # type: ignore[no-untyped-def]
    """The next 32 bits."""
    if state[NEXT] >= WORDS:
        refill(state)
    place = state[NEXT]
    state[NEXT] = np.uint32(place + np.uint32(1))
    return state[WORDS + np.int64(place)]


@fast
def torch_uniform(state, bound, out):  # type: ignore[no-untyped-def]
    """Tensor.uniform_(-bound, bound) in single precision: u*(to - from) + from, rounded once."""
    low, high = np.float32(-bound), np.float32(bound)
    width = np.float32(high - low)
    for i in range(out.shape[0]):
        u = np.float32(next_word(state) & np.uint32(0xFFFFFF)) * np.float32(1.0 / 16777216.0)
        out[i] = np.float32(np.float64(u) * np.float64(width) + np.float64(low))


@fast
def randints(state, most, count, numbers):  # type: ignore[no-untyped-def]
    """`count` numbers as numpy.random.randint(0, most + 1) draws them; numbers has room for one more.

    They are the low bits of a word, drawn again while they are too large; a number that is too large is written, and
    overwritten by the next, which is quicker than to jump.
    """
    largest, mask = np.uint32(most), np.uint32(0)
    while mask < largest:
        mask = np.uint32((mask << np.uint32(1)) | np.uint32(1))
    done, place = np.int64(0), np.int64(state[NEXT])
    while done < count:
        if place >= WORDS:
            refill(state)
            place = np.int64(0)
        last = min(np.int64(WORDS), place + np.int64(count - done))
        words, out = state[WORDS + place : WORDS + last], numbers[done:]
        right = np.uint32(0)
        for i in range(words.shape[0]):
            value = words[i] & mask
            out[right] = value
            right += np.uint32(value <= largest)
        done += np.int64(right)
        place = last
    state[NEXT] = np.uint32(place)


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
def uniforms(k0, k1, step, layer, unit, out):  # type: ignore[no-untyped-def]
    """Numbers 0 <= u < 1 for the samples of a step."""
    for i in range(out.shape[0]):
        at = (np.uint64(step), np.uint64(i), np.uint64(layer), np.uint64(unit))
        first, _ = philox(at[0], at[1], at[2], at[3], np.uint64(k0), np.uint64(k1))
        out[i] = np.float64(first) / 4294967296.0
