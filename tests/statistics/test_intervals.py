"""Coverage of intervals, and SciPy on the same numbers."""

import itertools

import numpy as np
import pytest
from scipy import stats

from ood_diffusion.checks import UserError
from ood_diffusion.statistics import intervals
from ood_diffusion.statistics.estimate import Estimate
from ood_diffusion.statistics.intervals import (
    difference,
    mean_interval,
    paired_difference,
    proportion_interval,
    rank_correlation,
)
from tests.statistics.rates import coverage, holds, narrowed, rejects_about


@pytest.fixture
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """For simulations: the ends of an interval move by less than its coverage can show."""
    monkeypatch.setattr(intervals, "RESAMPLES", 800)


def test_three_seeds_get_students_t() -> None:
    found = mean_interval([1.0, 2.0, 4.0], seed=0)
    half = 4.302653 * np.std([1, 2, 4], ddof=1) / 3**0.5
    assert (found.value, found.high - found.value, found.value - found.low) == pytest.approx(
        (7 / 3, half, half)
    )
    assert found.n == 3


@pytest.mark.usefixtures("few_resamples")
@pytest.mark.parametrize(("n", "trials", "rate"), [(3, 1000, 0.95), (40, 600, 0.93)])
def test_coverage_of_the_mean(n: int, trials: int, rate: float) -> None:
    """Student's t is exact for normal values; BCa falls short by a point or two."""
    rng = np.random.default_rng(n)
    found = [mean_interval(rng.normal(2, 3, n), i) for i in range(trials)]
    assert holds(found, 2, rate), coverage(found, 2)
    assert not holds(narrowed(found), 2, rate)


def test_bootstrap_leans_with_the_skew() -> None:
    x = np.random.default_rng(0).exponential(size=60)
    found = mean_interval(x, 0)
    assert found.high - found.value > 1.1 * (found.value - found.low)
    assert found == mean_interval(x, 0) != mean_interval(x, 1)


def test_equal_values_have_an_interval_of_no_width() -> None:
    assert mean_interval([2.0] * 3, 0) == Estimate(2.0, 2.0, 2.0, 3)
    assert mean_interval([2.0] * 30, 0) == Estimate(2.0, 2.0, 2.0, 30)
    assert difference([2.0] * 3, [1.0] * 4, 0) == Estimate(1.0, 1.0, 1.0, 7)


def test_wilson() -> None:
    """Against the closed form, and its exact coverage summed over the binomial."""
    z, k, n = stats.norm.ppf(0.975), 3, 20
    centre, half = (k + z**2 / 2) / (n + z**2), z / (n + z**2) * (k * (n - k) / n + z**2 / 4) ** 0.5
    found = proportion_interval(k, n)
    assert (found.value, found.low, found.high) == pytest.approx((0.15, centre - half, centre + half))
    assert (
        proportion_interval(0, n).low == pytest.approx(0, abs=1e-12) and proportion_interval(0, n).high > 0.1
    )
    shares, every = np.linspace(0.05, 0.95, 181), [proportion_interval(k, 50) for k in range(51)]
    chances = stats.binom.pmf(np.arange(51), 50, shares[:, None])

    def covered(intervals: list[Estimate]) -> np.ndarray:
        low, high = (np.array([getattr(each, end) for each in intervals]) for end in ("low", "high"))
        return (chances * ((low <= shares[:, None]) & (shares[:, None] <= high))).sum(axis=1)

    assert covered(every).mean() == pytest.approx(0.95, abs=0.01) and covered(every).min() > 0.9
    assert covered(narrowed(every)).mean() < 0.87


def test_pairing_removes_what_pairs_share() -> None:
    rng = np.random.default_rng(0)
    shared = rng.normal(size=40)
    a, b = shared + 0.1 * rng.normal(size=40) + 0.2, shared + 0.1 * rng.normal(size=40)
    paired, independent = paired_difference(a, b, 0), difference(a, b, 0)
    assert paired.value == pytest.approx(independent.value) and paired.low > 0 > independent.low
    assert paired == mean_interval(a - b, 0)


@pytest.mark.usefixtures("few_resamples")
@pytest.mark.parametrize(("n", "trials", "rate"), [(6, 1000, 0.95), (30, 500, 0.93)])
def test_coverage_of_a_difference(n: int, trials: int, rate: float) -> None:
    """Unequal sizes and variances: a pooled variance would be far off."""
    rng = np.random.default_rng(n)
    found = [difference(rng.normal(1, 1, 3 * n), rng.normal(0, 3, n), i) for i in range(trials)]
    assert holds(found, 1, rate), coverage(found, 1)
    assert not holds(narrowed(found), 1, rate)


def test_welch_and_its_sign() -> None:
    a, b = [1.0, 2.0, 4.0], [0.0, 0.5, 1.5, 1.0]
    wanted = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    found = difference(a, b, 0)
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high)) and found.value > 0


def test_exact_rank_correlation() -> None:
    """Of 4! orders one has rho = 1 and one rho = -1."""
    found = rank_correlation([1, 2, 3, 4], [10, 20, 30, 40])
    assert (found.statistic, found.p_value, found.null_mean) == pytest.approx((1, 2 / 24, 0), abs=1e-12)
    assert rank_correlation([1, 2, 3, 4, 5], [5, 4, 3, 2, 1]).statistic == pytest.approx(-1)
    assert rank_correlation([1, 2, 3, 4, 5], [5, 4, 3, 2, 1]).p_value == pytest.approx(2 / 120)
    assert rank_correlation([1, 1, 2, 3], [1, 2, 3, 3]).statistic == pytest.approx(8 / 9)


def test_long_rank_correlation_is_scipys() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 30))
    found, wanted = rank_correlation(x, y), stats.spearmanr(x, y)
    assert (found.statistic, found.p_value) == pytest.approx((wanted.statistic, wanted.pvalue))
    t = found.null_high * (28 / (1 - found.null_high**2)) ** 0.5
    assert 2 * stats.t.sf(t, 28) == pytest.approx(0.05)


def test_false_positives_of_the_rank_correlation() -> None:
    """All orders of 5 (half of them: a reversed one has the same p-value), and 12 by simulation."""
    half = [order for order in itertools.permutations(range(5)) if order < order[::-1]]
    assert np.mean([rank_correlation(range(5), order).p_value <= 0.05 for order in half]) == 2 / 120
    rng = np.random.default_rng(0)
    assert rejects_about([rank_correlation(*rng.normal(size=(2, 12))).p_value for _ in range(1000)])


def test_bad_values() -> None:
    with pytest.raises(UserError, match="an interval needs 2 values or more"):
        mean_interval([1.0], 0)
    with pytest.raises(UserError, match="values must be finite, but got"):
        mean_interval([1.0, float("nan")], 0)
    with pytest.raises(UserError, match="as many values of a as of b"):
        paired_difference([1.0, 2.0], [1.0, 2.0, 3.0], 0)
    with pytest.raises(UserError, match=r"successes must lie in 0 … n"):
        proportion_interval(3, 2)
    with pytest.raises(UserError, match="both sides of a rank correlation must vary"):
        rank_correlation([1, 1, 1], [1, 2, 3])
