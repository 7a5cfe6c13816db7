"""C9: are few references enough?"""

import math
from collections.abc import Sequence

from ood_diffusion.claims.check import Check, limit
from ood_diffusion.claims.excess import Floor, excess
from ood_diffusion.claims.verdict import below
from ood_diffusion.statistics.estimate import Estimate
from ood_diffusion.study.few_shot.section import AtCount


def enough(curve: Sequence[AtCount], floor: Floor, tolerance: float, picture: str) -> Check:
    """Enough means that half of the references, or fewer, do nearly as well as all of them.

    All are compared with the largest count that is at most half of them, whatever other counts are on the
    curve: a step of a few references buys little however many are needed. The rule was revised once (before,
    the last count but one, and FID itself), after a review that had seen a first run on one domain.

    Args:
        curve: ascending in the number of references; the last is all.
        floor: of as many real images as there are samples per run.
        tolerance: largest excess (`claims.excess.excess`) that still counts as enough.
        picture: file that shows the curve.

    Returns:
        The excess of FID with the fewer references; inconclusive where no count is at most half of all, or
        where FID with all of them is not significantly above the floor.
    """
    most = curve[-1]
    total, many = most.n_references, most.fid
    half = [point for point in curve if 2 * point.n_references <= total]
    against = f"limit: with half of the references or fewer, FID rises by less than {tolerance:.0%}"
    if not half:
        nothing = Estimate(math.nan, -math.inf, math.inf, many.n)
        figure = f"excess FID: no subset has at most half of the {total} references"
        return Check("C9", figure, nothing, against, limit(tolerance), "inconclusive", picture,
                     "no subset has at most half of the references")  # fmt: skip
    fewer = half[-1]
    found = excess(fewer.fid, many, floor.fid)
    figure = f"excess FID with {fewer.n_references} references over {total}, relative to {floor.words}"
    return Check("C9", figure, found, against, limit(tolerance), below(found, tolerance), picture)
