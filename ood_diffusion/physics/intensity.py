"""How often each brightness occurs."""

import numpy as np
from torch import Tensor

from ood_diffusion.geometry.structure import CONSTANT
from ood_diffusion.physics.images import Array, luminance

FAINTEST = 1 / 255
"""Luminance below which the logarithm stops: one step of 8 bits."""


def intensity_pdf(images: Tensor, bins: int = 32, logarithmic: bool = False) -> tuple[Array, Array]:
    """Probability density of each picture's luminance in [0, 1], or of its log10 in [log10(1/255), 0].

    Args:
        images: uint8 ``[n, 3, H, H]``.
        bins: evenly spaced.
        logarithmic: of log10; pixels below one step of 8 bits count in the first bin.

    Returns:
        The middles of the bins, ``[bins]``, and the densities ``[n, bins]``: each sums to 1 / bin width.
    """
    values = luminance(images).reshape(len(images), -1)
    if logarithmic:
        values = np.log10(values.clip(FAINTEST))
    edges = np.linspace(np.log10(FAINTEST) if logarithmic else 0, 1e-9 if logarithmic else 1 + 1e-9, bins + 1)
    densities = np.stack([np.histogram(row, edges, density=True)[0] for row in values])
    return (edges[1:] + edges[:-1]) / 2, densities


def moments(images: Tensor) -> dict[str, Array]:
    """Mean, standard deviation, skewness and excess kurtosis of each picture's luminance, ``[n]`` each.

    Or of the values of one channel of fields, float64 ``[n, H, H]``.

    Skewness and kurtosis are 0 for a picture of one brightness, whatever its unit.
    """
    values = luminance(images).reshape(len(images), -1)
    mean, sd = values.mean(axis=1), values.std(axis=1)
    flat = sd <= CONSTANT * np.abs(values).max(axis=1)
    z = (values - mean[:, None]) / np.where(flat, 1.0, sd)[:, None]
    return {
        "intensity_mean": mean,
        "intensity_sd": sd,
        "intensity_skewness": np.where(flat, 0.0, (z * z * z).mean(axis=1)),
        "intensity_kurtosis": np.where(flat, 0.0, (z * z * z * z).mean(axis=1) - 3),
    }
