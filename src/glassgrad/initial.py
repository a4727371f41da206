"""The first weights of a run: drawn as PyTorch draws them, from a private generator, or given by the user."""

import json
import math
from typing import TYPE_CHECKING

from glassgrad.errors import ExperimentError
from glassgrad.network import Network
from glassgrad.tables.initialisations import INITIALISATIONS
from glassgrad.tables.row import unknown

if TYPE_CHECKING:
    import torch


def initial_parameters(init: str, network: Network, seed: int) -> "dict[str, torch.Tensor]":
    """W1, b1, W2, …, in single precision, layer after layer from one generator, as nn.Linear draws them.

    Networks that are apart are drawn one after the other, each layer after layer, as nn.Linear of its own sizes.

    init: a row (default, xavier, he, zeros), or own values as `W1=[[…], …]; b1=[…]; …`.

    Raises:
        ExperimentError: no such row, or values of the wrong shape.
    """
    if "=" in init:
        return own_values(init, network)
    if init not in INITIALISATIONS:
        raise unknown("init", init, INITIALISATIONS)
    import torch

    generator = torch.Generator().manual_seed(seed)
    parts = [[_layer(init, network, layer, generator) for layer in network.layers] for _ in range(network.parts)]
    found: dict[str, torch.Tensor] = {}
    for layer, drawn in zip(network.layers, zip(*parts, strict=True), strict=True):
        found[f"W{layer}"], found[f"b{layer}"] = (torch.cat(pieces) for pieces in zip(*drawn, strict=True))
    starts = {name: torch.tensor(start, dtype=torch.float32) for name, start in network.starts().items()}
    return found | starts


def _layer(
    init: str, network: Network, layer: int, generator: "torch.Generator"
) -> "tuple[torch.Tensor, torch.Tensor]":
    import torch
    from torch.nn import init as draw

    units, inputs = len(network.rows(layer, 0)), network.fan_in(layer)
    weight = torch.empty(units, inputs, dtype=torch.float32)
    bias = torch.zeros(units, dtype=torch.float32)
    if init == "default":
        draw.kaiming_uniform_(weight, a=math.sqrt(5), generator=generator)
        bound = 1 / math.sqrt(inputs)
        draw.uniform_(bias, -bound, bound, generator=generator)
    elif init == "xavier":
        draw.xavier_uniform_(weight, generator=generator)
    elif init == "he":
        draw.kaiming_uniform_(weight, nonlinearity="relu", generator=generator)
    else:
        draw.zeros_(weight)
    return weight, bias


def own_values(source: str, network: Network) -> "dict[str, torch.Tensor]":
    """Own first values: every array of the network, by name."""
    import torch

    given: dict[str, object] = {}
    for part in filter(str.strip, source.split(";")):
        name, _, value = part.partition("=")
        try:
            given[name.strip()] = json.loads(value)
        except (json.JSONDecodeError, RecursionError):
            given[name.strip()] = None
    unknown_name = next((name for name in given if name not in network.shapes()), None)
    if unknown_name is not None:
        known = ", ".join(network.shapes())
        raise ExperimentError("experiment.init_name", name=unknown_name[:30], known=known)
    found = {}
    for name, shape in network.shapes().items():
        try:
            tensor = torch.tensor(given.get(name), dtype=torch.float32)
        except (TypeError, ValueError, RuntimeError):
            tensor = torch.empty(0)
        if tuple(tensor.shape) != shape or not bool(torch.isfinite(tensor).all()):
            example = f"{name}={json.dumps(torch.zeros(shape).tolist())[:60]}"
            raise ExperimentError(
                "experiment.init_shape",
                name=name,
                expected=" x ".join(map(str, shape)),
                example=example,
                came=str(given.get(name))[:40],
            )
        found[name] = tensor
    return found
