"""C5: each verdict by its rule, on both sides of every limit."""

import pytest

from ood_diffusion.statistics.estimate import Estimate
from ood_diffusion.statistics.intervals import proportion_interval
from ood_diffusion.study.interference.generation import (
    nearer_than_training_domain,
    new,
    of_the_domain,
    unbridged,
)


@pytest.mark.parametrize(
    ("inside", "of", "verdict"),
    [(100, 128, "supported"), (10, 128, "not supported"), (60, 128, "inconclusive"), (128, 128, "supported"),
     (0, 128, "not supported"), (5, 8, "inconclusive")],
)  # fmt: skip
def test_precision_is_compared_with_that_of_real_images(inside: int, of: int, verdict: str) -> None:
    check = of_the_domain(proportion_interval(inside, of), proportion_interval(90, 96), 0.5, "")
    assert check.verdict == verdict
    assert check.against_found.value == pytest.approx(0.5 * 90 / 96)


def test_poor_real_images_lower_the_bar() -> None:
    samples = proportion_interval(60, 128)
    assert of_the_domain(samples, proportion_interval(50, 96), 0.5, "").verdict == "supported"


@pytest.mark.parametrize(
    ("copies", "of", "verdict"),
    [
        (0, 128, "supported"),
        (1, 128, "supported"),
        (0, 16, "inconclusive"),  # one in twenty cannot be excluded
        (9, 128, "inconclusive"),
        (20, 128, "not supported"),
        (128, 128, "not supported"),
        (130, 5000, "supported"),  # surely more than chance, and surely less than one in twenty more
        (50, 5000, "supported"),
        (400, 5000, "not supported"),
    ],
)
def test_the_surplus_of_copies_is_compared_with_the_margin(copies: int, of: int, verdict: str) -> None:
    assert new(proportion_interval(copies, of), proportion_interval(6, 512), 0.05, "").verdict == verdict


@pytest.mark.parametrize(
    ("samples", "verdict"), [(100.0, "supported"), (200.0, "not supported"), (145.0, "inconclusive")]
)
def test_fid_is_compared_with_that_of_the_training_domain(samples: float, verdict: str) -> None:
    found, gap = Estimate(samples, samples - 8, samples + 8, 96), Estimate(150.0, 140.0, 160.0, 96)
    assert nearer_than_training_domain(found, gap, "").verdict == verdict


def test_unbridged_is_0_for_real_images_and_1_for_the_training_domain() -> None:
    real, gap = Estimate(50.0, 45.0, 55.0, 96), Estimate(150.0, 140.0, 160.0, 96)
    assert unbridged(real, real, gap) == 0 and unbridged(gap, real, gap) == 1
