r"""Fidelity and diversity apart: precision and recall, density and coverage.

Each set is seen as the union of balls around its points, with the distance to the k-th nearest other
point of the same set as radius. *Precision and density ask of each generated image whether it lies
among real ones; recall and coverage ask of each real image whether generated ones reach it.*
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ood_diffusion.checks import require_integer
from ood_diffusion.figures import EVERYWHERE, Figure
from ood_diffusion.metrics.distances import blocks, compared, neighbour_radii
from ood_diffusion.metrics.feature_metric import RowMetric, once, require_images
from ood_diffusion.statistics.estimate import Estimate
from ood_diffusion.statistics.intervals import proportion_interval

BESIDE = EVERYWHERE - {"collect", "tracking"}
"""Where density and coverage are shown: the tables of many runs have no room for all four."""

radii_of_real = once(neighbour_radii)


def prdc(real: Tensor, generated: Tensor, k: int) -> dict[str, Tensor]:
    r"""Improved precision and recall, density and coverage.

    Precision and recall: Kynkäänniemi et al. 2019, eqs. 1-2, closed balls. Density and coverage: Naeem et
    al. 2020, section 3, open balls as in the authors' code; there only real points carry balls, so a
    stray generated point cannot inflate the figures.

    Args:
        real: ``[n, d]``, n > k.
        generated: ``[m, d]``, m > k.
        k: which neighbour sets the radius.

    Returns:
        Float64 scalars by name:
        "precision", share of generated points in at least one real ball, in [0, 1];
        "recall", share of real points in at least one generated ball, in [0, 1];
        "density", real balls around a generated point divided by k, at least 0, 1 for identical sets and
        possibly more;
        "coverage", share of real balls that hold a generated point, in [0, 1]; for two samples of one
        distribution its expectation is close to 1 - 2^-k.

    Raises:
        UserError: if k < 1 or either set has k points or fewer.
    """
    require_integer("nearest_k", k, 1, "Naeem et al. 2020 recommend 5.")
    reason = f"a metric with nearest_k={k}"
    require_images(len(real), k + 1, "real", reason)
    require_images(len(generated), k + 1, "generated", reason)
    radius, reach = radii_of_real(real, k), neighbour_radii(generated, k)[:, None]
    inside, hits = [], torch.zeros((), dtype=torch.float64, device=real.device)
    covered, reached = torch.zeros(2, len(real), dtype=torch.bool, device=real.device)
    for rows in blocks(len(generated), len(real)):
        far = compared(generated[rows], real, radius, reach[rows])
        inside.append((far <= radius).any(dim=1))
        hits += (far < radius).sum()
        covered |= (far < radius).any(dim=0)
        reached |= (far <= reach[rows]).any(dim=0)
    return {
        "precision": torch.cat(inside).double().mean(),
        "recall": reached.double().mean(),
        "density": hits / (k * len(generated)),
        "coverage": covered.double().mean(),
    }


class PRDC(RowMetric):
    """`prdc` of streamed features.

    Args:
        nearest_k: which neighbour sets the radius of a ball.
    """

    names = ("precision", "recall", "density", "coverage")
    higher_is_better = True
    figures = (
        Figure(
            "precision",
            better="higher",
            unit="share",
            says="fraction of the set that looks like held-out images",
        ),
        Figure(
            "recall",
            better="higher",
            unit="share",
            says="fraction of held-out images that look like the set",
        ),
        Figure(
            "density",
            better="higher",
            says="how densely held-out images surround the set; may exceed 1",
            surfaces=BESIDE,
        ),
        Figure(
            "coverage",
            better="higher",
            unit="share",
            says="fraction of held-out images with a member of the set nearby",
            surfaces=BESIDE,
        ),
    )

    def __init__(self, nearest_k: int = 5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.nearest_k = nearest_k
        self.min_images = nearest_k + 1

    def compute(self) -> dict[str, Tensor]:
        """One float64 scalar per name; `UserError` at nearest_k images or fewer."""
        return prdc(self.rows("real"), self.rows("generated"), self.nearest_k)

    def intervals(
        self, found: Mapping[str, float], real: Tensor, generated: Tensor
    ) -> Mapping[str, Estimate]:
        """Precision: for other generated images, the same real ones; recall: the other way round. Density and
        coverage are no means over independent images and have none.
        """
        return {
            name: proportion_interval(round(found[name] * n), n)
            for name, n in (("precision", len(generated)), ("recall", len(real)))
        }
