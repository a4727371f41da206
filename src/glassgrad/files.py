"""Files that are written: their folders are made, and one that cannot be written is refused in one line."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from glassgrad.errors import DataError


@contextmanager
def writing(file: str | Path) -> Iterator[Path]:
    """A file to be written inside of the block, in a folder that is there.

    Raises:
        DataError: it cannot be written, or its folder cannot be made.

    Example:
        >>> with writing("runs.csv") as path:  # doctest: +SKIP
        ...     path.write_text("seed,solved")
    """
    path = Path(file)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield path
    except OSError as error:
        no_folder = isinstance(error, FileExistsError)  # there is something of that name, and it is no folder
        reason = os.strerror(errno.ENOTDIR) if no_folder else error.strerror or str(error)
        raise DataError("cli.cannot_write", file=file, reason=reason) from None


def try_out(file: str | Path) -> None:
    """See, before anything is trained for it, that a file can be written; what it holds stays as it is.

    Raises:
        DataError: it cannot.
    """
    with writing(file) as path:
        new = not os.path.lexists(path)
        path.open("a").close()
        if new:
            path.unlink()
