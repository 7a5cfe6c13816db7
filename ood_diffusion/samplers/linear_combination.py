"""Combinations of references that keep the mean and covariance of a Gaussian latent."""

from collections.abc import Sequence
from copy import copy

import numpy as np
import torch
from torch import Generator, Tensor
from typing_extensions import Self

from ood_diffusion.checks import require, require_integer
from ood_diffusion.samplers.base import Sampler


class LinearCombination(Sampler):
    r""":math:`z = (1 - a/\sqrt b)\,\mu + \sum_i w_i x_i/\sqrt b` with :math:`a = \sum w_i, b = \sum w_i^2`.

    (Bodin et al. 2024, "Linear combinations of latents in generative models".) If the references are
    draws of :math:`N(\mu, C)`, so is z, for any weights. The mean is that of the references.

    Args:
        parents: how many distinct references one proposal combines.
        concentration: of the symmetric Dirichlet distribution of their weights: 1 is uniform on the
            simplex and comes close to copying one parent now and then; large values weigh all alike.
    """

    version = 1
    uses_prior = False
    keeps_variance = True
    """False for the weighted mean alone, which is less varied than the references (`plain`)."""

    def __init__(self, parents: int, concentration: float) -> None:
        require_integer("sampler.parents", parents, 2, "With 1 it copies; try 2.")
        require(concentration > 0, "sampler.concentration must be positive", concentration, "Try 10.")
        self.parents, self.concentration = parents, concentration
        self.min_references = parents

    def plain(self) -> Self:
        """The weighted mean of the same parents with the same weights."""
        other = copy(self)
        other.keeps_variance = False
        return other

    def draw(self, generators: Sequence[Generator]) -> Tensor:
        """Per item: the parents, then their weights."""
        mean = self.references.mean(dim=0)
        return torch.stack([self._combine(mean, g) for g in generators])

    def _combine(self, mean: Tensor, generator: Generator) -> Tensor:
        chosen = torch.randperm(len(self.references), generator=generator)[: self.parents]
        numpy_seed = int(torch.randint(2**63 - 1, (), generator=generator))
        simplex = np.random.default_rng(numpy_seed).dirichlet([self.concentration] * self.parents)
        weights = torch.from_numpy(simplex).float()
        root_b = weights.square().sum().sqrt()
        combined: Tensor = torch.tensordot(weights, self.references[chosen], dims=1)
        return (1 - 1 / root_b) * mean + combined / root_b if self.keeps_variance else combined
