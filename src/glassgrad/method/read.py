"""From an experiment to its method: every formula read, in the order in which they know each other."""

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from glassgrad.errors import ExperimentError, FormulaError
from glassgrad.experiment import Experiment
from glassgrad.formula.adjoint import adjoints
from glassgrad.formula.evaluate import is_aggregate
from glassgrad.formula.functions import BELOW
from glassgrad.formula.lines import Level, Program, named_parts, read_lines, read_params, split_lines, written_lines
from glassgrad.formula.outputs import INDEX, Several, several_outputs, several_weights
from glassgrad.formula.parser import parse
from glassgrad.formula.tree import Apply, Number, Tree, substitute, symbols, walk
from glassgrad.locale import Text, text
from glassgrad.method.fit import check_groups, check_names, fit
from glassgrad.method.model import TRIED, Formula, Method, Written, given_names, output_symbols
from glassgrad.method.rows import asked_rows, defaulted, named, reads_weights, row_of, scheduled, symbols_of
from glassgrad.network import Learned, Network
from glassgrad.table_file import read_table
from glassgrad.tables.activations import ACTIVATIONS
from glassgrad.tables.optimizers import OPTIMIZERS
from glassgrad.tables.regularisers import REGULARISERS
from glassgrad.tables.row import Row, Table, unknown
from glassgrad.tables.schedules import SCHEDULES
from glassgrad.tables.tasks import TASKS
from glassgrad.task import Task

_TAKEN = {"W", "b", "z", "a", "x", "o", "t", "L", "g", "w", "keep", "step"}  # names that a learned number may not have


def method(experiment: Experiment) -> Method:
    """Read an experiment's formulas and check that they fit together.

    Raises:
        FormulaError, ExperimentError, DataError: something cannot be read, or does not fit.

    Example:
        >>> from glassgrad.tables.experiments import shipped
        >>> [str(line) for line in method(shipped("add")).backward]
        ['do = 2*(o - t)']
    """
    return _method(of_any_seed(experiment), experiment.data and _changed(experiment.data))


@lru_cache(maxsize=1024)
def of_any_seed(experiment: Experiment) -> Experiment:
    """The same for every seed: formulas do not depend on it, and are not read again for each of many runs."""
    return experiment.change(seed=0)


def _changed(file: str) -> int:
    """When a file was last written, so that an edited one is read again; 0 if there is none (reading it says so)."""
    try:
        return Path(file).stat().st_mtime_ns
    except OSError:
        return 0


@lru_cache(maxsize=256)
def _method(experiment: Experiment, written: int | None) -> Method:
    notes: list[Text] = []
    task = task_of(experiment)
    hidden = _formula("activation", ACTIVATIONS, experiment.activation, ("z",))
    output = _apart(_formula("output activation", ACTIVATIONS, experiment.output_activation, ("z",)), hidden)
    learned = (tuple(hidden.learned.items()), tuple(output.learned.items()))
    network = _network(experiment, _sizes(experiment, task), learned)
    pieces = asked_rows(experiment, notes)
    outputs = output_symbols(network)
    given = given_names(task, outputs)
    several = _several(pieces["policy"], network)
    given |= dict.fromkeys(several.given, "output")
    program, as_written = _program(pieces, given, several)
    check_groups(program, experiment.group)
    tried = {name: f"{program.latest[TRIED]}_{name}" for name in several.labels if TRIED in program.each}
    ends: dict[str, Level] = {**dict.fromkeys(outputs, "sample"), **dict.fromkeys(tried, "step")}
    backward = adjoints(program.lines, "objective", ends)
    rate = re.sub(r"^\s*lr\s*=(?!=)", "", experiment.schedule)  # `lr = lr/step` is the formula lr/step
    schedule = _formula("schedule", SCHEDULES, rate, ("lr", "step", "steps"))
    asked = row_of("optimizer", OPTIMIZERS, experiment.optimizer)
    asked = defaulted("optimizer", asked, notes if "lr" in symbols(schedule.tree) else [])
    optimizer_row = scheduled(asked, schedule, experiment.steps)
    found = Method(
        task=task,
        network=network,
        activation=hidden,
        output_activation=output,
        program=program,
        written=as_written,
        pieces=pieces,
        numbers={key: value for row in pieces.values() for key, value in row.numbers.items()},
        backward=backward if {line.name for line in backward} & {f"d{name}" for name in tried or outputs} else (),
        observed=all(line.name != "dreward" for line in backward),
        regulariser=_formula("regulariser", REGULARISERS, experiment.regulariser, ("w",))
        if experiment.regulariser
        else None,
        optimizer=optimizer_row,
        schedule=schedule,
        optimizer_program=_lines("optimizer", optimizer_row, {"w": "parameter", "g": "parameter", "step": "step"}, "w"),
        notes=(),
        olds=_olds(experiment, program, pieces, given),
        tried=tried,
    )
    check_groups(found.optimizer_program, None)
    check_names(found)
    notes += fit(experiment, found)
    return Method(**{**found.__dict__, "notes": tuple(notes)})


def _olds(
    experiment: Experiment, program: Program, pieces: Mapping[str, Row], given: Mapping[str, Level]
) -> dict[Tree, str]:
    """What the value of each old(…) is called, where it is that of another step."""
    if experiment.passes == 1:
        return {}
    numbers = (name for row in pieces.values() for name in row.numbers)
    lines = (line.name for line in program.lines)
    return named_parts(program.lines, "old", (*given, *numbers, *program.states, *lines))


def task_of(experiment: Experiment) -> Task:
    """The task that is learned, with the experiment's own truth or data in place."""
    if experiment.task not in TASKS:
        raise unknown("task", experiment.task, TASKS)
    task = TASKS[experiment.task]
    if experiment.data is not None:
        table = read_table(experiment.data, experiment.held_out, labelled=experiment.truth is None)
        names = tuple(f"x{i + 1}" for i in range(len(table.columns)))
        template = ", ".join(f"{{{name}}}" for name in names)
        with np.errstate(over="ignore"):
            spread = float(np.std(table.truth)) if table.label else 0.0
        whole = bool(np.all(table.truth == np.round(table.truth)))
        task = Task(
            "data",
            (),
            names,
            "",
            template,
            tuple(tuple(row) for row in table.inputs[:4]),
            tolerance=0.5 if whole or not 0 < spread < np.inf else spread / 10,
            reading=text("task.data"),
            data=table,
        )
    if experiment.truth is not None:
        try:
            _plain(parse(experiment.truth, task.names), experiment.truth)
        except FormulaError as error:
            raise error.within("truth") from None
        template = task.template if experiment.data else ", ".join(f"{{{name}}}" for name in task.names)
        task = replace(task, truth=experiment.truth, template=template, reading=text("task.own"))
    return task


def _sizes(experiment: Experiment, task: Task) -> tuple[int, ...]:
    sizes = experiment.network
    if sizes[0] != len(task.inputs):
        fix = "-".join(map(str, (len(task.inputs), *sizes[1:])))
        raise ExperimentError("experiment.inputs", came=sizes[0], expected=len(task.inputs), task=task.name, fix=fix)
    return sizes


def _network(experiment: Experiment, sizes: tuple[int, ...], learned: tuple[Learned, Learned]) -> Network:
    """The network, its hidden layers once for each output where these are apart.

    Raises:
        ExperimentError: an activation learns numbers, which networks that are apart would share.
    """
    if not experiment.apart:
        return Network(sizes, learned)
    if any(learned):
        raise ExperimentError("experiment.apart_learned", name=(*learned[0], *learned[1])[0][0])
    inputs, *hidden, outputs = sizes
    return Network((inputs, *(units * outputs for units in hidden), outputs), learned, parts=outputs)


def _formula(kind: str, rows: Table, asked: str, names: tuple[str, ...]) -> Formula:
    row = row_of(kind, rows, asked)
    try:
        learned, formula = read_params(row.formula) if names == ("z",) else ({}, row.formula)
        taken = next((name for name in learned if name in _TAKEN or not name.isalpha()), None)
        if taken:
            raise FormulaError("formula.param_name", formula=formula, position=1, name=taken)
        return Formula(row, _plain(parse(formula, (*names, *row.numbers, *learned)), formula), learned)
    except FormulaError as error:
        raise error.within(kind) from None


def _plain(tree: Tree, formula: str) -> Tree:
    """A formula that stands for one question, or one weight, alone.

    Raises:
        FormulaError: it reads all samples, as mean(…) does.
    """
    found = next((part for part in walk(tree) if is_aggregate(part)), None)
    if isinstance(found, Apply):
        raise FormulaError("formula.no_aggregate", formula=formula, position=1, name=found.function)
    return tree


def _apart(output: Formula, hidden: Formula) -> Formula:
    """The output's activation; settings that the hidden layers have by the same name become plain numbers in it."""
    same = {name: Number(value) for name, value in output.numbers.items() if name in hidden.numbers}
    if not same:
        return output
    return Formula(output.row, substitute(output.tree, same), output.learned, fixed=tuple(same))


def _several(policy: Row, network: Network) -> Several:
    """What lines may have a value for each of: the outputs; or the weights, where the policy perturbs them.

    Raises:
        ExperimentError: it does, and there are several outputs, or activations that learn; or nothing is tried.
    """
    if not reads_weights(policy):
        return several_outputs(network.outputs) if network.outputs > 1 else Several()
    if network.outputs > 1:
        raise ExperimentError("experiment.perturbed_outputs", outputs=network.outputs)
    if not any(re.match(rf"{TRIED}\s*=(?!=)", line) for line in split_lines(policy.formula)):
        raise ExperimentError("experiment.nothing_tried", policy=policy.name[:40])
    if learned := network.starts():
        raise ExperimentError("experiment.perturbed_learned", name=next(iter(learned))[:-1])
    return several_weights(tuple(name for name, _, _ in network.parameters()))


def _lines(kind: str, row: Row, given: Mapping[str, Level], result: str, several: Several | None = None) -> Program:
    try:
        return read_lines(row.formula, {**given, **dict.fromkeys(row.numbers, "step")}, result, several)
    except FormulaError as error:
        raise error.within(kind) from None


def _program(pieces: Mapping[str, Row], given: Mapping[str, Level], several: Several) -> tuple[Program, Written]:
    """Policy, reward and objective as one list of lines; each is first read alone, so that an error names it."""
    known: dict[str, Level] = dict(given)
    sources: list[str] = []
    for kind, result in (("policy", "a"), ("reward", "reward"), ("objective", "objective")):
        if kind not in pieces:
            continue
        row = pieces[kind]
        if kind == "objective":
            _check_readable(row, known, pieces)
        if INDEX not in several.given:
            _check_one_output(kind, row, known)
        program = _lines(kind, row, known, result, several)
        known |= {line.name: line.level for line in program.lines if line.name not in program.families}
        known.update(dict.fromkeys(program.each, "output"))
        known.update(dict.fromkeys(row.numbers, "step"))
        sources += named(row.formula, result)
    numbers: dict[str, Level] = {key: "step" for row in pieces.values() for key in row.numbers}
    source = "; ".join(sources)
    program = read_lines(source, {**given, **numbers}, "objective", several)
    if not several.given:
        return program, tuple((line.name, line.tree) for line in program.lines)
    return program, written_lines(source, {**given, **numbers}, "objective")


def _check_readable(row: Row, known: Mapping[str, Level], pieces: Mapping[str, Row]) -> None:
    """A missing reward or log-probability is explained, not just called an unknown name."""
    wanted = set().union(*(symbols_of(line) for line in split_lines(row.formula)))
    if "reward" in wanted and "reward" not in known:
        raise ExperimentError("experiment.no_reward")
    if "logp" in wanted and "logp" not in known:
        raise ExperimentError("experiment.no_logp", policy=pieces["policy"].name)


def _check_one_output(kind: str, row: Row, known: Mapping[str, Level]) -> None:
    """What only a network with several outputs has is explained, too.

    Raises:
        ExperimentError: the row reads o2, index, or below(…), and there is one output.
    """
    found = re.search(rf"\b(o[1-9]\d*|{INDEX}|{BELOW}(?=\())", row.formula)
    if found and found[1] not in {*known, *row.numbers} and not re.search(rf"\b{found[1]}\s*=(?!=)", row.formula):
        raise ExperimentError("experiment.one_output", piece=kind, rule=row.name[:40], name=found[1])
