"""Which rows an experiment asks for: its own formulas as rows, with usual values and lines where it leaves them out."""

import re
from dataclasses import replace

from glassgrad.errors import ExperimentError
from glassgrad.experiment import Experiment
from glassgrad.formula.lines import split_lines
from glassgrad.formula.outputs import NOISE
from glassgrad.formula.text import show
from glassgrad.formula.tree import symbols
from glassgrad.locale import Text, text
from glassgrad.method.model import CONSTANT, Formula
from glassgrad.tables.objectives import OBJECTIVES
from glassgrad.tables.optimizers import optimizer
from glassgrad.tables.policies import POLICIES
from glassgrad.tables.rewards import REWARDS
from glassgrad.tables.row import Row, Table, find

_DEFAULTS = {"policy": {"sigma": 0.5}, "optimizer": {"lr": 0.01}}


def asked_rows(experiment: Experiment, notes: list[Text]) -> dict[str, Row]:
    """Policy, reward (if there is one) and objective, each a row of its table or the user's own lines."""
    policy = defaulted("policy", row_of("policy", POLICIES, experiment.policy), notes)
    if experiment.passes > 1:  # an answer is tried once, and kept for all updates
        policy = replace(policy, formula=re.sub(r"\bstop(?=\s*\()", "old", policy.formula))
    pieces = {"policy": policy}
    if experiment.reward is not None:
        pieces["reward"] = row_of("reward", REWARDS, experiment.reward)
    pieces["objective"] = _with_baseline(row_of("objective", OBJECTIVES, experiment.objective), notes)
    return pieces


def _with_baseline(row: Row, notes: list[Text]) -> Row:
    """An own objective that reads a baseline without assigning one gets the running mean, and a note says so."""
    lines = split_lines(row.formula)
    assigned = {re.sub(r"^state\s+", "", line).split("=")[0].strip() for line in lines if "=" in line}
    if not row.own or "baseline" in assigned or not any("baseline" in symbols_of(line) for line in lines):
        return row
    usual = "baseline = 0.9*baseline + 0.1*mean(reward)"
    notes.append(text("experiment.default_baseline", line=usual))
    return replace(row, formula="; ".join(("state baseline = 0", *named(row.formula, "objective"), usual)))


def row_of(kind: str, rows: Table, asked: str) -> Row:
    """The row that a text names, or the text itself as a row."""
    found = optimizer(asked) if kind == "optimizer" else find(kind, rows, asked)
    return found if found is not None else Row(asked.strip(), asked.strip())


def defaulted(kind: str, row: Row, notes: list[Text]) -> Row:
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


def scheduled(row: Row, schedule: Formula, steps: int) -> Row:
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


def named(source: str, result: str) -> list[str]:
    """The lines of a piece, with `result = ` before a formula that stands alone."""
    lines = list(split_lines(source))
    program = lines[-1]
    head = program.split("=")[0].strip() if "=" in program else ""
    alone = not head.isidentifier() or program[program.index("=") :].startswith("==")
    if alone and not program.startswith("state "):
        lines[-1] = f"{result} = {program}"
    return lines


def reads_weights(policy: Row) -> bool:
    """Whether w or noise_w means each weight, and is no name of the policy's own."""
    own = set(policy.numbers)
    for line in split_lines(policy.formula):
        assigned = re.match(r"(?:state\s+)?(\w+)\s*=(?!=)", line)
        if ({"w", NOISE} - own) & symbols_of(line[assigned.end() :] if assigned else line):
            return True
        own |= {assigned[1]} if assigned else set()
    return False


def symbols_of(line: str) -> set[str]:
    """The names in a line of text, whether or not it can be read."""
    return set(re.findall(r"[A-Za-z_]\w*", line))
