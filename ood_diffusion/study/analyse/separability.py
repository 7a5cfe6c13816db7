"""C3: are the latents of the unseen domain separable from those of the training domain?"""

from ood_diffusion.claims.check import Check, null_range
from ood_diffusion.claims.verdict import differs, not_rejected
from ood_diffusion.statistics.estimate import Estimate, NullTest
from ood_diffusion.statistics.intervals import auc_interval


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
