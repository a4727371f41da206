"""The best JAX that we could write, for networks with one hidden layer.

What makes it quick, each found by trying: units written out; gradients by hand, a unit's from three sums over its
active questions; all sums in *one* variadic `lax.reduce`, so that XLA makes one loop of forward and backward pass;
samples as the last axis, padded to whole vectors, and reassociation allowed, so that LLVM runs that loop in vectors,
its sums in registers; vectors of 512 bits; buffers donated; a thread of Python for each core. `runs last` is the form
that is usually recommended, with runs as the last axis; XLA makes a loop of its own for each of the sums.
"""

from collections.abc import Sequence
from functools import cache, partial
from typing import Any, Literal

import numpy as np

from bench import work
from bench.machine import cores
from bench.problem import ADD, Problem
from bench.variant import Variant, spread

NEEDS = "jax"
ENVIRONMENT = {"XLA_FLAGS": "--xla_cpu_enable_fast_math=true --xla_cpu_prefer_vector_width=512"}
PADDING = 128  # samples are padded to a multiple of this: whole vectors, several at a time

Kind = Literal["samples last", "runs last"]
Way = tuple[Kind, int, int]  # and how many runs at once, and how far the loop over steps is unrolled


def turned(problem: Problem) -> work.Whole:
    """The order of parameters that has all weights of x1 first, then of x2, …

    Example:
        >>> turned(ADD)[:7].tolist()
        [0, 2, 4, 6, 8, 1, 3]
    """
    inputs, units, _ = problem.sizes
    first = np.arange(inputs * units).reshape(units, inputs).T.ravel()
    return np.concatenate([first, np.arange(inputs * units, inputs * units + 2 * units + 1)])


def step_of(problem: Problem, kind: Kind, x: Any, t: Any, weight: Any) -> Any:
    """One step of all runs: from ((parameters, runs) and Adam's two moments, corrections) to the next."""
    import jax.numpy as jnp
    from jax import lax

    inputs, units, _ = problem.sizes
    bias, last, end = inputs * units, inputs * units + units, inputs * units + 2 * units
    samples_last = kind == "samples last"

    def sums(values: list[Any], runs: int) -> Any:
        if not samples_last:
            return jnp.stack([value.sum(axis=0) for value in values])
        wide = tuple(jnp.broadcast_to(value, (runs, value.shape[1])) for value in values)
        return jnp.stack(lax.reduce(wide, (0.0,) * len(wide), lambda a, b: tuple(map(jnp.add, a, b)), (1,)))

    def step(state: Any, correction: Any) -> Any:
        p, m, v = state
        q = p[:, :, None] if samples_last else p
        z = [sum((q[k * units + i] * x[k] for k in range(inputs)), q[bias + i]) for i in range(units)]
        o = sum((q[last + i] * jnp.maximum(z[i], 0) for i in range(units)), q[end])
        d = weight * (o - t)
        active = [jnp.where(each > 0, d, 0.0) for each in z]
        found = sums([a * each for each in x for a in active] + active + [d], p.shape[1])
        s, u = found[:-1].reshape(inputs + 1, units, -1), p[last:end]
        # of W1 and b1: u times the sums; of W2: the sums under the unit's own weights
        g = jnp.concatenate([(s * u).reshape(last, -1), (s * p[:last].reshape(s.shape)).sum(axis=0), found[-1:]])
        m = work.BETA1 * m + (1 - work.BETA1) * g
        v = work.BETA2 * v + (1 - work.BETA2) * g * g
        return (p - correction[0] * m / (jnp.sqrt(v) * correction[1] + work.EPS), m, v), None

    return step


@cache
def compiled(problem: Problem, distinct: bool, kind: Kind, unroll: int) -> Any:
    """The jitted function from (parameters, runs) and data to trained parameters."""
    import jax
    import jax.numpy as jnp
    from jax import lax

    def train(p: Any, *data: Any) -> Any:
        if distinct:
            *x, t = (shaped(row[None], kind) for row in (*problem.domain, problem.truth))
            weight = data[0]
        else:
            x, t, weight = list(data[:-1]), sum(data[:-1]), data[-1]
        step = step_of(problem, kind, x, t, weight)
        zero = jnp.zeros_like(p)
        return lax.scan(step, (p, zero, zero), problem.corrections(), unroll=unroll)[0][0]

    return jax.jit(train, donate_argnums=0)


def shaped(values: work.Floats, kind: Kind) -> work.Floats:
    """Numbers of shape (runs, samples) as the kind wants them; samples as the last axis end in zeros.

    Example:
        >>> shaped(np.ones((1, 100), np.float32), "samples last").shape
        (1, 128)
    """
    if kind == "runs last":
        return np.ascontiguousarray(values.T)
    return np.pad(values, ((0, 0), (0, -values.shape[1] % PADDING)))


def data_of(problem: Problem, distinct: bool, kind: Kind, seeds: Sequence[int]) -> list[work.Floats]:
    """What a batch of runs trains on: weights of distinct questions; or x1, x2 and weights of all samples of `add`."""
    mean = np.float32(2 / problem.experiment.samples)  # of the derivative of the mean of squares
    if distinct:
        return [shaped(problem.weights(seeds) * mean, kind)]
    found = list(work.questions(seeds).astype(np.float32).transpose(2, 0, 1))
    return [shaped(each, kind) for each in (*found, np.full_like(found[0], mean))]


def batch(seeds: Sequence[int], problem: Problem, distinct: bool, kind: Kind, unroll: int) -> work.Floats:
    """Train one batch of runs."""
    order = turned(problem)
    first = np.ascontiguousarray(work.parameters(seeds, problem.sizes)[:, order].T)
    done = compiled(problem, distinct, kind, unroll)(first, *data_of(problem, distinct, kind, seeds))
    return np.ascontiguousarray(np.asarray(done).T[:, np.argsort(order)])


def variants(ways: Sequence[Way], distinct: bool, problem: Problem = ADD) -> list[Variant]:
    """The forms to be tried."""
    return [
        Variant(
            f"{kind}, {runs} runs at once on each core" + (f", steps unrolled {unroll}-fold" if unroll > 1 else ""),
            runs * cores(),
            partial(
                spread,
                partial(batch, problem=problem, distinct=distinct, kind=kind, unroll=unroll),
                batch=runs,
            ),
            problem.judge,
        )
        for kind, runs, unroll in ways
    ]
