"""C8 and C5 against the baselines: the rules, and the pictures that show them."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from ood_diffusion.report.claim_words import CLAIMS
from ood_diffusion.statistics.estimate import Estimate
from ood_diffusion.study.preservation.plots import sdedit_levels, trade_off
from ood_diffusion.study.preservation.section import Edited, Figures, Tuned
from ood_diffusion.study.preservation.verdict import against_sdedit, against_tuned, diverse, identical


def fid(value: float) -> Estimate:
    return Estimate(value, value - 1, value + 1, 50)


def level(at: float, value: float, copies: float) -> Edited:
    return Edited(50, fid(value), 1.0, copies, level=at)


def tuned(training: float, unseen: float, budget: float = 1) -> Tuned:
    training_part = {"budget": budget, "steps": 10, "training_calls": 120, "weights": "digest"}
    return Tuned(50, fid(unseen), 1.0, 0.0, fid_training=fid(training), **training_part)  # type: ignore[arg-type]


def test_one_image_or_one_weight_that_changed_denies_it() -> None:
    def verdicts(differing: int, same: bool) -> list[str]:
        return [check.verdict for check in identical(differing, 16, same, "own.png")]

    assert verdicts(0, True) == ["supported", "supported"]
    assert verdicts(1, True) == ["inconclusive", "supported"]  # kernels that round differently twice
    assert verdicts(1, False) == ["not supported", "not supported"]
    assert verdicts(0, False) == ["supported", "not supported"]


def test_nothing_but_what_changed_decides_about_harm() -> None:
    ours = fid(20)
    checks = against_tuned(ours, ours, [tuned(5, 5)], False, "p.svg")
    checks += against_sdedit(ours, [level(300, 5, 0.9)], 0.05, "s.svg")
    assert {check.claim for check in checks} == {"baseline"} <= set(CLAIMS)
    assert {check.claim for check in identical(0, 4, True, "")} == {"C8"}


@pytest.mark.parametrize("copy", [5.0, 30.0])
def test_images_of_the_frozen_models_own_cannot_judge_a_copy(copy: float) -> None:
    at_home, unseen = against_tuned(fid(20), fid(10), [tuned(copy, 30.0)], True, "p.svg")
    assert at_home.verdict == "inconclusive" and "drawn by the frozen model" in at_home.why
    assert unseen.verdict == "supported" and "drawn by" not in unseen.against


@pytest.mark.parametrize(
    ("fid_training", "fid_unseen", "verdicts"),
    [
        (30.0, 30.0, ["supported", "supported"]),  # the copy is worse in both domains
        (10.5, 19.5, ["inconclusive", "inconclusive"]),
        (5.0, 10.0, ["not supported", "not supported"]),
        (30.0, 10.0, ["supported", "not supported"]),  # tuning buys one domain with the other
    ],
)
def test_against_a_tuned_copy(fid_training: float, fid_unseen: float, verdicts: list[str]) -> None:
    checks = against_tuned(fid(20), fid(10), [tuned(fid_training, fid_unseen)], False, "p.svg")
    assert [check.found.value for check in checks] == [10, 20]
    assert [check.against_found.value for check in checks] == [fid_training, fid_unseen]
    assert [check.verdict for check in checks] == verdicts


def test_sdedit_is_compared_at_its_best_and_at_its_best_without_copies() -> None:
    ours = Estimate(20, 19, 21, 50)
    copying, fresh = level(300, 5, 0.9), level(500, 15, 0.01)
    both = against_sdedit(ours, [copying, fresh, level(700, 40, 0.0)], 0.05, "s.svg")
    assert ["level 300" in both[0].against, "level 500" in both[1].against] == [True, True]
    assert "the best of 3 levels on these held-out images, 90% near-copies" in both[0].against
    assert "the best of the 2 with few near-copies" in both[1].against
    assert [check.verdict for check in both] == ["not supported", "not supported"]
    one = against_sdedit(ours, [level(300, 30, 0.05), level(500, 40, 0.0)], 0.05, "s.svg")
    assert [check.verdict for check in one] == ["supported"]
    assert len(against_sdedit(ours, [copying], 0.05, "s.svg")) == 1


def test_diversity_is_compared_where_it_is_defined() -> None:
    def around(value: float) -> Estimate:
        return Estimate(value, value - 0.1, value + 0.1, 9)

    ours = Figures(50, fid(60), 1.0, 0.0, around(1.0))
    levels = [
        replace(level(at, f, 0.1), intra_cluster=around(d)) for at, f, d in ((100, 50, 0.2), (300, 70, 1.5))
    ]
    copies = [replace(tuned(30, 50), intra_cluster=around(1.05)), tuned(30, 50, 10)]
    sdedit, copy = diverse(ours, levels, copies, "p")
    assert (sdedit.verdict, sdedit.against_found.value) == ("supported", 0.2)  # of the lowest FID
    assert copy.verdict == "inconclusive" and copy.against.startswith("a copy tuned for 1 ×")
    assert diverse(replace(ours, intra_cluster=None), levels, copies, "p") == []


def test_pictures_are_svg_and_reproducible() -> None:
    copies = [tuned(30.0 * b, 50.0 / b, b) for b in (10, 1)]
    made = [
        trade_off(fid(10.0), fid(20.0), copies),
        sdedit_levels([level(700, 40, 0.0), level(300, 5, 0.9)], Figures(50, fid(20), 1, 0.01)),
    ]
    for svg in made:
        assert ElementTree.fromstring(svg).tag.endswith("svg")
    assert made[0] == trade_off(fid(10.0), fid(20.0), copies)
