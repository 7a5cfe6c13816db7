r"""Texture at three scales, without any network: sliced Wasserstein distance between patches of images."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.nn.functional import pad

from ood_diffusion.checks import require, require_integer
from ood_diffusion.geometry.transport import sliced_cost, unit_vectors
from ood_diffusion.metrics.feature_metric import require_images
from ood_diffusion.metrics.image_metric import ImageMetric
from ood_diffusion.metrics.jackknife import Statistic, influence, uniform
from ood_diffusion.seeding import generator
from ood_diffusion.statistics.feature_intervals import Influence

T = TypeVar("T")
SCALES = ("fine", "mid", "coarse")
PATCH = 7
ROUNDING = 1 / 12
"""Variance of rounding to bytes: where the real images vary less, they do not vary."""
SMALLEST = 4 * PATCH
"""Pixels on a side: the coarse level has a quarter of them."""


def blur(images: Tensor) -> Tensor:
    """Binomial weights (1, 4, 6, 4, 1)/16 along both axes of ``[B, C, H, W]``, mirrored at the edges."""
    for axis in (2, 3):
        size = images.shape[axis]
        edges = [0, 0, 2, 2] if axis == 2 else [2, 2, 0, 0]
        padded = pad(images, edges, mode="reflect")
        far, near, centre, close, away = (padded.narrow(axis, at, size) for at in range(5))
        images = (far + away + 4 * (near + close) + 6 * centre) / 16
    return images


def enlarge(images: Tensor, like: Tensor) -> Tensor:
    """Twice as many pixels along both axes, as many as `like` has."""
    spread = torch.zeros_like(like)
    spread[..., ::2, ::2] = images
    return 4 * blur(spread)


def laplacian_pyramid(images: Tensor) -> list[Tensor]:
    """Detail at full and at half the resolution, and what is left at a quarter (Burt & Adelson 1983).

    Args:
        images: ``[B, C, H, W]``. `enlarge` and add from the last to the first level gives them back.
    """
    levels = []
    for _ in SCALES[1:]:
        smaller = blur(images)[..., ::2, ::2]
        levels.append(images - enlarge(smaller, images))
        images = smaller
    return [*levels, images]


def patches(level: Tensor, count: int) -> Tensor:
    """Patches of 7×7 pixels at `count` places (all, if there are fewer), the same places in every image.

    ``[B, C, H, W]`` -> ``[B, P, C, 49]``.
    """
    height, width = (side - PATCH + 1 for side in level.shape[-2:])
    places = torch.randperm(height * width, generator=generator(0, "patches", height, width))[:count]
    windows = level.unfold(2, PATCH, 1).unfold(3, PATCH, 1)
    return windows[:, :, places // width, places % width].transpose(1, 2).flatten(3)


def texture_distance(
    generated: Tensor, real: Tensor, of_generated: Tensor, of_real: Tensor, along: Tensor
) -> Tensor:
    r"""Sliced Wasserstein distance between two sets of patches, times 1000 (Karras et al. 2018, section 5).

    Both sets are standardised per channel *by the real one's mean and deviation*, where the authors give each
    set its own: contrast that is lost would be divided away.

    Args:
        generated: `patches` ``[m, P, C, 49]``.
        real: ``[n, P, C, 49]``.
        of_generated: weights of the images, ``[m]``, float64, sum 1.
        of_real: ``[n]``.
        along: directions ``[k, C * 49]``.

    Returns:
        A float64 scalar, at least 0, that can be differentiated with respect to the weights.
    """
    count = real.shape[1]
    mean = torch.einsum("n,npcd->c", of_real, real.double()) / (count * PATCH**2)
    square = torch.einsum("n,npcd->c", of_real, (real.double() - mean[:, None]).square()) / (count * PATCH**2)
    scale = square.clamp_min(ROUNDING).sqrt()[:, None]
    x, y = (((side - mean[:, None]) / scale).float().flatten(2).flatten(0, 1) for side in (generated, real))
    a, b = ((each / count).repeat_interleave(count) for each in (of_generated, of_real))
    return 1000 * sliced_cost(x, y, a, b, along.to(x), power=1)


class Texture(ImageMetric):
    """`texture_distance` at full, half and a quarter of the resolution: fine, mid, coarse.

    Lost contrast, double exposures and speckle show here while features of an ImageNet network miss them. The
    value is biased upwards for few images: read it beside that of as many real ones.

    Args:
        patches: places per image and scale; the authors take 128.
        directions: on which patches are projected; the authors take 512.
    """

    names = tuple(f"texture_{scale}" for scale in SCALES)
    higher_is_better = False

    def __init__(self, patches: int = 64, directions: int = 128, **kwargs: Any) -> None:
        require_integer("metric.texture.patches", patches, 1, "The authors take 128.")
        require_integer("metric.texture.directions", directions, 1, "The authors take 512.")
        super().__init__(**kwargs)
        self.patches, self.directions = patches, directions

    def compute(self) -> dict[str, Tensor]:
        """A float64 scalar per scale; `UserError` below 2 images on either side or 28 pixels."""
        return self._each(lambda distance, m, n: distance(uniform(m), uniform(n)))

    def influences(self, real: Tensor, generated: Tensor) -> Mapping[str, Influence]:
        """See `jackknife.influence`."""
        self.update(real, real=True)
        self.update(generated, real=False)
        return self._each(influence)

    def _each(self, judge: Callable[[Statistic, int, int], T]) -> dict[str, T]:
        generated, real = self.images("generated"), self.images("real")
        require_images(len(real), 2, "real", "a texture distance")
        require_images(len(generated), 2, "generated", "a texture distance")
        side = min(real.shape[-2:])
        require(side >= SMALLEST, f"texture needs images of {SMALLEST} pixels or more", side, "Leave it out.")
        found = {}
        for name, x, y in zip(self.names, self._patches(generated), self._patches(real), strict=True):
            along = unit_vectors(self.directions, x[0, 0].numel())

            def distance(a: Tensor, b: Tensor, x: Tensor = x, y: Tensor = y, along: Tensor = along) -> Tensor:
                return texture_distance(x, y, a, b, along)

            found[name] = judge(distance, len(x), len(y))
        return found

    def _patches(self, images: Tensor) -> list[Tensor]:
        levels = zip(*(laplacian_pyramid(part.float()) for part in torch.split(images, 64)), strict=True)
        return [torch.cat([patches(part, self.patches) for part in parts]) for parts in levels]
