"""From written functions to machine code: made by LLVM in a second or so, for this machine, or found on disk."""

import hashlib
import platform
import threading
from dataclasses import dataclass

import llvmlite
import llvmlite.binding as llvm

from glassgrad.engines.compiled import cache

OPTIMIZE = 3  # how hard instructions are chosen
SPEED = 2  # rather than size
PASSES = {"loop_vectorization": True, "slp_vectorization": False}  # what is worth it is written in vectors already

_lock = threading.Lock()
_built: dict[str, "Built"] = {}


@dataclass(frozen=True)
class Built:
    """Machine code, and where its functions are.

    kept: what LLVM must not lose while the code lives.
    """

    addresses: dict[str, int]
    kept: tuple[object, ...]


def build(source: str, names: tuple[str, ...]) -> Built:
    """Compile a module's text, once a machine."""
    processor = _processor()
    versions = (llvmlite.__version__, llvm.llvm_version_info, llvm.get_default_triple())
    facts = (*versions, *processor, OPTIMIZE, SPEED, PASSES, source)
    key = hashlib.sha256(repr(facts).encode()).hexdigest()
    with _lock:
        if key not in _built:
            machine = llvm.Target.from_default_triple().create_target_machine(*processor, OPTIMIZE, jit=True)
            code = cache.kept(key)
            if code is None:
                code = compiled(source, machine)
                cache.keep(key, code)
            _built[key] = _loaded(code, machine, names)
        return _built[key]


def compiled(source: str, machine: llvm.TargetMachine) -> bytes:
    """A module's machine code, as an object file."""
    module = llvm.parse_assembly(source)
    module.verify()
    options = llvm.create_pipeline_tuning_options(SPEED)
    for name, wanted in PASSES.items():
        setattr(options, name, wanted)
    passes = llvm.create_pass_builder(machine, options)
    passes.getModulePassManager().run(module, passes)
    found: bytes = machine.emit_object(module)
    return found


def _processor() -> tuple[str, str]:
    """This processor's name and features; full vectors where it has them, although LLVM would rather take half."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = llvm.get_host_cpu_features().flatten()
    if platform.machine().lower() in ("x86_64", "amd64"):
        features += ",-prefer-256-bit,-fast-vector-fsqrt"
    return llvm.get_host_cpu_name(), features


def _loaded(code: bytes, machine: llvm.TargetMachine, names: tuple[str, ...]) -> Built:
    """An object file in memory, ready to be called."""
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return Built({name: engine.get_function_address(name) for name in names}, (engine, machine))
