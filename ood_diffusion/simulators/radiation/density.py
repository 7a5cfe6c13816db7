"""Log-normal turbulent density, the standard model of gas in a molecular cloud.

Supersonic isothermal turbulence makes the logarithm of the density normal, with the variance
ln(1 + b² M²) for a Mach number M (Padoan & Nordlund 2002; Federrath et al. 2010), and gives its fluctuations
a power-law spectrum. Fourier synthesis yields such a field directly (it is periodic, like the boxes of
turbulence simulations), but not the filaments of real turbulence: its phases are random. `stirred` draws it
out into some.
"""

import math
from functools import lru_cache

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import map_coordinates

Map = NDArray[np.float64]
"""Shape ``[side, side]``."""

FORCING = 0.4
"""b, between 1/3 (solenoidal driving) and 1 (compressive); 0.4 is a natural mix (Federrath et al. 2010)."""

STREAM_SLOPE = 6.0
"""Power of the stream function in `stirred`: that of its flow falls as k^-4, so the largest eddies rule."""


def log_density_variance(mach: float) -> float:
    """Variance of the natural logarithm of the density at Mach number `mach`."""
    return math.log1p((FORCING * mach) ** 2)


@lru_cache(maxsize=8)
def _amplitudes(side: int, slope: float) -> Map:
    """Fourier amplitudes k^(-slope/2) on the half plane of `rfft2`, for a field of unit variance."""
    rows, columns = np.fft.fftfreq(side, 1 / side), np.fft.rfftfreq(side, 1 / side)
    k = np.hypot(rows[:, None], columns[None, :])
    amplitude = np.zeros_like(k)
    amplitude[k > 0] = k[k > 0] ** (-slope / 2)
    # Columns other than the first (and the last of an even side) stand for two modes each.
    twice = np.full(k.shape[1], 2.0)
    twice[0] = 1.0
    if side % 2 == 0:
        twice[-1] = 1.0
    return np.asarray(amplitude / math.sqrt(float((amplitude**2 * twice).sum())))


def gaussian_field(rng: Generator, side: int, slope: float) -> Map:
    """A periodic Gaussian field of mean 0 and expected variance 1 with power ~ k^-slope per mode.

    Its own variance scatters about 1, the more the steeper the slope, as few large modes carry it.
    """
    white = fft.rfft2(rng.standard_normal((side, side))) * side
    return np.asarray(fft.irfft2(white * _amplitudes(side, slope), s=(side, side)))


def density(rng: Generator, side: int, slope: float, mach: float) -> Map:
    """Density in units of its expected mean, always positive; log-normal with the spectrum of its logarithm.

    Args:
        rng: source of randomness.
        side: of the map, in points.
        slope: two-dimensional power per mode of ln(density) falls as k^-slope.
        mach: Mach number of the turbulence; 0 gives a uniform cloud.
    """
    variance = log_density_variance(mach)
    return np.exp(math.sqrt(variance) * gaussian_field(rng, side, slope) - variance / 2)


def stirred(rng: Generator, field: Map, shift: float) -> Map:
    """`field`, periodic, carried by a flow without sources or sinks: eddies draw it out into filaments.

    The flow is a random one of mostly the largest scales, independent of the field, so that the distribution
    of values stays on average over fields; phases are no longer random.

    Args:
        rng: source of randomness.
        field: shape ``[side, side]``.
        shift: root mean square of how far each point is carried, in sides of the map; 0 stirs nothing.
    """
    side = len(field)
    stream = gaussian_field(rng, side, STREAM_SLOPE)
    down = np.roll(stream, -1, axis=1) - np.roll(stream, 1, axis=1)
    across = np.roll(stream, 1, axis=0) - np.roll(stream, -1, axis=0)
    reach = shift * side / math.sqrt(float((down**2 + across**2).mean()))
    rows, columns = np.indices(field.shape)
    return np.asarray(
        map_coordinates(field, [rows - reach * down, columns - reach * across], order=3, mode="grid-wrap")
    )
