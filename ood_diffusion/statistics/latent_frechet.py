r"""Fréchet distance between two sets of latents as stationary Gaussian fields, beside random splits."""

import numpy as np
import torch
from torch import Tensor

from ood_diffusion.checks import require
from ood_diffusion.statistics.estimate import NullTest, null_test
from ood_diffusion.statistics.field_spectrum import CHUNK, multiplicity
from ood_diffusion.statistics.randomness import numpy_generator

JITTER = 1e-12
"""Added to a channel matrix, relative to the mean power, so that grey fields too have a Cholesky factor."""


def spectral_frechet(mean_a: Tensor, p: Tensor, mean_b: Tensor, q: Tensor) -> float:
    r""":math:`\lVert\mu_a-\mu_b\rVert^2 + \sum_k \mathrm{tr}\,P_k + \mathrm{tr}\,Q_k -
    2\,\mathrm{tr}(P_k^{1/2}Q_kP_k^{1/2})^{1/2}`.

    The Fréchet distance (Dowson & Landau 1982) of Gaussians whose covariances have one channel matrix per
    frequency and no covariance between frequencies; the sum runs over all H × W frequencies. In units of
    squared latents summed over d.

    Args:
        mean_a: ``[C, H, W]``, as `mean_b`.
        p: `geometry.spectrum.power_spectrum` of a, ``[H, W // 2 + 1, C, C]``, as `q` of b.
        mean_b: see `mean_a`.
        q: see `p`.
    """
    times = multiplicities(mean_a.shape[1], mean_a.shape[2])
    return float((mean_a.double() - mean_b.double()).square().sum() + (times * bures(p, q)).sum())


def bures(p: Tensor, q: Tensor) -> Tensor:
    """Squared Bures distance, float ``[…]``, of Hermitian positive semi-definite matrices ``[…, C, C]``."""
    own_p, own_q, root = power(p), power(q), regular_root(p, q)
    overlap = torch.linalg.eigvalsh(root.mH @ q @ root).clamp_min(0).sqrt().sum(dim=-1)
    distance: Tensor = (own_p + own_q - 2 * overlap).clamp_min(0)
    return distance


def regular_root(p: Tensor, q: Tensor) -> Tensor:
    """Cholesky factors of matrices `p` ``[…, C, C]``, made regular by `JITTER` of the power of both."""
    floor = power(p).mean() + power(q).mean()
    floor = JITTER * floor.clamp_min(torch.finfo(floor.dtype).tiny / JITTER)
    root: Tensor = torch.linalg.cholesky(p + floor * torch.eye(p.shape[-1], dtype=p.dtype))
    return root


def power(p: Tensor) -> Tensor:
    """Traces, real ``[…]``, of Hermitian matrices ``[…, C, C]``."""
    return p.diagonal(dim1=-2, dim2=-1).real.sum(dim=-1)


def latent_frechet(a: Tensor, b: Tensor, seed: int, splits: int = 50) -> NullTest:
    r"""`spectral_frechet` of two sets against that of random splits of all their latents into sets of the
    same sizes.

    The distance between finite sets grows as 1/n + 1/m where nothing differs: the null mean is that floor,
    and what the statistic has above it is the distance proper. If there is nothing to find every split is as
    likely as the given one, so the p-value is exact. (A null of halves of `a` alone is not: it rejected 22 %
    of equal sets at 5 % where latents vary in scale.)

    Args:
        a: latents ``[n, C, H, W]``, n >= 4.
        b: ``[m, C, H, W]``, m >= 4, independent of `a`.
        seed: of the splits.
        splits: random splits; the smallest possible p-value is 1 / (splits + 1).

    Returns:
        In units of squared latents summed over d; the p-value is one-sided: only large distances speak for a
        difference. Memory: the latents twice, in complex64.

    Raises:
        UserError: if the sets differ in shape or have fewer than 4 latents.
    """
    require_sets(a, b)
    times = multiplicities(a.shape[2], a.shape[3])
    both = torch.cat([waves(a), waves(b)], dim=-1)

    def split(order: Tensor) -> float:
        return distance(times, moments(both[..., order[: len(a)]]), moments(both[..., order[len(a) :]]))

    rng, n = numpy_generator(seed, "latent_frechet"), len(a) + len(b)
    null = [split(torch.from_numpy(rng.permutation(n))) for _ in range(splits)]
    return null_test(split(torch.arange(n)), np.array(null), n, one_sided=True)


def require_sets(a: Tensor, b: Tensor) -> None:
    """Raise `UserError` unless both hold latents ``[n, C, H, W]`` of one shape, 4 or more."""
    require(
        a.ndim == 4 and a.shape[1:] == b.shape[1:] and min(len(a), len(b)) >= 4,
        "two sets of 4 or more latents [n, C, H, W] must agree in shape",
        (list(a.shape), list(b.shape)),
        "Take both from one model, and invert more references.",
    )


def distance(times: Tensor, a: tuple[Tensor, Tensor], b: tuple[Tensor, Tensor]) -> float:
    """`spectral_frechet` from the `moments` of both sets and the `multiplicities` of frequencies."""
    (mean_a, p), (mean_b, q) = a, b
    return float((times * ((mean_a - mean_b).abs().square().sum(dim=-1) + bures(p, q))).sum())


def waves(fields: Tensor) -> Tensor:
    """Orthonormal Fourier coefficients, complex64 ``[H, W // 2 + 1, C, n]``."""
    parts = [
        torch.fft.rfft2(part.float(), norm="ortho").permute(2, 3, 1, 0) for part in torch.split(fields, CHUNK)
    ]
    return torch.cat(parts, dim=-1)


def moments(waves: Tensor) -> tuple[Tensor, Tensor]:
    """Mean ``[H, W // 2 + 1, C]`` and channel covariance at each frequency, of the pixels by Parseval."""
    mean = waves.mean(dim=-1)
    centred = (waves - mean[..., None]).to(torch.complex128)  # of rounded products a grey field has no root
    return mean, centred @ centred.mH / (waves.shape[-1] - 1)


def multiplicities(height: int, width: int) -> Tensor:
    """`field_spectrum.multiplicity` as a tensor."""
    return torch.from_numpy(multiplicity(height, width))
