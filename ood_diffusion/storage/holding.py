"""Locks. Who uses a store holds one on its `recipe.json`, so that nobody removes it meanwhile.

An operating-system lock: it is released when its holder dies, however it dies.
"""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from filelock import BaseFileLock

if sys.platform != "win32":
    import fcntl

RECIPE = "recipe.json"
"""Every store has one, and it is never changed."""
NO_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK)
"""What a file system without `flock` answers."""


def acquire(lock: BaseFileLock, timeout: float = -1) -> None:
    """Acquire a lock, or go on without it where the file system has none.

    Args:
        lock: to be released by whoever asked.
        timeout: in s; -1: none.

    Raises:
        Timeout: if another process holds it that long.
        OSError: if its file cannot be made.
    """
    try:
        lock.acquire(timeout=timeout)
    except NotImplementedError:  # older versions of filelock, of ENOSYS
        return
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise


def hold(folder: Path) -> BinaryIO | None:
    """Share the store in `folder` with all others who use it, until the file that is returned is closed.

    Returns:
        None if there is no store yet, or no locks where it is.
    """
    while sys.platform != "win32":
        try:
            file = open(folder / RECIPE, "rb")  # noqa: SIM115  # who asked closes it
            fcntl.flock(file, fcntl.LOCK_SH)
        except OSError:
            break
        if still_there(file, folder):
            return file
        file.close()  # it was removed while this waited
    return None


@contextmanager
def held_alone(folder: Path) -> Iterator[bool]:
    """Whether nobody else uses the store in `folder`, nor can while the block runs."""
    if sys.platform == "win32":
        yield False
        return
    with open(folder / RECIPE, "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            alone = still_there(file, folder)
        except OSError:
            alone = False
        yield alone


def still_there(file: BinaryIO, folder: Path) -> bool:
    """Whether this open file is the recipe of the store in `folder`."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(folder / RECIPE))
    except OSError:
        return False
