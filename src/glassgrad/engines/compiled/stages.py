"""Lines of a method in the order in which loops can compute them.

A line that reads a mean over all samples has to wait until a loop through the samples has made it: lines fall into
stages, each with one loop. In an optimizer's lines the parameters take the samples' place.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from dataclasses import replace as replace_fields

from glassgrad.formula.evaluate import is_aggregate
from glassgrad.formula.lines import Line
from glassgrad.formula.parser import parse
from glassgrad.formula.tree import Apply, Symbol, Tree, parts, replace, substitute, symbols

COUNT = "count_of_all"  # how many items there are
GROUP = "count_of_group"  # how many of them, side by side, answer the same question
SUMS = 21  # that one loop makes: with what it needs besides, they fill the registers
MADE_OF = {  # aggregates as means, in a loop each
    "sum": f"{COUNT}*mean(e)",
    "std": f"sqrt({COUNT}*mean((e - mean(e))**2)/({COUNT} - 1))",
    "norm": f"sqrt({COUNT}*mean(e**2))",
    "others": f"({COUNT}*mean(e) - e)/({COUNT} - 1)",
    "count": COUNT,
    "group_std": f"sqrt({GROUP}*group_mean((e - group_mean(e))**2)/({GROUP} - 1))",
    "group_others": f"({GROUP}*group_mean(e) - e)/({GROUP} - 1)",
}


@dataclass
class Stage:
    """One loop: what it computes for each item, which means (or extremes) it makes of that, what then follows.

    early: what has one value for the whole step and comes before the loop. grouped: means over the answers to the same
    question, one for each item. recalled: items' values that an earlier loop kept, and such means. kept: those that a
    later loop will recall: computed once, so that `a == max(a)` holds. wanted: what the loop has to hand out.
    """

    early: list[Line] = field(default_factory=list)
    each: list[Line] = field(default_factory=list)
    aggregates: dict[str, tuple[str, Tree]] = field(default_factory=dict)
    grouped: dict[str, Tree] = field(default_factory=dict)
    recalled: set[str] = field(default_factory=set)
    kept: set[str] = field(default_factory=set)
    wanted: list[str] = field(default_factory=list)

    @property
    def loops(self) -> bool:
        """Whether there is anything to do for each item."""
        return bool(self.aggregates or self.grouped or self.kept or self.wanted)

    @property
    def reads(self) -> set[str]:
        """Each item's values that it makes something of."""
        made = (*(tree for _, tree in self.aggregates.values()), *self.grouped.values())
        return {name for tree in made for name in symbols(tree)} | self.kept | set(self.wanted)


def stages(lines: Sequence[Line], wanted: Iterable[str], cuts: Iterable[str] = ()) -> list[Stage]:
    """Lines sorted into loops. wanted: names of items' values that are needed outside.

    cuts: items' values at which a loop ends, and another one goes on. Short loops are quicker: while one item waits for
    a long chain of operations, the processor goes ahead to the next.
    """
    sorter = _Sorter(frozenset(cuts))
    for line in lines:
        sorter.add(line)
    return sorter.sorted(tuple(dict.fromkeys(wanted)))


class _Sorter:
    def __init__(self, cuts: frozenset[str]) -> None:
        self.cuts = cuts
        self.stage: dict[str, int] = {}
        self.known: dict[Tree, str] = {}
        self.aggregates: dict[str, tuple[int, str, Tree]] = {}
        self.grouped: dict[str, tuple[int, Tree]] = {}
        self.lines: list[tuple[int, Line]] = []

    def add(self, line: Line) -> None:
        tree = self.without_aggregates(_in_means(line.tree))
        stage = self.of(tree)
        self.stage[line.name] = stage
        self.lines.append((stage, Line(line.name, tree, line.level)))

    def of(self, tree: Tree) -> int:
        return max((self.stage.get(name, 0) + (name in self.cuts) for name in symbols(tree)), default=0)

    def without_aggregates(self, tree: Tree) -> Tree:
        """Each mean(…) exchanged for a name; its value is there one stage later than what it is the mean of."""

        def change(part: Tree) -> Tree | None:
            if not is_aggregate(part):
                return None
            assert isinstance(part, Apply)
            inner = self.without_aggregates(parts(part)[0])
            whole = Apply(part.function, (inner,))
            if whole not in self.known:
                name = f"{part.function}_{len(self.known)}_of_all"
                self.known[whole] = name
                if part.function == "group_mean":
                    self.grouped[name] = (self.of(inner), inner)
                else:
                    self.aggregates[name] = (self.of(inner), part.function, inner)
                self.stage[name] = self.of(inner) + 1
            return Symbol(self.known[whole])

        return replace(tree, change)

    def sorted(self, wanted: tuple[str, ...]) -> list[Stage]:
        found = [Stage() for _ in range(1 + max(self.stage.values(), default=0))]
        for name, (stage, kind, tree) in self.aggregates.items():
            found[stage].aggregates[name] = (kind, tree)
        for name, (stage, tree) in self.grouped.items():
            found[stage].grouped[name] = tree
        each = {line.name: line for _, line in self.lines if line.level != "step"}
        cheap = {name: line for name, line in each.items() if is_cheap(line)} if self.cuts else {}
        for stage, place in reversed(list(enumerate(found))):
            place.early = [line for at, line in self.lines if at == stage and line.level == "step"]
            place.wanted = [name for name in wanted if self.stage.get(name, 0) == stage]
            here = {name: line for name, line in each.items() if name in cheap or self.stage[name] == stage}
            names = _closure(place.reads, here)
            place.each = [line for name, line in here.items() if name in names]
            for name in names & set(each) - set(here):
                place.recalled.add(name)
                found[self.stage[name]].kept.add(name)
            place.recalled |= names & set(self.grouped)
        return [part for place in found for part in (_parts(place) if self.cuts else [place])]


def _parts(stage: Stage) -> list[Stage]:
    """A loop that makes more means than registers hold, as several; each computes for itself what it needs."""
    made, lines = list(stage.aggregates.items()), {line.name: line for line in stage.each}
    found = [replace_fields(stage, aggregates=dict(made[:SUMS]))]
    found += [Stage(aggregates=dict(made[first : first + SUMS])) for first in range(SUMS, len(made), SUMS)]
    for part in found:
        names = _closure(part.reads, lines)
        part.each, part.recalled = [lines[name] for name in lines if name in names], stage.recalled & names
    return found


def is_cheap(line: Line) -> bool:
    """Whether a line is as quickly computed again as its value is kept: another name, or the part above 0."""
    tree = line.tree
    return isinstance(tree.arguments[0] if isinstance(tree, Apply) and tree.function == "relu" else tree, Symbol)


def _closure(names: set[str], lines: Mapping[str, Line]) -> set[str]:
    """The names, and all that they are computed from."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += symbols(lines[name].tree) if name in lines else ()
    return found


def _in_means(tree: Tree) -> Tree:
    """A tree whose aggregates are mean, max and min only."""

    def change(part: Tree) -> Tree | None:
        if not is_aggregate(part) or not isinstance(part, Apply) or part.function not in MADE_OF:
            return None
        pattern = parse(MADE_OF[part.function], ("e", COUNT, GROUP))
        return _in_means(substitute(pattern, {"e": parts(part)[0]}))

    return replace(tree, change)
