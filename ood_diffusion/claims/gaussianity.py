"""C2: are inverted latents approximately Gaussian white noise?"""

from collections.abc import Mapping, Sequence

from ood_diffusion.claims.check import Check
from ood_diffusion.claims.verdict import within
from ood_diffusion.report.claim_words import Verdict
from ood_diffusion.statistics.estimate import Estimate, NullTest

SIGNED = ("mean_cosine", "lag_1")
"""Statistics that can be negative."""

STATISTICS = (
    "mean_square",
    "norm_sd",
    *SIGNED,
    "whiteness",
    "channel_correlation",
    "anderson_darling",
    "henze_zirkler",
)
"""Names in `statistics.gaussianity.gaussianity`; grey latents have no channel correlation."""

ORDER: tuple[Verdict, ...] = ("supported", "inconclusive", "not supported")


def gaussian(
    tests: Mapping[str, NullTest], bands: Mapping[str, Sequence[float]], level: float, picture: str
) -> Check:
    """As Gaussian as the worst of its statistics.

    Supported if the intervals of all of them lie inside their bands, not supported if one lies outside. No
    interval is widened for their number: support needs all of them, and of latents that are approximately
    Gaussian none lies beyond its band but by a rare chance. The worst one has the worst verdict, and among
    equals lies farthest from its null's mean in units of its band.

    Args:
        tests: `statistics.gaussianity.gaussianity` of the latents of the unseen domain.
        bands: statistic -> lowest and highest value that is approximately Gaussian.
        level: of the latents.
        picture: file that shows them.
    """
    judged = []
    for name, test in tests.items():
        low, high = bands[name]
        verdict = ORDER.index(approximately(name, test, low, high))
        judged.append((verdict, abs(test.statistic - test.null_mean) / (high - low), name))
    worst, _, name = max(judged)
    test, (low, high) = tests[name], bands[name]
    figure = f"{name.replace('_', ' ')} of latents at level {level:.4g}, the worst of {len(tests)} statistics"
    against = f"limits (simulated Gaussian white noise: {test.null_low:.3g} to {test.null_high:.3g})"
    allowed = Estimate(test.null_mean, low, high, 0)
    return Check("C2", figure, measured(name, test), against, allowed, ORDER[worst], picture)


def approximately(name: str, test: NullTest, low: float, high: float) -> Verdict:
    """Whether the statistic `name` lies in its band from `low` to `high`; a test of equivalence.

    Few latents have a wide null and so a wide interval: inconclusive, never support. Where they are so few
    that Gaussian noise itself leaves the band, a statistic within the null's 95 % range denies nothing.
    """
    verdict = within(measured(name, test), low, high)
    as_noise = test.null_low <= test.statistic <= test.null_high
    return "inconclusive" if verdict == "not supported" and as_noise else verdict


def measured(name: str, test: NullTest) -> Estimate:
    """The statistic with the spread of its null as interval, mirrored, as in a basic bootstrap.

    Of approximately Gaussian latents that is the sampling spread. Others may spread more (norms of twice the
    standard deviation twice as much), which matters only close to an end of the band. The interval ends at 0
    for a statistic that cannot be negative.
    """
    low = test.statistic - (test.null_high - test.null_mean)
    high = test.statistic + (test.null_mean - test.null_low)
    return Estimate(test.statistic, low if name in SIGNED else max(low, 0.0), high, test.n)
