"""An experiment to take along: as a PyTorch script, TOML, JSON, LaTeX; a run as CSV."""

from collections.abc import Callable
from typing import Any

from glassgrad.doors import from_keywords
from glassgrad.errors import ExperimentError
from glassgrad.experiment import Experiment
from glassgrad.exports.csv import csv_text
from glassgrad.exports.json import json_text
from glassgrad.exports.latex import latex_text
from glassgrad.exports.script import torch_script
from glassgrad.exports.toml import toml_text

__all__ = ["FORMATS", "csv_text", "export", "json_text", "latex_text", "toml_text", "torch_script"]


def export(name: str | Experiment, to: str = "torch", **settings: Any) -> str:
    """An experiment as text.

    name: an experiment that ships, a TOML file, or an Experiment. settings: what to change in it.
    to: torch (a plain script that prints the same losses), toml, json, csv (trains it; its curves), latex,
        svg (its computation graph).

    Raises:
        GlassgradError: something cannot be read, or does not fit together.

    Example:
        >>> export("knob", to="toml", steps=10).count("steps = 10")
        1
    """
    if to not in FORMATS:
        raise ExperimentError("experiment.choice", setting="to", known=", ".join(FORMATS), came=to)
    return FORMATS[to](from_keywords(name, **settings))


def _trained(experiment: Experiment) -> str:
    from glassgrad.engines.torch import train

    return csv_text(train(experiment))


def _drawn(experiment: Experiment) -> str:
    from glassgrad.graph import graph, graph_svg
    from glassgrad.locale import language

    return graph_svg(graph(experiment), language())


FORMATS: dict[str, Callable[[Experiment], str]] = {
    "torch": torch_script,
    "toml": toml_text,
    "json": json_text,
    "csv": _trained,
    "latex": latex_text,
    "svg": _drawn,
}
"""By name: what an experiment can be exported to."""
