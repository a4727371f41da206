"""A block of runs that are made of moments, a few at a time, as machine code."""

from typing import Any

from llvmlite import ir

from glassgrad.engines.compiled.arithmetic import absolute
from glassgrad.engines.compiled.denormals import flushing
from glassgrad.engines.compiled.layout import Table
from glassgrad.engines.compiled.moments import MomentsBody
from glassgrad.engines.compiled.training import COLUMNS, Training
from glassgrad.engines.compiled.vector import INDEX, Code, Vector
from glassgrad.engines.compiled.words import Cell, Word, leave, loop, repeat, word


class Groups(Training):
    """The functions of such runs, beside those of runs that go through the samples."""

    def __init__(self, body: MomentsBody, distinct: bool) -> None:
        super().__init__(body, distinct)
        self.moments = body
        self.held = body.slots * (1 + self.states)

    def write(self) -> None:
        """All functions; `groups` is the one to call."""
        super().write()
        for part in (self.features, self.renewed, self.begin, self.ahead, self.replay, self.look_at, self.groups):
            part()

    def groups(self) -> None:
        """groups(TABLE, count): train the first `count` seeds, a few at a time."""
        code, table = self.function("groups", "count")
        count, first = Word(code, code["count"]), Cell(code, 0)
        if self.distinct:  # the questions of all runs, once
            for k in range(self.moments.together):
                _, x, _, _, features, sizes = self.part(code, table, word(code, k))
                code.call("features", code["TABLE"], x, features, sizes)
        with flushing(code), repeat(code) as (_, end):
            leave(code, first.get().compare(">=", count), end)
            leave(code, table.of("stop", 8)[0].compare("!=", 0), end)
            for k in range(self.moments.together):
                run = (first.get() + k).least(count - 1)
                code.call("begin", code["TABLE"], word(code, k).ir, table.of("seeds", 32)[run].to(64).ir)
                with loop(code, COLUMNS, 2) as column:
                    self.out(code, table, run, column.ir, code.at.uitofp(word(code, 0).ir, ir.DoubleType()))
            self.to_the_end(code, table, first.get(), count)
            first.set(first.get() + self.moments.together)
        code.close()

    def to_the_end(self, code: Code, table: Table, first: Word, count: Word) -> None:
        """A group's steps, from mark to mark."""
        mark, before = Cell(code, 0), Cell(code, 0)
        with repeat(code) as (_, end):
            leave(code, mark.get().compare(">=", table.number("marked")), end)
            leave(code, table.of("stop", 8)[0].compare("!=", 0), end)
            after = table.of("marks", 64)[mark.get()]
            code.call("ahead", code["TABLE"], before.get().ir, after.ir)
            for k in range(self.moments.together):
                with code.at.if_then((first + k).compare("<", count)):
                    arguments = (word(code, k), first + k, mark.get(), before.get(), after)
                    code.call("look_at", code["TABLE"], *(argument.ir for argument in arguments))
            before.set(after)
            mark.set(mark.get() + 1)

    def out(self, code: Code, table: Table, run: Word, column: Any, value: Any) -> None:
        place = code.at.add((run * COLUMNS).ir, column)
        code.at.store(value, code.at.gep(table.address("out"), [place], source_etype=ir.DoubleType()))

    def part(self, code: Code, table: Table, k: Word) -> tuple[Any, ...]:
        """Where the numbers, inputs, truth, weights and features of run k of a group are."""
        n = table.number("room")
        sizes = (word(code, self.moments.size_of(code, n.ir)), n * self.inputs, n, n, n * self.moments.wide, n)
        names = ("Q", "GX", "GT", "GC", "XT", "XM")
        return tuple(code.place(table.address(name), (size * k).ir) for name, size in zip(names, sizes, strict=True))

    def features(self) -> None:
        """features(TABLE, X, XT, XM): each question's features if all units were on, and 1 over their sum."""
        code, table = self.function("features", "X", "XT", "XM")
        block, wide, n = self.moments.block, self.moments.wide, table.number("room")
        with loop(code, n) as q:
            for i in range(self.moments.count * block):
                inside = i % block < block - 1
                value = code.load(code["X"], (n * (i % block) + q).ir, 1) if inside else code.number(1, 1)
                code.store(code["XT"], (q * wide + i).ir, value)
            code.store(code["XT"], (q * wide + self.moments.count * block).ir, code.number(1, 1))
            sizes = [absolute(code.load(code["X"], (n * k + q).ir, 1)) for k in range(self.inputs)]
            code.store(code["XM"], q.ir, 1 / sum(sizes, code.number(1, 1)))
        code.close()

    def renewed(self) -> None:
        """renewed(TABLE, k): signs and moments of run k from the beginning."""
        code, table = self.function("renewed", "k")
        part = self.part(code, table, Word(code, code["k"]))
        code.call("rebuild", table.number("room").ir, *part, table.address("H"))
        code.close()

    def begin(self) -> None:
        """begin(TABLE, k, seed): first numbers and questions of run k of a group."""
        code, table = self.function("begin", "k", "seed")
        q, x, t, c, features, sizes = self.part(code, table, Word(code, code["k"]))
        code.call("first_numbers", code["TABLE"], code["seed"], q)
        for i in range(self.states):
            with loop(code, self.body.slots) as p:
                code.store(q, (p + self.body.slots * (1 + i)).ir, code.load(table.address("states"), i, 1))
        code.call("draw", code["TABLE"])
        if self.distinct:
            code.call("count", code["TABLE"], c)
        else:
            code.call("gather", code["TABLE"], table.number("seen").ir, table.address("drawn"), x, t)
            code.call("features", code["TABLE"], x, features, sizes)
            with loop(code, table.number("room")) as at:
                code.store(c, at.ir, code.number(1, 1).where(at.compare("<", table.number("seen")), 0))
        code.call("renewed", code["TABLE"], code["k"])
        code.close()

    def ahead(self) -> None:
        """ahead(TABLE, before, after): the steps of a group from one mark to the next."""
        code, table = self.function("ahead", "before", "after")
        for k in range(self.moments.together):
            q = self.part(code, table, word(code, k))[0]
            with loop(code, self.held) as i:
                code.store(table.address("before"), (i + k * self.held).ir, code.load(q, i.ir, 1))
        steps = Word(code, code["after"]) - Word(code, code["before"])
        rates = table.number("rates")
        row = code.place(table.address("HO"), (Word(code, code["before"]) * rates).ir)
        arrays = [table.address(name) for name in ("Q", "GX", "GT", "GC", "XT", "XM", "H")]
        code.call("advance", steps.ir, rates.ir, table.number("room").ir, table.number("samples").ir, *arrays, row)
        code.close()

    def look_at(self) -> None:
        """look_at(TABLE, k, run, mark, before, after): errors of run k.

        One that diverged goes on with zeros; one whose moments overflowed, with what passes have made of it.
        """
        code, table = self.function("look_at", "k", "run", "mark", "before", "after")
        run, after = Word(code, code["run"]), Word(code, code["after"])
        q = self.part(code, table, Word(code, code["k"]))[0]
        diverged = code.entry.alloca(INDEX)
        solved = Cell(code, 0)
        place = code.at.gep(table.address("out"), [(run * COLUMNS + 3).ir], source_etype=ir.DoubleType())
        code.at.store(code.at.fptoui(code.at.load(place, typ=ir.DoubleType()), INDEX), diverged)
        with code.at.if_then(code.at.icmp_unsigned("==", code.at.load(diverged, typ=INDEX), ir.Constant(INDEX, 0))):
            wanted = self.wanted(code, table, run)
            with code.at.if_then(wanted):
                last = (Word(code, code["mark"]) + 1).compare("==", table.number("marked"))
                code.call("judge", code["TABLE"], word(code, 0).ir, code.at.zext(last, INDEX), q)
            most = code.load(table.address("OUT"), 1, 1)
            fine = code.at.select(wanted, self.is_finite(code, most * most), self.is_finite(code, self.total(code, q)))
            with code.at.if_then(code.at.not_(fine), likely=False):
                code.at.store(self.went_wrong(code, table, q), diverged)
                code.call("renewed", code["TABLE"], code["k"])
            with code.at.if_then(code.at.or_(wanted, code.at.not_(fine))):
                self.note(code, table, run, Word(code, code.at.load(diverged, typ=INDEX)), after, solved)
        gone = Word(code, code.at.load(diverged, typ=INDEX)).compare("!=", 0)
        with code.at.if_then(code.at.or_(gone, table.number("whole").compare("==", 0))):
            code.call("renewed", code["TABLE"], code["k"])
        code.close()

    def wanted(self, code: Code, table: Table, run: Word) -> Any:
        """Whether a run's errors tell anything new: it was not solved so far, its curve is kept, or this is the end."""
        place = code.at.gep(table.address("out"), [(run * COLUMNS + 2).ir], source_etype=ir.DoubleType())
        unsolved = code.at.fcmp_ordered("==", code.at.load(place, typ=ir.DoubleType()), ir.DoubleType()(0.0))
        last = (Word(code, code["mark"]) + 1).compare("==", table.number("marked"))
        return code.at.or_(code.at.or_(unsolved, last), run.compare("<", table.number("traced")))

    def total(self, code: Code, q: Any) -> Vector:
        """Finite if all learned numbers are, whatever fills up their vectors."""
        lanes, real = self.form.lanes, set(self.body.places.values())
        parts = []
        for first in range(0, self.body.slots, lanes):
            mask = code.lanes([float(first + k in real) for k in range(lanes)])
            parts.append((code.load(q, first) * 0.0).where(mask.compare(">", 0), 0))
        return sum(parts[1:], parts[0]).total()

    def is_finite(self, code: Code, value: Vector) -> Any:
        return value.intrinsic("fabs").compare("<", float("inf"))

    def went_wrong(self, code: Code, table: Table, q: Any) -> Any:
        """The step at which a run was not finite, or 0 if passes stay finite; its errors, and its numbers after it.

        A dead unit that grows makes M u infinite times 0; passes leave it out.
        """
        step = Word(code, code.call("replay", code["TABLE"], code["k"], code["before"], code["after"]))
        code.call("judge", code["TABLE"], word(code, 0).ir, word(code, 1).ir, table.address("P"))
        slots, well = self.body.slots, step.compare("==", 0)
        for name, first, count in (("P", 0, slots), ("M", slots, self.held - slots)):
            with loop(code, count) as i:
                value = code.load(table.address(name), i.ir, 1)
                code.store(q, (i + first).ir, value.where(well, 0))
        return step.ir

    def note(self, code: Code, table: Table, run: Word, diverged: Word, after: Word, solved: Cell) -> None:
        """A run's row so far, and its learning curve."""
        place = code.at.gep(table.address("out"), [(run * COLUMNS + 2).ir], source_etype=ir.DoubleType())
        solved.set(Word(code, code.at.fptoui(code.at.load(place, typ=ir.DoubleType()), INDEX)))
        well = diverged.compare("==", 0)
        first = code.at.and_(code.at.and_(well, solved.get().compare("==", 0)), self.is_solved(code, table))
        with code.at.if_then(first):
            solved.set(after)
        with code.at.if_then(well):
            self.trace(code, table, run, Word(code, code["mark"]))
        self.result(code, table, run, (solved.get(), diverged, after.choose(well, diverged)))

    def replay(self) -> None:
        """replay(TABLE, k, before, after) -> the step that was not finite, or 0: by passes, in memory of their own."""
        code, table = self.function("replay", "k", "before", "after", result=INDEX)
        slots, k = self.body.slots, Word(code, code["k"])
        _, x, t, c, *_ = self.part(code, table, k)
        with loop(code, self.held) as i:
            value = code.load(table.address("before"), (k * self.held + i).ir, 1)
            with code.at.if_else(i.compare("<", slots)) as (learned, state):
                with learned:
                    code.store(table.address("P"), i.ir, value)
                with state:
                    code.store(table.address("M"), (i - slots).ir, value)
        n = table.number("room")
        for source, name, count in ((x, "X", n * self.inputs), (t, "T", n)):
            with loop(code, count) as i:
                code.store(table.address(name), i.ir, code.load(source, i.ir, 1))
        with loop(code, n) as i:
            code.store(table.address("C"), i.ir, code.load(c, i.ir, 1) / table.number("samples").number())
        step, gone = Cell(code, Word(code, code["before"])), Cell(code, 0)
        with repeat(code) as (_, end):
            leave(code, step.get().compare(">=", Word(code, code["after"])), end)
            step.set(step.get() + 1)
            finite = Word(code, code.call("one_step", code["TABLE"], step.get().ir, table.number("seen").ir))
            gone.set(step.get().choose(finite.compare("==", 0), 0))
            leave(code, finite.compare("==", 0), end)
        code.close(gone.get().ir)
