"""The contract of a latent prior: what unseen images look like at one level of the trajectory."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Generator, Tensor
from typing_extensions import Self

from ood_diffusion.checks import require


class Prior(ABC):
    """A distribution over latents ``[C, H, W]``, learned from n inverted references, ``n << d``."""

    min_references = 2
    """The smallest number of references `fit` can learn from."""

    def fit(self, latents: Tensor) -> Self:
        """Learn from `latents`, float32 ``[n, C, H, W]``.

        Raises:
            UserError: if there are fewer than `min_references`.
        """
        require(
            len(latents) >= self.min_references,
            f"the prior {type(self).__name__} needs at least {self.min_references} references",
            len(latents),
            "Raise n_references or choose another prior.",
        )
        self._fit(latents)
        return self

    @abstractmethod
    def _fit(self, latents: Tensor) -> None: ...

    @abstractmethod
    def draw(self, generators: Sequence[Generator]) -> Tensor:
        """One latent per generator, float32 ``[len(generators), C, H, W]``."""
