"""C10's rules for style transfer."""

import pytest

from ood_diffusion.statistics.estimate import Estimate
from ood_diffusion.study.transfer.verdict import MOST, beats_pixels, content_kept, style_moved


def fid(value: float, half: float) -> Estimate:
    return Estimate(value, value - half, value + half, 32)


@pytest.mark.parametrize(
    ("result", "verdict"), [(100.0, "supported"), (200.0, "not supported"), (145.0, "inconclusive")]
)
def test_style_and_the_models_part_follow_the_interval_of_the_difference(result: float, verdict: str) -> None:
    for rule in (style_moved, beats_pixels):
        check = rule(fid(result, 6), fid(150, 8), "photo to sketch", "p.svg")  # together ± 10
        assert check.verdict == verdict and check.claim == "C10" and "photo to sketch" in check.figure
        assert check.found.value == result and check.against_found.value == 150


@pytest.mark.parametrize(
    ("found", "n", "verdict"),
    [(32, 32, "supported"), (22, 32, "supported"), (21, 32, "inconclusive"), (11, 32, "inconclusive"),
     (10, 32, "not supported"), (4, 32, "not supported"), (0, 8, "not supported"), (2, 2, "inconclusive"),
     (0, 2, "inconclusive"), (0, 4, "not supported")],
)  # fmt: skip
def test_content_is_kept_by_most(found: int, n: int, verdict: str) -> None:
    check = content_kept(found, n, "sketch to photo", "p.svg")
    assert check.verdict == verdict
    assert check.found.value == found / n and check.against_found.value == MOST == 0.5
    assert f"chance: 1 in {n}" in check.against
