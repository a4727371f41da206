"""Machine code kept on disk from one process to the next: a file is believed only if its digest is right.

A file holds the digest of its key and its code, then the code. Whoever could write there could let us run anything, so
the folder has to be ours alone. Where it is not, or where the disk is full or may not be written, nothing is kept and
nothing is said: code can always be made anew.
"""

import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from platformdirs import user_cache_path

MOST = 2**26  # bytes of all files; some 20 to 200 thousand each
_DIGEST = hashlib.sha256().digest_size


def kept(key: str) -> bytes | None:
    """The code that was kept under a key; None if there is none, or if the file was damaged."""
    with suppress(OSError):
        file = _folder() / key
        found = file.read_bytes()
        if found[:_DIGEST] == _digest(key, found[_DIGEST:]):
            with suppress(OSError):  # on a disk that may only be read
                os.utime(file)  # used last: thrown away last
            return found[_DIGEST:]
    return None


def keep(key: str, code: bytes) -> None:
    """Keep some code, in place of what a file held; the files that were not used for longest make room for it."""
    with suppress(OSError):
        folder = _folder()
        with tempfile.TemporaryDirectory(dir=folder) as room:
            file = Path(room) / key
            file.write_bytes(_digest(key, code) + code)
            file.replace(folder / key)  # at once: no other process sees half a file
        _make_room(folder)


def _folder() -> Path:
    """Where files are, which is ours alone.

    Raises:
        OSError: it cannot be made, or others may write there.
    """
    folder = user_cache_path("glassgrad", appauthor=False) / "kernels"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if hasattr(os, "geteuid"):
        status = folder.stat()
        if status.st_uid != os.geteuid() or status.st_mode & 0o022:
            raise PermissionError(folder)
    return folder


def _digest(key: str, code: bytes) -> bytes:
    return hashlib.sha256(key.encode() + code).digest()


def _make_room(folder: Path) -> None:
    sizes = {file: file.stat() for file in folder.iterdir() if file.is_file()}
    room = sum(status.st_size for status in sizes.values())
    for file, status in sorted(sizes.items(), key=lambda each: each[1].st_mtime):
        if room <= MOST:
            break
        file.unlink(missing_ok=True)
        room -= status.st_size
