"""The excess over the floor: its interval against simulation, and where it says nothing."""

import math

import numpy as np
import pytest

from ood_diffusion.claims.excess import Floor, excess
from ood_diffusion.statistics.estimate import Estimate
from tests.statistics.rates import coverage, holds, narrowed


def estimate(value: float, half: float) -> Estimate:
    return Estimate(value, value - half, value + half, 64)


@pytest.mark.parametrize("values", [(110, 100, 60), (90, 100, 30), (200, 100, 50)])
def test_the_interval_is_that_of_independent_fids(values: tuple[float, float, float]) -> None:
    halves = (1.2, 0.8, 0.5)
    rng = np.random.default_rng(0)
    f, b, r = (rng.normal(value, half, 200_000) for value, half in zip(values, halves, strict=True))
    found = excess(*(estimate(value, half) for value, half in zip(values, halves, strict=True)))
    assert found.value == pytest.approx((values[0] - values[1]) / (values[1] - values[2]))
    assert (found.high - found.low) / 2 == pytest.approx(((f - b) / (b - r)).std(), rel=0.02)


@pytest.mark.parametrize(
    ("values", "errors"),
    [((110, 100, 60), (3.0, 3.0, 2.0)), ((100, 100, 80), (2.0, 2.0, 1.0)), ((400, 100, 60), (6.0, 3.0, 2.0))],
)
def test_it_holds_19_times_in_20(values: tuple[int, ...], errors: tuple[float, ...]) -> None:
    """Normal FIDs; the denominator is 7 to 11 standard errors from 0, which the delta method needs."""
    rng = np.random.default_rng(0)
    drawn = rng.normal(values, errors, size=(2000, 3))
    found = [
        excess(*(estimate(value, 1.96 * error) for value, error in zip(row, errors, strict=True)))
        for row in drawn.tolist()
    ]
    truth = (values[0] - values[1]) / (values[1] - values[2])
    assert holds(found, truth), coverage(found, truth)
    assert not holds(narrowed(found), truth)


def test_a_shift_of_all_fids_changes_nothing() -> None:
    """The reason for the floor: a constant that images share must not make a difference look small."""
    low = excess(estimate(30, 1), estimate(25, 1), estimate(10, 1))
    high = excess(estimate(1030, 1), estimate(1025, 1), estimate(1010, 1))
    assert (low.value, low.low, low.high) == pytest.approx((high.value, high.low, high.high))


def test_a_base_that_is_not_surely_above_the_floor_bounds_nothing() -> None:
    for base in (61, 60, 50):
        found = excess(estimate(80, 1), estimate(base, 1), estimate(60, 1))
        assert (found.low, found.high) == (-math.inf, math.inf)
    assert math.isnan(excess(estimate(80, 1), estimate(60, 1), estimate(60, 1)).value)


def test_the_words_name_both_numbers() -> None:
    assert "96 real images for 128 samples, 60 (59 to 61)" in Floor(estimate(60, 1), 96, 128).words
