"""Estimators beside the exact gradient as JSON: a list of rows."""

import math
from typing import Any

from glassgrad.estimated import Estimates
from glassgrad.rl.estimate import Column, Estimate


def estimators_json(found: Estimates) -> list[dict[str, Any]]:
    """One object an estimator; what is not finite, or does not apply, is None.

    exact, mean, …: of d/dmu for one question with a normal answer, else along the exact gradient.
    """
    return [_plain(_row(found, one)) for one in found.estimates]


def leading(found: Estimates, one: Estimate) -> Column:
    """What an estimator is judged by first: d/dmu, or the projection on the exact gradient."""
    return one.columns[0] if found.normal_question else one.along


def _row(found: Estimates, one: Estimate) -> dict[str, Any]:
    row = one.estimator
    return {
        "estimator": row.name,
        "samples": one.samples,
        **_numbers(leading(found, one)),
        "cosine": one.cosine,
        "answers_for_ten_percent": one.needed,
        "verdict": one.verdict,
        "kind": row.kind,
        "claim": row.claim._asdict(),
        "reading": row.reading._asdict(),
        "objective": row.objective,
        "formula": one.formula,
        "source": row.source,
        "reward_evaluations": one.rewards,
        "derivative_evaluations": one.derivatives,
        "seconds": one.seconds,
        "parameters": [
            {"name": name, **_numbers(column)} for name, column in zip(one.parameters, one.columns, strict=True)
        ],
    }


def _numbers(column: Column) -> dict[str, float | None]:
    return {
        "exact": column.exact,
        "mean": column.mean,
        "standard_error": column.standard_error,
        "z": column.z,
        "variance": column.variance,
        "bias": column.bias,
        "scale": column.scale,
        "carrying": column.carrying,
    }


def _plain(value: Any) -> Any:
    """As JSON has it: None for what is not finite."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


__all__ = ["estimators_json", "leading"]
