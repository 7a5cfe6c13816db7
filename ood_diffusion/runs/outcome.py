"""How a run ends: one message, and the exit status."""

import errno
import shlex
import signal
import sys
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

from hydra.errors import HydraException, InstantiationException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from ood_diffusion.checks import UserError
from ood_diffusion.runs.configuration import quoted
from ood_diffusion.stopping import CONTINUE, stopped_by
from ood_diffusion.terminal import discard, printable

IN_ITS_PLACE = (errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ELOOP)
"""There is something else where a file or folder is to be."""
DISK_ERRORS = (
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ESTALE,
    errno.ENAMETOOLONG, *IN_ITS_PLACE,
)  # fmt: skip
LOST = 3
"""Status with which a rank started here tells that another one has ended before it."""


class RunFailure(Exception):
    """What ended a run and is no user error, in one line; `runs.failure` makes it."""


class RankFailure(Exception):
    """A rank ended with a status other than 0.

    Args:
        rank: which.
        status: its exit status, or minus the signal that killed it.
    """

    def __init__(self, rank: int, status: int) -> None:
        super().__init__(rank, status)  # as they are, so that it can be pickled
        self.rank, self.status = rank, status

    def __str__(self) -> str:
        how = (
            f"was killed by signal {-self.status}" if self.status < 0 else f"ended with status {self.status}"
        )
        return f"rank {self.rank} {how} and the others were stopped. {CONTINUE}"


class RankLost(Exception):
    """Another rank has ended; whatever started this one says why."""

    def __str__(self) -> str:
        return f"another rank failed, so this one stops. {CONTINUE}"


@contextmanager
def reported(printed: bool = True) -> Iterator[None]:
    """End the process as `verdict` says, with one message.

    Args:
        printed: False on ranks, whose failures the process that started them reports.
    """
    try:
        try:
            yield
        finally:
            if sys.stdout:
                sys.stdout.flush()
    except BrokenPipeError:  # as in `… | head -1`: nobody reads on
        discard(sys.stdout)
        end(1, "")
    except (Exception, KeyboardInterrupt) as error:
        if (found := verdict(error)) is None:
            raise
        status, message = found
        end(status, message if printed else "")


def verdict(error: BaseException) -> tuple[int, str] | None:
    """The exit status for an error, and what is to be said; None if that depends on where it was raised."""
    match error:
        case InstantiationException() if not isinstance(error.__cause__, ImportError | None):
            return None  # what a part raised while it was built
        case UserError() | HydraException() | OmegaConfBaseException() | YAMLError():
            return 2, explain(error)
        case RunFailure() | RankFailure() | RankLost():
            return 1, str(error)
        case BrokenProcessPool():
            return 1, f"the process of a run was killed, possibly for lack of memory. {CONTINUE}"
        case KeyboardInterrupt():
            return 128 + signal.SIGINT, stopped_by(signal.SIGINT)
        case OSError() if error.errno in DISK_ERRORS:
            return (
                2,
                f"cannot write: {error}. {remedy(error)} or change store, hydra.run.dir or hydra.sweep.dir.",
            )
        case Exception() if type(error).__module__.startswith("submitit."):
            return 1, f"a job of the cluster ended without a result: {str(error).strip()} {CONTINUE}"
    return None


def remedy(error: OSError) -> str:
    """What helps against one of `DISK_ERRORS`."""
    if error.errno in IN_ITS_PLACE:
        return "Remove what is in its place"
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return "Free space" if full else "Make it writable"


def end(status: int, message: str) -> None:
    """Leave the process, after the message if there is one."""
    if message:
        print(f"error: {printable(message)}", file=sys.stderr, flush=True)
    sys.exit(status)


def explain(error: Exception) -> str:
    """The message a user needs, without the library's internals."""
    if isinstance(error, YAMLError):
        return (
            f"a settings file must be YAML, but got this: {' '.join(str(error).split())}. Correct the file."
        )
    if isinstance(error, OverrideParseException):
        why = next(line for line in error.message.splitlines() if not line.startswith("Error parsing"))
        name, given, value = error.override.partition("=")
        if given and value:
            return (
                f"the value of {name} must be one that Hydra reads, but got {value} ({why}). If it is "
                f"text, such as a path, quote it: {shlex.quote(f'{name}={quoted(value)}')}"
            )
        return (
            f"a setting must be written as name=value, but got {error.override!r} ({why}). "
            "`ood-diffusion --help` lists settings and commands."
        )
    if isinstance(error, OmegaConfBaseException):
        key: Any = error.full_key
        return f"{key}: {str(error).splitlines()[0]}" if key else str(error)
    return str(error)
