"""The contract of a sampler: how new latents are proposed from references and their prior."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Generator, Tensor

from ood_diffusion.priors.base import Prior


class Sampler(ABC):
    """Proposes latents; whether they are kept is the selection's business."""

    version = 1
    """Of the results, those of `propose` included: raised whenever numbers change (`source.identity`)."""
    min_references = 1
    """The smallest number of references it can work with."""
    uses_prior = True
    """Whether its proposals depend on the prior; if not, a sweep over priors costs it nothing."""

    def bind(self, references: Tensor, prior: Prior) -> None:
        """Take the inverted references ``[n, C, H, W]`` and the prior fitted on them."""
        self.references, self.prior = references, prior

    @abstractmethod
    def draw(self, generators: Sequence[Generator]) -> Tensor:
        """One proposal per generator, float32 ``[len(generators), C, H, W]``."""
