"""Slips: the experiment that is right beside the one that is wrong, over the same seeds, and what gives it away."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from glassgrad.comparison import Comparison, compare
from glassgrad.draws import Floats
from glassgrad.errors import ExperimentError
from glassgrad.experiment import Experiment
from glassgrad.formula.evaluate import evaluate
from glassgrad.formula.functions import Array
from glassgrad.insight import forward
from glassgrad.locale import Text, language, text
from glassgrad.method import method
from glassgrad.report.compare_json import plain
from glassgrad.rl.held import LEAST, Held, Place, needed
from glassgrad.runs import Progress, Runs
from glassgrad.statistics import Interval, sign_test, wilson
from glassgrad.study import Train
from glassgrad.tables.row import unknown
from glassgrad.tables.slips import ELSEWHERE, SLIPS, Elsewhere, Slip

RUNS = 200
PILOT = 100_000  # answers, from which the number of batches follows


class Side(NamedTuple):
    """How often one of the two is solved."""

    experiment: Experiment
    solved: int
    rate: Interval
    diverged: int


@dataclass(frozen=True)
class Entry:
    """One slip: how often it is solved right and wrong, and what gives it away.

    p_value: of the difference, if there were none (McNemar's exact test). found: whether the check found the slip,
    and nothing in the experiment that is right. numbers: what the check saw. said: the same in words.
    """

    slip: Slip
    right: Side
    wrong: Side
    p_value: float
    found: bool
    numbers: dict[str, Any]
    said: Text

    @property
    def difference(self) -> float:
        """The success rate with the slip, minus that without."""
        return self.wrong.rate.value - self.right.rate.value

    def to_json(self) -> dict[str, Any]:
        """One object."""
        slip = self.slip
        found: dict[str, Any] = plain(
            {
                "name": slip.name,
                "experiment": slip.base,
                "both": _settings(slip.both),
                "right": _side(self.right, slip.right),
                "wrong": _side(self.wrong, slip.wrong),
                "difference": self.difference,
                "p_value": self.p_value,
                "what": slip.reading,
                "shows": slip.shows,
                "source": slip.source,
                "check": slip.check,
                "found": self.found,
                "numbers": self.numbers,
                "said": self.said,
            }
        )
        return found


def _side(side: Side, settings: Any) -> dict[str, Any]:
    rate = side.rate
    return {"settings": _settings(settings), "solved": side.solved, "rate": rate.value, "low": rate.low,
            "high": rate.high, "diverged": side.diverged}  # fmt: skip


def _settings(settings: Any) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in settings.items()}


@dataclass(frozen=True)
class Slips:
    """Mistakes that are made everywhere, each beside what is right, over the same seeds.

    entries: those that an experiment can have. elsewhere: those of environments. comparison: all the runs.
    """

    comparison: Comparison
    entries: tuple[Entry, ...]
    elsewhere: tuple[Elsewhere, ...]

    def __getitem__(self, name: str) -> Entry:
        """One slip, by its name."""
        return next(entry for entry in self.entries if entry.slip.name == name)

    def to_json(self) -> list[dict[str, Any]]:
        """One object a slip; those of environments have only words."""
        rows = [
            {"name": row.name, "what": row.reading._asdict(), "shows": row.shows._asdict(), "test": row.test}
            for row in self.elsewhere
        ]
        return [*(entry.to_json() for entry in self.entries), *rows]

    def to_text(self) -> str:
        """What `glassgrad compare slips` prints, as plain text."""
        from glassgrad.report.slips_text import slips_text

        return slips_text(self)

    def __repr__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        from html import escape

        return f'<pre lang="{language()}">{escape(self.to_text())}</pre>'


def slips(
    *names: str,
    runs: int = RUNS,
    seed0: int = 0,
    progress: Progress | None = None,
    train: Train | None = None,
    **settings: Any,
) -> Slips:
    """Train each experiment with and without its slip over the same seeds, and let the checks look for it.

    names: of slips; all if none is given. runs: how many of each. settings: what to change in all of them.

    Raises:
        ExperimentError: there is no slip of this name, or a setting will not do.

    Example:
        >>> import glassgrad as gg
        >>> found = gg.slips("slip-reward-times-log", runs=20)["slip-reward-times-log"]
        >>> found.right.solved, found.wrong.solved, round(found.numbers["scale"], 3)
        (20, 0, -0.2)
    """
    strange = next((name for name in names if name not in SLIPS), None)
    if strange is not None:
        near = unknown("experiment", strange, SLIPS).values["nearest"]
        raise ExperimentError("experiment.unknown", name=strange, nearest=near)
    chosen = [slip for slip in SLIPS.values() if not names or slip.name in names]
    every = {_bare(one): one for slip in chosen for one in (slip.correct, slip.experiment)}
    found = compare(*every.values(), runs=runs, seed0=seed0, progress=progress, train=train, **settings)
    done = dict(zip(every, found.runs, strict=False))
    entries = (_entry(slip, done) for slip in chosen if {_bare(slip.correct), _bare(slip.experiment)} <= set(done))
    return Slips(found, tuple(entries), () if names else ELSEWHERE)


def _bare(experiment: Experiment) -> Experiment:
    """An experiment whatever it is called: what is the same is trained once."""
    return experiment.change(name="")


def _entry(slip: Slip, done: dict[Experiment, Runs]) -> Entry:
    right, wrong = (done[_bare(one)] for one in (slip.correct, slip.experiment))
    both = min(len(right), len(wrong))
    found, numbers, said = _CHECKS[slip.check](slip, right, wrong)
    p_value = sign_test(right.solved[:both], wrong.solved[:both])
    return Entry(slip, _counted(right), _counted(wrong), p_value, found, numbers, said)


def _counted(runs: Runs) -> Side:
    solved = int(runs.solved.sum())
    return Side(runs.experiment, solved, wilson(solved, len(runs)), int(np.sum(runs.diverged_at > 0)))


def held(slip: Slip, experiment: Experiment, batches: int, seed: int) -> Held:
    """The mean update of an experiment, where the slip is looked for."""
    return Place(experiment, slip.at, slip.goal, slip.output).held(batches, seed)


Checked = tuple[bool, dict[str, Any], Text]


def _scale(slip: Slip, right: Runs, wrong: Runs) -> Checked:
    """A pilot says how many batches are needed; others, of another seed, are tested."""
    pilot = max(LEAST, PILOT // wrong.experiment.samples)
    batches = needed(held(slip, wrong.experiment, pilot, seed=0))
    bad, good = (held(slip, one.experiment, batches, seed=1) for one in (wrong, right))
    numbers = {"scale": bad.scale, "error": bad.error, "z": bad.z, "right_scale": good.scale, "right_z": good.z}
    z = "∞" if np.isinf(bad.z) else f"{bad.z:.1f}"
    said = text("slips.found_scale", scale=_short(bad.scale), error=_short(bad.error), z=z, batches=f"{batches:,}")
    return bad.wrong and not good.wrong, numbers | {"batches": batches}, said


def _short(value: float) -> str:
    return f"{value:.4f}"


def _diverged(slip: Slip, right: Runs, wrong: Runs) -> Checked:
    when = wrong.diverged_at[wrong.diverged_at > 0]
    numbers = {"diverged": len(when), "right_diverged": int(np.sum(right.diverged_at > 0)), "steps": None}
    if not len(when):
        return False, numbers, text("slips.found_nothing", runs=f"{len(wrong):,}")
    median = int(np.sort(when)[(len(when) - 1) // 2])
    said = text("slips.found_diverged", count=f"{len(when):,}", runs=f"{len(wrong):,}", step=f"{median:,}")
    return numbers["right_diverged"] == 0, numbers | {"steps": median}, said


def _ratio(slip: Slip, right: Runs, wrong: Runs) -> Checked:
    """PPO's ratio in the last pass over the first data."""
    bad, good = (_ratios(runs.experiment.change(seed=int(runs.seeds[0]))) for runs in (wrong, right))
    found = bool(np.all(bad == 1) and np.any(good != 1))
    ends = {name: [float(all_.min()), float(all_.max())] for name, all_ in (("ratio", bad), ("right_ratio", good))}
    low, high = map(_short, ends["right_ratio"])
    said = text(
        "slips.found_ratio", **{"pass": right.experiment.passes}, at=_short(ends["ratio"][0]), low=low, high=high
    )
    return found, {**ends}, said


def _ratios(experiment: Experiment) -> Floats:
    """The line `ratio` of every answer, in the last of the passes, with the full learning rate."""
    from glassgrad.engines.torch import train

    of, passes = method(experiment), experiment.passes
    record = train(experiment.change(schedule="constant", steps=passes))
    moment = record.moment(passes)

    def known(step: int) -> dict[str, Array]:
        at = record.moment(step)
        chance = {} if moment.noise is None else {"noise": moment.noise}
        outputs = forward(experiment, at.parameters, moment.inputs)
        return {**of.numbers, **chance, **{name: outputs[name] for name in of.outputs}, "t": moment.truth, "step": step}

    old = known(1)
    for line in of.collected:
        old[line.name] = evaluate(line.tree, old)
    now = known(passes) | {name: old[name] for name in of.olds.values()}
    for line in of.later(of.program.lines):
        now[line.name] = evaluate(line.tree, now)
    return np.asarray(now["ratio"], np.float64)


def _same(slip: Slip, right: Runs, wrong: Runs) -> Checked:
    """No effect: neither of the final errors nor of the mean update."""
    numbers = {"differ": int(np.sum(right.mean_error != wrong.mean_error)), "runs": len(wrong)}
    said = text("slips.found_same", differ=f"{numbers['differ']:,}", runs=f"{len(wrong):,}")
    return numbers["differ"] > 0, numbers, said


_CHECKS = {"scale": _scale, "diverged": _diverged, "ratio": _ratio, "same": _same}

__all__ = ["Entry", "Side", "Slips", "held", "slips"]
