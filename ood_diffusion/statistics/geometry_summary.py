"""Annulus, near-orthogonality and triangles of a set of latents, beside what isotropy predicts."""

import math
from dataclasses import dataclass

from torch import Tensor

from ood_diffusion.checks import require
from ood_diffusion.geometry.gram import gram, isotropic
from ood_diffusion.geometry.within import within


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation of one quantity, measured and as N(0, I) has it."""

    mean: float
    sd: float
    isotropic_mean: float
    isotropic_sd: float


@dataclass(frozen=True)
class GeometrySummary:
    r"""Geometry of n latents in d dimensions; angles in degrees.

    Args:
        norm: lengths.
        origin_angle: between two latents, from the origin.
        pair_distance: between two latents.
        vertex_angle: at one latent, between two others.
        trace: unbiased estimate of tr C, of the covariance C of the latents; d for N(0, I).
        trace_of_square: unbiased estimate of tr C²; d for N(0, I).
        effective_dimension: (tr C)² / tr C²; d for N(0, I), less for coloured latents. d if the estimate of
            tr C² is not positive, which can happen to a handful of latents.
        predicted_angle_sd: 57.3° / √effective_dimension, for latents without a common mean.
        mean_share: unbiased estimate of the share of the mean squared norm that lies in the common mean; 0
            for N(0, I).
        n: latents.
        dimensions: d.
    """

    norm: Spread
    origin_angle: Spread
    pair_distance: Spread
    vertex_angle: Spread
    trace: float
    trace_of_square: float
    effective_dimension: float
    predicted_angle_sd: float
    mean_share: float
    n: int
    dimensions: int


def geometry_summary(latents: Tensor) -> GeometrySummary:
    """Measure a set of latents ``[n, …]``, n >= 4, from one Gram matrix.

    Raises:
        UserError: if n < 4.
    """
    n, d = len(latents), latents[0].numel()
    require(n >= 4, "the unbiased estimate of tr C² needs at least 4 latents", n, "Invert more references.")
    inner, predicted = gram(latents, latents), isotropic(d)
    spreads = {
        name: Spread(
            float(values.mean()), float(values.std()), predicted[f"{name}_mean"], predicted[f"{name}_sd"]
        )
        for name, values in within(inner).items()
    }
    trace, trace_of_square = trace_moments(inner)
    effective = trace**2 / trace_of_square if trace_of_square > 0 else float(d)
    return GeometrySummary(
        **spreads,
        trace=trace,
        trace_of_square=trace_of_square,
        effective_dimension=effective,
        predicted_angle_sd=math.degrees(1 / math.sqrt(effective)),
        mean_share=float((inner.sum() / inner.trace() - 1) / (n - 1)),
        n=n,
        dimensions=d,
    )


def trace_moments(inner: Tensor) -> tuple[float, float]:
    r"""Unbiased estimates of tr C and tr C² for points of any law with finite fourth moments.

    With S the sample covariance (divided by n - 1), :math:`r_i` the distance of point i from the mean of
    all, and :math:`Q = \sum_i r_i^4 / (n-1)`:

    .. math:: \widehat{\mathrm{tr}\,C^2} = \frac{n-1}{n(n-2)(n-3)}
              \bigl[(n-1)(n-2)\,\mathrm{tr}\,S^2 + (\mathrm{tr}\,S)^2 - nQ\bigr]

    (Himeno & Yamada 2014), the O(n²) form of the U-statistic of Chen, Zhang & Zhong 2010. tr S² itself is
    too large by about (tr C)²/n, which for n ≪ d is nearly all of it. The estimate may be negative.

    Args:
        inner: Gram matrix float64 ``[n, n]`` of points that are not centred, n >= 4.
    """
    n = len(inner)
    mean = inner.mean(dim=1)
    centred = inner - mean[:, None] - mean + mean.mean()
    own = centred.diagonal()
    trace = own.sum() / (n - 1)
    square = centred.square().sum() / (n - 1) ** 2
    quartic = own.square().sum() / (n - 1)
    factor = (n - 1) / (n * (n - 2) * (n - 3))
    return float(trace), float(factor * ((n - 1) * (n - 2) * square + trace**2 - n * quartic))
