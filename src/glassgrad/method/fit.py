"""Whether the formulas of a method fit together: what is refused, and what is worth a note."""

import re

import numpy as np

from glassgrad.draws import Floats
from glassgrad.errors import ExperimentError
from glassgrad.experiment import Experiment
from glassgrad.formula.adjoint import adjoints
from glassgrad.formula.evaluate import evaluate
from glassgrad.formula.lines import Program, reads, run_lines
from glassgrad.formula.tree import Apply, Symbol, Tree, walk
from glassgrad.locale import Text, text
from glassgrad.method.model import Formula, Method, grouped
from glassgrad.method.rows import reads_weights
from glassgrad.task import Task

_STEPS_OWN = re.compile(r"d?(z\d+(_\d+)?|a\d+_\d+|keep\d+_\d+|L|R|norm|shrink|max_norm|(\w+_)?(W\d+_\w+|[bB]\d+_\d+))")
"""What a step computes anyway: no line of a policy, reward, objective or optimizer may have such a name."""


def check_groups(program: Program, group: int | None) -> None:
    """What reads the answers to one question needs several of them; group: how many, None in an optimizer.

    Raises:
        ExperimentError: there is one, or none.
    """
    found = grouped(program)
    if found is not None and group is None:
        raise ExperimentError("experiment.group_optimizer", name=found, plain=found.removeprefix("group_"))
    if found is not None and group == 1:
        raise ExperimentError("experiment.no_group", name=found)


def check_names(found: Method) -> None:
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
    beside = {*optimizer.states, *(line.name for line in optimizer.lines)} - {"lr_new"} if found.tried else set()
    own = [line.name for line in optimizer.lines if line.level == "step" or line.name == "R"]
    own += [name for name in optimizer.states if optimizer.level(name) == "step" or name == "R"]
    # tried_W1_1_x1 stands beside the optimizer's m_W1_1_x1
    for piece, read, others in (("objective", names, taken | beside), ("optimizer", own, {*taken, *names} - settings)):
        for name in read:
            if name in others or _STEPS_OWN.fullmatch(name):
                raise ExperimentError("experiment.name_taken", piece=piece, name=name)


def fit(experiment: Experiment, found: Method) -> list[Text]:
    """Refuse what cannot work, and note what will not do what it seems to."""
    notes = []
    name = str(found.output_activation.row)
    low, high = value_range(found.output_activation)
    used = reads(found.program.lines, "objective")
    logs = any(_logs_output(line.tree, found.outputs) for line in found.program.lines if line.name in used)
    if found.pieces["policy"].name == "bernoulli" and (low < 0 or high > 1):
        raise ExperimentError("experiment.bernoulli_range", activation=name, low=low, high=high)
    if logs and low < 0:
        raise ExperimentError("experiment.log_negative", activation=name, low=low)
    truth = _finite_truth(found.task)
    if experiment.fresh and experiment.data is not None:
        raise ExperimentError("experiment.fresh_data")
    if experiment.held_out and experiment.data is None:
        raise ExperimentError("experiment.held_out_data", came=f"{experiment.held_out:g}")
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
        ExperimentError: it is not; it needs the output, which comes later; it would have to outlast an update; or the
            answer knows the weights otherwise than through the output.
    """
    if not found.tried:
        if reads_weights(found.pieces["policy"]):
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
    if not _without_chance(found):
        raise ExperimentError("experiment.tried_other")
    if any(f"noise_{one}" not in reads(lines, tried) for one, tried in found.tried.items()):
        raise ExperimentError("experiment.tried_same")
    own = {*found.tried, *found.tried.values(), *(f"noise_{one}" for one in found.tried)}
    if reads(lines, found.program.latest["a"]) & own:
        raise ExperimentError("experiment.answer_of_weights")


def _without_chance(found: Method) -> bool:
    """Whether what is tried is the weight itself where noise_w is 0: at five values, at early and late steps."""
    lines = found.program.lines
    before = tuple(line for line in lines if line.name in reads(lines, *found.tried.values()))
    places = np.array([-3.5, -0.3, 0.0, 0.3, 7.0])
    weights = {weight: np.roll(places, i) for i, weight in enumerate(found.tried)}
    values: dict[str, object] = {**found.numbers, **weights, **{f"noise_{weight}": 0.0 for weight in weights}}
    for step in (1.0, 2.0, 1000.0):
        known = run_lines(before, {**values, "step": step}, lambda tree, names: evaluate(tree, names))
        if not all(np.array_equal(np.asarray(known[name]), weights[one]) for one, name in found.tried.items()):
            return False
    return True


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


def value_range(activation: Formula) -> tuple[float, float]:
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
