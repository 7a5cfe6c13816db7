"""The contract of a control: what the same recipe gives without the network."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from ood_diffusion.samplers.propose import Proposer
from ood_diffusion.source import Recipe


@dataclass(frozen=True)
class Noise:
    """What the level of a run does to a picture: ``alpha * x + sigma * noise``."""

    alpha: float
    sigma: float


class Control(ABC):
    """Makes a run's samples without its network, one by one: the difference is what the network adds."""

    version = 1
    """Of the results: raised whenever numbers change (`source.identity`)."""

    @abstractmethod
    def images(self, references: Tensor, proposer: Proposer, noise: Noise) -> Iterator[Tensor]:
        """Image i is the control of sample i.

        Args:
            references: pictures, float32 ``[k, C, H, W]`` in [-1, 1].
            proposer: how the run makes latents from the bank: prior, sampler, selection, seed.
            noise: of the run's level.

        Returns:
            Blocks of float32 ``[b, C, H, W]``, `proposer.n` in all, nominally in [-1, 1].
        """

    def recipe(self, noise: Noise) -> Recipe:
        """What of the noise determines its images; JSON."""
        return {}
