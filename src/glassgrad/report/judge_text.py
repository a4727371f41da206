"""The verdict on a training as text in 80 columns: the verdict, the evidence in numbers, what will become of it."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from glassgrad.draws import Floats
from glassgrad.experiment import Experiment
from glassgrad.formula.text import number_text
from glassgrad.formula.tree import symbols
from glassgrad.judged import Judgement
from glassgrad.locale import Text, language, say
from glassgrad.method import method
from glassgrad.report import judge_several_text as several
from glassgrad.report import judge_weights as weights
from glassgrad.report.estimators_text import three_signed
from glassgrad.report.plain import WIDTH, plain_lines
from glassgrad.rl.judge.basins import FixedPoint
from glassgrad.rl.judge.evidence import Evidence
from glassgrad.rl.judge.forecast import ALLOWED, Share
from glassgrad.rl.judge.objectives import Fit
from glassgrad.rl.judge.single import read_together
from glassgrad.statistics import Interval
from glassgrad.tables.experiments import BY_NAME, shipped

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

NONE = "–"
REGRESSION = ("squared_error", "absolute_error")
SECONDS = {
    "reward_and_entropy": ("expected_reward", "entropy"),
    "log_reward_and_entropy": ("log_reward", "entropy"),
    "reward_and_squared_error": ("expected_reward", "squared_error"),
}
"""The two parts of a mixture."""
DOUBLE, SINGLE = 1e-12, 1e-5  # a smaller share of the largest number is rounding, and shown as 0

Pairs = list[tuple[str, str]]


def judge_text(found: Judgement, width: int = WIDTH) -> str:
    """All of it as plain text."""
    return "\n".join(plain_lines(judge_parts(found), width))


def judge_parts(found: Judgement) -> "Iterator[RenderableType]":
    """What `glassgrad judge` prints, piece by piece."""
    from rich.padding import Padding
    from rich.text import Text as Styled

    yield Styled(say("judge.title", name=found.name), style="bold")
    yield Styled(joined(verdict(found)))
    yield from (Padding(Styled(line, style="cyan"), (0, 0, 0, 2)) for line in formulas(found))
    yield ""
    yield Styled(say("judge.evidence"), style="bold cyan")
    yield from (Padding(Styled(line, style="dim"), (0, 0, 0, 2)) for line in (asked(found), *several.asked(found)))
    for piece in found.evidence:
        yield Padding(
            Styled.assemble((f"({piece.letter}) ", "bold"), question(found, piece), " ", _answer(piece)), (0, 0, 0, 2)
        )
        yield Padding(Styled(sentence(found, piece)), (0, 0, 0, 6))
        if piece.letter == "d" and (table := nine(found)):
            yield Padding(_nine(table), (0, 0, 0, 6))
    yield from (Padding(Styled(line), (0, 0, 0, 2)) for line in several.others(found))
    yield ""
    yield Styled(say("judge.becomes"), style="bold cyan")
    yield from (Padding(Styled(line), (0, 0, 0, 2)) for line in points(found))
    if found.forecast is not None and shares(found)[1]:
        yield Padding(_shares(found), (0, 0, 0, 2))
    for note in notes(found):
        yield Padding(Styled(note, style="dim"), (0, 0, 0, 2))
    for failed in contradictions(found):
        yield Styled(failed, style="bold red")
    for told, command in next_commands(found):
        yield ""
        yield Styled(told, style="dim")
        yield Styled(f"  {command}", no_wrap=True, overflow="ignore")


def verdict(found: Judgement) -> list[str]:
    """The verdict in one sentence, and which objective is climbed."""
    nothing = found["d"].outcome == "nothing" and found.verdict == "neither"
    of_weights = weights.perturbed(found)
    nowhere = "nothing" if found.several is None else "no_weight" if of_weights else "no_output"
    observed = "observed_weights" if of_weights else "observed"
    told = nowhere if nothing else observed if found.verdict == "observed" else found.verdict
    lines = [say(f"judge.verdict_{told}")]
    if len(found.sources) > 1:
        more = (say(f"judge.source_{source}") for source in found.sources[1:])
        lines.append(say("judge.also", sources=joined(list(more), ", ")))
    if nothing:
        return lines
    if found["d"].outcome == "nothing" and of_weights:
        return [*lines, say("judge.weights_earn_the_same")]
    lines.append(climbs(found))
    same = [fit for fit in found.objectives[1:] if fit.factor * found.objectives[0].factor > 0]
    lines += [say("judge.same_as", name=_said(fit.objective.reading)) for fit in same]
    lines += [*slips(found), *weights.wrong_deviation(found), *several.astray(found)]
    if found.verdict == "derivative" and any(fit.objective.name in REGRESSION for fit in same):
        lines.append(say("judge.regression"))
    if found["d"].outcome == "other" and found.verdict == "neither":
        lines.append(say("judge.not_reward"))
    return lines


def slips(found: Judgement) -> Iterator[str]:
    """What the numbers look like, if they look like a slip that is often made."""
    fit = found.objectives[0] if found.objectives else None
    if fit is None:
        return
    if fit.objective.name == "reward_and_entropy" and fit.factors[1] < 0 < fit.factor:
        yield say("judge.entropy_sign")
    answers = 1 if found.experiment is None else read_together(found.experiment, method(found.experiment).in_groups)
    missing, error, own = 1 - fit.factor, fit.errors[0], 1 / answers
    if found["d"].outcome == "share" and 0 < error < 0.3 * own < 0.3 and abs(missing - own) < 4 * error:
        yield say("judge.own_sample", answers=answers, before=answers - 1)


def climbs(found: Judgement) -> str:
    """Which objective the update climbs, and how its length compares."""
    if not found.objectives:
        seen = found.several
        return say("judge.nameless" if seen is None or len(found.profile.o) or seen.enough else "judge.unseen")
    fit = found.objectives[0]
    name = _said(fit.objective.reading)
    if fit.objective.name in SECONDS:
        first, second = (say(f"judge.objective_{one}") for one in _parts(found, fit))
        share = fit.factors[1] / fit.factor
        key = f"judge.climbs_{'plus' if share > 0 else 'minus'}"
        return say(key, name=first, second=second, factor=short(abs(share)))
    if fit.factor < 0:
        return say("judge.descends", name=name)
    return say("judge.climbs", name=name) if _is_one(fit) else say("judge.climbs_times", name=name, factor=_factor(fit))


def _parts(found: Judgement, fit: Fit) -> tuple[str, str]:
    """The names of a mixture's parts."""
    first, second = SECONDS[fit.objective.name]
    if weights.perturbed(found):
        return "perturbed_reward", "perturbed_squared_error"
    return first, "entropy_of_answers" if second == "entropy" and found.several is not None else second


def _is_one(fit: Fit) -> bool:
    return abs(fit.factor - 1) <= max(10 * fit.tolerance, 4 * fit.errors[0])


def _factor(fit: Fit) -> str:
    error = f" ± {fit.errors[0]:.2g}" if fit.errors[0] else ""
    return f"{short(fit.factor)}{error}"


def formulas(found: Judgement) -> Iterator[str]:
    """What arrives at the output, and the objective that is climbed, as formulas."""
    if found.arrives:
        yield f"dL/do = {found.arrives}"
    yield from several.formulas(found)
    formula = found.objectives[0].objective.formula if found.objectives else ""
    if formula:
        yield f"U(o) = {formula}"
    elif found.climbed.pieces and any(piece.formula != "0" for piece in found.climbed.pieces):
        yield "U(o) = " + joined([_piece(found, i) for i in range(len(found.climbed.pieces))], "; ")
        yield from _extremes(found)


def _piece(found: Judgement, i: int) -> str:
    piece = found.climbed.pieces[i]
    if len(found.climbed.pieces) == 1:
        return piece.formula
    return say("judge.where", formula=piece.formula, low=place(piece.low), high=place(piece.high))


def _extremes(found: Judgement) -> Iterator[str]:
    """Where U is lowest, highest, and where it has no bound."""
    lowest = [point.at for point in found.points if point.kind == "repels"]
    highest = [point.at for point in found.points if point.kind == "attracts"]
    every = (("lowest", lowest), ("highest", highest), ("unbounded", found.climbed.unbounded(found.profile.axis)))
    told = [say(f"judge.{key}", places=", ".join(map(place, places))) for key, places in every if places]
    if told:
        yield joined(told, "; ")


def asked(found: Judgement) -> str:
    """Which question the evidence is about."""
    if found.experiment is not None:
        return say("judge.asked", question=found.question, truth=place(found.truth))
    if found.truth is None:
        return say("judge.asked_open")
    return say("judge.asked_script", truth=place(found.truth))


def question(found: Judgement, piece: Evidence) -> str:
    """What a piece of evidence asks."""
    if piece.letter == "c" and weights.perturbed(found):
        return say("judge.c_question_weights")
    return say(f"judge.{piece.letter}_question")


def answer(piece: Evidence) -> str:
    """Yes, no, or a dash where it cannot be asked."""
    return NONE if piece.holds is None else say("judge.yes" if piece.holds else "judge.no")


def _answer(piece: Evidence) -> tuple[str, str]:
    return answer(piece), "dim" if piece.holds is None else "bold"


def sentence(found: Judgement, piece: Evidence) -> str:
    """A piece of evidence in words and numbers."""
    numbers = {name: NONE if value is None else short(value) for name, value in piece.numbers.items()}
    if piece.outcome == "no_reward":
        return say("judge.d_no_reward", climbs=climbs(found)) if piece.letter == "d" else say("judge.no_reward")
    if piece.letter == "d":
        return _gradient(found, piece, numbers)
    if piece.letter == "f":
        return several.together(found) if piece.outcome == "several" else _wanted(piece)
    if piece.letter == "b":
        numbers = {name: share(value or 0.0) for name, value in piece.numbers.items()}
    if piece.outcome == "still" and piece.holds is None:
        return say("judge.c_still_no_reward")
    if piece.outcome == "other_weight" and piece.numbers["score"] is None:
        return say(weights.key(found, piece, "c_other_unseen"), **numbers)
    return say(weights.key(found, piece, f"{piece.letter}_{piece.outcome}"), o=several.along(found), **numbers)


def _gradient(found: Judgement, piece: Evidence, numbers: dict[str, str]) -> str:
    """Scale, cosine, z."""
    fit = next((fit for fit in found.objectives if fit.objective.name == "expected_reward"), None)
    numbers["factor"] = _factor(fit) if fit is not None else NONE
    cosine = piece.numbers["cosine"]
    numbers["cosine"] = NONE if cosine is None else f"{cosine + 0.0:.3f}"
    z = piece.numbers["z"]
    numbers["z"] = "" if z is None else say("judge.d_z", z=f"{z:.1f}")
    if weights.perturbed(found):
        numbers["z"] = weights.z(piece)
    other = "direction" if numbers["least"] == numbers["most"] else "other"
    return say(
        weights.key(found, piece, f"d_{other if piece.outcome in ('other', 'nameless') else piece.outcome}"), **numbers
    )


def _wanted(piece: Evidence) -> str:
    numbers = piece.numbers
    sides = [(numbers.get(f"update_{side}"), numbers.get(side)) for side in ("below", "above")]
    told = [say("judge.f_at", update=short(u), place=place(o)) for u, o in sides if u is not None and o is not None]
    around = say("judge.f_around", updates=joined(told, ", ")) if told else ""
    if piece.outcome == "attracts":
        return say("judge.f_attracts", attractor=place(numbers["attractor"]), around=around)
    return say("judge.f_not", around=around) if numbers["wanted"] is not None else say("judge.f_no_truth")


def nine(found: Judgement) -> list[list[str]]:
    """The update beside the gradient of the expected reward at nine outputs, or at each place of several outputs.

    Nothing where there is none.
    """
    if found["d"].outcome != "nothing" and (lines := several.table(found)):
        return lines
    some, o = found.profile.nine, several.along(found)
    if some.slope is None or found["d"].outcome in ("nothing", "unknown"):
        return []
    rounding = DOUBLE if found.experiment is not None else SINGLE
    lines = [[o, *map(place, some.o)], [say("judge.d_row_update"), *_row(some.mean, rounding)]]
    return [*lines, [f"dJ/d{o}", *_row(some.slope.mean(axis=0), rounding)]]


def _row(values: Floats, rounding: float) -> list[str]:
    """Numbers in three digits; what is only rounding is 0."""
    least = rounding * float(np.nanmax(np.abs(values), initial=0.0))
    return [
        NONE if not math.isfinite(value) else three_signed(value if abs(value) > least else 0.0) for value in values
    ]


def _nine(lines: Sequence[Sequence[str]]) -> "Table":
    from rich.table import Table
    from rich.text import Text as Styled

    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, show_header=False, style="dim")
    table.add_column("", no_wrap=True)
    for _ in lines[0][1:]:
        table.add_column("", justify="right", no_wrap=True)
    for line in lines:
        table.add_row(*map(Styled, line))
    return table


def points(found: Judgement) -> Iterator[str]:
    """The fixed points, one a line."""
    if found.several is not None and not len(found.profile.o):
        return
    if not found.points:
        yield say("judge.no_points")
    for point, right in zip(found.points, found.right, strict=True):
        told = say(f"judge.point_{point.kind}")
        if point.attracting and found.truth is not None:
            told = say("judge.point_answer", told=told, answer=say("judge.right" if right else "judge.wrong"))
        yield f"{several.along(found)} = {_at(point)}  {told}"


def _at(point: FixedPoint) -> str:
    return place(point.at) + (f" ± {short(point.error)}" if point.error else "")


def shares(found: Judgement) -> tuple[list[str], list[list[str]]]:
    """The table of basins and failures: heads, lines; where nothing is predicted, only what is measured."""
    forecast = found.forecast
    assert forecast is not None
    if forecast.failures is None:
        failed = measured(forecast.failed)
        return ["", say("judge.column_measured")], [] if forecast.failed is None else [[say("judge.failures"), failed]]
    keys = ("basin", "goal", "answer", "predicted", "measured")
    lines = [
        [
            basin(one),
            say("judge.stays") if one.goal is None else place(one.goal),
            say("judge.right" if one.right else "judge.wrong"),
            percent(one.predicted),
            measured(one.measured),
        ]
        for one in forecast.shares
    ]
    if forecast.shares and forecast.diverged:
        lost = percent(forecast.diverged / forecast.runs)
        lines.append([say("judge.lost"), "", say("judge.wrong"), "", lost])
    lines.append([say("judge.failures"), "", "", percent(forecast.failures), measured(forecast.failed)])
    return [say(f"judge.column_{key}") for key in keys], lines


def basin(one: Share) -> str:
    """From where to where."""
    return say("judge.from_to", low=place(one.low), high=place(one.high))


def measured(found: Interval | None) -> str:
    """A measured share with its interval."""
    return NONE if found is None else f"{percent(found.value)} [{100 * found.low:.2f}, {100 * found.high:.2f}]"


def _shares(found: Judgement) -> "Table":
    from rich.table import Table
    from rich.text import Text as Styled

    heads, lines = shares(found)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold cyan")
    table.add_column(heads[0], overflow="fold", ratio=1)
    for head in heads[1:]:
        table.add_column(head, justify="right", no_wrap=True)
    for line in lines:
        table.add_row(*map(Styled, line))
    return table


def notes(found: Judgement) -> Iterator[str]:
    """How the shares came about, and what they do not say."""
    goal = found.goal
    if found.experiment is None:
        if goal is not None:
            yield say("judge.script_start", start=place(found.start), goal=place(goal))
        yield say("judge.script_limits")
        return
    forecast = found.forecast
    assert forecast is not None
    if goal is not None:
        numbers = {"seed": found.experiment.seed, "start": place(found.start), "goal": place(goal)}
        yield say("judge.own_start", o=several.along(found), **numbers)
    if forecast.shares or forecast.failures:
        yield say("judge.drawn", drawn=f"{forecast.drawn:,}") if forecast.drawn else say("judge.computed")
    yield from _several(found)
    yield from _first_step(found, found.experiment)
    if forecast.failed is None:
        yield say("judge.unmeasured", reason=found.unmeasured) if found.unmeasured else say("judge.not_trained")
        return
    first = found.experiment.seed
    yield say("judge.trained", runs=f"{forecast.runs:,}", first=first, last=first + forecast.runs - 1)
    if forecast.diverged and not forecast.shares:
        yield say("judge.diverged", count=f"{forecast.diverged:,}")
    late = forecast.failed.value - (forecast.failures or 0.0)
    if forecast.shares and late > ALLOWED:
        tolerance = short(method(found.experiment).task.tolerance)
        yield say("judge.late", share=percent(late), steps=found.experiment.steps, tolerance=tolerance)


def _several(found: Judgement) -> Iterator[str]:
    forecast = found.forecast
    if forecast is None or forecast.shares:
        return
    if forecast.failures is None:
        key = "judge.not_predicted_weights" if weights.perturbed(found) else "judge.not_predicted"
        yield say(key, name=found.name)
        return
    key = "judge.some_wrong" if forecast.drawn else "judge.all_right"
    yield say(key, questions=forecast.questions, name=found.name)


def _first_step(found: Judgement, experiment: Experiment) -> Iterator[str]:
    """What is looked at where updates are repeated, or change from step to step."""
    if experiment.passes > 1:
        yield say("judge.first_pass", passes=experiment.passes)
    if any("step" in symbols(line.tree) for line in method(experiment).program.lines):
        late = found.several is not None and any(place.trained for place in found.several.places)
        yield say("judge.first_step_late" if late else "judge.first_step", steps=experiment.steps)


def contradictions(found: Judgement) -> Iterator[str]:
    """Each prediction that the runs contradict."""
    for one in found.forecast.shares if found.forecast else ():
        if not one.held:
            numbers = {"predicted": percent(one.predicted), "measured": measured(one.measured)}
            yield say("judge.contradicted", basin=basin(one), **numbers)


def next_commands(found: Judgement) -> Pairs:
    """What to look at next: a sentence and its command."""
    if found.experiment is None or found.name not in BY_NAME or found.experiment != shipped(found.name):
        return []
    if found.name == "knob":
        return [(say("judge.next_mended"), "glassgrad judge knob --policy 'gaussian(sigma=0.1)' --objective reinforce")]
    if found.several is not None:
        return [(say("judge.next_why"), f"glassgrad compare {found.name} --why")]
    if found.verdict == "observed":
        return [(say("judge.next_estimators"), f"glassgrad estimators {found.name} --step 100")]
    return [(say("judge.next_watch"), f"glassgrad watch {found.name}")]


def joined(told: Sequence[str], by: str = " ") -> str:
    """Sentences, or parts of one, with the marks of the language between them."""
    return ({" ": "", "; ": "；", ", ": "，"}[by] if language() == "zh" else by).join(told)


def _said(pair: Text) -> str:
    return str(getattr(pair, language()))


def place(value: float | None) -> str:
    """A place on the axis, in four digits.

    Example:
        >>> place(0.6000000000000001), place(8.0), place(-math.inf), place(0.30001)
        ('0.6', '8', '-∞', '0.3')
    """
    if value is None:
        return NONE
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    return number_text(float(f"{value:.4g}") + 0.0) if abs(value) > 1e-7 else "0"


def short(value: float) -> str:
    """A number in four digits.

    Example:
        >>> short(1.0), short(0.34567), short(-1e-17), short(12345.6)
        ('1', '0.3457', '0', '12350')
    """
    if not math.isfinite(value):
        return NONE
    return number_text(float(f"{value:.4g}") + 0.0) if abs(value) > 1e-9 else "0"


def share(value: float) -> str:
    """A share of the update; what is only rounding is 0."""
    return "0" if value <= 1e-9 else percent(value)


def percent(value: float) -> str:
    """A share in percent, with two decimals; none where it is whole."""
    sign = "%" if language() == "zh" else " %"
    return f"{100 * value:.0f}{sign}" if value in (0.0, 1.0) else f"{100 * value:.2f}{sign}"


__all__ = [
    "answer", "asked", "contradictions", "formulas", "judge_parts", "judge_text", "nine", "notes", "points", "question",
    "sentence", "shares", "verdict",
]  # fmt: skip
