r"""Are latents a sample of Gaussian white noise? Each statistic beside its null at the same n and shape.

The latents are taken as they are. Centred by their own mean they would lie in n - 1 dimensions and no longer
be independent; a mean that references share is a departure from N(0, I), and `mean_cosine` is the statistic
that shows it.

No null simulates a latent. Under white noise the Gram matrix is Wishart (Bartlett 1933), spectral powers are
chi-squared, projections on orthonormal directions are independent normals: each statistic's null is drawn
exactly from these, at a cost that hardly depends on d.
"""

import numpy as np
import torch
from torch import Tensor

from ood_diffusion.checks import require
from ood_diffusion.geometry.gram import gram, squared_norms
from ood_diffusion.seeding import generator
from ood_diffusion.statistics.estimate import Array, NullTest, null_test
from ood_diffusion.statistics.field_spectrum import CHUNK, field_powers, lag_1, white_power, whiteness
from ood_diffusion.statistics.randomness import numpy_generator

BINS = 12
PROJECTIONS = 100
MULTIVARIATE = 10
"""Most coordinates that Henze–Zirkler is given, and never more than a fifth of n."""


def project(latents: Tensor, count: int, seed: int) -> Array:
    """Coordinates float64 ``[n, min(count, d)]`` of latents along random orthonormal directions."""
    d = latents[0].numel()
    directions = torch.randn(d, min(count, d), generator=generator(seed, "directions"))
    basis = torch.linalg.qr(directions).Q
    return gram(latents, basis.T, torch.float32).numpy()


def gaussianity(latents: Tensor, seed: int, n_null: int = 200) -> dict[str, NullTest]:
    r"""Compare latents with Gaussian white noise of the same n and shape.

    Args:
        latents: raw latents ``[n, C, H, W]``, n >= 8, H and W >= 4, any float dtype.
        seed: of the directions and of the null.
        n_null: draws from the null; the smallest possible p-value is 2 / (n_null + 1).

    Returns:
        Each with a two-sided p-value, not corrected for their number.
        Against N(0, I):

        - mean_square: mean squared norm over d; 1 is expected.
        - norm_sd: standard deviation of the norms; 0.707 is expected.

        Against white noise of any scale:

        - mean_cosine: mean inner product of two latents over the mean squared norm; the share of power in
          their common mean.
        - whiteness: `field_spectrum.whiteness`; 0 is a flat spectrum. Any constant may be added.
        - lag_1: `field_spectrum.lag_1`, correlation of neighbouring pixels. Any constant may be added.
        - channel_correlation: root mean square correlation between channels (only if C >= 2); likewise.
        - anderson_darling: mean A² over 100 projections: latents that differ in scale show in all of them.
          Any mean may be added.
        - henze_zirkler: of at most 10 coordinates among those projections; likewise.

    Raises:
        UserError: if the shape is not as above or a value is not finite.
    """
    require(
        latents.ndim == 4 and len(latents) >= 8 and min(latents.shape[2:]) >= 4,
        "latents must be [n, C, H, W] with n >= 8 and sides of 4 or more",
        list(latents.shape),
        "Invert more references.",
    )
    square = squared_norms(latents)
    require(
        bool(torch.isfinite(square).all()) and bool((square != square[0]).any()),
        "latents must be finite and differ",
        square[:3].tolist(),
        "Look for inf, nan or copies among the inverted latents (these are squared norms).",
    )
    measured = _measure(latents, square, seed)
    rng = numpy_generator(seed, "gaussianity", "null")
    shape = tuple(latents.shape)
    null = [_draw_null(rng, shape) for _ in range(n_null)]
    return {
        name: null_test(value, np.array([draw[name] for draw in null]), len(latents))
        for name, value in measured.items()
    }


def _measure(latents: Tensor, square: Tensor, seed: int) -> dict[str, float]:
    channels, height, width = latents.shape[1:]
    total = torch.zeros(channels, height, width, dtype=torch.float64)
    cross = torch.zeros(channels, channels, dtype=torch.float64)
    power = np.zeros((height, width // 2 + 1))
    for part in torch.split(latents, CHUNK):
        fields = part.double()
        total += fields.sum(dim=0)
        power += field_powers(fields).sum(dim=0).numpy()
        pixels = (fields - fields.mean(dim=(2, 3), keepdim=True)).flatten(2)
        cross += (pixels @ pixels.mT).sum(dim=0)
    return {
        **_norm_figures(square.numpy(), float(total.square().sum()), total.numel()),
        **_figures(power, width, cross.numpy(), project(latents, PROJECTIONS, seed)),
    }


def _draw_null(rng: np.random.Generator, shape: tuple[int, ...]) -> dict[str, float]:
    n, channels, height, width = shape
    d = channels * height * width
    latent_root = _wishart_root(rng, n, d)
    square, square_of_sum = (
        np.square(latent_root).sum(axis=1),
        float(np.square(latent_root.sum(axis=0)).sum()),
    )
    channel_root = _wishart_root(rng, channels, n * (height * width - 1))
    power = white_power(rng, n, channels, height, width)
    return {
        **_norm_figures(square, square_of_sum, d),
        **_figures(
            power, width, channel_root @ channel_root.T, rng.standard_normal((n, min(PROJECTIONS, d)))
        ),
    }


def _norm_figures(square: Array, square_of_sum: float, d: int) -> dict[str, float]:
    n = len(square)
    return {
        "mean_square": float(square.mean() / d),
        "norm_sd": float(np.sqrt(square).std(ddof=1)),
        "mean_cosine": float((square_of_sum - square.sum()) / (n - 1) / square.sum()),
    }


def _figures(power: Array, width: int, cross: Array, coordinates: Array) -> dict[str, float]:
    n = len(coordinates)
    figures = {"whiteness": float(whiteness(power, width, BINS)), "lag_1": float(lag_1(power, width))}
    if len(cross) > 1:
        scale = np.sqrt(np.diag(cross))
        above = (cross / np.outer(scale, scale))[np.triu_indices(len(cross), 1)]
        figures["channel_correlation"] = float(np.sqrt(np.mean(above**2)))
    figures["anderson_darling"] = float(anderson_darling(coordinates).mean())
    few = min(MULTIVARIATE, n // 5, coordinates.shape[1])
    figures["henze_zirkler"] = henze_zirkler(coordinates[:, : max(few, 1)])
    return figures


def _wishart_root(rng: np.random.Generator, size: int, freedom: int) -> Array:
    """R with R Rᵀ the Gram matrix of white vectors of `freedom` coordinates; triangular if possible."""
    if freedom < size:
        return rng.standard_normal((size, freedom))
    root = np.tril(rng.standard_normal((size, size)), -1)
    root[np.diag_indices(size)] = np.sqrt(rng.chisquare(freedom - np.arange(size)))
    return root


def anderson_darling(values: Array) -> Array:
    """Anderson–Darling statistic A² of each column of ``[n, …]`` against a normal of the column's mean and
    sd.

    Equals `scipy.stats.anderson` of every column. n >= 3, no column constant.
    """
    from scipy.special import log_ndtr

    n = len(values)
    z = np.sort((values - values.mean(axis=0)) / values.std(axis=0, ddof=1), axis=0)
    odd = (2 * np.arange(1, n + 1) - 1).reshape(-1, *(1,) * (values.ndim - 1))
    statistic: Array = -n - (odd * (log_ndtr(z) + log_ndtr(-z[::-1]))).sum(axis=0) / n
    return statistic


def henze_zirkler(points: Array) -> float:
    r"""Henze–Zirkler statistic of points ``[n, k]``: n times a weighted squared distance between the
    empirical characteristic function of the whitened points and that of N(0, I).

    Henze & Zirkler 1990, with the sample covariance divided by n and
    :math:`\beta = 2^{-1/2}\,((2k+1)\,n/4)^{1/(k+4)}`. Affine invariant.

    Raises:
        UserError: unless n > k, without which the covariance has no inverse.
    """
    n, k = points.shape
    require(n > k, "Henze–Zirkler needs more points than coordinates", (n, k), "Project to fewer.")
    square_beta = ((2 * k + 1) * n / 4) ** (2 / (k + 4)) / 2
    centred = points - points.mean(axis=0)
    products = centred @ np.linalg.solve(centred.T @ centred / n, centred.T)
    own = np.diag(products)
    between = own[:, None] + own - 2 * products
    pairs = np.exp(-square_beta / 2 * between).sum() / n
    alone = np.exp(-square_beta / (2 * (1 + square_beta)) * own).sum()
    return float(pairs - 2 * (1 + square_beta) ** (-k / 2) * alone + n * (1 + 2 * square_beta) ** (-k / 2))
