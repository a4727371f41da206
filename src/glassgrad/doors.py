"""The doors through which an experiment comes in: Python keywords, the command line's options, TOML files.

Only here are settings of unknown origin checked for their types; inside, an Experiment is what it says.
"""

import dataclasses
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from glassgrad.errors import DataError, ExperimentError, FormulaError
from glassgrad.experiment import FIELDS, Experiment, unknown_setting
from glassgrad.locale import text
from glassgrad.method import task_of
from glassgrad.tables.slips import named

if TYPE_CHECKING:
    from pydantic import BaseModel

MAX_CHARACTERS = 1_000_000  # of a TOML file

MEANT = {
    "lr": "optimizer", "learning_rate": "optimizer", "momentum": "optimizer", "weight_decay": "regulariser",
    "scheduler": "schedule", "lr_scheduler": "schedule", "warmup": "schedule",
    "loss": "objective", "criterion": "objective", "epochs": "steps", "epoch": "steps", "iterations": "steps",
    "hidden": "network", "layers": "network", "units": "network", "batch_size": "batch", "n": "samples",
    "size": "samples", "dtype": "precision", "random_state": "seed", "regularizer": "regulariser",
    "file": "data", "csv": "data", "label": "truth", "target": "truth",
    "group_size": "group", "num_generations": "group", "n_epochs": "passes", "update_epochs": "passes",
    "ppo_epochs": "passes", "initialisation": "init", "initialization": "init",
}  # fmt: skip
"""What other programs call some settings, and what they are here."""


def from_keywords(name: str | Experiment, /, **settings: Any) -> Experiment:
    """An experiment that ships, or one from a TOML file, or one of one's own, with some settings changed.

    name: one of `glassgrad list`, or a file that ends in .toml, or an Experiment.
    settings: fields of an Experiment. `network` may be "2-5-1"; "none" takes away a reward, a clip, ….
        Where the task or the data change and the network is not given, it reads as many inputs as there are.

    Raises:
        ExperimentError: it is none of these; a setting is unknown, or its value will not do.
        DataError: a file cannot be used.

    Example:
        >>> from_keywords("add", seed=7, network="2-8-1").network
        (2, 8, 1)
    """
    if isinstance(name, Experiment):
        return _changed(name, settings)
    if not isinstance(name, str):
        raise ExperimentError("doors.name", came=_shown(name))
    base = read_toml(Path(name)) if name.lower().endswith(".toml") else named(name)
    return _changed(base, settings)


def read_toml(source: str | Path) -> Experiment:
    """An experiment from a TOML file: a Path, or a string that ends in .toml; any other string is TOML.

    `base = "add"` takes what is not given from an experiment that ships. A CSV file that `data` names is looked
    for beside the TOML file too. Without a name, the experiment is called like the file.

    Raises:
        ExperimentError: a setting is unknown, or its value will not do.
        DataError: the file cannot be read, or is no TOML.

    Example:
        >>> read_toml('base = "knob"\\nsteps = 10').steps
        10
    """
    is_file = isinstance(source, Path) or source.lower().endswith(".toml")
    path = Path(source) if is_file else None
    settings = _parsed(_text(path) if path else str(source), path.name if path else "TOML")
    try:
        return _of_file(settings, path)
    except (ExperimentError, FormulaError) as error:
        raise error.within(path.name) if path else error from None


def _of_file(settings: dict[str, Any], path: Path | None) -> Experiment:
    """The experiment that a TOML file describes."""
    base_name = settings.pop("base", None)
    if base_name is not None and not isinstance(base_name, str):
        raise _wrong("base", base_name, "text")
    base = named(base_name) if base_name else Experiment(path.stem if path else "mine")
    settings = {"name": path.stem if path else base.name} | settings
    if path and isinstance(settings.get("data"), str) and not Path(settings["data"]).exists():
        beside = path.parent / settings["data"]
        settings["data"] = str(beside) if beside.exists() else settings["data"]
    return _changed(base, settings)


def network_sizes(written: str) -> tuple[int, ...]:
    """The sizes of a network that is written as text.

    Raises:
        ExperimentError: it is not.

    Example:
        >>> network_sizes("2-5-1")
        (2, 5, 1)
    """
    parts = re.split(r"\s*[-–—,x×→ ]\s*", written.strip().strip("()[]"))
    if not all(re.fullmatch(r"[0-9]{1,9}", part) for part in parts):
        raise ExperimentError("experiment.network", came=written[:30])
    return tuple(map(int, parts))


def _changed(base: Experiment, settings: Mapping[str, Any]) -> Experiment:
    """The experiment with new settings, each checked; the first layer fitted to what is asked."""
    given = _checked(settings)
    experiment = base.change(**given)
    if "network" not in given and {"task", "data"} & set(given):
        inputs = len(task_of(experiment).inputs)
        experiment = experiment.change(network=(inputs, *experiment.network[1:]))
    return experiment


def _checked(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with their right types."""
    from pydantic import ValidationError

    for name in settings:
        if name not in FIELDS:
            raise unknown(name)
    plain = {name: _plain(name, value) for name, value in settings.items()}
    try:
        found = _model().model_validate(plain)
    except ValidationError as error:
        raise _refused(error.errors()[0], plain) from None
    return {name: getattr(found, name) for name in plain}


@lru_cache
def _model() -> "type[BaseModel]":
    """A model with the fields of an Experiment, made from it."""
    from pydantic import ConfigDict, create_model

    hints = get_type_hints(Experiment)
    fields: dict[str, Any] = {
        field.name: (hints[field.name], "" if field.default is dataclasses.MISSING else field.default)
        for field in dataclasses.fields(Experiment)
    }
    strict = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
    return create_model("Settings", __config__=strict, **fields)


def _plain(name: str, value: Any) -> Any:
    """A value as the model takes it: NumPy's numbers as Python's, a network as a tuple, "none" as None."""
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        value = value.item()
    if name == "network":
        return network_sizes(value) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value
    optional = type(None) in get_args(get_type_hints(Experiment)[name])
    if optional and isinstance(value, str) and value.strip().lower() in ("none", ""):
        return None
    return float(value) if kind_of(name) == "number" and type(value) is int else value


def unknown(name: str, known: Sequence[str] = FIELDS) -> ExperimentError:
    """The error for a setting that there is not; what other programs call so is known too."""
    return unknown_setting(name, known, MEANT.get(name.lower()))


def kind_of(name: str) -> str:
    """What a setting is: integer, number, text, yes, sizes, choice."""
    hint = get_type_hints(Experiment)[name]
    if type(None) in get_args(hint):
        hint = get_args(hint)[0]
    kinds = {int: "integer", float: "number", str: "text", bool: "yes", tuple[int, ...]: "sizes"}
    return kinds.get(hint, "choice")


_EXAMPLES = {
    "base": "add", "name": "mine", "truth": "x1 + x2", "data": "mine.csv", "reward": "-abs(a - t)",
    "regulariser": "l2", "clip": 1.0, "batch": 100, "held_out": 0.2, "dropout": 0.1,
}  # fmt: skip
"""For settings whose usual value is nothing."""


def _refused(problem: Any, settings: Mapping[str, Any]) -> ExperimentError:
    """pydantic's first complaint in our words."""
    name = str(problem["loc"][0])
    kind = kind_of(name)
    if kind == "sizes":
        return ExperimentError("experiment.network", came=_shown(settings[name]))
    if kind == "choice" and isinstance(settings[name], str):
        return ExperimentError("experiment.choice", setting=name, known="single, double", came=settings[name][:30])
    return _wrong(name, settings[name], kind)


def _wrong(name: str, value: Any, kind: str) -> ExperimentError:
    usual = {field.name: field.default for field in dataclasses.fields(Experiment)}
    example = json.dumps(_EXAMPLES.get(name, usual.get(name)))
    expected = text(f"doors.{kind}")
    return ExperimentError("doors.type", setting=name, expected=expected, came=_shown(value), example=example)


def _shown(value: Any, most: int = 40) -> str:
    """A value that came, as TOML would write it, cut short."""
    written = {True: "true", False: "false"}[value] if isinstance(value, bool) else repr(value)
    return written if len(written) <= most else written[: most - 1] + "…"


def _text(path: Path) -> str:
    """The text of a file in UTF-8, with or without a byte order mark."""
    try:
        raw = path.read_bytes()[: 4 * MAX_CHARACTERS + 1]
    except FileNotFoundError:
        raise DataError("data.missing_file", path=path) from None
    except OSError as error:
        raise DataError("data.unreadable", path=path, reason=error.strerror or error) from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError("doors.encoding", path=path, line=raw[: error.start].count(b"\n") + 1) from None


def _parsed(source: str, place: str) -> dict[str, Any]:
    """TOML as a table."""
    if len(source) > MAX_CHARACTERS:
        raise DataError("doors.too_long", path=place, most=MAX_CHARACTERS)
    try:
        return tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        line = _line(str(error), source)
        written = (source.splitlines() or [""])[line - 1].strip()
        raise DataError("doors.toml", path=place, line=line, came=written[:60]) from None
    except (RecursionError, ValueError):
        raise DataError("doors.toml", path=place, line=1, came=source.splitlines()[0][:60]) from None


def _line(message: str, source: str) -> int:
    """The line that the parser names; the last one if it stopped at the end."""
    found = re.search(r"at line (\d+)", message)
    last = max(1, len(source.splitlines()))
    return min(int(found[1]), last) if found else last
