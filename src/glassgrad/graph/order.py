"""The order of the cells in each row, so that few ways cross: each to the mean place of its neighbours, to and fro."""

from collections.abc import Iterable, Mapping, Sequence

from glassgrad.graph.ranks import Cell, Link

SWEEPS = 12


def ordered(rows: list[list[Cell]], links: Iterable[Link]) -> list[list[Cell]]:
    """The rows with the fewest crossings that were met on the way.

    Example:
        >>> a, b, c, d = (Cell(name) for name in "abcd")
        >>> [[cell.name for cell in row] for row in ordered([[a, b], [c, d]], [(a, d), (b, c)])]
        [['a', 'b'], ['d', 'c']]
    """
    all_links = tuple(links)
    above: dict[Cell, list[Cell]] = {}
    below: dict[Cell, list[Cell]] = {}
    for upper, lower in all_links:
        below.setdefault(upper, []).append(lower)
        above.setdefault(lower, []).append(upper)
    best, fewest = rows, crossings(rows, all_links)
    current = [list(row) for row in rows]
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        for at in range(1, len(current)) if down else range(len(current) - 2, -1, -1):
            fixed = _places(current[at - 1 if down else at + 1])
            current[at] = _sorted(current[at], above if down else below, fixed)
        count = crossings(current, all_links)
        if count < fewest:
            best, fewest = [list(row) for row in current], count
    return best


def _places(row: Sequence[Cell]) -> dict[Cell, int]:
    return {cell: place for place, cell in enumerate(row)}


def _sorted(row: list[Cell], neighbours: Mapping[Cell, list[Cell]], fixed: Mapping[Cell, int]) -> list[Cell]:
    """By the mean place of the neighbours; what has none stays where it is."""

    def wish(pair: tuple[int, Cell]) -> float:
        places = [fixed[other] for other in neighbours.get(pair[1], ()) if other in fixed]
        return sum(places) / len(places) if places else float(pair[0])

    return [cell for _, cell in sorted(enumerate(row), key=wish)]


def crossings(rows: Sequence[Sequence[Cell]], links: Sequence[Link]) -> int:
    """How many pairs of ways cross."""
    place = {cell: at for row in rows for at, cell in enumerate(row)}
    row_of = {cell: at for at, row in enumerate(rows) for cell in row}
    by_row: dict[int, list[tuple[int, int]]] = {}
    for upper, lower in links:
        by_row.setdefault(row_of[upper], []).append((place[upper], place[lower]))
    return sum(
        (first[0] - second[0]) * (first[1] - second[1]) < 0
        for pairs in by_row.values()
        for i, first in enumerate(pairs)
        for second in pairs[:i]
    )
