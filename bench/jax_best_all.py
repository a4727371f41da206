"""The best JAX on all 1,000 samples."""

from bench import jax_best
from bench.variant import Variant

NEEDS, ENVIRONMENT = jax_best.NEEDS, jax_best.ENVIRONMENT
WAYS: list[jax_best.Way] = [
    ("samples last", 64, 1), ("samples last", 32, 1), ("samples last", 128, 1), ("samples last", 64, 2),
    ("runs last", 256, 1), ("runs last", 64, 1),
]  # fmt: skip


def variants(quick: bool) -> list[Variant]:
    """The forms to be tried; quick: the one that has been the best."""
    return jax_best.variants(WAYS[:1] if quick else WAYS, distinct=False)
