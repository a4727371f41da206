"""The training loop of a script."""

from collections.abc import Iterable

from glassgrad.experiment import Experiment
from glassgrad.exports.script.calls import ATOM, GROUP_HELPERS
from glassgrad.exports.script.expression import Printer, Source
from glassgrad.exports.script.net import hidden_layers, layer_paths, write_helpers
from glassgrad.exports.script.page import Page
from glassgrad.exports.script.steps import Step, Steps
from glassgrad.formula.evaluate import evaluate
from glassgrad.formula.lines import reads
from glassgrad.formula.text import show
from glassgrad.formula.tree import Number, Symbol, substitute, symbols
from glassgrad.locale import language, say
from glassgrad.method import TRIED, Method

_FEW = 6
"""So many outputs are called by their own names."""


class Loop:
    """Writes what happens at each step; what it calls stands before it on another page.

    rows: how many questions there are to choose a minibatch from.
    """

    def __init__(self, of: Method, experiment: Experiment, steps: Steps, rows: int) -> None:
        self.of, self.experiment, self.steps, self.rows = of, experiment, steps, rows
        self.dtype = f"torch.float{32 if experiment.precision == 'single' else 64}"
        self.printers: list[Printer] = []
        self.page = Page()

    @property
    def fresh_batch(self) -> bool:
        """Whether each step chooses some of the questions."""
        return self.experiment.minibatch(self.rows) is not None

    def write(self, every: int) -> Page:
        """The whole loop."""
        self.add(f"for step in range(1, {self.experiment.steps} + 1):", indent=0)
        self.questions()
        self.forward()
        self.loss()
        self.backward()
        self.update()
        self.report(every)
        return self.page

    def add(self, code: str, comment: str = "", indent: int = 1) -> None:
        self.page.add(code, comment, indent)

    def questions(self) -> None:
        """What this step sees; with several passes over the same data, only the first of them collects it."""
        given, passes = self.steps.given, self.experiment.passes
        if passes == 1:
            self.data(1)
        elif self.experiment.fresh or {"noise", "uniform"} & (given.tensor | given.exact) or self.steps.collecting:
            self.add(f"if step % {passes} == 1:", say("script.collect", passes=passes))
            self.data(2)
            self.collect()

    def collect(self) -> None:
        """The values of old(…), with the weights of now."""
        if not self.steps.collecting:
            return
        self.inputs(2)
        self.add("with torch.no_grad():", say("script.old"), indent=2)
        self.outputs(self.steps.collecting, "net(x)", indent=3)
        for step in self.steps.collecting:
            self.line(step, collecting=True)

    def data(self, indent: int) -> None:
        """The questions and the chance of a step."""
        given, count = self.steps.given, asked_at_once(self.of, self.experiment)
        if self.experiment.fresh:
            comment = say("script.fresh") if self.experiment.passes == 1 else ""
            self.add(f"{', '.join(given.returned)} = questions({count})", comment, indent)
        elif self.fresh_batch:
            self.add("rows = minibatch(step)", say("script.chosen"))
            everything = ", ".join(f"{name}_all[rows]" for name in given.returned)
            self.add(f"{', '.join(given.returned)} = {everything}")
        for name, of in (("noise", "normals"), ("uniform", "uniforms")):
            if name in given.exact:
                self.add(f"{self.steps.exact_name(name)} = {of}(step, len(x))", say(f"script.{name}"), indent)
            if name in given.tensor:
                drawn = self.steps.exact_name(name) if name in given.exact else f"{of}(step, len(x))"
                self.add(f"{name} = torch.tensor({drawn}, dtype={self.dtype})", say(f"script.{name}"), indent)

    def forward(self) -> None:
        """The output for every question; with perturbed weights, for each by those that are tried there."""
        arguments = ["x"]
        if self.of.tried:
            self.add("w = all_weights(net)")
            self.add(f"noise_w = torch.tensor(weight_noise(step, len(x)), dtype={self.dtype})", say("script.noise_w"))
            for step in self.steps.before:
                self.line(step)
            arguments.append(self.steps.called(self.of.program.latest[TRIED]))
        if self.experiment.dropout:
            arguments += [f"dropout(step, len(x), {layer}, {self.of.network.sizes[layer]})"
                          for layer in hidden_layers(self.of.network)]  # fmt: skip
        network = "perturbed" if self.of.tried else "net"
        self.outputs(self.steps.steps, f"{network}({', '.join(arguments)})", say("script.forward"))

    def outputs(self, steps: Iterable[Step], call: str, comment: str = "", indent: int = 1) -> None:
        """The outputs as some lines read them: o, a column each, or each by its own name."""
        network, (every, named) = self.of.network, self.steps.outputs(steps)
        if network.outputs > 1 and not every and named and network.outputs <= _FEW:
            names = ", ".join(name if name in named else "_" for name in self.of.outputs)
            self.add(f"{names} = {call}.split(1, dim=1)", comment, indent)
            return
        self.add(f"o = {call}", comment, indent)
        for name in named if network.outputs > 1 else ():
            k = self.of.outputs.index(name)
            self.add(f"{name} = o[:, {k}:{k + 1}]", indent=indent)

    def column(self, steps: Iterable[Step]) -> str:
        """The name of one output."""
        network, (every, named) = self.of.network, self.steps.outputs(steps)
        unpacked = not every and named and network.outputs <= _FEW
        return "o" if network.outputs == 1 else named[0] if unpacked else "o[:, :1]"

    def loss(self) -> None:
        """From the output to L, with the regulariser's share."""
        if self.steps.criterion:
            tree = next(line.tree for line in self.of.program.lines if line.name == "objective")
            self.add("loss = criterion(o, t)", f"L = mean({show(tree)})")
        else:
            self.inputs()
            for step in self.steps.steps:
                self.line(step)
            self.states()
        regulariser = self.of.regulariser
        if regulariser is not None:
            names = {"w": Source("w", "tensor", live=True)}
            names |= {key: Source(repr(value)) for key, value in regulariser.numbers.items()}
            source = self.printer(names).write(regulariser.tree)
            share = source.atom if "w" in symbols(regulariser.tree) else f"({source.text} + torch.zeros_like(w))"
            layers = [f"net.{name}.weight" for name in layer_paths(self.of)]
            self.page.several("for w in (", layers, "):", say("script.regulariser"), indent=1)
            self.add(f"loss = loss + {share}.sum()", f"L + sum({show(regulariser.tree)})", indent=2)

    def printer(self, names: dict[str, Source]) -> Printer:
        self.printers.append(Printer(names, self.experiment.precision, self.steps.several))
        return self.printers[-1]

    def inputs(self, indent: int = 1) -> None:
        """x1, x2, …, where a formula reads them by name."""
        given = self.steps.given
        for i, name in enumerate(self.of.task.names):
            if name in given.tensor:
                self.add(f"{name} = x[:, {i}:{i + 1}]", indent=indent)
            if name in given.exact:
                self.add(f"{self.steps.exact_name(name)} = inputs[:, {i}:{i + 1}]"
                         + (".item()" if self.steps.scalar else ""), indent=indent)  # fmt: skip

    def line(self, step: Step, collecting: bool = False) -> None:
        """One line of the method."""
        comment, indent = show(step.line.tree), 3 if collecting else 1
        if self.steps.item(step):
            self.add(f"{step.target} = o.item()", say("script.item", line=f"{step.target} = o"))
            return
        names = self.steps.exact(collecting) if step.exact else self.steps.tensors(collecting)
        source = self.printer(names).write(step.line.tree)
        if step.line.name == "objective":
            self.mean(step, source, comment)
        elif step.line.name == "reward" and step.exact:
            self.observed(source, comment, indent)
        elif step.line.tree == Symbol("o") and not self.of.pieces["policy"].own:
            self.add(f"{step.target} = o", getattr(self.of.pieces["policy"].reading, language()))
        else:
            same = collecting or source.text == comment
            self.add(f"{step.target} = {source.text}", "" if same else f"{step.target} = {comment}", indent)

    def mean(self, step: Step, source: Source, comment: str) -> None:
        """L, the mean of the objective; one question's objective is its own mean."""
        outputs = {"o", *self.of.outputs}
        if self.steps.single and outputs & reads(self.of.program.lines, "objective") and source.kind == "tensor":
            self.add(f"loss = {source.text}", f"L = {comment}")
            return
        each = source.text
        if step.line.level != "sample" or source.kind != "tensor":
            each += f" + torch.zeros_like({self.column(self.steps.steps)})"
        if source.strength == ATOM and each == source.text:
            self.add(f"loss = {each}.mean()", f"L = mean({comment})")
        else:
            self.page.bracketed("loss = ", each, ".mean()", f"L = mean({comment})", indent=1)

    def observed(self, source: Source, comment: str, indent: int) -> None:
        """A reward that is only seen: a number, with no formula behind it for the derivative to enter."""
        name = self.steps.exact_name("reward")
        self.add(f"{name} = {source.text}", say("script.observed", formula=f"reward = {comment}"), indent)
        steps = (*self.steps.collecting, *self.steps.steps)
        if name == "observed" and any("reward" in symbols(step.line.tree) for step in steps if not step.exact):
            self.add(f"reward = torch.tensor(observed, dtype={self.dtype})", indent=indent)

    def states(self) -> None:
        """What lasts to the next step is a plain number."""
        tensors = self.steps.tensors()
        for state in self.of.program.states:
            name = self.of.program.latest[state]
            after = tensors[name]
            item = ".item()" if after.kind == "tensor" else ""
            if item or after.text != self.steps.called(state):
                self.add(f"{self.steps.called(state)} = {after.text}{item}")

    def backward(self) -> None:
        """The gradient of L."""
        self.page.gap()
        own = self.of.optimizer.torch is None
        self.add("net.zero_grad()" if own else "optimizer.zero_grad()", say("script.zero_grad"))
        if any(self.arriving):
            self.add("loss.backward()", say("script.backward"))
        else:
            self.add("if loss.requires_grad:")
            self.add("loss.backward()", indent=2)
        if not all(self.arriving):
            self.add("for w in net.parameters():", say("script.no_path"))
            self.add("w.grad = torch.zeros_like(w) if w.grad is None else w.grad", indent=2)
        if self.experiment.clip is not None:
            self.add(f"nn.utils.clip_grad_norm_(net.parameters(), {self.experiment.clip!r})", say("script.clip"))

    @property
    def arriving(self) -> tuple[bool, ...]:
        """Whether some derivative arrives: at each weight that is perturbed, at each of several networks, or at all."""
        of, found = self.of, {line.name for line in self.of.backward}
        if of.tried:
            return tuple(f"d{name}" in found for name in of.tried)
        return tuple(f"d{name}" in found for name in of.outputs) if of.network.parts > 1 else (bool(found),)

    def update(self) -> None:
        """The weights move."""
        if self.of.optimizer.torch is not None:
            self.rate()
            self.add("optimizer.step()", say("script.update"))
            return
        self.add("w = nn.utils.parameters_to_vector(net.parameters()).detach()", say("script.vector"))
        self.add("g = nn.utils.parameters_to_vector([w.grad for w in net.parameters()])")
        self.add("w, *state = update(step, w, g, *state)", say("script.update"))
        self.add("nn.utils.vector_to_parameters(w, net.parameters())")

    def rate(self) -> None:
        """The learning rate of this step, where a schedule sets it."""
        rate, numbers = self.of.rate, self.of.optimizer.numbers
        if rate is not None:
            tree = substitute(rate.tree, {name: Number(value) for name, value in numbers.items()})
            source = self.printer({"step": Source("step")}).write(tree)
            comment = f"lr = {show(self.of.schedule.tree)}"
            self.page.choice('optimizer.param_groups[0]["lr"]', source.text, comment, indent=1)

    def report(self, every: int) -> None:
        """The loss, and the reward where there is one."""
        self.page.gap()
        reward = self.reward()
        self.add('if "--losses" in sys.argv:')
        self.add(f"print(loss.item(){f', {reward}' if reward else ''})", indent=2)
        self.add(f"elif step % {every} == 1:" if every > 1 else "else:")
        self.add('print(f"Epoch {step}: Loss = {loss.item():.4f}")', indent=2)
        if reward:
            self.add(f'print(f"Reward = {{{reward}:.4f}}")', indent=2)

    def reward(self) -> str:
        """The batch's mean reward, as the script has it."""
        if self.steps.criterion or "reward" not in self.of.pieces:
            return ""
        if self.of.observed:
            return "reward" if self.steps.scalar else "np.mean(observed)"
        return "reward.mean().item()"

    def helpers(self, page: Page) -> bool:
        """The functions that the formulas call, on the page before the loop; whether `math` is needed."""
        for printer in self.printers:
            write_helpers(page, printer)
        size = {"group": self.experiment.group, "less": self.experiment.group - 1}
        for name, helper in GROUP_HELPERS.items():
            if self.calls(name):
                page.gap(2)
                page.block(helper.format(reading=say(f"script.{name}"), **size).strip("\n"))
        return self.calls("math")

    def calls(self, name: str) -> bool:
        """Whether a formula calls a helper, or needs a module."""
        return any(name in printer.used for printer in self.printers)


def asked_at_once(of: Method, experiment: Experiment) -> str:
    """How many questions are drawn at once, as the argument of `questions`."""
    return "" if of.task.data else str(experiment.samples // experiment.group)


def first_states(of: Method, steps: Steps) -> list[tuple[str, float]]:
    """The objective's own states before the first step."""
    if steps.criterion:
        return []
    return [(steps.called(name), float(evaluate(tree, {}))) for name, tree in of.program.states.items()]
