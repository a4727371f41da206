"""Thousands of runs at once: kernels made from the formulas, and what runs them."""

from glassgrad.engines.compiled.many import train_many
from glassgrad.engines.compiled.one import train_one

__all__ = ["train_many", "train_one"]
