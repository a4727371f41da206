"""Rewards whose mean over normal answers has a closed form: one row a reward, each held against quadrature by a test.

J = E[r(a)] for a = mu + sigma*noise, and its derivatives, as formulas in mu, sigma and the truth t. With
d = (mu - t)/sigma: E|a - t| = (mu - t)*erf(d/sqrt(2)) + sigma*sqrt(2/pi)*exp(-d**2/2).
"""

from dataclasses import dataclass
from functools import cached_property

from glassgrad.formula.parser import parse
from glassgrad.formula.tree import Tree

_ERF = "erf((mu - t)/(sigma*sqrt(2)))"
_BELL = "sqrt(2/pi)*exp(-(mu - t)**2/(2*sigma**2))"
_ABOVE, _BELOW = "(mu - t + 0.5)", "(mu - t - 0.5)"
_DENSITY = "exp(-{}**2/(2*sigma**2))"


@dataclass(frozen=True)
class ClosedForm:
    """reward: a formula in a and t. value, mu, sigma: J, dJ/dmu and dJ/dsigma, in mu, sigma and t."""

    reward: str
    value: str
    mu: str
    sigma: str

    @cached_property
    def trees(self) -> tuple[Tree, Tree, Tree]:
        """J, dJ/dmu and dJ/dsigma."""
        value, mu, sigma = (parse(formula, ("mu", "sigma", "t")) for formula in (self.value, self.mu, self.sigma))
        return value, mu, sigma


CLOSED_FORMS = (
    ClosedForm("-abs(a - t)", f"-(mu - t)*{_ERF} - sigma*{_BELL}", f"-{_ERF}", f"-{_BELL}"),
    ClosedForm("1 - 5*abs(a - t)", f"1 - 5*(mu - t)*{_ERF} - 5*sigma*{_BELL}", f"-5*{_ERF}", f"-5*{_BELL}"),
    ClosedForm("-(a - t)**2", "-(mu - t)**2 - sigma**2", "-2*(mu - t)", "-2*sigma"),
    ClosedForm(
        "where(abs(a - t) < 0.5, 1, 0)",
        f"(erf({_ABOVE}/(sigma*sqrt(2))) - erf({_BELOW}/(sigma*sqrt(2))))/2",
        f"({_DENSITY.format(_ABOVE)} - {_DENSITY.format(_BELOW)})/(sigma*sqrt(2*pi))",
        f"({_BELOW}*{_DENSITY.format(_BELOW)} - {_ABOVE}*{_DENSITY.format(_ABOVE)})/(sigma**2*sqrt(2*pi))",
    ),
)  # fmt: skip


def closed_form(reward: Tree) -> ClosedForm | None:
    """The row of a reward, if it has one.

    Example:
        >>> closed_form(parse("-(a - t)**2")).mu
        '-2*(mu - t)'
    """
    return next((row for row in CLOSED_FORMS if parse(row.reward) == reward), None)


__all__ = ["CLOSED_FORMS", "ClosedForm", "closed_form"]
