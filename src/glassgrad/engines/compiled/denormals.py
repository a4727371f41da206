"""Numbers too small for the normal range count as 0 while a kernel runs: on x86 they cost a hundred times as much.

The moments of a dead unit fade by 0.9 a step and would spend the rest of the run there.
"""

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from llvmlite import ir

from glassgrad.engines.compiled.vector import POINTER, Code

FLUSH = 0x8040  # the bits FTZ and DAZ of the register MXCSR
USUAL = 0x1F80  # its value when a program starts
X86 = platform.machine().lower() in ("x86_64", "amd64")


@contextmanager
def flushing(code: Code) -> Iterator[None]:
    """Set the control register of this thread's floating-point unit, and put it back. Elsewhere: nothing."""
    if not X86:
        yield
        return
    register = ir.IntType(32)
    before, new = code.entry.alloca(register), code.entry.alloca(register)
    _control(code, "stmxcsr", before)
    code.at.store(ir.Constant(register, USUAL | FLUSH), new)
    _control(code, "ldmxcsr", new)
    yield
    _control(code, "ldmxcsr", before)


def _control(code: Code, name: str, place: Any) -> None:
    module, full = code.at.module, f"llvm.x86.sse.{name}"
    function = module.globals.get(full) or ir.Function(module, ir.FunctionType(ir.VoidType(), [POINTER]), full)
    code.at.call(function, [place])
