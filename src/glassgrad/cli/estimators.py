"""`glassgrad estimators`: estimators of the policy gradient beside the exact one: tables, JSON, a page, a picture."""

import json
from collections.abc import Sequence
from typing import Any

from glassgrad.cli.terminal import check_file, parts, progress, tell, write
from glassgrad.errors import ExperimentError
from glassgrad.estimated import Estimates
from glassgrad.estimated import estimators as estimated
from glassgrad.locale import say
from glassgrad.plots import ENDINGS
from glassgrad.report.estimators_text import estimators_parts

FORMATS = ("text", "json", "html")


def run(
    name: str | None,
    *,
    step: int | None,
    mu: float | None,
    sigma: float | None,
    logits: str | None,
    samples: int,
    form: str,
    plot: Sequence[str],
    out: str | None,
    settings: dict[str, Any],
) -> None:
    """Estimate, hold against the exact gradient, show; what cannot be written is refused before."""
    if form not in FORMATS:
        raise ExperimentError("experiment.choice", setting="--format", known=", ".join(FORMATS), came=form)
    for file in plot:
        check_file("--plot", file, ENDINGS)
    with progress(say("estimators.estimating")) as tick:
        found = estimated(
            name, step=step, mu=mu, sigma=sigma, logits=logits, samples=samples, progress=tick, **settings
        )
    if form == "text" and out is None:
        parts(found.to_text, estimators_parts(found))
    else:
        write(_formatted(found, form), out)
    for file in plot:
        found.plot(file)
        tell(say("cli.written", file=file))


def _formatted(found: Estimates, form: str) -> str:
    if form == "json":
        return json.dumps(found.to_json(), ensure_ascii=False, allow_nan=False)
    return found.to_html() if form == "html" else found.to_text()
