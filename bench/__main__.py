"""`python -m bench runs --json FILE`: everything. `python -m bench growth`: only how cost grows."""

import argparse
import json
import math
import sys
import time
from pathlib import Path
from typing import Any

from bench import growth, piece, report, runs
from bench.machine import nothing_compiled
from bench.words import ENGLISH, words_for


def main() -> None:
    """Measure, print tables, write files."""
    arguments = parser().parse_args()
    if arguments.what == "piece":
        print(piece.run(arguments.name, arguments.arguments))
        return
    began = time.perf_counter()
    if arguments.what == "tables":
        found = json.loads(arguments.file.read_text(encoding="utf-8"))
    elif arguments.what == "growth":
        with nothing_compiled():
            points = growth.measure(2 if arguments.quick else arguments.budget, tell, arguments.quick)
        if arguments.json:
            write(arguments.json, points)
        print("\n".join(report.columns(report.growth({"growth": points}, ENGLISH))))
        return
    else:
        only = tuple(arguments.only.split(",")) if arguments.only else runs.SPEEDS
        with nothing_compiled():
            found = runs.measure(arguments.quick, tell, only)
        found["details"]["seconds"] = time.perf_counter() - began
        if arguments.json:
            write(arguments.json, found)
    print(report.text(found, ENGLISH), end="")
    for page in arguments.markdown:
        report.fill(page, found, words_for(page))


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="python -m bench", description="How fast Glassgrad trains, beside its peers.")
    what = top.add_subparsers(dest="what", required=True)
    everything = what.add_parser("runs", help="everything, in one run")
    everything.add_argument("--only", help=f"some of {','.join(runs.SPEEDS)}")
    kept = what.add_parser("tables", help="print the tables of a JSON file once more")
    kept.add_argument("file", type=Path)
    grown = what.add_parser("growth", help="only how cost grows with runs, units, samples, steps")
    grown.add_argument("--budget", type=float, default=300, help="skip points that would take more seconds")
    for each in (everything, grown):
        each.add_argument("--json", type=Path, help="the file to write")
        each.add_argument("--quick", action="store_true", help="within two minutes")
    for each in (everything, kept):
        each.add_argument("--markdown", type=Path, nargs="*", default=[], help="pages whose tables to renew")
    one = what.add_parser("piece", help=argparse.SUPPRESS)
    one.add_argument("name", choices=list(piece.PIECES))
    one.add_argument("arguments", nargs="*")
    return top


def write(file: Path, found: object) -> None:
    """As JSON."""
    file.write_text(json.dumps(finite(found), indent=2, allow_nan=False) + "\n", encoding="utf-8")


def finite(value: Any) -> Any:
    """The same with null for what is not finite: the error of runs that diverged.

    Example:
        >>> finite({"error": [1.0, float("inf")]})
        {'error': [1.0, None]}
    """
    if isinstance(value, dict):
        return {key: finite(each) for key, each in value.items()}
    if isinstance(value, list):
        return [finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def tell(said: str) -> None:
    """Progress, beside the results."""
    print(said, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
