"""Learning by reward as JSON, as the page reads it; texts in both languages."""

from typing import Any

from glassgrad.locale import Text
from glassgrad.report import by_reward as parts
from glassgrad.report import by_reward_tools as measured
from glassgrad.report.by_reward import EXPERIMENT, STEP, ByReward
from glassgrad.report.by_reward_tools import Estimated
from glassgrad.report.labels_and_reward import LabelsAndReward
from glassgrad.report.watch_json import dataclass_json, finite
from glassgrad.rl.estimate import Column


def by_reward_json(found: ByReward, labels: LabelsAndReward) -> dict[str, Any]:
    """One object; what is not finite is None."""
    plain: dict[str, Any] = finite(
        {
            "experiment": EXPERIMENT,
            "step": STEP,
            "seed": found.run.experiment.seed,
            "seen": [dataclass_json(row) for row in parts.seen(found)],
            "policy": parts.curve(found),
            "told": [dataclass_json(one) for one in parts.told(found)],
            "moves": parts.moves(found),
            "ways": parts.ways(found),
            "checked": found.run.check.passed,
            "about": measured.about(found),
            "exact": [float(one.exact[0]) for one in (found.smooth, found.stepped)],
            "estimators": [_estimated(one) for one in measured.estimated(found)],
            "reading": measured.reading(found),
            "asked": measured.asked(found),
            "verdicts": [dataclass_json(one) for one in measured.verdicts(found)],
            "tools": [dataclass_json(one) for one in measured.tools(found, labels)],
            "settings": measured.settings(labels),
        }
    )
    return plain


def _estimated(one: Estimated) -> dict[str, Any]:
    columns = zip((one.smooth, one.stepped), one.verdicts, one.judged, strict=True)
    return {"name": one.name, "reading": one.reading, "columns": [_column(*column) for column in columns]}


def _column(column: Column, verdict: str, said: Text) -> dict[str, Any]:
    numbers = {"mean": column.mean, "standard_error": column.standard_error, "variance": column.variance}
    return {**numbers, "verdict": verdict, "said": said}


__all__ = ["by_reward_json"]
