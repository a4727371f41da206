"""Rewards: how good an answer a is, given the truth t."""

from glassgrad.locale import Text
from glassgrad.tables.row import Row, table

REWARDS = table(
    Row("distance", "-abs(a - t)", Text("minus the distance to the truth", "与标准答案的距离，取负"),
        "the absolute error, negated"),
    Row("square", "-(a - t)**2", Text("minus the squared distance", "距离的平方，取负"),
        "the squared error, negated"),
    Row("closeness", "1 - 5*abs(a - t)", Text("1 if exactly right, below 0 beyond a distance of 0.2",
                                             "完全正确得 1，距离超过 0.2 就低于 0"),
        "the script of the volume knob"),
    Row("right", "where(abs(a - t) < 0.5, 1, 0)", Text("1 for right, 0 for wrong, nothing else",
                                                      "对得 1，错得 0，别无其他"),
        "exact match"),
)  # fmt: skip
"""By name: distance, square, closeness, right; each a formula in `a` and `t`."""
