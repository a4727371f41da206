"""What will become of a training: the share of runs that its feedback leads astray, and what many runs say to that.

For one question every basin has a predicted and a measured share; where they contradict each other, the claim fails.
Questions that share weights push each other about, so with several of them only the share of failures is set beside it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from glassgrad.experiment import Experiment
from glassgrad.method import Method
from glassgrad.rl.judge.basins import Landscape
from glassgrad.rl.judge.ends import Ends
from glassgrad.rl.judge.experiment import View
from glassgrad.rl.judge.starts import basin_of, first_outputs, starts
from glassgrad.statistics import Interval, wilson

FALSE_ALARM = 0.001  # how often a right prediction is called wrong
ALLOWED = 0.005  # and only if the shares are farther apart than this: a step is not infinitely small


@dataclass(frozen=True)
class Share:
    """The share of runs that start in a basin, as predicted, and that end in it, as measured.

    right: whether it leads to a right answer. gap: how far apart the shares are, wherever runs that diverged belong.
    p_value: how probable such a gap, or a larger one, is by chance.
    """

    low: float
    high: float
    goal: float | None
    right: bool
    predicted: float
    measured: Interval | None = None
    gap: float = 0.0
    p_value: float = 1.0

    @property
    def held(self) -> bool:
        """Whether the measured share does not contradict the predicted one."""
        return self.p_value >= FALSE_ALARM or self.gap <= ALLOWED


@dataclass(frozen=True)
class Forecast:
    """shares: of one question's basins; empty where there are several questions. failures: the predicted share;
    None where outputs move together, and nothing is predicted.

    drawn: of how many initial networks; 0 where it was computed. questions: how many were looked at. runs: how many
    were trained. failed: the measured share of failures. diverged: how many did.
    """

    shares: tuple[Share, ...]
    failures: float | None
    drawn: int
    questions: int
    runs: int = 0
    failed: Interval | None = None
    diverged: int = 0

    @property
    def held(self) -> bool:
        """Whether no prediction was contradicted."""
        return all(share.held for share in self.shares)


def forecast(experiment: Experiment, of: Method, views: Sequence[View], lands: Sequence[Landscape]) -> Forecast:
    """What is predicted, from where first outputs lie."""
    if len(of.task.domain()) > 1:
        return _of_several(experiment, of, views, lands)
    (seen,), (land,) = views, lands
    found = starts(experiment, of, seen.place.inputs, land.basins)
    every = zip(land.basins, found.shares, _right(seen, land), strict=True)
    shares = tuple(
        Share(basin.low, basin.high, basin.goal.at if basin.goal else None, right, share)
        for basin, share, right in every
    )
    wrong = math.fsum(share.predicted for share in shares if not share.right)
    return Forecast(shares, wrong, found.drawn, 1)


def _right(seen: View, land: Landscape) -> list[bool]:
    """Of each basin, whether it leads to a right answer."""
    return [basin.goal is not None and bool(seen.right(np.array([basin.goal.at]))[0]) for basin in land.basins]


def _of_several(experiment: Experiment, of: Method, views: Sequence[View], lands: Sequence[Landscape]) -> Forecast:
    """The share of initial networks that start in a wrong basin in any of the questions that are looked at."""
    right = [_right(seen, land) for seen, land in zip(views, lands, strict=True)]
    if all(map(all, right)):
        return Forecast((), 0.0, 0, len(views))
    o = first_outputs(experiment, of, np.stack([seen.place.inputs for seen in views]))
    good = np.ones(len(o), dtype=bool)
    for i, (land, ways) in enumerate(zip(lands, right, strict=True)):
        which = basin_of(o[:, i], land.basins)
        good &= (which >= 0) & np.append(ways, False)[which]
    return Forecast((), float(np.mean(~good)), len(o), len(views))


def measured(before: Forecast, ends: Ends) -> Forecast:
    """The same with what runs say."""
    runs = len(ends.solved)
    failed, lost = wilson(int(np.sum(~ends.solved)), runs), int(np.sum(ends.diverged))
    shares = before.shares
    if ends.outputs is not None:
        which = basin_of(ends.outputs, before.shares)
        counts = [int(np.sum(which == i)) for i in range(len(before.shares))]
        shares = tuple(
            _measured(share, count, lost, runs, before) for share, count in zip(before.shares, counts, strict=True)
        )
    return replace(before, shares=shares, runs=runs, failed=failed, diverged=lost)


def _measured(share: Share, count: int, lost: int, runs: int, before: Forecast) -> Share:
    """One basin's share, with the probability of such a gap (Šidák's correction for the number of basins).

    lost: runs that diverged, which may belong to any basin.
    """
    found, most = wilson(count, runs), (count + lost) / runs
    gap = max(found.value - share.predicted, share.predicted - most, 0.0)
    pooled, error = share.predicted, 0.0
    if before.drawn:
        pooled = (found.value * runs + share.predicted * before.drawn) / (runs + before.drawn)
        error = pooled * (1 - pooled) / before.drawn
    deviation = math.sqrt(pooled * (1 - pooled) / runs + error)
    one = math.erfc(gap / deviation / math.sqrt(2)) if deviation else float(gap == 0)
    several = -math.expm1(len(before.shares) * math.log1p(-one)) if one < 1 else 1.0
    return replace(share, measured=found, gap=gap, p_value=several)


__all__ = ["ALLOWED", "FALSE_ALARM", "Forecast", "Share", "forecast", "measured"]
