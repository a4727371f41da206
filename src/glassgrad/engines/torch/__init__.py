"""The reference engine: plain PyTorch modules, autograd and `torch.optim`, the numbers of the script one would write.

Where a row of a table names a PyTorch callable, that is what runs; an own formula runs as tensors.
"""

from glassgrad.engines.torch.alone import DTYPES, alone
from glassgrad.engines.torch.net import Net
from glassgrad.engines.torch.objective import Batch, Objective
from glassgrad.engines.torch.run import cause, train

__all__ = ["DTYPES", "Batch", "Net", "Objective", "alone", "cause", "train"]
