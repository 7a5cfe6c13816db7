"""Single pictures out of the sheets that a run leaves in its folder.

The sheets are what a finished run keeps of its pictures: whole (PNG loses nothing), in the order of drawing,
and in the folder that people copy. The store has the same pictures and more, but to find them there the run
must be assembled anew, network and all, and the store may be on another machine.
"""

import io
import math
import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SEPARATOR, SHADE = 2, 160
"""Width in pixels of what lies between tiles, and its grey, of 255."""
COLUMNS, SHOWN = 8, 64
"""Tiles in a row of a sheet, and pictures of each kind on it, at most; as the stage `report` writes them."""
Pixels = NDArray[np.uint8]
"""``[H, W, 3]``."""


def pictures(folder: Path, counts: Mapping[str, int], most: int = SHOWN) -> dict[str, list[Pixels]]:
    """Kind -> pictures of it, for those of "references", "reconstructions", "samples" and "nearest" that the
    run has left.

    Args:
        folder: of the run.
        counts: how many references and samples it has, by "references" and "samples".
        most: how many of each kind are wanted.
    """
    given, drawn = (min(counts.get(name, 0), SHOWN) for name in ("references", "samples"))
    found = {
        "references": cut(folder / "references.png", given, most),
        "reconstructions": cut(folder / "reconstructions.png", 2 * given, 2 * most)[1::2],
        "samples": cut(folder / "samples.png", drawn, most),
        "nearest": cut(folder / "samples_and_nearest.png", 2 * drawn, 2 * most)[1::2],
    }
    return {kind: tiles for kind, tiles in found.items() if tiles}


def cut(path: Path, count: int, most: int = 2 * SHOWN) -> list[Pixels]:
    """The first `most` of the `count` tiles of a sheet by `report.pictures.grid`; none where there is no such
    sheet, or a damaged one.
    """
    if not count or not os.path.isfile(path):
        return []
    try:
        return list(tiles(path.read_bytes(), count, most))
    except OSError:
        return []


@lru_cache(maxsize=16)
def tiles(data: bytes, count: int, most: int) -> tuple[Pixels, ...]:
    """`cut` of a file with this content: the runs of a sweep have sheets in common, which are read once."""
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            sheet = np.asarray(image.convert("RGB"))
    except Exception:  # Pillow raises SyntaxError, ValueError, DecompressionBombError, ... for damaged files
        return ()
    columns = min(COLUMNS, count)
    height, width = sheet.shape[:2]
    steps = [(height + SEPARATOR) / math.ceil(count / columns), (width + SEPARATOR) / columns]
    if not all(step.is_integer() and step > SEPARATOR for step in steps):
        return ()
    y, x = map(int, steps)
    between = [(sheet[y - i :: y], sheet[:, x - i :: x]) for i in range(1, SEPARATOR + 1)]
    if not all((lines == SHADE).all() for pair in between for lines in pair):
        return ()  # another number of tiles than the results say
    corners = [(i // columns * y, i % columns * x) for i in range(min(count, most))]
    return tuple(sheet[a : a + y - SEPARATOR, b : b + x - SEPARATOR].copy() for a, b in corners)
