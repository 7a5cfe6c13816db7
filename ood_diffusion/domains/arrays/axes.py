"""What the axes of an array mean: stated by the user, checked, and brought into one order."""

import numpy as np
from numpy.typing import NDArray

from ood_diffusion.checks import require, require_choice

AXES = ("HW", "HWC", "CHW", "NHW", "NHWC", "NCHW")
"""N counts the maps, C the channels, H rows from the top, W columns; slowest first, as in numpy."""


def check_axes(axes: str) -> None:
    """Raise `UserError` unless `axes` is one of `AXES`."""
    require_choice("domain.axes", axes, AXES)


def count(axes: str, shape: tuple[int, ...], where: str) -> int:
    """The number of maps in an array of this shape.

    More axes than stated are allowed if the first ones have length 1, as they often have in FITS.

    Raises:
        UserError: if the shape cannot be meant by `axes`.
    """
    require(
        0 not in shape,
        "an array must hold values",
        f"the empty shape {shape} in {where}",
        "Remove it, or choose another with domain.entry.",
    )
    extra = len(shape) - len(axes)
    require(
        extra >= 0 and all(length == 1 for length in shape[:extra]),
        f"domain.axes={axes} must name the axes of the array, slowest first",
        f"shape {shape} in {where}",
        f"Set domain.axes to one of: {', '.join(AXES)} (N counts maps, C channels, H rows, W columns).",
    )
    lengths = dict(zip(axes, shape[extra:], strict=True))
    return lengths.get("N", 1)


def position(axes: str, shape: tuple[int, ...], index: int) -> tuple[int, ...]:
    """Where map number `index` is in an array of this shape: indices of its first axes."""
    return (0,) * (len(shape) - len(axes)) + ((index,) if "N" in axes else ())


def channels_first(axes: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """One map, without the axis N, as ``[C, H, W]``."""
    if "C" not in axes:
        return values[None]
    return np.moveaxis(values, axes.removeprefix("N").index("C"), 0)
