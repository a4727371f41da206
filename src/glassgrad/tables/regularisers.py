"""Regularisers: what each weight costs (biases cost nothing); their sum is part of the loss."""

from glassgrad.locale import Text
from glassgrad.tables.row import Row, table

REGULARISERS = table(
    Row("l1", "strength*abs(w)", Text("pulls every weight to 0 with the same force",
                                    "以同样的力把每个权重拉向 0"),
        "Tibshirani 1996", {"strength": 0.001}),
    Row("l2", "strength*w**2", Text("pulls large weights harder", "权重越大，拉得越用力"),
        "Hoerl & Kennard 1970", {"strength": 0.001}),
)  # fmt: skip
"""By name: l1, l2; each a formula in `w`."""
