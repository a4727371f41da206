"""The offline page of one or several watched runs."""

from collections.abc import Sequence

from glassgrad import __version__
from glassgrad.locale import language
from glassgrad.report.claims import Claim
from glassgrad.report.feedback import Feedback, feedback
from glassgrad.report.html import html
from glassgrad.report.watch_json import dataclass_json, finite, watch_json
from glassgrad.watched import Watch


def page(watches: Sequence[Watch], table: Sequence[Feedback] | None = None, claims: Sequence[Claim] = ()) -> str:
    """One self-contained HTML file: the runs, the kinds of feedback, the claims with their verdicts."""
    rows = feedback() if table is None else table
    return html(
        {
            "version": __version__,
            "language": language(),
            "watches": [watch_json(run) for run in watches],
            "feedback": [finite(dataclass_json(row)) for row in rows],
            "claims": [finite(dataclass_json(claim)) for claim in claims],
        }
    )
