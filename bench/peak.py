"""The machine's peak of fused multiply-adds in single precision: many independent chains in registers, on all cores."""

import ctypes
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from bench.machine import cores

VECTORS, DEPTH = 16, 32  # chains, each a vector; multiply-adds of each in a turn of the loop
LOW, HIGH = 2.0, 1000.0  # GFLOP/s of a core: what is outside was computed number by number, or optimised away


class Implausible(Exception):
    """The measured peak cannot be one."""


def kernel() -> tuple[Any, int]:
    """acc = acc*a + b, over and over, as machine code: (repetitions, address of acc); and how many numbers acc has."""
    from llvmlite import ir

    from glassgrad.engines.compiled.build import build
    from glassgrad.engines.compiled.vector import Code, Form

    form, module = Form("single"), ir.Module()
    code = Code(module, form, "multiply_add", ("repetitions", "NUMBERS"))
    a, b = code.spread(code["NUMBERS"], VECTORS * form.lanes), code.spread(code["NUMBERS"], VECTORS * form.lanes + 1)
    chains = [code.variable(code.load(code["NUMBERS"], i * form.lanes)) for i in range(VECTORS)]
    with code.loop(code["repetitions"]):
        for _ in range(DEPTH):
            for chain in chains:
                chain.set(chain.get() * a + b)
    for i, chain in enumerate(chains):
        code.store(code["NUMBERS"], i * form.lanes, chain.get())
    code.close()
    address = build(str(module), ("multiply_add",)).addresses["multiply_add"]
    return ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_void_p)(address), VECTORS * form.lanes


def measure(seconds: float) -> dict[str, float]:
    """The best of several tries: GFLOP/s of all cores together, and of the first alone.

    Raises:
        Implausible: too little or too much, or the numbers came out wrong.
    """
    multiply_add, chains = kernel()

    def work(repetitions: int) -> float:
        acc = np.array([*np.linspace(0, 1, chains), 0.5, 0.25], np.float32)  # a, b: every chain goes to 0.5
        multiply_add(repetitions, acc.ctypes.data)
        return float(np.abs(acc[:chains] - 0.5).max())

    def timed(threads: int, repetitions: int) -> float:
        with ThreadPoolExecutor(threads) as pool:
            began = time.perf_counter()
            wrong = max(pool.map(work, [repetitions] * threads))
            took = time.perf_counter() - began
        if wrong > 1e-6:
            raise Implausible(f"the chains ended {wrong:g} away from where they must")
        return 2e-9 * threads * repetitions * chains * DEPTH / took

    repetitions = max(1, int(0.05 / (2e-9 * chains * DEPTH / timed(1, 100))))
    tries = max(3, round(seconds / 0.1))
    found = {threads: max(timed(threads, repetitions) for _ in range(tries)) for threads in (1, cores())}
    for threads, peak in found.items():
        if not LOW * threads < peak < HIGH * threads:
            raise Implausible(f"{peak:g} GFLOP/s on {threads} cores")
    return {"gflops": found[cores()], "gflops_one_core": found[1]}
