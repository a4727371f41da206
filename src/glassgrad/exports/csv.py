"""A run's curves as CSV: one row a step, one column a number."""

import csv
import io
from collections.abc import Iterator

from glassgrad.network import gradient_name
from glassgrad.record import Record


def csv_text(record: Record) -> str:
    """step, loss, reward, every weight and bias, every gradient; all before the update of that step.

    The last row holds the weights and biases after the last update. What was not kept is empty.

    Example:
        >>> from glassgrad.engines.torch import train
        >>> from glassgrad.tables.experiments import shipped
        >>> csv_text(train(shipped("knob").change(steps=2))).splitlines()[0]
        'step,loss,reward,W1_1_x1,b1_1,dW1_1_x1,dB1_1'
    """
    places = list(record.method.network.parameters())
    names = [name for name, _, _ in places]
    reward = ["reward"] if record.reward is not None else []
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["step", "loss", *reward, *names, *map(gradient_name, names)])
    writer.writerows(_rows(record, [(array, place) for _, array, place in places]))
    return stream.getvalue()


def _rows(record: Record, places: list[tuple[str, tuple[int, ...]]]) -> Iterator[list[object]]:
    for step in range(1, record.steps + 2):
        there = step <= record.steps
        curves = [record.loss, *([] if record.reward is None else [record.reward])]
        row: list[object] = [step, *(float(curve[step - 1]) if there else "" for curve in curves)]
        kept = record.rows[step]
        for arrays, known in ((record.parameters, kept >= 0), (record.gradients, kept >= 0 and there)):
            row += [float(arrays[name][(kept, *place)]) if known else "" for name, place in places]
        yield row
