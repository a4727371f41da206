"""The kind of machine: cores, instruction set, system; never its name."""

import os
import platform
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module, metadata, util

PACKAGES = ("numpy", "torch", "llvmlite", "jax", "stable-baselines3")


def cores() -> int:
    """How many cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def instructions() -> str:
    """The widest vector instructions that NumPy finds: AVX512, AVX2, NEON, …"""
    try:
        features: dict[str, bool] = import_module("numpy._core._multiarray_umath").__cpu_features__
    except (ImportError, AttributeError):
        return "unknown"
    wide = (("AVX512F", "AVX-512"), ("AVX2", "AVX2"), ("AVX", "AVX"), ("ASIMD", "NEON"), ("VSX", "VSX"))
    return next((name for feature, name in wide if features.get(feature)), "no vectors")


@contextmanager
def nothing_compiled() -> Iterator[None]:
    """A place for caches that is empty: no time depends on what was compiled on another day."""
    before = os.environ.get("XDG_CACHE_HOME")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        try:
            yield
        finally:
            del os.environ["XDG_CACHE_HOME"]
            if before is not None:
                os.environ["XDG_CACHE_HOME"] = before


def versions() -> dict[str, str | None]:
    """The versions of what is compared; None: not installed."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = None
    return found


def installed(module: str) -> bool:
    """Whether a module can be imported."""
    try:
        return util.find_spec(module) is not None
    except ModuleNotFoundError:  # the package that it would be in
        return False


def description() -> dict[str, object]:
    """All of it."""
    return {
        "cores": cores(), "architecture": platform.machine(), "instructions": instructions(),
        "system": platform.system(), "versions": versions(),
    }  # fmt: skip
