"""A watched run as lines of text, each with a style for the terminal; plain, they keep the command line's contract."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from rich.cells import cell_len

from glassgrad.equations import MOST, Equation, Step, chain_of, plain_number, substituted
from glassgrad.formula.text import number_text, show
from glassgrad.formula.tree import Number, Symbol, Tree, substitute
from glassgrad.graph import graph as computation_graph
from glassgrad.graph import graph_text
from glassgrad.insight import errors, forward, slopes
from glassgrad.locale import say
from glassgrad.method import CONSTANT, Method
from glassgrad.network import gradient_name
from glassgrad.steps import weighted_sum
from glassgrad.tables.optimizers import optimizer
from glassgrad.watched import Watch

Line = tuple[str, str]  # style, text
UNITS_SHOWN = 32


def watch_text(run: Watch, *, full: bool = False, graph: bool = False) -> str:
    """All lines as plain text."""
    return "\n".join(text for _, text in watch_lines(run, full=full, graph=graph))


def watch_lines(run: Watch, *, full: bool = False, graph: bool = False) -> Iterator[Line]:
    """What `glassgrad watch` prints: the experiment, the shown steps, one number's story, what was learned, the check.

    full: print every equation of every shown step. graph: draw the computation graph.
    """
    if full:
        run.check_size()
    yield from head(run)
    if graph:
        yield from graph_lines(run)
    for number in run.shown:
        yield from epoch(run, number)
        if full:
            yield from all_equations(run, run.step(number))
    if run.shown and not full and not run.too_large:
        yield from behind(run, run.step(run.shown[0]))
    yield from after(run)
    yield from verdict(run)
    yield from checked(run)


def head(run: Watch) -> Iterator[Line]:
    """The experiment in a few lines, and the legend of symbols."""
    experiment, of = run.experiment, run.of
    yield "title", f"glassgrad watch {experiment.name}"
    for note in of.notes:
        yield "warning", say("report.warning", text=note)
    for key, value in _settings(run):
        name = say("report.setting", name=key)
        yield "", f"  {name}{' ' * max(1, 14 - cell_len(name))}{value}"
    key = "report.legend" if of.network.outputs == 1 else "report.legend_several"
    yield "dim", say(key, output=_few(tuple(of.output_names.values())))


def _few(names: tuple[str, ...]) -> str:
    """z2; z2_1, z2_2, z2_3; z2_1, …, z2_19."""
    return ", ".join(names if len(names) <= 3 else (names[0], "…", names[-1]))


def _settings(run: Watch) -> Iterator[tuple[str, str]]:
    experiment, of = run.experiment, run.of
    sizes = "-".join(map(str, experiment.network))
    key = "report.network_line" if len(experiment.network) > 2 else "report.network_line_linear"
    key = "report.network_apart" if experiment.apart else key
    yield (
        say("report.network"),
        say(key, sizes=sizes, activation=of.activation.row.name, parameters=of.network.count),
    )
    data = of.task.data
    truth = f"t = {of.task.truth}" if of.task.truth else say("report.from_data", column=data.label if data else "")
    yield say("report.truth"), truth
    for kind in ("policy", "reward", "objective"):
        if kind in of.pieces and not (
            kind == "policy" and of.pieces[kind].name == "output" and "reward" not in of.pieces
        ):
            yield say(f"report.{kind}"), of.pieces[kind].formula
    if of.regulariser is not None:
        yield say("report.regulariser"), of.regulariser.row.formula
    yield say("report.optimizer"), str(optimizer(experiment.optimizer) or of.optimizer)
    if of.schedule.tree != CONSTANT:
        numbers: dict[str, Tree] = {name: Number(value) for name, value in of.schedule.numbers.items()}
        yield say("report.schedule"), f"lr = {show(substitute(of.schedule.tree, numbers))}"
    samples = experiment.samples // experiment.group if of.task.data is None else len(run.record.inputs)
    key = "report.samples_fresh" if experiment.fresh else "report.samples_fixed"
    key += "_passes" if experiment.fresh and experiment.passes > 1 else ""
    yield (
        say("report.samples"),
        say(
            key,
            samples=samples,
            batch=experiment.batch or samples,
            steps=experiment.steps,
            seed=experiment.seed,
            passes=experiment.passes,
        ),
    )
    if experiment.group > 1:
        yield say("report.group"), say("report.group_line", group=experiment.group, samples=experiment.samples)
    if experiment.passes > 1:
        yield say("report.passes"), say("report.passes_line", passes=experiment.passes)


def graph_lines(run: Watch) -> Iterator[Line]:
    """The computation graph, with the cut that stop makes."""
    yield "", ""
    for line in graph_text(computation_graph(run.experiment)).splitlines():
        yield "", line


def epoch(run: Watch, number: int) -> Iterator[Line]:
    """The contract's lines of one step, all values before its update."""
    record = run.record
    row = record.rows[number]
    parameters = {name: values[row] for name, values in record.parameters.items()}
    gradients = {name: values[row] for name, values in record.gradients.items()}
    yield "", ""
    yield "step", f"Epoch {number}: Loss = {record.loss[number - 1]:.4f}"
    if record.reward is not None:
        yield "step", f"Reward = {record.reward[number - 1]:.4f}"
    yield from formulas(run.of, parameters)
    yield from gradient_lines(run.of, gradients)


def formulas(of: Method, parameters: Mapping[str, Any]) -> Iterator[Line]:
    """z1_1 = -0.0053 * x1 + 0.3793 * x2 + -0.5820, for every unit."""
    net = of.network
    for layer in net.layers:
        for i in _shown_units(net.sizes[layer]):
            weights = (
                f"{parameters[f'W{layer}'][i, column]:.4f} * {net.source_name(layer, j)}"
                for column, j in enumerate(net.sources(layer, i))
            )
            yield "", f"{net.sum_name(layer, i)} = {' + '.join(weights)} + {parameters[f'b{layer}'][i]:.4f}"
        yield from _more_units(net.sizes[layer])
        for name in net.learned_in(layer):
            yield "", f"{name}{layer} = {float(parameters[f'{name}{layer}']):.4f}"
    for k in _shown_outputs(of):
        z = Symbol(net.sum_name(net.last, k))
        yield "", f"{of.outputs[k]} = {show(substitute(of.output_activation.in_layer(net.last), {'z': z}))}"


def gradient_lines(of: Method, gradients: Mapping[str, Any]) -> Iterator[Line]:
    """dW1_1_x1 = 3.1415, dW1_1_x2 = -0.2718, then dB1_1 = 0.5000, for every unit."""
    net = of.network
    for layer in net.layers:
        for i in _shown_units(net.sizes[layer]):
            pairs = (
                f"d{net.weight_name(layer, i, j)} = {gradients[f'W{layer}'][i, column]:.4f}"
                for column, j in enumerate(net.sources(layer, i))
            )
            yield "", ", ".join(pairs)
            yield "", f"{gradient_name(net.bias_name(layer, i))} = {gradients[f'b{layer}'][i]:.4f}"
        for name in net.learned_in(layer):
            yield "", f"d{name}{layer} = {float(gradients[f'{name}{layer}']):.4f}"
        yield from _more_units(net.sizes[layer])


def _shown_units(count: int) -> range:
    return range(min(count, UNITS_SHOWN))


def _shown_outputs(of: Method) -> range:
    """The outputs that are more than the last sums, the first of them."""
    return range(0) if of.linear_output else _shown_units(of.network.outputs)


def _more_units(count: int) -> Iterator[Line]:
    if count > UNITS_SHOWN:
        yield "dim", say("report.more_units", count=count - UNITS_SHOWN)


def behind(run: Watch, step: Step) -> Iterator[Line]:
    """The largest gradient of a first-layer weight: its chain rule, its samples, its update."""
    net = run.of.network
    values = step.evaluated.values
    sizes = {name: abs(step.at(values[gradient_name(name)])) for name, _, _ in net.parameters()}
    first = {name: size for name, size in sizes.items() if name.startswith("W1_")}
    largest = first if any(first.values()) else sizes
    parameter = max(largest, key=lambda name: largest[name])
    found = chain_of(step, parameter)
    yield "", ""
    yield "heading", say("report.behind", name=found.name, step=step.moment.step)
    yield from equation_lines(found)
    yield "dim", f"  {say('report.behind_samples')}"
    for share in found.samples[:3]:
        key = "report.sample_line" if share.count == 1 else "report.samples_line"
        yield (
            "",
            "    "
            + say(
                key,
                sample=share.sample + 1,
                question=run.of.task.question(share.inputs),
                count=share.count,
                truth=number_text(share.truth),
                value=plain_number(share.value),
            ),
        )
    yield "dim", f"  {say('report.its_update')}"
    for equation in step.equations:
        if equation.section == "update" and (equation.level == "step" or is_of(equation, parameter)):
            yield from equation_lines(equation)


def is_of(equation: Equation, parameter: str) -> bool:
    """Whether an equation of the update belongs to a parameter."""
    return equation.name == f"{parameter}_new" or f"_{parameter}" in equation.name


def equation_lines(equation: Equation) -> Iterator[Line]:
    """One equation: in one line if it is short, else symbolic, substituted and result below each other."""
    value = f"{equation.value:.6g}"
    whole = f"  {equation.name} = {equation.symbolic} = {equation.substituted} = {value}"
    if equation.symbolic == equation.substituted or len(whole) <= 100:
        yield "", whole
        return
    yield "", f"  {equation.name} = {equation.symbolic}"
    yield "", f"    = {equation.substituted}"
    yield "", f"    = {value}"


def all_equations(run: Watch, step: Step) -> Iterator[Line]:
    """Every equation of a step, in the order in which they are computed."""
    moment, at = step.moment, step.sample
    question = run.of.task.question(tuple(moment.inputs[at]))
    yield "", ""
    yield (
        "heading",
        say(
            "report.all_equations",
            step=moment.step,
            sample=int(moment.places[at]) + 1,
            question=question,
            truth=number_text(float(moment.truth[at])),
        ),
    )
    if run.of.olds:
        values = (f"{name} = {plain_number(step.at(step.evaluated.values[name]))}" for name in run.of.olds.values())
        collected = run.experiment.collects(moment.step)
        yield "dim", "  " + say("report.old", values=", ".join(values), step=collected)
    section = ""
    for equation in step.equations:
        if equation.section != section:
            section = equation.section
            yield "dim", f"  {say('report.section_' + section)}"
        yield from equation_lines(equation)


def after(run: Watch) -> Iterator[Line]:
    """The final network, the questions worked out with it, and its answers."""
    yield "", ""
    yield "heading", f"After {run.record.steps} steps:"
    if gloss := say("report.after"):
        yield "dim", gloss
    yield from formulas(run.of, run.record.final)
    for test in run.tests:
        yield "", ""
        yield "dim", say("report.worked_out", question=test.question)
        yield from worked_out(run, np.array(test.inputs))
        yield "answer", f"{test.question} = {test.answer:.2f}"


def worked_out(run: Watch, inputs: Any) -> Iterator[Line]:
    """One question through the final network, unit by unit."""
    of, net, final = run.of, run.of.network, run.record.final
    seen = forward(run.experiment, final, inputs[None, :])
    values: dict[str, Any] = {
        **dict(zip(of.task.names, inputs, strict=True)),
        **{k: float(v[0]) for k, v in seen.items()},
        **{name: float(final[array][place]) for name, array, place in net.parameters()},
    }
    for layer in net.layers:
        for i in _shown_units(net.sizes[layer]):
            z = net.sum_name(layer, i)
            line = f"  {z} = {substituted(weighted_sum(of, layer, i), values, 0)} = {values[z]:.4f}"
            if layer < net.last:
                line += f"    a{layer}_{i + 1} = {values[f'a{layer}_{i + 1}']:.4f}"
            yield "", line
        yield from _more_units(net.sizes[layer])
    for k in _shown_outputs(of):
        tree = substitute(of.output_activation.in_layer(net.last), {"z": Symbol(net.sum_name(net.last, k))})
        shown = substituted(tree, {**values, **of.output_activation.numbers}, 0)
        yield "", f"  {of.outputs[k]} = {shown} = {values[of.outputs[k]]:.4f}"


def verdict(run: Watch) -> Iterator[Line]:
    """Whether it was learned, what it does outside, and what became of the units."""
    task, gaps = run.of.task, run.errors
    domain = task.domain()
    worst = task.question(tuple(domain[int(np.argmax(gaps))]))
    yield "", ""
    if run.record.status != "finished":
        yield "warning", ended(run.record.status)
    yield (
        ("good" if run.solved else "bad"),
        say(
            "report.verdict_solved" if run.solved else "report.verdict_unsolved",
            count=len(gaps),
            wrong=int(np.sum(~(gaps < task.tolerance))),
            tolerance=f"{task.tolerance:.3g}",
            mean=f"{gaps.mean():.4f}",
            max=f"{gaps.max():.4f}",
            question=worst,
        ),
    )
    outside = task.extrapolation(run.experiment.seed)
    if outside is not None and task.outside is not None:
        far = errors(run.experiment, run.record.final, outside)
        yield (
            "",
            say(
                "report.outside",
                low=task.outside[0],
                high=task.outside[1],
                mean=f"{far.mean():.4g}",
                max=f"{far.max():.4g}",
            ),
        )
    if run.units.dead:
        yield "", say("report.dead", names=", ".join(run.units.dead))
    if run.units.saturated:
        yield "", say("report.saturated", names=", ".join(run.units.saturated))
    yield from _slopes(run, domain)


def _slopes(run: Watch, domain: Any) -> Iterator[Line]:
    """At how many questions the output is locally the truth's own formula, for tasks that are sums and differences."""
    wanted = {"add": (1.0, 1.0), "sub": (1.0, -1.0)}.get(run.of.task.name)
    if wanted is None or run.experiment.truth is not None:
        return
    found = slopes(run.experiment, run.record.final, domain)
    if not found:
        return
    near = sum(all(abs(s - w) < 0.05 for s, w in zip(one.slopes, wanted, strict=True)) for one in found)
    yield (
        "",
        say(
            "report.slopes",
            share=near,
            count=len(found),
            formula="1*x1 + 1*x2 + c" if wanted[1] > 0 else "1*x1 - 1*x2 + c",
        ),
    )


def ended(status: str) -> str:
    """How a run ended, as a sentence: from `diverged at step 143: log(0) in objective`, `stopped at step 143`."""
    found = re.fullmatch(r"(diverged|stopped) at step (\d+)(?:: (.*))?", status)
    if found is None:
        return say("report.status_finished")
    return say(f"report.status_{found[1]}", step=found[2], **({"reason": found[3]} if found[3] else {}))


def place(where: str) -> str:
    """Where the largest difference is, in words: from `dW1_4_x1 at step 101`, `o at step 1 of a probe`."""
    found = re.fullmatch(r"(\S+) at step (\d+)( of a probe)?", where)
    if found is None:
        return where
    return say("report.place_probe" if found[3] else "report.place", name=found[1], step=found[2])


def checked(run: Watch) -> Iterator[Line]:
    """The check's result."""
    if run.too_large:
        yield "warning", say("report.too_large", most=f"{MOST:,}")
        return
    result = run.check
    values = {
        "numbers": f"{result.numbers:,}",
        "difference": f"{result.largest_difference:.1e}",
        "where": place(result.worst),
        "allowed": f"{result.tolerance:g}",
    }
    yield (
        ("good" if result.passed else "bad"),
        say("report.checked" if result.passed else "report.check_failed", **values),
    )
    if result.unchecked:
        yield "warning", say("report.unchecked", names=", ".join(result.unchecked))
