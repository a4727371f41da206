"""Schedules: the learning rate of each step, from the optimizer's own `lr`.

`step` counts updates from 1, `steps` is how many there are. What `torch.optim.lr_scheduler` is given are formulas, too.
"""

from glassgrad.locale import Text
from glassgrad.tables.row import Callable, Range, Row, table

_ANY = (0.0, 1e9)
_WARMUP: dict[str, Range] = {"warmup": (2.0, 1e9)}  # a warm-up of 1 step is none, and LinearLR would divide by 0

SCHEDULES = table(
    Row("constant", "lr", Text("the learning rate stays as it is", "学习率保持不变"), "no schedule"),
    Row("exponential", "lr*gamma**(step - 1)",
        Text("every step multiplies the learning rate by gamma", "每走一步，学习率就乘以 gamma"),
        "Senior et al. 2013", {"gamma": 0.995}, Callable("optim.lr_scheduler.ExponentialLR", {"gamma": "gamma"}),
        bounds={"gamma": _ANY}),
    Row("cosine", "to + (lr - to)*(1 + cos(pi*(step - 1)/steps))/2",
        Text("along half a cosine from lr down to `to`: slow at first and at the end",
             "沿半个余弦从 lr 降到 to：开头和结尾都降得慢"),
        "Loshchilov & Hutter 2017", {"to": 0.0},
        Callable("optim.lr_scheduler.CosineAnnealingLR", {"T_max": "steps", "eta_min": "to"}), bounds={"to": _ANY}),
    Row("warmup", "lr*min(1, step/warmup)",
        Text("up to lr in equal parts over the first `warmup` steps, then it stays there",
             "预热：前 warmup 步均匀升到 lr，之后不变"),
        "Goyal et al. 2017", {"warmup": 100.0},
        Callable("optim.lr_scheduler.LinearLR", {"start_factor": "1/warmup", "total_iters": "warmup - 1"}),
        bounds=_WARMUP),
    Row("warmup_cosine",
        "where(step <= warmup, lr*step/warmup, to + (lr - to)*(1 + cos(pi*(step - warmup - 1)/(steps - warmup)))/2)",
        Text("a warm-up, and then the cosine over the steps that are left", "先预热，再在余下的步里走余弦"),
        "Goyal et al. 2017; Loshchilov & Hutter 2017", {"warmup": 100.0, "to": 0.0}, bounds={**_WARMUP, "to": _ANY}),
)  # fmt: skip
"""By name: constant, exponential, cosine, …; each a formula in `lr`, `step` and `steps`."""
