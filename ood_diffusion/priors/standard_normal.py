"""The model's own prior at the top of the trajectory, which knows nothing of the references."""

from collections.abc import Sequence

from torch import Generator, Tensor
from typing_extensions import Self

from ood_diffusion.priors.base import Prior
from ood_diffusion.seeding import normal


class StandardNormal(Prior):
    """N(0, I): at level T the frozen model turns its draws into images of its training domain.

    The end of the scale at which nothing of the unseen domain is left.
    """

    version = 1

    def fit(self, latents: Tensor) -> Self:
        """See `Prior.fit`."""
        self.shape = latents.shape[1:]
        return self

    def draw(self, generators: Sequence[Generator]) -> Tensor:
        """Independent standard normal coordinates."""
        return normal(generators, self.shape)
