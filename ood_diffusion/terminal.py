"""What reaches a terminal: nothing that it cannot show, and nothing that it would obey."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

log = logging.getLogger(__name__)

CODES = [*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
ESCAPES = {code: chr(code).encode("unicode_escape").decode() for code in CODES if chr(code) not in "\n\t"}
"""Control characters, and those that reverse the direction of writing, as Python writes them."""
LENGTH = 300
"""Characters of another library's message that a warning repeats, at most."""


def printable(text: str) -> str:
    r"""`text` without control sequences, which names and messages may hold: ESC becomes ``\x1b``."""
    return text.translate(ESCAPES)


class LineFormatter(logging.Formatter):
    """Formats log messages for a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """The message, printable."""
        return printable(super().format(record))


def replace_unprintable() -> None:
    """Have standard output and error write "?" for what their encoding lacks, instead of raising."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # there may be none, or one of a notebook
            stream.reconfigure(errors="replace")


@contextmanager
def printing() -> Iterator[None]:
    """Print what is on disk already: a terminal or reader that is gone costs no result and no status."""
    try:
        yield
        if sys.stdout:
            sys.stdout.flush()
    except Exception as error:
        if isinstance(error, OSError):
            discard(sys.stdout)
        if not isinstance(error, BrokenPipeError):  # as in `… | head -1`: nobody reads on
            log.warning("could not print the results (%s); they are complete on disk.", brief(error))


def discard(stream: TextIO) -> None:
    """Send what is in the buffer of `stream`, and what follows, nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def brief(error: Exception) -> str:
    """The kind of an error and the beginning of its message, in one line."""
    return f"{type(error).__name__}: {printable(' '.join(str(error).split()))}"[:LENGTH].rstrip(": ")
