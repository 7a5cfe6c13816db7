r"""Kernel distance between two sets of features: unbiased in the number of images."""

from collections.abc import Mapping

import torch
from torch import Tensor

from ood_diffusion.figures import Figure
from ood_diffusion.metrics.feature_metric import RowMetric, once, require_images
from ood_diffusion.statistics.feature_intervals import Influence, kid_influence

BLOCK = 512
"""Rows of the kernel matrix at a time: bounds the memory to ``BLOCK × n × 8`` bytes."""


def kernel(x: Tensor, y: Tensor) -> Tensor:
    r""":math:`(x \cdot y / d + 1)^3`, ``[m, n]`` (Binkowski et al. 2018, the kernel of KID)."""
    return (x @ y.T).div_(x.shape[1]).add_(1) ** 3


def kernel_mmd(x: Tensor, y: Tensor) -> Tensor:
    r"""Unbiased estimate of MMD² (Gretton et al. 2012, eq. 3) with the kernel above.

    .. math:: \frac{1}{m(m-1)}\sum_{i\ne j}k(x_i,x_j) + \frac{1}{n(n-1)}\sum_{i\ne j}k(y_i,y_j)
              - \frac{2}{mn}\sum_{ij}k(x_i,y_j)

    Over all pairs rather than over random subsets, so the same images give the same number.

    Args:
        x: ``[m, d]``, m >= 2. It is computed in float64.
        y: ``[n, d]``, n >= 2.

    Returns:
        A float64 scalar; its expectation is 0 for equal distributions, so it may be negative.

    Raises:
        UserError: if either side has fewer than 2 rows.
    """
    require_images(len(x), 2, "real", "KID")
    require_images(len(y), 2, "generated", "KID")
    x, y = x.double(), y.double()
    between = torch.stack([kernel(rows, y).sum() for rows in torch.split(x, BLOCK)]).sum()
    return mean_of_real(x) + _mean_off_diagonal(y) - 2 * between / (len(x) * len(y))


def _mean_off_diagonal(x: Tensor) -> Tensor:
    """Mean of k(x_i, x_j), i ≠ j, from the half of the pairs that symmetry leaves."""
    sums = []
    for start in range(0, len(x), BLOCK):
        rows, later = x[start : start + BLOCK], x[start + BLOCK :]
        own = kernel(rows, rows)
        sums.append(own.sum() - own.trace() + 2 * kernel(rows, later).sum())
    return torch.stack(sums).sum() / (len(x) * (len(x) - 1))


mean_of_real = once(_mean_off_diagonal)


class KID(RowMetric):
    """`kernel_mmd` of streamed features (not multiplied by 1000)."""

    names = ("kid",)
    higher_is_better = False
    figures = (
        Figure(
            "kid",
            label="KID",
            better="lower",
            says="kernel distance between the same features; unbiased, so it may be below 0",
        ),
    )

    def compute(self) -> dict[str, Tensor]:
        """``{"kid": scalar}``, float64; raises `UserError` below 2 images on either side."""
        return {"kid": kernel_mmd(self.rows("real"), self.rows("generated"))}

    def influences(self, real: Tensor, generated: Tensor) -> Mapping[str, Influence]:
        """See `kid_influence`; none below 3 images on either side."""
        return {"kid": kid_influence(generated, real)} if min(len(real), len(generated)) >= 3 else {}
