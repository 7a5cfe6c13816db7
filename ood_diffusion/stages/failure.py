"""Why a cell failed, left in its folder for whoever collects the sweep."""

import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout
from omegaconf.errors import OmegaConfBaseException

from ood_diffusion.checks import UserError, require
from ood_diffusion.stages.outcome import RankFailure, explain
from ood_diffusion.stages.sweep import RESULTS, Sweep
from ood_diffusion.storage.atomic import atomic_write, remove_leftovers

NAME = "error.txt"
PREVIOUS = "results.previous.json"
LOCK = ".lock"


@contextmanager
def recorded(folder: Path) -> Iterator[None]:
    """Write `error.txt` to `folder` if the block raises, beside no results of an earlier attempt.

    The error of an earlier attempt is removed first, and its results are moved to `PREVIOUS`, from where they
    go when the block has ended well.

    A process that is killed, or asked to leave, leaves none: its cell has not failed, it is unfinished. Where
    a rank has written why it failed, that it did is no news.
    """
    path = folder / NAME
    path.unlink(missing_ok=True)
    with suppress(FileNotFoundError):
        os.replace(folder / RESULTS, folder / PREVIOUS)
    try:
        yield
        (folder / PREVIOUS).unlink(missing_ok=True)
    except (Exception, KeyboardInterrupt) as error:
        if not (isinstance(error, RankFailure) and path.exists()):
            with suppress(OSError):  # the disk may be what failed
                atomic_write(path, f"{reason(error)}\n".encode(errors="backslashreplace"))
        raise


def reason(error: BaseException) -> str:
    """The message for a mistake of the user's, kind and message for anything else."""
    if isinstance(error, UserError | OmegaConfBaseException | RankFailure):
        return explain(error)
    return traceback.format_exception_only(error)[-1].strip()


@contextmanager
def occupied(folder: Path) -> Iterator[None]:
    """Keep `folder` to this run, whose output folder it is, while the block runs.

    Raises:
        UserError: if another process uses it, or another cell of this process's sweep has used it; what lies
            there is left as it is.
    """
    rule = "every run needs a folder of its own"
    remedy = (
        "Leave hydra.run.dir and hydra.sweep.subdir as they are, or let their names hold what differs, "
        "such as ${hydra.job.num}."
    )
    require(folder not in Sweep.used, rule, f"{folder}, in which another cell of this sweep has run", remedy)
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(f"{rule}, but got {str(folder)!r}, in which another process runs. {remedy}") from None
    try:
        remove_leftovers(folder)
        yield
    finally:
        Sweep.used.add(folder)
        lock.release()
