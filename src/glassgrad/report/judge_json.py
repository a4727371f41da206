"""The verdict on a training as JSON: one object; what is not finite, or does not apply, is None."""

import math
from typing import Any

import numpy as np

from glassgrad.draws import Floats
from glassgrad.judged import Judgement
from glassgrad.rl.judge.forecast import Share
from glassgrad.rl.judge.objectives import Fit
from glassgrad.rl.judge.several import Several
from glassgrad.statistics import Interval


def judge_json(found: Judgement) -> dict[str, Any]:
    """The verdict, the evidence, the profile, where it leads."""
    plain: dict[str, Any] = _plain(
        {
            "name": found.name,
            "question": found.question,
            "truth": found.truth,
            "verdict": found.verdict,
            "sources": list(found.sources),
            "arrives": found.arrives,
            "objectives": [_objective(fit) for fit in found.objectives],
            "climbed": [vars(piece) for piece in found.climbed.pieces],
            "unbounded_at": list(found.climbed.unbounded(found.profile.axis)),
            "evidence": [
                {"letter": one.letter, "outcome": one.outcome, "holds": one.holds, "numbers": one.numbers}
                for one in found.evidence
            ],
            "profile": _profile(found),
            "fixed_points": [
                {"output": point.at, "kind": point.kind, "standard_error": point.error, "right": right}
                for point, right in zip(found.points, found.right, strict=True)
            ],
            "basins": [
                {"low": one.low, "high": one.high, "goal": None if one.goal is None else one.goal.at}
                for one in found.basins
            ],
            "start": found.start,
            "goal": found.goal,
            "forecast": _forecast(found),
            "held": found.held,
            "outputs": None if found.several is None else _several(found.several),
            "critics": [vars(critic) for critic in found.critics],
        }
    )
    return plain


def _several(seen: Several) -> dict[str, Any]:
    """All outputs at each place; slopes of what has a name for those that decide the answer."""
    slopes = {name: rows for name, rows in seen.slopes.items() if rows is not None}
    return {
        "names": list(seen.outputs),
        "policy": list(seen.policy),
        "perturbed": seen.perturbed,
        "places": [
            {
                "seed": place.seed,
                "trained": place.trained,
                "step": place.step,
                "around": place.around,
                "outputs": dict(place.outputs),
                "update": dict(zip(seen.outputs, map(float, seen.mean[i]), strict=True)),
                "standard_error": dict(zip(seen.outputs, map(float, seen.error[i]), strict=True)),
                "expected_reward": None if seen.reward is None else float(seen.reward[i]),
                "slopes": {
                    name: dict(zip(seen.policy, map(float, rows[i]), strict=True)) for name, rows in slopes.items()
                },
            }
            for i, place in enumerate(seen.places)
        ],
    }


def _objective(fit: Fit) -> dict[str, Any]:
    return {
        "name": fit.objective.name,
        "reading": fit.objective.reading._asdict(),
        "factors": list(fit.factors),
        "standard_errors": list(fit.errors),
        "residual": fit.residual,
        "p_value": fit.p_value,
    }


def _profile(found: Judgement) -> dict[str, Any]:
    profile = found.profile
    rows: dict[str, Floats | None] = {"expected_reward": profile.reward, "expected_reward_slope": profile.slope}
    return {
        "output": profile.o,
        "update": profile.mean,
        "standard_error": profile.error,
        **{name: None if row is None else row.mean(axis=0) for name, row in rows.items()},
        "climbed": {"output": found.climbed.o, "value": found.climbed.value},
    }


def _forecast(found: Judgement) -> dict[str, Any] | None:
    told = found.forecast
    if told is None:
        return None
    return {
        "shares": [_share(share) for share in told.shares],
        "failures_predicted": told.failures,
        "failures_measured": _interval(told.failed),
        "initial_networks": told.drawn,
        "questions": told.questions,
        "runs": told.runs,
        "diverged": told.diverged,
    }


def _share(share: Share) -> dict[str, Any]:
    return {
        "low": share.low,
        "high": share.high,
        "goal": share.goal,
        "right": share.right,
        "predicted": share.predicted,
        "measured": _interval(share.measured),
        "gap": share.gap,
        "p_value": share.p_value,
        "held": share.held,
    }


def _interval(found: Interval | None) -> dict[str, float] | None:
    return None if found is None else found._asdict()


def _plain(value: Any) -> Any:
    """As JSON has it: lists for arrays, None for what is not finite."""
    if isinstance(value, np.ndarray):
        return [_plain(float(number)) for number in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


__all__ = ["judge_json"]
