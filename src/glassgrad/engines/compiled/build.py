"""From written functions to machine code: LLVM makes it in a fraction of a second, for this machine."""

import hashlib
import platform
import threading
from dataclasses import dataclass

import llvmlite.binding as llvm

_lock = threading.Lock()
_built: dict[str, "Built"] = {}


@dataclass(frozen=True)
class Built:
    """Machine code, and where its functions are.

    kept: what LLVM must not lose while the code lives.
    """

    addresses: dict[str, int]
    kept: tuple[object, ...]


def machine() -> llvm.TargetMachine:
    """This processor; full vectors where it has them, although LLVM would rather take half."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = llvm.get_host_cpu_features()
    text = features.flatten()
    if platform.machine().lower() in ("x86_64", "amd64"):
        text += ",-prefer-256-bit,-fast-vector-fsqrt"
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(cpu=llvm.get_host_cpu_name(), features=text, opt=3, jit=True)


def build(source: str, names: tuple[str, ...]) -> Built:
    """Compile a module's text, once a process."""
    key = hashlib.sha256(source.encode()).hexdigest()
    with _lock:
        if key not in _built:
            module = llvm.parse_assembly(source)
            module.verify()
            target = machine()
            options = llvm.create_pipeline_tuning_options(speed_level=2)
            options.loop_vectorization = True
            options.slp_vectorization = False  # what is worth it is written in vectors already
            passes = llvm.create_pass_builder(target, options)
            passes.getModulePassManager().run(module, passes)
            engine = llvm.create_mcjit_compiler(module, target)
            engine.finalize_object()
            addresses = {name: engine.get_function_address(name) for name in names}
            _built[key] = Built(addresses, (engine, module, target, passes, options))
        return _built[key]
