"""Surface-brightness profiles of galaxies, on float32 grids.

Lengths are in units of half the picture's side; brightness is relative to the stated normalisation.
"""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv

Map = NDArray[np.float32]
"""Shape ``[rows, columns]``."""


@lru_cache(maxsize=8)
def grid(side: int) -> tuple[Map, Map]:
    """Horizontal and vertical coordinates of pixel centres, from -1 to 1; each of shape ``[side, side]``."""
    centres = ((2 * np.arange(side) + 1) / side - 1).astype(np.float32)
    x, y = np.meshgrid(centres, centres)
    x.flags.writeable = y.flags.writeable = False  # shared by every picture
    return x, y


def rotate(x: Map, y: Map, angle: float) -> tuple[Map, Map]:
    """Coordinates along and across an axis at `angle` (radians, from the horizontal)."""
    cos, sin = np.float32(math.cos(angle)), np.float32(math.sin(angle))
    return cos * x + sin * y, cos * y - sin * x


def projected_axis_ratio(cos_inclination: float, thickness: float) -> float:
    """Apparent axis ratio q of an oblate disc seen at an inclination i (0: face-on).

    q² = cos²i + q0² sin²i with the intrinsic thickness q0 (Hubble 1926).
    """
    return math.sqrt(cos_inclination**2 + thickness**2 * (1 - cos_inclination**2))


def sersic_b(index: float) -> float:
    """b_n of a Sérsic profile, such that half the light lies within the effective radius."""
    return float(gammaincinv(2 * index, 0.5))


def sersic(radius: Map, effective_radius: float, index: float) -> Map:
    """Sérsic (1963) profile exp(-b_n [(r/r_e)^(1/n) - 1]), equal to 1 at the effective radius.

    n = 4 is de Vaucouleurs' law of ellipticals, n = 1 an exponential disc (Graham & Driver 2005).
    """
    scaled = radius * np.float32(1 / effective_radius)
    exponent: Map = np.float32(-sersic_b(index)) * (scaled ** np.float32(1 / index) - np.float32(1))
    return np.asarray(np.exp(exponent))


def exponential(radius: Map, scale: float) -> Map:
    """Disc exp(-r/h) (Freeman 1970), equal to 1 at the centre."""
    exponent: Map = radius * np.float32(-1 / scale)
    return np.asarray(np.exp(exponent))


def ferrers_bar(along: Map, across: Map, length: float, axis_ratio: float) -> Map:
    """A bar (1 - m²)² inside the ellipse m = 1 and 0 outside (Ferrers 1877, n = 2); 1 at the centre."""
    m2 = (along / np.float32(length)) ** 2 + (across / np.float32(length * axis_ratio)) ** 2
    return np.maximum(np.float32(1) - m2, np.float32(0)) ** 2
