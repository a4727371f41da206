"""Machine code on disk: whatever happens to it, nothing but another compilation follows."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import llvmlite.binding as llvm
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glassgrad.engines.compiled import build, cache, kernel, train_many
from glassgrad.tables.experiments import BY_NAME, shipped

KNOB = shipped("knob")
EXPECTED = train_many(KNOB, range(20)).mean_error


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this test's cache is; nothing is in it so far."""
    monkeypatch.setattr(cache, "user_cache_path", lambda *_, **__: tmp_path / "own")
    return tmp_path / "own" / "kernels"


@pytest.fixture
def train(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Trains as a new process would, checks the result, and gives how many modules were compiled for it."""
    compile_ = build.compiled

    sources: list[str] = []

    def counted(source: str, machine: llvm.TargetMachine) -> bytes:
        sources.append(source)
        return compile_(source, machine)

    def again() -> int:
        sources.clear()
        monkeypatch.setattr(build, "_built", {})
        monkeypatch.setattr(build, "compiled", counted)
        kernel.kernel.cache_clear()
        np.testing.assert_array_equal(train_many(KNOB, range(20)).mean_error, EXPECTED)
        return len(sources)

    return again


def flip(file: Path, place: int) -> None:
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)


def cut(file: Path, length: int) -> None:
    file.write_bytes(file.read_bytes()[:length])


def swap_halves(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[len(content) // 2 :] + content[: len(content) // 2])


def of_another(file: Path) -> None:
    """What was rightly kept, under another key."""
    cache.keep("another", b"code of another module")
    file.write_bytes((file.parent / "another").read_bytes())


def a_pipe(file: Path) -> None:
    """Which nobody writes into: to read it would take for ever."""
    file.unlink()
    os.mkfifo(file)


def replaced(file: Path, make: Callable[[Path], object]) -> None:
    file.unlink()
    make(file)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "removed": Path.unlink,
    "empty": lambda file: cut(file, 0),
    "a digest without code": lambda file: cut(file, 32),
    "less than a digest": lambda file: cut(file, 31),
    "half": lambda file: cut(file, file.stat().st_size // 2),
    "the last byte is missing": lambda file: cut(file, -1),
    "a byte more": lambda file: file.write_bytes(file.read_bytes() + b"\0"),
    "one bit of the digest": lambda file: flip(file, 0),
    "one bit of the code": lambda file: flip(file, 32),
    "one bit in the middle": lambda file: flip(file, file.stat().st_size // 2),
    "the last bit": lambda file: flip(file, -1),
    "zeros": lambda file: file.write_bytes(bytes(file.stat().st_size)),
    "halves swapped": swap_halves,
    "another module's code": of_another,
    "text": lambda file: file.write_text("not machine code"),
    "a link to nothing": lambda file: replaced(file, lambda here: here.symlink_to("nowhere")),
    "a link to itself": lambda file: replaced(file, lambda here: here.symlink_to(here)),
    "a huge file": lambda file: os.truncate(file, 2**41),
    "its folder": lambda file: shutil.rmtree(file.parent),
    "the whole cache": lambda file: shutil.rmtree(file.parents[1]),
}


if hasattr(os, "mkfifo"):
    DAMAGES["a pipe"] = a_pipe


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_leads_to_one_compilation_and_is_mended(folder: Path, train: Callable[[], int], damage: str) -> None:
    assert train() == 1
    assert train() == 0
    (file,) = folder.iterdir()
    DAMAGES[damage](file)
    assert train() == 1
    assert train() == 0


def in_the_way(file: Path) -> None:
    """A folder of the file's name, which nothing can replace."""
    file.unlink()
    (file / "in the way").mkdir(parents=True)


def file_for_folder(file: Path) -> None:
    shutil.rmtree(file.parent)
    file.parent.write_text("")


HINDRANCES: dict[str, Callable[[Path], object]] = {
    "a folder of its name": in_the_way,
    "a file where the folder should be": file_for_folder,
    "a folder that others may write": lambda file: file.parent.chmod(0o777),
    "a folder that a group may write": lambda file: file.parent.chmod(0o770),
}


@pytest.mark.parametrize("hindrance", HINDRANCES)
def test_where_nothing_can_be_kept_every_process_compiles(
    folder: Path, train: Callable[[], int], hindrance: str
) -> None:
    assert train() == 1
    (file,) = folder.iterdir()
    HINDRANCES[hindrance](file)
    assert [train(), train()] == [1, 1]


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="this system has no owners of folders")
def test_a_folder_of_somebody_else_is_not_believed(train: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> None:
    assert train() == 1
    other = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: other)
    assert [train(), train()] == [1, 1]


def test_a_full_disk_leaves_nothing_behind(
    folder: Path, train: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full)
        assert [train(), train()] == [1, 1]
        assert list(folder.iterdir()) == []
    assert [train(), train()] == [1, 0]


def test_a_disk_that_may_only_be_read_is_read(
    folder: Path, train: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    assert train() == 1
    monkeypatch.setattr(os, "utime", refused)
    assert train() == 0


def test_a_user_without_a_home_compiles(train: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless(*_: object, **__: object) -> Path:
        raise RuntimeError("could not determine the home directory")

    monkeypatch.setattr(cache, "user_cache_path", homeless)
    assert [train(), train()] == [1, 1]


@given(st.binary(max_size=60), st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_single_changed_byte_is_believed(folder: Path, code: bytes, data: st.DataObject) -> None:
    cache.keep("key", code)
    assert cache.kept("key") == code
    file = folder / "key"
    content = bytearray(file.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    file.write_bytes(content)
    assert cache.kept("key") is None


def test_other_processors_and_other_passes_have_their_own_code(
    folder: Path, train: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert train() == 1
    name, features = build._processor()
    monkeypatch.setattr(build, "_processor", lambda: (name, f"{features},{features}"))  # the same in other words
    assert train() == 1
    for name, other in (("PASSES", {**build.PASSES, "loop_vectorization": False}), ("OPTIMIZE", 2), ("SPEED", 1)):
        monkeypatch.setattr(build, name, other)
        assert train() == 1
    assert len(list(folder.iterdir())) == 5


def test_what_was_not_used_for_longest_makes_room(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MOST", 3 * (32 + 100))
    for i, name in enumerate("abc"):
        cache.keep(name, bytes(100))
        os.utime(folder / name, (i, i))
    assert cache.kept("a") is not None  # used last by now
    cache.keep("d", bytes(100))
    assert sorted(file.name for file in folder.iterdir()) == ["a", "c", "d"]


def test_many_at_once_see_whole_files_only(folder: Path) -> None:
    contents = [bytes([i]) * 50_000 for i in range(8)]

    def work(i: int) -> bool:
        cache.keep("key", contents[i % 8])
        return cache.kept("key") in contents

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(200)))


KEYS = """
from glassgrad.engines.compiled import build, kernel, plan
from glassgrad.tables.experiments import BY_NAME
class Asked(Exception): pass
def kept(key):
    print(name, key)
    raise Asked
build.cache.kept = kept
for name in {names}:
    try:
        plan.plan(BY_NAME[name].experiment)
    except Asked:
        pass
"""


def test_every_process_writes_the_same_text_for_the_same_experiment() -> None:
    """Whatever order this process gives to its sets: otherwise nothing that was kept would be found again."""

    def keys(hashes: str, names: list[str]) -> list[str]:
        command = [sys.executable, "-c", KEYS.format(names=names)]
        environment = {**os.environ, "PYTHONHASHSEED": hashes}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return sorted(done.stdout.splitlines())

    names = list(BY_NAME)
    one = keys("1", names)
    assert len(one) == len(names)
    assert keys("2", names[::-1]) == one
