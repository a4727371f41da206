"""Chance, from private generators: nothing here touches the global state of NumPy or PyTorch.

First weights and data come from the two Mersenne twisters that a plain script seeds; all else (action noise,
dropout, minibatches) from Philox4x32-10, a function of (seed, purpose, step, sample, layer, unit): the same
whoever asks, in whatever order.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Purpose = Literal["noise", "uniform", "dropout", "minibatch", "extrapolation", "estimators", "judge", "weights"]
_PURPOSES: dict[Purpose, int] = {
    "noise": 1, "uniform": 2, "dropout": 3, "minibatch": 4, "extrapolation": 5, "estimators": 6,
    "judge": 7, "weights": 8,
}  # fmt: skip

Floats = NDArray[np.float64]
Words = NDArray[np.uint32]

_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (np.uint64(0x9E3779B9), np.uint64(0xBB67AE85))
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


def numpy_stream(seed: int) -> np.random.RandomState:
    """A private stream with the numbers of `numpy.random` after `numpy.random.seed(seed)`."""
    return np.random.RandomState(seed)


def philox(counter: tuple[NDArray[np.uint64], ...], key: tuple[int, int]) -> tuple[NDArray[np.uint64], ...]:
    """Ten rounds of Philox4x32: four words of 32 bits for each counter.

    counter: four arrays that broadcast, words in the lower half; they grow to one shape as they mix. key: two words.

    Example:
        >>> zero = np.zeros((), np.uint64)
        >>> [hex(int(word)) for word in philox((zero, zero, zero, zero), (0, 0))]
        ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']

    Source: Salmon, Moraes, Dror & Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3".
    """
    c0, c1, c2, c3 = counter
    k0, k1 = np.uint64(key[0]), np.uint64(key[1])
    for _ in range(10):
        product0, product1 = _MULTIPLIERS[0] * c0, _MULTIPLIERS[1] * c2
        c0, c2 = (product1 >> _HALF) ^ (c1 ^ k0), (product0 >> _HALF) ^ (c3 ^ k1)
        c1, c3 = product1 & _LOW, product0 & _LOW
        k0, k1 = (k0 + _WEYL[0]) & _LOW, (k1 + _WEYL[1]) & _LOW
    return c0, c1, c2, c3


def philox_key(seed: int, purpose: Purpose) -> tuple[int, int]:
    """The key of a run's numbers for one purpose: two words."""
    first, second = np.random.SeedSequence([seed, _PURPOSES[purpose]]).generate_state(2, np.uint32)
    return int(first), int(second)


def _words(
    seed: int, purpose: Purpose, steps: NDArray[np.int64], samples: int, layer: int, units: int
) -> tuple[NDArray[np.uint64], ...]:
    """Words for every (step, sample, unit): arrays of that shape."""
    key = philox_key(seed, purpose)
    step, sample, unit = np.ix_(
        np.asarray(steps, np.uint64), np.arange(samples, dtype=np.uint64), np.arange(units, dtype=np.uint64)
    )
    return philox((step, sample, np.full((1, 1, 1), layer, np.uint64), unit), key)


def uniforms(
    seed: int, purpose: Purpose, steps: NDArray[np.int64], samples: int, layer: int = 0, units: int = 1
) -> Floats:
    """Numbers u with 0 <= u <= 1 - 2**-24, of shape (steps, samples, units): below 1 in single precision, too.

    Example:
        >>> uniforms(0, "uniform", np.array([1]), 3).shape
        (1, 3, 1)
    """
    word = _words(seed, purpose, steps, samples, layer, units)[0]
    return np.minimum(word.astype(np.float64) / 2.0**32, 1 - 2.0**-24)


def normals(
    seed: int, purpose: Purpose, steps: NDArray[np.int64], samples: int, layer: int = 0, units: int = 1
) -> Floats:
    """Standard normal numbers, by Box and Muller: sqrt(-2 ln u) cos(2πv); shape (steps, samples, units)."""
    first, second, *_ = _words(seed, purpose, steps, samples, layer, units)
    return np.asarray(_length(first) * np.cos(_angle(second)))


def _length(word: NDArray[np.uint64]) -> Floats:
    """sqrt(-2 ln u) of Box and Muller."""
    u = (word.astype(np.float64) + 1.0) / 2.0**32  # 0 < u <= 1: the logarithm stays finite
    return np.asarray(np.sqrt(-2.0 * np.log(u)))


def _angle(word: NDArray[np.uint64]) -> Floats:
    """2πv of Box and Muller."""
    return np.asarray(2.0 * np.pi * (word.astype(np.float64) / 2.0**32))


def minibatch(seed: int, step: int, samples: int, batch: int) -> NDArray[np.int64]:
    """Which samples step `step` (from 1) sees: each pass goes through all of them in an order of its own."""
    per_pass = -(-samples // batch)
    one_pass, place = divmod(step - 1, per_pass)
    order = np.argsort(uniforms(seed, "minibatch", np.array([one_pass]), samples)[0, :, 0], kind="stable")
    return order[place * batch : (place + 1) * batch].astype(np.int64)


def weight_noise(seed: int, step: int, samples: int, weights: int) -> Floats:
    """A standard normal number for each weight of each sample, of shape (samples, weights).

    Four come from the four words of one block: sqrt(-2 ln u) cos(2πv) and sqrt(-2 ln u) sin(2πv) from words 0 and 1,
    two more from words 2 and 3. So weight k has number k % 4 of block (step, sample, 0, k // 4).

    Example:
        >>> weight_noise(0, 1, 3, 5).shape
        (3, 5)
    """
    words = _words(seed, "weights", np.array([step]), samples, 0, -(-weights // 4))
    found = [_length(words[i]) * turn(_angle(words[i + 1])) for i in (0, 2) for turn in (np.cos, np.sin)]
    return np.stack(found, axis=-1).reshape(samples, -1)[:, :weights]


def dropout_mask(seed: int, step: int, samples: int, layer: int, units: int, p: float) -> Floats:
    """What each unit's activation is multiplied by: 0 with probability p, else 1/(1 - p).

    Shape (samples, units); its mean is 1.
    """
    kept = uniforms(seed, "dropout", np.array([step]), samples, layer, units)[0] >= p
    return np.asarray(kept / (1.0 - p))
