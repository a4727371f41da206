"""Competitors against each other: each finds its best variant; then they take turns, and medians are compared."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bench.outcome import join, witness
from bench.worker import Failure, Measurement, Worker

Tell = Callable[[str], None]


@dataclass
class Competitor:
    """A worker, the rate that each of its variants reached when tried once, the best one, and what it measured."""

    worker: Worker
    tried: dict[str, float]
    compiling: float
    best: int
    measured: list[Measurement] = field(default_factory=list)

    def turn(self, seconds: float) -> None:
        """Measure the best variant once, for about so many seconds, on seeds that it has not had."""
        rate = list(self.tried.values())[self.best]
        first = sum(each.runs for each in self.measured)
        self.measured.append(self.worker.train(self.best, max(1, round(seconds * rate)), first))

    def result(self) -> dict[str, Any]:
        """The median rate, what it comes from, and the witness of the work."""
        return {
            "rate": statistics.median(each.rate for each in self.measured),
            "rates": [each.rate for each in self.measured],
            "variant": self.worker.labels[self.best],
            "tried": self.tried,
            "compile_seconds": self.compiling,
            "error": witness(join([each.outcome for each in self.measured])),
        }


def enter(module: str, quick: bool, **options: Any) -> Competitor:
    """Start a competitor and find its best variant.

    Raises:
        Failure: it cannot run.
    """
    worker = Worker(module, quick, **options)
    try:
        tried, compiling = {}, []
        for which, label in enumerate(worker.labels):
            compiling.append(worker.prepare(which))
            tried[label] = worker.train(which, 1).rate
        rates = list(tried.values())
        best = rates.index(max(rates))
    except Failure:
        worker.stop()
        raise
    return Competitor(worker, tried, compiling[best], best)


def contest(
    entrants: dict[str, dict[str, Any]], quick: bool, rounds: int, seconds: float, tell: Tell
) -> dict[str, Any]:
    """Results by name: of `Competitor.result`, or {"rate": None, "reason": …} of those that cannot run.

    entrants: by name, the module and the options of `enter`. seconds: of each measurement, about.
    """
    results: dict[str, Any] = {}
    entered: dict[str, Competitor] = {}
    for name, how in entrants.items():
        tell(f"{name}: compiling, trying variants")
        try:
            entered[name] = enter(quick=quick, **how)
        except Failure as failure:
            results[name] = {"rate": None, "reason": str(failure)}
            tell(f"{name}: left out, {failure}")
    for number in range(rounds if entered else 0):
        tell(f"round {number + 1} of {rounds}")
        for name, competitor in list(entered.items()):
            try:
                competitor.turn(seconds)
            except Failure as failure:
                results[name] = {"rate": None, "reason": str(failure)}
                entered.pop(name).worker.stop()
    for name, competitor in entered.items():
        results[name] = competitor.result()
        competitor.worker.stop()
    return {name: results[name] for name in entrants}
