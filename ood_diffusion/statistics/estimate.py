"""What a statistic reports: a value with an interval, or a value with what its null would give."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % confidence interval.

    Args:
        value: the point estimate.
        low: lower end of the interval.
        high: upper end.
        n: observations behind it.
    """

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class NullTest:
    """A statistic beside the distribution that it has if there is nothing to find.

    Args:
        statistic: the measured value.
        null_mean: its mean under the null.
        null_low: 2.5th percentile under the null.
        null_high: 97.5th percentile under the null.
        p_value: two-sided unless the function that made it says otherwise.
        n: observations behind the statistic.
    """

    statistic: float
    null_mean: float
    null_low: float
    null_high: float
    p_value: float
    n: int


def null_test(statistic: float, null: Array, n: int, one_sided: bool = False) -> NullTest:
    """Compare a statistic with draws from its null.

    The p-value counts the statistic among the draws, (1 + r) / (1 + N) (Phipson & Smyth 2010), so it is
    valid for every N and at least 1 / (N + 1); two-sided it is twice the smaller tail, at most 1.

    Args:
        statistic: the measured value.
        null: its value in simulated or permuted data, ``[N]``.
        n: observations behind the statistic.
        one_sided: only large values speak against the null.
    """
    above = (1 + int((null >= statistic).sum())) / (1 + len(null))
    below = (1 + int((null <= statistic).sum())) / (1 + len(null))
    low, high = np.quantile(null, [0.025, 0.975])
    p_value = above if one_sided else min(1.0, 2 * min(above, below))
    return NullTest(float(statistic), float(null.mean()), float(low), float(high), p_value, n)
