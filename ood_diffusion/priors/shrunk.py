"""The sample covariance shrunk towards the stationary one, by held-out likelihood."""

import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor
from typing_extensions import Self

from ood_diffusion.checks import require
from ood_diffusion.geometry.spectrum import blocks, matrix_power, occurrences, transformed
from ood_diffusion.priors.base import Prior
from ood_diffusion.priors.span import Span
from ood_diffusion.priors.spectral import Spectral

FOLDS = 4
CANDIDATES = torch.linspace(0.02, 0.98, 49, dtype=torch.float64)


class Shrunk(Prior):
    r""":math:`z - \mu = \sqrt{1-\rho}\,(\text{span draw}) + \sqrt\rho\,(\text{spectral draw})`.

    Its covariance is :math:`(1-\rho) S + \rho P`, full rank, with S the sample covariance and P the
    stationary one: linear shrinkage (Ledoit & Wolf 2004) towards a target that knows colour and scale.

    Args:
        rho: weight of the stationary part, in (0, 1); None chooses it by cross-validated likelihood.
    """

    version = 1
    min_references = 2 * FOLDS

    def __init__(self, rho: float | None) -> None:
        require(rho is None or 0 < rho < 1, "prior.rho must lie in (0, 1) or be null", rho, "Try null.")
        self.chosen = rho
        self.rho = rho

    def fit(self, latents: Tensor) -> Self:
        """See `Prior.fit`."""
        self.rho = select_rho(latents) if self.chosen is None else self.chosen
        self.span, self.spectral = Span().fit(latents), Spectral().fit(latents)
        return self

    def learned(self) -> dict[str, float]:
        """The weight of the stationary part."""
        return {} if self.rho is None else {"rho": self.rho}

    def draw(self, generators: Sequence[Generator]) -> Tensor:
        """The two draws of one item come one after the other from its generator."""
        rho, mean = self.rho or 0.0, self.span.mean
        span = self.span.draw(generators) - mean
        spectral = self.spectral.draw(generators) - mean
        return mean + math.sqrt(1 - rho) * span + math.sqrt(rho) * spectral


def select_rho(latents: Tensor) -> float:
    """The candidate rho with the largest Gaussian log-likelihood summed over held-out folds.

    Mean, P and S are learned from the training folds alone. Beside the latents ``[n, C, H, W]`` this takes as
    much memory again, for their FFT in single precision.
    """
    n, channels, height, width = latents.shape
    waves = torch.empty(height, width // 2 + 1, channels, n, dtype=torch.complex64)
    done = 0
    for part in blocks(latents):
        waves[..., done : done + len(part)] = transformed(part)
        done += len(part)
    fold = torch.arange(n) % FOLDS
    scores = sum(held_out_log_likelihood(waves, width, fold == k) for k in range(FOLDS))
    return float(CANDIDATES[int(torch.as_tensor(scores).argmax())])


def held_out_log_likelihood(waves: Tensor, width: int, held_out: Tensor) -> Tensor:
    r"""Log-likelihood of some points under :math:`(1-\rho)S + \rho P` of the others, for every candidate rho.

    In coordinates whitened by :math:`P^{-1/2}` the covariance is :math:`(1-\rho)S' + \rho I`: its
    eigenvalues on the span of the m training points come from their m×m Gram matrix, and all others
    equal rho. Inner products are sums over frequencies (Parseval), so that no point is ever whitened as a
    whole. Terms that do not depend on rho are dropped.

    Args:
        waves: `transformed` of the points, complex ``[H, W // 2 + 1, C, n]``.
        width: W.
        held_out: which points are not learned from, bool ``[n]``.

    Returns:
        float64, one value per entry of `CANDIDATES`, summed over the points held out.
    """
    height, half, channels, n = waves.shape
    m = n - int(held_out.sum())
    means = torch.empty(height, half, channels, 1, dtype=torch.complex128)
    spectrum = torch.empty(height, half, channels, channels, dtype=torch.complex128)
    for row, mean, power in zip(waves, means, spectrum, strict=True):
        train = row[..., ~held_out].to(torch.complex128)
        mean[:] = train.mean(dim=-1, keepdim=True)
        train -= mean
        power[:] = train @ train.mH / (m - 1)
    whiten = matrix_power(spectrum, -0.5) * occurrences(width).sqrt()[:, None, None]
    inner = torch.zeros(n, n, dtype=torch.float64)
    for row, mean, filter_ in zip(waves, means, whiten, strict=True):
        white = torch.view_as_real(filter_ @ (row.to(torch.complex128) - mean)).transpose(-1, -2)
        flat = white.reshape(-1, n)
        inner.addmm_(flat.T, flat)

    eigenvalues, vectors = torch.linalg.eigh(inner[~held_out][:, ~held_out])
    eigenvalues, vectors = eigenvalues[1:], vectors[:, 1:]  # centring leaves one null direction
    coordinates = inner[held_out][:, ~held_out] @ vectors / eigenvalues.sqrt()
    outside = inner.diagonal()[held_out] - coordinates.square().sum(dim=1)

    rho = CANDIDATES[:, None]
    variances = (1 - rho) * eigenvalues / (m - 1) + rho
    inside = (coordinates.square().sum(dim=0) / variances).sum(dim=1)
    free = channels * height * width - len(eigenvalues)
    log_determinant = variances.log().sum(dim=1) + free * rho[:, 0].log()
    outer: Tensor = inside + outside.sum() / rho[:, 0] + (n - m) * log_determinant
    return -0.5 * outer
