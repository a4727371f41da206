"""The demo as lines of text: add by labels, subtract, kinds of feedback, labels against reward, the knob, the check."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import numpy as np

from glassgrad.equations import chain_of, plain_number
from glassgrad.insight import answers
from glassgrad.locale import Text, language, say
from glassgrad.network import gradient_name
from glassgrad.report.by_reward import ByReward, by_reward
from glassgrad.report.by_reward_text import by_reward_lines
from glassgrad.report.claims import Claim, claims
from glassgrad.report.feedback import Feedback, feedback
from glassgrad.report.labels_and_reward import LabelsAndReward, experiments, labels_and_reward, reading
from glassgrad.report.labels_text import picture, picture_legend, table_legend, table_lines
from glassgrad.report.page import page
from glassgrad.report.watch_text import Line, equation_lines, formulas, gradient_lines, is_of, place, worked_out
from glassgrad.watched import Progress, Watch, watch

SHOWN: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("add", "add", {"every": 100}),
    ("add-linear", "add-linear", {"every": 250}),
    ("sub", "sub", {"every": 100}),
    ("add-through-reward", "add-through-reward", {"every": 250}),
    ("add-reinforce", "add-reinforce", {"every": 500}),
    ("knob", "knob", {"seed": 1, "every": 5}),
    ("knob-up", "knob", {"seed": 0, "every": 5}),
    ("knob-fixed", "knob-fixed", {"seed": 1, "every": 5}),
)
"""What the demo trains: a label, an experiment, its settings."""
RUNS = 1000  # of each experiment, where the demo counts


@dataclass(frozen=True)
class Demo:
    """The runs by label, the feedbacks, labels against reward, the claims and their verdicts, learning by reward."""

    watches: Mapping[str, Watch]
    table: Sequence[Feedback]
    labels: LabelsAndReward
    claims: Sequence[Claim]
    reward: ByReward

    @property
    def checked(self) -> tuple[Watch, ...]:
        """Every run whose numbers are shown."""
        return (*self.watches.values(), self.reward.run)

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(run.check.passed for run in self.checked)

    def to_text(self) -> str:
        """The lesson as plain text."""
        return "\n".join(text for _, text in demo_lines(self))

    def to_html(self) -> str:
        """The lesson as one offline page."""
        return page(list(self.watches.values()), self.table, self.claims, self.labels, self.reward)


def demo(*, runs: int = RUNS, progress: Progress | None = None, tell: Callable[[str], None] | None = None) -> Demo:
    """Train what ships, hold labels against reward, try four sentences on many runs, judge, and give the lesson.

    About a minute. runs: how many of each experiment where the demo counts. progress: called now and then with
    (done, all). tell: called with a line of text before each part.

    Example:
        import glassgrad as gg
        print(gg.demo().to_text())
    """
    say_so = tell or (lambda line: None)
    watches = {}
    for i, (label, name, settings) in enumerate(SHOWN):
        say_so(say("demo.training", name=name, number=i + 1, count=len(SHOWN)))
        watches[label] = watch(name, progress=progress, **settings)
    say_so(say("demo.comparing", count=f"{runs * len(experiments()):,}"))
    compared = labels_and_reward(runs, progress=progress)
    say_so(say("demo.claims"))
    measured = claims(compared, runs, progress)
    say_so(say("demo.estimating"))
    return Demo(watches, feedback(), compared, measured, by_reward())


def demo_lines(demo: Demo) -> Iterator[Line]:
    """The whole lesson."""
    yield from _add(demo)
    yield from _subtract(demo)
    yield from _kinds(demo)
    yield from _labels(demo)
    yield from _knob(demo)
    yield from _claims(demo)
    yield from _heading(6, "demo.by_reward")
    yield from by_reward_lines(demo.reward, demo.labels)
    yield from _checked(demo)


def _said(pair: Text) -> str:
    return str(getattr(pair, language()))


def _heading(number: int, key: str) -> Iterator[Line]:
    yield "", ""
    yield "heading", f"{number}. {say(key)}"


def _add(demo: Demo) -> Iterator[Line]:
    run = demo.watches["add"]
    step = run.step(1)
    yield from _heading(1, "demo.add")
    yield "", say("demo.add_what", truth="x1 + x2", samples=run.experiment.samples, steps=run.record.steps)
    yield "", ""
    yield "step", f"Epoch 1: Loss = {run.record.loss[0]:.4f}"
    yield from formulas(run.of, step.moment.parameters)
    yield from gradient_lines(run.of, step.moment.gradients)
    yield "", ""
    yield "dim", say("demo.one_weight")
    parameter = _largest(run)
    found = chain_of(step, parameter)
    yield (
        "answer",
        f"{found.name} = {found.symbolic.replace('mean(', say('demo.mean_of') + ' (')} = {found.value:.4f}",
    )
    yield from (
        line
        for equation in step.equations
        if equation.section == "update" and is_of(equation, parameter)
        for line in equation_lines(equation)
    )
    yield "", ""
    yield "dim", say("demo.worked_out", steps=run.record.steps)
    yield from worked_out(run, np.array([5.0, 3.0]))
    if run.units.dead:
        yield "", say("report.dead", names=", ".join(run.units.dead))
    yield "answer", _answers(run, ((5, 3), (12, 30), (0, 0)))
    yield "", ""
    yield from _claim(demo.claims[0])
    yield "dim", "  " + say("claims.brackets")
    linear = demo.watches["add-linear"].record.final
    weights = ", ".join(f"{value:.4f}" for value in np.ravel(linear["W1"]))
    yield "", say("demo.linear", weights=weights, bias=f"{linear['b1'][0]:.4f}")


def _largest(run: Watch) -> str:
    """The first-layer weight with the largest gradient at step 1."""
    step = run.step(1)
    names = [name for name, array, _ in run.of.network.parameters() if array == "W1" and name.endswith("x1")]
    return max(names, key=lambda name: abs(step.at(step.evaluated.values[gradient_name(name)])))


def _answers(run: Watch, questions: Sequence[tuple[float, ...]]) -> str:
    given = answers(run.experiment, run.record.final, np.array(questions, dtype=np.float64))
    return "   ".join(f"{run.of.task.question(q)} = {a:.2f}" for q, a in zip(questions, given, strict=True))


def _subtract(demo: Demo) -> Iterator[Line]:
    run = demo.watches["sub"]
    yield from _heading(2, "demo.sub")
    yield (
        "",
        say(
            "demo.sub_what",
            loss=f"{run.record.loss[0]:.4f}",
            last=f"{run.record.loss[-1]:.4f}",
            steps=run.record.steps,
        ),
    )
    yield "answer", _answers(run, ((5, 3), (3, 5), (0, 0), (30, 12)))
    yield "", say("demo.sub_outside")


def _kinds(demo: Demo) -> Iterator[Line]:
    yield from _heading(3, "demo.kinds")
    yield "", say("demo.kinds_what")
    for row in demo.table:
        yield "", ""
        yield "answer", f"  {_said(row.name)}  ({row.experiment})"
        yield "", f"    dL/do = {row.arrives}"
        at = f"({row.question}, o = {row.output:.4f}, t = {row.truth:g})"
        yield "", f"          = {row.substituted} = {plain_number(row.value)}    {at}"
        yield "dim", f"    {_said(row.reading)}"
        yield "dim", f"    {say('demo.must_know', what=_said(row.knows))}"
    yield "", ""
    yield from _claim(demo.claims[1])


def _labels(demo: Demo) -> Iterator[Line]:
    found = demo.labels
    yield from _heading(4, "demo.labels")
    count, runs = len(found.entries), found.comparison.asked
    yield "", say("demo.labels_what", runs=f"{runs:,}", count=f"{count * runs:,}", seconds=f"{found.seconds:.2g}")
    yield "", ""
    for style, line in zip(_styles("step"), table_lines(found), strict=False):
        yield style, line
    yield "", ""
    yield "dim", table_legend(found)
    yield "", ""
    for style, line in zip(_styles("dim"), picture(found), strict=False):
        yield style, line
    yield "dim", picture_legend(found)
    yield "", ""
    yield "", _said(reading(found))
    yield "dim", say("demo.labels_more")


def _styles(first: str) -> Iterator[str]:
    """The style of a heading, and of what stands below it."""
    yield first
    yield from repeat("")


def _knob(demo: Demo) -> Iterator[Line]:
    yield from _heading(5, "demo.knob")
    yield "", say("demo.knob_what")
    for label in ("knob", "knob-up", "knob-fixed"):
        run = demo.watches[label]
        shown = "  ".join(f"{run.output[step - 1]:.2f}" for step in run.shown)
        end = answers(run.experiment, run.record.final, run.of.task.domain())[0]
        yield (
            "",
            f"  {run.experiment.name:<10} {say('demo.seed')} {run.experiment.seed}:  {shown}  →  {end:.2f}",
        )
    yield "", say("demo.knob_why")
    yield from _claim(demo.claims[2])


def _claims(demo: Demo) -> Iterator[Line]:
    yield "", ""
    yield from _claim(demo.claims[3])


def _claim(claim: Claim) -> Iterator[Line]:
    style = {"true": "good", "false": "bad", "partly": "warning"}[claim.verdict]
    yield (
        style,
        f"“{_said(claim.claim)}”  {say('demo.verdict', verdict=say('claims.verdict_' + claim.verdict))}",
    )
    yield "", f"  {_said(claim.measured)}"


def _checked(demo: Demo) -> Iterator[Line]:
    yield from _heading(7, "demo.checked")
    numbers = sum(run.check.numbers for run in demo.checked)
    worst = max(demo.checked, key=lambda run: run.check.largest_difference)
    yield (
        ("good" if demo.passed else "bad"),
        say(
            "demo.checked_what",
            numbers=f"{numbers:,}",
            difference=f"{worst.check.largest_difference:.1e}",
            where=place(worst.check.worst),
            name=worst.experiment.name,
            allowed=f"{worst.check.tolerance:g}",
        ),
    )
    for run in demo.checked:
        if run.check.unchecked:
            yield (
                "warning",
                f"  {run.experiment.name}: " + say("report.unchecked", names=", ".join(run.check.unchecked)),
            )
    yield "dim", say("demo.planted")
