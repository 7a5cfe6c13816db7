"""C10, style transfer: does the style move, does the content stay, and is it the model's doing?"""

from ood_diffusion.claims.check import Check, limit
from ood_diffusion.claims.combined import minus
from ood_diffusion.claims.verdict import LEVEL, below
from ood_diffusion.report.claim_words import Verdict
from ood_diffusion.statistics.estimate import Estimate
from ood_diffusion.statistics.intervals import proportion_interval

MOST = 0.5
"""A share of results whose own source is found that lies below this is less than most."""


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
    """More results than by chance are nearer to their own source's outlines than to any other's.

    Supported: by the exact one-sided binomial test at 0.025, which holds where so few are expected that
    Wilson's interval does not. Not supported: it does not reject, and the interval lies below `MOST`: most
    results have lost their source. Inconclusive: all else.

    Args:
        found: results whose own source is the nearest of all.
        n: sources; chance is 1 / n.
        direction: as in `style_moved`.
        picture: file that shows it.
    """
    from scipy.stats import binomtest

    share = proportion_interval(found, n)
    by_chance = float(binomtest(found, n, 1 / n, alternative="greater").pvalue)
    verdict: Verdict = "not supported" if share.high < MOST else "inconclusive"
    if by_chance < LEVEL / 2:
        verdict = "supported"
    figure, against = f"{direction}: results whose own source is the most alike", f"chance, 1 of {n}"
    return Check("C10", figure, share, against, limit(1 / n), verdict, picture)


def beats_pixels(result: Estimate, pixels: Estimate, direction: str, picture: str) -> Check:
    """The same map on the pixels, without a model, does not reach the style as well: by result − pixels.

    Args:
        result: FID of the results.
        pixels: FID of the sources after the same map in pixel space.
        direction: as in `style_moved`.
        picture: file that shows it.
    """
    verdict = below(minus(result, pixels), 0.0)
    figure, against = f"{direction}: FID, the model's part", "the same transport of pixels, no model"
    return Check("C10", figure, result, against, pixels, verdict, picture)
