"""The rules of C5 and C7, on figures made up to lie on each side of a limit."""

import math

import numpy as np
import pytest

from ood_diffusion.claims.combined import minus, scaled
from ood_diffusion.statistics.estimate import Estimate
from ood_diffusion.statistics.intervals import proportion_interval
from ood_diffusion.study.interference.verdict import (
    balanced,
    beats_twin,
    captured_more,
    drifted,
    nearer_than_training_domain,
    new,
    not_defined,
    of_the_domain,
    position,
    rise,
    unbridged,
)


def pairs(both: int, only_a: int, only_b: int, neither: int) -> tuple[list[bool], list[bool]]:
    table = [(True, True)] * both + [(True, False)] * only_a + [(False, True)] * only_b
    table += [(False, False)] * neither
    return [a for a, _ in table], [b for _, b in table]


@pytest.mark.parametrize(
    ("table", "low", "high"),
    [
        ((20, 12, 2, 16), 0.0562, 0.3290),  # an example of Newcombe 1998c, method 10
        ((2, 0, 1, 97), None, None),
        ((0, 0, 0, 64), -0.0566, 0.0566),
    ],
)
def test_the_rise_of_pairs(table: tuple[int, int, int, int], low: float | None, high: float | None) -> None:
    found, n = rise(*pairs(*table)), sum(table)
    assert found.value == pytest.approx((table[1] - table[2]) / n) and found.n == n
    if low is not None:
        assert (found.low, found.high) == (pytest.approx(low, abs=5e-4), pytest.approx(high, abs=5e-4))
    assert -1 <= found.low < found.high <= 1


def test_the_interval_of_a_rise_covers() -> None:
    rng, hits, n = np.random.default_rng(0), 0, 60
    for _ in range(600):
        latent = rng.random(n)  # shared by both: pairs are correlated
        a, b = latent + 0.1 * rng.random(n) < 0.35, latent < 0.15
        found = rise(a.tolist(), b.tolist())
        truth = 0.3 - 0.15  # P(latent + U/10 < 0.35) = 0.30
        hits += found.low <= truth <= found.high
    assert 0.93 <= hits / 600 <= 0.995


def test_minus_of_independent_proportions_is_newcombes() -> None:
    """Newcombe 1998b, table II, contrast (a), method 10: 56/70 - 48/80."""
    found = minus(proportion_interval(56, 70), proportion_interval(48, 80))
    assert (found.low, found.high) == (pytest.approx(0.0524, abs=1e-4), pytest.approx(0.3339, abs=1e-4))


def test_minus_of_symmetric_intervals_adds_squares() -> None:
    a, b = Estimate(5.0, 2.0, 8.0, 10), Estimate(2.0, 0.0, 4.0, 7)
    assert minus(a, b) == Estimate(3.0, 3 - math.sqrt(13), 3 + math.sqrt(13), 7)
    assert minus(a, b, share=2).low == pytest.approx(1 - 5)
    assert minus(a, b, correlation=1.0).high == pytest.approx(4)
    assert scaled(a, 0.5) == Estimate(2.5, 1.0, 4.0, 10)


def test_balanced_accuracy_is_the_mean_of_both_rates() -> None:
    found = balanced(Estimate(1.0, 0.9, 1.0, 20), Estimate(0.8, 0.5, 0.9, 30))
    assert found.value == pytest.approx(0.9) and found.high == pytest.approx(0.95)
    assert found.low == pytest.approx(0.9 - math.hypot(0.1, 0.3) / 2)


def scores(captured: int, n: int) -> np.ndarray:
    return np.where(np.arange(n) < captured, 1.0, -1.0)


@pytest.mark.parametrize(
    ("captured", "without", "n", "verdict"),
    [
        (40, 2, 64, "supported"),
        (1, 0, 64, "not supported"),  # at most 0.083 more
        (0, 0, 64, "not supported"),
        (0, 0, 16, "inconclusive"),  # too few to exclude 0.1
        (6, 3, 64, "inconclusive"),
        (2, 40, 64, "not supported"),
        (60, 20, 2000, "supported"),  # small but sure
        (64, 64, 64, "inconclusive"),  # no room to rise
        (64, 63, 64, "inconclusive"),
        (40, 63, 64, "not supported"),  # no room to rise, but it fell
    ],
)
def test_verdict_on_the_capture_rate(captured: int, without: int, n: int, verdict: str) -> None:
    check = captured_more(scores(captured, n), scores(without, n), 1.0, 0.1, True, "a.svg")
    assert check.verdict == verdict and check.found.value == pytest.approx((captured - without) / n)


def test_a_probe_that_cannot_tell_decides_nothing() -> None:
    a, b = scores(60, 64), scores(0, 64)
    for check in (captured_more(a, b, 1.0, 0.1, False, ""), drifted(a, b, (-1.0, 1.0), 1.0, 0, False, "")):
        assert (check.verdict, check.why) == ("inconclusive", "the probe cannot tell the two domains apart")
    assert "no room to rise" in captured_more(scores(64, 64), scores(64, 64), 1.0, 0.1, True, "").why
    assert "includes the limit" in captured_more(scores(0, 16), scores(0, 16), 1.0, 0.1, True, "").why


def test_drift_sees_what_the_rate_hides() -> None:
    without = np.linspace(-3.0, -2.0, 40)
    check = drifted(without + 1.0 + 0.1 * np.sin(np.arange(40)), without, (-3.0, 2.0), 1.0, 0, True, "")
    assert check.verdict == "supported" and check.found.value == pytest.approx(0.2, abs=0.01)
    back = without - 1.0 - 0.1 * np.sin(np.arange(40))
    assert drifted(back, without, (-3.0, 2.0), 1.0, 0, True, "").verdict == "not supported"
    assert list(position(np.array([-3.0, 2.0]), (-3.0, 2.0))) == [0, 1]


def test_a_solver_without_noise_has_a_row_that_says_so() -> None:
    check = not_defined("heun")
    assert check.verdict == "inconclusive" and "heun" in check.against and math.isnan(check.found.value)


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


def test_what_beats_its_twin() -> None:
    better, worse, both = Estimate(-9, -12, -6, 64), Estimate(9, 6, 12, 64), Estimate(-1, -4, 2, 64)
    verdicts = [beats_twin(each, "FID", "") for each in (better, worse, both)]
    assert [check.verdict for check in verdicts] == ["supported", "not supported", "inconclusive"]
    assert all(check.claim == "C5" and check.against_found.value == 0 for check in verdicts)
    unknown = beats_twin(None, "texture", "")
    assert unknown.verdict == "inconclusive" and "the images are too small" in unknown.why
