"""The lines from output to loss, as a script runs them: as tensors, or as numbers that are only observed.

The observed reward, and what hangs on it for the whole step, is computed in doubles by Python or NumPy; all
else as tensors, through which a derivative may pass.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from glassgrad.experiment import Experiment
from glassgrad.exports.script.data import Given
from glassgrad.exports.script.expression import Kind, Printer, Source
from glassgrad.exports.script.words import RESERVED
from glassgrad.formula.lines import Line, reads
from glassgrad.formula.outputs import INDEX
from glassgrad.formula.tree import Apply, Symbol, Tree, symbols, walk
from glassgrad.method import Method

REWARD = Symbol("reward")


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the loop: the method's line, its name in the script, whether it is only observed."""

    line: Line
    target: str
    exact: bool


class Steps:
    """The lines of a method that a script has to run, and what each name is there.

    criterion: whether PyTorch's own criterion replaces all of them.
    scalar: whether the observed reward is one plain Python number, as in a script for one question a step.
    collecting: the lines that are run when data is collected, for the values of old(…) that later updates read.
    """

    def __init__(self, of: Method, experiment: Experiment, collected: tuple[Line, ...] = ()) -> None:
        self.of = of
        self.single = experiment.samples == 1 and experiment.data is None
        plain = of.network.outputs == 1 and "reward" not in of.pieces
        self.criterion = of.pieces["objective"].torch is not None and plain
        known = {*of.numbers, *of.program.states, *of.task.names, "t", "step", "noise", "uniform", "pi"}
        before = self._marked(collected, known)
        known |= {step.line.name for step in before if step.exact and step.line.name in of.olds.values()}
        self.steps = () if self.criterion else tuple(self._steps(known))
        self.collecting = tuple(self._collecting(before))
        self.scalar = self._scalar()
        self.given = self._given()

    def _steps(self, known: set[str]) -> Iterator[Step]:
        """What the loss, the reward and the states need, in order."""
        program = self.of.program
        results = {
            "objective",
            *(program.latest[state] for state in program.states),
            *({"reward"} & set(self.of.pieces)),
        }
        wanted = set().union(*(reads(program.lines, name) for name in results))
        yield from self._marked((line for line in program.lines if line.name in wanted), known)

    def _marked(self, lines: Iterable[Line], known: set[str]) -> list[Step]:
        """Lines as steps: exact are the observed reward, and what hangs on nothing but exact numbers for the step."""
        found, known = [], set(known)
        for line in lines:
            observed = line.name == "reward" and self.of.observed
            exact = observed or (line.level == "step" and set(symbols(line.tree)) <= known)
            known |= {line.name} if exact else set()
            found.append(Step(line, self.called(line.name), exact))
        return found

    def _collecting(self, collected: list[Step]) -> Iterator[Step]:
        """What the values of old(…) need that a line reads, in order."""
        lines = tuple(step.line for step in collected)
        read = {name for step in self.steps for name in symbols(step.line.tree)} & set(self.of.olds.values())
        wanted = set().union(*(reads(lines, name) for name in read))
        return (step for step in collected if step.line.name in wanted)

    def outputs(self, steps: Iterable[Step]) -> tuple[bool, tuple[str, ...]]:
        """What some lines read of several outputs: whether all of them as `o`, and which of them by name."""
        read = {name for step in steps for name in symbols(step.line.tree)}
        return "o" in read or INDEX in read, tuple(name for name in self.of.outputs if name in read)

    def called(self, name: str) -> str:
        """A name of the method in the script: without `_new` where nothing reads the old value any more."""
        old = name.removesuffix("_new")
        if old != name and self.of.program.latest.get(old) == name:
            places = [line.name for line in self.of.program.lines]
            if not any(old in symbols(line.tree) for line in self.of.program.lines[places.index(name) + 1 :]):
                name = old
        return name + "_" if name in RESERVED else name

    def _scalar(self) -> bool:
        if (
            self.collecting
            or any(step.line.level == "output" for step in self.steps)
            or not (self.single and self.of.observed and any(step.line.name == "reward" for step in self.steps))
        ):
            return False
        tensors = {"o", *self.of.outputs, *(step.line.name for step in self.steps if not step.exact)}
        return all(step.exact or _only_multiplied(step.line.tree, tensors) for step in self.steps)

    def _given(self) -> Given:
        """Which names of the questions are read, and as what."""
        if self.criterion:
            return Given(frozenset({"t"}), frozenset(), scalar=False)
        tensor, exact = (
            {name for step in (*self.steps, *self.collecting) if step.exact is kind for name in symbols(step.line.tree)}
            for kind in (False, True)
        )
        asked = {*self.of.task.names, "t", "noise", "uniform"}
        return Given(frozenset(tensor & asked), frozenset(exact & asked), self.scalar)

    def tensors(self, collecting: bool = False) -> dict[str, Source]:
        """What each symbol is where a derivative may pass; nowhere, when data is collected."""
        if collecting:
            return self.named(self.collecting, live=False)
        before, old = self.named(self.collecting, live=False), set(self.of.olds.values())
        kept = {step.line.name: before[step.line.name] for step in self.collecting if step.line.name in old}
        return self.named(self.steps, live=True, kept=kept)

    def named(self, steps: Iterable[Step], live: bool, kept: Mapping[str, Source] | None = None) -> dict[str, Source]:
        """What each symbol is in some lines; kept: what is known before them."""
        found = {name: Source(self.called(name)) for name in (*self.of.numbers, *self.of.program.states)}
        found |= {"step": Source("step"), INDEX: Source("k", each=True)}
        found |= {"o": Source("o[k]", "tensor", live, each=True)} if len(self.of.outputs) > 1 else {}
        found |= {name: Source(name, "tensor", live) for name in self.of.outputs}
        found |= {name: Source(name, "tensor") for name in self.given.tensor}
        found |= kept or {}
        for step in steps:
            found[step.line.name] = self._tensor(step, found)
        return found

    def _tensor(self, step: Step, known: Mapping[str, Source]) -> Source:
        if self.item(step):
            return Source(step.target)
        if step.exact:
            observed = step.line.name == "reward" and self.of.observed and not self.scalar
            return Source(step.target, "tensor" if observed else "number")
        written = Printer(known, outputs=self.of.network.outputs).write(step.line.tree)
        each = step.line.level == "output"
        return Source(f"{step.target}[k]" if each else step.target, written.kind, written.live, each=each)

    def exact(self, collecting: bool = False) -> dict[str, Source]:
        """What each symbol is where it is only observed: doubles."""
        kind: Kind = "number" if self.scalar else "array"
        found = dict(self.tensors(collecting))
        for name, source in found.items():
            if source.kind == "tensor" and self.scalar:
                found[name] = Source(f"{source.text}.item()")
            elif source.kind == "tensor":
                detached = source.text + (".detach()" if source.live else "")
                found[name] = Source(f"{detached}.double().numpy()", "array", each=source.each)
        found |= {name: Source(self.exact_name(name), kind) for name in self.given.exact}
        if self.of.observed and "reward" in self.of.pieces:
            found["reward"] = Source(self.exact_name("reward"), kind)
        return found

    def exact_name(self, name: str) -> str:
        """What the doubles of a name are called: by its own name, unless that is the tensor."""
        if name == "t":
            return self.given.truth_name
        if name == "reward":
            return "reward" if self.scalar else "observed"
        return f"{name}_exact" if name in self.given.tensor else name

    def item(self, step: Step) -> bool:
        """Whether a line may become a plain number: `a = o.item()`, if only the observed reward reads it."""
        read_by = [other for other in self.steps if step.line.name in symbols(other.line.tree)]
        return self.scalar and not step.exact and step.line.tree == Symbol("o") and all(o.exact for o in read_by)


def _only_multiplied(tree: Tree, tensors: set[str]) -> bool:
    """Whether the reward only multiplies a tensor, `-stop(reward)*log(o)`: then a Python number will do."""
    there = sum(part == REWARD for part in walk(tree))
    fine = sum(
        part.function == "*" and len(part.arguments) == 2 and _bare(part.arguments[0]) == REWARD
        and bool(tensors & set(symbols(part.arguments[1])))
        for part in walk(tree) if isinstance(part, Apply)
    )  # fmt: skip
    return there == fine


def _bare(tree: Tree) -> Tree:
    """A tree without the signs and stops around it."""
    while isinstance(tree, Apply) and tree.function in ("stop", "old", "neg"):
        (tree,) = tree.arguments
    return tree
