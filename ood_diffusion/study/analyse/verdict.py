"""Claims C1 to C4: are unseen images reconstructed, and where do their latents lie?

C2, that inverted latents are approximately Gaussian white noise, can be tested only where exact noise would
pass. At a level where the image itself still shows, what the forward process makes of it, its scaled pixels
with Gaussian noise on them, is not white (galaxies at level 500: spectrum off flat by 30 % against a limit of
10 %), and latents that are not white either say nothing about inversion. So there is no verdict unless the
same images with exact noise are found Gaussian. This rule was added after a second review, which had seen all
results so far: level 500 had denied the claim for every domain. It turns verdicts into "inconclusive" and
nothing else; no limit was moved.

Figures of the training domain are named beside those of C2 and C4 and decide nothing.
"""

from collections.abc import Mapping, Sequence

from ood_diffusion.claims.check import Check, limit, null_range
from ood_diffusion.claims.verdict import above, below, differs, not_rejected, within
from ood_diffusion.report.claim_words import Verdict
from ood_diffusion.statistics.estimate import Estimate, NullTest
from ood_diffusion.statistics.intervals import auc_interval

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


def retrieved(share: Estimate, gallery: int, least: float, picture: str) -> Check:
    """Reconstructed means: nearer to the own original than to any other image.

    PSNR alone cannot say that, for it depends on what is in the pictures: dark and smooth ones score high
    whatever comes back.

    Args:
        share: of reconstructions whose nearest image in the gallery is their own original.
        gallery: images in it.
        least: limit to `share`.
        picture: file that shows the round trips.
    """
    figure = f"reconstructions nearest to their own original, among {gallery:,} images"
    against = f"limit: more than {least:.0%}"
    return Check("C1", figure, share, against, limit(least), above(share, least), picture)


def as_exact(
    unseen: Mapping[str, Estimate],
    training: Mapping[str, Estimate],
    gain: Estimate,
    loss: float,
    picture: str,
) -> Check:
    """As exact as in the model's own domain, but for `loss` dB of signal-to-noise ratio.

    The ratio is PSNR minus that of the best picture of one colour: how far the round trip is above giving
    nothing back. PSNR is named beside it and decides nothing.

    Args:
        unseen: "snr" and "psnr" in dB of round trips of the unseen domain.
        training: of the training domain.
        gain: difference of "snr", unseen minus training, which the verdict is about.
        loss: dB by which the unseen domain may be worse.
        picture: file that shows PSNR by steps and solver.
    """
    figure = f"round-trip signal-to-noise ratio (dB above a flat image; PSNR {unseen['psnr'].value:.3g} dB)"
    against = f"training domain (PSNR {training['psnr'].value:.3g} dB); limit: at most {loss:g} dB worse"
    return Check("C1", figure, unseen["snr"], against, training["snr"], above(gain, -loss), picture)


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
    why = "the interval includes a limit, or Gaussian noise of so few latents lies as far out"
    if noised_verdict != "supported":
        verdict = "inconclusive"
        why = "the same images with exact noise are not significantly within the limits either"
        culprit = (
            "" if noised_name == name else f" and {spoken(noised_name)} {noised[noised_name].statistic:.3g}"
        )
        true_noise += f"{culprit}, not significantly within: no verdict"
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
    ranked = []
    for name, test in tests.items():
        low, high = bands[name]
        verdict = ORDER.index(approximately(name, test, low, high))
        ranked.append((verdict, abs(test.statistic - test.null_mean) / (high - low), name))
    verdict, _, name = max(ranked)
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


def separable(latents: NullTest, trivial: NullTest, level: float, picture: str) -> Check:
    """Separable means that a linear classifier tells latents apart that it was not trained on.

    Args:
        latents: `statistics.separability.separability` of the latents of both domains.
        trivial: the same of their `trivial_features`; named as the baseline, and decides nothing.
        level: of the latents.
        picture: file that shows both over levels.
    """
    figure = f"AUC of unseen against training latents at level {level:.4g}"
    against = f"labels permuted (norm, colour and spectrum alone: AUC {trivial.statistic:.3g})"
    return Check("C3", figure, auc_interval(latents), against, null_range(latents), differs(latents), picture,
                 not_rejected(latents))  # fmt: skip


def distant(frechet: NullTest, found: Estimate, level: float, picture: str) -> Check:
    """Separable in mean and spectrum: a Fréchet distance beyond that of random splits of all latents.

    Args:
        frechet: `statistics.latent_frechet.latent_frechet` of the latents of both domains; decides.
        found: `statistics.latent_frechet_interval.latent_frechet_interval` of the same.
        level: of the latents.
        picture: file that shows their spectra.
    """
    figure = f"latent Fréchet distance of the two domains at level {level:.4g}"
    return Check("C3", figure, found, "random splits", null_range(frechet), differs(frechet), picture,
                 not_rejected(frechet))  # fmt: skip


def annulus(spread: Estimate, training: Estimate, level: float, most: float, picture: str) -> Check:
    """A thin annulus: norms that vary by less than the share `most` of their mean.

    Args:
        spread: standard deviation of the norms over their mean, of the unseen domain.
        training: the same of the training domain.
        level: of the latents.
        most: limit to `spread`.
        picture: file that shows the geometry.
    """
    figure = f"relative spread of norms at level {level:.4g}"
    against = f"limit: below {most:g} ({beside(training)})"
    return Check("C4", figure, spread, against, limit(most), below(spread, most), picture)


def orthogonal(angle: Estimate, training: Estimate, level: float, band: float, picture: str) -> Check:
    """Orthogonal: a mean angle at the origin within `band` of 90, all in degrees; the rest as `annulus`."""
    figure = f"mean angle at the origin (degrees) at level {level:.4g}"
    range_ = Estimate(90.0, 90 - band, 90 + band, 0)
    verdict = within(angle, range_.low, range_.high)
    return Check("C4", figure, angle, f"limits ({beside(training)})", range_, verdict, picture)


def equilateral(deviation: Estimate, training: Estimate, level: float, most: float, picture: str) -> Check:
    """Equilateral triangles: angles that deviate from 60 by less than `most`, root mean square, in degrees.

    The angles of every triangle have the mean 60, so that a mean of 60 would say nothing. The rest as
    `annulus`.
    """
    figure = f"deviation of triangles' angles from 60 (degrees) at level {level:.4g}"
    against = f"limit: below {most:g} ({beside(training)})"
    return Check("C4", figure, deviation, against, limit(most), below(deviation, most), picture)


def beside(training: Estimate) -> str:
    """The training domain's figure in words."""
    return f"training domain: {training.value:.3g}"
