"""The rules by which a figure with an interval becomes a verdict; all of them fixed before any was computed.

A verdict needs the whole 95 % interval on one side; what lies across the limit is inconclusive.
"""

from ood_diffusion.report.claim_words import Verdict
from ood_diffusion.statistics.estimate import Estimate, NullTest

LEVEL = 0.05
"""Of all tests."""


def above(found: Estimate, limit: float) -> Verdict:
    """The claim says that the figure is above `limit`."""
    if found.low > limit:
        return "supported"
    return "not supported" if found.high < limit else "inconclusive"


def below(found: Estimate, limit: float) -> Verdict:
    """The claim says that the figure is below `limit`."""
    if found.high < limit:
        return "supported"
    return "not supported" if found.low > limit else "inconclusive"


def within(found: Estimate, low: float, high: float) -> Verdict:
    """The claim says that the figure lies between `low` and `high` (a test of equivalence)."""
    if low <= found.low and found.high <= high:
        return "supported"
    return "not supported" if found.high < low or found.low > high else "inconclusive"


def differs(test: NullTest) -> Verdict:
    """The claim says that there is a difference from the null; too small a sample may hide one."""
    return "supported" if test.p_value < LEVEL else "inconclusive"


def agrees(test: NullTest, low: float, high: float) -> Verdict:
    """The claim says "approximately as the null".

    Supported where the test does not reject; where it does, the size of the difference decides: within the
    band from `low` to `high` it is inconclusive, beyond it not supported.
    """
    if test.p_value >= LEVEL:
        return "supported"
    return "inconclusive" if low <= test.statistic <= high else "not supported"
