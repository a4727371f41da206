"""A watched run as one JSON object."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from glassgrad.equations import Equation
from glassgrad.experiment import Experiment
from glassgrad.graph import graph, graph_svg, graph_text
from glassgrad.insight import SLOPES_SHOWN, answers, errors, slopes, squares
from glassgrad.locale import LANGUAGES, Text
from glassgrad.method import Method
from glassgrad.report.legend import legend
from glassgrad.tables.experiments import BY_NAME
from glassgrad.watched import Watch


def watch_json(run: Watch) -> dict[str, Any]:
    """Everything about one run; numbers at full precision, what is not finite as None.

    Raises:
        ExperimentError: there are more than 10,000 equations.
    """
    run.check_size()
    final, task = run.record.final, run.of.task
    domain = task.domain()
    outside = task.extrapolation(run.experiment.seed)
    found = {
        "experiment": experiment_json(run.experiment, run.of),
        "status": run.record.status,
        "shown": list(run.shown),
        "steps": [_step(run, step) for step in range(1, run.record.steps + 1)],
        "final": {"parameters": _arrays(final)},
        "tests": [dataclasses.asdict(test) for test in run.tests],
        "solved": run.solved,
        "error": {"mean": float(run.errors.mean()), "max": float(run.errors.max())},
        "error_outside": None if outside is None else _mean_max(errors(run.experiment, final, outside)),
        "check": {
            "numbers": run.check.numbers,
            "largest_difference": run.check.largest_difference,
            "where": run.check.worst,
            "tolerance": run.check.tolerance,
            "passed": run.check.passed,
            "unchecked": list(run.check.unchecked),
        },
        "sample": _sample(run, run.shown[0]) if run.shown else None,
        "map": next(iter(maps(run)), None),
        "maps": maps(run),
        "units": dataclasses.asdict(run.units),
        "slopes": [
            {"question": task.question(slope.inputs), **dataclasses.asdict(slope)}
            for slope in slopes(run.experiment, final, domain[:SLOPES_SHOWN])
        ],
        "graph": _graph(run),
        "legend": [dataclass_json(entry) for entry in legend(run)],
        "notes": [note._asdict() for note in run.of.notes],
        "seconds": run.record.seconds,
    }
    return finite(found)  # type: ignore[no-any-return]


def finite(value: Any) -> Any:
    """The same with None in place of what is not finite, tuples as lists and texts as {en, zh}."""
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Text):
        return value._asdict()
    if isinstance(value, Mapping):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [finite(inner) for inner in value]
    if isinstance(value, np.ndarray):
        return finite(value.tolist())
    return value


def experiment_json(experiment: Experiment, of: Method) -> dict[str, Any]:
    """The experiment's settings, and its formulas as they are run."""
    shipped = BY_NAME.get(experiment.name)
    formulas = {
        "truth": of.task.truth or None,
        "activation_formula": of.activation.row.formula,
        "output_activation_formula": of.output_activation.row.formula,
        "program": [str(line) for line in of.program.lines],
        "backward": [str(line) for line in of.backward],
        "policy_lines": of.pieces["policy"].formula,
        "reward_formula": of.pieces["reward"].formula if "reward" in of.pieces else None,
        "objective_lines": of.pieces["objective"].formula,
        "regulariser_formula": of.regulariser.row.formula if of.regulariser else None,
        "schedule_formula": of.schedule.row.formula,
        "optimizer_lines": list(of.optimizer_program.source),
        "numbers": {**of.numbers, **of.optimizer.numbers},
        "observed": of.observed,
        "inputs": list(of.task.names),
        "sizes": list(of.network.sizes),
        "parts": of.network.parts,
        "template": of.task.template,
        "tolerance": of.task.tolerance,
    }
    title = shipped.title if shipped else of.task.reading
    return {**dataclasses.asdict(experiment), "title": title, **formulas}


def _step(run: Watch, step: int) -> dict[str, Any]:
    """One step's numbers, before its update; equations only where it is shown."""
    record = run.record
    found: dict[str, Any] = {
        "step": step,
        "loss": record.loss[step - 1],
        "reward": None if record.reward is None else record.reward[step - 1],
        "output": run.output[step - 1],
    }
    if record.kept(step):
        row, after = record.rows[step], record.rows[step + 1]
        parameters = {name: values[row] for name, values in record.parameters.items()}
        found["parameters"] = _arrays(parameters)
        found["gradients"] = _arrays({name: values[row] for name, values in record.gradients.items()})
        found["update"] = _arrays(
            {
                name: (values[after] if after >= 0 else values[row]) - values[row]
                for name, values in record.parameters.items()
            }
        )
    found["equations"] = []
    if step in run.shown:
        found["equations"] = [_equation(run, step, one) for one in run.step(step).equations]
        found["sample"] = _sample(run, step)
    return found


def _equation(run: Watch, step: int, equation: Equation) -> dict[str, Any]:
    difference = run.check.differences.get((step, equation.name))
    return {
        "name": equation.name,
        "section": equation.section,
        "symbolic": equation.symbolic,
        "substituted": equation.substituted,
        "value": equation.value,
        "latex": equation.latex,
        "reads": equation.reads,
        "level": equation.level,
        "samples": [dataclasses.asdict(share) for share in equation.samples],
        "checked": difference is not None and equation.family not in run.check.unchecked,
        "difference": difference,
    }


def _arrays(arrays: Mapping[str, Any]) -> dict[str, Any]:
    return {name: np.asarray(value, dtype=np.float64).tolist() for name, value in arrays.items()}


def _mean_max(values: Any) -> dict[str, float]:
    return {"mean": float(values.mean()), "max": float(values.max())}


def _sample(run: Watch, step: int) -> dict[str, Any]:
    """The chosen sample at a step: which it is, what was asked and true, its noise if there is any, values of old(…).

    collected: the step that those values are of.
    """
    shown, moment, place = run.step(step), run.step(step).moment, run.place(step)
    drawn = {"noise": moment.noise, "uniform": moment.uniform}
    return {
        "index": int(moment.places[place]),
        "inputs": moment.inputs[place].tolist(),
        "truth": float(moment.truth[place]),
        **{name: float(values[place]) for name, values in drawn.items() if values is not None},
        **{name: shown.at(shown.evaluated.values[name]) for name in map("noise_{}".format, run.of.tried)},
        **{name: shown.at(shown.evaluated.values[name]) for name in run.of.olds.values()},
        **({"collected": run.experiment.collects(step)} if run.of.olds else {}),
    }


def maps(run: Watch) -> list[dict[str, Any]]:
    """The answers of the final network laid out as squares, x1 down and x2 across."""
    found = []
    for fixed, grid in squares(run.of):
        flat = grid.reshape(-1, grid.shape[-1])
        shape = grid.shape[:2]
        found.append(
            {
                "fixed": fixed,
                "rows": grid[:, 0, 0].tolist(),
                "columns": grid[0, :, 1].tolist(),
                "answers": answers(run.experiment, run.record.final, flat).reshape(shape).tolist(),
                "truth": run.of.task.true(flat).reshape(shape).tolist(),
            }
        )
    return found


def dataclass_json(row: Any) -> dict[str, Any]:
    """A row's fields, with its texts left whole (`asdict` would take a text apart)."""
    return {field.name: getattr(row, field.name) for field in dataclasses.fields(row)}


def _graph(run: Watch) -> dict[str, Any]:
    """The computation graph, with the numbers of the chosen sample at the first shown step."""
    drawn = graph(run.experiment)
    step = run.step(run.shown[0]) if run.shown else None
    values = {} if step is None else {name: step.at(value) for name, value in step.evaluated.values.items()}
    return {
        "text": graph_text(drawn, values),
        "svg": {lang: graph_svg(drawn, lang, values) for lang in LANGUAGES},
    }
