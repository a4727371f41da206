"""A comparison as JSON: a list of rows."""

import math
from typing import Any

from glassgrad.comparison import Camp, Comparison, Row
from glassgrad.locale import Text
from glassgrad.statistics import Interval
from glassgrad.why import Why


def compare_json(comparison: Comparison, causes: tuple[Why, ...] | None = None) -> list[dict[str, Any]]:
    """One object an experiment; what is not finite, or does not apply, is None.

    asked: how many runs it should have had; stopped: whether it has fewer. Of an experiment that was not begun when
    all was stopped there is the name alone.
    """
    found = [row_json(row) for row in comparison.rows]
    for row, why in zip(found, causes or (), strict=bool(causes)):
        row["why"] = plain([cause.to_json() for cause in why.causes])
        row |= {"why_stopped": why.stopped, "why_unsorted": why.unsorted}
    found += [dict.fromkeys(found[0]) | {"name": name, "runs": 0, "solved": 0} for name in comparison.missing]
    for row in found:
        row |= {"asked": comparison.asked, "stopped": row["runs"] < comparison.asked}
    return found


def row_json(row: Row) -> dict[str, Any]:
    """One row."""
    found: dict[str, Any] = plain(_row(row))
    return found


def _row(row: Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "runs": row.runs,
        "solved": row.solved,
        "rate": row.rate.value,
        "low": row.rate.low,
        "high": row.rate.high,
        "ever_solved": row.ever_solved,
        "median_error": row.median_error.value,
        "median_error_low": row.median_error.low,
        "median_error_high": row.median_error.high,
        "iqm": row.iqm.value,
        "iqm_low": row.iqm.low,
        "iqm_high": row.iqm.high,
        "median_steps_to_solve": row.steps.value,
        "steps_low": row.steps.low,
        "steps_high": row.steps.high,
        "improvement": None if row.better is None else _interval(row.better),
        "p_value": row.p_value,
        "two_camps": None if row.camps is None else [_camp(camp) for camp in row.camps],
        "diverged": row.diverged,
        "dead": row.dead,
        "seconds": row.seconds,
    }


def _interval(interval: Interval) -> dict[str, float]:
    return {"probability": interval.value, "low": interval.low, "high": interval.high}


def _camp(camp: Camp) -> dict[str, Any]:
    return {
        "share": camp.share,
        "count": camp.count,
        "error": camp.error,
        "answer": camp.answer,
        "seed": camp.seed,
    }


def plain(value: Any) -> Any:
    """As JSON has it: None for what is not finite. (That of a watched run would load PyTorch first.)"""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Text):
        return value._asdict()
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list) else value
