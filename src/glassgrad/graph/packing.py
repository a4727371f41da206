"""Cells side by side in a row, each as near to where it wishes to be as the others let it."""

from collections.abc import Sequence
from itertools import pairwise
from math import inf


def packed(
    wishes: Sequence[float], weights: Sequence[float], halves: Sequence[float], room: float = inf
) -> list[float]:
    """The centres x that make Σ weight*(x - wish)² least, if x[i+1] - x[i] must be at least half[i] + half[i+1].

    Pooling of neighbours that push each other, as in isotonic regression. room: all within ±room/2, if they fit there.

    Example:
        >>> packed([0.0, 0.0, 50.0], [1.0, 1.0, 1.0], [5.0, 5.0, 5.0])
        [-5.0, 5.0, 50.0]
    """
    offsets = [0.0]
    for left, right in pairwise(halves):
        offsets.append(offsets[-1] + left + right)
    pools: list[tuple[float, float, int]] = []  # mean, weight, how many
    for wish, weight, offset in zip(wishes, weights, offsets, strict=True):
        pools.append((wish - offset, weight, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (low, light, few), (high, heavy, many) = pools.pop(-2), pools.pop()
            total = light + heavy
            pools.append(((low * light + high * heavy) / total, total, few + many))
    low, high = -room / 2 + halves[0], room / 2 - halves[-1] - offsets[-1]
    means = [max(low, min(mean, high)) for mean, _, count in pools for _ in range(count)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]
