"""Where the items of a finite domain come from: a folder, an archive, a database."""

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Generic, TypeVar

from ood_diffusion.checks import UserError, require

Content = TypeVar("Content")
"""What a source hands over for one name: bytes of an image file, or an array."""


class Source(ABC, Generic[Content]):
    """Items that are addressed by name and read one at a time.

    A source can be pickled and is safe to use after a fork: it holds nothing open that two processes
    could share.

    Attributes:
        place: what the user pointed at, for messages.
        passed_over: kind -> how many files there are that `names` leaves out.
        classes: the folders that the user selected by name, if any.
    """

    place: str
    classes: Sequence[str] | None = None
    passed_over: Mapping[str, int] = MappingProxyType({})

    @abstractmethod
    def names(self) -> Sequence[str]:
        """Every item's name once, in any order, with ``/`` between folders; nothing is read for it.

        Raises:
            UserError: if there are none.
        """

    @abstractmethod
    def read(self, name: str) -> Content:
        """One item.

        Raises:
            UserError: naming the item, if it cannot be read.
        """

    @abstractmethod
    def where(self, name: str) -> str:
        """Where the item is, for a message, as ``/data/cats/1.png``."""


def existing(path: str | Path) -> Path:
    """The absolute form of a path that the user gave; ``~`` is the home folder.

    Raises:
        UserError: if there is nothing, or a pipe or device, naming the path that was looked for.
    """
    require(path not in ("", None), "domain.path must name a file or folder", path, "Set domain.path=….")
    absolute = Path(str(path)).expanduser().absolute()
    require(
        absolute.exists(),
        "domain.path must exist",
        shown(absolute),
        "Put the data there (docs/data.md says how to get them) or set domain.path to where they are.",
    )
    require(
        absolute.is_dir() or absolute.is_file(),
        "domain.path must be a file or folder",
        f"the pipe or device {shown(absolute)}",
        "Save the data in a file.",
    )
    return absolute


def shown(path: str | Path) -> str:
    r"""A path as text that can be printed and saved: bytes that are no UTF-8 as ``\xff``."""
    return os.fsencode(path).decode(errors="backslashreplace")


def unreadable(where: str, why: Exception | str) -> UserError:
    """The one wording for data that cannot be read."""
    reason = why if isinstance(why, str) else f"{type(why).__name__}: {why}"
    return UserError(f"data must be readable, but got {where} ({reason}). Repair or remove it.")
