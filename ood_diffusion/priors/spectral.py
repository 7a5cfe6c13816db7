"""A stationary Gaussian field with the references' power spectrum."""

from collections.abc import Sequence

from torch import Generator, Tensor
from typing_extensions import Self

from ood_diffusion.geometry.spectrum import apply_filter, matrix_power, power_spectrum
from ood_diffusion.priors.base import Prior
from ood_diffusion.seeding import normal


class Spectral(Prior):
    r""":math:`z = \mu + F^{-1}[P(k)^{1/2} F(\xi)]` with a channel matrix P(k) per frequency.

    Right for latents whose statistics do not depend on the position in the image; it knows colour
    and scale but no place (a galaxy's centre lives in the mean only).
    """

    version = 1

    def fit(self, latents: Tensor) -> Self:
        """See `Prior.fit`."""
        self.mean = latents.mean(dim=0)
        self.spectrum = power_spectrum(latents, self.mean)
        self.root = matrix_power(self.spectrum, 0.5)
        return self

    def draw(self, generators: Sequence[Generator]) -> Tensor:
        """Filtered white noise plus the mean."""
        return self.mean + apply_filter(self.root, normal(generators, self.mean.shape))
