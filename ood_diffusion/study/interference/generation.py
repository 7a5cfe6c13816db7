"""C5: do new latents decode to new images of the unseen domain?

Three things must hold: the samples are of the domain (precision), they are new (copies), and as a set they
are not what the training domain would be (FID). The rules were fixed before any figure was seen; that of the
copies was revised once, after a review that had seen a first run on one domain. It had also asked whether
the surplus reaches down to 0, so that a large sample with a sure but negligible surplus stayed inconclusive.
"""

from ood_diffusion.claims.check import Check
from ood_diffusion.claims.combined import minus, scaled
from ood_diffusion.claims.verdict import above, below
from ood_diffusion.statistics.estimate import Estimate


def of_the_domain(samples: Estimate, references: Estimate, share: float, picture: str) -> Check:
    """Precision of the samples is at least `share` of what real images score.

    By the interval of samples − share · references: wholly above 0 supports, wholly below 0 denies. Both
    precisions are conditional on the judging images.

    Args:
        samples: precision, with Wilson's interval.
        references: the same of the references, which are real images.
        share: 0 … 1.
        picture: file that shows it.
    """
    verdict = above(minus(samples, references, share), 0.0)
    against = f"{share:g} of the precision of as many real images"
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
        margin: the largest surplus that is still "new".
        picture: file that shows it.
    """
    verdict = below(minus(samples, unseen), margin)
    against = f"unseen real images, by chance (a surplus below {margin:g} is tolerated)"
    return Check("C5", "copies among the samples", samples, against, unseen, verdict, picture)


def nearer_than_training_domain(samples: Estimate, training: Estimate, picture: str) -> Check:
    """FID of the samples lies below that of images of the training domain, at equal numbers, same judges.

    By the interval of the difference, which takes the two as independent, though they share the judging
    images: in simulations, wrong 6 times in 100 where the two lie on opposite sides of them.

    Args:
        samples: FID against held-out images of the unseen domain.
        training: the same of images of the training domain: what full capture would score.
        picture: file that shows it.
    """
    against = "FID of images of the training domain, at equal numbers"
    verdict = below(minus(samples, training), 0.0)
    return Check("C5", "FID of the samples", samples, against, training, verdict, picture)


def unbridged(samples: Estimate, real: Estimate, training: Estimate) -> float:
    """Where the samples' FID lies between real images of the unseen (0) and of the training domain (1)."""
    return (samples.value - real.value) / (training.value - real.value)
