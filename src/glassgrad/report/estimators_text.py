"""Estimators beside the exact gradient as tables in 80 columns: how far off, how noisy, at what cost, what each is."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from glassgrad.estimated import Estimates
from glassgrad.formula.text import number_text, show
from glassgrad.formula.tree import functions_of
from glassgrad.locale import language, say
from glassgrad.method import Method, method
from glassgrad.report.compare_text import short
from glassgrad.report.estimators_json import leading
from glassgrad.report.plain import WIDTH, plain_lines
from glassgrad.rl.estimate import Column, Estimate, judged
from glassgrad.rl.estimators import GROUP
from glassgrad.rl.situation import Situation

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

NONE = "–"
STEPPED = {"round", "sign", "where"}  # functions that make steps
NEAR = 0.999  # a cosine
HURTS = 1.2  # so many times the variance
NARROW = 18  # cells of a heading that stands in the first column
SHOWN = 24  # parameters whose z are printed
ACROSS = 12  # estimators side by side, where each parameter has a line
COLOURS = {"none": "green", "biased": "yellow", "all": "bold red", "few": "dim", "undefined": "bold red"}

Pairs = list[tuple[str, str]]


def estimators_text(found: Estimates, width: int = WIDTH) -> str:
    """All of it as plain text."""
    return "\n".join(plain_lines(estimators_parts(found), width))


def estimators_parts(found: Estimates) -> "Iterator[RenderableType]":
    """What `glassgrad estimators` prints, piece by piece."""
    from rich.cells import cell_len
    from rich.text import Text

    yield Text(say("estimators.title"), style="bold")
    yield _listed(about(found))
    for heading, cells, colours in tables(found):
        yield ""
        if cell_len(heading) > NARROW:
            yield Text(heading, style="bold cyan")
            heading = ""
        yield _table(heading, cells, colours, _sections(found) if colours else {})
    yield ""
    yield _listed(legend(found), style="dim")
    said = list(notes(found))
    yield from [""] if said else []
    for note in said:
        yield Text(note, style="yellow")
    yield ""
    yield from _what(found)
    yield ""
    for sentence, command in next_commands(found):
        yield Text(sentence, style="dim")
        yield Text(f"  {command}", no_wrap=True, overflow="ignore")


def about(found: Estimates) -> Pairs:
    """Where it is looked: the question or the run, how it is answered, what an answer earns, what is exact."""
    lines: Pairs = []
    if found.experiment is not None:
        lines.append((say("estimators.here"), _where(found)))
    lines.append((say("estimators.answer"), _answer(found)))
    truth = "" if found.experiment else f", t = {number_text(float(found.situation.values['t'][0]))}"
    lines.append((say("estimators.reward"), f"{found.reward}{truth}"))
    lines.append(("", say("estimators.mean_reward", value=four(found.situation.value))))
    lines += [(say("estimators.exact") if not i else "", line) for i, line in enumerate(_exact(found))]
    count = f"{found.estimates[0].samples:,}"
    key = "estimators.each" if found.experiment is None else "estimators.each_run"
    return [*lines, (say("estimators.samples"), say(key, samples=count, seed=found.seed))]


def _where(found: Estimates) -> str:
    assert found.experiment is not None
    asked, domain = found.situation.questions, len(method(found.experiment).task.domain())
    key = "estimators.run" if asked == domain else "estimators.run_some"
    return say(key, name=found.experiment.name, seed=found.seed, step=found.step, questions=asked, domain=domain)


def _answer(found: Estimates) -> str:
    here = found.situation
    if found.normal_question:
        mu, sigma = (number_text(float(here.variables[name][0])) for name in ("o", "sigma"))
        return f"a = mu + sigma*noise, mu = {mu}, sigma = {sigma}"
    if found.experiment is not None:
        return _answer_of_run(here, method(found.experiment))
    numbers = ", ".join(f"{name} = {number_text(float(value[0]))}" for name, value in here.variables.items())
    return say("estimators.choice_two" if len(here.variables) == 1 else "estimators.choice_many", numbers=numbers)


def _answer_of_run(here: Situation, of: Method) -> str:
    """How a network answers: with its output, or with some of several."""
    several, lines = of.network.outputs > 1, {line.name: line.tree for line in here.policy}
    if here.chance == "noise" and several:
        return say("estimators.outputs_run", mean=show(lines["o"]), sigma=show(lines["sigma"]))
    if here.chance == "noise":
        return say("estimators.normal_run", sigma=number_text(float(here.values["sigma"])))
    if several:
        return say("estimators.softmax_run", first=here.choices[0], last=here.choices[-1])
    return say("estimators.choice_run")


def _exact(found: Estimates) -> Iterator[str]:
    """The exact gradient: each of one question's parameters, with its formula; the length of a network's."""
    form = found.situation.exact.form
    if found.experiment is None:
        formulas = {} if form is None else {"mu": form.mu, "sigma": form.sigma}
        for name, value in zip(found.parameters, found.exact, strict=True):
            formula = f"{show(form.trees[1 + (name == 'sigma')])} = " if form and name in formulas else ""
            yield f"dJ/d{name} = {formula}{four(float(value))}"
    else:
        length = four(float(np.linalg.norm(found.exact)))
        yield say("estimators.length", count=f"{len(found.exact):,}", length=length)
    if found.situation.chance == "uniform":
        yield say("estimators.by_counting")
    elif form is None:
        yield say("estimators.by_quadrature", error=f"{max(found.situation.exact.error, 1e-14):.0e}")


Cells = tuple[list[str], list[list[str]]]
Colours = list[str]


def tables(found: Estimates) -> Iterator[tuple[str, Cells, Colours]]:
    """The tables: how far off and how noisy (for one question by parameter), cost, and each parameter's z."""
    if found.experiment is None:
        for i, name in enumerate(found.parameters):
            exact = four(float(found.exact[i]))
            columns = [one.columns[i] for one in found.estimates]
            yield f"d/d{name}: {exact}", _off(found, columns), _colours(found, columns)
    else:
        heading = say("estimators.along", length=four(float(np.linalg.norm(found.exact))))
        yield heading, _off_run(found), [one.verdict for one in found.estimates]
        yield from _by_parameter(found)
    yield say("estimators.cost"), _cost(found), []


def _colours(found: Estimates, columns: Sequence[Column]) -> Colours:
    return [judged([column], one.samples) for one, column in zip(found.estimates, columns, strict=True)]


def _off(found: Estimates, columns: Sequence[Column]) -> Cells:
    keys = ("mean", "bias", "variance", "scale", "verdict")
    heads = [say(f"estimators.column_{key}") for key in keys]
    lines = [
        [
            _name(found, one),
            f"{four(column.mean)} ± {four(column.standard_error)}",
            four(column.bias),
            _judged_z(column),
            three(column.variance),
            _two(column.scale),
            say(f"estimators.verdict_{judged([column], one.samples)}"),
        ]
        for one, column in zip(found.estimates, columns, strict=True)
    ]
    return ["", heads[0], heads[1], "z", *heads[2:]], lines


def _off_run(found: Estimates) -> Cells:
    keys = ("mean", "variance", "scale", "cosine", "largest", "verdict")
    lines = []
    for one in found.estimates:
        column = one.along
        lines.append(
            [
                _name(found, one),
                f"{four(column.mean)} ± {three(column.standard_error)}",
                three(column.variance),
                _two(column.scale),
                _cosine(one),
                _z(one.largest),
                say(f"estimators.verdict_{one.verdict}"),
            ]
        )
    return ["", *(say(f"estimators.column_{key}") for key in keys)], lines


def _cost(found: Estimates) -> Cells:
    keys = ("needed", "rewards", "derivatives", "seconds")
    lines = []
    for one in found.estimates:
        sound = one.needed is not None and one.verdict == "none"
        needed = f"{max(one.needed, 1):,.0f}" if sound and one.needed is not None else NONE
        lines.append([_name(found, one), needed, f"{one.rewards:,}", f"{one.derivatives:,}", f"{one.seconds:.3f}"])
    heads = ["", *(say(f"estimators.column_{key}") for key in keys)]
    if found.experiment is None and len(found.parameters) > 1:  # else it stands in the first table, or is 1 or -1
        heads.insert(1, say("estimators.column_cosine"))
        for line, one in zip(lines, found.estimates, strict=True):
            line.insert(1, _cosine(one))
    return heads, lines


def _name(found: Estimates, one: Estimate) -> str:
    """An estimator's name; with its number, where a table refers to it."""
    number = found.estimates.index(one) + 1
    return one.estimator.name if found.experiment is None else f"{number:2} {one.estimator.name}"


def _cosine(one: Estimate) -> str:
    return NONE if one.cosine is None or not math.isfinite(one.cosine) else f"{one.cosine + 0.0:.3f}"


def _by_parameter(found: Estimates) -> Iterator[tuple[str, Cells, Colours]]:
    """z of each parameter, of those estimators that are not wrong on purpose."""
    chosen = np.sort(np.argsort(-np.abs(found.exact), kind="stable")[:SHOWN])
    key = "estimators.parameters_z" if len(found.exact) <= SHOWN else "estimators.parameters_some"
    heading = say(key, shown=SHOWN, count=len(found.exact))
    numbered = [(i, one) for i, one in enumerate(found.estimates, 1) if one.estimator.kind != "wrong"][:ACROSS]
    heads = ["", say("estimators.exact"), *(str(i) for i, _ in numbered)]
    lines = [
        [
            found.parameters[i],
            three_signed(float(found.exact[i])),
            *(_judged_z(one.columns[i], 9.95) for _, one in numbered),
        ]
        for i in chosen
    ]
    yield heading, (heads, lines), []


def legend(found: Estimates) -> Pairs:
    """What the columns mean."""
    run = found.experiment is not None
    pairs = [
        ("z", say("estimators.means_z")),
        (say("estimators.column_variance"), say("estimators.means_variance")),
        (say("estimators.column_scale"), say("estimators.means_scale_run" if run else "estimators.means_scale")),
    ]
    if run or len(found.parameters) > 1:
        pairs.append((say("estimators.column_cosine"), say("estimators.means_cosine")))
    pairs.append((say("estimators.column_needed"), say("estimators.means_needed")))
    each = (judged([column], one.samples) for one in found.estimates for column in one.columns)
    if "few" in ([one.verdict for one in found.estimates] if run else each):
        pairs.append((say("estimators.verdict_few"), say("estimators.means_few")))
    return pairs


def notes(found: Estimates) -> Iterator[str]:
    """What a reader of the table should not miss."""
    verdict = _leading_verdict(found, found["pathwise"])
    if found.situation.chance == "noise" and verdict in ("all", "biased"):
        yield say("estimators.flat" if verdict == "all" else "estimators.steps")
    if found.situation.chance == "uniform":
        yield say("estimators.choice_cut")
    without, with_one = (leading(found, found[name]).variance for name in ("reinforce", "baseline"))
    if with_one > HURTS * without:
        yield say("estimators.baseline_hurts", times=three(with_one / without))
    near = [
        one.estimator.name
        for one in found.estimates
        if one.verdict == "biased" and one.cosine is not None and one.cosine > NEAR
    ]
    if found.experiment is not None and near:
        yield say("estimators.wrong_but_right", names=", ".join(near))
    if found.taken is not None:
        scale, cosine = f"{found.taken.scale:.2f}", f"{found.taken.cosine:.3f}"
        yield say("estimators.taken", answers=found.taken.answers, scale=scale, cosine=cosine)
        if found.taken.shared:
            yield say("estimators.taken_shared", outputs=", ".join(found.taken.shared))
    if found.situation.exact.error > 1e-10:
        yield say("estimators.uncertain", error=f"{found.situation.exact.error:.0e}")


def _leading_verdict(found: Estimates, one: Estimate) -> str:
    return judged([leading(found, one)], one.samples)


def symbols_legend(found: Estimates) -> Pairs:
    """What the symbols in the formulas mean."""
    pairs: Pairs = []
    if any("score" in one.formula for one in found.estimates):
        pairs.append(
            ("score", say("estimators.means_score" if found.experiment is None else "estimators.means_score_output"))
        )
    pairs.append(("expected", say("estimators.means_expected")))
    pairs.append(("others(…)", say("estimators.means_others", group=GROUP)))
    pairs.append(("e, s, mirror", say("estimators.means_moves", s=short(found.situation.step_size))))
    return pairs


class What(NamedTuple):
    """An estimator in words: what it claims to be, its formulas, and a sentence with its source."""

    name: str
    claim: str
    formulas: tuple[str, ...]
    sentence: str


def what(found: Estimates) -> Iterator[What]:
    """Each estimator: the objective, what arrives at the output, what it is an estimator of, where it is from."""
    for one in found.estimates:
        row = one.estimator
        claim, reading = (str(getattr(text, language())) for text in (row.claim, row.reading))
        source = f" [{row.source}]" if row.source and row.kind != "wrong" else ""
        arrives = one.written or (f"→ {one.formula}",)
        formulas = (row.objective,) if row.moves else (row.objective, *arrives)
        yield What(row.name, claim, formulas, f"{reading}{source}")


def _what(found: Estimates) -> "Iterator[RenderableType]":
    from rich.padding import Padding
    from rich.text import Text

    yield Text(say("estimators.what"), style="bold cyan")
    yield _listed(symbols_legend(found), style="dim")
    for each in what(found):
        yield Text.assemble((each.name, "bold"), f": {each.claim}")
        for line in (*(Text(formula, style="cyan") for formula in each.formulas), Text(each.sentence)):
            yield Padding(line, (0, 0, 0, 2))


def next_commands(found: Estimates) -> Pairs:
    """What to look at next: a sentence and its command."""
    pairs: Pairs = []
    name = "" if found.experiment is None else f" {found.experiment.name} --step {found.step}"
    if found.situation.chance == "noise" and not functions_of(found.situation.reward) & STEPPED:
        pairs.append((say("estimators.next_rounded"), f"glassgrad estimators{name} --reward '-abs(round(a) - t)'"))
    if found.experiment is None:
        pairs.append((say("estimators.next_run"), "glassgrad estimators add-reinforce --step 300"))
    elif found.situation.chance == "noise":
        pairs.append((say("estimators.next_choice"), "glassgrad estimators choose --step 20"))
    return pairs or [(say("estimators.next_run"), "glassgrad estimators add-reinforce --step 300")]


def _table(heading: str, cells: Cells, verdicts: Colours, sections: dict[int, str]) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold cyan")
    table.add_column(heading, overflow="fold", ratio=1, min_width=12)
    for name in cells[0][1:]:
        table.add_column(name, justify="right", no_wrap=True)
    for i, line in enumerate(cells[1]):
        if i in sections:
            table.add_row(Text(sections[i], style="dim italic"))
        style = COLOURS[verdicts[i]] if verdicts else ""
        table.add_row(*map(Text, line[:-1]), Text(line[-1], style=style))
    return table


def _sections(found: Estimates) -> dict[int, str]:
    """Where in the table another kind of estimator begins, and what the kind is called."""
    kinds = [one.estimator.kind if one.estimator.source else "own" for one in found.estimates]
    return {i: say(f"estimators.kind_{kind}") for i, kind in enumerate(kinds) if i == 0 or kinds[i - 1] != kind}


def _listed(pairs: Sequence[tuple[str, str]], style: str = "") -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False, style=style)
    table.add_column("", no_wrap=True)
    table.add_column("", overflow="fold", ratio=1)
    for pair in pairs:
        table.add_row(*map(Text, pair))  # as it stands: [a == 1] is a formula here, no style
    return table


def four(value: float) -> str:
    """A number with four decimals, or in two digits where that says nothing.

    Example:
        >>> four(0.35926), four(-1604.4), four(2e-7), four(-0.0)
        ('0.3593', '-1604.4000', '2.0e-7', '0.0000')
    """
    if not math.isfinite(value):
        return NONE
    if value and (abs(value) < 5e-5 or abs(value) >= 1e5):
        return ("-" if value < 0 else "") + short(abs(value))
    return f"{value + 0.0:.4f}"


def three(value: float) -> str:
    """A positive number in three digits.

    Example:
        >>> three(3.1107), three(0.0), three(0.0251), three(12119.6), three(6.75e7)
        ('3.11', '0', '0.0251', '12,120', '6.8e7')
    """
    if not value or not math.isfinite(value) or not 1e-4 <= value < 1e6:
        return "0" if value == 0 else short(value)
    return f"{value:#.3g}" if value < 100 else f"{value:,.0f}"


def three_signed(value: float) -> str:
    """A number in three digits, with its sign."""
    return ("-" if value < 0 else "") + three(abs(value))


def _judged_z(column: Column, few: float = 99.95) -> str:
    return _z(column.z if column.enough else None, few)


def _z(z: float | None, few: float = 99.95) -> str:
    if z is None:
        return NONE
    return f"{round(z, 1) + 0.0:.1f}" if abs(z) < few else f"{z:,.0f}"


def _two(scale: float | None) -> str:
    return NONE if scale is None or not math.isfinite(scale) else f"{scale + 0.0:.2f}"


__all__ = ["about", "estimators_parts", "estimators_text", "legend", "notes", "symbols_legend", "tables", "what"]
