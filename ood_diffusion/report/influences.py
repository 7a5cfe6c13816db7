"""What one image changes in a figure of a run: where runs share images, it says how surely they differ."""

import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ood_diffusion.storage.atomic import atomic_write

FILE = "influences.npz"
"""In the folder of a run."""
Influences = dict[str, dict[str, NDArray[Any]]]
"""Path of a figure in `results.json` -> "samples", "held_out" or "references" -> the derivative of the figure
with respect to the weight of each of these images, up to a constant, ``[n]``: of a mean, the values. The
squared standard error of the figure is the sum over these of variance / n. Samples are in the order of
drawing, the others in that of their digests, so that runs with the same images have them in one order.
"""


def keep(folder: Path, found: Mapping[str, Mapping[str, Any]]) -> None:
    """Add influences of further figures to those that the run has left, as float32."""
    kept: dict[str, Mapping[str, Any]] = {**read(folder), **found}
    flat = {
        f"{path}:{side}": np.asarray(values, dtype=np.float32)
        for path, sides in kept.items()
        for side, values in sides.items()
    }
    buffer = io.BytesIO()
    np.savez(buffer, **flat)  # type: ignore[arg-type]
    atomic_write(folder / FILE, buffer.getvalue())


def in_order(digests: Iterable[str]) -> list[int]:
    """Places of the digests in the order in which influences of such images are kept."""
    each = list(digests)
    return sorted(range(len(each)), key=each.__getitem__)


def read(folder: Path) -> Influences:
    """What a run has left; nothing where there is no such file, or a damaged one."""
    found: Influences = {}
    try:
        with np.load(folder / FILE, allow_pickle=False) as arrays:
            for name in arrays.files:
                path, _, side = name.rpartition(":")
                found.setdefault(path, {})[side] = arrays[name].astype(np.float64)
    except (
        Exception
    ):  # NumPy and zipfile raise ValueError, BadZipFile, EOFError, OSError, ... for damaged files
        return {}
    return found
