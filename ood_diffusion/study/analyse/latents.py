"""Latents of both domains at one level: Gaussian, separable, isotropic? Claims C2 to C4."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ood_diffusion.geometry.gram import gram
from ood_diffusion.geometry.within import within
from ood_diffusion.statistics.estimate import Array, Estimate, NullTest
from ood_diffusion.statistics.field_spectrum import field_powers, radial_power
from ood_diffusion.statistics.gaussianity import BINS, gaussianity
from ood_diffusion.statistics.geometry_summary import GeometrySummary, geometry_summary
from ood_diffusion.statistics.latent_frechet import latent_frechet
from ood_diffusion.statistics.latent_frechet_interval import latent_frechet_interval
from ood_diffusion.statistics.separability import separability, trivial_separability

LEFT_OUT = 16
"""Jackknife samples at a time: bounds memory to as many Gram matrices."""


@dataclass(frozen=True)
class Described:
    """Statistics of n latents.

    Args:
        n: how many.
        gaussianity: of `statistics.gaussianity`, by name.
        geometry: of `statistics.geometry_summary`.
        isotropy: of `isotropy`, by name.
        spectrum: of `spectrum`.
    """

    n: int
    gaussianity: Mapping[str, NullTest]
    geometry: GeometrySummary
    isotropy: Mapping[str, Estimate]
    spectrum: Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Compared:
    """Latents of both domains at one level, each set for itself and against the other.

    `noised`: the images of the unseen domain with exact noise, where that was measured.
    """

    level: float
    unseen: Described
    training: Described
    separability: NullTest
    trivial_separability: NullTest
    frechet: NullTest
    frechet_interval: Estimate
    noised: Described | None = None


def compared(level: float, latents: Mapping[str, Tensor], seed: int, n_null: int) -> Compared:
    """All statistics of one level.

    Args:
        level: of the latents.
        latents: "unseen" and "training" -> float32 ``[n, C, H, W]``, n >= 8.
        seed: of projections, folds, splits and nulls.
        n_null: draws from the null of `gaussianity`.
    """
    pair = latents["training"], latents["unseen"]
    return Compared(
        level,
        described(latents["unseen"], seed, n_null),
        described(latents["training"], seed, n_null),
        separability(*pair, seed),
        trivial_separability(*pair, seed),
        latent_frechet(*pair, seed),
        latent_frechet_interval(*pair),
    )


def described(latents: Tensor, seed: int, n_null: int) -> Described:
    """Statistics of one set of latents: against Gaussian noise, of its geometry, and its spectrum."""
    tests = gaussianity(latents, seed, n_null)
    return Described(len(latents), tests, geometry_summary(latents), isotropy(latents), spectrum(latents))


def spectrum(latents: Tensor) -> dict[str, list[float]]:
    """Mean power per channel of latents ``[n, C, H, W]`` by frequency; 1 for N(0, I).

    Returns:
        "frequency" in cycles per picture (its longer side), the mean of each log-spaced bin, and "power".
    """
    height, width = latents.shape[2:]
    power = field_powers(latents).mean(dim=0).numpy() / latents.shape[1]
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]) * max(height, width)
    return {
        "frequency": radial_power(radius, width, BINS).tolist(),
        "power": radial_power(power, width, BINS).tolist(),
    }


def isotropy(latents: Tensor) -> dict[str, Estimate]:
    """Three figures that N(0, I) fixes, with jackknife intervals over latents ``[n, …]``, n >= 5.

    Pairs and triples of the same latents are not independent, so intervals must come from the latents: one
    is left out at a time (Tukey 1958), with Student's t of n - 1 degrees of freedom.

    Returns:
        - norm_spread: standard deviation of the norms over their mean.
        - origin_angle: mean angle at the origin between two latents, in degrees.
        - vertex_deviation: root mean square deviation from 60° of the angles in triangles of latents.
    """
    from scipy import stats

    inner, n = gram(latents, latents), len(latents)
    everyone = torch.arange(n)
    kept = torch.stack([everyone[everyone != i] for i in everyone])
    without = torch.vmap(lambda keep: isotropy_figures(inner[keep][:, keep]), chunk_size=LEFT_OUT)(kept)
    found = {}
    for name, figure in isotropy_figures(inner).items():
        value, error = float(figure), math.sqrt((n - 1) * float(without[name].var(correction=0)))
        half = float(stats.t.ppf(0.975, n - 1)) * error
        found[name] = Estimate(value, value - half, value + half, n)
    return found


def isotropy_figures(inner: Tensor) -> dict[str, Tensor]:
    """The figures of `isotropy`, scalars, from a Gram matrix float64 ``[n, n]``."""
    found = within(inner)
    return {
        "norm_spread": found["norm"].std() / found["norm"].mean(),
        "origin_angle": found["origin_angle"].mean(),
        "vertex_deviation": (found["vertex_angle"] - 60).square().mean().sqrt(),
    }


def angles(latents: Tensor) -> tuple[Array, Array]:
    """Angles in degrees among latents ``[n, …]``: at the origin, then in triangles (`within`)."""
    found = within(gram(latents, latents))
    return found["origin_angle"].numpy(), found["vertex_angle"].numpy()


def principal(latents: Mapping[str, Tensor]) -> tuple[dict[str, Array], list[float]]:
    """First two principal components of all latents together.

    Returns:
        Name of the set -> coordinates ``[n, 2]``; and the share of the variance along each.
    """
    from sklearn.decomposition import PCA

    pooled = torch.cat([z.flatten(1) for z in latents.values()]).numpy()
    pca = PCA(2, svd_solver="full").fit(pooled)
    coordinates = {name: pca.transform(z.flatten(1).numpy()) for name, z in latents.items()}
    return coordinates, pca.explained_variance_ratio_.tolist()
