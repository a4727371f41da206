"""Calling machine code by its address from a compiled function: the one door between Numba and our kernels."""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

WORD = ir.IntType(64)


@intrinsic  # type: ignore[untyped-decorator]
def call(typing_context: Any, address: Any, arguments: Any) -> Any:
    """address(*arguments): all are 64-bit words (whole numbers, or addresses of arrays), and so is the answer."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        words = [builder.extract_value(values[1], i) for i in range(len(signature.args[1]))]
        kinds = [context.get_value_type(kind) for kind in signature.args[1]]
        words = [word if kind == WORD else builder.zext(word, WORD) for word, kind in zip(words, kinds, strict=True)]
        function = ir.FunctionType(WORD, [WORD] * len(words))
        return builder.call(builder.inttoptr(values[0], function.as_pointer()), words)

    return types.int64(address, arguments), generate
