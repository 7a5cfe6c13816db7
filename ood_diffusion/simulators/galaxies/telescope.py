"""From light in three bands to an 8-bit picture: seeing, pixels, noise and an asinh stretch."""

import math
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtr
from torch import Tensor

from ood_diffusion.simulators.galaxies.light import Bands, band_fluxes

CORE_SHARE, WING_WIDTH = 0.7, 2.5
"""The seeing disc as two round Gaussians, a core and a wing 2.5 times as wide, as SDSS's pipeline fits it
(Stoughton et al. 2002). Gaussians separate into rows and columns, which makes them cheap."""

WHITE = (0.76, 0.38)
"""The (g - r, r - i) shown as white: near that of an old stellar population (Fukugita et al. 1995), so
that ellipticals look pale yellow and discs blue."""

SKY_COUNTS = 2500.0
"""Photo-electrons of sky per pixel: an object with as many doubles the variance of the noise."""


@lru_cache(maxsize=8)
def _blur(pixels: int, side: int, sigma: float) -> Tensor:
    """Rows of weights [pixels, side]: Gaussian blur, integration over each pixel and decimation in one.

    `sigma` is in units of half a side. Rows add up to 1, so a flat sky stays flat up to the edge.
    """
    edges = np.linspace(-1, 1, pixels + 1)
    points = (2 * np.arange(side) + 1) / side - 1
    below = ndtr((edges[:, None] - points) / sigma)
    weights = np.diff(below, axis=0)
    return torch.from_numpy((weights / weights.sum(axis=1, keepdims=True)).astype(np.float32))


def observe(light: Bands, pixels: int, seeing: float) -> Bands:
    """Blur by the seeing and average over pixels.

    Args:
        light: shape ``[bands, side, side]`` with side at least `pixels`.
        pixels: side of the picture.
        seeing: full width at half maximum of the core, as a share of the picture's side.

    Returns:
        Shape ``[bands, pixels, pixels]``, in the unit of `light`.
    """
    sigma = 2 * seeing / (2 * math.sqrt(2 * math.log(2)))
    core = _blur(pixels, light.shape[-1], sigma)
    wing = _blur(pixels, light.shape[-1], WING_WIDTH * sigma)
    # torch, not numpy: a data-loading worker holds torch to one thread; numpy's would fight for the cores.
    sky = torch.from_numpy(light)
    blurred = CORE_SHARE * (core @ sky @ core.T) + (1 - CORE_SHARE) * (wing @ sky @ wing.T)
    return np.asarray(blurred.numpy())


def add_noise(bands: Bands, level: float, rng: np.random.Generator) -> Bands:
    """Photon noise of the sky (standard deviation `level` per pixel and band) and of the objects."""
    noise = rng.standard_normal(bands.shape, dtype=np.float32)
    object_to_sky = np.maximum(bands, 0) / np.float32(math.sqrt(SKY_COUNTS))
    return np.asarray(bands + np.float32(level) * noise * np.sqrt(1 + object_to_sky), dtype=np.float32)


def stretch(bands: Bands, softening: float, white: float, pedestal: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Colour-preserving asinh stretch of Lupton et al. (2004) to 8 bits.

    All three bands are multiplied by f(I)/I, with I their mean and f(I) = asinh(I/softening) scaled to 1 at
    I = `white`; linear below the softening, logarithmic above it. What exceeds full scale is clipped, so
    bright cores turn white as in the survey's pictures.

    Args:
        bands: shape ``[3, rows, columns]``; sky-subtracted.
        softening: brightness where the stretch turns from linear to logarithmic.
        white: brightness shown at full scale.
        pedestal: shown brightness of an empty sky per band, shape ``[3]``, 0 to 1.

    Returns:
        uint8, shape ``[3, rows, columns]``, RGB.
    """
    balanced = bands / band_fluxes(WHITE)[:, None, None]
    scaled = np.abs(balanced.mean(axis=0)) / np.float32(softening) + np.float32(1e-6)
    gain = np.arcsinh(scaled) / scaled * np.float32(1 / softening / math.asinh(white / softening))
    sky = pedestal.astype(np.float32)[:, None, None]
    shown = sky + (1 - sky) * gain * balanced
    return np.asarray(np.rint(shown.clip(0, 1) * np.float32(255)), dtype=np.uint8)
