r"""Diversity around each reference: are new images that resemble one reference alike, too?"""

from collections.abc import Mapping

import torch
from torch import Tensor

from ood_diffusion.metrics.distances import distances
from ood_diffusion.metrics.feature_metric import RowMetric, require_references
from ood_diffusion.metrics.novelty import nearest
from ood_diffusion.statistics.estimate import Estimate
from ood_diffusion.statistics.feature_intervals import NORMAL


def intra_distances(images: Tensor, references: Tensor) -> Tensor:
    """Mean distance between the images that have a reference as their nearest, for each reference.

    Args:
        images: ``[m, d]``.
        references: ``[n, d]``.

    Returns:
        Float64 ``[n]``; NaN where fewer than two images are nearest to a reference.
    """
    members = torch.nn.functional.one_hot(nearest(images, references)[1], len(references)).double()
    count = members.sum(dim=0)
    apart = (members * (distances(images, images) @ members)).sum(dim=0)
    return torch.where(count > 1, apart / (count * (count - 1)).clamp_min(1), torch.nan)


class IntraCluster(RowMetric):
    """`intra_distances` of new images over those of held-out ones, averaged over references that have both.

    1 is as diverse as the domain, 0 one image per reference. The design of intra-LPIPS (Ojha et al. 2021,
    section 4.2) on the extractor's features: a stand-in, since LPIPS has weights of its own, and figures of
    the two cannot be compared.
    """

    names = ("intra_cluster",)
    higher_is_better = True
    needs_references = True

    def compute(self) -> dict[str, Tensor]:
        """``{"intra_cluster": scalar}``, float64, at least 0; NaN if fewer than two references are nearest to
        two new and to two held-out images, as where all new images resemble one reference.
        """
        new, held_out = self._distances()
        return {"intra_cluster": new.mean() / held_out.mean()}

    def intervals(
        self, found: Mapping[str, float], real: Tensor, generated: Tensor
    ) -> Mapping[str, Estimate]:
        """Over other references and images; the references are the independent observations."""
        self.update(real, real=True)
        self.update(generated, real=False)
        new, held_out = self._distances()
        ratio = float(new.mean() / held_out.mean())
        half = NORMAL * float((new - ratio * held_out).std() / len(new) ** 0.5 / held_out.mean())
        n = min(len(real), len(generated))
        return {"intra_cluster": Estimate(ratio, ratio - half, ratio + half, n)}

    def _distances(self) -> tuple[Tensor, Tensor]:
        references = require_references(self.references, 2, "the diversity around a reference")
        pair = torch.stack([intra_distances(self.rows(side), references) for side in ("generated", "real")])
        common = pair[:, pair.isfinite().all(dim=0)]
        if common.shape[1] < 2:
            common = torch.full((2, 2), torch.nan)
        return common[0], common[1]
