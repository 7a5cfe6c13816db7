"""C4's rules: whole intervals inside the limits."""

import pytest

from ood_diffusion.statistics.estimate import Estimate
from ood_diffusion.study.analyse.geometry import annulus, equilateral, orthogonal

TRAINING = Estimate(1234, 1234, 1234, 96)
"""Far beyond every limit: it is named and decides nothing."""


@pytest.mark.parametrize(
    ("angle", "verdict"),
    [
        ((88, 87.9, 88.1), "supported"),  # the paper's own figure
        ((86, 84, 88), "inconclusive"),
        ((75, 70, 80), "not supported"),
        ((97, 96, 98), "not supported"),
    ],
)
def test_right_angles_lie_within_the_band(angle: tuple[float, float, float], verdict: str) -> None:
    check = orthogonal(Estimate(*angle, 96), TRAINING, 500.0, 5.0, "p.svg")
    assert check.verdict == verdict
    assert (check.against_found.low, check.against_found.high) == (85, 95)


@pytest.mark.parametrize("rule", [annulus, equilateral])
@pytest.mark.parametrize(
    ("spread", "verdict"),
    [((1, 0.5, 1.5), "supported"), ((2, 1, 3), "inconclusive"), ((4, 3, 5), "not supported")],
)
def test_spreads_lie_below_their_limit(
    rule: object, spread: tuple[float, float, float], verdict: str
) -> None:
    assert callable(rule)
    check = rule(Estimate(*spread, 96), TRAINING, 500.0, 2.5, "p.svg")
    assert check.verdict == verdict and check.claim == "C4" and check.against_found.value == 2.5
    assert "1.23e+03" in check.against and "500" in check.figure
