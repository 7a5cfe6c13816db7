"""Arrays in .npy files and in the members of an .npz, read from their headers: never unpickled."""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from ood_diffusion.checks import UserError, require
from ood_diffusion.domains.arrays.entries import chosen_entry
from ood_diffusion.domains.arrays.stored import Stored, check_numbers
from ood_diffusion.domains.source import shown, unreadable

MAX_MEMBER_BYTES = 2**30
"""A compressed member cannot be read piece by piece, so it is unpacked whole."""

Header = tuple[tuple[int, ...], bool, "np.dtype[Any]"]
"""Shape, whether the first axis is the fastest (Fortran order), type."""


@contextmanager
def npy(path: Path, entry: str | int | None) -> Iterator[Stored]:
    """A .npy file, memory-mapped: only the parts that are asked for are read.

    Raises:
        UserError: if it is damaged, truncated or no .npy, holds no numbers, or `entry` is not None.
    """
    require(entry is None, "a .npy file holds one array", f"domain.entry={entry}", "Set domain.entry=null.")
    try:
        with path.open("rb") as file:
            shape, fortran, dtype = header(file, shown(path))
            data: NDArray[Any] = np.memmap(
                path, dtype, "r", file.tell(), shape, order="F" if fortran else "C"
            )
    except UserError:  # a UserError is a ValueError
        raise
    except (OSError, ValueError) as error:  # ValueError: no .npy, or shorter than its header says
        raise unreadable(shown(path), error) from error
    yield Stored(shape, lambda at: data[at])


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
    except (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise unreadable(shown(path), error) from error
    yield Stored(data.shape, lambda at: data[at])


def header(file: IO[bytes], where: str) -> Header:
    """Read the header of the .npy format; the numbers follow.

    Raises:
        UserError: if the type is not one of numbers.
        ValueError: if this is no .npy.
    """
    version = npy_format.read_magic(file)
    read = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
    shape, fortran, dtype = read(file)
    check_numbers(dtype, where)
    return shape, fortran, dtype


@lru_cache(maxsize=1)
def _unpacked(path: Path, entry: str | int | None, _modified: int) -> NDArray[Any]:
    with zipfile.ZipFile(path) as archive:
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
            shape, fortran, dtype = header(file, where)
            return np.frombuffer(file.read(), dtype).reshape(shape, order="F" if fortran else "C")
