"""C9's rule: the last step up in references must buy little."""

import math

import pytest

from ood_diffusion.claims.few_shot import enough


def point(n: int, fid: float, half: float) -> dict[str, object]:
    return {"n_references": n, "fid": {"value": fid, "low": fid - half, "high": fid + half, "n": 64}}


@pytest.mark.parametrize(
    ("fewer", "half", "verdict"),
    [(100, 1, "supported"), (150, 1, "not supported"), (109, 5, "inconclusive")],
)
def test_verdict_follows_the_excess_at_the_last_step(fewer: float, half: float, verdict: str) -> None:
    curve = [point(8, 300, 1), point(24, fewer, half), point(96, 100, half)]
    check = enough(curve, 0.1, "p.svg")
    assert check.verdict == verdict
    assert check.found.value == pytest.approx(fewer / 100 - 1)


def test_the_interval_is_that_of_a_ratio() -> None:
    """Relative standard errors add up in squares: 3 % and 4 % make 5 % of the ratio."""
    check = enough([point(8, 200, 6), point(16, 100, 4)], 0.1, "")
    assert check.found.high - check.found.value == pytest.approx(2 * 0.05)


def test_one_count_decides_nothing() -> None:
    check = enough([point(96, 100, 1)], 0.1, "")
    assert check.verdict == "inconclusive" and math.isnan(check.found.value)
