r"""How far FID and KID would move with other images: intervals from one set of inner products."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ood_diffusion.checks import require
from ood_diffusion.geometry.gram import gram
from ood_diffusion.statistics.estimate import Estimate

NORMAL = 1.959964
"""97.5th percentile of the normal distribution."""


@dataclass(frozen=True)
class Influence:
    r"""A figure of two sets of images, and how it moves with the weight of each image.

    The squared standard error is :math:`\mathrm{var}(x)/m + \mathrm{var}(y)/n` over other images, and that of
    a difference of two figures, whose images correspond one by one, the same of the difference.

    Args:
        value: the figure.
        of_generated: x, the derivative by an image's weight up to a constant, float64 ``[m]``, m >= 2.
        of_real: y, likewise, ``[n]``, n >= 2.
    """

    value: float
    of_generated: Tensor
    of_real: Tensor

    def minus(self, other: "Influence") -> "Influence":
        """The difference to a figure of other generated images, one for each, and the same real ones.

        Raises:
            UserError: if the numbers of images differ.
        """
        shapes = [(len(each.of_generated), len(each.of_real)) for each in (self, other)]
        require(
            shapes[0] == shapes[1],
            "paired figures need equal numbers of images",
            shapes,
            "Make as many of both.",
        )
        return Influence(
            self.value - other.value,
            self.of_generated - other.of_generated,
            self.of_real - other.of_real,
        )

    def interval(self) -> Estimate:
        """The value with a normal 95 % interval; `n` is the smaller number of images."""
        m, n = len(self.of_generated), len(self.of_real)
        half = NORMAL * math.sqrt(float(self.of_generated.var() / m + self.of_real.var() / n))
        return Estimate(self.value, self.value - half, self.value + half, min(m, n))


def total(parts: Iterable[Influence]) -> Influence:
    """The sum of figures of the same images."""
    each = list(parts)
    return Influence(
        sum(one.value for one in each),
        torch.stack([one.of_generated for one in each]).sum(dim=0),
        torch.stack([one.of_real for one in each]).sum(dim=0),
    )


def fid_interval(generated: Tensor, real: Tensor) -> Estimate:
    """FID with its interval, see `fid_influence`."""
    return fid_influence(generated, real).interval()


def fid_influence(generated: Tensor, real: Tensor) -> Influence:
    r"""FID with a normal interval for its expected value at these numbers of images.

    FID is biased upwards by the finiteness of both sets; the interval covers that biased expectation, so
    only figures of equal m and n may be compared. A resample with repeated images has a larger bias
    and a larger spread still (1.3 to 1.9 times the true one), so nothing is resampled: the standard error is
    the infinitesimal jackknife (Jaeckel 1972; Efron 1982, ch. 6), the spread over images of FID's derivative
    with respect to an image's weight.

    With centred rows X and Y, :math:`M = XY^\top/\sqrt{(m-1)(n-1)} = USV^\top` has
    :math:`\mathrm{tr}(AB)^{1/2} = \sum_k S_k`, and an image x of the generated set has the derivative
    :math:`2(x-\bar x)\cdot(\bar x-\bar y) + |x-\bar x|^2\,m/(m-1) - m\,(USU^\top)_{xx}`, less
    its mean; likewise for the real set.

    Args:
        generated: features ``[m, d]``, m >= 2.
        real: features ``[n, d]``, n >= 2.

    Returns:
        With the value of `metrics.fid.frechet_distance` on these rows. Time grows as m n min(m, n): made for
        up to a few thousand images.

    Raises:
        UserError: if d differs or a side has fewer than 2 rows.
    """
    _require_rows(generated, real)
    m, n = len(generated), len(real)
    mean_x, mean_y = generated.double().mean(dim=0), real.double().mean(dim=0)
    x, y, shift = generated.double() - mean_x, real.double() - mean_y, mean_x - mean_y
    square_x, square_y = x.square().sum(dim=1), y.square().sum(dim=1)
    left, overlap, right = torch.linalg.svd(gram(x, y) / math.sqrt((m - 1) * (n - 1)), full_matrices=False)
    traces = square_x.sum() / (m - 1) + square_y.sum() / (n - 1)
    value = float((shift.square().sum() + traces - 2 * overlap.sum()).clamp_min(0))
    influence_x = 2 * x @ shift + square_x * m / (m - 1) - m * left.square() @ overlap
    influence_y = -2 * y @ shift + square_y * n / (n - 1) - n * overlap @ right.square()
    return Influence(value, influence_x, influence_y)


def kid_interval(generated: Tensor, real: Tensor) -> Estimate:
    """KID with its interval, see `kid_influence`."""
    return kid_influence(generated, real).interval()


def kid_influence(generated: Tensor, real: Tensor) -> Influence:
    r"""KID with a normal interval from the two-sample jackknife (Arvesen 1969), exact in O((m + n)²).

    For equal distributions the U-statistic is degenerate: it is then skewed, and the jackknife too wide, so
    the interval errs on the safe side.

    Args:
        generated: features ``[m, d]``, m >= 3.
        real: features ``[n, d]``, n >= 3.

    Returns:
        With the value of `metrics.kid.kernel_mmd` on these rows (it may be negative).

    Raises:
        UserError: if d differs or a side has fewer than 3 rows.
    """
    _require_rows(generated, real, 3)
    d = generated.shape[1]
    within_x, within_y, between = (
        (gram(a, b) / d + 1) ** 3 for a, b in ((generated, generated), (real, real), (generated, real))
    )
    m, n = between.shape
    within_x.fill_diagonal_(0)
    within_y.fill_diagonal_(0)

    def mmd(sum_x: Tensor, sum_y: Tensor, sum_xy: Tensor, m: int, n: int) -> Tensor:
        return sum_x / (m * (m - 1)) + sum_y / (n * (n - 1)) - 2 * sum_xy / (m * n)

    sum_x, sum_y, sum_xy = within_x.sum(), within_y.sum(), between.sum()
    without_x = mmd(sum_x - 2 * within_x.sum(dim=1), sum_y, sum_xy - between.sum(dim=1), m - 1, n)
    without_y = mmd(sum_x, sum_y - 2 * within_y.sum(dim=1), sum_xy - between.sum(dim=0), m, n - 1)
    value = float(mmd(sum_x, sum_y, sum_xy, m, n))
    return Influence(value, -(m - 1) * without_x, -(n - 1) * without_y)


def interval_over_seeds(values: Sequence[float], within: Sequence[Estimate]) -> Estimate:
    r"""Mean over seeds with an interval for both other seeds and other images.

    The seeds are compared with the same held-out images, whose chance averages out over no number of seeds.
    With B the variance of the k values and W the mean squared standard error within a seed, the variance
    of the mean is :math:`B/k + W`, with Student's t of
    :math:`(k-1)\,(1 + W/(B/k))^2` degrees of freedom: the rule for synthetic data sets made from one real one
    (Reiter 2003). Where every seed has images of its own, the interval is wider than it need be.

    Args:
        values: one figure per seed, k >= 1.
        within: interval over images of each, in the same order.

    Returns:
        The mean; `n` is k. With one seed nothing is known of other seeds: its own interval comes back,
        around its value.

    Raises:
        UserError: if there is no seed, or the lengths differ.
    """
    from scipy import stats

    k = len(values)
    require(k == len(within) and k >= 1, "each seed needs one interval", (k, len(within)), "Give both.")
    squares = [((each.high - each.low) / (2 * NORMAL)) ** 2 for each in within]
    value, images = sum(values) / k, sum(squares) / k
    if k == 1:
        return Estimate(value, within[0].low, within[0].high, 1)
    seeds = sum((each - value) ** 2 for each in values) / (k - 1) / k
    freedom = (k - 1) * (1 + images / seeds) ** 2 if seeds > 0 else math.inf
    quantile = float(stats.t.ppf(0.975, freedom)) if math.isfinite(freedom) else NORMAL
    half = quantile * math.sqrt(seeds + images)
    return Estimate(value, value - half, value + half, k)


def _require_rows(generated: Tensor, real: Tensor, fewest: int = 2) -> None:
    require(
        generated.ndim == real.ndim == 2
        and generated.shape[1] == real.shape[1]
        and min(len(generated), len(real)) >= fewest,
        f"features must be [m, d] and [n, d] with one d and {fewest} rows or more",
        (list(generated.shape), list(real.shape)),
        "Take both from one extractor, and give more images.",
    )
