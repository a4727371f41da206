"""Numbers too small for the normal range count as 0 while a kernel runs: on x86 they cost a hundred times as much.

The moments of a dead unit fade by 0.9 a step and would spend the rest of the run there.
"""

import platform
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

FLUSH = 0x8040  # the bits FTZ and DAZ of the register MXCSR
X86 = platform.machine().lower() in ("x86_64", "amd64")


@intrinsic  # type: ignore[untyped-decorator]
def swap_mxcsr(typing_context: Any, value: Any) -> Any:
    """Set the control register of this thread's floating-point unit; gives the one before. Elsewhere: does nothing."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if not X86:
            return arguments[0]
        word = ir.IntType(32)
        room = builder.alloca(word)
        pointer = builder.bitcast(room, ir.IntType(8).as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [ir.IntType(8).as_pointer()])
        for name in ("llvm.x86.sse.stmxcsr", "llvm.x86.sse.ldmxcsr"):
            function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
            if name.endswith("stmxcsr"):
                builder.call(function, [pointer])
                before = builder.load(room)
                builder.store(arguments[0], room)
            else:
                builder.call(function, [pointer])
        return before

    return types.uint32(types.uint32), generate
