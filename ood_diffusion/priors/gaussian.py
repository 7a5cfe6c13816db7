"""The paper's prior: a Gaussian without correlations."""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor
from typing_extensions import Self

from ood_diffusion.checks import require_choice
from ood_diffusion.geometry.gram import CHUNK
from ood_diffusion.priors.base import Prior
from ood_diffusion.seeding import normal


class Gaussian(Prior):
    """Mean of the references plus white noise.

    Blind to correlations: where inverted latents are coloured (they are, see the Gaussian oracle
    in method notes: covariance about C'C^-1), its draws carry the wrong power at every frequency.

    Args:
        variance: "scalar", one variance for all coordinates (arXiv 2310.09213), or
            "per_coordinate", one for each.
    """

    version = 1

    def __init__(self, variance: str) -> None:
        require_choice("prior.variance", variance, ("scalar", "per_coordinate"))
        self.variance = variance

    def fit(self, latents: Tensor) -> Self:
        """See `Prior.fit`."""
        means, variances = [], []
        for part in torch.split(latents.flatten(1), CHUNK, dim=1):  # in float64, a few coordinates at a time
            means.append(part.double().mean(dim=0))
            squares = (part.double() - means[-1]).square()
            variances.append(squares.sum(dim=0) / (len(latents) - 1))
        self.mean, spread = (torch.cat(each).view(latents.shape[1:]) for each in (means, variances))
        self.scale = (spread.mean() if self.variance == "scalar" else spread).sqrt()
        return self

    def draw(self, generators: Sequence[Generator]) -> Tensor:
        """Mean + scale · N(0, I)."""
        noise = normal(generators, self.mean.shape)
        return (self.mean + self.scale * noise).to(noise.dtype)
