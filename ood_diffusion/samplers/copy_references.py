"""The trivial end of every comparison: a proposal is one of the references."""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from ood_diffusion.samplers.base import Sampler


class CopyReferences(Sampler):
    """Each proposal is a reference chosen uniformly, independently of all other proposals.

    References therefore repeat, also among fewer proposals than there are references (a choice without
    repeats would depend on the proposals before it). Decoding gives the references' reconstructions:
    the best fidelity that the model allows, and no novelty at all.
    """

    version = 1
    uses_prior = False

    def draw(self, generators: Sequence[Generator]) -> Tensor:
        """Per item: which reference."""
        n = len(self.references)
        return self.references[[int(torch.randint(n, (), generator=g)) for g in generators]]
