"""Experiments against each other, over the same seeds: a row of numbers for each, with the run as the unit."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glassgrad import statistics
from glassgrad.again import fails, light, seed_that
from glassgrad.contenders import BARE, Contender, Vary, contenders, grid
from glassgrad.errors import ExperimentError
from glassgrad.experiment import LAST_SEED, Experiment
from glassgrad.method import method
from glassgrad.runs import Progress, Runs
from glassgrad.statistics import Interval
from glassgrad.study import Train, shifted, trained

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from glassgrad.record import Record
    from glassgrad.why import Why

MAX_RUNS = 10_000_000


@dataclass(frozen=True)
class Camp:
    """One of the two groups into which the final errors fall: its share, a typical error, and a run of it.

    seed: of a typical run that ends in this camp when it is trained again, too; None if none of those tried does, or if
    trying would take long.
    answer: what such a run answers, where the task has one question only.
    """

    share: float
    count: int
    error: float
    seed: int | None
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

    contenders, runs: the experiments, and a table of the runs of each; asked: how many runs each should have had;
    missing: experiments of which no run is finished, since it was stopped before.

    Example:
        >>> import glassgrad as gg
        >>> found = gg.compare("knob", "knob-fixed", runs=20)
        >>> [row.solved for row in found.rows]
        [0, 20]
    """

    contenders: tuple[Contender, ...]
    runs: tuple[Runs, ...]
    asked: int
    missing: tuple[str, ...] = ()
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
        return bool(self.missing) or any(len(runs) < self.asked for runs in self.runs)

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """One row an experiment."""
        first = self.runs[0]
        tests = [statistics.sign_test(*_paired(first.solved, first, runs.solved, runs)) for runs in self.runs[1:]]
        corrected = [None, *statistics.holm(tests)]
        return tuple(
            _row(contender, runs, first, p, self.level)
            for contender, runs, p in zip(self.contenders, self.runs, corrected, strict=True)
        )

    @cached_property
    def failing(self) -> tuple[Contender, int, bool | None] | None:
        """An experiment and the seed of a run that failed, and whether it fails, too, when it is trained again.

        In place of that None where training it again would take long. None: no run fails.
        """
        found: tuple[Contender, int, bool | None] | None = None
        for contender, runs in zip(self.contenders, self.runs, strict=True):
            failed = np.flatnonzero(~runs.solved)
            if len(failed):
                tried = light(runs.experiment)
                seed = seed_that(fails, contender, runs, failed) if tried else None
                if seed is not None:
                    return contender, seed, True
                found = found or (contender, int(runs.seeds[failed[0]]), False if tried else None)
        return found

    def why(self, progress: Progress | None = None) -> "tuple[Why, ...]":
        """The failing runs of each experiment by their cause; some are trained again to look at them.

        Ctrl-C ends it early; what is found is kept.
        """
        from glassgrad.why import to_look_at, why

        found: list[Why] = []
        counts = [to_look_at(runs) for runs in self.runs]
        for place, (contender, runs) in enumerate(zip(self.contenders, self.runs, strict=True)):
            tick = shifted(progress, sum(counts[:place]), sum(counts))
            found.append(why(contender, runs, tick, stopped=any(one.stopped for one in found)))
        return tuple(found)

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

    def __repr__(self) -> str:
        return self.to_text()

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
    _within("seed", seed0, 0, LAST_SEED)
    if seed0 + runs - 1 > LAST_SEED:
        raise ExperimentError("compare.seeds", seed=seed0, runs=runs, last=LAST_SEED, fix=LAST_SEED - runs + 1)
    found = contenders(names or ("add",), grid(vary), settings)
    found = tuple(contender._replace(compiled=train is None) for contender in found)
    tables = trained([contender.experiment for contender in found], range(seed0, seed0 + runs), progress, train)
    finished = [(contender, table) for contender, table in zip(found, tables, strict=True) if table is not None]
    if not finished:
        raise KeyboardInterrupt
    kept, done = zip(*finished, strict=True)
    missing = (contender.name for contender, table in zip(found, tables, strict=True) if table is None)
    return Comparison(kept, done, runs, tuple(missing))


def _within(setting: str, value: Any, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ExperimentError("experiment.range", setting=setting, low=low, high=high, came=value)


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


def _row(contender: Contender, runs: Runs, first: Runs, p_value: float | None, level: float) -> Row:
    errors, n = failed_last(runs), len(runs)
    happened = runs.solved_at > 0
    # what diverged, or was not solved by the end, is waited for in vain, until the end
    times = np.where(happened, runs.solved_at, runs.experiment.steps)
    comparable = runs is not first and same_task(first.experiment, runs.experiment)
    better = statistics.improvement(*_paired(failed_last(first), first, errors, runs), level) if comparable else None
    hidden = runs.experiment.hidden_units
    return Row(
        name=contender.name,
        runs=n,
        rate=statistics.wilson(int(runs.solved.sum()), n, level),
        solved=int(runs.solved.sum()),
        ever_solved=int(np.sum(happened | runs.solved)),
        median_error=statistics.median(errors, level, seed=0),
        iqm=statistics.interquartile_mean(errors, level, seed=0),
        steps=statistics.median_time(times, happened, level),
        better=better,
        p_value=p_value,
        camps=camps(contender, runs),
        diverged=int(np.sum(runs.diverged_at > 0)),
        dead=int(np.sum(runs.dead == hidden)) if hidden else 0,
        seconds=runs.seconds,
    )


def camps(contender: Contender, runs: Runs) -> tuple[Camp, Camp] | None:
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
    cut = 10.0**split.cut
    return (
        _camp(contender, runs, split.below, below, np.flatnonzero(errors <= cut), lambda error: error <= cut),
        _camp(contender, runs, split.above, above, np.flatnonzero(errors > cut), lambda error: error > cut),
    )


def _camp(
    contender: Contender,
    runs: Runs,
    count: int,
    error: float,
    places: NDArray[np.int64],
    inside: Callable[[float], bool],
) -> Camp:
    from glassgrad.insight import answers, errors

    domain, answer = method(runs.experiment).task.domain(), None

    def has(experiment: Experiment, record: "Record") -> bool:
        nonlocal answer
        if record.status != "finished" or not inside(float(errors(experiment, record.final, domain).mean())):
            return False
        answer = float(answers(experiment, record.final, domain)[0]) if len(domain) == 1 else None
        return True

    away = np.abs(failed_last(runs)[places] - error)
    typical = places[np.argsort(away, kind="stable")]
    seed = seed_that(has, contender, runs, typical) if light(runs.experiment) else None
    return Camp(count / len(runs), count, error, seed, answer)
