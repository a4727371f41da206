"""An experiment as JSON: its settings, as they stand."""

import dataclasses
import json

from glassgrad.experiment import Experiment


def json_text(experiment: Experiment) -> str:
    """Every setting of an experiment; what is absent is null.

    Example:
        >>> from glassgrad.tables.experiments import shipped
        >>> json_text(shipped("add")).splitlines()[1]
        '  "name": "add",'
    """
    return json.dumps(dataclasses.asdict(experiment), ensure_ascii=False, indent=2) + "\n"
