"""In which row a box stands: below all that it reads, by the longest way.

What no input leads to stands just above its reader. Where a way leads past rows, it has a lane in each of them, a
cell without a box; ways from one source share their lanes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

LANE = 22.0
GAP = 22.0


@dataclass(frozen=True, slots=True)
class Cell:
    """A place in a row: a box (lane is None), or the lane that ways from `name` share in this row."""

    name: str
    lane: int | None = None


Link = tuple[Cell, Cell]


def ranks(names: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """The row of each name, the first row 0.

    names: in an order in which everything stands behind what it reads, the network's inputs first.

    Example:
        >>> ranks(["x", "W", "z", "t", "L"], [("x", "z"), ("W", "z"), ("z", "L"), ("t", "L")])
        {'x': 0, 'W': 0, 'z': 1, 't': 1, 'L': 2}
    """
    found = dict.fromkeys(names, 0)
    moving = {names[0]}  # what depends on the inputs
    for name in names:
        sources = [source for source, target in edges if target == name]
        found[name] = max((found[source] + 1 for source in sources), default=0)
        if moving & set(sources):
            moving.add(name)
    for name in reversed(names):
        if name not in moving:
            found[name] = min((found[target] - 1 for source, target in edges if source == name), default=0)
    return found


def rows_of(rank: Mapping[str, int], edges: Sequence[tuple[str, str]]) -> list[list[Cell]]:
    """The cells of each row, boxes and lanes, in the order of the names."""
    rows: list[list[Cell]] = [[] for _ in range(max(rank.values()) + 1)]
    for name, row in rank.items():
        rows[row].append(Cell(name))
        last = max((rank[target] for source, target in edges if source == name), default=row)
        for between in range(row + 1, last):
            rows[between].append(Cell(name, between))
    return rows


def links_of(rank: Mapping[str, int], edges: Sequence[tuple[str, str]]) -> dict[Link, list[tuple[str, str]]]:
    """The pieces of the ways, each from one row to the next, with the edges that each of them serves."""
    found: dict[Link, list[tuple[str, str]]] = {}
    for source, target in edges:
        cells = [
            Cell(source),
            *(Cell(source, row) for row in range(rank[source] + 1, rank[target])),
            Cell(target),
        ]
        for link in pairwise(cells):
            found.setdefault(link, []).append((source, target))
    return found


def fitted(
    names: Sequence[str], edges: Sequence[tuple[str, str]], widths: Mapping[str, float], most: float
) -> dict[str, int]:
    """The rows, with a new one opened wherever boxes and lanes would be wider than `most`."""
    rank = ranks(names, edges)
    for _ in range(4 * len(names)):
        wide = next((row for row in rows_of(rank, edges) if width_of(row, widths) > most and _boxes(row) > 1), None)
        if wide is None:
            break
        rank = _opened(rank, wide, widths, most)
    return rank


def _boxes(row: Sequence[Cell]) -> int:
    return sum(cell.lane is None for cell in row)


def width_of(row: Sequence[Cell], widths: Mapping[str, float]) -> float:
    """How wide a row is."""
    return sum(LANE if cell.lane is not None else widths[cell.name] + GAP for cell in row)


def _opened(rank: dict[str, int], row: list[Cell], widths: Mapping[str, float], most: float) -> dict[str, int]:
    """The rows with one more: the last boxes of a row that is too wide go there, at least one, not the first."""
    boxes = [cell.name for cell in row if cell.lane is None]
    at = rank[boxes[0]]
    room = most - sum(LANE for cell in row if cell.lane is not None)
    kept, used = 0, 0.0
    while kept < len(boxes) - 1 and (kept == 0 or used + widths[boxes[kept]] + GAP <= room):
        used += widths[boxes[kept]] + GAP
        room -= LANE  # what stays above has its own way past the new row
        kept += 1
    moved = set(boxes[max(kept, 1) :])
    return {name: old + (old > at or name in moved) for name, old in rank.items()}
