"""A block of runs, from first draw to last update: what does not depend on the formulas.

Numba compiles it once for each precision; the formulas' own machine code is called by its address.
"""

import numpy as np
from numba import njit

from glassgrad.engines.compiled.denormals import FLUSH, swap_mxcsr
from glassgrad.engines.compiled.pointers import call
from glassgrad.engines.compiled.streams import (
    TWISTER,
    philox,
    randints,
    rewound,
    seed_twister,
    torch_uniform,
    uniforms,
)

exact = njit(nogil=True, error_model="numpy")


@exact
def start(state, sizes, bounds, places, P):  # type: ignore[no-untyped-def]
    """First parameters of a run, drawn layer by layer as nn.Linear does; places: where each of them is in P."""
    at = 0
    for layer in range(1, sizes.shape[0]):
        for part in range(2):  # weights, biases
            bound = bounds[layer - 1, part]
            drawn = np.zeros(sizes[layer] * (sizes[layer - 1] if part == 0 else 1), np.float32)
            if bound > 0:
                torch_uniform(state, bound, drawn)
            for i in range(drawn.shape[0]):
                P[places[at + i]] = drawn[i]
            at += drawn.shape[0]


@exact
def draw_places(state, names, most, stride, count, numbers, places):  # type: ignore[no-untyped-def]
    """`count` questions as places in the domain; draws in the order of a plain script: variable groups one by one."""
    places[:count] = 0
    first = 0
    for group in range(names.shape[0]):
        every = names[group]
        if most[group] > 0:
            randints(state, most[group], count * every, numbers)
            for k in range(every):
                add_column(places, stride[first + k], numbers, k, every, count)
        first += every


@exact
def add_column(places, stride, numbers, k, every, count):  # type: ignore[no-untyped-def]
    """places += stride times every `every`-th number from k on."""
    for i in range(count):
        places[i] += stride * numbers[i * every + k]


@exact
def shuffled(key0, key1, one_pass, count, order):  # type: ignore[no-untyped-def]
    """The order in which one pass through the samples goes."""
    draws = np.empty(count)
    zero = np.uint64(0)
    for i in range(count):
        first, _ = philox(np.uint64(one_pass), np.uint64(i), zero, zero, np.uint64(key0), np.uint64(key1))
        draws[i] = np.float64(first) / 4294967296.0
    order[:count] = np.argsort(draws, kind="mergesort")


@exact
def gather(DX, DT, places, count, room, X, T):  # type: ignore[no-untyped-def]
    """Questions by their places; the rest of the last vector is filled with copies of the first."""
    for k in range(DX.shape[0]):
        pick(DX[k], places, count, room, X[k])
    pick(DT, places, count, room, T)


@exact
def pick(source, places, count, room, out):  # type: ignore[no-untyped-def]
    """out[q] = source[places[q]]."""
    for q in range(count):
        out[q] = source[places[q]]
    out[count:room] = source[places[0]]


@exact
def weigh(count, room, C):  # type: ignore[no-untyped-def]
    """The same weight for each sample, none for the filling."""
    for q in range(room):
        C[q] = 1.0 / count if q < count else 0.0


@exact
def remember(history, row, P, M, ST):  # type: ignore[no-untyped-def]
    """The numbers before a step; loss and gradient have the first places, then parameters, states, the objective's."""
    slots = P.shape[0]
    at = 1 + slots
    history[row, at : at + slots] = P
    for i in range(M.shape[0]):
        at += slots
        history[row, at : at + slots] = M[i]
    at += slots
    history[row, at : at + ST.shape[0]] = ST


@exact
def run_block(  # type: ignore[no-untyped-def]
    code, seeds, keys, H, HO, sizes, bounds, draws_at, first, first_states, first_program, DX, DT, EX, ET, EC,
    names, most, stride, fixed, samples, batch, dropout, units, steps, flags, lanes, tolerance, marks,
    ROOM, out, curves, history, stop,
):  # fmt: skip
    """Train some runs, one after the other.

    code: addresses of step, evaluation and noise. first: learned numbers that are not drawn, in their places.
    flags: fresh questions, distinct questions by count, noise, uniform. lanes: what samples are filled up to.
    ROOM: memory for the kernel, held by the caller (an array of which only the address is used is freed too early).
    out (runs, 6): mean and largest error, solved at, diverged at, dead units, steps done. history: empty, or room for
    every step of a single run.
    """
    fresh, distinct, noisy, chancy = flags[0] != 0, flags[1] != 0, flags[2] != 0, flags[3] != 0
    seen = DT.shape[0] if distinct else min(batch, samples)
    room = (seen + lanes - 1) // lanes * lanes
    twister = np.empty(TWISTER, np.uint32)
    P, G = np.zeros_like(first), np.zeros_like(first)
    M = np.zeros((first_states.shape[0], first.shape[0]), first.dtype)
    ST = np.zeros(first_program.shape[0], first.dtype)
    X, T, C = np.zeros((EX.shape[0], room), first.dtype), np.zeros(room, first.dtype), np.zeros(room, first.dtype)
    noises = (room + 15) // 16 * 16  # whole vectors of any precision
    NOISE, UNIFORM = np.zeros(noises, first.dtype), np.zeros(room, first.dtype)
    KEEP = np.ones((units.shape[0], room), first.dtype)
    OUT = np.zeros(3, first.dtype)
    wide = np.empty(room)
    places, order = np.zeros(samples, np.uint32), np.zeros(samples, np.int64)
    numbers = np.zeros(samples * names.sum() + 1, np.uint32)
    chosen = np.zeros(room, np.uint32)
    a_P, a_G, a_M, a_ST, a_X, a_T, a_C = (
        P.ctypes.data, G.ctypes.data, M.ctypes.data, ST.ctypes.data, X.ctypes.data, T.ctypes.data, C.ctypes.data,
    )  # fmt: skip
    a_NOISE, a_UNIFORM, a_KEEP, a_OUT, a_ROOM = (
        NOISE.ctypes.data, UNIFORM.ctypes.data, KEEP.ctypes.data, OUT.ctypes.data, ROOM.ctypes.data,
    )  # fmt: skip
    a_EX, a_ET, a_EC, a_H, a_HO = EX.ctypes.data, ET.ctypes.data, EC.ctypes.data, H.ctypes.data, HO.ctypes.data
    row_h, row_ho = H.shape[1] * H.itemsize, HO.shape[1] * HO.itemsize
    control = swap_mxcsr(np.uint32(0x1F80 | FLUSH))
    for run in range(seeds.shape[0]):
        P[:] = first
        G[:] = 0
        seed_twister(twister, seeds[run])
        start(twister, sizes, bounds, draws_at, P)
        for i in range(M.shape[0]):
            M[i, :] = first_states[i]
        ST[:] = first_program
        if not rewound(twister):
            seed_twister(twister, seeds[run])
        if fixed.shape[0] > 0:
            places[:] = fixed
        elif not fresh:
            draw_places(twister, names, most, stride, samples, numbers, places)
        if distinct:
            gather(DX, DT, np.arange(seen).astype(np.uint32), seen, room, X, T)
            C[:] = 0
            for i in range(samples):
                C[places[i]] += 1
            for q in range(seen):
                C[q] = np.float64(C[q]) / samples
        else:
            weigh(seen, room, C)
            if not fresh and seen == samples:
                gather(DX, DT, places, seen, room, X, T)
        mark, solved_at, diverged_at, done = 0, 0, 0, 0
        for step in range(1, steps + 1):
            if stop[0] != 0:
                break
            n, real_n = room, seen
            if fresh:
                draw_places(twister, names, most, stride, samples, numbers, places)
                gather(DX, DT, places, seen, room, X, T)
            elif not distinct and seen < samples:
                per_pass = (samples + seen - 1) // seen
                one_pass, at = (step - 1) // per_pass, (step - 1) % per_pass
                if at == 0:
                    shuffled(keys[run, 6], keys[run, 7], one_pass, samples, order)
                real_n = min(seen, samples - at * seen)
                n = (real_n + lanes - 1) // lanes * lanes
                for q in range(real_n):
                    chosen[q] = places[order[at * seen + q]]
                gather(DX, DT, chosen, real_n, n, X, T)
                weigh(real_n, n, C)
            if noisy:
                call(code[2], (noises, step, keys[run, 0], keys[run, 1], a_NOISE))
            if chancy:
                uniforms(keys[run, 2], keys[run, 3], step, 0, 0, wide[:real_n])
                UNIFORM[:real_n] = wide[:real_n]
            for u in range(units.shape[0]):
                uniforms(keys[run, 4], keys[run, 5], step, units[u, 0], units[u, 1], wide[:real_n])
                for q in range(real_n):
                    KEEP[u, q] = 1.0 / (1.0 - dropout) if wide[q] >= dropout else 0.0
            if history.shape[0] > 0:
                remember(history, step - 1, P, M, ST)
            finite = call(code[0], (
                n, real_n, room, a_P, a_G, a_M, a_ST, a_X, a_T, a_C, a_NOISE, a_UNIFORM, a_KEEP,
                a_H + (step - 1) * row_h, a_HO + (step - 1) * row_ho, a_OUT, a_ROOM,
            ))  # fmt: skip
            if history.shape[0] > 0:
                history[step - 1, 0] = OUT[0]
                history[step - 1, 1 : 1 + G.shape[0]] = G
            done = step
            if finite == 0:
                diverged_at = step
                break
            if mark < marks.shape[0] and step == marks[mark]:
                call(
                    code[1],
                    (EC.shape[0], EC.shape[0], 0, a_P, a_EX, a_ET, a_EC, a_H + (step - 1) * row_h, a_OUT, a_ROOM),
                )
                if run < curves.shape[0]:
                    curves[run, mark] = OUT[0]
                if solved_at == 0 and OUT[1] < tolerance:
                    solved_at = step
                mark += 1
        if history.shape[0] > 0:
            remember(history, done, P, M, ST)
        last = max(done, 1) - 1
        call(code[1], (EC.shape[0], EC.shape[0], 1, a_P, a_EX, a_ET, a_EC, a_H + last * row_h, a_OUT, a_ROOM))
        out[run, 0], out[run, 1], out[run, 2] = OUT[0], OUT[1], solved_at
        out[run, 3], out[run, 4], out[run, 5] = diverged_at, OUT[2], done
    swap_mxcsr(control)


@exact
def features(X, block, count, wide, XT):  # type: ignore[no-untyped-def]
    """Each question's features if all units were on: its inputs and 1 for each unit, and 1 for the output's bias."""
    for q in range(X.shape[1]):
        for unit in range(count):
            for k in range(block - 1):
                XT[q * wide + unit * block + k] = X[k, q]
            XT[q * wide + unit * block + block - 1] = 1
        XT[q * wide + count * block] = 1


@exact
def run_groups(  # type: ignore[no-untyped-def]
    code, seeds, H, HO, sizes, bounds, draws_at, first, first_states, DX, DT, EX, ET, EC, names, most, stride, samples,
    distinct, lanes, tolerance, marks, shape, whole, Q, STATES, ROOM, out, curves, stop,
):  # fmt: skip
    """Train some runs by moments, a few at a time.

    shape: features of a unit, units, length of a row of features. whole: sums of features are exact, however long they
    are kept. Q (runs at a time, numbers of a run), STATES: memory held by the caller. out, curves: as of run_block.
    """
    block, units, wide = shape[0], shape[1], shape[2]
    together = Q.shape[0]
    seen = DT.shape[0] if distinct else samples
    room = (seen + lanes - 1) // lanes * lanes
    slots, rows = first.shape[0], 1 + first_states.shape[0]
    twister = np.empty(TWISTER, np.uint32)
    X, T = np.zeros((together, DX.shape[0], room), first.dtype), np.zeros((together, room), first.dtype)
    C, XT = np.zeros((together, room), first.dtype), np.zeros((together, room * wide), first.dtype)
    XM, OUT, G = np.zeros(wide, first.dtype), np.zeros(3, first.dtype), np.zeros(slots, first.dtype)
    places, every = np.zeros(samples, np.uint32), np.arange(seen).astype(np.uint32)
    numbers = np.zeros(samples * names.sum() + 1, np.uint32)
    for unit in range(units):
        for k in range(block - 1):
            XM[unit * block + k] = np.abs(DX[k]).max()
        XM[unit * block + block - 1] = 1
    if distinct:
        for k in range(together):
            gather(DX, DT, every, seen, room, X[k], T[k])
            features(X[k], block, units, wide, XT[k])
    row = HO.shape[1]
    size, done, diverged = first.itemsize, np.zeros(together, np.int64), np.zeros(together, np.int64)
    solved = np.zeros(together, np.int64)
    control = swap_mxcsr(np.uint32(0x1F80 | FLUSH))
    for group in range(0, seeds.shape[0], together):
        for k in range(together):
            seed = seeds[min(group + k, seeds.shape[0] - 1)]
            Q[k, : slots * rows] = 0
            seed_twister(twister, seed)
            start(twister, sizes, bounds, draws_at, Q[k])
            for i in range(slots):
                if first[i] != 0:
                    Q[k, i] = first[i]
            for i in range(rows - 1):
                Q[k, slots * (1 + i) : slots * (2 + i)] = first_states[i]
            if not rewound(twister):
                seed_twister(twister, seed)
            draw_places(twister, names, most, stride, samples, numbers, places)
            if distinct:
                C[k] = 0
                for i in range(samples):
                    C[k, places[i]] += 1
            else:
                gather(DX, DT, places, seen, room, X[k], T[k])
                features(X[k], block, units, wide, XT[k])
                for q in range(room):
                    C[k, q] = 1 if q < seen else 0
            rebuild(code, room, Q, X, T, C, XT, k)
            diverged[k], solved[k] = 0, 0
        before = 0
        for mark in range(marks.shape[0]):
            if stop[0] != 0:
                break
            STATES[:, :] = Q[:, : slots * rows]
            call(code[3], (
                marks[mark] - before, row, room, samples, Q.ctypes.data, X.ctypes.data, T.ctypes.data, C.ctypes.data,
                XT.ctypes.data, XM.ctypes.data, H.ctypes.data, HO.ctypes.data + before * row * size,
            ))  # fmt: skip
            for k in range(together):
                if diverged[k] == 0:
                    judge(code, Q, EX, ET, EC, H, OUT, ROOM, k, mark + 1 == marks.shape[0])
                    if not np.isfinite(OUT[1] * OUT[1]):
                        diverged[k] = replay(
                            code, Q, STATES, G, X, T, C, H, HO, OUT, ROOM, (before, marks[mark]), samples, k
                        )
                        if diverged[k] == 0:
                            rebuild(code, room, Q, X, T, C, XT, k)
                        else:
                            done[k] = diverged[k]
                            STATES[k] = Q[k, : slots * rows]
                        judge(code, Q, EX, ET, EC, H, OUT, ROOM, k, True)
                    run = group + k
                    if run < seeds.shape[0]:
                        out[run, 0], out[run, 1], out[run, 4] = OUT[0], OUT[1], OUT[2]
                        if run < curves.shape[0] and diverged[k] == 0:
                            curves[run, mark] = OUT[0]
                    if solved[k] == 0 and OUT[1] < tolerance and diverged[k] == 0:
                        solved[k] = marks[mark]
                if diverged[k] != 0:
                    Q[k, : slots * rows] = 0  # goes on with zeros, unseen
                    rebuild(code, room, Q, X, T, C, XT, k)
                elif not whole:
                    rebuild(code, room, Q, X, T, C, XT, k)
            before = marks[mark]
        for k in range(min(together, seeds.shape[0] - group)):
            out[group + k, 2], out[group + k, 3] = solved[k], diverged[k]
            out[group + k, 5] = diverged[k] if diverged[k] != 0 else before
    swap_mxcsr(control)


@exact
def rebuild(code, room, Q, X, T, C, XT, k):  # type: ignore[no-untyped-def]
    """Signs and moments of run k from the beginning."""
    call(code[4], (
        room, Q[k:].ctypes.data, X[k:].ctypes.data, T[k:].ctypes.data, C[k:].ctypes.data, XT[k:].ctypes.data,
    ))  # fmt: skip


@exact
def judge(code, Q, EX, ET, EC, H, OUT, ROOM, k, units):  # type: ignore[no-untyped-def]
    """Errors and, if asked for, dead units of run k."""
    call(code[1], (
        EC.shape[0], EC.shape[0], np.int64(units), Q[k:].ctypes.data, EX.ctypes.data, ET.ctypes.data,
        EC.ctypes.data, H.ctypes.data, OUT.ctypes.data, ROOM.ctypes.data,
    ))  # fmt: skip


@exact
def replay(code, Q, STATES, G, X, T, C, H, HO, OUT, ROOM, span, samples, k):  # type: ignore[no-untyped-def]
    """Some steps of run k once more, pass by pass: the step that was not finite, or 0."""
    slots, room = G.shape[0], T.shape[1]
    Q[k, : STATES.shape[1]] = STATES[k]
    weights = C[k] / samples
    for step in range(span[0], span[1]):
        finite = call(code[0], (
            room, samples, room, Q[k:].ctypes.data, G.ctypes.data, Q[k, slots:].ctypes.data, G.ctypes.data,
            X[k:].ctypes.data, T[k:].ctypes.data, weights.ctypes.data, T.ctypes.data, T.ctypes.data, T.ctypes.data,
            H.ctypes.data + step * H.shape[1] * H.itemsize, HO.ctypes.data + step * HO.shape[1] * HO.itemsize,
            OUT.ctypes.data, ROOM.ctypes.data,
        ))  # fmt: skip
        if finite == 0:
            return step + 1
    return 0 * len(weights)
