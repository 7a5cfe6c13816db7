r"""Noise of the run's level, put on and taken off again by the best linear filter."""

from collections.abc import Iterator

from torch import Tensor
from torch.fft import irfft2, rfft2

from ood_diffusion.controls.base import Control, Noise
from ood_diffusion.controls.on_pixels import OnPixels
from ood_diffusion.samplers.propose import Proposer
from ood_diffusion.seeding import generator, normal
from ood_diffusion.source import Recipe


class Wiener(Control):
    r"""What denoising from this level gives that knows the references' mean and power spectrum only.

    The images of `OnPixels` are noised, :math:`y = \alpha x + \sigma n`, and denoised by

    .. math:: \hat x = \mu + \frac{\alpha S}{\alpha^2 S + \sigma^2}(y - \alpha\mu)

    at each frequency (Wiener 1949), with S the mean power of the references around their mean, per channel:
    the optimal denoiser if the domain were Gaussian and stationary.
    """

    version = 1

    def images(self, references: Tensor, proposer: Proposer, noise: Noise) -> Iterator[Tensor]:
        """See `Control.images`."""
        mean = references.mean(dim=0)
        power = rfft2(references - mean, norm="ortho").abs().square().mean(dim=0)
        gain = noise.alpha * power / (noise.alpha**2 * power + noise.sigma**2)
        first = 0
        for x in OnPixels(keeps_variance=True).images(references, proposer, noise):
            streams = [generator(proposer.seed, "wiener", first + i) for i in range(len(x))]
            y = noise.alpha * x + noise.sigma * normal(streams, x.shape[1:])
            spectrum = gain * rfft2(y - noise.alpha * mean, norm="ortho")
            yield mean + irfft2(spectrum, s=tuple(x.shape[-2:]), norm="ortho")
            first += len(x)

    def recipe(self, noise: Noise) -> Recipe:
        """All of it."""
        return {"alpha": noise.alpha, "sigma": noise.sigma}
