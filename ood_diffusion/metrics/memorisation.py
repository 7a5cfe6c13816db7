r"""Are the new images copies of the references? Tests on distances to the nearest reference."""

import torch
from torch import Tensor

from ood_diffusion.metrics.distances import neighbour_radii
from ood_diffusion.metrics.feature_metric import RowMetric, require_images, require_references
from ood_diffusion.metrics.novelty import nearest


def copying_test(generated: Tensor, held_out: Tensor, references: Tensor) -> tuple[float, float]:
    r"""Do new images lie closer to the references than unseen images of the domain do?

    The data-copying test of Meehan, Chaudhuri & Dasgupta 2020 on one cell: Mann-Whitney's U on distances to
    the nearest reference, :math:`C_T = (U - mn/2)/\sqrt{mn(m+n+1)/12}`. If the new images were fresh
    draws of the domain, it would be standard normal.

    Args:
        generated: ``[m, d]``.
        held_out: ``[n, d]``.
        references: ``[r, d]``, r >= 1.

    Returns:
        C_T, below 0 for copies and above 0 for images farther away than unseen ones, and the one-sided
        p-value against copying.
    """
    from scipy.stats import mannwhitneyu

    new, unseen = (nearest(rows, references)[0].cpu().numpy() for rows in (generated, held_out))
    m, n = len(new), len(unseen)
    found = mannwhitneyu(new, unseen, alternative="less")
    return float((found.statistic - m * n / 2) / (m * n * (m + n + 1) / 12) ** 0.5), float(found.pvalue)


def authentic(generated: Tensor, references: Tensor) -> Tensor:
    """Which images are farther from their nearest reference than this is from its own nearest neighbour?

    (Alaa et al. 2022, section 4.) Not near 1 for fresh images either: read it beside that of held-out ones.

    Args:
        generated: ``[m, d]``.
        references: ``[r, d]``, r >= 2.

    Returns:
        bool ``[m]``.
    """
    distance, at = nearest(generated, references)
    return distance > neighbour_radii(references, 1)[at]


class Memorisation(RowMetric):
    """`copying_test` and the share of `authentic` images (AuthPct), among new and among held-out images."""

    names = ("copying_z", "copying_p", "authentic", "authentic_held_out")
    proportions = ("authentic",)
    higher_is_better = None
    needs_references = True

    def compute(self) -> dict[str, Tensor]:
        """A float64 scalar per name; `UserError` below 2 references or without images on a side."""
        references = require_references(self.references, 2, "a test for copies")
        generated, real = self.rows("generated"), self.rows("real")
        require_images(len(real), 1, "real", "a test for copies")
        require_images(len(generated), 1, "generated", "a test for copies")
        z, p = copying_test(generated, real, references)
        return {
            "copying_z": torch.tensor(z, dtype=torch.float64),
            "copying_p": torch.tensor(p, dtype=torch.float64),
            "authentic": authentic(generated, references).double().mean(),
            "authentic_held_out": authentic(real, references).double().mean(),
        }
