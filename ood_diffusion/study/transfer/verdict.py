"""C10, style transfer: does the style move, does the content stay, and is it the model's doing?

The rule about content was revised once, after a review that had seen a first run on one domain: more than
chance had been enough, which one result in ten can be.
"""

from ood_diffusion.claims.check import Check, limit
from ood_diffusion.claims.combined import minus
from ood_diffusion.claims.verdict import above, below
from ood_diffusion.statistics.estimate import Estimate
from ood_diffusion.statistics.intervals import proportion_interval

MOST = 0.5
"""Content is kept where more than this share of results is most alike to its own source."""


def style_moved(result: Estimate, source: Estimate, direction: str, picture: str) -> Check:
    """FID against held-out images of the other style falls: by the interval of result − source.

    It takes the two as independent; that results come from these sources makes it too wide rather than too
    narrow.

    Args:
        result: FID of the results.
        source: FID of the images they were made from, as many.
        direction: "photo to sketch", in the check's words.
        picture: file that shows it.
    """
    verdict = below(minus(result, source), 0.0)
    figure, against = f"{direction}: FID to the other style", "the same images, untransformed"
    return Check("C10", figure, result, against, source, verdict, picture)


def content_kept(found: int, n: int, direction: str, picture: str) -> Check:
    """Most results are nearer to their own source's outlines than to any other's.

    By Wilson's interval of the share: wholly above `MOST` supports, wholly below it denies. Chance is named,
    and decides nothing.

    Args:
        found: results whose own source is the nearest of all.
        n: sources; chance is 1 / n.
        direction: as in `style_moved`.
        picture: file that shows it.
    """
    share = proportion_interval(found, n)
    figure, against = f"{direction}: results that resemble their own source most", f"half (chance: 1 in {n})"
    return Check("C10", figure, share, against, limit(MOST), above(share, MOST), picture)


def beats_pixels(result: Estimate, pixels: Estimate, direction: str, picture: str) -> Check:
    """The same map on the pixels, without a model, does not reach the style as well: by result − pixels.

    Args:
        result: FID of the results.
        pixels: FID of the sources after the same map in pixel space.
        direction: as in `style_moved`.
        picture: file that shows it.
    """
    verdict = below(minus(result, pixels), 0.0)
    figure, against = (
        f"{direction}: FID to the other style, the model's contribution",
        "the same transport in pixels, without the model",
    )
    return Check("C10", figure, result, against, pixels, verdict, picture)
