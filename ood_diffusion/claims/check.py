"""One row of the table of claims: a figure, what it is compared with, and what follows."""

from dataclasses import dataclass

from ood_diffusion.report.claim_words import Verdict
from ood_diffusion.statistics.estimate import Estimate, NullTest

ACROSS = "the 95 % interval includes the limit"


@dataclass(frozen=True)
class Check:
    """One comparison that speaks for or against a claim.

    Args:
        claim: a key of `report.claim_words.CLAIMS`, or a name of your own.
        figure: what was measured, with its unit, in a few words.
        found: the figure and its 95 % interval.
        against: what it is compared with, in a few words: a null, a baseline or a limit set beforehand.
        against_found: that figure; its interval is the range of the null or of the baseline.
        verdict: what follows for the claim, by a rule of `claims.verdict`.
        picture: file in the run folder that shows it; empty if there is none.
        why: why the verdict is inconclusive; by default that the interval includes the limit. Empty for any
            other verdict.
        says: what a claim of your own says, in one sentence.
    """

    claim: str
    figure: str
    found: Estimate
    against: str
    against_found: Estimate
    verdict: Verdict
    picture: str = ""
    why: str = ACROSS
    says: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "why", self.why if self.verdict == "inconclusive" else "")


def limit(value: float) -> Estimate:
    """A limit set beforehand: a figure without an interval."""
    return Estimate(value, value, value, 0)


def null_range(test: NullTest) -> Estimate:
    """The mean and the 95 % range of a simulated null."""
    return Estimate(test.null_mean, test.null_low, test.null_high, test.n)
