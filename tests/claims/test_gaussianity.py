"""C2's rule: as Gaussian as the worst statistic, corrected for their number."""

import pytest

from ood_diffusion.claims.gaussianity import gaussian
from ood_diffusion.statistics.estimate import NullTest

BANDS = {"mean_square": [0.9, 1.1], "lag_1": [-0.05, 0.05], "whiteness": [0, 0.1]}


def figures_with(**figures: tuple[float, float]) -> dict[str, NullTest]:
    """Statistic and p-value by name; the nulls are as narrow as those of many latents."""
    means = {"mean_square": 1.0, "lag_1": 0.0, "whiteness": 0.02}
    fine = {name: NullTest(mean, mean, mean - 0.01, mean + 0.01, 0.5, 96) for name, mean in means.items()}
    return fine | {
        name: NullTest(value, means[name], means[name] - 0.01, means[name] + 0.01, p, 96)
        for name, (value, p) in figures.items()
    }


@pytest.mark.parametrize(
    ("figures", "verdict", "worst"),
    [
        ({"lag_1": (0.02, 0.02)}, "supported", "lag 1"),  # 0.02 * 3 statistics: not rejected
        ({"lag_1": (0.02, 0.005)}, "inconclusive", "lag 1"),
        ({"lag_1": (-0.2, 0.005)}, "not supported", "lag 1"),
        ({"lag_1": (-0.06, 0.005), "mean_square": (0.5, 0.005)}, "not supported", "mean square"),
        ({"lag_1": (0.06, 0.005), "mean_square": (0.5, 0.5)}, "not supported", "lag 1"),
    ],
)
def test_the_worst_statistic_decides(
    figures: dict[str, tuple[float, float]], verdict: str, worst: str
) -> None:
    check = gaussian(figures_with(**figures), BANDS, 500.0, "p.svg")
    assert check.verdict == verdict and check.figure.startswith(worst)
    name = worst.replace(" ", "_")
    assert check.found.value == figures[name][0] and check.found.low == check.found.high
    assert check.against_found.low < check.against_found.value < check.against_found.high


def test_a_wide_null_widens_the_band() -> None:
    """Eight latents of 8 × 8: the null itself leaves the band, so a rejection there is no denial."""
    test = NullTest(0.3, 0.2, 0.1, 0.35, 0.001, 8)
    assert gaussian({"whiteness": test}, BANDS, 1.0, "").verdict == "inconclusive"
