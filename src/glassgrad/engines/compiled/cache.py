"""Compiled kernels on disk: found again by the content of their source, verified, compiled again on any doubt.

Numba's own cache loads a damaged file without a word, so a SHA-256 of every file is kept beside it.
"""

import hashlib
import importlib.util
import json
import os
import platform
import shutil
import sys
import tempfile
import threading
from pathlib import Path
from types import ModuleType

import llvmlite.binding
import numba
import numpy as np

MANIFEST = "sha256.json"
_lock = threading.Lock()


def folder() -> Path:
    """Where kernels are kept: GLASSGRAD_CACHE, else the user's own cache folder, readable by nobody else."""
    chosen = os.environ.get("GLASSGRAD_CACHE")
    base = Path(chosen) if chosen else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "glassgrad"
    try:
        base.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not os.access(base, os.W_OK):
            raise PermissionError(base)
    except OSError:
        base = Path(tempfile.mkdtemp(prefix="glassgrad-"))
    return base


def key(source: str) -> str:
    """What a kernel depends on: its source, Numba, NumPy, Python, and the processor."""
    cpu = llvmlite.binding.get_host_cpu_name()
    parts = (source, numba.__version__, np.__version__, sys.version, cpu, platform.machine())
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def load(source: str) -> ModuleType:
    """The module of a kernel's source, compiled at its first call or found on disk."""
    name = f"glassgrad_kernel_{key(source)}"
    with _lock:
        if name in sys.modules:
            return sys.modules[name]
        place = folder() / name
        if place.exists() and not sound(place, source):
            shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True, exist_ok=True)
        file = place / "kernel.py"
        if not file.exists():
            _write(file, source)
        return _execute(name, file)


def _execute(name: str, file: Path) -> ModuleType:
    """Numba finds a function's cache by its file, and pickles by its module: both must be real."""
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def seal(module: ModuleType) -> None:
    """Write down the SHA-256 of every file of a kernel, after it has been compiled."""
    place = Path(str(module.__file__)).parent
    sums = {str(file.relative_to(place)): _sum(file) for file in sorted(place.rglob("*")) if _counts(file)}
    with _lock:
        _write(place / MANIFEST, json.dumps(sums))


def sound(place: Path, source: str) -> bool:
    """Whether a kernel's folder is just what was sealed, and its source the one asked for."""
    try:
        sums = json.loads((place / MANIFEST).read_text(encoding="utf-8"))
        files = {str(file.relative_to(place)) for file in place.rglob("*") if _counts(file)}
        return (
            isinstance(sums, dict)
            and files == set(sums)
            and all(_sum(place / name) == value for name, value in sums.items())
            and (place / "kernel.py").read_text(encoding="utf-8") == source
        )
    except (OSError, ValueError):
        return False


def _counts(file: Path) -> bool:
    return file.is_file() and file.name != MANIFEST and file.suffix not in (".pyc", ".tmp")


def _sum(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _write(file: Path, text: str) -> None:
    """All or nothing, also when two processes write at once."""
    temporary = file.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(file)
