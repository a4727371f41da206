"""A method: an experiment's formulas, read, named and checked for whether they fit together."""

from glassgrad.method.model import CONSTANT, TRIED, Formula, Method, check_one_output
from glassgrad.method.read import method, of_any_seed, task_of

__all__ = ["CONSTANT", "TRIED", "Formula", "Method", "check_one_output", "method", "of_any_seed", "task_of"]
