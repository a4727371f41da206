"""The best JAX for wider and deeper networks, on the distinct questions: written out, or as matrix products."""

from collections.abc import Sequence
from functools import cache, partial
from typing import Any

import numpy as np

from bench import jax_best, work
from bench.machine import cores
from bench.problem import WIDER, Problem
from bench.variant import Variant, spread

NEEDS, ENVIRONMENT = jax_best.NEEDS, jax_best.ENVIRONMENT


@cache
def compiled(problem: Problem, runs: int) -> Any:
    """The jitted function from stacked parameters and weights to trained parameters; one run goes without `vmap`."""
    import jax
    import jax.numpy as jnp

    def one(p: Any, weight: Any) -> Any:
        x, t = problem.domain.T, problem.truth

        def loss(p: Any) -> Any:
            value = x
            for number, (matrix, bias) in enumerate(problem.layers(p)):
                value = (jax.nn.relu(value) if number else value) @ matrix.T + bias
            return (weight * (value[:, 0] - t) ** 2).sum()

        def step(state: Any, correction: Any) -> Any:
            p, m, v = state
            g = jax.grad(loss)(p)
            m = work.BETA1 * m + (1 - work.BETA1) * g
            v = work.BETA2 * v + (1 - work.BETA2) * g * g
            return (p - correction[0] * m / (jnp.sqrt(v) * correction[1] + work.EPS), m, v), None

        zero = jnp.zeros_like(p)
        return jax.lax.scan(step, (p, zero, zero), problem.corrections())[0][0]

    return jax.jit(jax.vmap(one) if runs > 1 else lambda p, weight: one(p[0], weight[0])[None])


def batch(seeds: Sequence[int], problem: Problem) -> work.Floats:
    """Train one batch of runs."""
    weight = problem.weights(seeds) / np.float32(problem.experiment.samples)
    return np.asarray(compiled(problem, len(seeds))(work.parameters(seeds, problem.sizes), weight))


def variants(quick: bool, network: str) -> list[Variant]:
    """Written out where there is one hidden layer; as matrix products, one run at a time or several."""
    problem = WIDER[network]
    found = []
    if len(problem.sizes) == 3:
        ways: list[jax_best.Way] = [("samples last", 128, 1)]
        found = jax_best.variants(ways if quick or max(problem.sizes) > 16 else [*ways, ("runs last", 256, 1)],
                                  distinct=True, problem=problem)  # fmt: skip
    for runs in (1,) if quick else (1, 4, 16):
        label = f"matrix products, {runs} runs at once on each core"
        train = partial(spread, partial(batch, problem=problem), batch=runs)
        found.append(Variant(label, runs * cores(), train, problem.judge))
    return found
