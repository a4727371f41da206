"""A block of runs, from first draw to last update, as machine code: what does not depend on the formulas.

The functions of this module take the table of `layout` and the number of a run.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from glassgrad.draws import Purpose
from glassgrad.engines.compiled.arithmetic import smaller
from glassgrad.engines.compiled.body import Body
from glassgrad.engines.compiled.denormals import flushing
from glassgrad.engines.compiled.layout import PLACES, Table
from glassgrad.engines.compiled.noise import blocks, four_normals, normal
from glassgrad.engines.compiled.places import add_places, look_up
from glassgrad.engines.compiled.streams import Philox, torch_uniform, twisters
from glassgrad.engines.compiled.vector import INDEX, Code, Vector, every
from glassgrad.engines.compiled.words import Cell, Word, Words, leave, loop, repeat, word
from glassgrad.task import Task

PURPOSES: tuple[Purpose, ...] = ("noise", "uniform", "dropout", "minibatch", "weights")
NOISE, UNIFORM, DROPOUT, MINIBATCH, WEIGHTS = range(5)  # places of the keys, two words each
KEYS = 2 * len(PURPOSES)
COLUMNS = 6  # of a run's row: mean and largest error, solved at, diverged at, dead units, steps done


class Training:
    """Writes the functions; distinct: questions are weighted by how often they were drawn."""

    def __init__(self, body: Body, distinct: bool) -> None:
        self.body, self.distinct = body, distinct
        self.experiment, self.form = body.experiment, body.form
        self.task: Task = body.of.task
        self.inputs = len(self.task.names)
        self.states = len(body.of.optimizer_program.states)
        self.own_states = len(body.of.program.states) + ("reward" in body.of.pieces)
        self.drawn = self.task.data is None and bool(self.task.draws)

    def function(self, name: str, *arguments: str, result: Any = None) -> tuple[Code, Table]:
        code = Code(self.body.module, self.form, name, ("TABLE", *arguments), result)
        return code, Table(code)

    def write(self) -> None:
        """All functions; `runs` is the one to call."""
        twisters(self.body.module, self.form)
        passes: tuple[Callable[[], None], ...] = (self.keep_old,) if self.body.olds else ()
        if self.experiment.batch:
            passes = (self.shuffle, self.minibatch)
        begin = (self.first_numbers, self.draw, self.gather, self.count, self.weigh, self.first_questions)
        each = (self.chance, self.remember, self.one_step, self.judge, self.train, self.runs)
        for part in (*begin, *passes, *each):
            part()

    def runs(self) -> None:
        """runs(TABLE, count): train the first `count` seeds, one after the other."""
        code, table = self.function("runs", "count")
        with flushing(code), loop(code, Word(code, code["count"])) as run:
            seed = table.of("seeds", 32)[run].to(64)
            code.call("first_numbers", code["TABLE"], seed.ir, table.address("P"))
            self.copy_values(code, table, "states", table.address("M"), self.states, self.body.slots)
            self.copy_values(code, table, "program", table.address("ST"), self.own_states, 1)
            table.words[PLACES["key"]] = Word(code, code.at.ptrtoint(table.of("keys", 32).at(run * KEYS), INDEX))
            code.call("first_questions", code["TABLE"])
            code.call("train", code["TABLE"], run.ir)
        code.close()

    def copy_values(self, code: Code, table: Table, name: str, target: Any, count: int, each: int) -> None:
        """Each of some values, as often as told."""
        values = table.address(name)
        for i in range(count):
            with loop(code, each) as k:
                code.store(target, (k + i * each).ir, code.load(values, i, 1))

    # what a run begins with --------------------------------------------------------------------------------------

    def first_numbers(self) -> None:
        """First parameters of a run, drawn layer by layer as nn.Linear does; the twister is left at its beginning."""
        code, table = self.function("first_numbers", "seed", "P")
        first, twister, double = table.address("first"), table.address("twister"), ir.DoubleType()
        with loop(code, self.body.slots) as i:
            code.store(code["P"], i.ir, code.load(first, i.ir, 1))
        code.call("seed", code["seed"], twister)
        with loop(code, table.number("drawn_count")) as i:
            low, width = (
                code.at.load(code.at.gep(table.address(name), [i.ir], source_etype=double), typ=double)
                for name in ("low", "width")
            )
            place = table.of("places", 64)[i]
            code.store(code["P"], place.ir, torch_uniform(code, twister, low, width))
        code.call("rewind", code["seed"], twister)
        code.close()

    def first_questions(self) -> None:
        """The questions of a run whose data is drawn once."""
        code, table = self.function("first_questions")
        if not self.drawn:
            with loop(code, table.number("fixed_count")) as i:
                table.of("drawn", 32)[i] = table.of("fixed", 32)[i]
        elif not self.experiment.fresh:
            code.call("draw", code["TABLE"])
        samples = table.number("samples")
        if self.distinct:
            code.call("count", code["TABLE"], table.address("C"))
            self.all_questions(code, table, table.address("X"), table.address("T"))
            with loop(code, table.number("room")) as q:
                code.store(table.address("C"), q.ir, code.load(table.address("C"), q.ir, 1) / samples.number())
        else:
            code.call("weigh", table.address("C"), table.number("seen").ir, table.number("room").ir)
            if not self.experiment.fresh and not self.experiment.batch:
                code.call(
                    "gather", code["TABLE"], samples.ir, table.address("drawn"), table.address("X"), table.address("T")
                )
        code.close()

    def all_questions(self, code: Code, table: Table, x: Any, t: Any) -> None:
        """All questions of the domain in order; the rest of the last vector is filled with copies of the first."""
        room, seen = table.number("room"), table.number("seen")
        with loop(code, room) as q:
            place = q.choose(q.compare("<", seen), 0)
            for k in range(self.inputs):
                code.store(x, (room * k + q).ir, code.load(table.address("DX"), (seen * k + place).ir, 1))
            code.store(t, q.ir, code.load(table.address("DT"), place.ir, 1))

    def count(self) -> None:
        """count(TABLE, C): how often each question was drawn."""
        code, table = self.function("count", "C")
        with loop(code, table.number("room")) as q:
            code.store(code["C"], q.ir, code.number(0, 1))
        drawn = table.of("drawn", 32)
        with loop(code, table.number("samples")) as i:
            place = drawn[i].to(64)
            code.store(code["C"], place.ir, code.load(code["C"], place.ir, 1) + 1)
        code.close()

    def draw(self) -> None:
        """Questions as places in the domain; draws in the order of a plain script: variable groups one by one."""
        code, table = self.function("draw")
        samples, numbers, drawn = table.number("asked"), table.of("numbers", 32), table.of("drawn", 32)
        sizes = [len(draw.every()) for draw in self.task.draws for _ in draw.names]
        with loop(code, samples) as i:
            drawn[i] = 0
        first = 0
        for draw in self.task.draws if self.drawn else ():
            every, most = len(draw.names), len(draw.every()) - 1
            if most > 0:
                code.call(
                    "integers", word(code, most).ir, (samples * every).ir, table.address("twister"), numbers.address
                )
                strides = [_product(sizes[first + k + 1 :]) for k in range(every)]
                add_places(code, samples, numbers, drawn, strides)
            first += every
        code.close()

    # what a step reads -------------------------------------------------------------------------------------------

    def gather(self) -> None:
        """gather(TABLE, count, PLACES, X, T): questions by their places; the rest is copies of the first."""
        code, table = self.function("gather", "count", "PLACES", "X", "T")
        places, room = Words(code, code["PLACES"], 32), table.number("room")
        count, every = Word(code, code["count"]), table.number("domain")
        rows = [(table.address("DX"), every * k, code["X"], room * k) for k in range(self.inputs)]
        for source, at, target, to in (*rows, (table.address("DT"), word(code, 0), code["T"], word(code, 0))):
            values, filled = code.place(source, at.ir), code.place(target, to.ir)
            if self.experiment.group > 1:
                self.ask_again(code, count // table.number("group"), places, values, filled)
            else:
                look_up(code, count, places, values, filled)
            with loop(code, room, count) as q:
                code.store(filled, q.ir, code.load(values, places[0].to(64).ir, 1))
        code.close()

    def ask_again(self, code: Code, asked: Word, places: Words, values: Any, target: Any) -> None:
        """Each question's value as often as it is answered."""
        with loop(code, asked) as i:
            value = code.load(values, places[i].to(64).ir, 1)
            with loop(code, self.experiment.group) as k:
                code.store(target, (i * self.experiment.group + k).ir, value)

    def weigh(self) -> None:
        """weigh(C, count, room): the same weight for each sample, none for the filling."""
        code = Code(self.body.module, self.form, "weigh", ("C", "count", "room"))
        count = Word(code, code["count"])
        share = 1 / count.number()
        with loop(code, Word(code, code["room"])) as q:
            code.store(code["C"], q.ir, share.where(q.compare("<", count), 0))
        code.close()

    def shuffle(self) -> None:
        """shuffle(TABLE, pass): the order of one pass through the samples, by a random word each (the upper half)."""
        code, table = self.function("shuffle", "pass")
        order, count, keys = table.of("order", 64), table.number("samples"), table.of("key", 32)
        philox = Philox(code, keys, MINIBATCH)
        with loop(code, count, step=self.form.lanes) as i:
            first, *_ = philox.words((Word(code, code["pass"]), i, 0, 0))
            for lane in range(self.form.lanes):
                part = Word(code, code.at.extract_element(first, ir.Constant(ir.IntType(32), lane))).to(64)
                order[i + lane] = (part << 32) | (i + lane)
        gap = Cell(code, count // 2)  # Shell's sort
        with repeat(code) as (_, end):
            leave(code, gap.get().compare("==", 0), end)
            with loop(code, count, gap.get()) as i:
                held, j = order[i], Cell(code, i)
                with repeat(code) as (_, found):
                    leave(code, j.get().compare("<", gap.get()), found)
                    before = order[j.get() - gap.get()]
                    leave(code, before.compare("<=", held), found)
                    order[j.get()] = before
                    j.set(j.get() - gap.get())
                order[j.get()] = held
            smaller = gap.get() * 5 // 11
            gap.set(word(code, 1).choose(gap.get().compare("==", 2), smaller))
        code.close()

    def minibatch(self) -> None:
        """minibatch(TABLE, step) -> count: the next samples of a pass in random order."""
        code, table = self.function("minibatch", "step", result=INDEX)
        samples, seen, before = table.number("samples"), table.number("seen"), Word(code, code["step"]) - 1
        passes = (samples + seen - 1) // seen
        at = before % passes
        with code.at.if_then(at.compare("==", 0)):
            code.call("shuffle", code["TABLE"], (before // passes).ir)
        real = (samples - at * seen).least(seen)
        order, chosen, drawn = table.of("order", 64), table.of("chosen", 32), table.of("drawn", 32)
        with loop(code, real) as q:
            chosen[q] = drawn[order[at * seen + q] & 0xFFFFFFFF]
        code.call("gather", code["TABLE"], real.ir, chosen.address, table.address("X"), table.address("T"))
        code.call("weigh", table.address("C"), real.ir, table.number("room").ir)
        code.close(real.ir)

    def chance(self) -> None:
        """chance(TABLE, step, count): noise, uniform numbers, dropout, and noise of the weights, of a step."""
        code, table = self.function("chance", "step", "count")
        step, keys, lanes = Word(code, code["step"]), table.of("key", 32), self.form.lanes
        for name, purpose in (("noise", NOISE), ("uniform", UNIFORM)):
            if name in self.body.reads:
                philox = Philox(code, keys, purpose)
                with loop(code, Word(code, code["count"]), step=lanes) as q:
                    words = philox.words((step, q, 0, 0))
                    drawn = normal(code, words) if name == "noise" else _fraction(code, words[0])
                    code.store(table.address(name.upper()), q.ir, drawn)
        if self.experiment.dropout:
            self.dropout(code, table, step, keys)
        if self.body.of.tried:
            self.perturb(code, table, step, keys)
        code.close()

    def perturb(self, code: Code, table: Table, step: Word, keys: Words) -> None:
        """A normal number for each weight of each sample, in the rows after that of the answers' noise.

        A block of words fills four rows, in their order, since a row of one sample is shorter than a vector; the last
        rows perhaps for nothing. Two vectors at a time, of which one computes while the other waits; then one.
        """
        room, philox = table.number("room"), Philox(code, keys, WEIGHTS)
        count, lanes = Word(code, code["count"]), self.form.lanes
        pairs = count & -2 * lanes
        with loop(code, blocks(len(self.body.of.tried))) as block:
            for begin, end, vectors in ((word(code, 0), pairs, 2), (pairs, count, 1)):
                with loop(code, end, begin, step=vectors * lanes) as q:
                    for row, drawn in enumerate(four_normals(code, philox.words((step, q, 0, block), vectors)), 1):
                        code.store(table.address("NOISE"), (room * (block * 4 + row) + q).ir, drawn)

    def dropout(self, code: Code, table: Table, step: Word, keys: Words) -> None:
        least, keep, room = table.number("dropped"), code.load(table.address("keep"), 0, 1), table.number("room")
        row, philox = 0, Philox(code, keys, DROPOUT)
        for layer in self.body.net.layers[:-1]:
            for unit in self.body.net.units(layer):
                with loop(code, Word(code, code["count"]), step=self.form.lanes) as q:
                    first, *_ = philox.words((step, q, layer, unit))
                    wide = code.at.zext(first, ir.VectorType(INDEX, self.form.lanes))
                    limit = every(code, least.ir, self.form.lanes)
                    kept = code.at.icmp_unsigned(">=", wide, limit)
                    code.store(table.address("KEEP"), (room * row + q).ir, keep.spread().where(kept, 0))
                row += 1

    # the steps ---------------------------------------------------------------------------------------------------

    def remember(self) -> None:
        """remember(TABLE, row): the numbers before a step, into a row of history.

        Loss and gradient have the first places, then parameters, states, the objective's states.
        """
        code, table = self.function("remember", "row")
        slots = self.body.slots
        at = Word(code, code["row"]) * self.columns + (1 + slots)
        for name, count in (("P", slots), ("M", slots * self.states), ("ST", self.own_states)):
            with loop(code, count) as i:
                code.store(table.address("history"), (at + i).ir, code.load(table.address(name), i.ir, 1))
            at = at + count
        code.close()

    @property
    def columns(self) -> int:
        """Numbers in a row of history."""
        return 1 + self.body.slots * (2 + self.states) + self.own_states

    def one_step(self) -> None:
        """one_step(TABLE, step, count) -> 1, or 0 if it was not finite."""
        code, table = self.function("one_step", "step", "count", result=INDEX)
        before, count = Word(code, code["step"]) - 1, Word(code, code["count"])
        rows = [
            code.place(table.address(name), (before * table.number(length)).ir)
            for name, length in (("H", "constants"), ("HO", "rates"))
        ]
        names = ("P", "G", "M", "ST", "X", "T", "C", "NOISE", "UNIFORM", "KEEP", "OLD")
        arrays = [table.address(name) for name in names]
        ends = [table.address(name) for name in ("OUT", "ROOM")]
        code.close(code.call("step", *self.sizes(table, count), *arrays, *rows, *ends))

    def sizes(self, table: Table, count: Word) -> tuple[Any, ...]:
        """n, real, stride, group of a step."""
        lanes = self.body.width
        n = (count + (lanes - 1)) // lanes * lanes
        return n.ir, count.ir, table.number("room").ir, table.number("group").ir

    def keep_old(self) -> None:
        """keep_old(TABLE, step, count): the value of each old(…) at the step that collects the data."""
        code, table = self.function("keep_old", "step", "count")
        before, count = Word(code, code["step"]) - 1, Word(code, code["count"])
        arrays = [table.address(name) for name in ("P", "ST", "X", "T", "C", "NOISE", "UNIFORM", "OLD")]
        h = code.place(table.address("H"), (before * table.number("constants")).ir)
        code.call("collect", *self.sizes(table, count), *arrays, h, table.address("ROOM"))
        code.close()

    def judge(self) -> None:
        """judge(TABLE, row, units, P): errors, and dead units if asked for, with the constants of a step."""
        code, table = self.function("judge", "row", "units", "P")
        count = table.number("evaluated").ir
        h = code.place(table.address("H"), (Word(code, code["row"]) * table.number("constants")).ir)
        questions = [table.address(name) for name in ("EX", "ET", "EC")]
        ends = [table.address(name) for name in ("OUT", "ROOM")]
        code.call("evaluation", count, count, code["units"], code["P"], *questions, h, *ends)
        code.close()

    def train(self) -> None:
        """train(TABLE, run): all steps of one run, and its row of results."""
        code, table = self.function("train", "run")
        mark, solved, diverged = Cell(code, 0), Cell(code, 0), Cell(code, 0)
        step = Cell(code, 0)
        recorded = table.number("recorded").compare("!=", 0)
        with repeat(code) as (_, end):
            leave(code, step.get().compare(">=", table.number("steps")), end)
            leave(code, table.of("stop", 8)[0].compare("!=", 0), end)
            step.set(step.get() + 1)
            now = step.get()
            count = self.data(code, table, now)
            with code.at.if_then(recorded, likely=False):
                code.call("remember", code["TABLE"], (now - 1).ir)
            finite = Word(code, code.call("one_step", code["TABLE"], now.ir, count.ir))
            with code.at.if_then(recorded, likely=False):
                self.keep_gradient(code, table, now - 1)
            with code.at.if_then(finite.compare("==", 0), likely=False):
                diverged.set(now)
            leave(code, finite.compare("==", 0), end)
            with code.at.if_then(self.is_mark(code, table, mark, now)):
                self.look(code, table, mark, now, solved)
        with code.at.if_then(recorded, likely=False):
            code.call("remember", code["TABLE"], step.get().ir)
        last = (step.get() - 1).choose(step.get().compare(">", 0), 0)
        code.call("judge", code["TABLE"], last.ir, word(code, 1).ir, table.address("P"))
        self.result(code, table, Word(code, code["run"]), (solved.get(), diverged.get(), step.get()))
        code.close()

    def data(self, code: Code, table: Table, now: Word) -> Word:
        """What a step sees, kept from the first of several passes over it; how many samples there are."""
        if self.experiment.passes == 1:
            return self.collected(code, table, now)
        first = ((now - 1) % table.number("passes")).compare("==", 0)
        with code.at.if_then(first):
            count = self.collected(code, table, now)
            if self.body.olds:
                code.call("keep_old", code["TABLE"], now.ir, count.ir)
        return table.number("seen")

    def collected(self, code: Code, table: Table, now: Word) -> Word:
        """Questions and chance of a step; how many samples there are."""
        count = self.questions(code, table, now)
        if self.body.by_chance:
            code.call("chance", code["TABLE"], now.ir, count.ir)
        return count

    def questions(self, code: Code, table: Table, now: Word) -> Word:
        """The questions of a step; how many there are."""
        if self.experiment.fresh:
            code.call("draw", code["TABLE"])
            arguments = table.number("seen").ir, table.address("drawn"), table.address("X"), table.address("T")
            code.call("gather", code["TABLE"], *arguments)
        elif self.experiment.batch:
            return Word(code, code.call("minibatch", code["TABLE"], now.ir))
        return table.number("seen")

    def keep_gradient(self, code: Code, table: Table, row: Word) -> None:
        at = row * self.columns
        code.store(table.address("history"), at.ir, code.load(table.address("OUT"), 0, 1))
        with loop(code, self.body.slots) as i:
            code.store(table.address("history"), (at + 1 + i).ir, code.load(table.address("G"), i.ir, 1))

    def is_mark(self, code: Code, table: Table, mark: Cell, now: Word) -> Any:
        some = (table.number("marked") - 1).least(mark.get())
        return code.at.and_(
            mark.get().compare("<", table.number("marked")), table.of("marks", 64)[some].compare("==", now)
        )

    def look(self, code: Code, table: Table, mark: Cell, now: Word, solved: Cell) -> None:
        """Errors at a mark, as long as they tell anything new."""
        run = Word(code, code["run"])
        first, traced = solved.get().compare("==", 0), run.compare("<", table.number("traced"))
        with code.at.if_then(code.at.or_(first, traced)):
            code.call("judge", code["TABLE"], (now - 1).ir, word(code, 0).ir, table.address("P"))
            self.trace(code, table, run, mark.get())
            with code.at.if_then(code.at.and_(self.is_solved(code, table), first)):
                solved.set(now)
        mark.set(mark.get() + 1)

    def trace(self, code: Code, table: Table, run: Word, mark: Word) -> None:
        """The mean error at a mark into the run's learning curve."""
        with code.at.if_then(run.compare("<", table.number("traced"))):
            place = run * table.number("marked") + mark
            code.store(table.address("curves"), place.ir, code.load(table.address("OUT"), 0, 1))

    def is_solved(self, code: Code, table: Table) -> Any:
        return code.load(table.address("OUT"), 1, 1).compare("<", code.load(table.address("tolerance"), 0, 1))

    def result(self, code: Code, table: Table, run: Word, steps: tuple[Word, Word, Word]) -> None:
        """A run's row."""
        double = ir.DoubleType()
        errors = [code.load(table.address("OUT"), i, 1).ir for i in range(3)]
        mean, most, dead = (e if e.type == double else code.at.fpext(e, double) for e in errors)
        solved, diverged, done = (code.at.uitofp(step.ir, double) for step in steps)
        for i, value in enumerate((mean, most, solved, diverged, dead, done)):
            place = code.at.gep(table.address("out"), [(run * COLUMNS + i).ir], source_etype=double)
            code.at.store(value, place)


def _product(numbers: list[int]) -> int:
    found = 1
    for number in numbers:
        found *= number
    return found


def _fraction(code: Code, words: Any) -> Vector:
    """words/2**32, rounded once, and below 1: an answer of probability 1 is always the one that is chosen."""
    drawn = Vector(code, code.at.uitofp(words, ir.VectorType(code.form.kind, words.type.count))) * 2.0**-32
    return smaller(drawn, code.number(1 - 2.0**-24, drawn.width))
