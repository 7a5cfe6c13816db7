r"""The non-parametric morphology of galaxies: concentration, asymmetry, smoothness, Gini, M20.

As in Conselice (2003, ApJS 147, 1) and Lotz, Primack & Madau (2004, AJ 128, 163), for pictures with one
source each, but defined (and finite) for any picture. Left out: the corrections for the noise of the sky,
which need a sky as large as the galaxy; noise adds to asymmetry and smoothness, in both sets compared.
"""

import math
from itertools import product

import numpy as np

from ood_diffusion.physics.images import Array, Mask, grid, radii
from ood_diffusion.physics.profile import Source

CENTRES = (-1.0, -0.5, 0.0, 0.5, 1.0)
"""Offsets in pixels at which the axis of least asymmetry is looked for, along each side."""

FAINTEST_M20 = -4.0
"""M20 where the brightest light lies in the very centre; galaxies have -2.5 to -0.5."""


def concentration(of: Source) -> float:
    """C = 5 log10(r80 / r20), radii enclosing 80 and 20 % of the light (Conselice 2003, eq. 1).

    1.5 for even light, 2.7 for an exponential disc, above 4 for giant ellipticals.
    """
    return float(5 * np.log10(of.enclosing(0.8) / of.enclosing(0.2)))


def asymmetry(of: Source) -> float:
    """A = Σ|I − I180| / Σ|I| in the aperture, I180 turned by half a turn (Conselice 2003, eq. 2).

    The smallest over axes half a pixel apart around the centre, as far as they are from it; there a turn maps
    pixels to pixels, so nothing is interpolated. Outside the picture is sky: a source cut by the edge is not
    symmetric. 0 for a point-symmetric picture; 0 for one without light.
    """
    margin = math.ceil(of.aperture) + 2
    light = np.pad(of.light, margin)
    row, column = ([round(2 * (c + step)) + 2 * margin for step in CENTRES] for c in of.centre)
    return min(_asymmetry_about(light, of.aperture, *axis) for axis in product(row, column))


def _asymmetry_about(light: Array, aperture: float, twice_row: int, twice_column: int) -> float:
    """About the axis at half of the two numbers, in the square box that a half turn maps to itself."""
    cut, square = [], []
    for twice in (twice_row, twice_column):
        first = math.ceil(twice / 2 - aperture)
        cut.append(slice(first, twice - first + 1))
        square.append((np.arange(first, twice - first + 1) - twice / 2) ** 2)
    box = light[cut[0], cut[1]]
    here = square[0][:, None] + square[1] <= aperture**2
    total = np.abs(box)[here].sum()
    return float(np.abs(box - box[::-1, ::-1])[here].sum() / total) if total > 0 else 0.0


def smoothness(of: Source) -> float:
    """S = Σ max(I − I_s, 0) / Σ|I| between 0.25 and 1.5 Petrosian radii (Lotz et al. 2004, eq. 11).

    I_s is the light averaged in a square of 0.25 Petrosian radii (2 pixels at least). 0 is smooth; clumps and
    noise raise it ("clumpiness").
    """
    from scipy import ndimage

    box = max(2, int(0.25 * of.petrosian))
    excess = (of.light - ndimage.uniform_filter(of.light, box)).clip(0)
    distance = radii(len(of.light), of.centre)
    here = (distance >= 0.25 * of.petrosian) & (distance <= of.aperture)
    total = np.abs(of.light[here]).sum()
    return float(excess[here].sum() / total) if total > 0 else 0.0


def footprint(of: Source) -> Mask:
    """The pixels that belong to the source, bool ``[H, H]``.

    Within the aperture and, smoothed by a Gaussian of a fifth of a Petrosian radius, at least as bright as
    the light is at that radius (Lotz et al. 2004, §2). The whole aperture where that leaves fewer than
    9 pixels.
    """
    from scipy import ndimage

    step = of.radius[1] - of.radius[0]
    at = np.interp([of.petrosian - step, of.petrosian], of.radius, of.growth)
    limit = (at[1] - at[0]) / (2 * np.pi * of.petrosian * step)
    inside = radii(len(of.light), of.centre) <= of.aperture
    bright: Mask = inside & (ndimage.gaussian_filter(of.light, of.petrosian / 5) >= limit)
    return bright if bright.sum() >= 9 else inside


def gini(light: Array) -> float:
    """Inequality of the pixel values ``[p]``: 0 all equal, 1 all light in one (Lotz et al. 2004, eq. 6)."""
    x = np.sort(np.abs(light))
    n = len(x)
    if n < 2 or x.sum() == 0:
        return 0.0
    rank = np.arange(1, n + 1)
    return float(((2 * rank - n - 1) * x).sum() / (x.sum() * (n - 1)))


def m20(light: Array, here: Mask) -> float:
    """log10 of the second moment of the brightest 20 % of the light over that of all.

    Lotz et al. (2004), eq. 8. About the centre that makes the total moment least, which is the centroid.

    Args:
        light: above the sky, ``[H, H]``; what lies below it counts as 0.
        here: the pixels of the source, bool ``[H, H]``.

    Returns:
        0 (clumps far out) down to `FAINTEST_M20`; 0 for a source without light.
    """
    flux = light[here].clip(0)
    if flux.sum() == 0:
        return 0.0
    rows, columns = (axis[here].astype(float) for axis in grid(len(light)))
    moment = flux * (
        (rows - np.average(rows, weights=flux)) ** 2 + (columns - np.average(columns, weights=flux)) ** 2
    )
    order = np.argsort(-flux, kind="stable")
    brightest = order[: max(1, int(np.searchsorted(np.cumsum(flux[order]), 0.2 * flux.sum(), side="right")))]
    ratio = moment[brightest].sum() / max(moment.sum(), 1e-300)
    return float(max(np.log10(max(ratio, 1e-300)), FAINTEST_M20))


def morphology(of: Source) -> dict[str, float]:
    """The five measures, and the half-light radius as a share of half a side."""
    here = footprint(of)
    return {
        "half_light_radius": of.enclosing(0.5) / (len(of.light) / 2),
        "concentration": concentration(of),
        "asymmetry": asymmetry(of),
        "smoothness": smoothness(of),
        "gini": gini(of.light[here]),
        "m20": m20(of.light, here),
    }
