"""The interval of a rank correlation: its formula, its ends and how often it holds."""

import math

import numpy as np
import pytest
from scipy import stats

from ood_diffusion.checks import UserError
from ood_diffusion.statistics.intervals import correlation_interval


def test_it_is_the_formula() -> None:
    found, se = correlation_interval(0.5, 12), math.sqrt(1.125 / 9)
    assert found.low == pytest.approx(math.tanh(math.atanh(0.5) - 1.96 * se))
    assert found.high == pytest.approx(math.tanh(math.atanh(0.5) + 1.96 * se))
    assert (found.value, found.n) == (0.5, 12)
    mirrored = correlation_interval(-0.5, 12)
    assert (mirrored.low, mirrored.high) == pytest.approx((-found.high, -found.low))


@pytest.mark.parametrize("n", [4, 5, 8, 100])
def test_a_perfect_order_is_not_taken_for_certain(n: int) -> None:
    found = correlation_interval(1.0, n)
    assert found.low < 1 == found.high and correlation_interval(-1.0, n).low == -1
    assert found.low > correlation_interval(1 - 12 / (n**3 - n), n).low  # the next order below it


def test_three_pairs_exclude_nothing_and_no_correlation_exceeds_1() -> None:
    found = correlation_interval(1.0, 3)
    assert (found.low, found.high) == (-1, 1)
    with pytest.raises(UserError, match=r"must lie in \[-1, 1\]"):
        correlation_interval(1.1, 9)


@pytest.mark.parametrize("r", [0.0, 0.8])
@pytest.mark.parametrize("n", [5, 12, 30])
def test_it_holds_19_times_in_20(r: float, n: int) -> None:
    rng, trials, truth = np.random.default_rng(0), 1000, 6 / math.pi * math.asin(r / 2)  # normal pairs
    x = rng.normal(size=(trials, n))
    y = r * x + math.sqrt(1 - r**2) * rng.normal(size=(trials, n))
    apart = x.argsort(1).argsort(1) - y.argsort(1).argsort(1)
    found = [correlation_interval(float(rho), n) for rho in 1 - 6 * (apart**2).sum(1) / (n**3 - n)]
    covers = sum(each.low <= truth <= each.high for each in found)
    assert covers >= stats.binom.ppf(1e-3, trials, 0.95)
