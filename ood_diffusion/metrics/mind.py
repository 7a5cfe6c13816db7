r"""Monge Inception distance: sliced optimal transport between features, for few images."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ood_diffusion.checks import require_integer
from ood_diffusion.geometry.transport import sliced_cost, unit_vectors
from ood_diffusion.metrics.feature_metric import RowMetric, require_images
from ood_diffusion.metrics.jackknife import influence, uniform
from ood_diffusion.statistics.feature_intervals import Influence


class MIND(RowMetric):
    r""":math:`3d` times the squared 2-Wasserstein distance along random directions, averaged over them.

    (Berthet et al. 2026, arXiv 2605.06797.) No covariance is estimated, so it needs fewer images than
    `FID`: for two Gaussians that differ in the mean alone it is :math:`3\lVert\mu_a-\mu_b\rVert^2` and a bias
    that falls with the number of images. Where the numbers of images differ the transport is exact; the
    authors drop images instead.

    Args:
        directions: how many; the same ones in every run.
    """

    names = ("mind",)
    higher_is_better = False

    def __init__(self, directions: int = 1000, **kwargs: Any) -> None:
        require_integer("metric.mind.directions", directions, 1, "The authors take 100 to 1000.")
        super().__init__(**kwargs)
        self.directions = directions

    def compute(self) -> dict[str, Tensor]:
        """``{"mind": scalar}``, float64, at least 0; `UserError` below 2 images on either side."""
        generated, real = self._sides()
        return {"mind": self._distance(uniform(len(generated)), uniform(len(real)))}

    def influences(self, real: Tensor, generated: Tensor) -> Mapping[str, Influence]:
        """See `jackknife.influence`."""
        self.update(real, real=True)
        self.update(generated, real=False)
        return {"mind": influence(self._distance, len(generated), len(real))}

    def _sides(self) -> tuple[Tensor, Tensor]:
        generated, real = self.rows("generated"), self.rows("real")
        require_images(len(real), 2, "real", "MIND")
        require_images(len(generated), 2, "generated", "MIND")
        return generated, real

    def _distance(self, of_generated: Tensor, of_real: Tensor) -> Tensor:
        generated, real = self._sides()
        width = generated.shape[1]
        along = unit_vectors(self.directions, width).double()
        return 3 * width * sliced_cost(generated, real, of_generated, of_real, along, power=2)
