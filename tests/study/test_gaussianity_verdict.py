"""C2's rule: every interval inside its band, where exact noise has its own inside; few latents support
nothing."""

import pytest
import torch

from ood_diffusion.statistics.estimate import NullTest
from ood_diffusion.statistics.gaussianity import gaussianity
from ood_diffusion.study.analyse.gaussianity import approximately, gaussian, measured, worst

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
        assert f"{noised['whiteness']}, not surely inside: no verdict" in check.against
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
