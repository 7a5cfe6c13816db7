"""How a run ends: one message for a user's mistake, and the exit status."""

import errno
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from ood_diffusion.checks import UserError
from ood_diffusion.terminal import discard, printable

DISK_ERRORS = (
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ESTALE,
    errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ELOOP, errno.ENAMETOOLONG,
)  # fmt: skip

CONTINUE = "What is finished is in the store: the same command goes on from there."


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
        return f"another rank has ended, so this one ends too. {CONTINUE}"


@contextmanager
def reported(aloud: bool = True) -> Iterator[None]:
    """End the process with status 2 for a mistake of the user's, 1 for a dead rank, and one message.

    Args:
        aloud: False on ranks whose mistake another one reports.
    """
    try:
        try:
            yield
        finally:
            if sys.stdout:
                sys.stdout.flush()
    except (UserError, HydraException, OmegaConfBaseException, YAMLError) as error:
        end(2, explain(error) if aloud else "")
    except RankLost as error:
        end(1, str(error) if aloud else "")
    except RankFailure as error:
        end(error.status, "") if error.status == 2 else end(1, str(error))  # a rank has said what was wrong
    except BrokenPipeError:  # as in `… | head -1`: nobody reads on
        discard(sys.stdout)
        end(1, "")
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        end(2, f"cannot write: {error}. Free space or change store and hydra.run.dir.")
    except Exception as error:
        if not type(error).__module__.startswith("submitit."):
            raise
        end(1, f"a job of the cluster ended without a result: {str(error).strip()} {CONTINUE}")


def end_on_sigterm(aloud: bool = True) -> None:
    """Let SIGTERM (`kill`, `timeout`, `scancel`) end this process; Lightning's loops swallow it otherwise.

    They call a handler that is there before them. Not for processes that submitit starts: its own handler
    must see the signal.

    Args:
        aloud: False on ranks, whose end another process reports; they end without unwinding, which could wait
            for ranks that are gone.
    """
    status = 128 + signal.SIGTERM

    def stop(*_: object) -> None:
        if not aloud:
            os._exit(status)
        end(status, f"ended by SIGTERM. {CONTINUE}")

    signal.signal(signal.SIGTERM, stop)


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
    if isinstance(error, OmegaConfBaseException):
        key: Any = error.full_key
        return f"{key}: {str(error).splitlines()[0]}" if key else str(error)
    return str(error)
