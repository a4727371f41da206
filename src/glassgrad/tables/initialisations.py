"""Initialisations: how the first weights are drawn.

n_in, n_out: how many numbers a layer reads and gives.
"""

from dataclasses import dataclass

from glassgrad.locale import Text


@dataclass(frozen=True, slots=True)
class Initialisation:
    """Weights uniform in [-weight, weight], biases uniform in [-bias, bias]; the bounds are formulas."""

    name: str
    weight: str
    bias: str
    reading: Text
    source: str
    torch: str


INITIALISATIONS = {
    row.name: row
    for row in (
        Initialisation("default", "1/sqrt(n_in)", "1/sqrt(n_in)",
                       Text("PyTorch's own for nn.Linear", "PyTorch 为 nn.Linear 采用的默认值"),
                       "nn.Linear.reset_parameters", "kaiming_uniform_(a=sqrt(5))"),
        Initialisation("xavier", "sqrt(6/(n_in + n_out))", "0",
                       Text("keeps the spread of sums equal forwards and backwards",
                            "使前向和反向的数值幅度大致不变"),
                       "Glorot & Bengio 2010", "xavier_uniform_()"),
        Initialisation("he", "sqrt(6/n_in)", "0",
                       Text("like Xavier, for units that block half of what comes",
                            "类似 Xavier，适合会挡住一半信号的神经元"),
                       "He et al. 2015", "kaiming_uniform_(nonlinearity='relu')"),
        Initialisation("zeros", "0", "0",
                       Text("all the same: hidden units then stay copies of each other",
                            "全部为 0：隐藏神经元会一直彼此相同"),
                       "the symmetry that random weights break", "zeros_()"),
    )
}  # fmt: skip
"""By name: default, xavier, he, zeros; own values are given as `W1=[[…]]; b1=[…]; …`."""
