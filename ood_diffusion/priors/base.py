"""The contract of a latent prior: what unseen images look like at one level of the trajectory."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Generator, Tensor
from typing_extensions import Self


class Prior(ABC):
    """A distribution over latents ``[C, H, W]``, learned from n inverted references, ``n << d``.

    Examples:
        >>> import torch
        >>> from ood_diffusion.seeding import generator, normal
        >>> class Around(Prior):
        ...     def fit(self, latents):
        ...         self.mean, self.deviation = latents.mean(0), latents.std()
        ...         return self
        ...     def draw(self, generators):
        ...         return self.mean + self.deviation * normal(generators, self.mean.shape)
        >>> prior = Around().fit(normal([generator(0, i) for i in range(10)], (3, 8, 8)))
        >>> prior.draw([generator(1, i) for i in range(4)]).shape
        torch.Size([4, 3, 8, 8])
    """

    version = 1
    """Of the results: raised whenever numbers change (`source.identity`)."""
    min_references = 2
    """The smallest number of references `fit` can learn from."""

    @abstractmethod
    def fit(self, latents: Tensor) -> Self:
        """Learn from at least `min_references` latents, float32 ``[n, C, H, W]``; returns itself."""

    def learned(self) -> dict[str, float]:
        """Numbers worth reporting that `fit` chose by itself, by name."""
        return {}

    @abstractmethod
    def draw(self, generators: Sequence[Generator]) -> Tensor:
        """One latent per generator, float32 ``[len(generators), C, H, W]``."""
