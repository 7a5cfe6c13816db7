"""The rules by which a figure with an interval becomes a verdict.

A verdict needs the whole 95 % interval on one side; what lies across the limit is inconclusive.

Rules and limits were set before any figure was computed; some were revised, once after a review that had seen
a first run on one domain and once after one that had seen several. Limits were not moved. Of the first time
are

- C1 compares signal-to-noise ratios; PSNR had favoured dark and smooth pictures.
- C2 asks for intervals inside the bands; a test that did not reject had counted as support, and few latents
  had widened the bands.
- C4 is about the unseen domain alone, no longer the training domain as well.

The second time turned denials into "inconclusive" where nothing else could come out. `docs/claims.md` names
all revisions and what else was not set blind.
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


def not_rejected(test: NullTest) -> str:
    """Why `differs` is inconclusive."""
    return f"the null is not rejected (p = {test.p_value:.2g}): too small a sample could hide a difference"


def differs(test: NullTest) -> Verdict:
    """The claim says that there is a difference from the null.

    Never "not supported": what is not rejected may be a difference that too small a sample hides.
    """
    return "supported" if test.p_value < LEVEL else "inconclusive"
