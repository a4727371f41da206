"""Whole numbers as Python values: operators on them write the machine's instructions, as those of `Vector` do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from llvmlite import ir

from glassgrad.engines.compiled.vector import INDEX, Code, Vector


class Word:
    """A whole number without sign, of 32 or 64 bits; what is too large loses its upper bits."""

    def __init__(self, code: Code, value: Any) -> None:
        self.code, self.ir = code, value

    def like(self, other: Word | int) -> Any:
        """Another number in the same width."""
        return other.ir if isinstance(other, Word) else ir.Constant(self.ir.type, other)

    def _do(self, name: str, other: Word | int) -> Word:
        return Word(self.code, getattr(self.code.at, name)(self.ir, self.like(other)))

    def __add__(self, other: Word | int) -> Word:
        return self._do("add", other)

    def __sub__(self, other: Word | int) -> Word:
        return self._do("sub", other)

    def __mul__(self, other: Word | int) -> Word:
        return self._do("mul", other)

    def __floordiv__(self, other: Word | int) -> Word:
        return self._do("udiv", other)

    def __mod__(self, other: Word | int) -> Word:
        return self._do("urem", other)

    def __and__(self, other: Word | int) -> Word:
        return self._do("and_", other)

    def __or__(self, other: Word | int) -> Word:
        return self._do("or_", other)

    def __xor__(self, other: Word | int) -> Word:
        return self._do("xor", other)

    def __lshift__(self, other: Word | int) -> Word:
        return self._do("shl", other)

    def __rshift__(self, other: Word | int) -> Word:
        return self._do("lshr", other)

    __radd__, __rmul__ = __add__, __mul__

    def compare(self, sign: str, other: Word | int) -> Any:
        """A condition."""
        return self.code.at.icmp_unsigned(sign, self.ir, self.like(other))

    def least(self, other: Word | int) -> Word:
        """The smaller of two."""
        return self.choose(self.compare("<", other), other)

    def choose(self, condition: Any, otherwise: Word | int) -> Word:
        """self where a condition holds."""
        return Word(self.code, self.code.at.select(condition, self.ir, self.like(otherwise)))

    def to(self, bits: int) -> Word:
        """The same number in 32 or 64 bits."""
        kind = ir.IntType(bits)
        change = self.code.at.trunc if bits < self.ir.type.width else self.code.at.zext
        return self if bits == self.ir.type.width else Word(self.code, change(self.ir, kind))

    def ones(self) -> Word:
        """How many bits are 1."""
        return Word(self.code, self.code.at.ctpop(self.ir))

    def number(self) -> Vector:
        """As a number of the kernel's precision."""
        return Vector(self.code, self.code.at.uitofp(self.ir, self.code.form.kind))


class Words:
    """An array of whole numbers in memory."""

    def __init__(self, code: Code, address: Any, bits: int) -> None:
        self.code, self.address, self.kind = code, address, ir.IntType(bits)

    def _place(self, index: Word | int) -> Any:
        return self.code.at.gep(self.address, [word(self.code, _index(index)).ir], source_etype=self.kind)

    def __getitem__(self, index: Word | int) -> Word:
        return Word(self.code, self.code.at.load(self._place(index), typ=self.kind, align=self.kind.width // 8))

    def __setitem__(self, index: Word | int, value: Word | int) -> None:
        word = value.to(self.kind.width).ir if isinstance(value, Word) else ir.Constant(self.kind, value)
        self.code.at.store(word, self._place(index), align=self.kind.width // 8)

    def at(self, index: Word | int) -> Any:
        """The address of an entry."""
        return self._place(index)


class Cell:
    """A whole number that loops may change."""

    def __init__(self, code: Code, start: Word | int, bits: int = 64) -> None:
        self.code, self.kind = code, ir.IntType(bits)
        self.room = code.entry.alloca(self.kind)
        self.set(start)

    def get(self) -> Word:
        return Word(self.code, self.code.at.load(self.room, typ=self.kind))

    def set(self, value: Word | int) -> None:
        word = value.to(self.kind.width).ir if isinstance(value, Word) else ir.Constant(self.kind, value)
        self.code.at.store(word, self.room)


@contextmanager
def loop(code: Code, end: Word | int, start: Word | int = 0, step: int = 1) -> Iterator[Word]:
    """for i in range(start, end, step)."""
    with code.loop(_index(end), _index(start), step) as i:
        yield Word(code, i)


@contextmanager
def repeat(code: Code) -> Iterator[tuple[Any, Any]]:
    """A loop without an end of its own: gives the blocks to jump to, (again, out)."""
    again, out = code.function.append_basic_block("again"), code.function.append_basic_block("out")
    code.at.branch(again)
    code.at.position_at_end(again)
    yield again, out
    code.at.branch(again)
    code.at.position_at_end(out)


def leave(code: Code, condition: Any, out: Any) -> None:
    """Jump out of a loop if a condition holds."""
    on = code.function.append_basic_block("on")
    code.at.cbranch(condition, out, on)
    code.at.position_at_end(on)


def word(code: Code, value: Any) -> Word:
    """A whole number of 64 bits."""
    return Word(code, ir.Constant(INDEX, value) if isinstance(value, int) else value)


def _index(index: Word | int) -> Any:
    return index.to(64).ir if isinstance(index, Word) else index
