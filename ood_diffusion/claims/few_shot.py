"""C9: are few references enough?"""

from collections.abc import Mapping, Sequence
from typing import Any

from ood_diffusion.claims.check import Check, limit
from ood_diffusion.claims.verdict import below
from ood_diffusion.statistics.estimate import Estimate


def enough(curve: Sequence[Mapping[str, Any]], tolerance: float, picture: str) -> Check:
    """Enough means that the last step up in references bought little: FID fell by less than `tolerance`.

    Args:
        curve: ascending in "n_references", each with "fid" as the fields of an `Estimate`.
        tolerance: relative.
        picture: file that shows the curve.

    Returns:
        The relative excess of FID at the last count but one over that at the last. Its interval takes the
        two as independent, which they are but for the judge; with one count there is nothing to compare.
    """
    most = curve[-1]
    against = f"limit: the last step in references lowers FID by less than {tolerance:.0%}"
    if len(curve) < 2:
        nothing = Estimate(float("nan"), float("-inf"), float("inf"), most["fid"]["n"])
        return Check(
            "C9", "relative excess of FID", nothing, against, limit(tolerance), "inconclusive", picture
        )
    fewer = curve[-2]
    few, many = Estimate(**fewer["fid"]), Estimate(**most["fid"])
    excess = few.value / many.value - 1
    spread = [((e.high - e.low) / 2 / e.value) for e in (few, many)]
    half = (1 + excess) * (spread[0] ** 2 + spread[1] ** 2) ** 0.5
    found = Estimate(excess, excess - half, excess + half, many.n)
    figure = f"relative excess of FID with {fewer['n_references']} references over {most['n_references']}"
    return Check("C9", figure, found, against, limit(tolerance), below(found, tolerance), picture)
