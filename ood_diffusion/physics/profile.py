"""How light falls off from the centre outwards: rings, curve of growth, Petrosian radius."""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from ood_diffusion.physics.images import Array, above_sky, centre_of, luminance, radii, rings

PETROSIAN_RATIO = 0.2
"""The local brightness falls to this share of the mean within at the Petrosian radius (Lotz et al. 2004)."""

APERTURE = 1.5
"""Radius, in Petrosian radii, within which all light is said to lie (Conselice 2003)."""

FINE = 8
"""Points per pixel on which the curve of growth is integrated."""


@dataclass(frozen=True)
class Source:
    """One picture seen as one source of light on a sky.

    Args:
        light: above the sky, ``[H, H]``.
        centre: row and column, pixels.
        radius: fine radii from 0 to the edge of the picture, pixels, ``[q]``.
        growth: light within each radius, never falling, ``[q]``.
        petrosian: Petrosian radius in pixels; that of the largest circle around the centre inside the picture
            where the light does not fall so far (and in pictures that show no single source).
    """

    light: Array
    centre: tuple[float, float]
    radius: Array
    growth: Array
    petrosian: float

    @property
    def aperture(self) -> float:
        """1.5 Petrosian radii, or the radius of that largest circle if it is smaller; pixels."""
        return min(APERTURE * self.petrosian, float(self.radius[-1]))

    def enclosing(self, share: float) -> float:
        """The radius in pixels that encloses `share` (0 … 1) of the light within the aperture."""
        total = np.interp(self.aperture, self.radius, self.growth)
        return float(np.interp(share * total, self.growth, self.radius))


def source(light: Array) -> Source:
    """Find the sky, the centre and the Petrosian radius of a picture's luminance ``[H, H]``."""
    centre, side = centre_of(light), len(light)
    clean = above_sky(light)
    edge = max(min(*centre, side - 1 - centre[0], side - 1 - centre[1]), side / 8)
    place, mean = rings(clean, radii(side, centre), int(edge) + 2, 1.0)
    radius = np.linspace(0, edge, FINE * int(np.ceil(edge)) + 1)
    brightness = np.interp(radius, place, mean.clip(0))
    if brightness.sum() == 0:
        brightness = np.ones_like(radius)  # nothing above the sky: as if evenly lit
    slices = (radius * brightness)[1:] + (radius * brightness)[:-1]
    growth = np.concatenate([[0.0], np.pi * np.cumsum(slices) * (radius[1] - radius[0])])
    within = growth[1:] / (np.pi * radius[1:] ** 2)
    fallen = (brightness[1:] < PETROSIAN_RATIO * within) & (radius[1:] >= 1)
    petrosian = float(radius[1:][fallen.argmax()]) if fallen.any() else float(edge)
    return Source(clean, centre, radius, growth, petrosian)


def radial_profile(images: Tensor, bins: int = 16) -> Array:
    """Azimuthally averaged luminance about the source's centre, divided by its own mean over the bins.

    The sky is not taken off: a picture without a source has a profile as well.

    Args:
        images: uint8 ``[n, 3, H, H]``.
        bins: rings, evenly spaced from the centre to half a side; at most H / 2.

    Returns:
        ``[n, bins]``, around 1; all 1 for a black picture.
    """
    side = images.shape[-1]
    profiles = np.stack(
        [rings(light, radii(side, centre_of(light)), bins, side / 2 / bins)[1] for light in luminance(images)]
    )
    mean = profiles.mean(axis=1, keepdims=True)
    shape: Array = np.where(mean > 0, profiles / np.maximum(mean, 1e-12), 1.0)
    return shape
