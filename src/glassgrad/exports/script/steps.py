"""The lines from output to loss, as a script runs them: as tensors, or as numbers that are only observed.

The observed reward, and what hangs on it for the whole step, is computed in doubles by Python or NumPy; all
else as tensors, through which a derivative may pass.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from glassgrad.errors import ExperimentError
from glassgrad.experiment import Experiment
from glassgrad.exports.script.data import Given
from glassgrad.exports.script.expression import Kind, Printer, Source
from glassgrad.exports.script.words import RESERVED
from glassgrad.formula.lines import Line, reads
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

    Raises:
        ExperimentError: such a value is not one of tensors alone.
    """

    def __init__(self, of: Method, experiment: Experiment, collected: tuple[Line, ...] = ()) -> None:
        self.of = of
        self.single = experiment.samples == 1 and experiment.data is None
        self.criterion = of.pieces["objective"].torch is not None and "reward" not in of.pieces
        self.steps = () if self.criterion else tuple(self._steps())
        self.collecting = tuple(self._collecting(collected))
        if any(line.level == "step" or (line.name == "reward" and of.observed) for line in self.collecting):
            raise ExperimentError("script.unwritten", setting="passes", value=experiment.passes)
        self.scalar = self._scalar()
        self.given = self._given()

    def _steps(self) -> Iterator[Step]:
        """What the loss, the reward and the states need, in order."""
        of, program = self.of, self.of.program
        results = {
            "objective",
            *(program.latest[state] for state in program.states),
            *({"reward"} & set(of.pieces)),
        }
        wanted = set().union(*(reads(program.lines, name) for name in results))
        known = {*of.numbers, *program.states, *of.task.names, "t", "step", "noise", "uniform", "pi"}
        for line in program.lines:
            if line.name in wanted:
                observed = line.name == "reward" and of.observed
                exact = observed or (line.level == "step" and set(symbols(line.tree)) <= known)
                known |= {line.name} if exact else set()
                yield Step(line, self.called(line.name), exact)

    def _collecting(self, collected: tuple[Line, ...]) -> Iterator[Line]:
        """What the values of old(…) need that a line reads, in order."""
        read = {name for step in self.steps for name in symbols(step.line.tree)} & set(self.of.olds.values())
        wanted = set().union(*(reads(collected, name) for name in read))
        return (line for line in collected if line.name in wanted)

    def called(self, name: str) -> str:
        """A name of the method in the script: without `_new` where nothing reads the old value any more."""
        old = name.removesuffix("_new")
        if old != name and self.of.program.latest.get(old) == name:
            places = [line.name for line in self.of.program.lines]
            if not any(old in symbols(line.tree) for line in self.of.program.lines[places.index(name) + 1 :]):
                name = old
        return name + "_" if name in RESERVED else name

    def _scalar(self) -> bool:
        if self.collecting or not (
            self.single and self.of.observed and any(step.line.name == "reward" for step in self.steps)
        ):
            return False
        tensors = {"o", *(step.line.name for step in self.steps if not step.exact)}
        return all(step.exact or _only_multiplied(step.line.tree, tensors) for step in self.steps)

    def _given(self) -> Given:
        """Which names of the questions are read, and as what."""
        if self.criterion:
            return Given(frozenset({"t"}), frozenset(), scalar=False)
        tensor, exact = (
            {name for step in self.steps if step.exact is kind for name in symbols(step.line.tree)}
            for kind in (False, True)
        )
        tensor |= {name for line in self.collecting for name in symbols(line.tree)}
        asked = {*self.of.task.names, "t", "noise", "uniform"}
        return Given(frozenset(tensor & asked), frozenset(exact & asked), self.scalar)

    def tensors(self) -> dict[str, Source]:
        """What each symbol is where a derivative may pass."""
        own = {name: Source(self.called(name)) for name in (*self.of.numbers, *self.of.program.states)}
        found = own | {"step": Source("step"), "o": Source("o", "tensor", live=True)}
        found |= {name: Source(name, "tensor") for name in (*self.given.tensor, *self.of.olds.values())}
        for step in self.steps:
            found[step.line.name] = self._tensor(step, found)
        return found

    def before(self) -> dict[str, Source]:
        """What each symbol is when data is collected: no derivative passes."""
        found = self.tensors() | {line.name: Source(self.called(line.name), "tensor") for line in self.collecting}
        return {name: replace(source, live=False) for name, source in found.items()}

    def _tensor(self, step: Step, known: Mapping[str, Source]) -> Source:
        if self.item(step):
            return Source(step.target)
        if step.exact:
            observed = step.line.name == "reward" and self.of.observed and not self.scalar
            return Source(step.target, "tensor" if observed else "number")
        written = Printer(known).write(step.line.tree)
        return Source(step.target, written.kind, written.live)

    def exact(self) -> dict[str, Source]:
        """What each symbol is where it is only observed: doubles."""
        kind: Kind = "number" if self.scalar else "array"
        found = dict(self.tensors())
        for name, source in found.items():
            if source.kind == "tensor" and self.scalar:
                found[name] = Source(f"{source.text}.item()")
            elif source.kind == "tensor":
                found[name] = Source(source.text + (".detach()" if source.live else "") + ".double().numpy()", "array")
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
