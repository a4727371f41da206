"""The exact policy gradient of a one-step task: what estimators estimate.

A normal answer a = mu + sigma*noise: in closed form where the reward has one, else by quadrature. A choice among
finitely many answers: by going through all of them, J = Σ p_k*r_k and dJ/dz_k = p_k*(r_k - J) for p = softmax(z).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from glassgrad.draws import Floats
from glassgrad.formula.evaluate import evaluate
from glassgrad.formula.functions import Array
from glassgrad.formula.tree import Apply, Tree
from glassgrad.formula.tree import replace as exchanged
from glassgrad.rl.closed_forms import ClosedForm, closed_form
from glassgrad.rl.integral import integral


@dataclass(frozen=True)
class Exact:
    """value: the expected reward J. slopes: dJ/d(each thing that decides the answer), by its name.

    error: how far the slopes may be off. form: the formulas that were used, if there are any.
    """

    value: Floats
    slopes: Mapping[str, Floats]
    error: float = 0.0
    form: ClosedForm | None = None


def normal(
    reward: Tree, mu: Floats, sigma: float | Floats, values: Mapping[str, Array], *, by_form: bool = True
) -> Exact:
    """J, dJ/dmu and dJ/dsigma for answers a = mu + sigma*noise.

    mu: one for each question. sigma: one number, or one for each question.
    values: of what the reward reads beside a: a number, or one for each question.
    by_form: take the closed form if there is one.

    Example:
        >>> from glassgrad.formula.parser import parse
        >>> found = normal(parse("-abs(round(a) - t)"), np.array([6.3]), 1.5, {"t": 7.0})
        >>> f"{found.slopes['mu'][0]:.4f}"
        '0.3657'
    """
    reward = without_stop(reward)
    form = closed_form(reward) if by_form else None
    if form is not None:
        known = {"mu": mu, "sigma": sigma, **values}
        value, slope, spread = (np.array(np.broadcast_to(evaluate(tree, known), mu.shape)) for tree in form.trees)
        return Exact(value, {"mu": slope, "sigma": spread}, form=form)
    spread = np.broadcast_to(np.asarray(sigma, np.float64), mu.shape)
    each = {name: np.broadcast_to(np.asarray(value, np.float64), mu.shape) for name, value in values.items()}
    found = [
        integral(reward, float(mu[i]), float(spread[i]), {name: float(value[i]) for name, value in each.items()})
        for i in range(len(mu))
    ]
    value, slope, by_sigma, error = np.array(found).T
    return Exact(value, {"mu": slope, "sigma": by_sigma}, float(error.max()))


def without_stop(tree: Tree) -> Tree:
    """A formula of the same value in which nothing is stopped."""

    def change(part: Tree) -> Tree | None:
        if isinstance(part, Apply) and part.function in ("stop", "old"):
            return without_stop(part.arguments[0])
        return None

    return exchanged(tree, change)


def categorical(logits: Floats, rewards: Floats) -> Exact:
    """J and dJ/dz_k for the answers k = 0, 1, …, chosen with probability softmax(z)_k; slopes are named z1, z2, ….

    Example:
        >>> found = categorical(np.array([0.0, 0.0]), np.array([0.0, 1.0]))
        >>> float(found.value), float(found.slopes["z2"])
        (0.5, 0.25)
    """
    p = np.exp(logits - logits.max())
    p = p / p.sum()
    value = p @ rewards
    return Exact(value, {f"z{k + 1}": p[k] * (rewards[k] - value) for k in range(len(p))})


def choice(outputs: Floats, rewards: Floats) -> Exact:
    """The same for each question, outputs and rewards being (questions, answers); slopes are named o1, o2, ….

    Example:
        >>> found = choice(np.zeros((1, 2)), np.array([[0.0, 1.0]]))
        >>> found.value, found.slopes["o2"]
        (array([0.5]), array([0.25]))
    """
    p = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    p = p / p.sum(axis=1, keepdims=True)
    value = np.sum(p * rewards, axis=1)
    return Exact(value, {f"o{k + 1}": p[:, k] * (rewards[:, k] - value) for k in range(p.shape[1])})


def bernoulli(p: Floats, right: Floats, left: Floats) -> Exact:
    """J and dJ/do for the answer 1, chosen with probability o, else 0; right, left: the rewards of 1 and of 0.

    For o = sigmoid(z), dJ/dz = dJ/do*o*(1 - o) = o*(right - J).
    """
    return Exact(p * right + (1 - p) * left, {"o": right - left})


__all__ = ["Exact", "bernoulli", "categorical", "choice", "normal", "without_stop"]
