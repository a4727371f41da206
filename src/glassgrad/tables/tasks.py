"""Tasks: the arithmetic that is learned."""

from glassgrad.locale import Text
from glassgrad.task import Draw, Task

_DIGITS = Draw(("x1", "x2"), "integers", 0, 9)
_SIGN = Draw(("x3",), "choice", values=(1, -1))
_HIDDEN_SIGN = Draw(("s",), "choice", values=(1, -1))
_BEYOND = (10, 1000)

TASKS = {
    task.name: task
    for task in (
        Task("add", (_DIGITS,), ("x1", "x2"), "x1 + x2", "{x1} + {x2}", ((5, 3), (12, 30), (0, 0), (9, 9)),
             outside=_BEYOND, reading=Text("the sum of two digits", "两个一位数的和")),
        Task("sub", (_DIGITS,), ("x1", "x2"), "x1 - x2", "{x1} - {x2}", ((5, 3), (3, 5), (30, 12), (0, 0)),
             outside=_BEYOND, reading=Text("the difference of two digits", "两个一位数的差")),
        Task("both", (_DIGITS, _SIGN), ("x1", "x2", "x3"), "x1 + x3*x2", "{x1} {x3:sign} {x2}",
             ((5, 3, 1), (5, 3, -1), (12, 30, 1), (0, 0, -1)), outside=_BEYOND,
             reading=Text("the sum or the difference, as the third input says",
                          "求和还是求差，由第三个输入决定")),
        Task("choose", (Draw(("x1",), "integers", 0, 9), Draw(("x2",), "integers", 1, 9), _HIDDEN_SIGN),
             ("x1", "x2", "x1 + s*x2"), "[x3 == x1 + x2]", "plus({x1}, {x2}, {x3})",
             ((5, 3, 8), (5, 3, 2), (9, 9, 0)),
             reading=Text("which operation gives this result: + (1) or - (0)?",
                          "哪种运算得到这个结果：+（1）还是 -（0）？")),
        Task("knob", (), ("1",), "0.8", "knob({x1})", ((1,),), tolerance=0.05,
             reading=Text("a volume knob that is to be turned to 0.8", "把音量旋钮转到 0.8")),
    )
}  # fmt: skip
"""By name: add, sub, both, choose, knob."""
