"""The two Mersenne twisters and Philox inside the machine code: bit for bit PyTorch's and NumPy's numbers.

Setting up a run on the host costs more than training it; here it is a few microseconds. A twister is an array of
32-bit words: 624 of state, the 624 drawn from them, the place of the next one, and how often they were renewed.
"""

from typing import Any

from llvmlite import binding as llvm
from llvmlite import ir

from glassgrad.engines.compiled.arithmetic import whole
from glassgrad.engines.compiled.vector import INDEX, Code, Form, Vector, every
from glassgrad.engines.compiled.words import Cell, Word, Words, leave, loop, repeat, word

WORDS = 624
NEXT, RENEWED = 2 * WORDS, 2 * WORDS + 1
LANES = 16  # words at a time
TWISTER = 2 * WORDS + LANES  # length of the array: the last words are read by whole vectors
WIDE = llvm.get_host_cpu_features().get("avx512f", False)  # whether the processor can write some lanes side by side
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)


def twisters(module: ir.Module, form: Form) -> None:
    """The functions seed, renew, rewind and integers."""
    renew(module, form)
    seed(module, form)
    rewind(module, form)
    integers(module, form)


def seed(module: ir.Module, form: Form) -> None:
    """The state after manual_seed(seed), which is also that after numpy.random.seed(seed)."""
    code = Code(module, form, "seed", ("seed", "TWISTER"))
    state = Words(code, code["TWISTER"], 32)
    last = Cell(code, Word(code, code["seed"]).to(32), 32)
    state[0] = last.get()
    with loop(code, WORDS, 1) as i:
        before = last.get()
        last.set((before ^ (before >> 30)) * 1812433253 + i.to(32))
        state[i] = last.get()
    state[RENEWED] = 0
    code.call("renew", code["TWISTER"])
    code.close()


def renew(module: ir.Module, form: Form) -> None:
    """The next 624 words, sixteen at a time.

    s_i becomes s_(i+397) ^ twist(s_i, s_(i+1)), in this order and with s_624 = s_0: so the last words need the first
    new ones. A copy of these stands behind the state meanwhile, where words are drawn from later.
    """
    code = Code(module, form, "renew", ("TWISTER",))
    at, kind, last = code.at, ir.VectorType(ir.IntType(32), LANES), WORDS - 397 - (WORDS - 397) % LANES

    def words(first: Any, *more: int) -> Any:
        return code.words(code["TWISTER"], (Word(code, first) + sum(more)).ir, LANES)

    def write(first: Any, value: Any, *more: int) -> None:
        code.store_word(code["TWISTER"], (Word(code, first) + sum(more)).ir, value)

    def twist(i: Any, there: int) -> None:
        a, b = words(i), words(i, 1)
        mixed = at.or_(at.and_(a, whole(kind, 0x80000000)), at.and_(b, whole(kind, 0x7FFFFFFF)))
        odd = at.and_(at.neg(at.and_(b, whole(kind, 1))), whole(kind, 0x9908B0DF))
        write(i, at.xor(at.xor(at.lshr(mixed, whole(kind, 1)), odd), words(i, there)))

    with code.loop(last, step=LANES) as i:
        twist(i, 397)
    write(INDEX(WORDS), words(INDEX(0)))
    twist(INDEX(last), 397)
    with code.loop(WORDS, last + LANES, step=LANES) as i:
        twist(i, 397 - WORDS)
    with code.loop(WORDS, step=LANES) as i:
        y = words(i)
        y = at.xor(y, at.lshr(y, whole(kind, 11)))
        y = at.xor(y, at.and_(at.shl(y, whole(kind, 7)), whole(kind, 0x9D2C5680)))
        y = at.xor(y, at.and_(at.shl(y, whole(kind, 15)), whole(kind, 0xEFC60000)))
        write(i, at.xor(y, at.lshr(y, whole(kind, 18))), WORDS)
    state = Words(code, code["TWISTER"], 32)
    state[NEXT] = 0
    state[RENEWED] = state[RENEWED] + 1
    code.close()


def rewind(module: ir.Module, form: Form) -> None:
    """Back to the first word: PyTorch's and NumPy's streams begin alike. Once it is lost: seeded again."""
    code = Code(module, form, "rewind", ("seed", "TWISTER"))
    state = Words(code, code["TWISTER"], 32)
    state[NEXT] = 0
    with code.at.if_then(state[RENEWED].compare(">", 1)):
        code.call("seed", code["seed"], code["TWISTER"])
    code.close()


def next_word(code: Code, twister: Any) -> Word:
    """The next 32 bits."""
    state = Words(code, twister, 32)
    with code.at.if_then(state[NEXT].compare(">=", WORDS)):
        code.call("renew", twister)
    place = state[NEXT]
    state[NEXT] = place + 1
    return state[place.to(64) + WORDS]


def torch_uniform(code: Code, twister: Any, low: Any, width: Any) -> Vector:
    """A number of Tensor.uniform_(low, low + width) in single precision: u*width + low, rounded once."""
    at, double = code.at, ir.DoubleType()
    u = at.fmul(at.uitofp((next_word(code, twister) & 0xFFFFFF).ir, double), ir.Constant(double, 2.0**-24))
    single = at.fptrunc(at.fadd(at.fmul(u, width), low), ir.FloatType())
    return Vector(code, single if code.form.single else at.fpext(single, code.form.kind))


def integers(module: ir.Module, form: Form) -> None:
    """integers(most, count, TWISTER, OUT): as numpy.random.randint(0, most + 1) draws; OUT: room for a vector more.

    They are the low bits of a word, drawn again while they are too large.
    """
    code = Code(module, form, "integers", ("most", "count", "TWISTER", "OUT"))
    state = Words(code, code["TWISTER"], 32)
    largest, count = Word(code, code["most"]).to(32), Word(code, code["count"])
    mask = largest
    for shift in (1, 2, 4, 8, 16):
        mask = mask | (mask >> shift)
    done = Cell(code, 0)
    with repeat(code) as (_, end):
        leave(code, done.get().compare(">=", count), end)
        with code.at.if_then(state[NEXT].compare(">=", WORDS)):
            code.call("renew", code["TWISTER"])
        (_many_integers if WIDE else _integers_one_by_one)(code, (mask, largest), count, done)
    code.close()


def _integers_one_by_one(code: Code, bounds: tuple[Word, Word], count: Word, done: Cell) -> None:
    """A number that is too large is written, and overwritten by the next, which is quicker than to jump."""
    state, out, (mask, largest) = Words(code, code["TWISTER"], 32), Words(code, code["OUT"], 32), bounds
    place = state[NEXT].to(64)
    last = (place + count - done.get()).least(WORDS)
    with loop(code, last, place) as i:
        value = state[i + WORDS] & mask
        out[done.get()] = value
        small = Word(code, code.at.zext(value.compare("<=", largest), ir.IntType(64)))
        done.set(done.get() + small)
    state[NEXT] = last


def _many_integers(code: Code, bounds: tuple[Word, Word], count: Word, done: Cell) -> None:
    """Sixteen words at a time, of which those that are small enough are put side by side.

    Then once more where the words or the numbers end: as many words are used up as have been looked at one by one.
    """
    at, state = code.at, Words(code, code["TWISTER"], 32)
    place = Cell(code, state[NEXT].to(64))
    with repeat(code) as (_, end):
        leave(code, place.get().compare(">", WORDS - LANES), end)
        leave(code, (done.get() + LANES).compare(">", count), end)
        found = _small_ones(code, bounds, place.get(), done.get(), LANES)
        done.set(done.get() + found.to(64).ones())
        place.set(place.get() + LANES)
    rest, wanted = (word(code, WORDS) - place.get()).least(LANES), count - done.get()
    found = _small_ones(code, bounds, place.get(), done.get(), rest)
    enough = found.to(64).ones().compare(">=", wanted)
    pdep = code.function_of("llvm.x86.bmi.pdep.32", ir.IntType(32), [ir.IntType(32)] * 2)
    nth = (Word(code, ir.Constant(ir.IntType(32), 1)) << wanted.least(LANES).to(32)) >> 1
    last = at.call(pdep, [nth.ir, found.ir])  # the bit of the last number that is wanted; 0 if none is
    upto = word(code, 32) - Word(code, at.ctlz(last, ir.Constant(ir.IntType(1), 0))).to(64)
    state[NEXT] = place.get() + upto.choose(enough, rest)
    done.set(done.get() + wanted.choose(enough, found.to(64).ones()))


def _small_ones(code: Code, bounds: tuple[Word, Word], place: Word, done: Word, rest: Word | int) -> Word:
    """Numbers made of a vector of words, written from place `done` on; one bit for each that is small enough."""
    at, kind = code.at, ir.VectorType(ir.IntType(32), LANES)
    mask, largest = (_same(code, kind, bound) for bound in bounds)
    values = at.and_(code.words(code["TWISTER"], (place + WORDS).ir, LANES), mask)
    small = at.icmp_unsigned("<=", values, largest)
    if isinstance(rest, Word):
        lanes = ir.Constant(kind, [ir.Constant(ir.IntType(32), lane) for lane in range(LANES)])
        small = at.and_(small, at.icmp_unsigned("<", lanes, _same(code, kind, rest)))
    squeeze = code.function_of("llvm.experimental.vector.compress.v16i32", kind, [kind, small.type, kind])
    code.store_word(code["OUT"], done.ir, at.call(squeeze, [values, small, values]))
    return Word(code, at.zext(at.bitcast(small, ir.IntType(LANES)), ir.IntType(32)))


class Philox:
    """Ten rounds of Philox4x32 on vectors of words, for one purpose; to be made outside of the loop that draws.

    Each word lies in 64 bits, of which the upper half may hold anything: so products need no unpacking. Samples at even
    places have one vector, those at odd places another: together they are as wide as the words that come out.
    """

    def __init__(self, code: Code, key: Words, purpose: int) -> None:
        """key: two words a purpose."""
        self.code, self.lanes = code, code.form.lanes
        self.wide = ir.VectorType(INDEX, self.lanes // 2)
        starts = [key[2 * purpose + i].to(64) for i in range(2)]
        self.keys = [
            [_same(code, self.wide, start + i * weyl) for start, weyl in zip(starts, WEYL, strict=True)]
            for i in range(10)
        ]

    def words(self, counter: tuple[Word | int, Word, Word | int, Word | int], vectors: int = 1) -> list[Any]:
        """Four words for so many vectors of samples: counter (step, first sample, layer, unit)."""
        halves = []
        for first in (vector * self.lanes + odd for vector in range(vectors) for odd in range(2)):
            words = [_same(self.code, self.wide, part) for part in counter]
            ramp = [ir.Constant(INDEX, first + 2 * lane) for lane in range(self.wide.count)]
            words[1] = self.code.at.add(words[1], ir.Constant(self.wide, ramp))
            halves.append(words)
        for i, keys in enumerate(self.keys):
            halves = [self._round(words, keys, i) for words in halves]
        return [self._joined(list(same)) for same in zip(*halves, strict=True)]

    def _round(self, words: list[Any], keys: list[Any], number: int) -> list[Any]:
        at, wide = self.code.at, self.wide
        first, second = (
            at.mul(at.and_(word, whole(wide, 0xFFFFFFFF)), whole(wide, factor))
            for word, factor in zip(words[::2], MULTIPLIERS, strict=True)
        )
        if number >= len(self.keys) - 2:
            first, second = self._whole(first), self._whole(second)
        upper = [at.lshr(product, whole(wide, 32)) for product in (second, first)]
        mixed = [at.xor(at.xor(part, old), key) for part, old, key in zip(upper, words[1::2], keys, strict=True)]
        return [mixed[0], second, mixed[1], first]

    def _whole(self, product: Any) -> Any:
        """The same product. LLVM, if it saw that of the last ones the lower half is enough, would take a slower way."""
        if not WIDE:
            return product
        return self.code.at.asm(ir.FunctionType(self.wide, [self.wide]), "", "=v,0", [product], side_effect=False)

    def _joined(self, halves: list[Any]) -> Any:
        """The lower halves of the words of even and of odd samples, in the samples' order."""
        at, kind = self.code.at, ir.VectorType(ir.IntType(32), self.lanes)
        order = [lane - lane % 2 + self.lanes * (lane % 2) for lane in range(self.lanes)]
        found = [
            at.shuffle_vector(at.bitcast(even, kind), at.bitcast(odd, kind), ir.Constant(kind, order))
            for even, odd in zip(halves[::2], halves[1::2], strict=True)
        ]
        if len(found) == 1:
            return found[0]
        both = ir.VectorType(ir.IntType(32), 2 * self.lanes)
        return at.shuffle_vector(*found, ir.Constant(both, list(range(2 * self.lanes))))


def _same(code: Code, kind: Any, value: Word | int) -> Any:
    """One word in every lane."""
    if isinstance(value, int):
        return whole(kind, value)
    return every(code, value.to(kind.element.width).ir, kind.count)
