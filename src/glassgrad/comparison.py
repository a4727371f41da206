"""Experiments against each other, over the same seeds: a study of many runs, and its rows.

A study is a list of independent pieces, each an experiment and a block of seeds. Training a piece is a pure function
from these to a small table, and tables are joined: pieces can run anywhere, and memory does not grow with steps.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glassgrad import statistics
from glassgrad.doors import from_keywords
from glassgrad.errors import ExperimentError
from glassgrad.experiment import FIELDS, Experiment, unknown_setting
from glassgrad.formula.text import number_text
from glassgrad.method import method
from glassgrad.runs import CURVES, Progress, Runs, train_slowly
from glassgrad.statistics import Interval
from glassgrad.tables.optimizers import OPTIMIZERS, optimizer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from glassgrad.record import Record
    from glassgrad.why import Why

BLOCK = 16_384  # runs of a piece
BARE = ("optimizer", "schedule", "objective", "policy")  # settings whose values name themselves
RATE = "lr"  # the optimizer's learning rate may be varied by itself
MAX_RUNS, MAX_METHODS = 10_000_000, 200

Train = Callable[[Experiment, Sequence[int], Progress | None], Runs]
Vary = Mapping[str, Sequence[Any]] | Sequence[str]


class Contender(NamedTuple):
    """What is compared: its name, its experiment, and how a command line says it."""

    name: str
    experiment: Experiment
    arguments: tuple[tuple[str, str], ...] = ()
    varied: tuple[tuple[str, str], ...] = ()

    def command(self, seed: int) -> str:
        """The command that shows one of its runs."""
        import shlex

        base, *settings = self.arguments
        options = (f"--{field.replace('_', '-')} {shlex.quote(value)}" for field, value in settings)
        return " ".join(["glassgrad watch", shlex.quote(base[1]), *options, f"--seed {seed}"])


@dataclass(frozen=True)
class Camp:
    """One of the two groups into which the final errors fall: its share, a typical error, and the run that has it.

    answer: what that run answers, where the task has one question only.
    """

    share: float
    count: int
    error: float
    seed: int
    answer: float | None = None


@dataclass(frozen=True)
class Row:
    """What the runs of one experiment came to.

    rate: the share solved at the end. ever: the share solved at any checkpoint. Errors are means over the domain,
    inf for runs that diverged; steps: until first solved. better: the probability that a run has a smaller error
    than the first row's run of the same seed, None where the tasks differ. p_value: of the difference in solved
    from the first row, corrected for the number of rows. dead: runs all of whose hidden units are dead.
    """

    name: str
    runs: int
    rate: Interval
    solved: int
    ever_solved: int
    median_error: Interval
    iqm: Interval
    steps: Interval
    better: Interval | None
    p_value: float | None
    camps: tuple[Camp, Camp] | None
    diverged: int
    dead: int
    seconds: float


@dataclass(frozen=True)
class Comparison:
    """Several experiments' runs over the same seeds, and what they say.

    contenders, runs: the experiments, and a table of the runs of each; asked: how many runs each should have had.

    Example:
        >>> import glassgrad as gg
        >>> found = gg.compare("knob", "knob-fixed", runs=20)
        >>> [row.solved for row in found.rows]
        [0, 20]
    """

    contenders: tuple[Contender, ...]
    runs: tuple[Runs, ...]
    asked: int
    level: float = 0.95

    def __getitem__(self, name: str) -> Runs:
        """The runs of one experiment, as arrays."""
        return self.runs[self.names.index(name)]

    @property
    def names(self) -> tuple[str, ...]:
        """What is compared, the first being what the others are held against."""
        return tuple(contender.name for contender in self.contenders)

    @property
    def labels(self) -> tuple[str, ...]:
        """The names as short as they can be: without what all have in common.

        Example:
            >>> import glassgrad as gg
            >>> gg.compare("knob", vary=["steps=10,50"], runs=2).labels
            ('steps=10', 'steps=50')
        """
        alone = len({contender.experiment.name for contender in self.contenders}) == 1
        varied = self.contenders[0].varied
        if not varied:
            return self.names
        bare = len(varied) == 1 and varied[0][0] in BARE
        said = [" ".join(v if bare else f"{f}={v}" for f, v in one.varied) for one in self.contenders]
        return tuple(s if alone else f"{c.experiment.name} {s}" for c, s in zip(self.contenders, said, strict=True))

    @property
    def stopped(self) -> bool:
        """Whether it was stopped before all runs were done."""
        return any(len(runs) < self.asked for runs in self.runs)

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """One row an experiment."""
        first = self.runs[0]
        tests = [statistics.sign_test(*_paired(first.solved, first, runs.solved, runs)) for runs in self.runs[1:]]
        corrected = [None, *statistics.holm(tests)]
        return tuple(
            _row(name, runs, first, p, self.level)
            for name, runs, p in zip(self.names, self.runs, corrected, strict=True)
        )

    def why(self, progress: Progress | None = None) -> "tuple[Why, ...]":
        """The failing runs of each experiment by their cause; some are trained again to look at them."""
        from glassgrad.why import why

        return tuple(why(contender, runs, progress) for contender, runs in zip(self.contenders, self.runs, strict=True))

    def to_json(self) -> list[dict[str, Any]]:
        """A list of rows, as the command line prints it."""
        from glassgrad.report.compare_json import compare_json

        return compare_json(self)

    def to_text(self) -> str:
        """The tables that `glassgrad compare` prints, as plain text."""
        from glassgrad.report.compare_text import compare_text

        return compare_text(self)

    def to_html(self) -> str:
        """The pictures and the table as one offline page."""
        from glassgrad.report.compare_html import compare_html

        return compare_html(self)

    def plot(self, file: str | None = None) -> "Figure":
        """The pictures, as a matplotlib Figure; written to a file (.png, .svg, .html) if one is named."""
        from glassgrad.plots import figure, save

        if file is not None:
            save(self, file)
        return figure(self)

    def to_csv(self, file: str) -> None:
        """One line a run."""
        from glassgrad.exports.runs import write_csv

        write_csv(self, file)

    def to_parquet(self, file: str) -> None:
        """One row a run; needs pyarrow."""
        from glassgrad.exports.runs import write_parquet

        write_parquet(self, file)

    def _repr_html_(self) -> str:
        from glassgrad.report.compare_html import fragment

        return fragment(self)


def compare(
    *names: str | Experiment,
    vary: Vary | None = None,
    runs: int = 1000,
    seed0: int = 0,
    progress: Progress | None = None,
    train: Train | None = None,
    **settings: Any,
) -> Comparison:
    """Train many runs of each experiment over the same seeds, and compare.

    names: shipped experiments, TOML files, or Experiments. settings: what to change in all of them.
    vary: settings to try, each value with each of the others: {"optimizer": ["adam", "sgd(lr=0.01)"]}, or
        ["optimizer=adam,sgd(lr=0.01)"]. runs: how many each, of the seeds seed0, seed0 + 1, ….
    progress: called now and then with (runs done, runs in all). train: another engine.
    Ctrl-C ends it early; what is finished is kept.

    Raises:
        GlassgradError: something cannot be read, or does not fit together.

    Example:
        >>> import glassgrad as gg
        >>> gg.compare("knob", vary=["steps=10,50"], runs=10).names
        ('knob steps=10', 'knob steps=50')
    """
    seed0 = settings.pop("seed", seed0)
    _within("runs", runs, 1, MAX_RUNS)
    _within("seed", seed0, 0, 2**32 - runs)
    found = contenders(names or ("add",), grid(vary), settings)
    tables = _trained(found, range(seed0, seed0 + runs), progress, train)
    finished = [(contender, table) for contender, table in zip(found, tables, strict=True) if table is not None]
    if not finished:
        raise KeyboardInterrupt
    kept, done = zip(*finished, strict=True)
    return Comparison(kept, done, runs)


def _within(setting: str, value: Any, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ExperimentError("experiment.range", setting=setting, low=low, high=high, came=value)


def grid(vary: Vary | None) -> list[dict[str, Any]]:
    """Every combination of the values to try; a comma within brackets does not part two values.

    Raises:
        ExperimentError: a setting does not exist, has no values, or cannot be varied.

    Example:
        >>> grid(["optimizer=adam(lr=0.1),sgd", "steps=10"])
        [{'optimizer': 'adam(lr=0.1)', 'steps': 10}, {'optimizer': 'sgd', 'steps': 10}]
    """
    if vary is None:
        return [{}]
    if not isinstance(vary, Mapping):
        pairs = [_written(text) for text in ([vary] if isinstance(vary, str) else vary)]
        vary = dict(pairs)
        if len(vary) < len(pairs):
            raise ExperimentError("compare.twice", what=", ".join(field for field, _ in pairs))
    for field, values in vary.items():
        if field not in (*FIELDS, RATE):
            raise unknown_setting(field)
        if field in ("seed", "name"):
            raise ExperimentError("compare.not_varied", setting=field)
        if isinstance(values, str) or not len(values):
            raise ExperimentError("compare.vary", came=f"{field}={values}"[:40])
    return [dict(zip(vary, values, strict=True)) for values in itertools.product(*vary.values())]


def _written(text: str) -> tuple[str, list[Any]]:
    """`steps=10,50` as ("steps", [10, 50])."""
    field, _, values = text.partition("=")
    field = field.strip().removeprefix("--").replace("-", "_")
    parts = [part.strip() for part in _parts(values)]
    if not field.isidentifier() or not all(parts):
        raise ExperimentError("compare.vary", came=text[:40])
    return field, [_number(field, part) for part in parts]


def _parts(text: str) -> Iterator[str]:
    """The text between commas that stand outside of brackets."""
    depth, since = 0, 0
    for i, sign in enumerate(text):
        depth += (sign in "([{") - (sign in ")]}")
        if sign == "," and depth <= 0:
            yield text[since:i]
            since = i + 1
    yield text[since:]


def _number(field: str, text: str) -> Any:
    """The value of a setting that is a number; a value that is none is refused later, as any setting is."""
    kind = next((str(row.type) for row in fields(Experiment) if row.name == field), "")
    if field == RATE:
        kind = "float"
    for word, number in (("int", int), ("float", float)):
        if kind.replace("typing.", "").removeprefix("<class '").startswith(word):
            try:
                return number(text)
            except ValueError:
                return text
    return text


def contenders(
    names: Sequence[str | Experiment], cells: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]
) -> tuple[Contender, ...]:
    """Each experiment with each combination of settings, by a name of its own.

    Raises:
        ExperimentError: two are the same, there are too many, or something does not fit together.
    """
    both = next((field for field in settings if any(field in cell for cell in cells)), None)
    if both is not None:
        raise ExperimentError("compare.both", setting=both)
    found = [_contender(name, cell, settings) for name in names for cell in cells]
    seen = [contender.name for contender in found]
    twice = next((name for name in seen if seen.count(name) > 1), None)
    if twice is not None:
        raise ExperimentError("compare.twice", what=twice)
    if len(found) > MAX_METHODS:
        raise ExperimentError("compare.too_many", count=len(found), most=MAX_METHODS)
    return tuple(found)


def _contender(name: str | Experiment, cell: Mapping[str, Any], settings: Mapping[str, Any]) -> Contender:
    changes = {field: value for field, value in {**settings, **cell}.items() if field != RATE}
    experiment = name.change(**changes) if isinstance(name, Experiment) else from_keywords(name, **changes)
    if RATE in cell:
        changes["optimizer"] = with_rate(experiment.optimizer, cell[RATE])
        experiment = experiment.change(optimizer=changes["optimizer"])
    method(experiment)  # what does not fit together is refused before anything is trained
    said = {field: _said(value) for field, value in changes.items()}
    varied = tuple((field, _said(value)) for field, value in cell.items())
    title = " ".join([experiment.name, *(f"{field}={value}" for field, value in varied)])
    base = name.name if isinstance(name, Experiment) else name
    return Contender(title, experiment, (("", base), *said.items()), varied)


def with_rate(asked: str, rate: float | str) -> str:
    """An optimizer with another learning rate.

    Raises:
        ExperimentError: it is written in lines of its own, or has no learning rate.

    Example:
        >>> with_rate("adam(lr=0.1, beta1=0.5)", 0.01)
        'adam(lr=0.01, beta1=0.5)'
    """
    row = optimizer(asked)
    if row is None or RATE not in row.numbers:
        raise ExperimentError("compare.no_rate", optimizer=asked[:40])
    usual = OPTIMIZERS[row.name].numbers
    own = {key: number_text(value) for key, value in row.numbers.items() if value != usual[key] and key != RATE}
    said = [f"{key}={value}" for key, value in ({RATE: _said(rate)} | own).items()]
    return f"{row.name}({', '.join(said)})"


def _said(value: Any) -> str:
    """A setting as the command line has it: a network as 2-5-1."""
    return "-".join(map(str, value)) if isinstance(value, tuple | list) else f"{value}"


@dataclass(frozen=True)
class Piece:
    """A part of a study: an experiment and a block of seeds."""

    experiment: Experiment
    seeds: range

    def run(self, train: Train, progress: Progress | None = None) -> Runs:
        """Its table: a pure function of the piece."""
        return train(self.experiment, self.seeds, progress)


def pieces(experiment: Experiment, seeds: range, block: int = BLOCK) -> list[Piece]:
    """A study of one experiment in independent pieces.

    Example:
        >>> from glassgrad.tables.experiments import shipped
        >>> [piece.seeds for piece in pieces(shipped("add"), range(20_000))]
        [range(0, 16384), range(16384, 20000)]
    """
    return [Piece(experiment, seeds[start : start + block]) for start in range(0, len(seeds), block)]


def joined(tables: Sequence[Runs]) -> Runs:
    """The tables of one experiment's pieces as one."""
    first = tables[0]
    whole: dict[str, Any] = {
        field.name: np.concatenate([getattr(table, field.name) for table in tables])
        for field in fields(Runs)
        if field.name not in ("experiment", "checkpoints", "curves", "seconds")
    }
    curves = np.concatenate([table.curves for table in tables])[:CURVES]
    return replace(first, **whole, curves=curves, seconds=sum(table.seconds for table in tables))


def _trained(
    found: Sequence[Contender], seeds: range, progress: Progress | None, train: Train | None
) -> list[Runs | None]:
    """The tables of all; once stopped, of those that have any runs."""
    train, block = (train, BLOCK) if train is not None else _engine()
    tables: list[list[Runs]] = [[] for _ in found]
    total, done = len(found) * len(seeds), 0
    try:
        for place, contender in enumerate(found):
            for piece in pieces(contender.experiment, seeds, block):
                table = piece.run(train, _shifted(progress, done, total))
                tables[place].append(_light(table, sum(len(kept.curves) for kept in tables[place])))
                done += len(table)
                if progress is not None:
                    progress(done, total)
                if len(table) < len(piece.seeds):
                    raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    return [joined([table for table in kept if len(table)]) if any(map(len, kept)) else None for kept in tables]


def _light(table: Runs, curves_kept: int) -> Runs:
    """A table with no more learning curves than are still wanted."""
    return replace(table, curves=table.curves[: max(0, CURVES - curves_kept)].copy())


def _shifted(progress: Progress | None, before: int, total: int) -> Progress | None:
    return None if progress is None else lambda done, _: progress(before + done, total)


def _engine() -> tuple[Train, int]:
    """The fastest engine that is there, and how many runs make a piece."""
    from importlib import import_module

    try:
        fast: Train = import_module("glassgrad.engines.compiled").train_many
    except (ImportError, AttributeError):
        return train_slowly, 1
    return fast, BLOCK


def one_run(experiment: Experiment) -> "Record":
    """One run with its whole record: by the engine that trains many, if it can, so that it is the very same run."""
    from importlib import import_module

    try:
        found: Record = import_module("glassgrad.engines.compiled").train_one(experiment)
    except (ImportError, AttributeError, ExperimentError):
        from glassgrad.engines.torch import train

        return train(experiment)
    return found


def failed_last(runs: Runs) -> NDArray[np.float64]:
    """The final mean errors, inf for runs that diverged."""
    errors = runs.mean_error.astype(np.float64)
    return np.where((runs.diverged_at > 0) | ~np.isfinite(errors), np.inf, errors)


def _paired(a: NDArray[Any], first: Runs, b: NDArray[Any], second: Runs) -> tuple[NDArray[Any], NDArray[Any]]:
    """Values of both at the seeds that both have."""
    if np.array_equal(first.seeds, second.seeds):
        return a, b
    _, of_a, of_b = np.intersect1d(first.seeds, second.seeds, assume_unique=True, return_indices=True)
    return a[of_a], b[of_b]


def same_task(first: Experiment, second: Experiment) -> bool:
    """Whether two experiments ask the same questions, so that their errors can be held against each other."""
    return method(first).task == method(second).task and first.data == second.data


def _row(name: str, runs: Runs, first: Runs, p_value: float | None, level: float) -> Row:
    errors, n = failed_last(runs), len(runs)
    happened = runs.solved_at > 0
    # what diverged, or was not solved by the end, is waited for in vain, until the end
    times = np.where(happened, runs.solved_at, runs.experiment.steps)
    comparable = runs is not first and same_task(first.experiment, runs.experiment)
    better = statistics.improvement(*_paired(failed_last(first), first, errors, runs), level) if comparable else None
    hidden = runs.experiment.hidden_units
    return Row(
        name=name,
        runs=n,
        rate=statistics.wilson(int(runs.solved.sum()), n, level),
        solved=int(runs.solved.sum()),
        ever_solved=int(np.sum(happened | runs.solved)),
        median_error=statistics.median(errors, level, seed=0),
        iqm=statistics.interquartile_mean(errors, level, seed=0),
        steps=statistics.median_time(times, happened, level),
        better=better,
        p_value=p_value,
        camps=camps(runs),
        diverged=int(np.sum(runs.diverged_at > 0)),
        dead=int(np.sum(runs.dead == hidden)) if hidden else 0,
        seconds=runs.seconds,
    )


def camps(runs: Runs) -> tuple[Camp, Camp] | None:
    """The two groups into which the final errors fall, if they do, and if the difference matters.

    Tested on log(error); the larger error has to be twice the smaller one, and a tenth of the task's tolerance.
    """
    errors, task = failed_last(runs), method(runs.experiment).task
    least = task.tolerance * 1e-6
    split = statistics.two_camps(np.log10(np.maximum(errors, least)))
    if split is None:
        return None
    below, above = float(errors[split.typical_below]), float(errors[split.typical_above])
    if above < max(2 * below, task.tolerance / 10):
        return None
    one = len(task.domain()) == 1
    return (
        _camp(runs, split.below, below, split.typical_below, one),
        _camp(runs, split.above, above, split.typical_above, one),
    )


def _camp(runs: Runs, count: int, error: float, place: int, one_question: bool) -> Camp:
    seed = int(runs.seeds[place])
    answer = None
    if one_question:
        from glassgrad.insight import answers

        final = one_run(runs.experiment.change(seed=seed)).final
        answer = float(answers(runs.experiment, final, method(runs.experiment).task.domain())[0])
    return Camp(count / len(runs), count, error, seed, answer)


__all__ = ["Camp", "Comparison", "Contender", "Piece", "Row", "camps", "compare", "grid", "joined", "pieces"]
