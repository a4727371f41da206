"""The best JAX on the 100 distinct questions, each weighted by how often it was drawn."""

from bench import jax_best
from bench.variant import Variant

NEEDS, ENVIRONMENT = jax_best.NEEDS, jax_best.ENVIRONMENT
WAYS: list[jax_best.Way] = [
    ("samples last", 256, 1), ("samples last", 64, 1), ("samples last", 128, 1), ("samples last", 512, 1),
    ("samples last", 256, 2), ("runs last", 256, 1), ("runs last", 512, 2),
]  # fmt: skip


def variants(quick: bool) -> list[Variant]:
    """The forms to be tried; quick: the one that has been the best."""
    return jax_best.variants(WAYS[:1] if quick else WAYS, distinct=True)
