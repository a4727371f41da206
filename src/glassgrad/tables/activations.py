"""Activations: what a unit makes of its weighted sum z."""

from glassgrad.locale import Text
from glassgrad.tables.row import Callable, Row, table

ACTIVATIONS = table(
    Row("linear", "z", Text("passes the sum on as it is", "原样输出加权和"), "identity",
        torch=Callable("nn.Identity")),
    Row("relu", "relu(z)", Text("passes what is positive, blocks the rest", "正数通过，其余为 0"),
        "Nair & Hinton 2010", torch=Callable("nn.ReLU")),
    Row("leaky_relu", "where(z > 0, z, slope*z)",
        Text("like relu, but a little of the negative side leaks through", "像 ReLU，但负的一侧也漏过一点"),
        "Maas, Hannun & Ng 2013", {"slope": 0.01}, Callable("nn.LeakyReLU", {"negative_slope": "slope"})),
    Row("elu", "where(z > 0, z, alpha*(exp(z) - 1))",
        Text("like relu, bending smoothly towards -alpha", "像 ReLU，负的一侧平滑地趋向 -alpha"),
        "Clevert, Unterthiner & Hochreiter 2016", {"alpha": 1.0}, Callable("nn.ELU", {"alpha": "alpha"})),
    Row("gelu", "z*(1 + erf(z/sqrt(2)))/2",
        Text("z times the chance that a normal number is below z", "z 乘以“标准正态数小于 z”的概率"),
        "Hendrycks & Gimpel 2016", torch=Callable("nn.GELU")),
    Row("silu", "z*sigmoid(z)", Text("z times its own sigmoid", "z 乘以它自己的 sigmoid"),
        "Elfwing, Uchibe & Doya 2018", torch=Callable("nn.SiLU")),
    Row("softplus", "softplus(z)", Text("relu with its corner rounded off", "把折角磨圆的 ReLU"),
        "Dugas et al. 2001", torch=Callable("nn.Softplus")),
    Row("sigmoid", "sigmoid(z)", Text("squeezes any number between 0 and 1", "把任何数压到 0 与 1 之间"),
        "the logistic function", torch=Callable("nn.Sigmoid")),
    Row("tanh", "tanh(z)", Text("squeezes any number between -1 and 1", "把任何数压到 -1 与 1 之间"),
        "the hyperbolic tangent", torch=Callable("nn.Tanh")),
    Row("sin", "sin(z)", Text("a wave: rises and falls again and again", "一条波：起伏不断"),
        "Sitzmann et al. 2020", torch=Callable("sin")),
)  # fmt: skip
"""By name: relu, tanh, …; each a formula in `z`."""
