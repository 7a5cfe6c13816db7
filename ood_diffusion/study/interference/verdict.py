"""C5, do new latents decode to new images of the unseen domain? C7, does fresh noise pull them to the other?

For C5 four things must hold: the samples are of the domain (precision), they are new (copies), as a set they
are not what the training domain would be (FID), and the network has added something: they beat their twin,
made without it, in features and in texture. The last rule was added when averages of pixels were found to
score as well. The others were fixed before any figure was seen; that of the copies was revised once, after a
review that had seen a first run on one domain. It had also asked whether the excess reaches down to 0, so
that a large sample with a significant but negligible excess stayed inconclusive.

For C7, what the probe is fitted on was changed once, after a review that had seen a first run on one domain:
it was the references, of which the samples are made; now it is held-out images, and it is asked only about
others. A second review found that a rate with no room to rise was taken as a denial; such a rate is now
inconclusive. The rest is as it was before any figure was seen.
"""

import math
from collections.abc import Sequence

import numpy as np

from ood_diffusion.claims.check import ACROSS, Check, limit
from ood_diffusion.claims.combined import minus, scaled
from ood_diffusion.claims.verdict import above, below
from ood_diffusion.report.claim_words import Verdict
from ood_diffusion.statistics.estimate import Array, Estimate
from ood_diffusion.statistics.intervals import paired_difference, proportion_interval

UNREADABLE = "the probe cannot tell the two domains apart"
NOTHING = Estimate(math.nan, -math.inf, math.inf, 0)


def balanced(a: Estimate, b: Estimate) -> Estimate:
    """Mean of two independent rates, with an interval from theirs (`claims.combined.minus`)."""
    negative = Estimate(-b.value, -b.high, -b.low, b.n)
    total = minus(a, negative)
    return Estimate(total.value / 2, total.low / 2, total.high / 2, total.n)


def rise(captured: Sequence[bool], captured_without: Sequence[bool]) -> Estimate:
    """Share captured with noise minus that without, of the same latents in the same order.

    Newcombe (1998c), method 10: Wilson's intervals, and the correlation within pairs with his correction.
    """
    a, b = np.asarray(captured, dtype=bool), np.asarray(captured_without, dtype=bool)
    n = len(a)
    both, neither = int((a & b).sum()), int((~a & ~b).sum())
    only_a, only_b = int((a & ~b).sum()), int((~a & b).sum())
    product = float(both * neither - only_a * only_b)
    if product > 0:
        product = max(product - n / 2, 0.0)
    sides = (both + only_a) * (only_b + neither) * (both + only_b) * (only_a + neither)
    correlation = product / math.sqrt(sides) if sides else 0.0
    with_noise, without = (proportion_interval(int(x.sum()), n) for x in (a, b))
    return minus(with_noise, without, correlation=correlation)


def captured_more(
    scores: Array, without: Array, eta: float, negligible: float, readable: bool, picture: str
) -> Check:
    """Whether more latents are captured with noise than without.

    Supported: the interval of the rise lies above 0. Not supported: it lies below 0; or it lies below
    `negligible` and there was room to rise, the rate at eta 0 being significantly below 1 - `negligible`.
    Inconclusive: neither, or the probe cannot tell the two domains apart.

    Args:
        scores: the probe's scores at `eta`, ``[n]``; above 0 is captured.
        without: those of the same latents at eta 0.
        eta: the largest.
        negligible: a rise smaller than this share counts as none.
        readable: whether the probe is good enough to read anything from it.
        picture: file that shows it.
    """
    found = rise((scores > 0).tolist(), (without > 0).tolist())
    verdict: Verdict = above(found, 0.0)
    room = proportion_interval(int((without > 0).sum()), len(without)).high < 1 - negligible
    if verdict == "inconclusive" and room and found.high < negligible:
        verdict = "not supported"
    figure = f"rise of the capture rate from eta 0 to {eta:g}"
    against = f"no rise (less than {negligible:g} counts as none)"
    why = ACROSS if room else "at eta 0 nearly all are captured already: no room to rise"
    if not readable:
        verdict, why = "inconclusive", UNREADABLE
    return Check("C7", figure, found, against, limit(0.0), verdict, picture, why)


def drifted(scores: Array, without: Array, ends: tuple[float, float], eta: float, seed: int,
            readable: bool, picture: str) -> Check:  # fmt: skip
    """Whether images move towards the training domain, captured or not; sees what a rate of 0 or 1 hides.

    Args:
        scores: the probe's scores at `eta`, ``[n]``.
        without: those of the same latents at eta 0.
        ends: mean score of images that the probe never saw, of the unseen (position 0) and of the training
            domain (1).
        eta: the largest.
        seed: of the bootstrap over latents.
        readable: as in `captured_more`.
        picture: file that shows it.
    """
    found = paired_difference(position(scores, ends), position(without, ends), seed)
    verdict: Verdict = above(found, 0.0) if readable else "inconclusive"
    figure = f"drift from eta 0 to {eta:g} (0: unseen domain, 1: training domain)"
    why = ACROSS if readable else UNREADABLE
    return Check("C7", figure, found, "no drift", limit(0.0), verdict, picture, why)


def position(scores: Array, ends: tuple[float, float]) -> Array:
    """Scores on a scale on which the unseen domain lies at 0 and the training domain at 1."""
    return np.asarray((scores - ends[0]) / (ends[1] - ends[0]))


def not_defined(solver: str) -> Check:
    """The row of a solver that knows no noise."""
    against = f"solver={solver} is deterministic: eta must be 0"
    figure, why = "rise of the capture rate with eta", "there is no eta above 0 to compare with"
    return Check("C7", figure, NOTHING, against, limit(0.0), "inconclusive", why=why)


def of_the_domain(samples: Estimate, references: Estimate, share: float, picture: str) -> Check:
    """Precision of the samples is at least `share` of what real images score.

    By the interval of samples − share · references: wholly above 0 supports, wholly below 0 denies. Both
    precisions are conditional on the held-out images.

    Args:
        samples: precision, with Wilson's interval.
        references: the same of the references, which are real images.
        share: 0 … 1.
        picture: file that shows it.
    """
    verdict = above(minus(samples, references, share), 0.0)
    against = f"{share:g} × the precision of as many real images"
    return Check(
        "C5", "precision of the samples", samples, against, scaled(references, share), verdict, picture
    )


def new(samples: Estimate, unseen: Estimate, margin: float, picture: str) -> Check:
    """Samples are copies hardly more often than unseen real images look like copies.

    By the interval of samples − unseen: wholly below `margin` supports, wholly above it denies.

    Args:
        samples: share of samples nearer to a reference than the 1st percentile of unseen images, with
            Wilson's interval.
        unseen: the same share of the unseen images, about 0.01 by construction.
        margin: the largest excess that is still "new".
        picture: file that shows it.
    """
    verdict = below(minus(samples, unseen), margin)
    against = f"unseen real images, by chance (an excess below {margin:g} is tolerated)"
    return Check("C5", "near-copies among the samples", samples, against, unseen, verdict, picture)


def beats_twin(added: Estimate | None, space: str, picture: str) -> Check:
    """The samples are closer to held-out images than their twin, the same recipe without the network.

    By the interval of the paired difference: wholly below 0 supports, wholly above it denies. Without this
    check a double exposure of two references would do.

    Args:
        added: a distance of the samples minus that of their twin; None if it cannot be measured.
        space: in what the distance is taken.
        picture: file that shows it.
    """
    figure = f"{space} of the samples minus that of their twin without the network"
    if added is None:
        unknown = Estimate(math.nan, math.nan, math.nan, 0)
        why = "there is no twin, or the images are too small"
        return Check("C5", figure, unknown, "no difference", limit(0.0), "inconclusive", picture, why)
    return Check("C5", figure, added, "no difference", limit(0.0), below(added, 0.0), picture)


def nearer_than_training_domain(samples: Estimate, training: Estimate, picture: str) -> Check:
    """FID of the samples lies below that of images of the training domain, at equal numbers.

    By the interval of the difference, which takes the two as independent, though they share the
    held-out images: in simulations, wrong 6 times in 100 where the two lie on opposite sides of them.

    Args:
        samples: FID against held-out images of the unseen domain.
        training: the same of images of the training domain: what full capture would score.
        picture: file that shows it.
    """
    against = "FID of as many images of the training domain"
    verdict = below(minus(samples, training), 0.0)
    return Check("C5", "FID of the samples", samples, against, training, verdict, picture)


def unbridged(samples: Estimate, real: Estimate, training: Estimate) -> float:
    """Where the samples' FID lies between real images of the unseen (0) and of the training domain (1)."""
    return (samples.value - real.value) / (training.value - real.value)
