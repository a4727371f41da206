"""The questions of a script: `questions(n)`, with the calls that draw the experiment's very numbers."""

from dataclasses import dataclass

from glassgrad.experiment import Experiment
from glassgrad.exports.script.expression import Printer, Source
from glassgrad.exports.script.page import Page
from glassgrad.formula.parser import parse
from glassgrad.formula.text import number_text, show
from glassgrad.formula.tree import Number, symbols
from glassgrad.locale import say
from glassgrad.task import Draw, Task


@dataclass(frozen=True, slots=True)
class Given:
    """What a script's loop reads of its questions.

    tensor: names that are read as tensors, of shape (n, 1). exact: names that are read as NumPy doubles.
    scalar: one question a step, whose exact numbers are plain ones.
    """

    tensor: frozenset[str]
    exact: frozenset[str]
    scalar: bool

    @property
    def truth_name(self) -> str:
        """What the exact truth is called: t, unless t is a tensor."""
        return "truth" if "t" in self.tensor else "t"

    @property
    def exact_inputs(self) -> bool:
        """Whether inputs are read as doubles."""
        return any(name.startswith("x") for name in self.exact)

    @property
    def returned(self) -> tuple[str, ...]:
        """What `questions` returns, in order."""
        found = ["x"]
        if "t" in self.tensor:
            found.append("t")
        if "t" in self.exact:
            found.append(self.truth_name)
        if self.exact_inputs:
            found.append("inputs")
        return tuple(found)


def write_questions(page: Page, task: Task, given: Given, experiment: Experiment) -> bool:
    """The function that draws questions; whether it needs `math`."""
    dtype = f"torch.float{32 if experiment.precision == 'single' else 64}"
    page.gap(2)
    argument = "n" if task.data is None else ""
    page.add(f"def questions({argument}):")
    what = say("script.questions") if "t" in given.returned or "truth" in given.returned else say("script.inputs_only")
    page.add(f'"""{what}"""', indent=1)
    _draw(page, task, experiment)
    if experiment.group > 1:
        page.add(f"x = np.repeat(x, {experiment.group}, axis=0)", say("script.group"), indent=1)
    printer = _truth(page, task, given, "n" if task.data is None and experiment.group == 1 else "len(x)")
    results = {
        "x": f"torch.tensor(x, dtype={dtype})",
        "t": f"torch.tensor(t, dtype={dtype}).unsqueeze(1)",
        "inputs": "x",
    }
    exact = "t[0]" if given.scalar else "t.reshape(-1, 1)"
    if "t" not in given.tensor:
        results["t"] = exact
    results["truth"] = exact
    page.results([results[name] for name in given.returned])
    return "math" in printer.used


def constant(task: Task) -> bool:
    """Whether there is but one question."""
    return task.data is None and all(isinstance(parse(text), Number) for text in (*task.inputs, task.truth))


def write_constant(page: Page, task: Task, given: Given, experiment: Experiment) -> None:
    """The one question there is, as often as it is asked."""
    n = experiment.samples
    times = f".repeat({n}, 1)" if n > 1 else ""
    row = [float(text) for text in task.inputs]
    page.add(f"x = torch.tensor([{row}]){times}", say("script.always"))
    truth, comment = float(task.truth), say("script.wanted")
    if "t" in given.tensor:
        page.add(f"t = torch.tensor([[{truth}]]){times}", comment)
    if "t" in given.exact:
        page.add(f"{given.truth_name} = {truth}", comment)
    if given.exact_inputs:
        page.add(f"inputs = np.array([{row}])")


def _draw(page: Page, task: Task, experiment: Experiment) -> None:
    """x: what the network reads, of shape (n, inputs)."""
    formulas = [parse(formula) for formula in task.inputs]
    names = [name for draw in task.draws for name in draw.names]
    if task.data is not None:
        from glassgrad.exports.script.table import write_table

        write_table(page, task.data, experiment)
    elif not task.draws:
        page.add(f"x = np.full((n, {len(formulas)}), {[float(text) for text in task.inputs]})", indent=1)
    elif len(task.draws) == 1 and list(task.inputs) == names:
        page.add(f"x = {_call(task.draws[0])}.astype(float)", _range(task.draws[0]), indent=1)
    else:
        for draw in task.draws:
            many = len(draw.names) > 1
            call = _call(draw) + (".T" if many else ".reshape(n)" if draw.kind != "choice" else "")
            page.add(f"{', '.join(draw.names)} = {call}.astype(float)", _range(draw), indent=1)
        printer = Printer({name: Source(name, "array") for name in names})
        columns = ", ".join(printer.write(formula).text for formula in formulas)
        read = "; ".join(f"{name} = {formula}" for name, formula in zip(task.names, task.inputs, strict=True))
        page.add(f"x = np.stack([{columns}], axis=1)", read, indent=1)


def _call(draw: Draw) -> str:
    shape = f"(n, {len(draw.names)})"
    if draw.kind == "choice":
        return f"np.random.choice({list(draw.values)}, {'n' if len(draw.names) == 1 else shape})"
    if draw.kind == "integers":
        return f"np.random.randint({int(draw.low)}, {int(draw.high) + 1}, {shape})"
    return f"np.random.uniform({number_text(float(draw.low))}, {number_text(float(draw.high))}, {shape})"


def _range(draw: Draw) -> str:
    names = ", ".join(draw.names)
    if draw.kind == "choice":
        return f"{names}: {' / '.join(map(str, draw.values))}"
    return f"{names}: {number_text(float(draw.low))} … {number_text(float(draw.high))}"


def _truth(page: Page, task: Task, given: Given, count: str) -> Printer:
    """t: the label of each question, of shape (n,). count: how many there are, as the script has it."""
    printer = Printer({name: Source(name, "array") for name in task.names})
    if "t" not in given.tensor | given.exact or not task.truth:
        return printer
    tree = parse(task.truth)
    source = printer.write(tree)
    read = symbols(tree)
    if source.kind == "number":
        page.add(f"t = np.full({count}, {source.text})", indent=1)
        return printer
    if len(task.names) == 1:
        page.add("x1 = x[:, 0]", indent=1)
    elif any(name in read for name in task.names):
        page.add(f"{', '.join(name if name in read else '_' for name in task.names)} = x.T", indent=1)
    page.add(f"t = {source.text}", say("script.truth", truth=show(tree)), indent=1)
    return printer
