"""C1: does the model reconstruct images of a domain that it has not seen?"""

from collections.abc import Mapping

from ood_diffusion.claims.check import Check, limit
from ood_diffusion.claims.verdict import above
from ood_diffusion.statistics.estimate import Estimate


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

    The ratio is PSNR less that of the best picture of one colour: how far the round trip is above giving
    nothing back. PSNR is named beside it and decides nothing.

    Args:
        unseen: "snr" and "psnr" in dB of round trips of the unseen domain.
        training: of the training domain.
        gain: difference of "snr", unseen less training, which the verdict is about.
        loss: dB by which the unseen domain may be worse.
        picture: file that shows PSNR by steps and solver.
    """
    figure = f"round-trip signal-to-noise ratio (dB above a flat picture; PSNR {unseen['psnr'].value:.3g} dB)"
    against = f"training domain (PSNR {training['psnr'].value:.3g} dB); limit: at most {loss:g} dB worse"
    return Check("C1", figure, unseen["snr"], against, training["snr"], above(gain, -loss), picture)
