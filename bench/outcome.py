"""What runs ended with: the witness that a competitor did the work, beside its speed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Outcome:
    """error (runs): mean |answer - truth| over all distinct questions after the last update. solved (runs)."""

    error: NDArray[np.float32]
    solved: NDArray[np.bool_]


def join(outcomes: list[Outcome]) -> Outcome:
    """Several outcomes as one."""
    return Outcome(
        np.concatenate([each.error for each in outcomes]), np.concatenate([each.solved for each in outcomes])
    )


def witness(outcome: Outcome) -> dict[str, float | int]:
    """The distribution of final errors, in a few numbers; runs that diverged count as infinitely wrong.

    Example:
        >>> witness(Outcome(np.array([0, 1, 2], np.float32), np.array([True, True, False])))["median"]
        1.0
    """
    error = np.nan_to_num(outcome.error.astype(np.float64), nan=np.inf, posinf=np.inf)
    lower, median, upper = (float(each) for each in np.quantile(error, [0.25, 0.5, 0.75], method="nearest"))
    return {
        "runs": len(error), "lower": lower, "median": median, "upper": upper, "solved": float(outcome.solved.mean()),
    }  # fmt: skip
