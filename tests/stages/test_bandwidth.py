"""The stage bandwidth and level=auto, pure parts first, then through the real command."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ood_diffusion.checks import UserError
from ood_diffusion.report.bandwidth_plots import band_plot, curves_plot, recommendation_plot
from ood_diffusion.stages.bandwidth_curve import (
    bandwidth_difference,
    bandwidth_interval,
    censored,
    half_fall,
)
from ood_diffusion.stages.bandwidth_settings import BandwidthSettings
from ood_diffusion.stages.bandwidth_walk import moved_latents
from ood_diffusion.stages.recommend import level_score, recommend_level, unexplained
from ood_diffusion.stages.settings import AUTO, Settings
from tests.cli import TINY, results, run_cli

ANGLES = np.array([0.0, 10.0, 20.0, 40.0])
RUN = [
    *TINY,
    *["level=auto", "stages=[invert,sample]", "n_training=8", "domain@training_domain=radiation_sim"],
    *["stage.bandwidth.levels=[300,600]", "stage.bandwidth.check_levels=[300,600]"],
    *["stage.bandwidth.n_images=4", "stage.bandwidth.angles=[0,30]", "stage.bandwidth.nearest_k=3"],
]  # fmt: skip


def test_the_half_is_of_the_first_share_and_found_by_interpolation() -> None:
    curves = np.array(
        [
            [0.8, 0.8, 0.0, 0.0],  # 0.4 lies half way between 10 and 20
            [0.8, 0.7, 0.6, 0.2],  # 0.4 lies half way between 20 and 40
            [0.8, 0.4, 0.8, 0.0],  # the first fall counts
            [0.8, 0.7, 0.6, 0.5],  # never: the largest angle
            [0.0, 0.5, 0.5, 0.5],  # nothing inside to begin with
        ]
    )
    assert half_fall(ANGLES, curves).tolist() == pytest.approx([15, 30, 10, 40, 0])


def test_the_interval_is_over_images_and_a_shift_is_found() -> None:
    rng = np.random.default_rng(0)
    limit = rng.uniform(5, 25, size=(2, 200))  # each image leaves the domain at an angle of its own
    angles = np.arange(0.0, 60.0, 1.0)
    near, far = limit[0][:, None] > angles, limit[1][:, None] + 10 > angles
    found = bandwidth_interval(angles, near, 0)
    assert found.low < 15 < found.high and found.high - found.low < 5 and found.n == 200
    assert found.value == pytest.approx(np.median(limit[0]), abs=1)
    difference = bandwidth_difference(angles, far, near, 0)
    assert difference.low < 10 < difference.high and difference.low > 5
    assert bandwidth_difference(angles, near, far, 0).value == pytest.approx(-difference.value)
    assert bandwidth_interval(angles, near, 0) == found


def test_a_band_wider_than_was_looked_is_said_to_be() -> None:
    inside = np.array([[True, True, True, True], [True, True, True, False]])
    assert not censored(inside)  # 1 falls to 0.5, its half
    assert censored(np.array([*inside, [True] * 4]))


def test_a_superposition_has_nothing_unexplained() -> None:
    g = torch.Generator().manual_seed(0)
    a, b, new = torch.rand(3, 2, 3, 8, 8, generator=g, dtype=torch.float64)
    assert torch.allclose(unexplained(0.7 * a + 0.7 * b - 3, a, b), torch.zeros(2, dtype=torch.float64))
    fit = [
        np.linalg.lstsq(
            np.stack([a[i].flatten(), b[i].flatten(), np.ones(192)], axis=1), new[i].flatten(), rcond=None
        )[1][0]
        for i in range(2)
    ]
    total = (new - new.mean(dim=(1, 2, 3), keepdim=True)).square().sum(dim=(1, 2, 3))
    assert np.allclose(unexplained(new, a, b), np.array(fit) / total.numpy())
    assert unexplained(torch.zeros_like(a), a, b).tolist() == [0, 0]
    assert torch.allclose(unexplained(a, b, b), unexplained(a, b, 2 * b))  # parents that are alike


def test_the_score_needs_both_and_real_images_score_1() -> None:
    real = {"inside": 0.9, "unexplained": 0.6}
    assert level_score(real, real) == 1
    assert level_score({"inside": 1.0, "unexplained": 0.9}, real) == 1
    assert level_score({"inside": 1.0, "unexplained": 0.0}, real) == 0
    assert level_score({"inside": 0.45, "unexplained": 0.3}, real) == pytest.approx(0.25)
    levels = [{"level": 500.0, "score": 0.5}, {"level": 300.0, "score": 0.5}, {"level": 700.0, "score": 0.1}]
    assert recommend_level(levels) == 300


def test_an_image_keeps_its_direction_whoever_is_beside_it() -> None:
    z = torch.randn(3, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    moved = moved_latents(z, ["a", "b", "c"], [0, 30, 60], 0)
    assert moved.shape == (3, 4, 3, 4, 4) and torch.equal(moved[:, 0], z)
    assert torch.equal(moved_latents(z[1:], ["b", "c"], [0, 30], 0)[:, :2], moved[1:, :2])
    flat = moved.flatten(2).double()
    turns = torch.rad2deg(torch.acos(torch.nn.functional.cosine_similarity(flat, flat[:, :1], dim=2)))
    assert torch.allclose(turns[:, 1:3], torch.tensor([30.0, 60.0], dtype=torch.float64), atol=1e-3)
    to_next = torch.nn.functional.cosine_similarity(flat[:, 3], flat[:, 0].roll(-1, 0))
    to_self = torch.nn.functional.cosine_similarity(flat[:, 3], flat[:, 0])
    assert torch.allclose(to_next, to_self, atol=1e-6)  # half way between itself and the next


def test_level_is_a_number_or_auto() -> None:
    knobs: dict[str, Any] = dict.fromkeys(Settings.__dataclass_fields__, 8)
    knobs |= {"eta": 0, "precision": "fp32", "compile": False}
    assert Settings(**{**knobs, "level": AUTO}).level == AUTO
    with pytest.raises(UserError, match="level must be a number"):
        Settings(**{**knobs, "level": "automatic"})


def test_mistakes_are_named() -> None:
    good: dict[str, Any] = {
        "levels": [500], "n_images": 4, "angles": [0, 10], "nearest_k": 5,
        "n_judges": 9, "check_levels": [], "max_regret": 0.1,
    }  # fmt: skip
    BandwidthSettings(**good)
    for change, message in (
        ({"angles": [10, 20]}, "must ascend from 0"),
        ({"angles": [0, 20, 10]}, "must ascend from 0"),
        ({"levels": []}, "must hold a level"),
        ({"n_judges": 5}, "more than nearest_k"),
    ):
        with pytest.raises(UserError, match=message):
            BandwidthSettings(**{**good, **change})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bandwidth")
    done = run_cli(folder, *RUN)
    assert done.returncode == 0, done.stderr
    assert "level=auto: " in done.stdout + done.stderr
    return folder


def test_what_a_run_reports(folder: Path) -> None:
    r = results(folder)[0]
    found = r["bandwidth"]
    assert [each["level"] for each in found["levels"]] == [300, 600]
    for each in [*found["levels"], *found["training"]["levels"]]:
        assert each["curve"][0]["distance"] == 0 and each["curve"][1]["distance"] > 0
        assert 0 <= each["half_way"]["unexplained"] <= 1 and 0 <= each["score"] <= 1
        assert 0 <= each["bandwidth"]["low"] <= each["bandwidth"]["high"] <= 30
    assert found["gap"]["value"] > 0
    assert [check["claim"] for check in found["checks"]] == ["C6", "C6"]
    (run,) = (folder / "outputs" / "runs").iterdir()
    names = {path.name for path in run.iterdir()}
    assert {"bandwidth_curves.svg", "bandwidth_levels.svg", "bandwidth_moved.png"} <= names
    assert {check["picture"] for check in found["checks"]} <= names
    for path in run.glob("*.svg"):
        assert ElementTree.fromstring(path.read_text()).tag.endswith("svg")


def test_auto_goes_on_at_the_recommended_level(folder: Path) -> None:
    r = results(folder)[0]
    best = max(r["bandwidth"]["levels"], key=lambda each: (each["score"], -each["level"]))["level"]
    assert r["cell"]["level"] == r["bandwidth"]["recommended"] == best
    assert r["bandwidth"]["comparison"]["equal"]["level"] == best
    walks = 3 * (4 + 4 * 3) * 2  # two levels and the training domain; 2 angles and half way
    samples = 2 * (8 + 8) * 2  # at both levels: 8 of 12 references not yet inverted, 8 samples
    assert r["cost"]["network_calls"] == {"bandwidth": walks + samples, "invert": 0, "sample": 0}


def test_again_computes_nothing_and_finds_the_same(folder: Path) -> None:
    done = run_cli(folder, *RUN)
    assert done.returncode == 0, done.stderr
    first, second = results(folder)
    assert set(second["cost"]["network_calls"].values()) == {0}
    assert second["bandwidth"] == first["bandwidth"]


def test_dry_run_says_that_auto_is_not_counted(folder: Path) -> None:
    done = run_cli(folder, *RUN, "dry_run=true")
    assert done.returncode == 0, done.stderr
    assert "level=auto: the stage bandwidth runs first" in done.stdout


def test_levels_that_cannot_be_are_found_before_anything_is_computed(tmp_path: Path) -> None:
    done = run_cli(tmp_path, *RUN, "stage.bandwidth.levels=[300,5000]")
    assert done.returncode == 2 and "5000" in done.stderr and not results(tmp_path)


def test_plots_are_svg_whatever_was_found() -> None:
    band = {"value": 20.0, "low": 10.0, "high": 20.0, "n": 4, "censored": True}
    curve = [{"angle": 0, "inside": 1.0}, {"angle": 20, "inside": 0.9}]
    levels = [{"level": 500.0, "curve": curve, "bandwidth": band, "score": 0.0}]
    checked = [{"level": 500.0, "fid": {"value": 90.0, "low": 80.0, "high": 100.0}}]
    for text in (
        curves_plot(levels, levels, 0.9),
        band_plot(levels, levels),
        recommendation_plot(levels, checked, 500.0),
    ):
        assert ElementTree.fromstring(text).tag.endswith("svg")
