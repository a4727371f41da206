"""The offline page of one or several watched runs."""

from collections.abc import Sequence
from typing import Any

from glassgrad import __version__
from glassgrad.locale import language
from glassgrad.report.by_reward import ByReward
from glassgrad.report.by_reward_json import by_reward_json
from glassgrad.report.claims import Claim
from glassgrad.report.feedback import Feedback, feedback
from glassgrad.report.html import html
from glassgrad.report.labels_and_reward import LabelsAndReward, asked_outside, ranges, reading
from glassgrad.report.watch_json import dataclass_json, finite, watch_json
from glassgrad.watched import Watch


def page(
    watches: Sequence[Watch],
    table: Sequence[Feedback] | None = None,
    claims: Sequence[Claim] = (),
    labels: LabelsAndReward | None = None,
    reward: ByReward | None = None,
) -> str:
    """One self-contained HTML file: the runs, the kinds of feedback, labels against reward, by reward, the claims."""
    rows = feedback() if table is None else table
    return html(
        {
            "version": __version__,
            "language": language(),
            "watches": [watch_json(run) for run in watches],
            "feedback": [finite(dataclass_json(row)) for row in rows],
            "labels": None if labels is None else labels_json(labels),
            "reward": None if reward is None or labels is None else by_reward_json(reward, labels),
            "claims": [finite(dataclass_json(claim)) for claim in claims],
        }
    )


def labels_json(found: LabelsAndReward) -> dict[str, Any]:
    """Labels against reward, as the page reads it."""
    inside, outside = ranges(found)
    return {
        "runs": found.comparison.asked,
        "seconds": found.seconds,
        "inside": inside,
        "outside": outside,
        "asked": asked_outside(found)._asdict(),
        "reading": reading(found)._asdict(),
        "rows": found.to_json(),
    }
