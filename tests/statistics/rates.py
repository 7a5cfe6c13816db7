"""Are measured rates what they should be? Exact binomial bounds, which a correct test breaks once in 1,000 at
either end."""

from collections.abc import Sequence
from dataclasses import replace

from scipy.stats import binom

from ood_diffusion.statistics.estimate import Estimate

CHANCE = 1e-3
"""Of a count outside the bounds, at either end, where the true rate is at that end."""


def plausible(count: int, n: int, low: float, high: float) -> bool:
    """Of n trials, a count that a true rate in [low, high] can give."""
    return bool(binom.ppf(CHANCE, n, low) <= count <= binom.ppf(1 - CHANCE, n, high))


def rejects_at_most(p_values: Sequence[float], level: float = 0.05) -> bool:
    """The test is valid: not more p-values at or below `level` than chance allows.

    At a level of 5 % 150 p-values show a test that rejects 20 %, 400 one that rejects 13 %, and 1,000 one
    that rejects 10 %, 99 times in 100.
    """
    return plausible(sum(p <= level for p in p_values), len(p_values), 0.0, level)


def rejects_about(p_values: Sequence[float], level: float = 0.05) -> bool:
    """The test is valid and not needlessly weak. Some discreteness is forgiven: 3/5 of the level will do."""
    return plausible(sum(p <= level for p in p_values), len(p_values), 0.6 * level, level)


def coverage(intervals: Sequence[Estimate], truth: float) -> float:
    return sum(each.low <= truth <= each.high for each in intervals) / len(intervals)


def holds(intervals: Sequence[Estimate], truth: float, low: float = 0.95, high: float = 0.95) -> bool:
    """The intervals cover the truth as often as the nominal rate says, or one between `low` and `high`.

    An interval that is known to be approximate says by how much; `high` is 1 where it errs on the safe side.
    """
    return plausible(round(coverage(intervals, truth) * len(intervals)), len(intervals), low, high)


def narrowed(intervals: Sequence[Estimate], share: float = 0.7) -> list[Estimate]:
    """The same intervals, too narrow: what `holds` must not let pass. 0.7 of a normal one cover 83 %."""

    def towards(value: float, end: float) -> float:
        return value + share * (end - value)

    return [
        replace(each, low=towards(each.value, each.low), high=towards(each.value, each.high))
        for each in intervals
    ]
