"""Independent draws from the prior."""

from collections.abc import Sequence

from torch import Generator, Tensor

from ood_diffusion.samplers.base import Sampler


class Draw(Sampler):
    """A proposal is a draw of the prior, nothing else."""

    version = 1

    def draw(self, generators: Sequence[Generator]) -> Tensor:
        """See `Prior.draw`."""
        return self.prior.draw(generators)
