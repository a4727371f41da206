"""An experiment under judgement: its feedback in one question, looked at in every way that the evidence needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassgrad.draws import Floats
from glassgrad.experiment import Experiment
from glassgrad.formula.derivative import derivative
from glassgrad.formula.evaluate import evaluate, is_aggregate
from glassgrad.formula.tree import Symbol, substitute, symbols, walk
from glassgrad.method import Method
from glassgrad.rl.exact import without_stop
from glassgrad.rl.judge.earned import Earned, earning
from glassgrad.rl.judge.evidence import SHIFT, Looks
from glassgrad.rl.judge.expected import Expected, Sampled
from glassgrad.rl.judge.feedback import CHANCE, REWARD, Feedback, feedback, reads_log_of_output
from glassgrad.rl.judge.profile import Axis, Profile, axis, reach
from glassgrad.rl.judge.single import Single, read_together
from glassgrad.rl.kinks import kinks
from glassgrad.rl.situation import inlined

PLACES = {"formula": 401, "quadrature": 81, "drawn": 9}
FEWER = {"formula": 401, "quadrature": 31, "drawn": 5}  # in questions after the first
QUESTIONS = 4  # of a task with more, so many are looked at, evenly spread
MIDDLE: Mapping[str, float] = {"noise": 0.0, "uniform": 0.5}  # of the answer that is judged in the end


@dataclass(frozen=True)
class Question:
    """One question: what it reads, its truth, and the axis of outputs around the wanted one."""

    inputs: Floats
    truth: float
    wanted: float | None
    axis: Axis


def asked(of: Method) -> list[Floats]:
    """The questions that are looked at: the task's own example first, then some of its domain, evenly spread."""
    domain = of.task.domain()
    known = {tuple(row) for row in domain}
    first = next((np.array(row, np.float64) for row in of.task.asked if tuple(map(float, row)) in known), domain[0])
    more = domain[np.linspace(0, len(domain) - 1, min(len(domain), QUESTIONS)).astype(np.int64)]
    return [first, *(row for row in more if not np.array_equal(row, first))][:QUESTIONS]


def question(of: Method, inputs: Floats) -> Question:
    """A question with its axis."""
    truth = float(of.task.true(inputs[None])[0])
    low, high = reach(of.output_activation)
    plain, along = feedback(of, inputs), axis(low, high, truth)
    wanted = _wanted(plain, truth, along)
    earned = earning(plain, along.right - along.left)
    sigma = earned.sampled.sigma if earned is not None and earned.sampled is not None else None
    return Question(inputs, truth, wanted, axis(low, high, truth if wanted is None else wanted, sigma))


def answered(of: Feedback, o: Floats) -> Floats:
    """What is answered without chance, at some outputs."""
    tree = inlined(of.lines, of.of.program.latest["a"])
    return np.array(np.broadcast_to(evaluate(tree, {**of.values, **MIDDLE, "o": o}), o.shape), dtype=np.float64)


def _wanted(of: Feedback, truth: float, along: Axis) -> float | None:
    """The output whose answer is the truth: the truth itself, if the answer is the output."""
    tried = np.concatenate([along.places(2001), [truth]])
    tried = np.unique(tried[(tried >= along.low) & (tried <= along.high)])
    gap = np.abs(answered(of, tried) - truth)
    if gap.min() > of.of.task.tolerance:
        return None
    best = tried[gap <= gap.min() + 1e-12]
    if truth in best:
        return truth
    return float(best[-1] if best[-1] > along.right - 1e-3 * (along.right - along.left) else best[len(best) // 2])


@dataclass(frozen=True)
class View:
    """The feedback of one question, and what its outputs earn."""

    experiment: Experiment
    place: Question
    plain: Feedback
    earned: Earned | None

    def expected(self, of: Feedback) -> Expected:
        """The expected update under a feedback, in batches as large as the run's."""
        answers = read_together(self.experiment, of.of.in_groups)
        return Expected(of, self.place.axis, answers, self.experiment.seed, self.sampled)

    @property
    def sampled(self) -> Sampled | None:
        """How answers are drawn around the output, where that is known."""
        return self.earned.sampled if self.earned else None

    def score(self, known: Mapping[str, Any]) -> Floats:
        """The derivative of the log-probability of each answer (1, rows, answers)."""
        assert self.sampled is not None
        return self.sampled.score(known["o"], known[self.plain.of.program.latest["a"]])[None]

    def places(self, counts: Mapping[str, int]) -> Floats:
        """The outputs at which the expected update is looked at."""
        how = "drawn" if not self.expected(self.plain).exact else "quadrature" if self.plain.chance else "formula"
        return self.place.axis.places(counts[how], far=how != "drawn")

    def profile(self, o: Floats) -> Profile:
        """The expected update at some outputs, with what they earn."""
        expected = self.expected(self.plain)
        known = self.earned.rows(o) if self.earned is not None else None
        update = expected(o, known)
        value, slope = (None, None) if known is None else (np.broadcast_to(row, update.shape) for row in known)
        at = (lambda x: expected(x)[0]) if expected.exact else None
        closely = 1e-10 if self.plain.chance else 1e-15
        written = _written(self.plain, o)
        return Profile(self.place.axis, o, update, value, slope, written, self.place.wanted, at, closely)

    def kinks(self) -> Floats:
        """The outputs at which the update turns or jumps, where it is a formula of the output alone."""
        if self.plain.chance or self.plain.coupled or not self.plain.moved:
            return np.empty(0)
        tree = substitute(without_stop(self.plain.update), {"o": Symbol("a")})
        along = self.place.axis
        return kinks(tree, lambda o: {**self.plain.values, **self.plain.starts, "a": o}, along.left, along.right).points

    def right(self, o: Floats) -> NDArray[np.bool_]:
        """Which outputs answer right."""
        ends = np.where(np.isfinite(o), o, 0.0)
        near = np.abs(answered(self.plain, ends) - self.place.truth) < self.plain.of.task.tolerance
        return np.asarray(near & np.isfinite(o))

    def shifted(self, nine: Profile) -> Floats:
        """The expected update at nine places with SHIFT added to every reward."""
        known = None if nine.reward is None or nine.slope is None else (nine.reward[0] + SHIFT, nine.slope[0])
        return self.expected(feedback(self.plain.of, self.place.inputs, shift=SHIFT))(nine.o, known)


def view(experiment: Experiment, of: Method, place: Question) -> View:
    """A question, ready to be looked at."""
    plain = feedback(of, place.inputs)
    return View(experiment, place, plain, earning(plain, place.axis.right - place.axis.left))


def _written(of: Feedback, o: Floats) -> Floats | None:
    """Minus the slope of the objective as it is written, where nothing is left to chance and no sample reads others."""
    tree = without_stop(inlined(of.lines, "objective"))
    if set(CHANCE) & set(symbols(tree)) or any(is_aggregate(part) for part in walk(tree)):
        return None
    slope = evaluate(derivative(tree, "o"), {**of.values, **of.starts, "o": o})
    return -np.array(np.broadcast_to(slope, o.shape), dtype=np.float64)[None]


def look(seen: View) -> Looks:
    """All that the evidence needs, of one question."""
    has_reward = REWARD in seen.plain.of.pieces
    single = Single(
        seen.plain,
        seen.place.inputs,
        seen.experiment,
        seen.place.axis.spread(),
        score=seen.score if seen.sampled else None,
    )
    full = seen.profile(seen.places(PLACES))
    return Looks(
        profile=full,
        shifted=seen.shifted(full.nine) if has_reward else None,
        has_reward=has_reward,
        strength=single.strength,
        labels=single.changed(single.moved()),
        log_of_output=reads_log_of_output(seen.plain),
        **(single.of_reward() if has_reward else {}),
    )


__all__ = ["FEWER", "PLACES", "Question", "View", "answered", "asked", "look", "question", "view"]
