"""An array in a file, of which parts can be read."""

from collections.abc import Callable
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
        "an array must hold integers or floats (Python objects are pickles, which are never opened)",
        f"type {dtype} in {where}",
        "Save the numbers alone, for example with numpy.save(path, array.astype('float32')).",
    )
