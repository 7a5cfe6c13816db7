"""A Gaussian with exactly the references' sample covariance, in O(n d)."""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor
from typing_extensions import Self

from ood_diffusion.priors.base import Prior


class Span(Prior):
    r""":math:`z = \mu + (n-1)^{-1/2} \sum_i g_i (x_i - \mu)` with :math:`g \sim N(0, I_n)`.

    Its draws lie in the affine span of the references: look at the nearest-reference distance
    before believing that they are new.
    """

    version = 1

    def fit(self, latents: Tensor) -> Self:
        """See `Prior.fit`."""
        self.mean = latents.mean(dim=0)
        self.centred = (latents - self.mean).flatten(1)
        return self

    def draw(self, generators: Sequence[Generator]) -> Tensor:
        """A random combination of the centred references plus the mean."""
        n = len(self.centred)
        weights = torch.stack([torch.randn(n, generator=g) for g in generators]) / (n - 1) ** 0.5
        combined: Tensor = weights @ self.centred
        return self.mean + combined.view(-1, *self.mean.shape)
