"""Optimizers: how a weight w moves, given its gradient g, as the lines that `torch.optim` runs.

`step` counts updates from 1; what is a `state` lasts from step to step.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from glassgrad.locale import Text
from glassgrad.tables.row import Callable, Range, Row, find, table

_ADAM = (
    "state m = 0; state v = 0; m = beta1*m + (1 - beta1)*g; v = beta2*v + (1 - beta2)*g**2; "
    "m_hat = m/(1 - beta1**step); v_hat = v/(1 - beta2**step); w = {w} - lr*m_hat/(sqrt(v_hat) + eps)"
)
_BETAS = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8}
_ADAM_KEYWORDS: dict[str, str | tuple[str, ...] | bool] = {
    "lr": "lr", "betas": ("beta1", "beta2"), "eps": "eps", "weight_decay": "weight_decay",
}  # fmt: skip
_PLAIN_KEYWORDS: dict[str, str | tuple[str, ...] | bool] = {"lr": "lr", "weight_decay": "weight_decay"}
_DECAY = ("weight_decay",)
# What torch.optim accepts; a momentum of 0 is sgd, and torch.optim then keeps no buffer to compare with.
_ANY, _SHARE, _BETA = (0.0, 1e9), (0.0, 1.0), (0.0, 1 - 1e-9)
_PLAIN_BOUNDS: dict[str, Range] = {"lr": _ANY, "eps": _ANY, "weight_decay": _ANY}
_MOMENTUM_BOUNDS: dict[str, Range] = {**_PLAIN_BOUNDS, "momentum": (1e-9, 1e9)}
_ADAM_BOUNDS: dict[str, Range] = {**_PLAIN_BOUNDS, "beta1": _BETA, "beta2": _BETA, "momentum_decay": _ANY}

OPTIMIZERS = table(
    Row("sgd", "w = w - lr*g", Text("a step against the gradient", "逆着梯度走一步"),
        "Robbins & Monro 1951", {"lr": 0.01}, Callable("optim.SGD", _PLAIN_KEYWORDS), _DECAY, _PLAIN_BOUNDS),
    Row("momentum", "state m = 0; m = momentum*m + g; w = w - lr*m",
        Text("steps that remember their direction, like a rolling ball", "步子会记住方向，像滚动的球"),
        "Polyak 1964", {"lr": 0.01, "momentum": 0.9},
        Callable("optim.SGD", {**_PLAIN_KEYWORDS, "momentum": "momentum"}), _DECAY, _MOMENTUM_BOUNDS),
    Row("nesterov", "state m = 0; m = momentum*m + g; w = w - lr*(g + momentum*m)",
        Text("momentum that looks one step ahead", "先往前看一步的动量法"),
        "Nesterov 1983; Sutskever et al. 2013", {"lr": 0.01, "momentum": 0.9},
        Callable("optim.SGD", {**_PLAIN_KEYWORDS, "momentum": "momentum", "nesterov": True}), _DECAY,
        _MOMENTUM_BOUNDS),
    Row("adagrad", "state s = 0; s = s + g**2; w = w - lr*g/(sqrt(s) + eps)",
        Text("smaller steps where the gradients have been large in sum", "累计的梯度越大，步子越小"),
        "Duchi, Hazan & Singer 2011", {"lr": 0.01, "eps": 1e-10},
        Callable("optim.Adagrad", {**_PLAIN_KEYWORDS, "eps": "eps"}), _DECAY, _PLAIN_BOUNDS),
    Row("rmsprop", "state v = 0; v = alpha*v + (1 - alpha)*g**2; w = w - lr*g/(sqrt(v) + eps)",
        Text("smaller steps where the gradients have been large lately", "最近的梯度越大，步子越小"),
        "Tieleman & Hinton 2012", {"lr": 0.01, "alpha": 0.99, "eps": 1e-8},
        Callable("optim.RMSprop", {**_PLAIN_KEYWORDS, "alpha": "alpha", "eps": "eps"}), _DECAY,
        {**_PLAIN_BOUNDS, "alpha": _SHARE}),
    Row("adam", _ADAM.format(w="w"),
        Text("a running mean of gradients over the root of a running mean of their squares",
             "梯度的滑动平均，除以梯度平方的滑动平均的平方根"),
        "Kingma & Ba 2015", {"lr": 0.001, **_BETAS}, Callable("optim.Adam", _ADAM_KEYWORDS), _DECAY,
        _ADAM_BOUNDS),
    Row("adamw", _ADAM.format(w="(1 - lr*weight_decay)*w"),
        Text("Adam, with every weight shrunk a little at each step", "Adam，并且每一步把所有权重缩小一点"),
        "Loshchilov & Hutter 2019", {"lr": 0.001, **_BETAS, "weight_decay": 0.01},
        Callable("optim.AdamW", _ADAM_KEYWORDS), bounds=_ADAM_BOUNDS),
    Row("nadam",
        "state m = 0; state v = 0; state mu_product = 1; "
        "mu = beta1*(1 - 0.5*0.96**(step*momentum_decay)); "
        "mu_next = beta1*(1 - 0.5*0.96**((step + 1)*momentum_decay)); mu_product = mu_product*mu; "
        "m = beta1*m + (1 - beta1)*g; v = beta2*v + (1 - beta2)*g**2; v_hat = v/(1 - beta2**step); "
        "m_hat = (1 - mu)*g/(1 - mu_product) + mu_next*m/(1 - mu_product*mu_next); "
        "w = w - lr*m_hat/(sqrt(v_hat) + eps)",
        Text("Adam with Nesterov's look ahead", "带 Nesterov 前瞻的 Adam"),
        "Dozat 2016", {"lr": 0.002, **_BETAS, "momentum_decay": 0.004},
        Callable("optim.NAdam", {**_ADAM_KEYWORDS, "momentum_decay": "momentum_decay"}), _DECAY,
        _ADAM_BOUNDS),
)  # fmt: skip
"""By name: sgd, momentum, …, adam, nadam; each lines that assign `w`."""


def optimizer(asked: str) -> Row | None:
    """The optimizer that a text names; a `weight_decay` becomes its first line, as in torch.

    Example:
        >>> optimizer("sgd(lr=0.1, weight_decay=0.01)").formula
        'g = g + weight_decay*w; w = w - lr*g'
    """
    row = find("optimizer", OPTIMIZERS, asked)
    if row is not None and row.numbers.get("weight_decay") and "weight_decay" in row.optional:
        return replace(row, formula="g = g + weight_decay*w; " + row.formula)
    return row


@dataclass(frozen=True, slots=True)
class TorchState:
    """What `torch.optim` keeps under which name, and the lines' other names as formulas of what it keeps.

    kept: our state → torch's.
    derived: our name → a formula in torch's names, our settings and `step`.
    """

    kept: Mapping[str, str] = field(default_factory=dict)
    derived: Mapping[str, str] = field(default_factory=dict)


_ADAM_STATE = TorchState(
    {"m": "exp_avg", "v": "exp_avg_sq"},
    {"m_hat": "exp_avg/(1 - beta1**step)", "v_hat": "exp_avg_sq/(1 - beta2**step)"},
)

TORCH_STATES: dict[str, TorchState] = {
    "sgd": TorchState(),
    "momentum": TorchState({"m": "momentum_buffer"}),
    "nesterov": TorchState({"m": "momentum_buffer"}),
    "adagrad": TorchState({"s": "sum"}),
    "rmsprop": TorchState({"v": "square_avg"}),
    "adam": _ADAM_STATE,
    "adamw": _ADAM_STATE,
    "nadam": TorchState({"m": "exp_avg", "v": "exp_avg_sq", "mu_product": "mu_product"},
                        {"v_hat": "exp_avg_sq/(1 - beta2**step)"}),
}  # fmt: skip
"""For the check: where in `torch.optim`'s state each shown number can be found again."""
