"""The plain PyTorch script: one run after the other, one thread (for tensors this small, more are slower)."""

from collections.abc import Sequence

from bench import work
from bench.variant import Variant


def train(seeds: Sequence[int]) -> work.Floats:
    """As one would write it: `nn.Linear`, `nn.MSELoss`, `optim.Adam`."""
    import numpy as np
    import torch
    from torch import nn

    torch.set_num_threads(1)
    found = np.empty((len(seeds), work.PARAMETERS), np.float32)
    for run, seed in enumerate(seeds):
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002  (the script's own way)
        net = nn.Sequential(nn.Linear(work.INPUTS, work.UNITS), nn.ReLU(), nn.Linear(work.UNITS, 1))
        x = torch.tensor(np.random.randint(0, 10, (work.SAMPLES, work.INPUTS)), dtype=torch.float32)  # noqa: NPY002
        t = x.sum(dim=1, keepdim=True)
        loss_of, optimizer = nn.MSELoss(), torch.optim.Adam(net.parameters(), lr=work.RATE)
        for _ in range(work.STEPS):
            loss = loss_of(net(x), t)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        found[run] = np.concatenate([each.detach().numpy().ravel() for each in net.parameters()])
    return found


def variants(quick: bool) -> list[Variant]:
    """There is only one."""
    return [Variant("one run at a time, one thread", 1, train, warm=lambda: None)]
