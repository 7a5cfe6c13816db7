r"""Fréchet distance between the Gaussians that two sets of features would be (Heusel et al. 2017)."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from ood_diffusion.checks import require
from ood_diffusion.figures import Figure
from ood_diffusion.metrics.feature_metric import FeatureMetric, Side, flat_state, once, require_images
from ood_diffusion.statistics.feature_intervals import Influence, fid_influence

BLOCK = 512
"""Columns of a scatter matrix at a time."""


def frechet_distance(mean_a: Tensor, cov_a: Tensor, mean_b: Tensor, cov_b: Tensor) -> Tensor:
    r""":math:`\lVert\mu_a-\mu_b\rVert^2 + \mathrm{tr}A + \mathrm{tr}B - 2\,\mathrm{tr}(AB)^{1/2}`.

    Heusel et al. 2017, eq. 6 (Dowson & Landau 1982). With any factors :math:`A = RR^\top` and
    :math:`B = SS^\top`, :math:`\mathrm{tr}(AB)^{1/2} = \sum_i \sqrt{\lambda_i(R^\top B R)}` over the
    eigenvalues of a symmetric matrix, which is :math:`MM^\top` for :math:`M = R^\top S`. Of that and
    :math:`M^\top M`, with the same eigenvalues, the smaller has no zeros that the other rank forces on it,
    and a zero's round-off would survive the root with half of the digits. The roots are the singular
    values of M, in less than half the time at d = 2048.

    Args:
        mean_a: float64 ``[d]``, as `mean_b`; a is the side that stays the same over many calls, if one does.
        cov_a: float64 ``[d, d]``, symmetric and positive semi-definite, as `cov_b`; any rank.

    Returns:
        A float64 scalar, at least 0; symmetric in a and b.

    Raises:
        UserError: if the shapes do not agree.
    """
    width = mean_a.shape[-1]
    shapes = [list(x.shape) for x in (mean_a, cov_a, mean_b, cov_b)]
    require(
        shapes == [[width], [width, width]] * 2,
        "means must be [d] and covariances [d, d] with one d",
        shapes,
        "Take both sets of features from one extractor.",
    )
    between = (mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace()
    product = factor_of_real(cov_a).T @ factor(cov_b)
    gram = product @ product.T if product.shape[0] <= product.shape[1] else product.T @ product
    overlap = torch.linalg.eigvalsh(gram).clamp_min(0).sqrt().sum()
    distance: Tensor = (between - 2 * overlap).clamp_min(0)
    return distance


def factor(cov: Tensor) -> Tensor:
    """R ``[d, rank]`` with ``R @ R.T = cov``, by Cholesky with pivoting; what is round-off is dropped.

    About half the time of `eigh` at full rank and d = 1280, a sixth at rank 300 (one core). LAPACK has
    it on the CPU only; the result is on the device of `cov`.
    """
    from scipy.linalg.lapack import dpstrf

    triangle, pivots, rank, _ = dpstrf(cov.double().cpu().numpy(), lower=1)
    rows = torch.from_numpy(triangle).tril()[:, :rank]
    unpivoted = torch.zeros_like(rows)
    unpivoted[torch.from_numpy(pivots).long() - 1] = rows
    return unpivoted.to(cov.device)


def scatter(features: Tensor) -> Tensor:
    r"""Count, sum and outer products in one matrix, which adds up over batches and ranks.

    Float64 ``[B, d]`` -> :math:`\sum_i (1, x_i)(1, x_i)^\top`, float64 ``[d + 1, d + 1]``, of which
    symmetry leaves little more than half to compute.
    """
    extended = pad(features, (1, 0), value=1.0)
    side = extended.shape[1]
    products = extended.new_empty(side, side)
    for start in range(0, side, BLOCK):
        columns = slice(start, start + BLOCK)
        products[columns, start:] = block = extended[:, columns].T @ extended[:, start:]
        products[start:, columns] = block.T
    return products


def moments(scatters: Tensor) -> tuple[Tensor, Tensor]:
    """Mean ``[d]`` and unbiased covariance ``[d, d]`` from `scatter`, for a count of at least 2."""
    count, total = scatters[0, 0], scatters[0, 1:]
    mean = total / count
    return mean, (scatters[1:, 1:] - torch.outer(total, mean)) / (count - 1)


scatter_of_real, moments_of_real, factor_of_real = once(scatter), once(moments), once(factor)


class FID(FeatureMetric):
    """`frechet_distance` of streamed features; memory O(d²) however many images.

    The value depends on the extractor and falls with the number of images (its bias is O(1/n)):
    never quote it without both.
    """

    names = ("fid",)
    higher_is_better = False
    figures = (
        Figure(
            "fid",
            label="FID",
            better="lower",
            says="Fréchet distance between features of the set and of held-out images",
        ),
    )
    ratio_to_references = True
    real_scatter: list[Tensor]
    generated_scatter: list[Tensor]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_state("real_scatter", [], dist_reduce_fx="cat")
        self.add_state("generated_scatter", [], dist_reduce_fx="cat")

    def accumulate(self, features: Tensor, side: Side) -> None:
        """Add float64 ``[B, d]`` to the sums of one side."""
        state = f"{side}_scatter"
        sums = scatter_of_real(features) if side == "real" else scatter(features)
        setattr(self, state, [sum(getattr(self, state), start=sums.reshape(-1))])

    def compute(self) -> dict[str, Tensor]:
        """``{"fid": scalar}``, float64, at least 0.

        Raises:
            UserError: if either side has fewer than 2 images.
        """
        real, generated = self._total(self.real_scatter), self._total(self.generated_scatter)
        require_images(int(real[0, 0]), 2, "real", "FID")
        require_images(int(generated[0, 0]), 2, "generated", "FID")
        return {"fid": frechet_distance(*moments_of_real(real), *moments(generated))}

    def influences(self, real: Tensor, generated: Tensor) -> Mapping[str, Influence]:
        """See `fid_influence`. Its interval is for other draws and held-out images, but the same references,
        of which all draws are made; other references, if few, move it by more.
        """
        return {"fid": fid_influence(generated, real)}

    def _total(self, state: Tensor | list[Tensor]) -> Tensor:
        side = int(self.width) + 1
        return flat_state(state).reshape(-1, side, side).sum(dim=0)
