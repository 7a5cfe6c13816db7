"""Why a cell failed, left in its folder for whoever collects the sweep."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from omegaconf.errors import OmegaConfBaseException

from ood_diffusion.checks import UserError
from ood_diffusion.stages.outcome import RankFailure, explain
from ood_diffusion.storage.atomic import atomic_write

NAME = "error.txt"


@contextmanager
def recorded(folder: Path) -> Iterator[None]:
    """Write `error.txt` to `folder` if the block raises; what an earlier attempt left there is removed first.

    A process that is killed, or asked to leave, leaves none: its cell has not failed, it is unfinished. Where
    a rank has written why it failed, that it did is no news.
    """
    path = folder / NAME
    path.unlink(missing_ok=True)
    try:
        yield
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
