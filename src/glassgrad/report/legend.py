"""The glossary of symbols: what each is, which line of a PyTorch script makes it, its shape and numbers in this run."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from glassgrad.equations import Step, plain_number
from glassgrad.formula.text import show
from glassgrad.locale import Text, text
from glassgrad.network import Network
from glassgrad.watched import Watch

NUMBERS = 6  # shown of an array


@dataclass(frozen=True)
class Entry:
    """One symbol.

    shape: rows x columns in this run; value: its numbers at the first shown step, for the chosen sample.
    """

    symbol: str
    meaning: Text
    pytorch: str
    shape: tuple[int, ...]
    value: str


def legend(run: Watch) -> tuple[Entry, ...]:
    """All symbols of a run, in the order in which a step computes them; empty for a run without steps.

    Example:
        >>> import glassgrad as gg
        >>> [entry.symbol for entry in legend(gg.watch("add-linear", steps=1))]
        ['x1, x2', 't', 'z1', 'L', 'dW1_1_x1 …', 'dB1_1 …', 'm', 'v', 'm_hat', 'v_hat', 'W1_1_x1_new …']
    """
    return tuple(_entries(run, run.step(run.shown[0]))) if run.shown else ()


def _entries(run: Watch, step: Step) -> Iterator[Entry]:
    yield from _data(run, step)
    yield from _perturbed(run, step)
    yield from _network(run, step)
    yield from _lines(run, step)
    yield from _gradients(run, step)
    yield from _optimizer(run, step)


def _entry(symbol: str, key: str, pytorch: str, shape: tuple[int, ...], numbers: Any, **values: object) -> Entry:
    return Entry(symbol, text(f"legend.{key}", **values), pytorch, shape, _some(numbers))


def _some(numbers: Any) -> str:
    flat = np.ravel(np.asarray(numbers, dtype=float))
    shown = ", ".join(plain_number(float(number)) for number in flat[:NUMBERS])
    return shown + (", …" if len(flat) > NUMBERS else "")


def _data(run: Watch, step: Step) -> Iterator[Entry]:
    moment, names = step.moment, run.of.task.names
    n = len(moment.inputs)
    source = run.of.task.truth or (run.of.task.data.label if run.of.task.data else "")
    yield _entry(
        ", ".join(names),
        "x",
        "x = torch.tensor(questions, dtype=torch.float32)",
        (n, len(names)),
        moment.inputs[step.sample],
    )
    yield _entry("t", "t", f"t = {source}", (n, 1), moment.truth[step.sample])


def layer_name(layer: int, last: int) -> str:
    """What a script calls a layer: hidden, hidden1, hidden2, …, output."""
    return "output" if layer == last else "hidden" if last == 2 else f"hidden{layer}"


def _network(run: Watch, step: Step) -> Iterator[Entry]:
    net, n, values = run.of.network, len(step.moment.inputs), step.evaluated.values
    callable_ = run.of.activation.row.torch
    below = "x"
    for layer in net.layers:
        sums = [step.at(values[net.sum_name(layer, i)]) for i in net.units(layer)]
        line = f"z{layer} = self.{layer_name(layer, net.last)}({below})"
        if run.of.tried:  # a matrix for each sample
            tried = run.of.tried_name
            line = f"z{layer} = ({tried}_W{layer} @ {below}.unsqueeze(2)).squeeze(2) + {tried}_b{layer}"
        if layer == net.last:
            yield _entry(_last_name(net), "output", line, (n, net.outputs), sums)
            break
        yield _entry(f"z{layer}_i", "z", line, (n, net.sizes[layer]), sums, layer=layer)
        function = callable_.path if callable_ else run.of.activation.row.formula
        yield _entry(
            f"a{layer}_i",
            "a_i",
            f"a{layer} = {function}()(z{layer})" if callable_ and "." in function else f"a{layer} = {function}",
            (n, net.sizes[layer]),
            [step.at(values[f"a{layer}_{i + 1}"]) for i in net.units(layer)],
            layer=layer,
        )
        below = f"a{layer}"
    if not run.of.linear_output:
        yield _entry(
            "o" if net.outputs == 1 else "o1 …",
            "o",
            f"o = torch.{run.of.output_activation.row.name}(z{net.last})",
            (n, net.outputs),
            [step.at(values[name]) for name in run.of.outputs],
        )


def _last_name(net: Network) -> str:
    """z2; z2_i where there are several outputs."""
    return net.sum_name(net.last, 0) if net.outputs == 1 else f"z{net.last}_i"


_LINES: Mapping[str, str] = {
    "a": "a = o",
    "logp": "logp = distribution.log_prob(a)",
    "reward": "reward = …",
    "baseline_new": "baseline = 0.9*baseline + 0.1*reward.mean().item()",
}


def _lines(run: Watch, step: Step) -> Iterator[Entry]:
    """The lines of policy, reward and objective that this run has."""
    values, n = step.evaluated.values, len(step.moment.inputs)
    for name in ("noise", "uniform"):
        if name in values:
            yield _entry(
                name,
                name,
                "torch.randn(…)" if name == "noise" else "torch.rand(…)",
                (n, 1),
                step.at(values[name]),
            )
    collected = run.experiment.collects(step.moment.step)
    for old, name in run.of.olds.items():
        shape = (n, 1) if np.ndim(values[name]) else (1,)
        yield _entry(name, "old", f"{name} = {show(old)}", shape, step.at(values[name]), step=collected)
    for line in run.of.program.lines:
        if line.name in _LINES and line.name in step.by_name:
            pytorch = f"{line.name} = {step.equation(line.name).symbolic}" if line.name != "logp" else _LINES["logp"]
            if line.name == "logp" and run.of.tried:
                pytorch = next(f"logp = {show(tree)}" for name, tree in run.of.written if name == "logp")
            shape = (n, 1) if line.level == "sample" else (1,)
            key = "logp_tried" if line.name == "logp" and run.of.tried else line.name
            yield _entry(line.name, key, pytorch, shape, step.at(values[line.name]))
    yield _entry("L", "L", "loss = …mean()", (1,), values["L"])


def _perturbed(run: Watch, step: Step) -> Iterator[Entry]:
    """Where weights are perturbed: their noise, and what is tried in their place."""
    tried, values, n = run.of.tried, step.evaluated.values, len(step.moment.inputs)
    if not tried:
        return
    noise = [step.at(values[f"noise_{weight}"]) for weight in tried]
    yield _entry("noise_W1_1_x1 …", "noise_w", "torch.randn(…)", (n, len(tried)), noise)
    used, name = [step.at(values[name]) for name in tried.values()], run.of.tried_name
    line = next(f"{name} = {show(tree)}" for written, tree in run.of.written if written == name)
    yield _entry(f"{name}_W1_1_x1 …", "tried", line, (n, len(tried)), used)


def _gradients(run: Watch, step: Step) -> Iterator[Entry]:
    net = run.of.network
    first = step.moment.gradients["W1"]
    name = layer_name(1, net.last)
    yield _entry("dW1_1_x1 …", "dW", f"loss.backward(); self.{name}.weight.grad", first.shape, first)
    bias = step.moment.gradients["b1"]
    yield _entry("dB1_1 …", "dB", f"self.{name}.bias.grad", bias.shape, bias)


def _optimizer(run: Watch, step: Step) -> Iterator[Entry]:
    """The optimizer's own names, with the numbers of the first weight."""
    from glassgrad.tables.optimizers import TORCH_STATES

    row, values = run.of.optimizer, step.evaluated.update_values
    if not values:
        return
    kept = TORCH_STATES[row.name].kept if row.torch is not None else {}
    for line in run.of.optimizer_program.lines:
        name = line.name.removesuffix("_new")
        if name in ("w", "g"):
            continue
        pytorch = f"optimizer.state[parameter]['{kept[name]}']" if name in kept else f"{name} = …"
        pytorch = "optimizer.param_groups[0]['lr']" if row.torch is not None and line == run.of.rate else pytorch
        known = f"legend.{name}"
        meaning = text(known) if known in _KNOWN else text("legend.own_state", line=str(line))
        yield Entry(name, meaning, pytorch, (), _some(np.ravel(values[line.name])[:1]))
    yield _entry("W1_1_x1_new …", "w_new", "optimizer.step()", step.moment.after["W1"].shape, step.moment.after["W1"])


_KNOWN = (
    "legend.lr",
    "legend.m",
    "legend.v",
    "legend.s",
    "legend.m_hat",
    "legend.v_hat",
    "legend.mu",
    "legend.mu_next",
    "legend.mu_product",
)
