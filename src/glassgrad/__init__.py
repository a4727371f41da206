"""Glassgrad: small networks learn arithmetic, by labels and by reward, behind glass.

import glassgrad as gg
run = gg.watch("add", seed=3)      one training, every number of every step
run.step(1).equation("dz2")        an equation: symbolic, with its numbers, its value
run.check.passed                   held against PyTorch
gg.compare("add", "sub", runs=1000)  how often each of them is solved, with intervals
gg.estimators(mu=6.3, sigma=1.5)   estimators of the policy gradient beside the exact one
gg.judge("knob")                   what it learns from, which objective it climbs, what will become of it
gg.slips(runs=200)                 mistakes that are made everywhere: what each does, and what finds it
gg.export("knob", to="torch")      the plain script of an experiment
gg.rl.play(run, "glassgrad/Add-v0")  the network as an agent, in an environment for Gymnasium
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from glassgrad import rl
    from glassgrad.comparison import Comparison, compare
    from glassgrad.errors import DataError, ExperimentError, FormulaError, GlassgradError
    from glassgrad.estimated import Estimates, estimators
    from glassgrad.experiment import Experiment
    from glassgrad.exports import export
    from glassgrad.formula import derivative, latex, parse, show
    from glassgrad.judged import Judgement, judge
    from glassgrad.locale import set_language
    from glassgrad.record import Record
    from glassgrad.report.demo import demo
    from glassgrad.report.shelf import shelf as list
    from glassgrad.report.slips import Slips, slips
    from glassgrad.watched import Watch, watch

# where each name lives: imported at its first use, so that `glassgrad --help` need not wait for torch
_HOMES = {
    "Comparison": "comparison",
    "compare": "comparison",
    "DataError": "errors",
    "ExperimentError": "errors",
    "FormulaError": "errors",
    "GlassgradError": "errors",
    "Estimates": "estimated",
    "estimators": "estimated",
    "Experiment": "experiment",
    "Judgement": "judged",
    "judge": "judged",
    "demo": "report.demo",
    "export": "exports",
    "derivative": "formula",
    "latex": "formula",
    "parse": "formula",
    "show": "formula",
    "set_language": "locale",
    "Record": "record",
    "list": "report.shelf:shelf",
    "Slips": "report.slips",
    "slips": "report.slips",
    "Watch": "watched",
    "watch": "watched",
    "rl": "rl",
}

__all__ = [
    "Comparison",
    "DataError",
    "Estimates",
    "Experiment",
    "ExperimentError",
    "FormulaError",
    "GlassgradError",
    "Judgement",
    "Record",
    "Slips",
    "Watch",
    "compare",
    "demo",
    "derivative",
    "estimators",
    "export",
    "judge",
    "latex",
    "list",
    "parse",
    "rl",
    "set_language",
    "show",
    "slips",
    "watch",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'glassgrad' has no attribute '{name}'")
    from importlib import import_module

    module, _, attribute = _HOMES[name].partition(":")
    home = import_module(f"glassgrad.{module}")
    found = home if name == module else getattr(home, attribute or name)
    globals()[name] = found
    return found


def __dir__() -> Any:
    return sorted([*__all__, "__version__"])
