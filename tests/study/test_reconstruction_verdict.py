"""C1's rules: retrieval, and signal-to-noise ratio beside the training domain's."""

import pytest

from ood_diffusion.statistics.estimate import Estimate
from ood_diffusion.statistics.intervals import proportion_interval
from ood_diffusion.study.analyse.reconstruction import as_exact, retrieved


@pytest.mark.parametrize(
    ("found", "n", "verdict"),
    [
        (96, 96, "supported"),
        (93, 96, "supported"),
        (92, 96, "inconclusive"),
        (16, 16, "inconclusive"),  # all of them, but too few to say nine in ten
        (35, 35, "supported"),
        (70, 96, "not supported"),
    ],
)
def test_retrieval_needs_the_whole_interval(found: int, n: int, verdict: str) -> None:
    check = retrieved(proportion_interval(found, n), 704, 0.9, "p.svg")
    assert check.verdict == verdict and check.claim == "C1" and "704" in check.figure
    assert check.found.value == found / n and check.against_found.value == 0.9


@pytest.mark.parametrize(
    ("gain", "verdict"),
    [((0, -1, 1), "supported"), ((-2.5, -4, -1), "inconclusive"), ((-5, -6, -3.5), "not supported")],
)
def test_ratio_may_be_three_decibels_worse(gain: tuple[float, float, float], verdict: str) -> None:
    unseen = {"snr": Estimate(20, 19, 21, 96), "psnr": Estimate(55.8, 54, 57, 96)}
    training = {"snr": Estimate(25, 24, 26, 16), "psnr": Estimate(50.4, 48, 53, 16)}
    check = as_exact(unseen, training, Estimate(*gain, 112), 3.0, "p.svg")
    assert check.verdict == verdict
    assert (check.found, check.against_found) == (unseen["snr"], training["snr"])
    assert "55.8" in check.figure and "50.4" in check.against  # PSNR is named and decides nothing
