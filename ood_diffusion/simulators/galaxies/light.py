"""From a field's numbers to noiseless light before the telescope, in bands i, r, g or u, g, r, i, z."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ood_diffusion.simulators.galaxies.galaxy import Colour, Disc, Dust, Field, Galaxy, Points
from ood_diffusion.simulators.galaxies.sersic import (
    Map,
    exponential,
    ferrers_bar,
    grid,
    projected_axis_ratio,
    rotate,
    sersic,
)
from ood_diffusion.simulators.galaxies.spiral_arms import Tufts, arm_pattern, patch_pattern, tuft_pattern

Bands = NDArray[np.float32]
"""Shape ``[3, rows, columns]``: i, r, g, which become red, green and blue; or ``[5, rows, columns]``."""

EXTINCTION = {3: (0.76, 1.0, 1.38), 5: (1.87, 1.38, 1.0, 0.76, 0.54)}
"""Number of bands -> A over A_r in each for R_V = 3.1 (Schlegel, Finkbeiner & Davis 1998, table 6)."""

BLUER, REDDER = (0.5, 1.7), 0.5
"""u - g = 0.5 + 1.7 (g - r) and i - z = 0.5 (r - i): lines near enough to galaxies and stars. They give u - r
of 1.6 and 2.6 to blue and red galaxies, on either side of the divide at 2.22 (Strateva et al. 2001)."""

POINT_SIDE = 1 / 64
"""Fluxes of points are brightness times the area of a square with this share of the picture's side."""


def band_fluxes(colour: Colour | NDArray[np.float64], bands: int = 3) -> NDArray[np.float32]:
    """Flux in each band relative to r, for (g - r, r - i) in magnitudes; shape ``[..., bands]``."""
    g_r, r_i = np.moveaxis(np.asarray(colour, dtype=np.float64), -1, 0)
    fluxes = [10 ** (0.4 * r_i), np.ones_like(g_r), 10 ** (-0.4 * g_r)]
    if bands == 5:
        u_g, i_z = BLUER[0] + BLUER[1] * g_r, REDDER * r_i
        fluxes = [10 ** (-0.4 * (u_g + g_r)), *fluxes[::-1], 10 ** (0.4 * (r_i + i_z))]
    return np.stack(fluxes, axis=-1).astype(np.float32)


def field_light(field: Field, side: int, bands: int = 3) -> Bands:
    """Everything in the field on a grid of `side` points; light beyond the edges is left out."""
    light = galaxy_light(field.galaxy, side, bands)
    for companion in field.companions:
        light += galaxy_light(companion, side, bands)
    add_points(light, field.stars.xy, field.stars)
    return light


def galaxy_light(galaxy: Galaxy, side: int, bands: int = 3) -> Bands:
    """One galaxy: spheroid, disc with its patterns, knots, and the dust in front of them."""
    x, y = grid(side)
    along, across = rotate(x - np.float32(galaxy.centre[0]), y - np.float32(galaxy.centre[1]), galaxy.angle)
    light = np.zeros((bands, side, side), dtype=np.float32)
    if galaxy.spheroid is not None:
        part = galaxy.spheroid
        # The cusp of n > 1 is blunted at half a grid step, which the telescope's blur hides.
        radius = np.sqrt(along**2 + (across / np.float32(part.axis_ratio)) ** 2 + np.float32(side**-2))
        profile = sersic(radius, part.effective_radius, part.index)
        _add(light, part.colour, np.float32(part.brightness) * profile)
    if galaxy.disc is not None:
        ratio = projected_axis_ratio(galaxy.cos_inclination, galaxy.disc.thickness)
        _add_disc(light, galaxy.disc, along, across, np.float32(ratio))
        if galaxy.knots is not None:
            add_points(light, _on_sky(galaxy, galaxy.knots.xy, ratio), galaxy.knots)
        if galaxy.disc.dust is not None:
            light *= _dust(galaxy.disc.dust, galaxy.disc.scale, along, across, EXTINCTION[bands])
    return light


def add_points(light: Bands, xy: NDArray[np.float64], points: Points) -> None:
    """Add unresolved sources at `xy` (shape [n, 2], units of half a side) to the nearest grid points."""
    side = light.shape[-1]
    column, row = np.floor((xy.T + 1) * (side / 2)).astype(np.int64)
    inside = (column >= 0) & (column < side) & (row >= 0) & (row < side)
    flux = points.flux * (side * POINT_SIDE) ** 2
    bands = flux[:, None] * band_fluxes(points.colour, len(light))
    for band, added in zip(light, bands[inside].T, strict=True):
        np.add.at(band.reshape(-1), row[inside] * side + column[inside], added)


def _add(light: Bands, colour: Colour, brightness: Map) -> None:
    for band, flux in zip(light, band_fluxes(colour, len(light)), strict=True):
        band += flux * brightness


def _add_disc(light: Bands, disc: Disc, x: Map, across: Map, ratio: np.float32) -> None:
    y = across / ratio  # in the plane of the disc; x is the line of nodes
    radius = np.hypot(x, y)
    old = np.float32(disc.brightness) * exponential(radius, disc.scale)
    if disc.arms is None and disc.tufts is None and disc.ring is None:
        _add(light, disc.old, old)
    else:
        log_radius = np.log(radius + np.float32(0.05 * disc.scale))
        azimuth = np.arctan2(y, x)
        pattern = np.ones_like(radius)
        if disc.arms is not None:
            pattern += arm_pattern(log_radius, azimuth, disc.arms)
        if disc.ring is not None:
            offset = (radius - np.float32(disc.ring.radius)) / np.float32(disc.ring.width)
            pattern += np.float32(disc.ring.contrast) * np.exp(np.float32(-0.5) * offset**2)
        if isinstance(disc.tufts, Tufts):
            pattern *= tuft_pattern(log_radius, azimuth, disc.tufts)
        elif disc.tufts is not None:
            pattern *= patch_pattern(x, across, disc.tufts)  # on the sky: patches are as deep as wide
        young = np.float32(disc.young_share) * pattern * old
        # Old stars feel the arms too, but less: half the contrast in the mass is typical.
        old *= np.float32(1 - disc.young_share) * np.sqrt(pattern)
        _add(light, disc.old, old)
        _add(light, disc.young, young)
    if disc.bar is not None:
        bar = ferrers_bar(*rotate(x, y, disc.bar.angle), disc.bar.length, disc.bar.axis_ratio)
        _add(light, disc.old, np.float32(disc.bar.brightness) * bar)


def _on_sky(galaxy: Galaxy, xy: NDArray[np.float64], ratio: float) -> NDArray[np.float64]:
    along, across = xy[:, 0], xy[:, 1] * ratio
    cos, sin = math.cos(galaxy.angle), math.sin(galaxy.angle)
    return np.stack([cos * along - sin * across, sin * along + cos * across], axis=1) + galaxy.centre


def _dust(dust: Dust, scale: float, along: Map, across: Map, extinction: Sequence[float]) -> Bands:
    lane = np.exp(np.float32(-0.5) * ((across - np.float32(dust.offset)) / np.float32(dust.width)) ** 2)
    depth = np.float32(dust.depth) * lane * np.exp(np.abs(along) * np.float32(-0.5 / scale))
    return np.asarray(np.exp(-depth * np.asarray(extinction, dtype=np.float32)[:, None, None]))
