"""Are measured rates what they should be? Binomial bounds that a correct test breaks once in 10,000."""

from collections.abc import Callable

from scipy.stats import binom

from ood_diffusion.statistics.estimate import Estimate


def rejects_at_most(p_values: list[float], level: float = 0.05) -> bool:
    """The test is valid: not more p-values at or below `level` than chance allows."""
    return sum(p <= level for p in p_values) <= binom.ppf(1 - 1e-4, len(p_values), level)


def rejects_about(p_values: list[float], level: float = 0.05) -> bool:
    """The test is valid and not needlessly weak. Some discreteness is forgiven: 3/5 of the level will do."""
    count = sum(p <= level for p in p_values)
    return rejects_at_most(p_values, level) and count >= binom.ppf(1e-4, len(p_values), 0.6 * level)


def coverage(intervals: list[Estimate], truth: float) -> float:
    return sum(each.low <= truth <= each.high for each in intervals) / len(intervals)


def compatible(rate: float, n: int, low: float = 0.90, high: float = 0.99) -> bool:
    """A rate of n trials that a true rate in [low, high] gives but once in 10,000."""
    return bool(binom.ppf(1e-4, n, low) <= round(rate * n) <= binom.ppf(1 - 1e-4, n, high))


def repeated(times: int, trial: Callable[[int], Estimate]) -> list[Estimate]:
    return [trial(i) for i in range(times)]
