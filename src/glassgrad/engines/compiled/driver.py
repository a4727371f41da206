"""The part of a kernel's module that is the same for all: a block of runs, from first draw to last update.

COMMON: what does not depend on the formulas, compiled once for each precision. BLOCK: the loop over runs and steps.
"""

COMMON = '''
@exact
def start(state, seed, sizes, bounds, given, P):
    """First parameters of a run: drawn layer by layer as nn.Linear does, or given."""
    if given.shape[0] > 0:
        for p in range(P.shape[0]):
            P[p] = given[p]
        return
    seed_twister(state, seed)
    base = 0
    for layer in range(1, sizes.shape[0]):
        inputs, units = sizes[layer - 1], sizes[layer]
        row = np.empty(inputs * units, np.float32)
        torch_uniform_or_zero(state, bounds[layer - 1, 0], row)
        bias = np.empty(units, np.float32)
        torch_uniform_or_zero(state, bounds[layer - 1, 1], bias)
        for i in range(units):
            for j in range(inputs):
                P[base + i * (inputs + 1) + j] = F(row[i * inputs + j])
            P[base + i * (inputs + 1) + inputs] = F(bias[i])
        base += units * (inputs + 1)


@exact
def torch_uniform_or_zero(state, bound, out):
    if bound > 0:
        torch_uniform(state, bound, out)
    else:
        out[:] = np.float32(0)


@exact
def draw_questions(state, names, most, stride, count, places):
    """`count` questions as places in the domain; draws in the order of a plain script: variable groups one by one."""
    places[:count] = 0
    first = 0
    for group in range(names.shape[0]):
        for i in range(count):
            for k in range(names[group]):
                places[i] += np.int32(stride[first + k] * randint(state, most[group]))
        first += names[group]


@exact
def shuffled(key0, key1, one_pass, count, order):
    """The order in which one pass through the samples goes."""
    draws = np.empty(count)
    zero = np.uint64(0)
    for i in range(count):
        first, _ = philox(np.uint64(one_pass), np.uint64(i), zero, zero, np.uint64(key0), np.uint64(key1))
        draws[i] = np.float64(first) / 4294967296.0
    order[:count] = np.argsort(draws, kind="mergesort")


@exact
def padded(count):
    """Whole vectors of samples: the rest is filled with copies of the first sample that count nothing."""
    return count if count < 8 else (count + 15) // 16 * 16


@exact
def gather(DX, DT, places, first, count, X, T, C):
    for q in range(padded(count)):
        place = places[first + (q if q < count else 0)]
        for k in range(DX.shape[0]):
            X[k, q] = DX[k, place]
        T[q] = DT[place]
        C[q] = F(1.0 / count) if q < count else F(0)


@kernel
def finite(values):
    total = F(0)
    for i in range(values.shape[0]):
        total += values[i] * F(0)
    return total == F(0)


@exact
def P_count(sizes, given):
    if given.shape[0] > 0:
        return given.shape[0]
    total = 0
    for layer in range(1, sizes.shape[0]):
        total += sizes[layer] * (sizes[layer - 1] + 1)
    return total


@exact
def remember(history, row, P, M, ST):
    """The numbers before a step; loss and gradient have the first places, then parameters, states, the objective's."""
    count = P.shape[0]
    at = 1 + count
    history[row, at : at + count] = P
    at += count
    for i in range(M.shape[0]):
        history[row, at : at + count] = M[i]
        at += count
    for i in range(ST.shape[0]):
        history[row, at + i] = ST[i]
'''

BLOCK = '''
@exact
def run_block(seeds, keys, S, SO, sizes, bounds, given, first_states, first_program, DX, DT, EX, ET, names, most,
              stride, fixed, samples, batch, dropout, units, steps, flags, tolerance, marks, sizes_h, out, curves,
              history, stop):
    """Train some runs, one after the other.

    flags: fresh questions, distinct questions by count, noise, uniform. out (runs, 6): mean and largest error, solved
    at, diverged at, dead units, steps done. history: empty, or room for every step of a single run.
    """
    fresh, distinct, noisy, chancy = flags[0] != 0, flags[1] != 0, flags[2] != 0, flags[3] != 0
    seen = DT.shape[0] if distinct else min(batch, samples)
    drawn = fixed.shape[0] == 0
    twister = np.empty(625, np.uint32)
    questions = np.empty(625, np.uint32)
    count = P_count(sizes, given)
    P, G = np.empty(count, F), np.zeros(count, F)
    M = np.empty((first_states.shape[0], count), F)
    ST = np.empty(first_program.shape[0], F)
    per_step, per_update = np.empty((steps, sizes_h[0]), F), np.empty((steps, sizes_h[1]), F)
    for step in range(1, steps + 1):
        constants(step, S, per_step[step - 1])
        optimizer_constants(step, SO, per_update[step - 1])
    H = per_step[steps - 1]
    room = padded(seen)
    X, T, C = np.empty((DX.shape[0], room), F), np.empty(room, F), np.empty(room, F)
    NOISE, UNIFORM = np.zeros(room, F), np.zeros(room, F)
    KEEP = np.ones((units.shape[0], room), F)
    wide = np.empty(seen)
    places = np.empty(samples, np.int32)
    order = np.empty(samples, np.int64)
    chosen = np.empty(max(samples, room), np.int32)
    OUT = np.zeros(3, F)
    control = swap_mxcsr(np.uint32(0x1F80 | FLUSH))
    for run in range(seeds.shape[0]):
        start(twister, seeds[run], sizes, bounds, given, P)
        for i in range(M.shape[0]):
            M[i, :] = F(first_states[i])
        for i in range(ST.shape[0]):
            ST[i] = F(first_program[i])
        seed_twister(questions, seeds[run])
        if not fresh:
            if drawn:
                draw_questions(questions, names, most, stride, samples, places)
            else:
                places[:] = fixed
        if distinct:
            for q in range(room):
                chosen[q] = q
            gather(DX, DT, chosen, 0, seen, X, T, C)
            C[:] = F(0)
            for i in range(samples):
                C[places[i]] += F(1)
            for q in range(seen):
                C[q] = F(np.float64(C[q]) / samples)
        elif not fresh and seen == samples:
            gather(DX, DT, places, 0, seen, X, T, C)
        mark, solved_at, diverged_at, done = 0, 0, 0, 0
        for step in range(1, steps + 1):
            if stop[0] != 0:
                break
            H = per_step[step - 1]
            n = seen
            if fresh:
                draw_questions(questions, names, most, stride, samples, places)
                gather(DX, DT, places, 0, seen, X, T, C)
            elif not distinct and seen < samples:
                per_pass = (samples + seen - 1) // seen
                one_pass, at = (step - 1) // per_pass, (step - 1) % per_pass
                if at == 0:
                    shuffled(keys[run, 6], keys[run, 7], one_pass, samples, order)
                n = min(seen, samples - at * seen)
                for q in range(n):
                    chosen[q] = places[order[at * seen + q]]
                gather(DX, DT, chosen, 0, n, X, T, C)
            if noisy:
                normals(keys[run, 0], keys[run, 1], step, wide[:n])
                for q in range(n):
                    NOISE[q] = F(wide[q])
            if chancy:
                uniforms(keys[run, 2], keys[run, 3], step, 0, 0, wide[:n])
                for q in range(n):
                    UNIFORM[q] = F(wide[q])
            for u in range(units.shape[0]):
                uniforms(keys[run, 4], keys[run, 5], step, units[u, 0], units[u, 1], wide[:n])
                for q in range(n):
                    KEEP[u, q] = F(1.0 / (1.0 - dropout)) if wide[q] >= dropout else F(0)
            if history.shape[0] > 0:
                remember(history, step - 1, P, M, ST)
            loss = gradient(padded(n), sizes, P, X, T, C, NOISE, UNIFORM, KEEP, ST, H, G)
            if history.shape[0] > 0:
                history[step - 1, 0] = loss
                history[step - 1, 1 : 1 + count] = G
            done = step
            if loss - loss != 0 or not finite(G):
                diverged_at = step
                break
            update(P, G, M, per_update[step - 1])
            if mark < marks.shape[0] and step == marks[mark]:
                evaluation(sizes, P, EX, ET, H, OUT)
                if run < curves.shape[0]:
                    curves[run, mark] = OUT[0]
                if solved_at == 0 and OUT[1] < tolerance:
                    solved_at = step
                mark += 1
        if history.shape[0] > 0:
            remember(history, done, P, M, ST)
        evaluation(sizes, P, EX, ET, H, OUT)
        out[run, 0], out[run, 1], out[run, 2] = OUT[0], OUT[1], solved_at
        out[run, 3], out[run, 4], out[run, 5] = diverged_at, OUT[2], done
    swap_mxcsr(control)
'''
