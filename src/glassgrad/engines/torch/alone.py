"""PyTorch on one thread and in a run's precision; both are put back."""

import contextlib
from collections.abc import Iterator

import torch

from glassgrad.experiment import Precision

DTYPES: dict[Precision, torch.dtype] = {"single": torch.float32, "double": torch.float64}


@contextlib.contextmanager
def alone(precision: Precision) -> Iterator[None]:
    """PyTorch on one thread, for tiny tensors many times faster, in the run's precision; both are put back.

    The default precision matters to NAdam, which keeps its running product in it.
    """
    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    torch.set_num_threads(1)
    torch.set_default_dtype(DTYPES[precision])
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_default_dtype(dtype)
