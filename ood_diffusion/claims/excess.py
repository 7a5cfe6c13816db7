"""How much worse one FID is than another, as a share of what lies above the FID of real images.

FID of finite sets is not 0 for real images either: that floor is most of the figure where images are few,
and a relative limit on the whole figure then means little. The rule replaced that of the whole figure once,
after a review that had seen a first run on one domain; its limits stayed as they were.
"""

import math
from dataclasses import dataclass

from ood_diffusion.claims.combined import minus
from ood_diffusion.statistics.estimate import Estimate


@dataclass(frozen=True)
class Floor:
    """What a perfect sampler would score.

    Args:
        fid: of real images of the domain, against the samples' held-out images.
        n_real: how many real images.
        n_samples: how many samples there are in a FID that is compared with it. With fewer real images the
            floor is too high (FID falls with their number), the excess too large, and less is supported.
    """

    fid: Estimate
    n_real: int
    n_samples: int

    @property
    def words(self) -> str:
        """The floor, its interval and both numbers, for a check's figure."""
        fid = self.fid
        numbers = f"{self.n_real} real images for {self.n_samples} samples"
        return f"FID above that of {numbers}, {fid.value:.4g} ({fid.low:.4g} to {fid.high:.4g})"


def excess(fid: Estimate, base: Estimate, floor: Estimate) -> Estimate:
    r"""(fid − base) / (base − floor), with an interval by the delta method.

    The three are taken as independent. They share held-out images, and samples descend from the
    references that make the floor, so the interval is approximate.

    Args:
        fid: F, the one that may be larger.
        base: B, what it is compared with.
        floor: R, of real images.

    Returns:
        The half-width is the root of the sum of the three half-widths' squares, each times the derivative:
        :math:`1/(B-R)`, :math:`-(F-R)/(B-R)^2` and :math:`(F-B)/(B-R)^2`. The interval is unbounded
        unless that of B − R lies above 0, and the value NaN where B = R: no verdict can follow. `n` is that
        of `base`.
    """
    above = minus(base, floor)
    if above.low <= 0:
        value = (fid.value - base.value) / above.value if above.value else math.nan
        return Estimate(value, -math.inf, math.inf, base.n)
    height, rise = above.value, fid.value - base.value
    slopes = (1 / height, (fid.value - floor.value) / height**2, rise / height**2)
    halves = ((each.high - each.low) / 2 for each in (fid, base, floor))
    half = math.hypot(*(slope * width for slope, width in zip(slopes, halves, strict=True)))
    return Estimate(rise / height, rise / height - half, rise / height + half, base.n)
