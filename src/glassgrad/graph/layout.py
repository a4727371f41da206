"""Where everything stands in the drawing: boxes in rows, ways between them, no two boxes on the same spot.

Between two rows there is first room for ways to change sides, then a strip in which every way runs straight down to
its box: there the marks stand, each within the width of its box, so that no two of them can meet.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from glassgrad.graph.order import ordered
from glassgrad.graph.packing import packed
from glassgrad.graph.ranks import GAP, LANE, Cell, Link, fitted, links_of, rows_of

WIDEST, MARGIN = 828.0, 16.0
TURN, STRIP, LANDING = 26.0, 28.0, 12.0  # room to change sides, for marks, and where there are no marks
PORT, BEND = 26.0, 12.0
LANE_WEIGHT, MAIN_WEIGHT = 100.0, 8  # how much more a long way, a main way wants to run straight
SWEEPS, ROUNDS = 24, 6


@dataclass(frozen=True, slots=True)
class Box:
    """A box: its upper left corner and its size."""

    name: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Way:
    """A piece of a way, from (x0, y0) straight down to y1, over to x1 at y2, straight down to y3.

    edges: what it serves. first, last: whether it begins at a box, ends at a box. bend: how much lower its turn is.
    """

    edges: tuple[tuple[str, str], ...]
    x0: float
    y0: float
    y1: float
    x1: float
    y2: float
    y3: float
    first: bool
    last: bool
    bend: float


@dataclass(frozen=True, slots=True)
class Layout:
    """All boxes and ways, and the size of the whole."""

    boxes: tuple[Box, ...]
    ways: tuple[Way, ...]
    width: float
    height: float


def layout(
    sizes: Mapping[str, tuple[float, float]],
    edges: Sequence[tuple[str, str]],
    marks: Mapping[tuple[str, str], float] | None = None,
    main: Collection[tuple[str, str]] = (),
) -> Layout:
    """Place boxes and ways.

    sizes: width and height of each box, in an order in which everything stands behind what it reads.
    edges: (source, target). marks: for an edge with a mark, how much room the mark needs to its right.
    main: the edges that want most to run straight down.

    Example:
        >>> found = layout({"x": (40, 20), "y": (40, 20)}, [("x", "y")])
        >>> [(box.x, box.y) for box in found.boxes]
        [(16.0, 16.0), (16.0, 74.0)]
    """
    return _Placing(sizes, edges, marks or {}, main).layout()


@dataclass
class _Placing:
    sizes: Mapping[str, tuple[float, float]]
    edges: Sequence[tuple[str, str]]
    marks: Mapping[tuple[str, str], float]
    main: Collection[tuple[str, str]] = ()
    rows: list[list[Cell]] = field(default_factory=list)
    links: dict[Link, list[tuple[str, str]]] = field(default_factory=dict)
    center: dict[Cell, float] = field(default_factory=dict)
    port: dict[tuple[Link, bool], float] = field(default_factory=dict)  # of a way, at its upper end?

    def layout(self) -> Layout:
        for _ in range(ROUNDS):  # a wider box may need another row, and that other lanes
            before = self.sizes
            widths = {name: width for name, (width, _) in before.items()}
            rank = fitted(list(before), self.edges, widths, WIDEST + GAP)
            self.links = links_of(rank, self.edges)
            self.sizes = {name: (max(widths[name], self.ports_width(name)), before[name][1]) for name in before}
            if self.sizes == before:
                break
        self.rows = ordered(rows_of(rank, self.edges), self.links)
        self.set_ports()
        self.set_centers()
        return self.finished()

    def ports_width(self, name: str) -> float:
        """A box must be as wide as what reaches and leaves it side by side."""
        arriving = sum(PORT + self.marks.get(edge, 0.0) for edge in self.edges if edge[1] == name)
        return max(arriving, PORT * sum(link[0] == Cell(name) for link in self.links))

    def half(self, cell: Cell) -> float:
        """Half the width of a cell, with half of the gap to its neighbour."""
        return LANE / 2 if cell.lane is not None else (self.sizes[cell.name][0] + GAP) / 2

    def set_ports(self) -> None:
        """Where ways leave and reach each box, in the order of the cells at their other ends."""
        place = {cell: at for row in self.rows for at, cell in enumerate(row)}
        for row in self.rows:
            for cell in row:
                leaving = sorted((link for link in self.links if link[0] == cell), key=lambda link: place[link[1]])
                arriving = sorted((link for link in self.links if link[1] == cell), key=lambda link: place[link[0]])
                self.spread(leaving, True, dict.fromkeys(leaving, PORT))
                self.spread(arriving, False, {link: PORT + self.mark_room(link) for link in arriving})

    def mark_room(self, link: Link) -> float:
        """How much room the mark of a way needs where it reaches its box."""
        return sum(self.marks.get(edge, 0.0) for edge in self.links[link]) if link[1].lane is None else 0.0

    def spread(self, links: list[Link], upper: bool, room: Mapping[Link, float]) -> None:
        """Ports side by side, in the middle of the box; the room for a mark is at the right of its way."""
        at = -sum(room.values()) / 2
        for link in links:
            lane = link[0 if upper else 1].lane is not None
            self.port[link, upper] = 0.0 if lane else at + PORT / 2
            at += room[link]

    def set_centers(self) -> None:
        """Each cell to where its ways run straight, as far as its neighbours let it; to and fro."""
        self.center = {cell: 0.0 for row in self.rows for cell in row}
        for row in self.rows:
            self.pack(row, [0.0] * len(row), [1.0] * len(row))
        for sweep in range(SWEEPS):
            down = sweep % 2 == 0
            for row in self.rows if down else reversed(self.rows):
                wished = [self.straight(cell, down) or self.straight(cell, not down) for cell in row]
                weights = [float(len(wishes)) if cell.lane is None else LANE_WEIGHT
                           for cell, wishes in zip(row, wished, strict=True)]  # fmt: skip
                self.pack(row, [sum(wishes) / len(wishes) for wishes in wished], weights)
            self.to_middle()

    def to_middle(self) -> None:
        """The whole drawing back to the middle of its room, for it wanders while cells push each other."""
        left, right = self.extent()
        self.center = {cell: x - (left + right) / 2 for cell, x in self.center.items()}

    def extent(self) -> tuple[float, float]:
        """The left and the right end of all cells."""
        left = min(self.center[row[0]] - self.half(row[0]) for row in self.rows)
        return left, max(self.center[row[-1]] + self.half(row[-1]) for row in self.rows)

    def pack(self, row: list[Cell], wishes: list[float], weights: list[float]) -> None:
        """Move a row's cells to where they wish to be."""
        self.center |= zip(row, packed(wishes, weights, [self.half(cell) for cell in row], WIDEST + GAP), strict=True)

    def straight(self, cell: Cell, above: bool) -> list[float]:
        """Where the cell's centre must be for each of its ways from above, or to below, to run straight."""
        found = []
        for link, edges in self.links.items():
            if link[1 if above else 0] == cell:
                shift = self.port[link, True] - self.port[link, False]
                wish = self.center[link[0]] + shift if above else self.center[link[1]] - shift
                found += [wish] * (MAIN_WEIGHT if any(edge in self.main for edge in edges) else 1)
        return found

    def finished(self) -> Layout:
        left, right = self.extent()
        left, right = left + GAP / 2, right - GAP / 2
        self.center = {cell: x - left + MARGIN for cell, x in self.center.items()}
        tops, heights = self.levels()
        boxes = {
            cell.name: Box(cell.name, self.center[cell] - self.sizes[cell.name][0] / 2,
                           top + (height - self.sizes[cell.name][1]) / 2, *self.sizes[cell.name])
            for row, top, height in zip(self.rows, tops, heights, strict=True) for cell in row if cell.lane is None
        }  # fmt: skip
        ways = tuple(self.way(link, boxes, tops, heights) for link in self.links)
        width, height = right - left + 2 * MARGIN, tops[-1] + heights[-1] + MARGIN
        return Layout(tuple(boxes[name] for name in self.sizes), ways, width, height)

    def levels(self) -> tuple[list[float], list[float]]:
        """The top and the height of each row."""
        heights = [max(self.sizes[cell.name][1] for cell in row if cell.lane is None) for row in self.rows]
        tops = [MARGIN]
        for at in range(1, len(self.rows)):
            tops.append(tops[-1] + heights[at - 1] + self.turn(at) + self.strip(at))
        return tops, heights

    def turn(self, at: int) -> float:
        """The farther a way runs sideways, the more room it gets to do so."""
        here = [link for link in self.links if link[1] in self.rows[at]]
        return TURN + min(24.0, max(abs(self.over(link)) for link in here) / 10) + 2 * max(map(self.bend, here))

    def strip(self, at: int) -> float:
        marked = any(edge in self.marks for link, edges in self.links.items() if link[1] in self.rows[at]
                     and link[1].lane is None for edge in edges)  # fmt: skip
        return STRIP if marked else LANDING

    def way(self, link: Link, boxes: Mapping[str, Box], tops: list[float], heights: list[float]) -> Way:
        upper, lower = link
        at = next(i for i, row in enumerate(self.rows) if upper in row)
        first, last = upper.lane is None, lower.lane is None
        y1 = tops[at] + heights[at]
        y2 = tops[at + 1] - self.strip(at + 1)
        return Way(
            edges=tuple(self.links[link]),
            x0=self.center[upper] + self.port[link, True],
            y0=boxes[upper.name].y + boxes[upper.name].height if first else y1,
            y1=y1,
            x1=self.center[lower] + self.port[link, False],
            y2=y2,
            y3=boxes[lower.name].y if last else tops[at + 1] + heights[at + 1],
            first=first,
            last=last,
            bend=self.bend(link),
        )

    def bend(self, link: Link) -> float:
        """Of the ways that reach a cell from one side, the one from farther away turns lower: it passes beneath."""
        over = self.over(link)
        beside = [abs(self.over(other)) for other in self.links if other[1] == link[1] and self.over(other) * over > 0]
        return BEND * (sum(other < abs(over) for other in beside) - (len(beside) - 1) / 2) if beside else 0.0

    def over(self, link: Link) -> float:
        """How far a piece of a way runs sideways."""
        return self.center[link[0]] + self.port[link, True] - self.center[link[1]] - self.port[link, False]
