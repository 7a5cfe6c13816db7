"""Intervals of differences, from the intervals of what is subtracted."""

import math

from ood_diffusion.statistics.estimate import Estimate


def minus(a: Estimate, b: Estimate, share: float = 1.0, correlation: float = 0.0) -> Estimate:
    r"""a − share · b: the distances to the ends are squared and added (Newcombe 1998b, method 10).

    Keeps the asymmetry of Wilson's intervals, so it has width where both proportions are 0; for symmetric
    intervals it is the usual root of squared standard errors. For pairs: Newcombe 1998c, method 10.

    Args:
        a: with its interval.
        b: with its interval.
        share: a positive factor of b.
        correlation: of the two, between -1 and 1; 0 if they are independent.

    Returns:
        The difference; `n` is the smaller one.
    """
    down_a, up_a = a.value - a.low, a.high - a.value
    down_b, up_b = share * (b.value - b.low), share * (b.high - b.value)
    value = a.value - share * b.value
    below = math.sqrt(max(down_a**2 - 2 * correlation * down_a * up_b + up_b**2, 0.0))
    above = math.sqrt(max(up_a**2 - 2 * correlation * up_a * down_b + down_b**2, 0.0))
    return Estimate(value, value - below, value + above, min(a.n, b.n))


def scaled(a: Estimate, share: float) -> Estimate:
    """``share`` (positive) times an estimate and its interval."""
    return Estimate(share * a.value, share * a.low, share * a.high, a.n)
