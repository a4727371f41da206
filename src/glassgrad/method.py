"""A method: an experiment's formulas, read, named and checked for whether they fit together."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from glassgrad.draws import Floats
from glassgrad.errors import ExperimentError, FormulaError
from glassgrad.experiment import Experiment
from glassgrad.formula.adjoint import adjoints
from glassgrad.formula.evaluate import evaluate, is_aggregate
from glassgrad.formula.functions import BELOW, GROUPED
from glassgrad.formula.lines import (
    Level,
    Line,
    Program,
    level_of,
    named_parts,
    read_lines,
    read_params,
    reads,
    run_lines,
    split_lines,
    written_lines,
)
from glassgrad.formula.outputs import INDEX, NOISE, Several, several_outputs, several_weights
from glassgrad.formula.parser import parse
from glassgrad.formula.text import show
from glassgrad.formula.tree import Apply, Number, Symbol, Tree, parts, substitute, symbols, walk
from glassgrad.formula.tree import replace as replace_parts
from glassgrad.locale import Text, text
from glassgrad.network import Learned, Network
from glassgrad.table_file import read_table
from glassgrad.tables.activations import ACTIVATIONS
from glassgrad.tables.objectives import OBJECTIVES
from glassgrad.tables.optimizers import OPTIMIZERS, optimizer
from glassgrad.tables.policies import POLICIES
from glassgrad.tables.regularisers import REGULARISERS
from glassgrad.tables.rewards import REWARDS
from glassgrad.tables.row import Row, Table, find, unknown
from glassgrad.tables.schedules import SCHEDULES
from glassgrad.tables.tasks import TASKS
from glassgrad.task import Task

_TAKEN = {"W", "b", "z", "a", "x", "o", "t", "L", "g", "w", "keep", "step"}  # names that a learned number may not have
_STEPS_OWN = re.compile(r"d?(z\d+(_\d+)?|a\d+_\d+|keep\d+_\d+|L|R|norm|shrink|clip|(\w+_)?(W\d+_\w+|[bB]\d+_\d+))")
"""What a step computes anyway: no line of a policy, reward, objective or optimizer may have such a name."""

TRIED = "tried"
"""What a policy calls the perturbed weights: a sample is answered by them."""

CONSTANT = Symbol("lr")
"""The schedule that changes nothing."""

Written = tuple[tuple[str, Tree], ...]

_DEFAULTS = {"policy": {"sigma": 0.5}, "optimizer": {"lr": 0.01}}


@dataclass(frozen=True)
class Formula:
    """One formula in place: its row, its tree, its numbers, and (of an activation) the numbers that it learns.

    fixed: settings that stand in the tree as plain numbers.
    """

    row: Row
    tree: Tree
    learned: Mapping[str, float] = field(default_factory=dict)
    fixed: tuple[str, ...] = ()

    def in_layer(self, layer: int) -> Tree:
        """The formula with its learned numbers called by the layer's names: p becomes p1."""
        return substitute(self.tree, {name: Symbol(f"{name}{layer}") for name in self.learned})

    @property
    def numbers(self) -> Mapping[str, float]:
        return {name: value for name, value in self.row.numbers.items() if name not in self.fixed}


@dataclass(frozen=True)
class Method:
    """An experiment's formulas, ready to be run, differentiated and shown.

    task, network: what is asked, and the names of the network's numbers.
    activation, output_activation: formulas in z. regulariser: a formula in w, or None.
    program: the lines from the output o to `objective`: policy, reward, objective.
    written: the same, one line for all outputs.
    pieces: the rows that the program was made of. numbers: the values of all their settings.
    optimizer: its row, with the schedule as one of its lines, and these lines from w, g to w_new.
    schedule: the learning rate as a formula in lr, step and steps.
    backward: the chain rule's lines from `objective` back to o; empty if nothing leads there.
    observed: whether the reward is only seen as a number, never differentiated.
    notes: what is worth a warning.
    olds: where several updates are made from the same data, each old(…) of the program and what its value is called:
        from the second update on it is given. With one update each, old(…) is stop(…), and there are none.
    tried: where the policy perturbs the weights, by weight the line for what is tried in its place.
    """

    task: Task
    network: Network
    activation: Formula
    output_activation: Formula
    program: Program
    written: Written
    pieces: Mapping[str, Row]
    numbers: Mapping[str, float]
    backward: tuple[Line, ...]
    observed: bool
    regulariser: Formula | None
    optimizer: Row
    schedule: Formula
    optimizer_program: Program
    notes: tuple[Text, ...]
    olds: Mapping[Tree, str] = field(default_factory=dict)
    tried: Mapping[str, str] = field(default_factory=dict)

    @property
    def in_groups(self) -> bool:
        """Whether a line reads the answers to one question."""
        return _grouped(self.program) is not None

    @property
    def collected(self) -> tuple[Line, ...]:
        """What is worked out when data is collected: the program's lines, then the value of each old(…)."""
        levels: dict[str, Level] = {line.name: line.level for line in self.program.lines}
        known = {**_given(self.task, self.outputs), **levels}
        found = (Line(name, parts(old)[0], level_of(old, known)) for old, name in self.olds.items())
        return (*self.program.lines, *found)

    def later(self, lines: tuple[Line, ...]) -> tuple[Line, ...]:
        """Lines of the program, or back from it, in which each old(…) is given by its name."""
        if not self.olds:
            return lines
        named = {old: Symbol(name) for old, name in self.olds.items()}
        return tuple(Line(line.name, replace_parts(line.tree, named.get), line.level) for line in lines)

    @property
    def linear_output(self) -> bool:
        """Whether the output is the last sum itself: then o is called by that sum's name."""
        return self.output_activation.tree == Symbol("z")

    @property
    def rate(self) -> Line | None:
        """The schedule's line `lr_new = …`; None where lr stays as it is, or is the optimizer's own line."""
        scheduled = self.schedule.tree != CONSTANT and "lr" in self.optimizer.numbers
        return self.optimizer_program.lines[0] if scheduled else None

    @property
    def outputs(self) -> tuple[str, ...]:
        """What the lines of the program call the outputs: o; with several outputs o1, o2, …"""
        return output_symbols(self.network)

    @property
    def output_names(self) -> Mapping[str, str]:
        """What readers see for each: itself, or z2 (z2_1, z2_2, …) where the output is the last sum itself."""
        last = self.network.last
        return {
            name: self.network.sum_name(last, k) if self.linear_output else name for k, name in enumerate(self.outputs)
        }

    @property
    def output_name(self) -> str:
        """What readers see for the output of a network that has only one."""
        return self.output_names["o"]

    def arriving(self, output: int) -> str | None:
        """The line for what arrives at an output, do or do2; None if nothing does."""
        name = f"d{self.outputs[output]}"
        return name if any(line.name == name for line in self.backward) else None


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
    pieces = _pieces(experiment, notes)
    outputs = output_symbols(network)
    given = _given(task, outputs)
    several = _several(pieces["policy"], network)
    given |= dict.fromkeys(several.given, "output")
    program, as_written = _program(pieces, given, several)
    _check_groups(program, experiment.group)
    tried = {name: f"{program.latest[TRIED]}_{name}" for name in several.labels if TRIED in program.each}
    ends: dict[str, Level] = {**dict.fromkeys(outputs, "sample"), **dict.fromkeys(tried, "step")}
    backward = adjoints(program.lines, "objective", ends)
    rate = re.sub(r"^\s*lr\s*=(?!=)", "", experiment.schedule)  # `lr = lr/step` is the formula lr/step
    schedule = _formula("schedule", SCHEDULES, rate, ("lr", "step", "steps"))
    asked = _row("optimizer", OPTIMIZERS, experiment.optimizer)
    asked = _defaulted("optimizer", asked, notes if "lr" in symbols(schedule.tree) else [])
    optimizer_row = _scheduled(asked, schedule, experiment.steps)
    found = Method(
        task=task,
        network=network,
        activation=hidden,
        output_activation=output,
        program=program,
        written=as_written,
        pieces=pieces,
        numbers={key: value for row in pieces.values() for key, value in row.numbers.items()},
        backward=backward if {line.name for line in backward} & {f"d{name}" for name in ends} else (),
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
    _check_groups(found.optimizer_program, None)
    _check_names(found)
    notes += _fit(experiment, found)
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


def _check_groups(program: Program, group: int | None) -> None:
    """What reads the answers to one question needs several of them; group: how many, None in an optimizer.

    Raises:
        ExperimentError: there is one, or none.
    """
    found = _grouped(program)
    if found is not None and group is None:
        raise ExperimentError("experiment.group_optimizer", name=found, plain=found.removeprefix("group_"))
    if found is not None and group == 1:
        raise ExperimentError("experiment.no_group", name=found)


def _grouped(program: Program) -> str | None:
    """The first function that reads the answers to one question, if there is one."""
    every = (part for line in program.lines for part in walk(line.tree) if isinstance(part, Apply))
    return next((part.function for part in every if part.function in GROUPED), None)


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


def check_one_output(of: Method, what: str) -> None:
    """For what knows one output only.

    Raises:
        ExperimentError: the network has several.
    """
    outputs, sizes = of.network.outputs, of.network.sizes
    if outputs > 1:
        fix = "-".join(map(str, (*(size // of.network.parts for size in sizes[1:-1]), 1)))
        raise ExperimentError("experiment.several_outputs", what=what, outputs=outputs, fix=f"{sizes[0]}-{fix}")


def output_symbols(network: Network) -> tuple[str, ...]:
    """What lines call the outputs: o, or o1, o2, … if there are several."""
    return ("o",) if network.outputs == 1 else tuple(f"o{k + 1}" for k in range(network.outputs))


def _pieces(experiment: Experiment, notes: list[Text]) -> dict[str, Row]:
    """Policy, reward (if there is one) and objective, each a row of its table or the user's own lines."""
    policy = _defaulted("policy", _row("policy", POLICIES, experiment.policy), notes)
    if experiment.passes > 1:  # an answer is tried once, and kept for all updates
        policy = replace(policy, formula=re.sub(r"\bstop(?=\s*\()", "old", policy.formula))
    pieces = {"policy": policy}
    if experiment.reward is not None:
        pieces["reward"] = _row("reward", REWARDS, experiment.reward)
    pieces["objective"] = _with_baseline(_row("objective", OBJECTIVES, experiment.objective), notes)
    return pieces


def _with_baseline(row: Row, notes: list[Text]) -> Row:
    """An own objective that reads a baseline without assigning one gets the running mean, and a note says so."""
    lines = split_lines(row.formula)
    assigned = {re.sub(r"^state\s+", "", line).split("=")[0].strip() for line in lines if "=" in line}
    if not row.own or "baseline" in assigned or not any("baseline" in symbols_of(line) for line in lines):
        return row
    usual = "baseline = 0.9*baseline + 0.1*mean(reward)"
    notes.append(text("experiment.default_baseline", line=usual))
    return replace(row, formula="; ".join(("state baseline = 0", *_named(row.formula, "objective"), usual)))


def _row(kind: str, rows: Table, asked: str) -> Row:
    found = optimizer(asked) if kind == "optimizer" else find(kind, rows, asked)
    return found if found is not None else Row(asked.strip(), asked.strip())


def _defaulted(kind: str, row: Row, notes: list[Text]) -> Row:
    """An own policy or optimizer that reads sigma or lr without setting it gets a usual value, and a note says so."""
    if not row.own:
        return row
    assigned = {line.split("=")[0].strip() for line in split_lines(row.formula)}
    wanted = {
        name: value
        for name, value in _DEFAULTS[kind].items()
        if name not in assigned and any(name in symbols_of(line) for line in split_lines(row.formula))
    }
    notes.extend(
        text("experiment.default_number", piece=kind, name=name, value=value) for name, value in wanted.items()
    )
    return replace(row, numbers=wanted)


def _scheduled(row: Row, schedule: Formula, steps: int) -> Row:
    """The optimizer with the schedule as its first line, or after its own lines that set lr; `steps` as a number.

    Raises:
        ExperimentError: the schedule changes lr, but the optimizer reads none.
    """
    lines, numbers = list(split_lines(row.formula)), {**row.numbers, **schedule.numbers}
    if schedule.tree != CONSTANT:
        if not any("lr" in symbols_of(line.partition("=")[2] or line) for line in lines):
            raise ExperimentError("experiment.no_lr", schedule=schedule.row.name[:40])
        own = [i for i, line in enumerate(lines, 1) if re.match(r"lr\s*=", line)]
        lines.insert(max(own, default=0), f"lr = {show(schedule.tree)}")
    assigned = any(re.match(r"(state\s+)?steps\s*=", line) for line in lines)
    if "steps" in symbols(schedule.tree) or (not assigned and any("steps" in symbols_of(line) for line in lines)):
        numbers["steps"] = float(steps)
    return replace(row, formula="; ".join(lines), numbers=numbers)


def symbols_of(line: str) -> set[str]:
    """The names in a line of text, whether or not it can be read."""
    return set(re.findall(r"[A-Za-z_]\w*", line))


def _formula(kind: str, rows: Table, asked: str, names: tuple[str, ...]) -> Formula:
    row = _row(kind, rows, asked)
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


def _given(task: Task, outputs: tuple[str, ...]) -> dict[str, Level]:
    """What policy, reward and objective may read."""
    names = (*task.names, "t", *outputs, "noise", "uniform")
    return {**dict.fromkeys(names, "sample"), "step": "step"}


def _several(policy: Row, network: Network) -> Several:
    """What lines may have a value for each of: the outputs; or the weights, where the policy perturbs them.

    Raises:
        ExperimentError: it does, and there are several outputs, or activations that learn; or nothing is tried.
    """
    read = set().union(*map(symbols_of, split_lines(policy.formula)))
    if not read & {"w", NOISE}:
        return several_outputs(network.outputs) if network.outputs > 1 else Several()
    if network.outputs > 1:
        raise ExperimentError("experiment.perturbed_outputs", outputs=network.outputs)
    if TRIED not in read:
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
        sources += _named(row.formula, result)
    numbers: dict[str, Level] = {key: "step" for row in pieces.values() for key in row.numbers}
    source = "; ".join(sources)
    program = read_lines(source, {**given, **numbers}, "objective", several)
    if not several.given:
        return program, tuple((line.name, line.tree) for line in program.lines)
    return program, written_lines(source, {**given, **numbers}, "objective")


def _check_names(found: Method) -> None:
    """A line must not be called like another number of the step.

    Raises:
        ExperimentError: one is.
    """
    formulas = (found.activation, found.output_activation, *([found.regulariser] if found.regulariser else ()))
    settings = {name for formula in formulas for name in formula.numbers}
    families, optimizer = found.program.families if found.tried else {}, found.optimizer_program
    names = [*(families.get(line.name, line.name) for line in found.program.lines), *found.program.states]
    learned = set(found.network.starts())
    taken = settings | learned | {f"d{name}" for name in (*found.outputs, *names, *learned)}
    if found.tried:  # tried_W1_1_x1 stands beside the optimizer's m_W1_1_x1
        taken |= {*optimizer.states, *(line.name for line in optimizer.lines)} - {"lr_new"}
    own = [line.name for line in optimizer.lines if line.level == "step" or line.name == "R"]
    own += [name for name in optimizer.states if optimizer.level(name) == "step" or name == "R"]
    for piece, read, others in (("objective", names, taken), ("optimizer", own, {*taken, *names} - settings)):
        for name in read:
            if name in others or _STEPS_OWN.fullmatch(name):
                raise ExperimentError("experiment.name_taken", piece=piece, name=name)


def _named(source: str, result: str) -> list[str]:
    """The lines of a piece, with `result = ` before a formula that stands alone."""
    lines = list(split_lines(source))
    program = lines[-1]
    head = program.split("=")[0].strip() if "=" in program else ""
    alone = not head.isidentifier() or program[program.index("=") :].startswith("==")
    if alone and not program.startswith("state "):
        lines[-1] = f"{result} = {program}"
    return lines


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


def _fit(experiment: Experiment, found: Method) -> list[Text]:
    """Refuse what cannot work, and note what will not do what it seems to."""
    notes = []
    name = str(found.output_activation.row)
    low, high = _range(found.output_activation)
    used = reads(found.program.lines, "objective")
    logs = any(_logs_output(line.tree, found.outputs) for line in found.program.lines if line.name in used)
    if found.pieces["policy"].name == "bernoulli" and (low < 0 or high > 1):
        raise ExperimentError("experiment.bernoulli_range", activation=name, low=low, high=high)
    if logs and low < 0:
        raise ExperimentError("experiment.log_negative", activation=name, low=low)
    truth = _finite_truth(found.task)
    if experiment.fresh and experiment.data is not None:
        raise ExperimentError("experiment.fresh_data")
    _check_tried(experiment, found)
    beyond = float(np.min(truth)) < low - 1e-6 or float(np.max(truth)) > high + 1e-6
    if found.network.outputs == 1 and "logp" not in used and beyond:
        notes.append(
            text(
                "experiment.range_warning",
                activation=name,
                low=low,
                high=high,
                first=float(np.min(truth)),
                last=float(np.max(truth)),
            )
        )
    if experiment.passes > 1 and _tried_again(found):
        notes.append(text("experiment.tried_again", passes=experiment.passes))
    if not found.backward:
        notes.append(text("experiment.no_path"))
    if "reward" in found.pieces and "reward" not in used:
        notes.append(text("experiment.reward_unused"))
    return notes


def _check_tried(experiment: Experiment, found: Method) -> None:
    """What is tried in a weight's place is that weight with chance added, and is cut off from it.

    Raises:
        ExperimentError: it is not; it needs the output, which comes later; or it would have to outlast an update.
    """
    if not found.tried:
        if "w" in _several(found.pieces["policy"], found.network).given:
            raise ExperimentError("experiment.nothing_tried", policy=found.pieces["policy"].name[:40])
        return
    if experiment.passes > 1:
        raise ExperimentError("experiment.tried_passes", passes=experiment.passes)
    (weight, name), *_ = found.tried.items()
    lines, needed = found.program.lines, reads(found.program.lines, name)
    if late := needed & {"o", "noise", "uniform", "t", *found.task.names, *found.program.states}:
        raise ExperimentError("experiment.tried_late", name=min(late))
    before = tuple(line for line in lines if line.name in needed)
    if any(line.name == f"d{weight}" for line in adjoints(before, name, {weight: "step"})):
        raise ExperimentError("experiment.tried_travels")
    without = {f"noise_{other}": 0.0 for other in found.tried} | dict.fromkeys(found.tried, 0.7) | {weight: 0.3}
    values: dict[str, object] = {**found.numbers, **without, "step": 1.0}
    if run_lines(before, values, lambda tree, known: evaluate(tree, known))[name] != values[weight]:
        raise ExperimentError("experiment.tried_other")


def _tried_again(found: Method) -> bool:
    """Whether an answer is sampled afresh at each pass: chance and the output of then decide it, and nothing keeps it.

    Where the derivative passes through the answer (pathwise), that is as it should be.
    """
    answer, lines = found.program.latest["a"], found.later(found.program.lines)
    sampled = bool({"noise", "uniform"} & reads(lines, answer)) and "o" in reads(lines, answer)
    before = tuple(line for line in lines if line.name in reads(lines, answer))
    return sampled and not any(line.name == "do" for line in adjoints(before, answer, {"o": "sample"}))


def _finite_truth(task: Task) -> Floats:
    """The truth of every question.

    Raises:
        ExperimentError: it is not finite for some question.
    """
    domain = task.domain()
    truth = task.true(domain)
    bad = ~np.isfinite(truth)
    if bad.any():
        at = int(np.argmax(bad))
        raise ExperimentError(
            "experiment.truth_infinite", truth=task.truth, value=truth[at], question=task.question(tuple(domain[at]))
        )
    return truth


def _range(activation: Formula) -> tuple[float, float]:
    """The least and the largest value over z from -100 to 100; infinite where it goes far beyond a million."""
    z = np.concatenate([np.linspace(-100, 100, 2001), np.linspace(-5, 5, 2001), [-1e9, 1e9]])
    values = np.broadcast_to(evaluate(activation.tree, {"z": z, **activation.numbers, **activation.learned}), z.shape)
    values = values[~np.isnan(values)]
    if not values.size:
        return -np.inf, np.inf
    low, high = float(values.min()), float(values.max())
    return low if low > -1e6 else -np.inf, high if high < 1e6 else np.inf


def _logs_output(tree: Tree, outputs: tuple[str, ...]) -> bool:
    logs = (part.arguments[0] for part in walk(tree) if isinstance(part, Apply) and part.function == "log")
    return any(isinstance(inner, Symbol) and inner.name in outputs for inner in logs)


__all__ = ["Formula", "Method", "check_one_output", "method", "symbols", "task_of"]
