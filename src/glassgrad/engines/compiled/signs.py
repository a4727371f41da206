"""Where units change sides: their signs for all questions, and the moments mended.

A look at a unit goes through all questions. Those that have changed sides are put into M and v, or taken out of them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from llvmlite import ir

from glassgrad.engines.compiled.arithmetic import absolute
from glassgrad.engines.compiled.emit import Emitter
from glassgrad.engines.compiled.moments import MomentsBody, place, whole
from glassgrad.engines.compiled.vector import INDEX, Code, Vector

WORD = ir.IntType(32)  # a bit for each unit of a vector
SLACK = 1 - 1e-5  # of a margin: for the rounding of what has moved
ARRAYS = ("n", "Q", "X", "T", "C", "XT", "XM", "H")


class Signs:
    """Writes the functions repair and rebuild of a kernel that is made of moments."""

    def __init__(self, body: MomentsBody) -> None:
        self.body, self.form = body, body.form

    def repair(self) -> None:
        """repair(n, Q, …): look at the units that may have changed sides, mend M and v; gives whether one has."""
        code = Code(self.body.module, self.form, "repair", ARRAYS, INDEX)
        changed, lanes, offset = code.counter(0), self.form.lanes, self.body.offset
        for first in range(0, self.body.high, lanes):
            moved, margin = (code.load(code["Q"], offset[name] + first) for name in ("moved", "margin"))
            far = code.at.zext(code.at.bitcast(moved.compare(">", margin, ordered=False), ir.IntType(lanes)), WORD)
            units = WORD((1 << min(lanes, self.body.count - first)) - 1)  # beyond them is no unit: NaN says so, too
            with _each_bit(code, code.at.and_(far, units)) as lane:
                some = self.look(code, code.at.add(lane, whole(first)))
                code.at.store(code.at.or_(code.at.load(changed, typ=INDEX), some), changed)
        code.close(code.at.load(changed, typ=INDEX))

    def rebuild(self) -> None:
        """rebuild(n, Q, …): signs, M and v from the beginning, where no unit is on."""
        code = Code(self.body.module, self.form, "rebuild", ARRAYS)
        body, lanes, offset = self.body, self.form.lanes, self.body.offset
        for i in range(0, body.high, lanes):  # beyond the last unit no number moves too far
            code.store(code["Q"], offset["margin"] + i, code.number(float("inf")))
        for i in range(offset["v"], offset["phi"], lanes):
            code.store(code["Q"], i, code.number(0))
        bias = body.features - 1  # which is on for all questions
        alone = [code.lanes([float(i + k == bias) for k in range(lanes)]) for i in range(0, body.wide, lanes)]
        often, v = (code.variable(code.number(0, 1)) for _ in range(2))
        with code.loop(code["n"]) as q:
            for i, part in enumerate(alone):
                code.store(code["Q"], place(code, offset["phi"] + i * lanes, code.at.mul(q, whole(body.wide))), part)
            weight = code.load(code["C"], q, 1)
            often.add(weight)
            v.add(self.beta(code, q) * weight)
        code.store(code["Q"], offset["M"] + bias * body.wide + bias, often.get())
        code.store(code["Q"], offset["v"] + bias, v.get())
        with code.loop(code["n"], step=lanes) as q, code.loop(body.count) as unit:
            code.store_word(code["Q"], self.place(code, q, unit), WORD(0))
        with code.loop(body.count) as unit:
            self.look(code, unit)
        code.close()

    def beta(self, code: Code, q: Any) -> Vector:
        """What the truth of a question adds to dL/do."""
        return Emitter(code, self.body.constants)(self.body.rest, {"t": code.load(code["T"], q, 1)})

    def place(self, code: Code, q: Any, unit: Any) -> Any:
        """Where a unit's signs for a vector of questions are, as a place of 32-bit words."""
        body, per = self.body, self.form.size // 4
        first = code.at.add(whole(body.start), code.at.mul(code["n"], whole(body.wide)))
        rows = code.at.mul(code.at.udiv(q, whole(self.form.lanes)), whole(body.high))
        return code.at.add(code.at.add(code.at.mul(first, whole(per)), rows), unit)

    def look(self, code: Code, unit: Any) -> Any:
        """A unit's signs for all questions, its margin, and where it stands; gives 1 if a question changed sides."""
        body, lanes, offset, mending = self.body, self.form.lanes, self.body.offset, Mending(self, code, unit)
        row = code.at.mul(unit, whole(body.block))
        weights = [code.spread(code["Q"], place(code, row, k)) for k in range(body.block)]
        least = code.variable(code.number(float("inf")))
        with code.loop(code["n"], step=lanes) as q:
            z = weights[-1]
            for k in range(body.inputs):
                z = z + weights[k] * code.load(code["X"], place(code, code.at.mul(code["n"], whole(k)), q))
            gap = absolute(z) * code.load(code["XM"], q)
            least.set(gap.where(gap.compare("<", least.get()), least.get()))
            bits = code.at.zext(code.at.bitcast(z.compare(">", 0), ir.IntType(lanes)), WORD)
            at = self.place(code, q, unit)
            flips = code.at.xor(bits, code.words(code["Q"], at, 1))
            with code.at.if_then(code.at.icmp_unsigned("!=", flips, WORD(0))):
                mending.flip_all(q, bits, flips)
            code.store_word(code["Q"], at, bits)
        nearest = -((-least.get()).most())
        code.store(code["Q"], place(code, offset["margin"], unit), nearest * SLACK)
        for k in range(body.block):
            here = code.load(code["Q"], place(code, row, k), 1)
            code.store(code["Q"], place(code, offset["seen"] + k, row), here)
        return mending.finish()


class Mending:
    """Questions put into the moments of a unit, or taken out of them.

    A question adds s c x_k φ to the rows of the unit in M and s c β x to its places in v; s = 1 if the unit goes on, -1
    if it goes off, φ with the unit on. Rows and v stay in registers; the columns of M are copied from the rows at last.
    """

    def __init__(self, signs: Signs, code: Code, unit: Any) -> None:
        self.signs, self.body, self.code = signs, signs.body, code
        body, lanes = signs.body, signs.body.form.lanes
        self.start = code.at.mul(unit, whole(body.block))
        self.parts = range(0, body.wide, lanes)
        first = Vector(code, code.at.sitofp(self.start, body.form.kind))
        self.inside = []  # which features of a vector are those of the unit
        for i in self.parts:
            at = code.lanes([float(i + k) for k in range(lanes)]) - first
            self.inside.append(code.at.and_(at.compare(">=", 0), at.compare("<", body.block)))
        self.rows = [[code.variable(code.load(code["Q"], self.row(k, i))) for i in self.parts] for k in self.features]
        self.v = [code.variable(code.load(code["Q"], body.offset["v"] + i)) for i in self.parts]
        self.some = code.counter(0)

    @property
    def features(self) -> range:
        return range(self.body.block)

    def row(self, k: int, i: int) -> Any:
        """Where column i is in the row of the unit's k-th feature."""
        j = self.code.at.mul(self.code.at.add(self.start, whole(k)), whole(self.body.wide))
        return place(self.code, self.body.offset["M"] + i, j)

    def flip_all(self, q: Any, bits: Any, changed: Any) -> None:
        """Put in, or take out, each of the questions from q on whose bit changed."""
        code = self.code
        code.at.store(whole(1), self.some)
        with _each_bit(code, changed) as lane:
            on = code.at.trunc(code.at.lshr(bits, code.at.trunc(lane, WORD)), ir.IntType(1))
            self.flip(code.at.add(q, lane), on)

    def flip(self, q: Any, on: Any) -> None:
        code, body = self.code, self.body
        row = code.at.mul(q, whole(body.wide))
        weight = code.load(code["C"], q, 1)
        weight = weight.where(on, -weight)
        beta = self.signs.beta(code, q) * weight
        for n, i in enumerate(self.parts):
            at = place(code, body.offset["phi"] + i, row)
            before, all_on = code.load(code["Q"], at), code.load(code["XT"], place(code, row, i))
            phi = all_on.where(self.inside[n], before)
            code.store(code["Q"], at, phi.where(self.outside_or(on, n), 0))
            self.v[n].add(all_on.where(self.inside[n], 0) * beta)
            for k in self.features:
                x = code.spread(code["XT"], place(code, row, self.start, k))
                self.rows[k][n].add(phi * weight * x)

    def outside_or(self, on: Any, n: int) -> Any:
        """Which features of a vector stay: those of other units, and the unit's if it is on; without a jump."""
        inside, code = self.inside[n], self.code
        bits = ir.IntType(inside.type.count)
        others = code.at.not_(code.at.bitcast(inside, bits))
        return code.at.bitcast(code.at.or_(others, code.at.sext(on, bits)), inside.type)

    def finish(self) -> Any:
        """Rows and v back into memory, if anything changed; columns like rows. Gives 1 if anything did."""
        code, body = self.code, self.body
        some = code.at.load(self.some, typ=INDEX)
        with code.at.if_then(code.at.icmp_unsigned("!=", some, whole(0))):
            for n, i in enumerate(self.parts):
                code.store(code["Q"], body.offset["v"] + i, self.v[n].get())
                for k in self.features:
                    code.store(code["Q"], self.row(k, i), self.rows[k][n].get())
            with code.loop(body.features) as j:
                for k in self.features:
                    value = code.load(code["Q"], place(code, self.row(k, 0), j), 1)
                    column = place(code, body.offset["M"] + k, self.start, code.at.mul(j, whole(body.wide)))
                    code.store(code["Q"], column, value)
        return some


@contextmanager
def _each_bit(code: Code, word: Any) -> Iterator[Any]:
    """for place in the places of the ones in a word of 32 bits."""
    left = code.entry.alloca(WORD)
    code.at.store(word, left)
    head, body, after = (code.function.append_basic_block(name) for name in ("bits", "bit", "done"))
    code.at.branch(head)
    code.at.position_at_end(head)
    word = code.at.load(left, typ=WORD)
    code.at.cbranch(code.at.icmp_unsigned("!=", word, ir.Constant(WORD, 0)), body, after)
    code.at.position_at_end(body)
    code.at.store(code.at.and_(word, code.at.sub(word, ir.Constant(WORD, 1))), left)
    yield code.at.zext(code.at.cttz(word, ir.Constant(ir.IntType(1), 1)), INDEX)
    code.at.branch(head)
    code.at.position_at_end(after)
