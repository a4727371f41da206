"""The table of estimators: what one may take for the gradient of the expected reward. One row an estimator.

A row is an objective, as one would train with it: what arrives at the output is -dL/do, derived from the row. It may
read all that an objective reads, and `expected`: the exact expected reward of the question. What it reads of other
samples (mean, std, others, …) is of the same group: so many answers to one question; or of the whole batch.
Two rows move the parameters instead, by s*e (e is standard normal): they are formulas in reward, mirror, e and s.
"""

from dataclasses import dataclass
from typing import Literal

from glassgrad.locale import Text, text

Kind = Literal["unbiased", "biased", "other", "wrong"]
"""unbiased: its mean is the gradient; biased: nearly, or a share of it; other: another update; wrong: a slip."""

GROUP = 8  # answers to one question, in a group
BATCH = 100  # answers in a batch, where there is only one question


@dataclass(frozen=True)
class Estimator:
    """One way to estimate the gradient of the expected reward.

    objective: what is made small, in the language of objectives; of a row that moves the parameters, the estimate.
    over: which samples mean(…) and its like read. size: how many answers a group has.
    through: whether the derivative passes through the answer: `a = o + sigma*noise` without `stop`.
    moves: whether parameters are moved, instead of looking at the answers.
    normal: whether it is about normal answers only, not about choices.
    """

    name: str
    objective: str
    kind: Kind
    source: str
    over: Literal["batch", "group"] = "batch"
    size: int = GROUP
    through: bool = False
    moves: bool = False
    normal: bool = False

    @property
    def claim(self) -> Text:
        """What it is an estimator of, in a few words."""
        return text(f"estimators.{self.name}.claim")

    @property
    def reading(self) -> Text:
        """What it does, in one sentence."""
        return text(f"estimators.{self.name}.reading")


_NORMALISED = "c = reward - mean(reward); -stop(c/({} + 1e-8))*logp"
_OVER_N = "sqrt(mean(c**2))"
_CLIPPED = "c = stop(max(o - sigma, min(o + sigma, a))); logc = -(c - o)**2/(2*sigma**2) - log(sigma)"
_SLIP = "a slip"

ESTIMATORS = (
    Estimator("reinforce", "-stop(reward)*logp", "unbiased", "Williams 1992"),
    Estimator("baseline", "-stop(reward - expected)*logp", "unbiased", "Williams 1992, section 3"),
    Estimator("leave_one_out", "-stop(reward - others(reward))*logp", "unbiased", "Kool, van Hoof & Welling 2019",
              over="group"),
    Estimator("pathwise", "-reward", "unbiased", "Kingma & Welling 2014 (reparameterisation)", through=True),
    Estimator("batch_mean", "-stop(reward - mean(reward))*logp", "biased", "REINFORCE as it is often written"),
    Estimator("group_mean", "-stop(reward - mean(reward))*logp", "biased", "Liu et al. 2025 (Dr. GRPO)", over="group"),
    Estimator("evolution", "reward*e/s", "biased", "Salimans et al. 2017", moves=True),
    Estimator("antithetic", "(reward - mirror)*e/(2*s)", "biased", "Brockhoff et al. 2010 (mirrored)", moves=True),
    Estimator("grpo", _NORMALISED.format("std(reward)"), "other", "Shao et al. 2024", over="group"),
    Estimator("grpo_n", _NORMALISED.format(_OVER_N), "other", "Shao et al. 2024", over="group"),
    Estimator("log_output", "-stop(reward)*log(o)", "wrong", "the script of the volume knob"),
    Estimator("clipped", f"{_CLIPPED}; -stop(reward - expected)*logc", "wrong", _SLIP, normal=True),
    Estimator("normalised_one", _NORMALISED.format(_OVER_N), "wrong", _SLIP, over="group", size=1),
    Estimator("not_stopped", "-stop(reward)*logp", "wrong", _SLIP, through=True, normal=True),
    Estimator("broadcast", "-stop(mean(reward) - expected)*logp", "wrong", _SLIP, over="group"),
)  # fmt: skip
"""In their order: unbiased, biased by a known amount, other updates, wrong ones made on purpose."""


def own(objective: str, *, through: bool = False, size: int = GROUP) -> Estimator:
    """A user's own objective as a row, over the whole batch; size: how many answers a question has, where it asks."""
    return Estimator("own", objective, "other", "", through=through, size=size)


__all__ = ["BATCH", "ESTIMATORS", "GROUP", "Estimator", "Kind", "own"]
