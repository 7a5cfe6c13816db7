r"""Fidelity and diversity apart: precision and recall, density and coverage.

Each set is seen as the union of balls around its points, with the distance to the k-th nearest other
point of the same set as radius. *Precision and density ask of each generated image whether it lies
among real ones; recall and coverage ask of each real image whether generated ones reach it.*
"""

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor

from ood_diffusion.checks import require
from ood_diffusion.metrics.distances import distance_blocks, neighbour_radii
from ood_diffusion.metrics.feature_metric import RowMetric, require_images


def precision_recall(real: Tensor, generated: Tensor, k: int) -> tuple[Tensor, Tensor]:
    r"""Improved precision and recall (Kynkäänniemi et al. 2019, eqs. 1-2; closed balls).

    Args:
        real: ``[n, d]``, n > k.
        generated: ``[m, d]``, m > k.
        k: which neighbour sets the radius.

    Returns:
        precision: share of generated points in at least one real ball, float64 scalar in [0, 1].
        recall: share of real points in at least one generated ball, float64 scalar in [0, 1].

    Raises:
        UserError: if k < 1 or either set has k points or fewer.
    """
    _check(real, generated, k)
    radius_real, radius_generated = neighbour_radii(real, k), neighbour_radii(generated, k)
    inside, reached = [], torch.zeros(len(real), dtype=torch.bool, device=real.device)
    rows = 0
    for block in distance_blocks(generated, real):
        inside.append((block <= radius_real).any(dim=1))
        reached |= (block <= radius_generated[rows : rows + len(block), None]).any(dim=0)
        rows += len(block)
    return torch.cat(inside).double().mean(), reached.double().mean()


def density_coverage(real: Tensor, generated: Tensor, k: int) -> tuple[Tensor, Tensor]:
    r"""Density and coverage (Naeem et al. 2020, section 3; open balls, as in the authors' code).

    Only real points carry balls: a stray generated point cannot inflate the figures.

    Args:
        real: ``[n, d]``, n > k.
        generated: ``[m, d]``, m > k.
        k: which neighbour sets the radius.

    Returns:
        density: real balls around a generated point, divided by k; float64 scalar, at least 0, 1 for
            identical sets and possibly more.
        coverage: share of real balls that hold a generated point, float64 scalar in [0, 1]. For two
            samples of one distribution its expectation is close to 1 - 2^-k.

    Raises:
        UserError: if k < 1 or either set has k points or fewer.
    """
    _check(real, generated, k)
    radius = neighbour_radii(real, k)
    hits = torch.zeros((), dtype=torch.float64, device=real.device)
    covered = torch.zeros(len(real), dtype=torch.bool, device=real.device)
    for block in distance_blocks(generated, real):
        inside = block < radius
        hits += inside.sum()
        covered |= inside.any(dim=0)
    return hits / (k * len(generated)), covered.double().mean()


def _check(real: Tensor, generated: Tensor, k: int) -> None:
    require(k >= 1, "nearest_k must be at least 1", k, "Naeem et al. 2020 recommend 5.")
    reason = f"a metric with nearest_k={k}"
    require_images(len(real), k + 1, "real", reason)
    require_images(len(generated), k + 1, "generated", reason)


class BallMetric(RowMetric):
    """A pair of figures from `measure(real, generated, nearest_k)`.

    Args:
        nearest_k: which neighbour sets the radius of a ball.
    """

    higher_is_better = True

    def __init__(self, nearest_k: int = 5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.nearest_k = nearest_k
        self.min_images = nearest_k + 1

    @staticmethod
    @abstractmethod
    def measure(real: Tensor, generated: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """The two figures, in the order of `names`."""

    def compute(self) -> dict[str, Tensor]:
        """One float64 scalar per name; `UserError` at nearest_k images or fewer."""
        values = self.measure(self.rows("real"), self.rows("generated"), self.nearest_k)
        return dict(zip(self.names, values, strict=True))


class PrecisionRecall(BallMetric):
    """`precision_recall` of streamed features."""

    names = ("precision", "recall")
    measure = staticmethod(precision_recall)


class DensityCoverage(BallMetric):
    """`density_coverage` of streamed features."""

    names = ("density", "coverage")
    measure = staticmethod(density_coverage)
