r"""How far the Fréchet distance of two sets of latents would move with other latents of the same domains."""

import math

import torch
from torch import Tensor

from ood_diffusion.statistics.estimate import Estimate
from ood_diffusion.statistics.feature_intervals import NORMAL
from ood_diffusion.statistics.latent_frechet import (
    distance,
    moments,
    multiplicities,
    regular_root,
    require_sets,
    waves,
)


def latent_frechet_interval(a: Tensor, b: Tensor) -> Estimate:
    r"""`latent_frechet.spectral_frechet` of two sets, with a normal interval for its expected value.

    The distance is biased upwards by the finiteness of both sets; the interval covers that biased expectation
    at these numbers of latents, as that of `feature_intervals.fid_interval` does, and no latent is repeated
    for the same reason: the standard error is the infinitesimal jackknife (Jaeckel 1972; Efron 1982, ch. 6),
    the spread over latents of the distance's derivative with respect to a latent's weight.

    With :math:`x_k` a latent's coefficients at frequency k less their mean ``[C]``, and the optimal map
    :math:`T = P^{-1/2}(P^{1/2}QP^{1/2})^{1/2}P^{-1/2}` from P to Q, a latent of `a` has the derivative
    :math:`\sum_k 2\,\mathrm{Re}\,\Delta\mu_k^\dagger x_k + (|x_k|^2 - x_k^\dagger T_k x_k)\,n/(n-1)`,
    less its mean; likewise for `b`. Where the sets are equal the first order vanishes and the interval is too
    wide: it errs on the safe side.

    Args:
        a: latents ``[n, C, H, W]``, n >= 4.
        b: ``[m, C, H, W]``, m >= 4, independent of `a`.

    Returns:
        The statistic of `latent_frechet.latent_frechet`, in units of squared latents summed over d; `low` is
        at least 0, `n` counts both sets.

    Raises:
        UserError: as `latent_frechet.latent_frechet`.
    """
    require_sets(a, b)
    times, wave_a, wave_b = multiplicities(a.shape[2], a.shape[3]), waves(a), waves(b)
    of_a, of_b = moments(wave_a), moments(wave_b)
    value = distance(times, of_a, of_b)
    variance = sum(
        float(influences(times, wave, own, other).var()) / wave.shape[-1]
        for wave, own, other in ((wave_a, of_a, of_b), (wave_b, of_b, of_a))
    )
    half = NORMAL * math.sqrt(variance)
    return Estimate(value, max(value - half, 0.0), value + half, len(a) + len(b))


def influences(
    times: Tensor, waves: Tensor, own: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor]
) -> Tensor:
    """Derivatives of the distance with respect to each latent's weight, up to a constant: float64 ``[n]``.

    A row of frequencies at a time: beside the coefficients only these are held in double precision.

    Args:
        times: `multiplicities` of the frequencies.
        waves: of the set, ``[H, W // 2 + 1, C, n]``.
        own: `moments` of the set.
        other: `moments` of the other set.
    """
    (mean, p), (other_mean, q), n = own, other, waves.shape[-1]
    roots, found = regular_root(p, q), torch.zeros(n, dtype=torch.float64)
    for i, root in enumerate(roots):
        centred = (waves[i] - mean[i, ..., None]).to(torch.complex128)
        values, vectors = torch.linalg.eigh(root.mH @ q[i] @ root)
        axes = (vectors.mH @ torch.linalg.solve_triangular(root, centred, upper=False)).abs().square()
        carried = (values.clamp_min(0).sqrt()[..., None] * axes).sum(dim=-2)
        shift = (mean[i] - other_mean[i])[..., None].conj() * centred
        own_part = (centred.abs().square().sum(dim=-2) - carried) * n / (n - 1)
        found += (times[i, :, None] * (2 * shift.real.sum(dim=-2) + own_part)).sum(dim=0)
    return found
