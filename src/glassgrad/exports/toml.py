"""An experiment as TOML, which `glassgrad.doors.read_toml` reads back as the same value."""

import dataclasses
import json
from contextvars import copy_context
from typing import Any

from glassgrad.experiment import Experiment
from glassgrad.locale import Language, language, say, set_language
from glassgrad.tables.experiments import BY_NAME

__all__ = ["toml_text"]


def toml_text(experiment: Experiment, *, lang: Language | None = None) -> str:
    """Every setting of an experiment, with a comment to each; what is absent stands as a comment.

    Example:
        >>> from glassgrad.tables.experiments import shipped
        >>> toml_text(shipped("knob"), lang="en").splitlines()[2]
        'name = "knob"  # what it is called'
    """

    def written() -> str:
        set_language(lang or language())
        shipped = BY_NAME.get(experiment.name)
        title = getattr(shipped.title, language()) if shipped else say("toml.head")
        return "\n".join([f"# {title}", "", *map(_line, _settings(experiment)), ""])

    return copy_context().run(written)


def _settings(experiment: Experiment) -> list[tuple[str, Any]]:
    return [(field.name, getattr(experiment, field.name)) for field in dataclasses.fields(experiment)]


def _line(setting: tuple[str, Any]) -> str:
    name, value = setting
    comment = say(f"toml.{name}")
    if value is None:
        return f"# {name}: {comment}"
    return f"{name} = {_value(value)}  # {comment}"


def _value(value: Any) -> str:
    if isinstance(value, tuple):
        return f'"{"-".join(map(str, value))}"'
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return json.dumps(value)
