"""Arrays in .npy files and in the members of an .npz: never unpickled."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

from numpy.lib.format import open_memmap, read_array
from numpy.typing import NDArray

from ood_diffusion.checks import UserError, require
from ood_diffusion.domains.arrays.stored import Stored, check_numbers, chosen_entry
from ood_diffusion.domains.source import shown, unreadable

MAX_MEMBER_BYTES = 2**30
"""A compressed member cannot be read piece by piece, so it is unpacked whole."""


@contextmanager
def npy(path: Path, entry: str | int | None) -> Iterator[Stored]:
    """A .npy file, memory-mapped: only the parts that are asked for are read.

    Raises:
        UserError: if it is damaged, truncated or no .npy, holds no numbers, or `entry` is not None.
    """
    require(entry is None, "a .npy file holds one array", f"domain.entry={entry}", "Set domain.entry=null.")
    try:
        data: NDArray[Any] = open_memmap(path, mode="r")
    except (OSError, ValueError) as error:  # ValueError: no .npy, shorter than its header says, or pickled
        raise unreadable(shown(path), error) from error
    check_numbers(data.dtype, shown(path))
    yield Stored(data.shape, lambda at: data[at])


@contextmanager
def npz(path: Path, entry: str | int | None) -> Iterator[Stored]:
    """One array of an .npz, unpacked in memory (at most `MAX_MEMBER_BYTES`); the last one is kept there.

    Raises:
        UserError: if the file is damaged or no .npz, holds no numbers, is too large, or `entry` names none
            of its arrays or is needed to choose one.
    """
    try:
        data = _unpacked(path, entry, path.stat().st_mtime_ns)
    except UserError:  # a UserError is a ValueError
        raise
    except (OSError, ValueError, EOFError, RuntimeError, MemoryError, BadZipFile, zlib.error) as error:
        raise unreadable(shown(path), error) from error
    yield Stored(data.shape, lambda at: data[at])


@lru_cache(maxsize=1)
def _unpacked(path: Path, entry: str | int | None, _modified: int) -> NDArray[Any]:
    with ZipFile(path) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
        name = chosen_entry(names, entry, shown(path))
        where, member = f"{path}[{name}]", f"{name}.npy"
        size = archive.getinfo(member).file_size
        require(
            size <= MAX_MEMBER_BYTES,
            f"an array in an .npz must unpack to at most {MAX_MEMBER_BYTES} bytes",
            f"{size} bytes in {where}",
            "Save it with numpy.save as .npy, which is read piece by piece.",
        )
        with archive.open(member) as file:
            data: NDArray[Any] = read_array(file, allow_pickle=False)
        check_numbers(data.dtype, where)
        return data
