"""What is compared: experiments by name, changed by settings, in every combination of the values to try."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from glassgrad.doors import from_keywords, kind_of, unknown
from glassgrad.errors import ExperimentError
from glassgrad.experiment import FIELDS, Experiment
from glassgrad.formula.text import number_text
from glassgrad.method import method
from glassgrad.tables.experiments import EXPERIMENTS
from glassgrad.tables.optimizers import OPTIMIZERS, optimizer
from glassgrad.tables.slips import SLIPS

BARE = ("optimizer", "schedule", "objective", "policy")  # settings whose values name themselves
RATE = "lr"  # the optimizer's learning rate may be varied by itself
FIXED = ("name", "seed")  # what makes no other training, and what all of them share
VARIED = (*(field for field in FIELDS if field not in FIXED), RATE)
MAX_METHODS = 200

Vary = Mapping[str, Any] | Sequence[str]


class Contender(NamedTuple):
    """What is compared: its name, its experiment, and how a command says it.

    base: what the command names; settings: what differs from it. compiled: whether the compiled engine trains it.
    """

    name: str
    experiment: Experiment
    base: str
    settings: Mapping[str, Any]
    varied: tuple[tuple[str, str], ...] = ()
    compiled: bool = True

    def command(self, seed: int) -> str:
        """The command that shows one of its runs, by the same engine; in Python, where a setting has no option.

        Example:
            >>> contenders(["add"], [{"steps": 50}], {})[0].command(7)
            'glassgrad watch add --steps 50 --engine compiled --seed 7'
        """
        import shlex

        engine = {"engine": "compiled"} if self.compiled else {}
        said = {**self.settings, **engine, "seed": seed}
        if None in said.values():
            return f"gg.watch({', '.join([repr(self.base), *(f'{field}={value!r}' for field, value in said.items())])})"
        options = (_option(field, shlex.quote(_said(value))) for field, value in said.items())
        return " ".join(["glassgrad watch", shlex.quote(self.base), *options])


def grid(vary: Vary | None) -> list[dict[str, Any]]:
    """Every combination of the values to try; a comma within brackets does not part two values.

    vary: the values of each setting, {"steps": [10, 50]}, one alone being a list of one; or texts.

    Raises:
        ExperimentError: a setting does not exist, has no values, or cannot be varied.

    Example:
        >>> grid(["optimizer=adam(lr=0.1),sgd", "steps=10"])
        [{'optimizer': 'adam(lr=0.1)', 'steps': 10}, {'optimizer': 'sgd', 'steps': 10}]
    """
    if vary is None:
        return [{}]
    if not isinstance(vary, Mapping):
        pairs = [_written(text) for text in _several(vary)]
        vary = dict(pairs)
        if len(vary) < len(pairs):
            raise ExperimentError("compare.twice", what=", ".join(field for field, _ in pairs))
    lists = {field: _several(values) for field, values in vary.items()}
    for field, values in lists.items():
        if field in FIXED:
            raise ExperimentError(f"compare.{field}_varied")
        if field not in VARIED:
            raise unknown(str(field), VARIED)
        if not values:
            raise ExperimentError("compare.vary", came=f"{field}=")
    return [dict(zip(lists, values, strict=True)) for values in itertools.product(*lists.values())]


def _several(values: Any) -> tuple[Any, ...]:
    """Values as they are listed; a text, or whatever else is no list, is one value."""
    if isinstance(values, str):
        return (values,)
    try:
        return tuple(values)
    except TypeError:
        return (values,)


def _written(text: Any) -> tuple[str, list[Any]]:
    """`steps=10,50` as ("steps", [10, 50])."""
    if not isinstance(text, str):
        raise ExperimentError("compare.vary_python", came=repr(text)[:40])
    field, _, values = text.partition("=")
    field = field.strip().removeprefix("--").replace("-", "_")
    parts = [part.strip() for part in _parts(values)]
    if not field.isidentifier() or not all(parts):
        raise ExperimentError("compare.vary", came=text[:40])
    return field, [_value(field, part) for part in parts]


def _parts(text: str) -> Iterator[str]:
    """The text between commas that stand outside of brackets."""
    depth, since = 0, 0
    for i, sign in enumerate(text):
        depth += (sign in "([{") - (sign in ")]}")
        if sign == "," and depth <= 0:
            yield text[since:i]
            since = i + 1
    yield text[since:]


_YES = {"true": True, "false": False}
_READ: dict[str, Callable[[str], Any]] = {"integer": int, "number": float, "yes": lambda text: _YES[text.lower()]}


def _value(field: str, text: str) -> Any:
    """The value of a setting that is no text; one that cannot be read is refused later, as any setting is."""
    kind = "number" if field == RATE else kind_of(field) if field in FIELDS else "text"
    try:
        return _READ[kind](text) if kind in _READ else text
    except (KeyError, ValueError):
        return text


def contenders(
    names: Sequence[str | Experiment], cells: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]
) -> tuple[Contender, ...]:
    """Each experiment with each combination of settings, by a name of its own.

    Raises:
        ExperimentError: two are the same, there are too many, or something does not fit together.
    """
    both = next((field for field in settings if any(field in cell for cell in cells)), None)
    if both is not None:
        raise ExperimentError("compare.both", setting=both)
    found = [_contender(name, cell, settings) for name in names for cell in cells]
    seen = [contender.name for contender in found]
    twice = next((name for name in seen if seen.count(name) > 1), None)
    if twice is not None:
        same = len({contender.experiment for contender in found if contender.name == twice}) == 1
        raise ExperimentError("compare.twice" if same else "compare.same_name", what=twice)
    if len(found) > MAX_METHODS:
        raise ExperimentError("compare.too_many", count=len(found), most=MAX_METHODS)
    return tuple(found)


def _contender(name: str | Experiment, cell: Mapping[str, Any], settings: Mapping[str, Any]) -> Contender:
    changes = {field: value for field, value in {**settings, **cell}.items() if field != RATE}
    experiment = from_keywords(name, **changes)
    if RATE in cell:
        changes["optimizer"] = with_rate(experiment.optimizer, cell[RATE])
        experiment = experiment.change(optimizer=changes["optimizer"])
    method(experiment)  # what does not fit together is refused before anything is trained
    varied = tuple((field, _said(value)) for field, value in cell.items())
    title = " ".join([experiment.name, *(f"{field}={value}" for field, value in varied)])
    return Contender(title, experiment, *_named(name, experiment), varied)


def _named(name: str | Experiment, experiment: Experiment) -> tuple[str, dict[str, Any]]:
    """What a command can name, and the settings in which the experiment differs from it."""
    if isinstance(name, Experiment):  # only what ships has a name that a command knows
        name = name.name if name.name in EXPERIMENTS or name.name in SLIPS else "add"
    base = from_keywords(name)
    differ = (field for field in FIELDS if getattr(experiment, field) != getattr(base, field))
    return name, {field: getattr(experiment, field) for field in differ if field not in ("name", "seed")}


def with_rate(asked: str, rate: float | str) -> str:
    """An optimizer with another learning rate.

    Raises:
        ExperimentError: it is written in lines of its own, or has no learning rate.

    Example:
        >>> with_rate("adam(lr=0.1, beta1=0.5)", 0.01)
        'adam(lr=0.01, beta1=0.5)'
    """
    row = optimizer(asked)
    if row is None or RATE not in row.numbers:
        raise ExperimentError("compare.no_rate", optimizer=asked[:40])
    usual = OPTIMIZERS[row.name].numbers
    own = {key: number_text(value) for key, value in row.numbers.items() if value != usual[key] and key != RATE}
    said = [f"{key}={value}" for key, value in ({RATE: _said(rate)} | own).items()]
    return f"{row.name}({', '.join(said)})"


def _said(value: Any) -> str:
    """A setting as the command line has it: a network as 2-5-1, true and false in small letters."""
    if isinstance(value, float):
        return number_text(float(value))
    said = "-".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
    return said.lower() if said in ("True", "False") else said  # NumPy's, too


def _option(field: str, value: str) -> str:
    """A setting as an option: --steps 10, --fresh, --no-fresh."""
    name = field.replace("_", "-")
    if field in FIELDS and kind_of(field) == "yes":
        return f"--{name}" if _YES[value] else f"--no-{name}"
    return f"--{name} {value}"
