"""C2: are inverted latents approximately Gaussian white noise?"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ood_diffusion.claims.check import Check, null_range
from ood_diffusion.claims.verdict import agrees
from ood_diffusion.report.claim_words import Verdict
from ood_diffusion.statistics.estimate import Estimate, NullTest

STATISTICS = (
    "mean_square",
    "norm_sd",
    "mean_cosine",
    "whiteness",
    "lag_1",
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

    p-values are multiplied by the number of statistics (Bonferroni), so that truly Gaussian latents fail one
    time in twenty and not one in three. A statistic that is not rejected agrees; of one that is, the band
    decides. The worst one has the worst verdict, and among equals lies farthest out in units of its band.

    Args:
        tests: `statistics.gaussianity.gaussianity` of the latents of the unseen domain.
        bands: statistic -> lowest and highest value that is approximately Gaussian; widened to hold the
            null's own range.
        level: of the latents.
        picture: file that shows them.
    """
    judged = []
    for name, test in tests.items():
        low, high = min(bands[name][0], test.null_low), max(bands[name][1], test.null_high)
        corrected = replace(test, p_value=min(1.0, len(tests) * test.p_value))
        judged.append((ORDER.index(agrees(corrected, low, high)), outlyingness(test, low, high), name))
    verdict, _, name = max(judged)
    figure = f"{name.replace('_', ' ')} of latents at level {level:.4g}, the worst of {len(tests)} statistics"
    against = "Gaussian white noise, simulated"
    test = tests[name]
    return Check("C2", figure, measured(test), against, null_range(test), ORDER[verdict], picture)


def outlyingness(test: NullTest, low: float, high: float) -> float:
    """Distance of the statistic from the null's mean: 1 at the end of the band from `low` to `high`."""
    off = test.statistic - test.null_mean
    return off / (high - test.null_mean) if off > 0 else off / (low - test.null_mean)


def measured(test: NullTest) -> Estimate:
    """The statistic, which has no interval of its own: its null has one."""
    return Estimate(test.statistic, test.statistic, test.statistic, test.n)
