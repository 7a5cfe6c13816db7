"""How much structure there is on each scale: radial power spectra of luminance."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, uint8

from ood_diffusion.physics.images import Array, luminance

ROUNDING = 1 / (12 * 255**2)
"""Power per mode of the rounding to 8 bits: what lies below cannot be measured."""

FAINTEST = 1e-20
"""Share of a field's largest power below which the logarithm stops: float32 rounds at about 1e-15."""

LARGEST_SCALE = 3
"""Cycles per picture from which on the slope is fitted: the window mixes the ones below."""


def power_spectrum(images: Tensor, normalised: bool = True) -> Array:
    """log10 of the mean power per mode in rings of wavenumber 1, 2, … H // 2 cycles per picture.

    Of the luminance minus its mean, under a Hann window, because the two ends of a photograph do not
    meet: without it the jump there adds power as k^-2.

    Args:
        images: uint8 ``[n, 3, H, H]``, or one channel of fields, float64 ``[n, H, H]``.
        normalised: divide each picture's power by its mean over the rings' modes: the shape alone.

    Returns:
        ``[n, H // 2]``. Not normalised, white noise of variance v has log10(v) from the third ring on (the
        mean takes from the first two); the rounding to 8 bits is the least that is shown.
    """
    powers = np.stack([_ring_power(light) for light in luminance(images)])
    least = ROUNDING if images.dtype == uint8 else FAINTEST * powers.max(axis=1, keepdims=True)
    powers = np.maximum(powers, np.maximum(least, np.finfo(np.float64).tiny))
    if normalised:
        powers /= np.average(powers, axis=1, weights=modes(images.shape[-1]))[:, None]
    logs: Array = np.log10(powers)
    return logs


def modes(side: int) -> Array:
    """The number of Fourier modes in each ring of `power_spectrum`, ``[side // 2]``."""
    counts: Array = np.bincount(_ring(side).ravel())[1 : side // 2 + 1].astype(np.float64)
    return counts


def slope(log_powers: Array) -> Array:
    """Exponent of the power law P(k) ∝ k^slope of each of ``[n, rings]``.

    By least squares in the logarithms, from `LARGEST_SCALE` to the last ring; ``[n]``. 0 for white noise,
    near -3 for photographs.
    """
    k = np.log10(np.arange(1, log_powers.shape[1] + 1))[LARGEST_SCALE - 1 :]
    exponents: Array = np.polyfit(k, log_powers[:, LARGEST_SCALE - 1 :].T, 1)[0]
    return exponents


def small_scale_power(log_powers: Array) -> Array:
    """log10 of the share of the power on scales below 4 pixels: of ``[n, rings]``, ``[n]``, below 0."""
    rings = log_powers.shape[1]
    power = 10**log_powers * modes(2 * rings)
    share: Array = np.log10(power[:, rings // 2 :].sum(axis=1) / power.sum(axis=1))
    return share


def _ring(side: int) -> NDArray[np.int64]:
    k = np.fft.fftfreq(side, 1 / side)
    ring: NDArray[np.int64] = np.hypot(k[:, None], k).round().astype(np.int64)
    return ring


def _ring_power(light: Array) -> Array:
    side = len(light)
    hann = np.hanning(side + 2)[1:-1]
    window = np.outer(hann, hann)
    window /= np.sqrt((window**2).mean())
    field = light - np.average(light, weights=window)
    power = np.abs(np.fft.fft2(field * window, norm="ortho")) ** 2
    total = np.bincount(_ring(side).ravel(), power.ravel())
    ring: Array = total[1 : side // 2 + 1] / modes(side)
    return ring
