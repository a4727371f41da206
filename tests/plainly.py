"""PyTorch in the compiled engine's place, for tests of what is made of its runs."""

from typing import Any

from glassgrad.engines.compiled.plan import Plan
from glassgrad.engines.torch import train


def last_parameters(of: Plan, seed: int) -> dict[str, Any] | None:
    """The learned numbers with which a run ends; None if it diverged."""
    record = train(of.experiment.change(seed=seed))
    return dict(record.final) if record.status == "finished" else None
