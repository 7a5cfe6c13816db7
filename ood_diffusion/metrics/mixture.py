r"""Double exposures, which two references explain and one does not, and variants, which one explains."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, normalize

from ood_diffusion.checks import require_integer
from ood_diffusion.metrics.feature_metric import RowMetric, require_images, require_references
from ood_diffusion.metrics.image_metric import ImageMetric

LIMIT = 0.95
"""Quantile of held-out images beyond which an image is a mixture or variant: 1 - LIMIT of fresh ones are."""
FEWEST_HELD_OUT = 20
"""The quantile lies between two of them."""
BLOCK = 2**22
"""Pairs of references at a time."""
ZERO = 1e-9
"""Share of energy below which nothing is left to explain."""


def explained(images: Tensor, references: Tensor, nearest: int) -> tuple[Tensor, Tensor]:
    r"""How much of an image is its likeliest reference, and how much are its two likeliest together?

    Seen from the references' mean, :math:`x - \mu \approx a(r_i - \mu) + b(r_j - \mu)` by least squares with
    a, b > 0. The weights are free, so plain averages and those that keep the variance
    (:math:`z = \mu + \sum_i w_i(r_i - \mu)/\sqrt{\sum w^2}`) are both explained whole. With unit vectors for
    the references, :math:`c_i` and :math:`c_j` their products with x and g the one with each other,
    the energy explained is :math:`(c_i^2 + c_j^2 - 2 g c_i c_j)/(1 - g^2)`.

    Args:
        images: ``[m, d]``.
        references: ``[n, d]``, n >= 2.
        nearest: all pairs of so many references are tried, those with the largest :math:`c_i`.

    Returns:
        Shares in [0, 1] of the image's energy about the mean, for one and for two references: float64
        ``[m]`` each, the second at least the first.
    """
    mean = references.double().mean(dim=0)
    x, unit = normalize(images.double() - mean), normalize(references.double() - mean)
    between = unit @ unit.T
    nearest = min(nearest, len(unit))
    one, two = [], []
    for part in torch.split(x, max(1, BLOCK // nearest**2)):
        c, at = (part @ unit.T).topk(nearest, dim=1)
        i, j, g = c[:, :, None], c[:, None, :], between[at[:, :, None], at[:, None, :]]
        both = (i - g * j > 0) & (j - g * i > 0) & (g.abs() < 1 - ZERO)
        energy = torch.where(both, (i**2 + j**2 - 2 * g * i * j) / (1 - g**2), 0)
        one.append(c[:, 0].clamp(0, 1).square())
        two.append(energy.flatten(1).amax(dim=1).clamp_max(1).maximum(one[-1]))
    return torch.cat(one), torch.cat(two)


def gain(one: Tensor, two: Tensor) -> Tensor:
    """Share of what one reference leaves unexplained that a second one explains.

    Args:
        one: as `explained` returns it.
        two: likewise.

    Returns:
        Float64 ``[m]`` in [0, 1]: 1 for an average of two references, 0 for a copy of one.
    """
    return torch.where(1 - one > ZERO, (two - one) / (1 - one).clamp_min(ZERO), 0)


def mixtures_and_variants(
    generated: Tensor, held_out: Tensor, references: Tensor | None, nearest: int
) -> tuple[Tensor, Tensor]:
    """Shares of generated images beyond the 95th percentile of held-out ones; 0.05 each by chance.

    Mixtures have a larger `gain`; of variants one reference explains more. A reference under noise is far
    from all references in the features of a network, so that distances there do not call it a copy.

    Raises:
        UserError: below 2 references, 20 held-out images, or 1 generated image.
    """
    references = require_references(references, 2, "a test for mixtures")
    require_images(len(held_out), FEWEST_HELD_OUT, "real", "a test for mixtures")
    require_images(len(generated), 1, "generated", "a test for mixtures")
    ours, theirs = (explained(images, references, nearest) for images in (generated, held_out))
    pairs = ((gain(*ours), gain(*theirs)), (ours[0], theirs[0]))
    mixtures, variants = ((x > fresh.quantile(LIMIT)).double().mean() for x, fresh in pairs)
    return mixtures, variants


class FeatureMixture(RowMetric):
    """`mixtures_and_variants` of features. Those of an average are no average: it sees less than pixels.

    Args:
        nearest: references of which all pairs are tried.
    """

    names = ("mixture_features", "variant_features")
    proportions = names
    higher_is_better = False
    needs_references = True

    def __init__(self, nearest: int = 128, **kwargs: Any) -> None:
        require_integer("metric.mixture_features.nearest", nearest, 2, "Try 128.")
        super().__init__(**kwargs)
        self.nearest = nearest

    def compute(self) -> dict[str, Tensor]:
        """Two shares in [0, 1]; raises as `mixtures_and_variants`."""
        sides = self.rows("generated"), self.rows("real")
        found = mixtures_and_variants(*sides, self.references, self.nearest)
        return dict(zip(self.names, found, strict=True))


class PixelMixture(ImageMetric):
    """`mixtures_and_variants` of pixels, after averaging over blocks to a small image.

    Args:
        size: side of the small image in pixels.
        nearest: references of which all pairs are tried.
    """

    names = ("mixture", "variant")
    proportions = names
    higher_is_better = False
    needs_references = True

    def __init__(self, size: int = 16, nearest: int = 128, **kwargs: Any) -> None:
        require_integer("metric.mixture.size", size, 2, "Try 16.")
        require_integer("metric.mixture.nearest", nearest, 2, "Try 128.")
        super().__init__(**kwargs)
        self.size, self.nearest = size, nearest

    def compute(self) -> dict[str, Tensor]:
        """Two shares in [0, 1]; raises as `mixtures_and_variants`."""
        sides = self._small(self.images("generated")), self._small(self.images("real"))
        references = None if self.references is None else self._small(self.references)
        found = mixtures_and_variants(*sides, references, self.nearest)
        return dict(zip(self.names, found, strict=True))

    def _small(self, images: Tensor) -> Tensor:
        return adaptive_avg_pool2d(images.float(), self.size).flatten(1)
