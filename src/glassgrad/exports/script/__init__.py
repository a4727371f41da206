"""The plain PyTorch script of an experiment, as a good teacher would write it."""

from contextvars import copy_context
from dataclasses import replace

from glassgrad.experiment import Experiment
from glassgrad.exports.outputs import collected, for_all_outputs
from glassgrad.exports.script.chance import chance_source
from glassgrad.exports.script.data import constant, write_constant, write_questions
from glassgrad.exports.script.expression import Source
from glassgrad.exports.script.loop import Loop, asked_at_once, first_states
from glassgrad.exports.script.net import write_first_weights, write_net
from glassgrad.exports.script.optimizer import write_optimizer, write_own_optimizer
from glassgrad.exports.script.page import Page
from glassgrad.exports.script.steps import Step, Steps
from glassgrad.formula.lines import Line, reads
from glassgrad.formula.outputs import INDEX
from glassgrad.formula.simplify import add, multiply
from glassgrad.formula.tree import Apply, Number, Symbol, Tree, substitute, symbols
from glassgrad.locale import Language, language, say, set_language
from glassgrad.method import Method, method
from glassgrad.tables.experiments import BY_NAME

__all__ = ["torch_script"]


def torch_script(experiment: Experiment, *, every: int = 100, lang: Language | None = None) -> str:
    """The PyTorch script that prints an experiment's very losses.

    every: it prints steps 1, 1 + every, …; called with `--losses`, all of them, in full.
    lang: the language of its comments; the one in force, if not given.

    Raises:
        FormulaError, ExperimentError, DataError: the experiment cannot be run.

    Example:
        >>> from glassgrad.tables.experiments import shipped
        >>> "self.hidden = nn.Linear(2, 5)" in torch_script(shipped("add"))
        True
    """

    def written() -> str:
        set_language(lang or language())
        return _script(experiment, method(experiment), every)

    return copy_context().run(written)  # the language in force stays as it is


def _script(experiment: Experiment, of: Method, every: int) -> str:
    of = for_all_outputs(of)
    later = replace(of, program=replace(of.program, lines=of.later(of.program.lines)))
    steps = Steps(later, experiment, collected(of))
    data = of.task.data
    loop = Loop(later, experiment, steps, experiment.samples if data is None else len(data.inputs) - data.held_out)
    training = loop.write(every)
    middle = Page()
    read = steps.given.tensor | steps.given.exact
    for source in chance_source(
        experiment.seed, noise="noise" in read, uniform="uniform" in read, dropout=experiment.dropout,
        batch=experiment.batch if loop.fresh_batch else None, samples=loop.rows, dtype=loop.dtype,
    ):  # fmt: skip
        middle.gap(2)
        middle.block(source)
    end = _end(of, steps, loop)
    needs_math = loop.helpers(middle)
    write_net(middle, of, experiment)
    if not constant(of.task):
        needs_math |= write_questions(middle, of.task, steps.given, experiment)
    write_own_optimizer(middle, of, experiment.precision)
    page = Page()
    modules = [*(["math"] if needs_math else []), "sys"]
    _head(page, experiment, every, modules, of.optimizer.torch is not None, loop.calls("accumulate"))
    return page.text + middle.text + _start(of, experiment, steps, loop).text + training.text + end.text


def _head(page: Page, experiment: Experiment, every: int, modules: list[str], optim: bool, accumulate: bool) -> None:
    shipped = BY_NAME.get(experiment.name)
    title = f"{experiment.name}: {getattr(shipped.title, language())}" if shipped else experiment.name
    page.add(f'"""{_flat(title)}')
    page.gap()
    page.block(say("script.head", every=every))
    page.add('"""')
    page.gap()
    for module in modules:
        page.add(f"import {module}")
    if accumulate:
        page.add("from itertools import accumulate")
    page.gap()
    for line in ("import numpy as np", "import torch", f"from torch import nn{', optim' if optim else ''}"):
        page.add(line)
    page.gap()
    page.add("torch.set_num_threads(1)", say("script.threads"))
    page.add(f"torch.manual_seed({experiment.seed})", say("script.seed_torch"))
    page.add(f"np.random.seed({experiment.seed})", say("script.seed_numpy"))


def _start(of: Method, experiment: Experiment, steps: Steps, loop: Loop) -> Page:
    """From the first weights to the loop."""
    page = Page()
    page.gap(2)
    write_first_weights(page, of, experiment)
    if constant(of.task):
        write_constant(page, of.task, steps.given, experiment)
    elif not experiment.fresh:
        names = [f"{name}_all" if loop.fresh_batch else name for name in steps.given.returned]
        page.add(f"{', '.join(names)} = questions({asked_at_once(of, experiment)})", say("script.once"))
    row = of.pieces["objective"]
    if steps.criterion and row.torch is not None:
        keywords = ", ".join(f"{key}={value!r}" for key, value in row.torch.arguments(row.numbers).items())
        page.add(f"criterion = {row.torch.path}({keywords})", getattr(row.reading, language()))
    write_optimizer(page, of)
    lines = (*(step.line for step in (*steps.steps, *steps.collecting)), *_to_the_answer(of))
    wanted = {name for line in lines for name in symbols(line.tree)}
    for name, value in of.numbers.items():
        if name in wanted:
            page.add(f"{steps.called(name)} = {value!r}")
    for name, value in first_states(of, steps):
        page.add(f"{name} = {value!r}", say("script.state"))
    page.gap()
    return page


def _end(of: Method, steps: Steps, loop: Loop) -> Page:
    """The questions that a report works out, with the final weights."""
    page = Page()
    page.gap()
    page.add('if "--losses" not in sys.argv:')
    page.add(f'print("After {loop.experiment.steps} steps:")', indent=1)
    page.add("asked = {", indent=1)
    for question in (of.task.asked or tuple(tuple(row) for row in of.task.domain().tolist()))[:4]:
        page.add(f'"{_flat(of.task.question(question))}": {[float(value) for value in question]},', indent=2)
    page.add("}", indent=1)
    page.add("for question, numbers in asked.items():", indent=1)
    loop.page = page
    source = _answer(of, steps, loop)
    page.add(f'print(f"{{question}} = {{{source.atom}.item():.2f}}")', indent=2)
    return page


def _answer(of: Method, steps: Steps, loop: Loop) -> Source:
    """The answer to a question, after the lines that it takes."""
    *before, last = asked = [Step(line, steps.called(line.name), exact=False) for line in _to_the_answer(of)]
    loop.outputs(asked, "net(torch.tensor([numbers]))", indent=2)
    printer = loop.printer(steps.named(asked, live=True), asked)
    for step in before:
        loop.add(f"{step.target} = {printer.line(step.line.tree).text}", indent=2)
    return printer.write(last.line.tree)


def _to_the_answer(of: Method) -> list[Line]:
    """The lines from the outputs to the answer, without chance; one, if that will do."""
    answer, lines = without_chance(of), of.program.lines
    if set(symbols(answer)) <= {*of.outputs, *of.numbers}:
        return [Line("a", answer, "sample")]
    fixed: dict[str, Tree] = {"noise": Number(0.0), "uniform": Number(0.5)}
    wanted = reads(lines, of.program.latest["a"])
    if not wanted <= {"o", INDEX, "pi", *of.outputs, *of.numbers, *fixed, *(line.name for line in lines)}:
        return [Line("a", Symbol(of.outputs[0]), "sample")]
    short = (Line(line.name, _simple(substitute(line.tree, fixed)), line.level) for line in lines)
    return [line for line in short if line.name in wanted]


def without_chance(of: Method) -> Tree:
    """The answer as it is judged, noise at 0 and uniform at 0.5, as a formula in o."""
    known: dict[str, Tree] = {"noise": Number(0.0), "uniform": Number(0.5)}
    for line in of.program.lines:
        known[line.name] = _simple(substitute(line.tree, known))
    return known[of.program.latest["a"]]


def _simple(tree: Tree) -> Tree:
    """A formula without its zeros and stops."""
    if not isinstance(tree, Apply):
        return tree
    parts = tuple(_simple(part) for part in tree.arguments)
    if tree.function in ("stop", "old"):
        return parts[0]
    return (
        add(parts) if tree.function == "+" else multiply(parts) if tree.function == "*" else Apply(tree.function, parts)
    )


def _flat(text: str) -> str:
    """A text that may stand between double quotes."""
    return " ".join(text.replace("\\", "/").replace('"', "'").split())
