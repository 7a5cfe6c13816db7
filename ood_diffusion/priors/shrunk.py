"""The sample covariance shrunk towards the stationary one, by held-out likelihood."""

import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor
from typing_extensions import Self

from ood_diffusion.checks import require
from ood_diffusion.geometry.gram import gram
from ood_diffusion.geometry.spectrum import apply_filter, matrix_power, power_spectrum
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

    Mean, P and S are learned from the training folds alone. `latents`: ``[n, C, H, W]``.
    """
    fold = torch.arange(len(latents)) % FOLDS
    scores = sum(held_out_log_likelihood(latents[fold != k], latents[fold == k]) for k in range(FOLDS))
    return float(CANDIDATES[int(torch.as_tensor(scores).argmax())])


def held_out_log_likelihood(train: Tensor, test: Tensor) -> Tensor:
    r"""Log-likelihood of `test` under :math:`(1-\rho)S + \rho P` for every candidate rho.

    In coordinates whitened by :math:`P^{-1/2}` the covariance is :math:`(1-\rho)S' + \rho I`: its
    eigenvalues on the span of the m training points come from their m×m Gram matrix, and all others
    equal rho. Terms that do not depend on rho are dropped.

    Returns:
        float64, one value per entry of `CANDIDATES`, summed over the test points.
    """
    mean = train.mean(dim=0)
    centred = train - mean
    whiten = matrix_power(power_spectrum(centred), -0.5)
    train_white, test_white = apply_filter(whiten, centred), apply_filter(whiten, test - mean)

    eigenvalues, vectors = torch.linalg.eigh(gram(train_white, train_white))
    eigenvalues, vectors = eigenvalues[1:], vectors[:, 1:]  # centring leaves one null direction
    coordinates = gram(test_white, train_white) @ vectors / eigenvalues.sqrt()
    outside = test_white.double().square().sum(dim=(1, 2, 3)) - coordinates.square().sum(dim=1)

    rho = CANDIDATES[:, None]
    variances = (1 - rho) * eigenvalues / (len(train) - 1) + rho
    inside = (coordinates.square().sum(dim=0) / variances).sum(dim=1)
    free = mean.numel() - len(eigenvalues)
    log_determinant = variances.log().sum(dim=1) + free * rho[:, 0].log()
    outer: Tensor = inside + outside.sum() / rho[:, 0] + len(test) * log_determinant
    return -0.5 * outer
