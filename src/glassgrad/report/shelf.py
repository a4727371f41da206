"""What ships, kind by kind: each row with its name, its formula, how it reads, and where it comes from."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from glassgrad.errors import ExperimentError
from glassgrad.experiment import Experiment
from glassgrad.formula.functions import AGGREGATES, BELOW, COMPARISONS, FUNCTIONS, GROUPED
from glassgrad.locale import Text, text
from glassgrad.tables.activations import ACTIVATIONS
from glassgrad.tables.experiments import EXPERIMENTS, METHODS, Shipped
from glassgrad.tables.initialisations import INITIALISATIONS
from glassgrad.tables.objectives import OBJECTIVES
from glassgrad.tables.optimizers import OPTIMIZERS
from glassgrad.tables.policies import POLICIES
from glassgrad.tables.regularisers import REGULARISERS
from glassgrad.tables.rewards import REWARDS
from glassgrad.tables.row import Table
from glassgrad.tables.schedules import SCHEDULES
from glassgrad.tables.slips import ELSEWHERE, SLIPS
from glassgrad.tables.tasks import TASKS

NOTHING = Text("", "")
SPELLINGS = {
    "+": "a + b", "neg": "-a", "*": "a*b", "/": "a/b", "**": "a**b", "where": "where(a < b, c, d)",
}  # fmt: skip
"""How operators are written; a - b is a + (-b)."""
DERIVATIVES = {"+": ("1", "1"), "*": ("b", "a")}
"""Of the functions with any number of arguments, for two."""
DEFINITIONS = {
    "mean": "sum(a)/count(a)",
    "std": "sqrt(sum((a - mean(a))**2)/(count(a) - 1))",
    "norm": "sqrt(sum(a**2))",
    "others": "(sum(a) - a)/(count(a) - 1)",
    "group_mean": "mean(a)",
    "group_std": "std(a)",
    "group_others": "others(a)",
}
"""Aggregates in terms of each other."""


@dataclass(frozen=True)
class Item:
    """One thing that ships."""

    name: str
    formula: str
    reading: Text
    source: str = ""
    torch: str = ""


def _rows(table: Table) -> Callable[[], Iterator[Item]]:
    def items() -> Iterator[Item]:
        for row in table.values():
            yield Item(str(row), row.formula, row.reading, row.source, row.torch.path if row.torch else "")

    return items


def _shipped(table: Mapping[str, Shipped]) -> Callable[[], Iterator[Item]]:
    def items() -> Iterator[Item]:
        for name, shipped in table.items():
            yield Item(name, _in_short(shipped.experiment), shipped.title)

    return items


def _in_short(experiment: Experiment) -> str:
    """An experiment's settings that matter most, in one line, under the names of the options."""
    settings = {
        "network": "-".join(map(str, experiment.network)),
        "reward": experiment.reward,
        "objective": experiment.objective,
        "optimizer": experiment.optimizer,
        "steps": experiment.steps,
    }
    return "; ".join(f"{name} {value}" for name, value in settings.items() if value is not None)


def _slips() -> Iterator[Item]:
    for slip in SLIPS.values():
        settings = {**slip.both, **slip.wrong}
        yield Item(
            slip.name, "; ".join(f"{name} {said(value)}" for name, value in settings.items()), slip.reading, slip.source
        )
    for row in ELSEWHERE:
        yield Item(row.name, "", row.reading, row.test)


def said(value: Any) -> str:
    """A setting as the command line has it: a network as 2-5-1."""
    return "-".join(map(str, value)) if isinstance(value, tuple) else f"{value}"


def _tasks() -> Iterator[Item]:
    for task in TASKS.values():
        yield Item(task.name, f"t = {task.truth}", task.reading, task.template)


def _initialisations() -> Iterator[Item]:
    for row in INITIALISATIONS.values():
        yield Item(row.name, f"|W| <= {row.weight}; |b| <= {row.bias}", row.reading, row.source, row.torch)


def _functions() -> Iterator[Item]:
    for name, row in FUNCTIONS.items():
        slopes = zip("ab", DERIVATIVES.get(name, row.derivatives), strict=False)
        formula = "; ".join(f"d/d{argument} = {slope}" for argument, slope in slopes)
        plain = text("list.comparison") if row in COMPARISONS else NOTHING
        yield Item(_call(name, row.arity), formula, row.edge or plain)
    for name in AGGREGATES:
        reading = "list.count" if name == "count" else "list.group" if name in GROUPED else "list.aggregate"
        yield Item(f"{name}(a)", DEFINITIONS.get(name, ""), text(reading))
    yield Item(f"{BELOW}(a)", "", text("list.below"))


def _estimators() -> Iterator[Item]:
    from glassgrad.rl.estimators import ESTIMATORS  # with Gymnasium, which takes its time

    for row in ESTIMATORS:
        yield Item(row.name, row.objective, row.reading, row.source)


def _environments() -> Iterator[Item]:
    from glassgrad.rl.environments.ids import ROWS

    for row in ROWS:
        answers = text("list.whole_answers" if row.discrete else "list.any_answers")
        reading = text("list.environment", task=row.task, answers=answers)
        yield Item(row.id, REWARDS[row.reward].formula, reading)


def _call(name: str, arity: int) -> str:
    """How a function is written: `log(a)`, `a**b`, `[a < b]`."""
    if name in SPELLINGS:
        return SPELLINGS[name]
    if not name.isidentifier():
        return f"[a {name} b]"
    return f"{name}({', '.join('ab'[:arity])})"


KINDS: dict[str, Callable[[], Iterator[Item]]] = {
    "experiments": _shipped(EXPERIMENTS),
    "methods": _shipped(METHODS),
    "tasks": _tasks,
    "activations": _rows(ACTIVATIONS),
    "policies": _rows(POLICIES),
    "rewards": _rows(REWARDS),
    "objectives": _rows(OBJECTIVES),
    "regularisers": _rows(REGULARISERS),
    "optimizers": _rows(OPTIMIZERS),
    "schedules": _rows(SCHEDULES),
    "initialisations": _initialisations,
    "functions": _functions,
    "slips": _slips,
    "estimators": _estimators,
    "environments": _environments,
}


def shelf(kind: str | None = None) -> dict[str, list[Item]]:
    """What ships: every kind, or one.

    Raises:
        ExperimentError: there is no such kind.

    Example:
        >>> [item.name for item in shelf("regularisers")["regularisers"]]
        ['l1(strength=0.001)', 'l2(strength=0.001)']
    """
    if kind is not None and kind not in KINDS:
        raise ExperimentError("list.unknown", came=kind, known=", ".join(KINDS))
    return {name: list(items()) for name, items in KINDS.items() if kind in (None, name)}


def shelf_lines(kind: str | None = None) -> Iterator[tuple[str, str]]:
    """The shelf as styled lines."""
    from glassgrad.locale import language

    for name, items in shelf(kind).items():
        title = str(getattr(text(f"list.{name}"), language()))
        yield "heading", title if title.startswith(name) else f"{title} ({name})"
        for item in items:
            yield "answer", f"  {item.name}"
            if item.formula:
                yield "", f"    {item.formula}"
            reading = str(getattr(item.reading, language()))
            if reading:
                yield "dim", f"    {reading}" + (f" ({item.source})" if item.source and kind else "")
        yield "", ""


def shelf_json(kind: str | None = None) -> dict[str, list[dict[str, Any]]]:
    """The shelf as JSON."""
    return {
        name: [
            {
                "name": i.name,
                "formula": i.formula,
                "reading": i.reading._asdict(),
                "source": i.source,
                "torch": i.torch,
            }
            for i in items
        ]
        for name, items in shelf(kind).items()
    }
