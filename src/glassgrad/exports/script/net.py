"""The network of a script: `class Net(nn.Module)`, its activations, its first weights."""

import json
from dataclasses import replace

from glassgrad.experiment import Experiment
from glassgrad.exports.script.calls import MODULES
from glassgrad.exports.script.expression import LAZY_WHERE, Printer, Source
from glassgrad.exports.script.page import Page
from glassgrad.exports.script.words import RESERVED
from glassgrad.formula.text import number_text, show
from glassgrad.formula.tree import Symbol, substitute, symbols
from glassgrad.locale import say
from glassgrad.method import Formula, Method
from glassgrad.network import Network
from glassgrad.tables.activations import ACTIVATIONS


def layer_names(network: Network) -> tuple[str, ...]:
    """hidden, output; hidden1, hidden2, …, output where it is deeper."""
    hidden = network.last - 1
    return (*("hidden" if hidden == 1 else f"hidden{i}" for i in range(1, hidden + 1)), "output")


def hidden_layers(network: Network) -> range:
    """The numbers of the hidden layers, from 1."""
    return range(1, network.last)


def part_names(of: Method) -> tuple[str, ...]:
    """What networks that are apart are called: actor and critic, where one output is the value."""
    value = next((line.tree for line in of.program.lines if line.name == "value"), None)
    names = ["critic" if Symbol(name) == value else "" for name in of.outputs]
    if len(names) == 2 and "critic" in names:
        return tuple(name or "actor" for name in names)
    return tuple(name or f"net{k}" for k, name in enumerate(names, 1))


def layer_paths(of: Method) -> tuple[str, ...]:
    """The layers as attributes of the script's network: hidden, output; actor.hidden, … where networks are apart."""
    names = layer_names(of.network)
    if of.network.parts == 1:
        return names
    return tuple(f"{part}.{name}" for part in part_names(of) for name in names)


def write_net(page: Page, of: Method, experiment: Experiment) -> None:
    """`class Net`, and before it the activations that PyTorch does not have."""
    for name, formula in (("activation", of.activation), ("output", of.output_activation)):
        if formula.row.torch is None:
            _own_activation(page, name, formula, experiment.precision)
    if of.network.parts == 1:
        _write_class(page, "Net", of, experiment)
        return
    inputs, *hidden, _ = of.network.sizes
    one = Network((inputs, *(units // of.network.parts for units in hidden), 1))
    _write_class(page, "Part", replace(of, network=one), experiment)
    _write_parts(page, of, experiment)


def _write_parts(page: Page, of: Method, experiment: Experiment) -> None:
    """`class Net` of networks that are apart: each is a `Part`, with masks of its own."""
    names, count = part_names(of), of.network.parts
    page.gap(2)
    page.add("class Net(nn.Module):")
    page.add(f'"""{say("script.parts", parts=count)}"""', indent=1)
    page.gap()
    page.add("def __init__(self):", indent=1)
    page.add("super().__init__()", indent=2)
    for name, output in zip(names, of.outputs, strict=True):
        page.add(f"self.{name} = Part()", output, indent=2)
    page.gap()
    if not experiment.dropout:
        page.add("def forward(self, x):", indent=1)
        page.several("o = [", [f"self.{name}(x)" for name in names], "]", indent=2)
        page.add("return torch.cat(o, dim=1)", indent=2)
        return
    page.add("def forward(self, x, *masks):", indent=1)
    page.add(f"masks = [mask.chunk({count}, dim=1) for mask in masks]", say("script.part_masks"), indent=2)
    calls = [f"self.{name}(x, *(mask[{k}] for mask in masks))" for k, name in enumerate(names)]
    page.several("o = [", calls, "]", indent=2)
    page.add("return torch.cat(o, dim=1)", indent=2)


def _write_class(page: Page, called: str, of: Method, experiment: Experiment) -> None:
    """A network as a module."""
    network, names = of.network, layer_names(of.network)
    page.gap(2)
    page.add(f"class {called}(nn.Module):")
    sizes = "-".join(map(str, network.sizes))
    page.add(f'"""{say("script.net", sizes=sizes)}"""', indent=1)
    page.gap()
    page.add("def __init__(self):", indent=1)
    page.add("super().__init__()", indent=2)
    for layer, name in zip(network.layers, names, strict=True):
        sizes = f"{network.sizes[layer - 1]}, {network.sizes[layer]}"
        page.add(f"self.{name} = nn.Linear({sizes})", f"W{layer}[i][j], b{layer}[i]", indent=2)
        if network.learned_in(layer):
            learned = ", ".join(f"{number}{layer}" for number in network.learned_in(layer))
            page.add(f"self.activation{layer} = {_own(of, layer).title()}()", learned, indent=2)
    page.gap()
    page.add(f"def forward(self, x{_masks(network, experiment)}):", indent=1)
    _forward(page, of, [f"self.{name}({{below}})" for name in names], experiment.dropout > 0, indent=2)


def _masks(network: Network, experiment: Experiment) -> str:
    """The arguments for dropout."""
    return "".join(f", mask{layer}=1.0" for layer in hidden_layers(network)) if experiment.dropout else ""


def _forward(page: Page, of: Method, sums: list[str], dropout: bool, indent: int) -> None:
    """From x to the output. sums: the weighted sums of each layer, of what comes from below."""
    network = of.network
    for layer, total in zip(network.layers, sums, strict=True):
        below = "x" if layer == 1 else f"a{layer - 1}"
        page.add(f"z{layer} = {total.format(below=below)}", _sum(network, layer), indent)
        if layer < network.last:
            page.add(f"a{layer} = {_call(of, layer)}", f"a{layer}_i = {_applied(of, layer, f'z{layer}_i')}", indent)
            if dropout:
                page.add(f"a{layer} = a{layer} * mask{layer}", say("script.mask"), indent)
    unit = "" if network.outputs == 1 else "_i"
    applied = _applied(of, network.last, f"z{network.last}{unit}")
    page.add(f"return {_call(of, network.last)}", f"o{unit} = {applied}", indent)


def write_perturbed(page: Page, of: Method, experiment: Experiment) -> None:
    """All weights in one row, and the forward pass by such a row for each sample."""
    network, start, sums = of.network, 0, []
    page.gap(2)
    page.add("def all_weights(net):")
    page.add(f'"""{say("script.in_one_row")}"""', indent=1)
    page.several("layers = [", [f"net.{name}" for name in layer_paths(of)], "]", indent=1)
    page.add("units = [torch.cat([layer.weight, layer.bias.unsqueeze(1)], dim=1) for layer in layers]", indent=1)
    page.add("return torch.cat([rows.flatten() for rows in units]).unsqueeze(0)", indent=1)
    page.gap(2)
    page.add(f"def perturbed(x, tried{_masks(network, experiment)}):")
    page.add(f'"""{say("script.perturbed")}"""', indent=1)
    for layer in network.layers:
        inputs, units = network.sizes[layer - 1 : layer + 1]
        end = start + units * (inputs + 1)
        own = f"tried[:, {start}:{end}].reshape(-1, {units}, {inputs + 1}).split([{inputs}, 1], dim=2)"
        page.add(f"W{layer}, b{layer} = {own}", f"W{layer}[i][j], b{layer}[i]", indent=1)
        sums.append(f"(W{layer} @ {{below}}.unsqueeze(2) + b{layer}).squeeze(2)")
        start = end
    _forward(page, of, sums, experiment.dropout > 0, indent=1)


def _sum(network: Network, layer: int) -> str:
    """z1_i = Σ_j W1[i][j]*x_j + b1[i]."""
    below = "x_j" if layer == 1 else f"a{layer - 1}_j"
    if network.sizes[layer] == 1:
        return f"z{layer} = Σ_j W{layer}[1][j]*{below} + b{layer}[1]"
    return f"z{layer}_i = Σ_j W{layer}[i][j]*{below} + b{layer}[i]"


def _formula(of: Method, layer: int) -> Formula:
    """A layer's activation."""
    return of.output_activation if layer == of.network.last else of.activation


def _own(of: Method, layer: int) -> str:
    """What the script calls an activation that PyTorch does not have; as a class if it learns numbers."""
    return "output" if layer == of.network.last else "activation"


def _applied(of: Method, layer: int, z: str) -> str:
    """The activation of a sum, in symbols: relu(z1_i)."""
    formula = _formula(of, layer)
    if formula.row.torch is not None and formula.tree != Symbol("z"):
        return f"{formula.row.name}({z})"
    return show(substitute(formula.in_layer(layer), {"z": Symbol(z)}))


def _call(of: Method, layer: int) -> str:
    """An activation as one calls it: torch.relu(z1), nn.functional.elu(z1, alpha=0.5), activation(z1)."""
    row, z = _formula(of, layer).row, f"z{layer}"
    if of.network.learned_in(layer):
        return f"self.activation{layer}({z})"
    if row.torch is None:
        return f"{_own(of, layer)}({z})"
    usual = ACTIVATIONS[row.name].numbers
    changed = {key: value for key, value in row.numbers.items() if value != usual[key]}
    keywords = [f"{key}={number_text(float(str(value)))}" for key, value in row.torch.arguments(changed).items()]
    if row.torch.path not in MODULES:
        return f"nn.{row.torch.path.removeprefix('nn.')}({', '.join(keywords)})({z})"
    return MODULES[row.torch.path].format(z=", ".join((z, *keywords)))


def _own_activation(page: Page, name: str, formula: Formula, precision: str) -> None:
    """Your own activation as a function; what is the same for every z becomes a tensor too."""
    names = {"z": Source("z", "tensor", live=True)}
    names |= {number: Source(number_text(value)) for number, value in formula.numbers.items()}
    names |= {number: Source(_safe(number), "tensor", live=True) for number in formula.learned}
    printer = Printer(names, precision)
    source = printer.write(formula.tree)
    result = f"return {source.text}" + ("" if "z" in symbols(formula.tree) else " + torch.zeros_like(z)")
    write_helpers(page, printer)
    page.gap(2)
    if not formula.learned:
        page.add(f"def {name}(z):")
        page.add(f'"""{show(formula.tree)}"""', indent=1)
        page.add(result, indent=1)
        return
    page.add(f"class {name.title()}(nn.Module):")
    page.add(f'"""{show(formula.tree)}"""', indent=1)
    page.gap()
    page.add("def __init__(self):", indent=1)
    page.add("super().__init__()", indent=2)
    for number, start in formula.learned.items():
        page.add(f"self.{_safe(number)} = nn.Parameter(torch.tensor({start!r}))", say("script.learned"), indent=2)
    page.gap()
    page.add("def forward(self, z):", indent=1)
    for number in formula.learned:
        page.add(f"{_safe(number)} = self.{_safe(number)}", indent=2)
    page.add(result, indent=2)


def _safe(name: str) -> str:
    """A learned number's name as an attribute of a module: not one that modules have already."""
    from torch import nn

    return name + "_" if hasattr(nn.Module(), name) or name in RESERVED else name


def write_helpers(page: Page, printer: Printer) -> None:
    """What the printed formulas call, if it is not there yet."""
    helper = LAZY_WHERE.format(lazy_where=say("script.lazy_where")).strip("\n")
    if "lazy_where" in printer.used and helper.split("\n")[0] not in page.lines:
        page.gap(2)
        page.block(helper)


def write_first_weights(page: Page, of: Method, experiment: Experiment) -> None:
    """`net = Net()`, drawn in single precision as the experiment says."""
    page.add("net = Net()", say("script.first_weights") if experiment.init == "default" else "")
    if "=" in experiment.init:
        _own_weights(page, of, experiment.init)
    elif experiment.init != "default":
        page.add(f"torch.manual_seed({experiment.seed})", say("script.drawn_again"))
        page.several("for layer in (", [f"net.{name}" for name in layer_paths(of)], "):")
        page.add(f"nn.init.{_INIT[experiment.init]}", indent=1)
        page.add("nn.init.zeros_(layer.bias)", indent=1)
    if experiment.precision == "double":
        page.add("net = net.double()", say("script.double"))
        page.add("torch.set_default_dtype(torch.float64)")


_INIT = {
    "xavier": "xavier_uniform_(layer.weight)",
    "he": 'kaiming_uniform_(layer.weight, nonlinearity="relu")',
    "zeros": "zeros_(layer.weight)",
}


def _own_weights(page: Page, of: Method, init: str) -> None:
    """Own values, as they were written."""
    network, paths = of.network, layer_paths(of)
    pieces = (piece.partition("=") for piece in init.split(";") if piece.strip())
    given = {name.strip(): json.loads(value) for name, _, value in pieces}
    page.add("with torch.no_grad():", say("script.own_weights"))
    for i, path in enumerate(paths):
        part, layer = i // network.last, i % network.last + 1
        for array, attribute in ((f"W{layer}", "weight"), (f"b{layer}", "bias")):
            rows = [given[array][row] for row in network.rows(layer, part)]
            page.add(f"net.{path}.{attribute}.copy_(torch.tensor({rows}))", array, indent=1)
        for number in network.learned_in(layer):
            array = f"{number}{layer}"
            page.add(f"net.activation{layer}.{_safe(number)}.fill_({given[array]})", array, indent=1)
