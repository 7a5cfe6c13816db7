"""C9's rule: half of the references, or fewer, must do nearly as well as all of them."""

import math

import pytest

from ood_diffusion.claims.excess import Floor
from ood_diffusion.statistics.estimate import Estimate
from ood_diffusion.study.few_shot.section import AtCount
from ood_diffusion.study.few_shot.verdict import enough

FLOOR = Floor(Estimate(60, 59, 61, 64), 64, 64)


def point(n: int, fid: float, half: float) -> AtCount:
    return AtCount(n, Estimate(fid, fid - half, fid + half, 64), [])


@pytest.mark.parametrize(
    ("fewer", "half", "verdict"),
    [(100, 1, "supported"), (109, 1, "not supported"), (104, 3, "inconclusive")],
)
def test_verdict_follows_the_excess_above_the_floor(fewer: float, half: float, verdict: str) -> None:
    curve = [point(8, 300, 1), point(24, fewer, half), point(96, 100, half)]
    check = enough(curve, FLOOR, 0.1, "p.svg")
    assert check.verdict == verdict
    assert check.found.value == pytest.approx((fewer - 100) / 40)
    assert "24 references over 96" in check.figure and "64 real images for 64 samples" in check.figure


def test_the_largest_count_of_at_most_half_is_compared() -> None:
    """95 of 96 cost nothing, 48 do: whatever is drawn between them decides nothing."""
    curve = [point(8, 300, 1), point(48, 120, 1), point(49, 100, 1), point(95, 100, 1), point(96, 100, 1)]
    check = enough(curve, FLOOR, 0.1, "")
    assert check.verdict == "not supported" and check.found.value == pytest.approx(0.5)


@pytest.mark.parametrize("curve", [[point(96, 100, 1)], [point(49, 100, 1), point(96, 100, 1)]])
def test_without_a_half_nothing_is_decided(curve: list[AtCount]) -> None:
    check = enough(curve, FLOOR, 0.1, "")
    assert check.verdict == "inconclusive" and math.isnan(check.found.value)


def test_at_the_floor_nothing_is_decided() -> None:
    check = enough([point(24, 62, 1), point(96, 61, 1)], FLOOR, 0.1, "")
    assert check.verdict == "inconclusive" and check.found.value == pytest.approx(1)
