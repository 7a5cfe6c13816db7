"""Files that are either whole or absent, whatever happens to the process that writes them."""

import errno
import os
import sys
import uuid
from contextlib import suppress
from pathlib import Path

if sys.platform != "win32":
    import fcntl

ATTEMPTS = 5
"""How often a file is written whose folder, or whose temporary file, others delete meanwhile."""


def atomic_write(path: Path, data: bytes, written: int | None = None) -> None:
    """Write `data` to `path` through a temporary file, `fsync` and `os.replace`.

    The temporary file lies in the same folder, so that the replacement is one rename on one file
    system; a reader sees the old file or the new one, never a part. Missing folders are created, also if
    they are deleted meanwhile.

    Args:
        path: of the file.
        data: its content.
        written: when it was last written is said to be this, in ns; None: now.

    Raises:
        OSError: if the folder cannot be written or the disk is full; nothing is left behind then.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return _write(path, data, written)
        except FileNotFoundError as error:
            if attempt == ATTEMPTS:  # on such a file system as /proc
                raise OSError(errno.EROFS, "no folder can be made", str(path.parent)) from error


def _write(path: Path, data: bytes, written: int | None) -> None:
    temporary = path.parent / f".{path.name}.{uuid.uuid4().hex}.part"
    try:
        with open(temporary, "xb") as file:
            if sys.platform != "win32":
                with suppress(OSError):  # where there are no locks
                    fcntl.flock(file, fcntl.LOCK_EX)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            if written is not None:
                os.utime(temporary, ns=(written, written))
        os.replace(temporary, path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:  # a full disk does not say which file
            error.filename = str(path)
        raise


def remove_leftovers(folder: Path) -> None:
    """Remove what killed calls of `atomic_write` left in `folder`; nothing that a living one writes.

    A writer holds an operating-system lock on its temporary file, which its death releases. Between the lock
    and the rename, and where locks do not work, the file of a living one may go: it then writes once more.
    """
    if sys.platform != "win32":
        for path in folder.glob(".*.part"):
            with suppress(OSError), open(path, "r+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
