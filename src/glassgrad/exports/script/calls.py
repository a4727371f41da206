"""How a script calls each function of the language: on a number or a NumPy array, and on a tensor.

{a}, {b} stand for the arguments, {A} for the first one in brackets where it needs them.
"""

from dataclasses import dataclass

CONDITION, COMPARISON, SUM, PRODUCT, SIGN, POWER, ATOM = range(7)
"""How tightly each kind of expression binds in Python."""


@dataclass(frozen=True, slots=True)
class Call:
    """One function: on NumPy arrays, on tensors, and on a single number where that differs from arrays."""

    array: str
    tensor: str = ""
    number: str = ""


# fmt: off
CALLS: dict[str, Call] = {
    "exp": Call("np.exp({a})", "torch.exp({a})"),
    "log": Call("np.log({a})", "torch.log({a})"),
    "sqrt": Call("np.sqrt({a})", "torch.sqrt({a})"),
    "tanh": Call("np.tanh({a})", "torch.tanh({a})"),
    "sin": Call("np.sin({a})", "torch.sin({a})"),
    "cos": Call("np.cos({a})", "torch.cos({a})"),
    "sign": Call("np.sign({a})", "torch.sign({a})"),
    "round": Call("np.round({a})", "torch.round({a})"),
    "abs": Call("np.abs({a})", "torch.abs({a})", "abs({a})"),
    "relu": Call("np.maximum({a}, 0.0)", "torch.relu({a})", "max({a}, 0.0)"),
    "erf": Call("np.vectorize(math.erf)({a})", "torch.erf({a})", "math.erf({a})"),
    "sigmoid": Call("np.where({a} >= 0, 1.0, np.exp(-np.abs({a}))) / (1.0 + np.exp(-np.abs({a})))",
                    "torch.sigmoid({a})"),
    "softplus": Call("np.where({a} > 20, {a}, np.log1p(np.exp(np.minimum({a}, 20))))",
                     "nn.functional.softplus({a})", "{a} if {a} > 20 else np.log1p(np.exp({a}))"),
    "stop": Call("{a}", "{A}.detach()"),
    "old": Call("{a}", "{A}.detach()"),
    "max": Call("np.maximum({a}, {b})", number="max({a}, {b})"),  # on tensors: see Printer.extreme
    "min": Call("np.minimum({a}, {b})", number="min({a}, {b})"),
}
"""By name; a NumPy call is the one that the engine makes, so that the last digit is the same."""

AGGREGATE_CALLS: dict[str, Call] = {
    "mean": Call("np.mean({a})", "{A}.mean()"),
    "sum": Call("np.sum({a})", "{A}.sum()"),
    "max": Call("np.max({a})", "torch.amax({a})"),
    "min": Call("np.min({a})", "torch.amin({a})"),
    "std": Call("np.sqrt(np.divide(np.sum(({A} - np.mean({a})) ** 2), np.size({a}) - 1))",
                "torch.sqrt((({A} - {A}.mean()) ** 2).sum() / ({A}.numel() - 1))"),
    "norm": Call("np.sqrt(np.sum(np.square({a})))", "torch.linalg.vector_norm({a})"),
    "count": Call("np.size({a})", "{A}.numel()"),
    "others": Call("np.divide(np.sum({a}) - {A}, np.size({a}) - 1)",
                   "({A}.sum() - {A}) / ({A}.numel() - 1)"),
    "group_mean": Call("group_mean(torch.tensor({a})).numpy()", "group_mean({a})"),
    "group_std": Call("group_std(torch.tensor({a})).numpy()", "group_std({a})"),
    "group_others": Call("group_others(torch.tensor({a})).numpy()", "group_others({a})"),
}
"""What reads all samples."""

ACROSS_CALLS: dict[str, str] = {
    "mean": "{A}.mean(dim=1, keepdim=True)",
    "sum": "{A}.sum(dim=1, keepdim=True)",
    "max": "{A}.max(dim=1, keepdim=True).values",
    "min": "{A}.min(dim=1, keepdim=True).values",
    "std": "torch.sqrt((({A} - {A}.mean(dim=1, keepdim=True)) ** 2).sum(dim=1, keepdim=True) / {less})",
    "norm": "torch.linalg.vector_norm({a}, dim=1, keepdim=True)",
    "count": "{count}",
    "others": "({A}.sum(dim=1, keepdim=True) - {A}) / {less}",
    "below": "nn.functional.pad({A}.cumsum(dim=1)[:, :-1], (1, 0))",
}
"""What reads all outputs (or weights) of a sample, a column each; less: their number, less 1."""
# fmt: on


def binding(template: str) -> int:
    """How tightly a template binds: what stands outside of all brackets decides.

    Example:
        >>> binding("({A}.sum() - {A}) / ({A}.numel() - 1)") == PRODUCT, binding("torch.relu({a} / 2)") == ATOM
        (True, True)
    """
    outside, depth = "", 0
    for character in template:
        depth += (character == "(") - (character == ")")
        outside += character if depth == 0 else ""
    return CONDITION if " if " in outside else PRODUCT if " / " in outside else ATOM


GROUP_HELPERS: dict[str, str] = {
    "group_mean": '''
def group_mean(a):
    """{reading}"""
    rows = a.reshape(-1, {group})
    return rows.mean(dim=1, keepdim=True).expand(rows.shape).reshape(a.shape)
''',
    "group_std": '''
def group_std(a):
    """{reading}"""
    rows = (a - group_mean(a)).reshape(-1, {group})
    return torch.sqrt((rows**2).sum(dim=1, keepdim=True) / {less}).expand(rows.shape).reshape(a.shape)
''',
    "group_others": '''
def group_others(a):
    """{reading}"""
    rows = a.reshape(-1, {group})
    return ((rows.sum(dim=1, keepdim=True) - rows) / {less}).reshape(a.shape)
''',
}
"""What reads the answers to one question, which stand side by side."""


MODULES = {
    "nn.Identity": "{z}",
    "nn.ReLU": "torch.relu({z})",
    "nn.Sigmoid": "torch.sigmoid({z})",
    "nn.Tanh": "torch.tanh({z})",
    "nn.LeakyReLU": "nn.functional.leaky_relu({z})",
    "nn.ELU": "nn.functional.elu({z})",
    "nn.GELU": "nn.functional.gelu({z})",
    "nn.SiLU": "nn.functional.silu({z})",
    "nn.Softplus": "nn.functional.softplus({z})",
    "sin": "torch.sin({z})",
}
"""Activations as functions, as one writes them in `forward`."""
