"""JAX in the usual way: a loss with `jax.grad`, Adam over a tree, `lax.scan` over steps, `vmap` over runs, `jit`."""

from collections.abc import Sequence
from functools import cache, partial
from typing import Any

from bench import work
from bench.variant import Variant

NEEDS = "jax"


@cache
def compiled() -> Any:
    """The jitted function from stacked parameters and questions to trained parameters."""
    import jax
    import jax.numpy as jnp

    tree = jax.tree_util.tree_map

    def loss(p: Any, x: Any, t: Any) -> Any:
        hidden = jax.nn.relu(x @ p["W1"].T + p["b1"])
        return jnp.mean((hidden @ p["W2"].T + p["b2"] - t) ** 2)

    def one(p: Any, x: Any) -> Any:
        t = x.sum(axis=1, keepdims=True)

        def step(state: Any, number: Any) -> Any:
            p, m, v = state
            g = jax.grad(loss)(p, x, t)
            m = tree(lambda a, b: work.BETA1 * a + (1 - work.BETA1) * b, m, g)
            v = tree(lambda a, b: work.BETA2 * a + (1 - work.BETA2) * b * b, v, g)
            c1, c2 = 1 - work.BETA1**number, 1 - work.BETA2**number
            p = tree(lambda w, a, b: w - work.RATE * (a / c1) / (jnp.sqrt(b / c2) + work.EPS), p, m, v)
            return (p, m, v), None

        zero = tree(jnp.zeros_like, p)
        return jax.lax.scan(step, (p, zero, zero), jnp.arange(1.0, work.STEPS + 1))[0][0]

    return jax.jit(jax.vmap(one))


def train(seeds: Sequence[int], runs: int) -> work.Floats:
    """Batches of runs, one after the other; XLA spreads each over the cores as it sees fit."""
    import numpy as np

    inputs, units, found = work.INPUTS, work.UNITS, []
    for start in range(0, len(seeds), runs):
        batch = seeds[start : start + runs]
        w1, b1, w2, b2 = np.split(work.parameters(batch), [10, 15, 20], axis=1)
        stacked = {"W1": w1.reshape(-1, units, inputs), "b1": b1, "W2": w2.reshape(-1, 1, units), "b2": b2}
        done = compiled()(stacked, work.questions(batch).astype(np.float32))
        parts = [np.asarray(done[name]).reshape(len(batch), -1) for name in ("W1", "b1", "W2", "b2")]
        found.append(np.concatenate(parts, axis=1))
    return np.concatenate(found)


def variants(quick: bool) -> list[Variant]:
    """Several numbers of runs at once."""
    return [
        Variant(f"{runs} runs at once", runs, partial(train, runs=runs)) for runs in ([64] if quick else [16, 64, 256])
    ]
