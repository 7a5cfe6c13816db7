"""An array in a file: which one, what it may hold, and how parts of it are read."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ood_diffusion.checks import require


class Stored(NamedTuple):
    """An opened array.

    Attributes:
        shape: of the whole array, slowest axis first.
        part: reads what lies at the given indices of the first axes.
    """

    shape: tuple[int, ...]
    part: Callable[[tuple[int, ...]], NDArray[Any]]


def check_numbers(dtype: np.dtype[Any], where: str) -> None:
    """Raise `UserError` unless a type holds real numbers: integers or floats of any width and byte order."""
    require(
        dtype.kind in "iuf",
        "an array must hold integers or floats",
        f"type {dtype} in {where}",
        "Save the numbers alone, for example with numpy.save(path, array.astype('float32')).",
    )


def chosen_entry(entries: Sequence[str], entry: str | int | None, where: str, listed: str = "") -> str:
    """The entry that the user named, or the only one.

    Args:
        entries: names of the arrays in the file.
        entry: `domain.entry`.
        where: the file, for the message.
        listed: how the message names the entries, if otherwise.

    Raises:
        UserError: if `entry` names none of them, or is None and there is not exactly one.
    """
    listed = listed or ", ".join(entries) or "none"
    if entry is None:
        require(
            len(entries) == 1,
            f"domain.entry must name one array of {where}",
            None,
            f"Set it to one of: {listed}.",
        )
        return entries[0]
    require(
        str(entry) in entries, f"domain.entry must be an array of {where}", entry, f"There are: {listed}."
    )
    return str(entry)
