"""C10's rule for physical statistics: likeness must be shown, unlikeness must survive the number of tests."""

import math

import pytest
import torch
from scipy.stats import norm

from ood_diffusion.physics.comparison import Difference, statistics
from ood_diffusion.statistics.estimate import Estimate
from ood_diffusion.study.physics.verdict import GROUPS, group_verdict, physical, widened

ALL = [name for names in GROUPS.values() for name in names]
SPECTRUM = GROUPS["power spectrum"]
PICTURES = dict.fromkeys(GROUPS, "p.svg")


def one(difference: float, low: float, high: float, p_holm: float) -> Difference:
    return Difference(0.0, 0.0, difference, low, high, 0.0, p_holm, p_holm, p_holm < 0.05)


def differences(half: float = 0.05, p: float = 1.0, **values: float) -> dict[str, Difference]:
    """All statistics at difference 0 but for those named."""
    return {name: one(d, d - half, d + half, p) for name, d in (dict.fromkeys(ALL, 0.0) | values).items()}


def test_the_groups_hold_every_statistic_once() -> None:
    found = statistics(torch.randint(256, (2, 3, 16, 16), dtype=torch.uint8))
    assert sorted(ALL) == sorted(found)


@pytest.mark.parametrize(
    ("d", "half", "p", "verdict"),
    [
        (0.1, 0.09, 1.0, "supported"),
        (-0.1, 0.09, 1.0, "supported"),
        (0.1, 0.11, 1.0, "inconclusive"),  # too few images to see that it is small
        (0.1, 0.09, 0.04, "inconclusive"),  # equal means, another shape
        (0.1, 0.09, 0.06, "supported"),
        (0.5, 0.25, 0.001, "inconclusive"),  # beyond the band alone, but not among twelve
        (0.5, 0.15, 0.001, "not supported"),
        (-0.5, 0.15, 0.001, "not supported"),
    ],
)
def test_verdict_of_a_group(d: float, half: float, p: float, verdict: str) -> None:
    found = differences() | {
        "small_scale_power": differences(half, p, small_scale_power=d)["small_scale_power"]
    }
    worst, what = group_verdict(found, SPECTRUM, 0.2)
    assert what == verdict and worst == "small_scale_power"


def test_other_groups_do_not_matter() -> None:
    found = differences(gini=9.0)
    assert group_verdict(found, SPECTRUM, 0.2)[1] == "supported"
    assert group_verdict(found, GROUPS["morphology"], 0.2) == ("gini", "not supported")


def test_the_one_that_denies_is_shown_rather_than_the_one_of_another_shape() -> None:
    found = differences(gini=1.0) | {"m20": one(0.0, -0.1, 0.1, 1e-9)}
    assert group_verdict(found, GROUPS["morphology"], 0.2) == ("gini", "not supported")


def test_widened_as_bonferroni_and_on_each_side() -> None:
    found = widened(Estimate(1.0, 0.5, 2.0, 9), 12)
    factor = norm.isf(0.05 / 24) / 1.959964
    assert found.low == pytest.approx(1 - 0.5 * factor) and found.high == pytest.approx(1 + factor)
    same = widened(Estimate(1.0, 0.5, 2.0, 9), 1)
    assert (same.low, same.high) == pytest.approx((0.5, 2.0))


def test_one_check_per_group_with_real_images_beside() -> None:
    blurred = differences(small_scale_power=-2.0)
    checks = physical(differences(gini=0.9), differences(gini=0.1), blurred, 0.2, (50, 40), PICTURES)
    assert [check.verdict for check in checks] == ["supported", "not supported", "supported"]
    gini = checks[1]
    assert "gini" in gini.figure and gini.claim == "C10"
    assert (gini.found.value, gini.found.n, gini.against_found.value, gini.against_found.n) == (
        0.9,
        50,
        0.1,
        40,
    )


def test_a_measure_that_does_not_find_out_the_blur_supports_nothing_but_can_deny() -> None:
    checks = physical(differences(gini=0.9), differences(), differences(), 0.2, (50, 40), PICTURES)
    assert [check.verdict for check in checks] == ["inconclusive", "not supported", "inconclusive"]


def test_where_real_images_are_denied_denial_says_nothing() -> None:
    blurred = differences(small_scale_power=-2.0)
    checks = physical(differences(gini=0.9), differences(m20=0.9), blurred, 0.2, (50, 40), PICTURES)
    assert [check.verdict for check in checks] == ["supported", "inconclusive", "supported"]


@pytest.mark.parametrize(
    ("samples", "real", "corrupted", "why"),
    [
        (
            one(-22.6, -46, -6, 0.0),
            0.0,
            -9.0,
            "beyond ± 0.2, but not significantly: corrected for 12 statistics the interval is [-56.8, 1.67]",
        ),
        (
            one(0.1, 0.0, 0.3, 1.0),
            0.0,
            -9.0,
            "crosses ± 0.2: intensity sd",
        ),
        (
            one(0.0, -0.1, 0.1, 0.01),
            0.0,
            -9.0,
            "the distributions do not: int",
        ),
        (
            one(math.nan, math.nan, math.nan, 0.0),
            0.0,
            -9.0,
            "no spread among held-out images: intensity sd",
        ),
        (
            one(9.0, 8.9, 9.1, 0.01),
            9.0,
            -9.0,
            "real references are rejected",
        ),
        (
            one(0.0, -0.1, 0.1, 1.0),
            0.0,
            0.0,
            "small scales are not detected",
        ),
    ],
)
def test_an_inconclusive_verdict_says_why(
    samples: Difference, real: float, corrupted: float, why: str
) -> None:
    found = differences() | {"intensity_sd": samples}
    references, blurred = differences(intensity_sd=real), differences(small_scale_power=corrupted)
    check = physical(found, references, blurred, 0.2, (50, 40), PICTURES)[2]
    assert check.verdict == "inconclusive" and why in check.why


def test_other_verdicts_need_no_reason() -> None:
    blurred = differences(small_scale_power=-9.0)
    checks = physical(differences(gini=9.0), differences(), blurred, 0.2, (50, 40), PICTURES)
    assert [check.why for check in checks] == ["", "", ""]
