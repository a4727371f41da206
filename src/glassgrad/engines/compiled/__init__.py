"""The compiled engine: kernels made from the formulas that are shown, for thousands of runs in the time of one."""

from glassgrad.engines.compiled.many import train_many
from glassgrad.engines.compiled.one import train_one

__all__ = ["train_many", "train_one"]
