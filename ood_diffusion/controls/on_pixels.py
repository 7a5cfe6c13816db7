"""The run's own recipe on pictures instead of latents."""

from collections.abc import Iterator
from dataclasses import replace

from torch import Tensor

from ood_diffusion.controls.base import Control, Noise
from ood_diffusion.samplers.propose import Acceptance, Proposer


class OnPixels(Control):
    """The same prior, sampler and selection, with the same random choices, fitted on the references' pixels.

    A sampler that combines references takes the same parents with the same weights. What it does to keep the
    variance of latents it does to pixels too: an average alone would lose contrast, and with it every
    comparison of texture. A selection may keep other proposals of pixels than of latents: image i is then the
    control of sample i by number alone, and intervals of differences are wider.

    Args:
        keeps_variance: False for the `Sampler.plain` form: of a combination, the average.
        noise: False for the `Sampler.noiseless` form: nothing that the network could remove.
    """

    version = 1

    def __init__(self, keeps_variance: bool, noise: bool = True) -> None:
        self.keeps_variance, self.noise = keeps_variance, noise

    def images(self, references: Tensor, proposer: Proposer, noise: Noise) -> Iterator[Tensor]:
        """See `Control.images`; the level does not matter."""
        if not self.keeps_variance:
            proposer = replace(proposer, sampler=proposer.sampler.plain())
        if not self.noise:
            proposer = replace(proposer, sampler=proposer.sampler.noiseless())
        return proposer.fitted(references, lambda: references).items(Acceptance())
