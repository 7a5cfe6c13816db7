"""The contract of a sampler: how new latents are proposed from references and their prior."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Generator, Tensor

from ood_diffusion.priors.base import Prior


class Sampler(ABC):
    """Proposes latents; whether they are kept is the selection's business.

    Examples:
        >>> import torch
        >>> from ood_diffusion.priors.gaussian import Gaussian
        >>> from ood_diffusion.seeding import generator, normal
        >>> class Halfway(Sampler):
        ...     def draw(self, generators):
        ...         n = len(self.references)
        ...         chosen = [int(torch.randint(n, (), generator=g)) for g in generators]
        ...         return (self.references[chosen] + self.prior.draw(generators)) / 2**0.5
        >>> references = normal([generator(0, i) for i in range(10)], (3, 8, 8))
        >>> sampler = Halfway()
        >>> sampler.bind(references, Gaussian("scalar").fit(references))
        >>> sampler.draw([generator(1, i) for i in range(4)]).shape
        torch.Size([4, 3, 8, 8])
    """

    version = 1
    """Of the results, those of `propose` included: raised whenever numbers change (`source.identity`)."""
    min_references = 1
    """The smallest number of references it can work with."""
    uses_prior = True
    """Whether its proposals depend on the prior; if not, a sweep over priors costs it nothing."""
    uses_pictures = False
    """Whether its choices depend on what the references look like: `pictures` is then set before `draw`."""
    pictures: Tensor
    """The references themselves, float32 ``[n, C, H, W]`` in [-1, 1], whatever the bank holds."""

    def bind(self, references: Tensor, prior: Prior) -> None:
        """Take the inverted references ``[n, C, H, W]`` and the prior fitted on them."""
        self.references, self.prior = references, prior

    def plain(self) -> "Sampler":
        """The same sampler without what keeps the variance of latents, where it has such a part."""
        return self

    def noiseless(self) -> "Sampler":
        """The same sampler, with the same choices, without noise of its own, where it has such a part."""
        return self

    @abstractmethod
    def draw(self, generators: Sequence[Generator]) -> Tensor:
        """One proposal per generator, float32 ``[len(generators), C, H, W]``."""
