"""C6 from figures: who is compared, and when something follows."""

import math
from typing import Any

import pytest
from scipy import stats

from ood_diffusion.claims.excess import Floor
from ood_diffusion.statistics.estimate import Estimate
from ood_diffusion.statistics.intervals import proportion_interval
from ood_diffusion.study.bandwidth.verdict import ALIKE, ENDLESS, across_domains, well_recommended, wider

MOST = (proportion_interval(15, 16), proportion_interval(14, 16))
ENDS = (False, False)


def run(domain: str, gap: float, band: float, level: float = 500.0, **coordinates: Any) -> dict[str, Any]:
    equal = {"model": "m", "level": level, "angles": [0, 10]}
    comparison = {"equal": equal, "unseen": {"value": band}}
    alike = dict.fromkeys(ALIKE, "same")
    return {
        "coordinates": {"domain": "image_folder", **alike, **coordinates},
        "bandwidth": {"domain": domain, "gap": {"value": gap}, "comparison": comparison},
    }


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (1.0, 5.0, "supported"),
        (-5.0, -1.0, "not supported"),
        (-1.0, 5.0, "inconclusive"),
        (0.0, 0.0, "inconclusive"),
    ],
)
def test_wider_needs_the_whole_interval(low: float, high: float, verdict: str) -> None:
    check = wider(Estimate((low + high) / 2, low, high, 32), MOST, ENDS, 0.5, 500, "degrees", "p.svg")
    assert (check.claim, check.verdict, check.picture) == ("C6", verdict, "p.svg")


@pytest.mark.parametrize("unit", ["degrees", "eta"])
@pytest.mark.parametrize("scarce", [(0, 16), (16, 11)])
def test_where_few_are_inside_there_is_no_band(unit: Any, scarce: tuple[int, int]) -> None:
    few = (proportion_interval(scarce[0], 16), proportion_interval(scarce[1], 16))
    check = wider(Estimate(3, 1, 5, 32), few, ENDS, 0.5, 500, unit, "")
    assert check.verdict == "inconclusive" and check.found.value == 3
    assert f"{scarce[0] / 16:.0%}" in check.figure and f"{scarce[1] / 16:.0%}" in check.figure
    enough = (proportion_interval(12, 16), proportion_interval(12, 16))
    assert wider(Estimate(3, 1, 5, 32), enough, ENDS, 0.5, 500, unit, "").verdict == "supported"


@pytest.mark.parametrize(
    ("unit", "unseen", "training", "verdict"),
    [
        ("degrees", False, True, "inconclusive"),  # a training latent, turned, is another of its domain
        ("degrees", True, True, "inconclusive"),
        ("degrees", True, False, "not supported"),  # at least this wide, and still narrower
        ("eta", False, True, "not supported"),  # both are cut at eta 1
        ("eta", True, False, "not supported"),
        ("eta", True, True, "inconclusive"),
    ],
)
def test_a_band_without_an_end_is_compared_only_where_both_are_cut_alike(
    unit: Any, unseen: bool, training: bool, verdict: str
) -> None:
    check = wider(Estimate(-3, -5, -1, 32), MOST, (unseen, training), 0.5, 500, unit, "")
    assert check.verdict == verdict and check.found.value == -3
    assert (check.why == ENDLESS[unit]) == (verdict == "inconclusive")


def test_regret_is_over_the_best_other_level() -> None:
    fids = {
        100.0: Estimate(90.0, 85.0, 95.0, 9),
        500.0: Estimate(60.0, 55.0, 65.0, 9),
        900.0: Estimate(50.0, 47.0, 53.0, 9),
    }
    floor = Floor(Estimate(40.0, 39.0, 41.0, 9), 9, 9)
    middle = well_recommended(fids, floor, 500.0, 0.1, "")
    assert middle.found.value == pytest.approx((60 - 50) / (50 - 40)) and middle.against_found.value == 0.1
    assert middle.verdict == "not supported"
    assert well_recommended(fids, floor, 900.0, 0.1, "").found.value == pytest.approx((50 - 60) / (60 - 40))
    assert well_recommended(fids, floor, 900.0, 0.1, "").verdict == "supported"
    at_the_floor = Floor(Estimate(49.0, 47.0, 51.0, 9), 9, 9)
    assert well_recommended(fids, at_the_floor, 100.0, 0.1, "").verdict == "inconclusive"


def test_the_correlation_is_spearmans_over_domains() -> None:
    gaps, bands = [10.0, 20.0, 30.0, 40.0, 50.0, 60.0], [5.0, 9.0, 8.0, 20.0, 21.0, 40.0]
    check = across_domains([run(str(i), *pair) for i, pair in enumerate(zip(gaps, bands, strict=True))])
    assert check is not None and check.verdict == "supported"
    assert check.found.value == pytest.approx(stats.spearmanr(gaps, bands).statistic)
    assert 0 < check.found.low < check.found.value < check.found.high < 1
    falling = across_domains([run(str(gap), gap, -gap) for gap in gaps])
    assert falling is not None and falling.verdict == "not supported"


def test_four_domains_decide_nothing_and_two_have_no_correlation() -> None:
    rows = [run(str(i), i, i) for i in range(4)]
    four = across_domains(rows)
    assert four is not None and four.verdict == "inconclusive" and four.found.value == pytest.approx(1)
    assert four.found.low < 0 and four.found.high == 1
    three = across_domains(rows[:3])
    assert three is not None and (three.found.low, three.found.high) == (-1, 1)
    assert across_domains(rows[:2]) is None and across_domains([]) is None
    assert across_domains([{"coordinates": {}}, *rows[:2]]) is None


def test_runs_that_differ_in_more_than_the_domain_are_not_mixed() -> None:
    here, there = [run(str(i), i, i) for i in range(5)], [run(str(i), i, -9 * i, 700.0) for i in range(4)]
    check = across_domains([*there, *here])
    assert check is not None and check.found.n == 5 and check.found.value == pytest.approx(1)


@pytest.mark.parametrize("coordinate", ALIKE)
def test_runs_of_another_trajectory_or_size_are_not_mixed(coordinate: str) -> None:
    here, there = [run(str(i), i, i) for i in range(4)], run("4", 4, 0)
    there["coordinates"][coordinate] = "other"
    check = across_domains([*here, there])
    assert check is not None and check.found.n == 4


def test_samplers_and_seeds_are_mixed_and_old_runs_passed_over() -> None:
    rows = [run(str(i), i, i, sampler=str(i), prior=str(i), seed=i, eta=i) for i in range(5)]
    old: dict[str, Any] = {"coordinates": {}, "bandwidth": {"images": "a"}}
    check = across_domains([*rows, old])
    assert check is not None and check.found.n == 5


def test_seeds_of_one_domain_are_one_point() -> None:
    rows = [run("a", 1, 1), run("a", 1, 30), run("b", 2, 3), run("c", 3, 4)]  # a has its mean, 15.5
    check = across_domains(rows)
    assert check is not None and check.found.n == 3
    assert check.found.value == pytest.approx(stats.spearmanr([1, 2, 3], [15.5, 3, 4]).statistic)


def test_bands_that_are_all_as_wide_as_was_looked_say_nothing() -> None:
    check = across_domains([run(str(i), i, 60.0) for i in range(5)])
    assert check is not None and check.verdict == "inconclusive" and math.isnan(check.found.value)
