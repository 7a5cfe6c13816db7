"""A 95 % interval of a rank correlation."""

import math

from ood_diffusion.checks import require
from ood_diffusion.statistics.estimate import Estimate

FEWEST = 4
"""Below this the standard error is not defined."""


def correlation_interval(rho: float, n: int) -> Estimate:
    r"""Spearman's rho with Fisher's z interval, standard error of Bonett & Wright (2000).

    .. math:: \tanh\Bigl(\operatorname{artanh} r \pm 1.96 \sqrt{\frac{1 + r^2 / 2}{n - 3}}\Bigr)

    At rho = ±1, where artanh has no value, r is put half way to the next value that n untied pairs can have
    (1 − 12 / (n³ − n)), as a continuity correction; larger |rho| than that are taken so, too, and rho itself
    always lies in the interval. Approximate: at few pairs a test is better taken from the exact null
    (`intervals.rank_correlation`).

    Args:
        rho: in [-1, 1].
        n: pairs behind it; below `FEWEST` the interval is [-1, 1].

    Raises:
        UserError: if rho is out of range.
    """
    require(-1 <= rho <= 1, "a correlation must lie in [-1, 1]", rho, "Compute it again.")
    if n < FEWEST:
        return Estimate(rho, -1.0, 1.0, n)
    most = 1 - 6 / (n**3 - n)
    r = min(max(rho, -most), most)
    reach = 1.96 * math.sqrt((1 + r**2 / 2) / (n - 3))
    low, high = (math.tanh(math.atanh(r) + sign * reach) for sign in (-1, 1))
    return Estimate(rho, min(low, rho), max(high, rho), n)
