"""Tests of normality: Anderson–Darling for many columns at once, Henze–Zirkler for a few coordinates."""

import numpy as np

from ood_diffusion.checks import require
from ood_diffusion.statistics.estimate import Array


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
