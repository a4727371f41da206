"""The picture of one run: its loss and, if it learns by reward, its reward, step by step."""

from typing import TYPE_CHECKING

import numpy as np

from glassgrad.plots import style
from glassgrad.record import Record

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def curve(record: Record) -> "Figure":
    """The loss (on a logarithmic axis where it is positive) and the reward over the steps.

    Example:
        >>> import glassgrad as gg
        >>> len(curve(gg.watch("knob", steps=5).record).axes)
        2
    """
    from matplotlib.figure import Figure

    with style() as said:
        panels = [(said("loss"), record.loss)]
        if record.reward is not None:
            panels.append((said("reward"), record.reward))
        figure = Figure(figsize=(7, 2.6 * len(panels)), layout="constrained")
        steps = np.arange(1, record.steps + 1)
        for axes, (name, values) in zip(np.ravel(figure.subplots(len(panels), 1)), panels, strict=True):
            axes.plot(steps, values, linewidth=1.2)
            axes.set_ylabel(name)
            axes.set_xlabel(said("step"))
            if len(values) and np.nanmin(values) > 0:
                axes.set_yscale("log")
        figure.suptitle(f"{record.experiment.name}, {said('seed')} {record.experiment.seed}")
        return figure
