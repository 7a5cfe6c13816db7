"""C3: are the latents of the unseen domain separable from those of the training domain?"""

from ood_diffusion.claims.check import Check, null_range
from ood_diffusion.claims.verdict import differs
from ood_diffusion.statistics.estimate import Estimate, NullTest


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
    return Check("C3", figure, measured(latents), against, null_range(latents), differs(latents), picture)


def distant(frechet: NullTest, level: float, picture: str) -> Check:
    """Separable in mean and spectrum: a Fréchet distance beyond that of random splits of all latents.

    Args:
        frechet: `statistics.latent_frechet.latent_frechet` of the latents of both domains.
        level: of the latents.
        picture: file that shows their spectra.
    """
    figure = f"latent Fréchet distance of the two domains at level {level:.4g}"
    return Check(
        "C3", figure, measured(frechet), "random splits", null_range(frechet), differs(frechet), picture
    )


def measured(test: NullTest) -> Estimate:
    """The statistic, which has no interval of its own: its null has one."""
    return Estimate(test.statistic, test.statistic, test.statistic, test.n)
