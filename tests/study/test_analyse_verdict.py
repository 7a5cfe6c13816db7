"""The rules of C1 to C4, on figures made up to lie on each side of a limit."""

import pytest
import torch

from ood_diffusion.statistics.estimate import Estimate, NullTest
from ood_diffusion.statistics.gaussianity import gaussianity
from ood_diffusion.statistics.intervals import auc_interval, proportion_interval
from ood_diffusion.study.analyse.verdict import (
    annulus,
    approximately,
    as_exact,
    distant,
    equilateral,
    gaussian,
    measured,
    orthogonal,
    retrieved,
    separable,
    worst,
)


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


BANDS = {"mean_square": [0.9, 1.1], "lag_1": [-0.05, 0.05], "whiteness": [0, 0.1]}
MEANS = {"mean_square": 1.0, "lag_1": 0.0, "whiteness": 0.02}


def figures_with(**figures: float) -> dict[str, NullTest]:
    """Statistics by name, all rejected; the nulls are as narrow as those of many latents."""
    return {
        name: NullTest(figures.get(name, mean), mean, mean - 0.01, mean + 0.02, 0.005, 96)
        for name, mean in MEANS.items()
    }


@pytest.mark.parametrize(
    ("figures", "verdict", "worst"),
    [
        ({"lag_1": 0.03}, "supported", "lag 1"),  # rejected, and yet about the null
        ({"lag_1": 0.045}, "inconclusive", "lag 1"),
        ({"lag_1": 0.06}, "inconclusive", "lag 1"),
        ({"lag_1": -0.2}, "not supported", "lag 1"),
        ({"lag_1": -0.2, "mean_square": 0.5}, "not supported", "mean square"),  # 2.5 and 2 bands off
        ({"lag_1": -0.06, "mean_square": 0.5}, "not supported", "mean square"),
    ],
)
def test_the_worst_statistic_decides(figures: dict[str, float], verdict: str, worst: str) -> None:
    check = gaussian(figures_with(**figures), figures_with(), figures_with(), BANDS, 500.0, "p.svg")
    assert check.verdict == verdict and check.figure.startswith(worst)
    name = worst.replace(" ", "_")
    assert check.found.value == figures[name]
    assert [check.against_found.low, check.against_found.high] == BANDS[name]


@pytest.mark.parametrize("figures", [{}, {"lag_1": 0.045}, {"whiteness": 0.4}])
def test_where_exact_noise_is_not_inside_there_is_no_verdict(figures: dict[str, float]) -> None:
    """Neither support nor denial; what the noised images have of the same statistic is named."""
    for noised in ({"whiteness": 0.31}, {"whiteness": 0.095}):  # outside, and across the end
        tests = [figures_with(**each) for each in (figures, noised, {"whiteness": 0.2})]
        check = gaussian(*tests, BANDS, 500.0, "")
        assert check.verdict == "inconclusive"
        assert f"{noised['whiteness']}, not significantly within: no verdict" in check.against
    assert gaussian(tests[0], figures_with(), tests[2], BANDS, 500.0, "").against.count("no verdict") == 0


def test_the_statistic_that_exact_noise_fails_is_named_if_it_is_another() -> None:
    tests = [figures_with(**each) for each in ({"lag_1": 0.3}, {"whiteness": 0.31}, {"lag_1": 0.123})]
    check = gaussian(*tests, BANDS, 500.0, "")
    assert check.figure.startswith("lag 1") and check.verdict == "inconclusive"
    assert "training domain: 0.123; the same images with exact noise: 0 and whiteness 0.31" in check.against


def test_the_interval_is_the_mirrored_spread_of_the_null() -> None:
    """A null skewed upwards leaves more room below the statistic than above it."""
    found = measured("lag_1", NullTest(0.5, 0.0, -0.01, 0.03, 0.1, 96))
    assert (found.low, found.high) == pytest.approx((0.47, 0.51))


def test_intervals_end_at_0_unless_a_statistic_can_be_negative() -> None:
    test = NullTest(0.001, 0.003, 0.0005, 0.006, 0.5, 96)
    assert approximately("channel_correlation", test, 0, 0.05) == "supported"
    assert measured("mean_cosine", test).low < 0


def test_a_wide_null_is_inconclusive_at_its_own_mean() -> None:
    """Not rejected, and no support either."""
    assert approximately("whiteness", NullTest(0.08, 0.08, 0.02, 0.15, 1.0, 8), 0, 0.1) == "inconclusive"


def test_noise_that_leaves_the_band_by_itself_denies_nothing() -> None:
    """Small pictures: the null's mean is beyond the band. Far beyond the null there is a denial still."""
    null = (0.2, 0.15, 0.26)
    assert approximately("whiteness", NullTest(0.22, *null, 0.4, 8), 0, 0.1) == "inconclusive"
    assert approximately("whiteness", NullTest(0.5, *null, 0.01, 8), 0, 0.1) == "not supported"


def test_noise_is_gaussian_if_there_is_enough_of_it_and_blurred_noise_is_not() -> None:
    bands = {
        "mean_square": [0.9, 1.1],
        "norm_sd": [0.35, 1.41],
        "mean_cosine": [-0.05, 0.05],
        "whiteness": [0, 0.1],
        "lag_1": [-0.05, 0.05],
        "channel_correlation": [0, 0.05],
        "anderson_darling": [0, 0.752],
        "henze_zirkler": [0, 1.2],
    }
    many = torch.randn(64, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    blurred = (many + many.roll(1, dims=3)) / 2**0.5
    for latents, verdict in ((many, "supported"), (many[:8, :, :8, :8], "inconclusive")):
        assert worst(gaussianity(latents, 0, 100), bands)[0] == verdict
    assert worst(gaussianity(blurred, 0, 100), bands)[0] == "not supported"


@pytest.mark.parametrize(("p_value", "verdict"), [(0.005, "supported"), (0.05, "inconclusive")])
def test_verdict_follows_the_p_value(p_value: float, verdict: str) -> None:
    test = NullTest(0.97, 0.5, 0.4, 0.6, p_value, 192)
    trivial = NullTest(0.874, 0.5, 0.4, 0.6, 0.5, 192)
    check = separable(test, trivial, 500.0, "p.svg")
    assert check.verdict == verdict and check.found == auc_interval(test)
    assert "0.874" in check.against and check.against_found.high == 0.6  # the null is of the latents' AUC
    interval = Estimate(0.97, 0.9, 1.1, 192)
    assert distant(test, interval, 500.0, "").verdict == verdict
    assert distant(test, interval, 500.0, "").found == interval


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
