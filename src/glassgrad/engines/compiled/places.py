"""Questions as places in the domain, made of drawn numbers and looked up, sixteen at a time where that can be."""

from collections.abc import Sequence
from typing import Any

from llvmlite import ir

from glassgrad.engines.compiled.arithmetic import whole
from glassgrad.engines.compiled.streams import LANES, WIDE
from glassgrad.engines.compiled.vector import POINTER, Code, Vector
from glassgrad.engines.compiled.words import Word, Words, loop, word

WORD = ir.VectorType(ir.IntType(32), LANES)


def add_places(code: Code, count: Word, numbers: Words, places: Words, strides: Sequence[int]) -> None:
    """places[i] += Σ_k numbers[i*len(strides) + k]*strides[k], in whole vectors: all arrays have room for that."""
    every, at = len(strides), code.at
    with loop(code, count, step=LANES) as i:
        read = [code.words(numbers.address, ((i * every) + LANES * k).ir, LANES) for k in range(every)]
        place = code.words(places.address, i.ir, LANES)
        for k, stride in enumerate(strides):
            place = at.add(place, at.mul(_column(code, read, k), whole(WORD, stride)))
        code.store_word(places.address, i.ir, place)


def look_up(code: Code, count: Word, places: Words, values: Any, target: Any) -> None:
    """target[q] = values[places[q]]."""
    many = word(code, 0)
    if WIDE and code.form.single:
        many = count & -LANES
        with loop(code, many, step=LANES) as q:
            code.store(target, q.ir, _gathered(code, values, code.words(places.address, q.ir, LANES)))
    with loop(code, count, many) as q:
        code.store(target, q.ir, code.load(values, places[q].to(64).ir, 1))


def _column(code: Code, rows: Sequence[Any], k: int) -> Any:
    """Every len(rows)-th of the words that stand in some vectors, from the k-th on."""
    found, every = rows[0], len(rows)
    for row, vector in enumerate(rows):
        wanted = [lane * every + k - row * LANES for lane in range(LANES)]
        order = [LANES + w if 0 <= w < LANES else lane for lane, w in enumerate(wanted)]
        found = code.at.shuffle_vector(found, vector, ir.Constant(WORD, order))
    return found


def _gathered(code: Code, values: Any, places: Any) -> Vector:
    kind, mask = ir.VectorType(code.form.kind, LANES), ir.VectorType(ir.IntType(1), LANES)
    arguments = [kind, POINTER, WORD, mask, ir.IntType(32)]
    gather = code.function_of("llvm.x86.avx512.mask.gather.dps.512", kind, arguments)
    every, size = ir.Constant(mask, [1] * LANES), ir.Constant(ir.IntType(32), code.form.size)
    return Vector(code, code.at.call(gather, [ir.Constant(kind, None), values, places, every, size]))
