"""A galaxy and its field as plain numbers: what is drawn at random and what is rendered.

Lengths are in units of half the picture's side, angles in radians, brightness in units of the sky noise
of one pixel in the r band, fluxes in that unit times the area of a square 1/64 of the picture's side.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ood_diffusion.simulators.galaxies.spiral_arms import Arms, Patches, Tufts

Colour = tuple[float, float]
"""(g - r, r - i) in magnitudes."""


@dataclass(frozen=True)
class Spheroid:
    """A bulge or a whole elliptical: Sérsic profile with `brightness` at the effective radius."""

    effective_radius: float
    index: float
    axis_ratio: float
    brightness: float
    colour: Colour


@dataclass(frozen=True)
class Bar:
    """A Ferrers bar in the plane of the disc."""

    length: float
    axis_ratio: float
    angle: float
    brightness: float


@dataclass(frozen=True)
class Ring:
    """A ring in the plane of the disc; `contrast` is its peak excess over the disc."""

    radius: float
    width: float
    contrast: float


@dataclass(frozen=True)
class Dust:
    """A lane across an inclined disc: r-band optical depth at the centre, offset and width."""

    depth: float
    offset: float
    width: float


@dataclass(frozen=True)
class Disc:
    """An exponential disc of old stars with young stars in its patterns."""

    scale: float
    thickness: float
    brightness: float
    old: Colour
    young: Colour
    young_share: float
    arms: Arms | None
    tufts: Tufts | Patches | None
    bar: Bar | None
    ring: Ring | None
    dust: Dust | None


@dataclass(frozen=True)
class Points:
    """Unresolved light: `xy` of shape [n, 2], `flux` of shape [n], `colour` of shape [n, 2]."""

    xy: NDArray[np.float64]
    flux: NDArray[np.float64]
    colour: NDArray[np.float64]


@dataclass(frozen=True)
class Galaxy:
    """One galaxy: centre, orientation (position angle; cosine of the inclination, 1 face-on) and parts.

    `knots` are star-forming regions with `xy` in the plane of the disc.
    """

    centre: tuple[float, float]
    angle: float
    cos_inclination: float
    spheroid: Spheroid | None
    disc: Disc | None
    knots: Points | None


@dataclass(frozen=True)
class Field:
    """All that a picture shows: the galaxy, small companions and foreground stars (`xy` on the sky)."""

    galaxy: Galaxy
    companions: tuple[Galaxy, ...]
    stars: Points
