"""The table through which machine code finds everything: addresses of arrays and whole numbers, by name."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassgrad.engines.compiled.vector import POINTER, Code
from glassgrad.engines.compiled.words import Word, Words

ARRAYS = {
    "H": "constants of the formulas, a row a step", "HO": "those of the optimizer's",
    "places": "where each drawn number is", "low": "and from where it is drawn", "width": "and how far",
    "first": "learned numbers that are not drawn", "states": "first values of the optimizer's states",
    "program": "first values of the objective's", "DX": "all questions' inputs", "DT": "and their truth",
    "EX": "an evaluation's inputs", "ET": "truth", "EC": "and weights", "fixed": "places of given rows",
    "marks": "steps after which errors are measured", "tolerance": "below which an answer is right",
    "keep": "what a unit that is not dropped is multiplied with",
    "seeds": "of the runs", "keys": "words for noise, uniform numbers, dropout, minibatches",
    "key": "those of this run", "out": "a row a run",
    "curves": "mean errors at the marks", "history": "every number of a run", "stop": "not 0: stop",
    "twister": "the stream of questions", "numbers": "drawn numbers", "drawn": "drawn questions",
    "order": "a pass's order", "chosen": "a minibatch", "X": "a step's inputs", "T": "truth", "C": "weights",
    "P": "learned numbers", "G": "gradient", "M": "the optimizer's states", "ST": "the objective's",
    "NOISE": "normal numbers", "UNIFORM": "uniform ones", "KEEP": "what is kept",
    "OLD": "the values of old(…)", "OUT": "loss, or errors",
    "ROOM": "the kernel's own", "Q": "runs made of moments", "before": "their numbers at the last mark",
    "GX": "their inputs", "GT": "truth", "GC": "weights", "XT": "features", "XM": "and 1 over their sum",
}  # fmt: skip
NUMBERS = {
    "samples": "of a run", "asked": "questions that are drawn", "group": "answers to each",
    "passes": "over the same data", "seen": "of a step", "room": "of a step, filled up", "steps": "of a run",
    "dropped": "a unit is dropped where its word is below", "marked": "marks", "evaluated": "an evaluation's questions",
    "traced": "runs whose curve is kept", "recorded": "whether history is kept", "fixed_count": "given rows",
    "drawn_count": "numbers that are drawn", "constants": "in a row of H", "rates": "in a row of HO",
    "domain": "all questions", "whole": "whether sums of features are exact, however long they are kept",
}  # fmt: skip
LINE = 64  # bytes
PLACES = {name: i for i, name in enumerate((*ARRAYS, *NUMBERS))}


class Table:
    """The table inside of a function."""

    def __init__(self, code: Code) -> None:
        self.code, self.words = code, Words(code, code["TABLE"], 64)

    def number(self, name: str) -> Word:
        """A whole number."""
        return self.words[PLACES[name]]

    def address(self, name: str) -> Any:
        """The address of an array."""
        return self.code.at.inttoptr(self.words[PLACES[name]].ir, POINTER)

    def of(self, name: str, bits: int) -> Words:
        """An array of whole numbers."""
        return Words(self.code, self.address(name), bits)


def aligned(array: NDArray[Any]) -> NDArray[Any]:
    """A copy that begins with a line of the processor's cache, so that no vector lies across two of them."""
    room = np.empty(array.nbytes + LINE, np.uint8)
    first = -room.ctypes.data % LINE
    found = room[first : first + array.nbytes].view(array.dtype).reshape(array.shape)
    found[...] = array
    return found


def table(arrays: Mapping[str, NDArray[Any]], numbers: Mapping[str, int]) -> NDArray[np.int64]:
    """The table as the host writes it; whoever calls machine code with it has to keep the arrays."""
    found = np.zeros(len(PLACES), np.int64)
    for name, array in arrays.items():
        assert array.flags.c_contiguous, name
        found[PLACES[name]] = array.ctypes.data
    for name, number in numbers.items():
        found[PLACES[name]] = int(number)
    return found
