"""From stored pictures to numbers: luminance and radii."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, float64, uint8

from ood_diffusion.checks import require
from ood_diffusion.pixels import LUMINANCE

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

SMALLEST = 16
"""Side, in pixels, below which rings and scales cannot be told apart."""


def luminance(images: Tensor) -> Array:
    """Brightness in [0, 1], float64 ``[n, H, H]``, of pictures uint8 ``[n, 3, H, H]``.

    Linear in the stored values (no gamma is undone: astronomical pictures have their own stretch). One
    channel of fields, float64 ``[n, H, H]``, stays as it is.

    Raises:
        UserError: unless the pictures are square, uint8, RGB and at least `SMALLEST` pixels wide.
    """
    shape = tuple(images.shape)
    if images.dtype == float64 and len(shape) == 3 and shape[1] == shape[2] >= SMALLEST:
        return np.asarray(images.numpy())
    require(
        images.dtype == uint8
        and len(shape) == 4
        and shape[1] == 3
        and shape[2] == shape[3]
        and shape[2] >= SMALLEST,
        f"physical statistics need square RGB pictures, uint8 [n, 3, H, H] with H >= {SMALLEST}",
        (str(images.dtype), list(shape)),
        "Hand over the pictures as they are stored.",
    )
    weights = np.array(LUMINANCE) / 255
    values: Array = np.einsum("c,nchw->nhw", weights, images.cpu().numpy())
    return values


def above_sky(light: Array) -> Array:
    """Light ``[H, W]`` minus its sky, the median of the outermost pixels; noise may fall below 0."""
    frame = np.concatenate([light[0], light[-1], light[1:-1, 0], light[1:-1, -1]])
    return light - float(np.median(frame))


def centre_of(light: Array) -> tuple[float, float]:
    """Row and column of the centroid of the squared light above the sky; the middle of a flat picture.

    Squared, so that noise and faint companions all over the field do not draw it to the middle.
    """
    weight = above_sky(light).clip(0) ** 2
    if weight.sum() == 0:
        return (light.shape[0] - 1) / 2, (light.shape[1] - 1) / 2
    rows, columns = grid(len(light))
    return float((weight * rows).sum() / weight.sum()), float((weight * columns).sum() / weight.sum())


def grid(side: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row and column of every pixel, ``[side, side]`` each."""
    rows, columns = np.indices((side, side), dtype=np.int64)
    return rows, columns


def radii(side: int, centre: tuple[float, float]) -> Array:
    """Distance in pixels of every pixel from `centre` (row, column): ``[side, side]``."""
    rows, columns = grid(side)
    distance: Array = np.hypot(rows - centre[0], columns - centre[1])
    return distance


def rings(values: Array, distance: Array, number: int, width: float) -> tuple[Array, Array]:
    """Azimuthal averages; every pixel counts for the two rings beside it, in proportion (cloud in cell).

    Args:
        values: ``[H, W]``.
        distance: of each pixel from the centre, in pixels, ``[H, W]``.
        number: of rings, at 0, `width`, 2 `width`, …
        width: in pixels, at least 1, so that no ring with its centre inside the picture is empty.

    Returns:
        Mean distance and mean value of each ring, ``[number]`` each.
    """
    place = distance.ravel() / width
    low = place.astype(np.int64)
    share = place - low
    index = np.concatenate([low, low + 1]).clip(max=number)
    weight = np.concatenate([1 - share, share])

    def total(of: Array) -> Array:
        sums = np.bincount(index, weight * np.tile(of.ravel(), 2), minlength=number + 1)[:number]
        return sums.astype(np.float64)

    amount: Array = np.maximum(total(np.ones_like(values)), 1e-12)
    return total(distance) / amount, total(values) / amount
