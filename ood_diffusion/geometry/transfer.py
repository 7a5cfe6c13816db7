r"""Style transfer in latent space: move latents of one domain to the statistics of another's.

Two maps: the optimal transport between the two stationary Gaussians (`wasserstein_transfer`), and a step
towards single latents of the target (`slerp_to_nearest`).
"""

import torch
from torch import Tensor

from ood_diffusion.checks import require
from ood_diffusion.geometry.gram import gram, origin_angles, squared_norms
from ood_diffusion.geometry.slerp import slerp
from ood_diffusion.geometry.spectrum import apply_filter, matrix_power, power_spectrum


def wasserstein_transfer(latents: Tensor, source: Tensor, target: Tensor, fraction: float = 1.0) -> Tensor:
    r"""Optimal transport between the stationary Gaussians fitted to both sets.

    .. math:: z \mapsto (1-f)\,z + f\,\bigl[\mu_t + T(z - \mu_s)\bigr], \qquad
        T_k = A_k^{-1/2} (A_k^{1/2} B_k A_k^{1/2})^{1/2} A_k^{-1/2}

    at every frequency k, with the channel matrices A of the source's and B of the target's power spectrum
    and means per position. T is the Monge map between Gaussians (Olkin & Pukelsheim 1982) that "Wasserstein
    style transfer" (Mroueh 2019) applies to features; whitening and colouring (Li et al. 2017),
    :math:`B^{1/2} A^{-1/2}`, reaches the same statistics but moves the latents further. Values of f between
    0 and 1 follow the geodesic between the two (displacement interpolation, McCann 1997).

    Args:
        latents: to be moved, ``[k, C, H, W]``, float.
        source: latents of the domain they belong to, ``[n, C, H, W]``, n >= 2 (may be `latents` itself).
            With n <= C a spectrum is not of full rank: then move only `source` itself.
        target: latents of the other domain, ``[m, C, H, W]``, m >= 2.
        fraction: f, in [0, 1].

    Returns:
        ``[k, C, H, W]``, in the dtype of `latents`. For ``latents is source`` and f = 1 their mean and power
        spectrum are the target's.

    Raises:
        UserError: if shapes differ, a set holds fewer than 2, or `fraction` is out of range.
    """
    _check(latents, source, target)
    require(0 <= fraction <= 1, "fraction must lie in [0, 1]", fraction, "1 is the full transfer.")
    mean_s, mean_t = source.double().mean(dim=0), target.double().mean(dim=0)
    a, b = power_spectrum(source - mean_s), power_spectrum(target - mean_t)
    root, inverse = matrix_power(a, 0.5), matrix_power(a, -0.5)
    monge = inverse @ matrix_power(root @ b @ root, 0.5) @ inverse
    moved = mean_t + apply_filter(monge, latents - mean_s)
    return torch.lerp(latents.double(), moved, fraction).to(latents.dtype)


def slerp_to_nearest(latents: Tensor, target: Tensor, fraction: float) -> Tensor:
    """Go part of the way to the target latent that is nearest in angle at the origin.

    By angle, because distances between latents of one norm are ruled by it and those of unequal norms
    favour the shortest.

    Args:
        latents: ``[n, …]``, float.
        target: ``[m, …]``, m >= 1.
        fraction: 0 leaves the latents where they are, 1 gives the nearest target latents.

    Returns:
        ``[n, …]``, in the dtype of `latents`.

    Raises:
        UserError: if shapes differ, there is no target latent, or `fraction` is out of range.
    """
    require(
        latents.shape[1:] == target.shape[1:] and len(target) >= 1,
        "latents [n, …] and target [m, …] must share all but the first size, with m >= 1",
        (list(latents.shape), list(target.shape)),
        "Invert both domains with one model.",
    )
    require(0 <= fraction <= 1, "fraction must lie in [0, 1]", fraction, "0.5 is half of the way.")
    angles = origin_angles(gram(latents, target), squared_norms(latents), squared_norms(target))
    nearest = target[angles.argmin(dim=1)].to(latents.dtype)
    return slerp(latents, nearest, torch.full((len(latents),), fraction, device=latents.device))


def _check(latents: Tensor, source: Tensor, target: Tensor) -> None:
    require(
        latents.dim() == 4
        and latents.shape[1:] == source.shape[1:] == target.shape[1:]
        and min(len(source), len(target)) >= 2,
        "latents, source and target must be [n, C, H, W] of one C, H, W, the two sets with n >= 2",
        (list(latents.shape), list(source.shape), list(target.shape)),
        "Invert both domains with one model, at least 2 images each.",
    )
