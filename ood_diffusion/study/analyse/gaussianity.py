"""C2: are inverted latents approximately Gaussian white noise?

The claim can be tested only where exact noise would pass. At a level where the image itself still shows,
what the forward process makes of it, its scaled pixels with Gaussian noise on them, is not white (galaxies at
level 500: spectrum off flat by 30 % against a limit of 10 %), and latents that are not white either say
nothing about inversion. So there is no verdict unless the same images with exact noise are found Gaussian.
This rule was added after a second review, which had seen all results so far: level 500 had denied the claim
for every domain. It turns verdicts into "inconclusive" and nothing else; no limit was moved.
"""

from collections.abc import Mapping, Sequence

from ood_diffusion.claims.check import Check
from ood_diffusion.claims.verdict import within
from ood_diffusion.report.claim_words import Verdict
from ood_diffusion.statistics.estimate import Estimate, NullTest
from ood_diffusion.study.analyse.geometry import beside

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
    tests: Mapping[str, NullTest],
    noised: Mapping[str, NullTest],
    training: Mapping[str, NullTest],
    bands: Mapping[str, Sequence[float]],
    level: float,
    picture: str,
) -> Check:
    """As Gaussian as the worst of its statistics; inconclusive unless the noised images are supported.

    Args:
        tests: `statistics.gaussianity.gaussianity` of the latents of the unseen domain.
        noised: the same of the same images with exact noise, at the same level.
        training: the same of the latents of the training domain; named beside, and decides nothing.
        bands: statistic -> lowest and highest value that is approximately Gaussian.
        level: of the latents.
        picture: file that shows them.
    """
    verdict, name = worst(tests, bands)
    noised_verdict, noised_name = worst(noised, bands)
    true_noise = f"the same images with exact noise: {noised[name].statistic:.3g}"
    why = "the interval lies on both sides of a limit, or as far out as Gaussian noise of so few latents"
    if noised_verdict != "supported":
        verdict = "inconclusive"
        why = "the same images with exact noise are not surely inside the limits either"
        culprit = (
            "" if noised_name == name else f" and {spoken(noised_name)} {noised[noised_name].statistic:.3g}"
        )
        true_noise += f"{culprit}, not surely inside: no verdict"
    test, (low, high) = tests[name], bands[name]
    figure = f"{spoken(name)} of latents at level {level:.4g}, the worst of {len(tests)} statistics"
    white = f"simulated Gaussian white noise: {test.null_low:.3g} to {test.null_high:.3g}"
    against = f"limits ({white}; {beside(measured(name, training[name]))}; {true_noise})"
    allowed = Estimate(test.null_mean, low, high, 0)
    return Check("C2", figure, measured(name, test), against, allowed, verdict, picture, why)


def worst(tests: Mapping[str, NullTest], bands: Mapping[str, Sequence[float]]) -> tuple[Verdict, str]:
    """The verdict on all statistics together, and the one that decides it.

    Supported if the intervals of all of them lie inside their bands, not supported if one lies outside. No
    interval is widened for their number: support needs all of them, and of latents that are approximately
    Gaussian none lies beyond its band but by a rare chance. The worst one has the worst verdict, and among
    equals lies farthest from its null's mean in units of its band.
    """
    judged = []
    for name, test in tests.items():
        low, high = bands[name]
        verdict = ORDER.index(approximately(name, test, low, high))
        judged.append((verdict, abs(test.statistic - test.null_mean) / (high - low), name))
    verdict, _, name = max(judged)
    return ORDER[verdict], name


def spoken(name: str) -> str:
    """A statistic's name in words."""
    return name.replace("_", " ")


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
