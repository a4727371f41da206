"""Glassgrad's compiled engine on all 1,000 samples."""

from bench import compiled
from bench.variant import Variant

NEEDS = compiled.NEEDS


def variants(quick: bool) -> list[Variant]:
    """It batches by itself: only enough runs for it to do so."""
    return [compiled.variant(512, distinct=False)]
