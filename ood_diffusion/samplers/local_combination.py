"""Combinations of references whose weights vary from place to place."""

import math
from collections.abc import Sequence
from copy import copy

import torch
from torch import Generator, Tensor
from torch.fft import fft2, fftfreq, ifft2
from typing_extensions import Self

from ood_diffusion.checks import require, require_integer
from ood_diffusion.samplers.base import Sampler


class LocalCombination(Sampler):
    r"""`LinearCombination` with weights w(p) of their own at each place p, from smooth random fields.

    .. math:: z(p) = \Bigl(1 - \frac{1}{\sqrt{b(p)}}\Bigr)\mu(p) + \sum_i \frac{w_i(p)\,x_i(p)}{\sqrt{b(p)}},
        \qquad b = \sum_i w_i^2

    The formula of Bodin et al. 2024 holds at every place, so mean and variance are kept there. Parts of
    several references stand beside each other instead of on top of each other: a network that composes
    images of consistent patches (Kamb & Ganguli 2025) joins them. With noise h, as in `KDE`, a draw y of the
    prior is added: :math:`\mu + \sqrt{1-h^2}\,(z - \mu) + h\,(y - \mu)`, whose covariance is kept as well.

    Args:
        parents: how many distinct references one proposal combines.
        width: standard deviation of the Gaussian that smooths the fields, in places of the latent.
        sharpness: of the softmax over the parents' fields, which have unit variance: 0 weighs all alike,
            large values let one parent have each place.
        neighbours: parents are the first and others among its so many nearest references, by pictures
            at an eighth of their size; 0: among all.
        noise: h, in [0, 1].
    """

    version = 1
    keeps_variance = True

    def __init__(
        self, parents: int, width: float, sharpness: float, neighbours: int, noise: float = 0.0
    ) -> None:
        require_integer("sampler.parents", parents, 2, "With 1 it copies; try 2.")
        require(width > 0, "sampler.width must be positive", width, "Try 8.")
        require(sharpness >= 0, "sampler.sharpness must not be negative", sharpness, "Try 4.")
        require_integer("sampler.neighbours", neighbours, 0, "0: among all references.")
        require(
            neighbours == 0 or neighbours >= parents - 1,
            "sampler.neighbours must be 0 or at least parents - 1",
            neighbours,
            "Raise it.",
        )
        require(0 <= noise <= 1, "sampler.noise must lie in [0, 1]", noise, "Try 0.3.")
        self.parents, self.width, self.sharpness, self.neighbours = parents, width, sharpness, neighbours
        self.noise, self.uses_prior = noise, noise > 0
        self.min_references = max(parents, neighbours + 1)
        self.uses_pictures = neighbours > 0

    def plain(self) -> Self:
        """The weighted mean at each place: a collage with soft seams."""
        other = copy(self)
        other.keeps_variance = False
        return other

    def noiseless(self) -> Self:
        """The collage alone, without a draw of the prior."""
        other = copy(self)
        other.noise = 0.0
        return other

    def draw(self, generators: Sequence[Generator]) -> Tensor:
        """Per item: the parents, then a field for each, then the prior's draw."""
        mean = self.references.mean(dim=0)
        near = nearest(self.pictures, self.neighbours) if self.neighbours else None
        z = torch.stack([self._combine(mean, near, g) for g in generators])
        if not self.noise:
            return z
        noise = self.noise * (self.prior.draw(generators) - mean)
        return mean + math.sqrt(1 - self.noise**2) * (z - mean) + noise

    def _combine(self, mean: Tensor, near: Tensor | None, generator: Generator) -> Tensor:
        order = torch.randperm(len(self.references), generator=generator)
        if near is not None:
            others = torch.randperm(self.neighbours, generator=generator)
            order = torch.cat([order[:1], near[order[0]][others]])
        x = self.references[order[: self.parents]]
        noise = torch.randn(self.parents, *mean.shape[-2:], generator=generator)
        weights = (self.sharpness * smooth(noise, self.width)).softmax(dim=0)[:, None]
        combined = (weights * x).sum(dim=0)
        if not self.keeps_variance:
            return combined
        root_b = weights.square().sum(dim=0).sqrt()
        corrected: Tensor = (1 - 1 / root_b) * mean + combined / root_b
        return corrected


def smooth(noise: Tensor, width: float) -> Tensor:
    """White fields ``[k, H, W]`` under a periodic Gaussian of this standard deviation, at unit variance."""
    rows, columns = (fftfreq(side).square() for side in noise.shape[-2:])
    gain = torch.exp(-2 * (torch.pi * width) ** 2 * (rows[:, None] + columns))
    smoothed: Tensor = ifft2(gain * fft2(noise)).real / gain.square().mean().sqrt()
    return smoothed


def nearest(pictures: Tensor, k: int) -> Tensor:
    """Numbers of the `k` nearest other pictures, by means over squares of an eighth of a side; ``[n, k]``."""
    side = max(1, pictures.shape[-1] // 8)
    small = torch.nn.functional.avg_pool2d(pictures, side).flatten(1).double()
    distances = torch.cdist(small, small)
    return distances.fill_diagonal_(torch.inf).argsort(dim=1, stable=True)[:, :k]
