"""PyTorch, many runs as stacked matrices: batched products, autograd, Adam over a list of tensors (foreach)."""

from collections.abc import Sequence
from functools import partial

from bench import work
from bench.machine import cores
from bench.variant import Variant


def train(seeds: Sequence[int], threads: int) -> work.Floats:
    """All runs of the seeds at once."""
    import numpy as np
    import torch

    torch.set_num_threads(threads)
    runs, inputs, units = len(seeds), work.INPUTS, work.UNITS
    first = torch.from_numpy(work.parameters(seeds))
    w1, b1, w2, b2 = first.split([inputs * units, units, units, 1], dim=1)
    stacked = [
        w1.reshape(runs, units, inputs).transpose(1, 2).contiguous(),
        b1.reshape(runs, 1, units).clone(),
        w2.reshape(runs, units, 1).clone(),
        b2.reshape(runs, 1, 1).clone(),
    ]
    for each in stacked:
        each.requires_grad_()
    w1, b1, w2, b2 = stacked
    x = torch.from_numpy(work.questions(seeds)).to(torch.float32)
    t = x.sum(dim=2, keepdim=True)
    optimizer = torch.optim.Adam(stacked, lr=work.RATE, foreach=True)
    for _ in range(work.STEPS):
        optimizer.zero_grad()
        o = torch.baddbmm(b2, torch.relu(torch.baddbmm(b1, x, w1)), w2)
        ((o - t) ** 2).mean(dim=(1, 2)).sum().backward()
        optimizer.step()
    parts = [w1.transpose(1, 2), b1, w2, b2]
    return np.concatenate([each.detach().reshape(runs, -1).numpy() for each in parts], axis=1)


def variants(quick: bool) -> list[Variant]:
    """Several numbers of runs at once: more fill the vectors, fewer fit into the caches."""
    counts, threads_of = ([32], [1]) if quick else ([16, 64, 256], sorted({1, cores()}))
    return [
        Variant(f"{runs} runs at once, {threads} threads", runs, partial(train, threads=threads), warm=lambda: None)
        for threads in threads_of
        for runs in counts
    ]
