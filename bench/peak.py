"""The machine's peak of fused multiply-adds in single precision: many independent chains in registers, on all cores.

Meant for a process of its own, since it tells Numba which vectors to use: LLVM prefers 256 bits on some processors
that have 512.
"""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from bench.machine import cores

CHAINS, DEPTH = 512, 32  # numbers that are worked on at once; multiply-adds in a row between load and store
LOW, HIGH = 2.0, 1000.0  # GFLOP/s of a core: what is outside was computed number by number, or optimised away


class Implausible(Exception):
    """The measured peak cannot be one."""


def kernel() -> Any:
    """acc = acc*a + b, over and over; compiled at its first call."""
    from llvmlite import binding

    os.environ["NUMBA_CPU_NAME"] = binding.get_host_cpu_name()
    os.environ["NUMBA_CPU_FEATURES"] = binding.get_host_cpu_features().flatten() + ",-prefer-256-bit"
    from numba import njit

    def multiply_add(acc: Any, a: Any, b: Any, repetitions: int) -> None:
        for _ in range(repetitions):
            for chain in range(CHAINS):
                x = acc[chain]
                for _ in range(DEPTH):
                    x = x * a + b
                acc[chain] = x

    return njit(multiply_add, fastmath={"contract"}, nogil=True)


def measure(seconds: float) -> dict[str, float]:
    """The best of several tries: GFLOP/s of all cores together, and of the first alone.

    Raises:
        Implausible: too little or too much, or the numbers came out wrong.
    """
    multiply_add = kernel()
    a, b = np.float32(0.5), np.float32(0.25)  # every chain goes to 0.5

    def work(repetitions: int) -> float:
        acc = np.linspace(0, 1, CHAINS, dtype=np.float32)
        multiply_add(acc, a, b, repetitions)
        return float(np.abs(acc - 0.5).max())

    def timed(threads: int, repetitions: int) -> float:
        with ThreadPoolExecutor(threads) as pool:
            began = time.perf_counter()
            wrong = max(pool.map(work, [repetitions] * threads))
            took = time.perf_counter() - began
        if wrong > 1e-6:
            raise Implausible(f"the chains ended {wrong:g} away from where they must")
        return 2e-9 * threads * repetitions * CHAINS * DEPTH / took

    timed(1, 1)  # compiles
    repetitions = max(1, int(0.05 / (2e-9 * CHAINS * DEPTH / timed(1, 100))))
    tries = max(3, round(seconds / 0.1))
    found = {threads: max(timed(threads, repetitions) for _ in range(tries)) for threads in (1, cores())}
    for threads, peak in found.items():
        if not LOW * threads < peak < HIGH * threads:
            raise Implausible(f"{peak:g} GFLOP/s on {threads} cores")
    return {"gflops": found[cores()], "gflops_one_core": found[1]}
