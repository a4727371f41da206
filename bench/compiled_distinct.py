"""Glassgrad's compiled engine on the 100 distinct questions, each weighted by how often it was drawn."""

from bench import compiled
from bench.variant import Variant

NEEDS = compiled.NEEDS


def variants(quick: bool) -> list[Variant]:
    """It batches by itself: only enough runs for it to do so."""
    return [compiled.variant(4096, distinct=True)]
