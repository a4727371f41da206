"""The optimizer of a script: PyTorch's own, or the user's lines as a function."""

from glassgrad.exports.script.expression import Printer, Source
from glassgrad.exports.script.page import Page
from glassgrad.exports.script.words import RESERVED
from glassgrad.formula.evaluate import evaluate
from glassgrad.formula.lines import split_lines
from glassgrad.formula.text import show
from glassgrad.locale import say
from glassgrad.method import Method
from glassgrad.tables.optimizers import OPTIMIZERS

_SHOWN = (
    "lr",
    "momentum",
    "nesterov",
    "weight_decay",
)  # what is always written, even where it is the usual value


def write_optimizer(page: Page, of: Method) -> None:
    """`optimizer = optim.Adam(…)`, with the rule as a comment; or the first states of the user's own."""
    row = of.optimizer
    if row.torch is None:
        states = ", ".join(_first(of, name) for name in of.optimizer_program.states)
        page.add(f"state = [{states}]", ", ".join(of.optimizer_program.states) or say("script.no_state"))
        return
    usual = OPTIMIZERS[row.name].numbers
    keywords = []
    for key, value in row.torch.arguments(row.numbers).items():
        names = row.torch.keywords[key]
        own = [names] if isinstance(names, str) else list(names) if isinstance(names, tuple) else []
        if key in _SHOWN or any(row.numbers[name] != usual.get(name) for name in own):
            keywords.append(f"{key}={value!r}")
    page.add("", say("script.rule"))
    page.add("", "  " + ", ".join(f"{key} = {value:g}" for key, value in row.numbers.items()))
    for line in split_lines(row.formula):
        page.add("", f"  {line}")
    page.add(f"optimizer = {row.torch.path}(net.parameters(), {', '.join(keywords)})")


def write_own_optimizer(page: Page, of: Method, precision: str) -> None:
    """The user's lines as `update(step, w, g, …)`."""
    program = of.optimizer_program
    if of.optimizer.torch is not None:
        return
    names = _names(of)
    printer = Printer(names, precision)
    states = [names[state].text for state in program.states]
    page.gap(2)
    page.add(f"def update({', '.join(('step', 'w', 'g', *states))}):")
    page.add(f'"""{say("script.own_optimizer")}"""', indent=1)
    for name, value in of.optimizer.numbers.items():
        page.add(f"{names[name].text} = {value!r}", indent=1)
    for line in program.lines:
        page.add(
            f"{names[line.name].text} = {printer.write(line.tree).text}",
            f"{line.name} = {show(line.tree)}",
            indent=1,
        )
    after = [program.latest[name] for name in ("w", *program.states)]
    w = names[after[0]]
    results = [
        w.text if w.kind == "tensor" else f"{w.text} + torch.zeros_like(g)",
        *(names[name].text for name in after[1:]),
    ]
    page.add(f"return {', '.join(results)}" if len(results) > 1 else f"return ({results[0]},)", indent=1)


def _names(of: Method) -> dict[str, Source]:
    """What each symbol is: a number, or a tensor as soon as a tensor enters it."""
    program = of.optimizer_program
    found = {name: Source(_safe(name)) for name in (*of.optimizer.numbers, *program.states)}
    found |= {"step": Source("step"), "w": Source("w", "tensor"), "g": Source("g", "tensor")}
    for _ in range(len(program.states) + 1):  # a state is what its last line makes of it
        for line in program.lines:
            found[line.name] = Source(_safe(line.name), Printer(found).write(line.tree).kind)
        for name in program.states:
            found[name] = Source(_safe(name), found[program.latest[name]].kind)
    return found


def _safe(name: str) -> str:
    return name + "_" if name in RESERVED - {"w"} else name


def _first(of: Method, name: str) -> str:
    """A state before the first step: one number for each weight and bias, or a single one."""
    value = repr(float(evaluate(of.optimizer_program.states[name], {})))
    if of.optimizer_program.level(name) == "parameter":
        return f"torch.full(({of.network.count},), {value})"
    return f"torch.tensor({value})" if _names(of)[name].kind == "tensor" else value
