"""Mean intensity in a slice through a cloud: stars, dimmed by distance and dust, and light from outside.

The map is the middle plane of a slab whose density does not change with depth; the stars lie in that
plane. Absorption only: no scattered light, no re-emission. The column along the straight line from each
star is exact up to interpolation; the light from outside is an average over eighteen directions.
"""

import math

import numpy as np
from scipy.ndimage import map_coordinates

from ood_diffusion.simulators.radiation.density import Map

SLANTS = (-math.tan(math.pi / 8), 0.0, math.tan(math.pi / 8), 1.0)
"""Columns per row of the rays from outside: with both ends and both axes, every 22.5 degrees."""

SLAB = 0.4
"""Thickness of the cloud along the line of sight, in sides of the map; the map is its middle plane."""

FACES = 0.5
"""Share of the outside light that enters through the two faces of the slab."""

DIRECTIONS = 2.0
"""Polar grid: this many directions per pixel of the map's side."""


def column_from(density: Map, row: float, column: float) -> Map:
    """The integral of the density along the straight line from a point to the middle of every pixel.

    The density is resampled on rays from the point, summed along each, and read back.

    Args:
        density: shape ``[side, side]``.
        row: of the point, in pixels.
        column: of the point, in pixels.

    Returns:
        Shape ``[side, side]``, in units of density times the side of the map.
    """
    side = density.shape[0]
    rows, columns = np.indices(density.shape, dtype=np.float64)
    down, right = rows - row, columns - column
    distance = np.hypot(down, right)
    radii = np.arange(math.ceil(float(distance.max())) + 2) + 0.5  # sums up to whole-number radii
    directions = int(DIRECTIONS * side)
    angles = np.arange(directions) * (2 * math.pi / directions)
    rays = map_coordinates(
        density,
        [row + np.outer(np.sin(angles), radii), column + np.outer(np.cos(angles), radii)],
        order=1,
        mode="nearest",
    )
    columns_so_far = np.zeros((directions + 1, len(radii) + 1))
    np.cumsum(rays, axis=1, out=columns_so_far[:-1, 1:])
    columns_so_far[-1] = columns_so_far[0]  # the circle closes
    turn = np.mod(np.arctan2(down, right), 2 * math.pi) * (directions / (2 * math.pi))
    return np.asarray(map_coordinates(columns_so_far, [turn, distance], order=1, mode="nearest") / side)


def star_intensity(density: Map, row: float, column: float, opacity: float) -> Map:
    """Intensity of a star of unit luminosity: exp(-tau) / (4 pi r²), r in units of the map's side.

    Args:
        density: shape ``[side, side]``, in units of the mean.
        row: of the star, in pixels.
        column: of the star, in pixels.
        opacity: optical depth of the mean density across the whole map.
    """
    side = density.shape[0]
    rows, columns = np.indices(density.shape, dtype=np.float64)
    # Half a pixel keeps the pixel of the star itself finite.
    r2 = ((rows - row) ** 2 + (columns - column) ** 2 + 0.25) / side**2
    return np.asarray(np.exp(-opacity * column_from(density, row, column)) / (4 * math.pi * r2))


def external_intensity(density: Map, opacity: float) -> Map:
    """Light of unit intensity from outside, averaged over the directions it comes from; 0 to 1.

    Sixteen directions in the plane, and the two faces of the slab, which together count `FACES`. Slanted
    rays that leave at one side come back at the other, for the density is periodic.
    """
    down_and_up = sum(_light_along(density, slant, opacity) for slant in SLANTS)
    across = sum(_light_along(density.T, slant, opacity) for slant in SLANTS)
    in_plane = (down_and_up + np.transpose(across)) / (2 * len(SLANTS))
    through_faces = np.exp(-opacity * SLAB / 2 * density)
    return np.asarray((1 - FACES) * in_plane + FACES * through_faces)


def _light_along(density: Map, slant: float, opacity: float) -> Map:
    """Mean of exp(-tau) for light coming down and up the lines column = constant + slant * row."""
    side = density.shape[0]
    rows = np.arange(side)
    shift = np.rint(slant * rows).astype(np.int64)[:, None]
    sheared = density[rows[:, None], (rows + shift) % side]
    before = np.cumsum(sheared, axis=0) - sheared / 2
    tau = before * (opacity * math.sqrt(1 + slant**2) / side)
    whole = tau[-1:] + sheared[-1:] * (opacity * math.sqrt(1 + slant**2) / side / 2)
    light = (np.exp(-tau) + np.exp(tau - whole)) / 2
    return np.asarray(light[rows[:, None], (rows - shift) % side])
