"""The paper's prior: a Gaussian without correlations."""

from collections.abc import Sequence

from torch import Generator, Tensor
from typing_extensions import Self

from ood_diffusion.checks import require_choice
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
        self.mean = latents.double().mean(dim=0)
        spread = (latents.double() - self.mean).square().sum(dim=0) / (len(latents) - 1)
        self.scale = (spread.mean() if self.variance == "scalar" else spread).sqrt()
        return self

    def draw(self, generators: Sequence[Generator]) -> Tensor:
        """Mean + scale · N(0, I)."""
        noise = normal(generators, self.mean.shape)
        return (self.mean + self.scale * noise).to(noise.dtype)
