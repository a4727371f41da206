"""The measurements for readers: a table in the terminal, the same as Markdown in a page of docs/."""

import math
import re
from pathlib import Path
from typing import Any

from bench.runs import SPEEDS
from bench.words import Words

BLOCK = re.compile(r"(<!-- measured -->\n).*?(<!-- /measured -->)", re.DOTALL)
Row = tuple[str, ...]


def number(value: float | None) -> str:
    """A number with three digits that matter; a dash where there is none.

    Example:
        >>> number(12345.6), number(2.345), number(0.0021), number(None)
        ('12,300', '2.35', '0.0021', '—')
    """
    if value is None:
        return "—"
    if not 1 <= abs(value) < math.inf:
        return f"{value:.3g}"
    digits = len(f"{abs(value):.0f}")
    return f"{round(value, 3 - digits):,.{max(0, 3 - digits)}f}"


def speeds(found: dict[str, Any], words: Words) -> list[Row]:
    """Runs of `add` a second, and what the runs ended with."""
    rows: list[Row] = [words.speeds]
    plain = found["eager"]
    for name in SPEEDS:
        each = found["details"]["add"].get(name, {})
        error = each.get("error")
        rows.append(
            (
                f"`{name}`", words.names[name], number(found[name]),
                number(found[name] / plain) if found[name] and plain else "—",
                f"{number(error['median'])} ({number(error['lower'])} … {number(error['upper'])})" if error else "—",
                f"{error['solved']:.1%}" if error else "—", f"{error['runs']:,}" if error else "—",
            )
        )  # fmt: skip
    return rows


def networks(found: dict[str, Any], words: Words) -> list[Row]:
    """Runs a second of other networks."""
    rows: list[Row] = [words.networks]
    for network, sides in found["details"]["networks"].items():
        jax, ours = (sides.get(side, {}).get("rate") for side in ("jax", "compiled"))
        rows.append(
            (words.names.get(network, network), number(jax), number(ours), number(ours / jax) if jax and ours else "—")
        )
    return rows


def learning(found: dict[str, Any], words: Words) -> list[Row]:
    """Environment steps a second, and errors."""
    details = found["details"]
    ours, theirs = details["reinforce"], details["sb3_a2c"]
    entries = [("sb3_a2c", theirs), ("reinforce", ours), ("frugal", ours.get("frugal", {}))]
    return [
        words.learning,
        *((words.names[name], number(each.get("rate")), f"{each['steps']:,}" if each.get("steps") else "—",
           number(each.get("error"))) for name, each in entries),
    ]  # fmt: skip


def growth(found: dict[str, Any], words: Words) -> list[Row]:
    """Time and memory, point by point."""
    rows: list[Row] = [words.growth]
    for each in found["growth"]:
        rows.append((words.axes[each["axis"]], f"{each['value']:,}", f"{each['runs']:,}", took(each, words),
                     number(each["peak_memory_mib"])))  # fmt: skip
    return rows


def took(point: dict[str, Any], words: Words) -> str:
    """The seconds of a point, or why there are none."""
    if point["seconds"] is not None:
        return number(point["seconds"])
    if "expected_seconds" in point:
        return words.expected.format(number(point["expected_seconds"]))
    return f"{words.skipped}: {point['skipped']}"


def shipped(found: dict[str, Any], words: Words) -> list[Row]:
    """Seconds of the experiments that ship."""
    rows = [words.shipped]
    for name, each in found["details"]["shipped"].items():
        seconds = (
            [each] if isinstance(each, str) else [number(each[key]) for key in ("first_use", "new_process", "runs")]
        )
        rows.append((name, *seconds, *[""] * (3 - len(seconds))))
    return rows


def machine(found: dict[str, Any], words: Words) -> str:
    """The kind of machine and the versions, in one line."""
    kind = found["details"]["machine"]
    peak = found["details"]["peak"]
    versions = ", ".join(f"{name} {version}" for name, version in kind["versions"].items() if version)
    parts = [words.cores.format(kind["cores"]), kind["architecture"], kind["instructions"], kind["system"], versions]
    if peak.get("gflops"):
        parts.append(words.peak.format(number(peak["gflops"]), number(peak["gflops_one_core"])))
    if found["fma_fraction"] is not None:
        parts.append(words.fraction.format(f"{found['fma_fraction']:.0%}"))
    return "; ".join(parts)


def tables(found: dict[str, Any], words: Words) -> list[list[Row]]:
    """All tables that have something to say."""
    made = [part(found, words) for part in (speeds, networks, learning, growth, shipped)]
    return [rows for rows in made if len(rows) > 1]


def text(found: dict[str, Any], words: Words) -> str:
    """Tables in columns."""
    return "\n\n".join([machine(found, words), *("\n".join(columns(rows)) for rows in tables(found, words))]) + "\n"


def columns(rows: list[Row]) -> list[str]:
    """Rows with their columns aligned; the first row is the head.

    Example:
        >>> columns([("a", "b"), ("long", "c")])
        ['a     b', '----  -', 'long  c']
    """
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    head, *rest = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
    return [head, "  ".join("-" * width for width in widths), *rest]


def markdown(found: dict[str, Any], words: Words) -> str:
    """The same as Markdown."""
    blocks = [machine(found, words)]
    for head, *rest in tables(found, words):
        lines = ["| " + " | ".join(row) + " |" for row in (head, tuple("---" for _ in head), *rest)]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def fill(page: Path, found: dict[str, Any], words: Words) -> None:
    """Put the tables into a page, between its two marks.

    Raises:
        ValueError: the page has no marks.
    """
    old = page.read_text(encoding="utf-8")
    if not BLOCK.search(old):
        raise ValueError(f"{page} has no <!-- measured --> and <!-- /measured -->")
    new = BLOCK.sub(lambda marks: marks[1] + markdown(found, words) + marks[2], old)
    page.write_text(new, encoding="utf-8")
