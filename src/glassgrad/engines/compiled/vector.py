"""Vectors of numbers as Python values: operators on them write the machine's instructions.

A `Vector` stands for the same quantity of 16 samples at once (8 in double precision), a `Vector` of width 1 for one
number. What is computed with them is written down as LLVM's intermediate language, and compiled later.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir

FAST = ("reassoc", "contract", "nsz", "arcp", "afn")  # not nnan, not ninf: a run that diverges must be seen
ESTIMATED = 16 if llvm.get_host_cpu_features().get("avx512f") else 0  # numbers whose reciprocal is estimated at once
ESTIMATES = '"reciprocal-estimates"="vec-sqrtf,vec-divf"'  # one step of Newton's method, where it is quicker
INDEX = ir.IntType(64)
POINTER = ir.PointerType()


@dataclass(frozen=True)
class Form:
    """A precision, and how many numbers a vector holds."""

    precision: str

    @property
    def single(self) -> bool:
        return self.precision == "single"

    @property
    def kind(self) -> ir.Type:
        return ir.FloatType() if self.single else ir.DoubleType()

    @property
    def dtype(self) -> Any:
        """The precision as NumPy calls it."""
        return np.float32 if self.single else np.float64

    @property
    def lanes(self) -> int:
        """Numbers in 512 bits; narrower machines take two or four registers for a vector."""
        return 16 if self.single else 8

    @property
    def size(self) -> int:
        """Bytes of a number."""
        return 4 if self.single else 8

    def whole(self, count: int) -> int:
        """The next multiple of a vector's length."""
        return -(-count // self.lanes) * self.lanes


class Code:
    """The function that is being written: where instructions go, and how loops and memory are made."""

    def __init__(self, module: ir.Module, form: Form, name: str, arguments: Sequence[str], result: Any = None) -> None:
        """arguments: names; those in lower case are whole numbers, the others addresses of arrays."""
        self.form = form
        kinds = [INDEX if name.islower() else POINTER for name in arguments]
        self.function = ir.Function(module, ir.FunctionType(result or ir.VoidType(), kinds), name)
        set.add(self.function.attributes, ESTIMATES)  # llvmlite checks the names that it knows, and does not know this
        self.function.attributes.add("noinline")  # each is compiled once
        set.add(self.function.attributes, '"stackrealign"')  # what waits on the stack lies in whole lines of the cache
        for argument in self.function.args:
            if argument.type == POINTER:
                argument.add_attribute("noalias")
        self.arguments = dict(zip(arguments, self.function.args, strict=True))
        self.entry = ir.IRBuilder(self.function.append_basic_block("entry"))
        self.at = ir.IRBuilder(self.function.append_basic_block("body"))
        self.flags: tuple[str, ...] = FAST

    def __getitem__(self, name: str) -> Any:
        return self.arguments[name]

    def close(self, result: Any = None) -> None:
        """The end of the function."""
        if result is None:
            self.at.ret_void()
        else:
            self.at.ret(result)
        self.entry.branch(self.function.basic_blocks[1])

    # numbers -----------------------------------------------------------------------------------------------------

    def number(self, value: float, width: int | None = None) -> Vector:
        """A constant, the same in every lane."""
        width = self.form.lanes if width is None else width
        one = ir.Constant(self.form.kind, float(value))
        return Vector(self, one if width == 1 else ir.Constant(ir.VectorType(self.form.kind, width), [one] * width))

    def lanes(self, values: Sequence[float]) -> Vector:
        """A vector of constants."""
        numbers = [ir.Constant(self.form.kind, float(value)) for value in values]
        return Vector(self, ir.Constant(ir.VectorType(self.form.kind, len(values)), numbers))

    # memory ------------------------------------------------------------------------------------------------------

    def place(self, array: Any, index: Any) -> Any:
        """The address of array[index]."""
        return self.at.gep(array, [_index(index)], source_etype=self.form.kind)

    def load(self, array: Any, index: Any, width: int | None = None) -> Vector:
        """array[index : index + width]; a whole vector if not told."""
        width = self.form.lanes if width is None else width
        kind = self.form.kind if width == 1 else ir.VectorType(self.form.kind, width)
        found = self.at.load(self.place(array, index), typ=kind, align=self.form.size)
        return Vector(self, found)

    def store(self, array: Any, index: Any, value: Vector) -> None:
        """array[index …] = value."""
        self.at.store(value.ir, self.place(array, index), align=self.form.size)

    def spread(self, array: Any, index: Any) -> Vector:
        """array[index] in every lane."""
        return self.load(array, index, 1).spread()

    def variable(self, start: Vector) -> Variable:
        """A number that loops may change."""
        found = Variable(self, self.entry.alloca(start.ir.type))
        found.set(start)
        return found

    def counter(self, start: Any) -> Any:
        """A place for a whole number."""
        room = self.entry.alloca(INDEX)
        self.at.store(_index(start), room)
        return room

    def words(self, array: Any, index: Any, width: int) -> Any:
        """Whole numbers of 32 bits: array[index : index + width]."""
        kind = ir.VectorType(ir.IntType(32), width) if width > 1 else ir.IntType(32)
        place = self.at.gep(array, [_index(index)], source_etype=ir.IntType(32))
        return self.at.load(place, typ=kind, align=4)

    def store_word(self, array: Any, index: Any, word: Any) -> None:
        """array[index] = word."""
        self.at.store(word, self.at.gep(array, [_index(index)], source_etype=ir.IntType(32)), align=4)

    # control -----------------------------------------------------------------------------------------------------

    @contextmanager
    def loop(self, end: Any, start: Any = 0, step: int = 1) -> Iterator[Any]:
        """for i in range(start, end, step); start < end is tested first."""
        room = self.counter(start)
        head, body, after = (self.function.append_basic_block(name) for name in ("head", "loop", "after"))
        self.at.branch(head)
        self.at.position_at_end(head)
        i = self.at.load(room, typ=INDEX)
        self.at.cbranch(self.at.icmp_signed("<", i, _index(end)), body, after)
        self.at.position_at_end(body)
        yield i
        self.at.store(self.at.add(i, _index(step)), room)
        self.at.branch(head)
        self.at.position_at_end(after)

    @contextmanager
    def unseen(self, *names: str, by: Any) -> Iterator[None]:
        """In a loop whose counter is `by`: LLVM does not see that these arrays stay what they are.

        So a number is an operand of the instruction that needs it. Else all would be spread over vectors before the
        loop, and there are more of them than registers.
        """
        before, kind = self.arguments, ir.FunctionType(POINTER, [POINTER, INDEX])
        hidden = {name: self.at.asm(kind, "", "=r,0,r", [self[name], by], side_effect=False) for name in names}
        self.arguments = {**before, **hidden}
        yield
        self.arguments = before

    @contextmanager
    def in_order(self) -> Iterator[None]:
        """Sums that follow are made as they are written: LLVM would put several short chains into one long one."""
        before, self.flags = self.flags, ("contract", "nsz", "arcp", "afn")
        yield
        self.flags = before

    @contextmanager
    def quick(self) -> Iterator[None]:
        """What follows need not tell infinity from NaN: division by an estimate and a step of Newton's method."""
        before, self.flags = self.flags, (*FAST, "ninf")
        yield
        self.flags = before

    def function_of(self, name: str, result: Any, arguments: Sequence[Any]) -> Any:
        """A function from outside of the module, declared once."""
        module = self.at.module
        return module.globals.get(name) or ir.Function(module, ir.FunctionType(result, list(arguments)), name)

    def call(self, name: str, *arguments: Any) -> Any:
        """Call a function of the module."""
        return self.at.call(self.at.module.get_global(name), list(arguments))


class Variable:
    """A number in memory that the compiler will keep in a register."""

    def __init__(self, code: Code, room: Any) -> None:
        self.code, self.room = code, room

    def get(self) -> Vector:
        return Vector(self.code, self.code.at.load(self.room, typ=self.room.allocated_type))

    def set(self, value: Vector) -> None:
        self.code.at.store(value.ir, self.room)

    def add(self, value: Vector) -> None:
        self.set(self.get() + value)


class Vector:
    """One quantity of many samples (or, of width 1, one number): `+ - * /` write instructions."""

    def __init__(self, code: Code, value: Any) -> None:
        self.code, self.ir = code, value

    @property
    def width(self) -> int:
        return self.ir.type.count if isinstance(self.ir.type, ir.VectorType) else 1

    def like(self, other: Vector | float) -> Vector:
        """Another number, at least as wide as this one."""
        if not isinstance(other, Vector):
            return self.code.number(other, self.width)
        return other if other.width >= self.width else other.spread(self.width)

    def pair(self, other: Vector | float) -> tuple[Vector, Vector]:
        """Both, in the width of the wider."""
        right = self.like(other)
        return right.like(self), right

    def _binary(self, name: str, other: Vector | float) -> Vector:
        left, right = self.pair(other)
        return Vector(self.code, getattr(self.code.at, name)(left.ir, right.ir, flags=self.code.flags))

    def __add__(self, other: Vector | float) -> Vector:
        return self._binary("fadd", other)

    def __sub__(self, other: Vector | float) -> Vector:
        return self._binary("fsub", other)

    def __mul__(self, other: Vector | float) -> Vector:
        return self._binary("fmul", other)

    def __truediv__(self, other: Vector | float) -> Vector:
        if "ninf" in self.code.flags and isinstance(other, Vector) and other.width == ESTIMATED:
            return self * other._reciprocal()
        return self._binary("fdiv", other)

    def _reciprocal(self) -> Vector:
        """1/self: the processor's estimate of 14 bits, and a step of Newton's method; NaN of 0 and infinity."""
        mask, nothing = ir.Constant(ir.IntType(16), -1), ir.Constant(self.ir.type, None)
        estimate = self._call("llvm.x86.avx512.rcp14.ps.512", self.ir.type, [self.ir, nothing, mask], ())
        return estimate * (2 - self * estimate)

    def __rsub__(self, other: float) -> Vector:
        return self.like(other) - self

    def __rtruediv__(self, other: float) -> Vector:
        return self.like(other) / self

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self) -> Vector:
        return Vector(self.code, self.code.at.fneg(self.ir, flags=FAST))

    def compare(self, sign: str, other: Vector | float, ordered: bool = True) -> Any:
        """A condition for every lane; with NaN it fails, or holds if not `ordered`."""
        left, right = self.pair(other)
        fcmp = self.code.at.fcmp_ordered if ordered else self.code.at.fcmp_unordered
        return fcmp(sign, left.ir, right.ir)

    def where(self, condition: Any, otherwise: Vector | float) -> Vector:
        """self where the condition holds."""
        left, right = self.pair(otherwise)
        width = condition.type.count if isinstance(condition.type, ir.VectorType) else 1
        if width > left.width:
            left, right = left.spread(width), right.spread(width)
        return Vector(self.code, self.code.at.select(condition, left.ir, right.ir))

    def intrinsic(self, name: str, *others: Vector, flags: Sequence[str] = FAST) -> Vector:
        """A function that LLVM knows: sqrt, fabs, rint, pow, …"""
        arguments = [self.ir, *(other.ir for other in others)]
        return self._call(f"llvm.{name}.{_suffix(self.ir.type)}", self.ir.type, arguments, flags)

    def library(self, name: str) -> Vector:
        """A function of the C library, lane by lane."""
        name = name + ("f" if self.code.form.single else "")
        if self.width == 1:
            return self._call(name, self.ir.type, [self.ir])
        found = self.ir
        for lane in range(self.width):
            place = ir.Constant(ir.IntType(32), lane)
            one = Vector(self.code, self.code.at.extract_element(self.ir, place))
            found = self.code.at.insert_element(found, one._call(name, one.ir.type, [one.ir]).ir, place)
        return Vector(self.code, found)

    def _call(self, name: str, result: Any, arguments: list[Any], flags: Sequence[str] = FAST) -> Vector:
        function = self.code.function_of(name, result, [argument.type for argument in arguments])
        return Vector(self.code, self.code.at.call(function, arguments, fastmath=flags))

    # lanes -------------------------------------------------------------------------------------------------------

    def spread(self, width: int | None = None) -> Vector:
        """One number in every lane."""
        width = self.code.form.lanes if width is None else width
        if self.width == width:
            return self
        return Vector(self.code, every(self.code, self.ir, width))

    def shuffle(self, other: Vector, lanes: Sequence[int]) -> Vector:
        """Lanes of two vectors, the second's counted on from the first's."""
        places = ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), list(lanes))
        return Vector(self.code, self.code.at.shuffle_vector(self.ir, other.ir, places))

    def total(self) -> Vector:
        """The sum over the lanes."""
        if self.width == 1:
            return self
        found, width = self, self.width
        while width > 1:
            width //= 2
            found = found.shuffle(found, range(width)) + found.shuffle(found, range(width, 2 * width))
        return Vector(self.code, self.code.at.extract_element(found.ir, ir.Constant(ir.IntType(32), 0)))

    def most(self) -> Vector:
        """The largest of the lanes; NaN if one is."""
        if self.width == 1:
            return self
        found, width = self, self.width
        while width > 1:
            width //= 2
            low, high = found.shuffle(found, range(width)), found.shuffle(found, range(width, 2 * width))
            found = low.where(low.compare(">", high, ordered=False), high)
        return Vector(self.code, self.code.at.extract_element(found.ir, ir.Constant(ir.IntType(32), 0)))


def every(code: Code, value: Any, lanes: int) -> Any:
    """A number in each of so many lanes."""
    kind, zeros = ir.VectorType(value.type, lanes), ir.Constant(ir.VectorType(ir.IntType(32), lanes), None)
    nothing = ir.Constant(kind, ir.Undefined)
    first = code.at.insert_element(nothing, value, ir.Constant(ir.IntType(32), 0))
    return code.at.shuffle_vector(first, nothing, zeros)


def totals(vectors: Sequence[Vector]) -> list[Vector]:
    """The sum over the lanes of many vectors, 16 (8) sums in each vector of the answer.

    Pairs are folded into one vector, so that k vectors of k lanes cost k - 1 additions, not k log k.
    """
    code = vectors[0].code
    lanes = code.form.lanes
    found = []
    for first in range(0, len(vectors), lanes):
        rest = list(vectors[first : first + lanes])
        rest += [code.number(0.0)] * (lanes - len(rest))
        while len(rest) > 1:
            half = len(rest) // 2
            rest = [_folded(rest[2 * i], rest[2 * i + 1], lanes // (2 * half), lanes) for i in range(half)]
        found.append(rest[0])
    return found


def _folded(a: Vector, b: Vector, held: int, lanes: int) -> Vector:
    """Half as many partial sums of a and of b, side by side; `held` numbers of partial sums make one group."""
    width = lanes // held  # partial sums that each of the `held` quantities in a vector still has
    half = width // 2
    even, odd = [], []
    for quantity in range(2 * held):
        base = (quantity % held) * width + (0 if quantity < held else lanes)
        even += [base + k for k in range(half)]
        odd += [base + half + k for k in range(half)]
    return a.shuffle(b, even) + a.shuffle(b, odd)


def lanes_of(vectors: Sequence[Vector], places: Sequence[int | None]) -> Vector:
    """A vector of chosen lanes of many vectors; None: any."""
    code = vectors[0].code
    lanes = code.form.lanes
    used = sorted({place // lanes for place in places if place is not None})
    found: Vector | None = None
    for first in used:
        if found is None:
            found = vectors[first].shuffle(vectors[first], [0 if p is None else p % lanes for p in places])
        else:
            chosen = [lanes + p % lanes if p is not None and p // lanes == first else i for i, p in enumerate(places)]
            found = found.shuffle(vectors[first], chosen)
    assert found is not None
    return found


def _suffix(kind: Any) -> str:
    vector = isinstance(kind, ir.VectorType)
    element = kind.element if vector else kind
    name = "f32" if isinstance(element, ir.FloatType) else "f64"
    return f"v{kind.count}{name}" if vector else name


def _index(value: Any) -> Any:
    return ir.Constant(INDEX, value) if isinstance(value, int) else value
