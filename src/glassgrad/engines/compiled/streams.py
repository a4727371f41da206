"""The two Mersenne twisters and Philox inside the machine code: bit for bit PyTorch's and NumPy's numbers.

Setting up a run on the host costs more than training it; here it is a few microseconds. A twister is an array of
32-bit words: 624 of state, the 624 drawn from them, the place of the next one, and how often they were renewed.
"""

from typing import Any

from llvmlite import ir

from glassgrad.engines.compiled.arithmetic import whole
from glassgrad.engines.compiled.vector import Code, Form, Vector
from glassgrad.engines.compiled.words import Cell, Word, Words, leave, loop, repeat

WORDS = 624
NEXT, RENEWED = 2 * WORDS, 2 * WORDS + 1
TWISTER = 2 * WORDS + 2  # length of the array
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
    """The next 624 words."""
    code = Code(module, form, "renew", ("TWISTER",))
    state = Words(code, code["TWISTER"], 32)

    def twisted(a: Word, b: Word) -> Word:
        mixed = (a & 0x80000000) | (b & 0x7FFFFFFF)
        return (mixed >> 1) ^ ((b & 1) * 0x9908B0DF)

    for first, last, from_there in ((0, WORDS - 397, 397), (WORDS - 397, WORDS - 1, 397 - WORDS)):
        with loop(code, last, first) as i:
            state[i] = state[i + from_there] ^ twisted(state[i], state[i + 1])
    state[WORDS - 1] = state[396] ^ twisted(state[WORDS - 1], state[0])
    with loop(code, WORDS) as i:
        y = state[i]
        y = y ^ (y >> 11)
        y = y ^ ((y << 7) & 0x9D2C5680)
        y = y ^ ((y << 15) & 0xEFC60000)
        state[i + WORDS] = y ^ (y >> 18)
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
    """integers(most, count, TWISTER, OUT): as numpy.random.randint(0, most + 1) draws; OUT: room for one more.

    They are the low bits of a word, drawn again while they are too large. A number that is too large is written, and
    overwritten by the next, which is quicker than to jump.
    """
    code = Code(module, form, "integers", ("most", "count", "TWISTER", "OUT"))
    state, out = Words(code, code["TWISTER"], 32), Words(code, code["OUT"], 32)
    largest, count = Word(code, code["most"]).to(32), Word(code, code["count"])
    mask = largest
    for shift in (1, 2, 4, 8, 16):
        mask = mask | (mask >> shift)
    done = Cell(code, 0)
    with repeat(code) as (_, end):
        leave(code, done.get().compare(">=", count), end)
        with code.at.if_then(state[NEXT].compare(">=", WORDS)):
            code.call("renew", code["TWISTER"])
        place = state[NEXT].to(64)
        last = (place + count - done.get()).least(WORDS)
        with loop(code, last, place) as i:
            value = state[i + WORDS] & mask
            out[done.get()] = value
            small = Word(code, code.at.zext(value.compare("<=", largest), ir.IntType(64)))
            done.set(done.get() + small)
        state[NEXT] = last
    code.close()


def philox(code: Code, counter: list[Any], key: list[Any]) -> tuple[Any, Any]:
    """Ten rounds of Philox4x32 on vectors of words: the first two words."""
    at, kind = code.at, counter[0].type
    for _ in range(10):
        (high0, low0), (high1, low1) = (_product(code, counter[2 * i], MULTIPLIERS[i]) for i in range(2))
        counter = [at.xor(at.xor(high1, counter[1]), key[0]), low1, at.xor(at.xor(high0, counter[3]), key[1]), low0]
        key = [at.add(part, whole(kind, weyl)) for part, weyl in zip(key, WEYL, strict=True)]
    return counter[0], counter[1]


def _product(code: Code, part: Any, factor: int) -> tuple[Any, Any]:
    """The upper and the lower 32 bits of a product."""
    kind, wide = part.type, ir.VectorType(ir.IntType(64), part.type.count)
    product = code.at.mul(code.at.zext(part, wide), whole(wide, factor))
    return code.at.trunc(code.at.lshr(product, whole(wide, 32)), kind), code.at.trunc(product, kind)


def words_of(code: Code, key: Words, purpose: int, counter: tuple[Word | int, Word, Word | int, Word | int]) -> Any:
    """The first two words for a vector of samples: counter (step, first sample, layer, unit); key: two words each."""
    kind = ir.VectorType(ir.IntType(32), code.form.lanes)
    ramp = ir.Constant(kind, [ir.Constant(kind.element, lane) for lane in range(kind.count)])
    step, sample, layer, unit = (_same(code, kind, part) for part in counter)
    keys = [_same(code, kind, key[2 * purpose + i]) for i in range(2)]
    return philox(code, [step, code.at.add(sample, ramp), layer, unit], keys)


def _same(code: Code, kind: Any, value: Word | int) -> Any:
    """One word in every lane."""
    if isinstance(value, int):
        return whole(kind, value)
    nothing = ir.Constant(kind, ir.Undefined)
    first = code.at.insert_element(nothing, value.to(32).ir, ir.Constant(kind.element, 0))
    return code.at.shuffle_vector(first, nothing, whole(kind, 0))
