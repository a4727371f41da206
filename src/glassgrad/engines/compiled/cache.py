"""Machine code kept on disk from one process to the next: a file is believed only if its digest is right.

A file holds the digest of its key and its code, then the code. Whoever could write there could let us run anything, so
the folder has to be ours alone. Where it is not, or where the disk is full or may not be written, nothing is kept and
nothing is said: code can always be made anew.
"""

import hashlib
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from platformdirs import user_cache_path

MOST = 2**26  # bytes of all files; some 10 to 200 thousand each
_DIGEST = hashlib.sha256().digest_size


def kept(key: str) -> bytes | None:
    """The code that was kept under a key; None if there is none, or if the file was damaged."""
    with suppress(OSError):
        file = _folder() / key
        found = _content(file)
        if found[:_DIGEST] == _digest(key, found[_DIGEST:]):
            with suppress(OSError):  # on a disk that may only be read
                os.utime(file)  # used last: thrown away last
            return found[_DIGEST:]
    return None


def keep(key: str, code: bytes) -> None:
    """Keep some code, in place of what a file held; the files that were not used for longest make room for it."""
    with suppress(OSError):
        folder = _folder()
        _write(folder / key, _digest(key, code) + code)
        _make_room(folder)


def _folder() -> Path:
    """Where files are, which is ours alone.

    Raises:
        OSError: it cannot be made, or others may write there.
    """
    try:
        folder = user_cache_path("glassgrad", appauthor=False) / "kernels"
    except RuntimeError as error:  # a user without a home
        raise FileNotFoundError(str(error)) from None
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if hasattr(os, "geteuid"):
        found = folder.stat()
        if found.st_uid != os.geteuid() or found.st_mode & 0o022:
            raise PermissionError(folder)
    return folder


def _digest(key: str, code: bytes) -> bytes:
    return hashlib.sha256(key.encode() + code).digest()


def _content(file: Path) -> bytes:
    """The bytes of a file.

    Raises:
        OSError: there is none, or none that could be ours: a pipe would be waited for, a huge one fill all memory.
    """
    found = file.stat()
    if not stat.S_ISREG(found.st_mode) or found.st_size > MOST:
        raise FileNotFoundError(file)
    return file.read_bytes()


def _write(file: Path, content: bytes) -> None:
    """All at once, so that no other process sees half a file.

    Raises:
        OSError: it cannot be written; nothing is left behind then.
    """
    descriptor, name = tempfile.mkstemp(dir=file.parent)
    try:
        with open(descriptor, "wb") as stream:
            stream.write(content)
        os.replace(name, file)
    except BaseException:
        os.unlink(name)
        raise


def _make_room(folder: Path) -> None:
    sizes = {file: file.stat() for file in folder.iterdir() if file.is_file()}
    room = sum(status.st_size for status in sizes.values())
    for file, status in sorted(sizes.items(), key=lambda each: each[1].st_mtime):
        if room <= MOST:
            break
        file.unlink(missing_ok=True)
        room -= status.st_size
