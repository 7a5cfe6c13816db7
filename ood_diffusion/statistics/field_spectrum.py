r"""Power of fields by frequency, and statistics of it whose law under white noise is known exactly.

The orthonormal FFT turns white noise into independent coordinates, so the power of n fields summed at one
frequency is a chi-squared number: a null is drawn frequency by frequency and no field is simulated.
"""

import numpy as np
import torch
from torch import Tensor

from ood_diffusion.statistics.estimate import Array

CHUNK = 64
"""Fields transformed at a time."""


def field_powers(fields: Tensor) -> Tensor:
    """Power of each field at each frequency, summed over channels: float64 ``[n, H, W // 2 + 1]``."""
    parts = [
        torch.fft.rfft2(part.double(), norm="ortho").abs().square().sum(dim=1)
        for part in torch.split(fields, CHUNK)
    ]
    return torch.cat(parts)


def multiplicity(height: int, width: int) -> Array:
    """How often each frequency of the half spectrum counts, int ``[H, W // 2 + 1]``.

    2 where its mirror image is left out; 1 in column 0 and, for even W, at Nyquist, which hold both.
    """
    times = np.full((height, width // 2 + 1), 2)
    times[:, 0] = 1
    if width % 2 == 0:
        times[:, -1] = 1
    return times


def radial_bins(height: int, width: int, bins: int) -> Array:
    """Number of the log-spaced radial bin of each frequency, int ``[H, W // 2 + 1]``; -1 for the mean.

    Radius in cycles per field of the longer side, from 1 to the corner; fields so small that a bin would
    be empty have fewer bins, numbered without gaps.
    """
    longer = max(height, width)
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]) * longer
    edges = np.geomspace(1, radius.max(), bins + 1)[1:-1]
    bin_: Array = np.digitize(radius, edges)
    positive = radius > 0
    bin_[positive] = np.unique(bin_[positive], return_inverse=True)[1]
    bin_[~positive] = -1
    return bin_


def radial_power(power: Array, width: int, bins: int) -> Array:
    """Mean power per frequency in each radial bin, ``[…, bins]``, of powers ``[…, H, W // 2 + 1]``."""
    height = power.shape[-2]
    bin_ = radial_bins(height, width, bins)
    times = multiplicity(height, width)
    means = [(power * times)[..., bin_ == k].sum(-1) / times[bin_ == k].sum() for k in range(bin_.max() + 1)]
    return np.stack(means, axis=-1)


def whiteness(power: Array, width: int, bins: int) -> Array:
    """Standard deviation over radial bins of the log of `radial_power`: 0 for a flat spectrum.

    Any scale and any constant added to a field leave it unchanged.
    """
    deviation: Array = np.log(radial_power(power, width, bins)).std(axis=-1)
    return deviation


def lag_1(power: Array, width: int) -> Array:
    r"""Autocorrelation of neighbours, mean over both axes, of powers ``[…, H, W // 2 + 1]``.

    By Wiener–Khinchin :math:`\sum_k P_k\,(\cos 2\pi k_x/W + \cos 2\pi k_y/H)/2 \,/ \sum_k P_k` without the
    field's mean. Edges wrap around: 1 of W pairs joins opposite sides.
    """
    height = power.shape[-2]
    cosine = (
        np.cos(2 * np.pi * np.fft.fftfreq(height))[:, None] + np.cos(2 * np.pi * np.fft.rfftfreq(width))
    ) / 2
    weight = multiplicity(height, width).astype(float)
    weight[0, 0] = 0
    correlation: Array = (power * weight * cosine).sum((-2, -1)) / (power * weight).sum((-2, -1))
    return correlation


def white_power(rng: np.random.Generator, fields: int, channels: int, height: int, width: int) -> Array:
    """Summed power of `fields` fields of white noise of variance 1, drawn exactly: ``[H, W // 2 + 1]``.

    A frequency with a mirror image is complex: two normal numbers of variance 1/2 per field and channel. One
    that is its own mirror image is real. In columns 0 and Nyquist, frequency k and -k are conjugate, hence
    equal in power.
    """
    row = np.arange(height)
    mirror = (-row) % height
    doubled = multiplicity(height, width) == 2
    self_conjugate = ~doubled & (row == mirror)[:, None]
    real_parts = np.where(self_conjugate, 1, 2) * fields * channels
    power = rng.chisquare(real_parts) / np.where(self_conjugate, 1, 2)
    copied = ~doubled & (row > mirror)[:, None]
    drawn: Array = np.where(copied, power[mirror], power)
    return drawn
