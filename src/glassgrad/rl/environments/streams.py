"""Chance in many environments at once: one seed and one stream of numbers for each of them."""

from collections.abc import Iterable, Sequence

import numpy as np
from gymnasium.utils.seeding import np_random
from numpy.typing import NDArray

from glassgrad.draws import Floats

AHEAD, MOST = 128, 200_000  # so many numbers are drawn ahead in each stream, and in all together


def seeds(seed: int, n: int) -> list[int]:
    """The seeds of n environments that are reset together with one seed.

    Environment i has the same seed, however many there are, and no two seeds have one in common: those of
    `seed + i` would make seeds 0 and 1 share all their environments but one.

    Example:
        >>> seeds(7, 3)[:2] == seeds(7, 2), set(seeds(0, 100)) & set(seeds(1, 100))
        (True, set())
    """
    children = np.random.SeedSequence(seed).spawn(n)
    return [int(child.generate_state(1, np.uint64)[0]) for child in children]


class Streams:
    """A stream of numbers u, 0 <= u < 1, for each of some seeds: those of `Generator.random()`, one after another.

    They are drawn ahead in blocks, so that a number from each of thousands is one look into an array.
    """

    def __init__(self, of: Sequence[int | None]) -> None:
        ahead = max(1, min(AHEAD, MOST // len(of)))
        self.generators = [np_random(seed)[0] for seed in of]
        self.drawn = np.empty((len(of), ahead))
        self.place = np.full(len(of), ahead)

    def renew(self, which: int, seed: int) -> None:
        """Begin one stream anew."""
        self.generators[which], _ = np_random(seed)
        self.place[which] = self.drawn.shape[1]

    def next(self, which: NDArray[np.int64]) -> Floats:
        """The next number of each of these streams."""
        self._draw(which[self.place[which] == self.drawn.shape[1]])
        found: Floats = self.drawn[which, self.place[which]]
        self.place[which] += 1
        return found

    def _draw(self, which: Iterable[int]) -> None:
        for i in which:
            self.generators[i].random(out=self.drawn[i])
            self.place[i] = 0
