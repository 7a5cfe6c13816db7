"""The stage bandwidth and level=auto, pure parts first, then through the real command."""

import json
import xml.etree.ElementTree as ElementTree
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats

from ood_diffusion.checks import UserError
from ood_diffusion.domains.galaxies_sim import GalaxiesSim
from ood_diffusion.domains.image_folder import ImageFolder
from ood_diffusion.domains.radiation_sim import RadiationSim
from ood_diffusion.domains.sketches_of import SketchesOf
from ood_diffusion.geometry.slerp import slerp
from ood_diffusion.lightning.ranks import Ranks
from ood_diffusion.report.flatten import flatten
from ood_diffusion.report.results import Results
from ood_diffusion.runs.assemble import KNOBS
from ood_diffusion.runs.execute import at_recommended_level
from ood_diffusion.runs.run import Run
from ood_diffusion.runs.settings import AUTO, Settings
from ood_diffusion.runs.workspace import Workspace
from ood_diffusion.statistics.estimate import Array, Estimate
from ood_diffusion.storage.stores import Stores
from ood_diffusion.study.bandwidth.band import (
    bandwidth_difference,
    bandwidth_interval,
    censored,
    eta_bands,
    half_fall,
)
from ood_diffusion.study.bandwidth.plots import band_plot, curves_plot, eta_plot, recommendation_plot
from ood_diffusion.study.bandwidth.recommend import level_score, recommend_level, unexplained
from ood_diffusion.study.bandwidth.section import Band, EtaBand, EtaBands, HalfWay, Level, Point, Real
from ood_diffusion.study.bandwidth.settings import BandwidthSettings
from ood_diffusion.study.bandwidth.stage import Bandwidth, domain_identity
from ood_diffusion.study.bandwidth.walk import (
    Walk,
    apart,
    domain_features,
    median_radius,
    moved_latents,
)
from tests.cli import MEANS, QUICK, TINY, results, run_cli
from tests.report.workspace import shown_figures

ANGLES = np.array([0.0, 10.0, 20.0, 40.0])
GRID = np.array([0.0, 10.0, 20.0, 40.0, 60.0])
"""The default one."""
GOOD: dict[str, Any] = {
    "levels": [500], "n_images": 4, "angles": [0, 10], "nearest_k": 5, "n_judges": 9,
    "least_inside": 0.5, "etas": [], "check_levels": [], "max_regret": 0.1,
}  # fmt: skip
RUN = [
    *TINY,
    *QUICK,
    *MEANS,
    *["level=auto", "stages=[invert,sample]", "n_training=8", "domain@training_domain=radiation_sim"],
    *["stage.bandwidth.levels=[300,600]", "stage.bandwidth.check_levels=[300,600]"],
    *["stage.bandwidth.n_images=4", "stage.bandwidth.angles=[0,2,30]", "stage.bandwidth.nearest_k=3"],
    "stage.bandwidth.etas=[0,1]",
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


def leaving(rng: np.random.Generator, mean: float, sd: float) -> Array:
    """Who of 16 images is still inside on the default grid; at 0 it is 9 in 10 but for early leavers."""
    exits = np.where(rng.random(16) < 0.9, rng.normal(mean, sd, 16), -1)
    found: Array = exits[:, None] > GRID
    return found


def true_band(mean: float, sd: float) -> float:
    """Where half of them have left of those that `leaving` leaves inside at 0."""
    return float(stats.norm.isf(stats.norm.sf(0, mean, sd) / 2, mean, sd))


def fewest(trials: int, rate: float) -> int:
    """Of so many trials at least so many succeed, 999 times in 1,000, if each does at this rate."""
    return int(stats.binom.ppf(1e-3, trials, rate))


@pytest.mark.parametrize(("mean", "sd"), [(15, 5), (35, 15), (18, 1)])
def test_where_in_a_gap_images_leave_is_not_taken_for_known(mean: float, sd: float) -> None:
    """Coverage; without the ignorance it was 0.86, 0.93 and 0.01."""
    rng, covers = np.random.default_rng(0), 0
    for seed in range(600):
        found = bandwidth_interval(GRID, leaving(rng, mean, sd), seed)
        assert found.low <= found.value <= found.high
        covers += found.low <= true_band(mean, sd) <= found.high
    assert covers >= fewest(600, 0.95)


def test_equal_bands_differ_rarely() -> None:
    rng, same = np.random.default_rng(0), 0
    for seed in range(500):
        found = bandwidth_difference(GRID, leaving(rng, 15, 5), leaving(rng, 15, 5), seed)
        same += found.low <= 0 <= found.high
    assert same >= fewest(500, 0.95)


def test_unequal_bands_differ_mostly_and_by_how_much() -> None:
    """Coverage without the ignorance was 0.68."""
    rng, wider, covers, truth = np.random.default_rng(0), 0, 0, true_band(25, 5) - true_band(15, 5)
    for seed in range(500):
        found = bandwidth_difference(GRID, leaving(rng, 25, 5), leaving(rng, 15, 5), seed)
        wider += found.low > 0
        covers += found.low <= truth <= found.high
    assert covers >= fewest(500, 0.95) and wider >= fewest(500, 0.75)


def test_no_interval_is_narrower_than_the_gap_however_many_images() -> None:
    left_together = np.repeat([[True, True, False, False]], 5000, axis=0)
    found = bandwidth_interval(ANGLES, left_together, 0)
    assert found.value == 15 and 10 < found.low < 10.5 and 19.5 < found.high < 20
    back_again = np.array([[True, False, True, False], [True, True, False, True]] * 8)
    found = bandwidth_interval(ANGLES, back_again, 0)  # the first fall counts, as in `half_fall`
    assert found.value == 10 and 0 < found.low < 1 and 19 < found.high < 20


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
    real = Real(0.9, 0.6, 1.0, 4)
    assert level_score(half_way(0.9, 0.6), real) == 1
    assert level_score(half_way(1.0, 0.9), real) == 1
    assert level_score(half_way(1.0, 0.0), real) == 0
    assert level_score(half_way(0.45, 0.3), real) == pytest.approx(0.25)
    levels = [at_level(500.0, 0.5), at_level(300.0, 0.5), at_level(700.0, 0.1)]
    assert recommend_level(levels) == 300


def half_way(inside: float, unexplained: float) -> HalfWay:
    return HalfWay(45.0, inside, Estimate(inside, inside, inside, 4), 1.0, 30.0, unexplained)


def at_level(level: float, score: float) -> Level:
    curve = [
        Point(x, share, Estimate(share, share, share, 4), 1.0, 30.0) for x, share in ((0, 1.0), (20, 0.9))
    ]
    return Level(level, Band(20.0, 10.0, 20.0, 4, True), curve, curve, half_way(0.2, 0.5), score)


def test_an_image_keeps_its_direction_whoever_is_beside_it() -> None:
    z = torch.randn(3, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    moved = moved_latents(z, ["a", "b", "c"], [0, 30, 60], [], 0)
    assert moved.shape == (3, 4, 3, 4, 4) and torch.equal(moved[:, 0], z)
    assert torch.equal(moved_latents(z[1:], ["b", "c"], [0, 30], [], 0)[:, :2], moved[1:, :2])
    flat = moved.flatten(2).double()
    turns = torch.rad2deg(torch.acos(torch.nn.functional.cosine_similarity(flat, flat[:, :1], dim=2)))
    assert torch.allclose(turns[:, 1:3], torch.tensor([30.0, 60.0], dtype=torch.float64), atol=1e-3)
    to_next = torch.nn.functional.cosine_similarity(flat[:, 3], flat[:, 0].roll(-1, 0))
    to_self = torch.nn.functional.cosine_similarity(flat[:, 3], flat[:, 0])
    assert torch.allclose(to_next, to_self, atol=1e-6)  # half way between itself and the next


def test_towards_the_next_reference_up_to_half_way() -> None:
    z = torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    z[1] = z[0] + 0.3 * z[1]  # the first two are much less than 80 degrees apart
    names, between = ["a", "b", "c"], apart(z)
    moved = moved_latents(z, names, [0, 10, 40], [10, 40], 0)
    assert torch.equal(moved[:, [0, 1, 2, 5]], moved_latents(z, names, [0, 10, 40], [], 0))
    half_way = slerp(z, z.roll(-1, 0), torch.full((3,), 0.5))
    assert torch.equal(moved[:, -1], half_way)  # by which levels are recommended
    assert torch.equal(moved[0, 4], half_way[0]) and between[0] < 80 < between[1:].min()
    flat = moved.flatten(2).double()

    def to(target: torch.Tensor, column: int) -> torch.Tensor:
        similar = torch.nn.functional.cosine_similarity(flat[:, column], target, dim=1)
        return torch.rad2deg(torch.acos(similar))

    start, following = flat[:, 0], flat[:, 0].roll(-1, 0)
    assert torch.allclose(to(following, 0), between)
    for column, angle in ((3, 10.0), (4, 40.0)):
        turn = torch.full_like(between, angle).minimum(between / 2)
        assert torch.allclose(to(start, column), turn, atol=1e-3)
        assert torch.allclose(to(following, column), between - turn, atol=1e-3)  # on the way, not beside it


def test_both_curves_share_their_beginning() -> None:
    inside = torch.tensor([[True, True, False, True, True, False], [True, True, False, True, False, False]])
    images, distances = torch.zeros(2, 6, 3, 4, 4, dtype=torch.uint8), torch.arange(12.0).view(2, 6)
    found = Walk([0, 10, 60], [10, 40], torch.tensor([90.0, 60.0]), images, inside, distances)
    assert found.turned.shape == (2, 3)
    assert [(point.angle, point.inside) for point in found.curve()] == [(0, 1), (10, 1), (60, 0)]
    towards = [(point.angle, point.inside) for point in found.curve_towards()]
    assert towards == [(0, 1), (10, 1), (35, 0.5)] and found.curve_towards()[0] == found.curve()[0]
    assert (found.half_way().angle, found.half_way().inside) == (37.5, 0)


def test_level_is_a_number_or_auto() -> None:
    knobs: dict[str, Any] = dict.fromkeys(Settings.__dataclass_fields__, 8)
    knobs |= {"eta": 0, "precision": "fp32", "compile": False}
    assert Settings(**{**knobs, "level": AUTO}).level == AUTO
    with pytest.raises(UserError, match="level must be a number"):
        Settings(**{**knobs, "level": "automatic"})


def test_mistakes_are_named() -> None:
    assert BandwidthSettings(**{**GOOD, "angles": [0, 10, 44, 45, 60]}).towards == [10, 44]
    for change, message in (
        ({"angles": [10, 20]}, "must ascend from 0"),
        ({"angles": [0, 20, 10]}, "must ascend from 0"),
        ({"levels": []}, "must hold a level"),
        ({"n_judges": 5}, "more than nearest_k"),
        ({"least_inside": 1}, "must lie in"),
    ):
        with pytest.raises(UserError, match=message):
            BandwidthSettings(**{**GOOD, **change})


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
        start, between, beyond = each["towards"]
        assert start == each["curve"][0] and between["angle"] == 2
        assert {**each["half_way"], **beyond} == each["half_way"]
    assert found["real"]["radius"] > 0 and found["training"]["real"]["radius"] > 0
    assert found["gap"]["value"] > 0 and found["real"]["n"] == found["training"]["real"]["n"] == 4
    assert found["comparison"]["equal"]["images"][1:] == [4, 4]  # 4 moved; 12 - 4 and 8 - 4 others: the fewer
    assert (found["floor"]["n_real"], found["floor"]["n_samples"]) == (8, 8)
    assert [check["claim"] for check in found["checks"]] == ["C6", "C6", "auto"]
    (run,) = (folder / "outputs" / "runs").iterdir()
    names = {path.name for path in run.iterdir()}
    assert {"bandwidth_curves.svg", "bandwidth_levels.svg", "bandwidth_moved.png"} <= names
    assert {check["picture"] for check in found["checks"]} <= names
    for path in run.glob("*.svg"):
        assert ElementTree.fromstring(path.read_text()).tag.endswith("svg")


def test_the_wandb_workspace_shows_figures_that_exist(folder: Path) -> None:
    shown = shown_figures("bandwidth")
    assert shown and shown <= set(flatten(results(folder)[0]))


def test_auto_goes_on_at_the_recommended_level(folder: Path) -> None:
    r = results(folder)[0]
    best = max(r["bandwidth"]["levels"], key=lambda each: (each["score"], -each["level"]))["level"]
    assert r["coordinates"]["level"] == r["bandwidth"]["recommended"] == best
    assert r["bandwidth"]["comparison"]["equal"]["level"] == best
    # two levels and the training domain; 3 angles, 2 degrees towards, and half way, less than 30 from here
    walks = 3 * (4 + 4 * 5) * 2
    samples = 2 * (8 + 8) * 2  # at both levels: 8 of 12 references not yet inverted, 8 samples
    etas = 2 * 4 * 2  # both domains at eta 1; eta 0 is angle 0
    assert r["cost"]["network_calls"] == {"bandwidth": walks + etas + samples, "invert": 0, "sample": 0}


def test_again_computes_nothing_and_finds_the_same(folder: Path) -> None:
    done = run_cli(folder, *RUN)
    assert done.returncode == 0, done.stderr
    first, second = results(folder)
    assert set(second["cost"]["network_calls"].values()) == {0}
    assert second["bandwidth"] == first["bandwidth"]


def test_what_auto_found_is_on_disk_before_the_next_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    knobs = SimpleNamespace(**dict.fromkeys(KNOBS, 1))
    model = SimpleNamespace(digest=lambda: "w")
    workspace = Workspace(
        tmp_path, Stores(tmp_path / "store"), cast(Ranks, SimpleNamespace(device=torch.device("cpu")))
    )
    parts = {
        "names": {"domain": "d", "extractor": "e"},
        "view_recipe": None,
        "settings": knobs,
        "model": model,
        "workspace": workspace,
    }
    chosen = SimpleNamespace(**parts)
    stages = {"bandwidth": lambda run, earlier: {"bandwidth": {"recommended": 300.0}}}
    run = SimpleNamespace(stages=stages, network_calls=lambda: 0, at=lambda level: chosen, **parts)
    assert at_recommended_level(cast(Run, run), Results(), "w") is cast(Run, chosen)
    written = json.loads((tmp_path / "results.json").read_text())
    assert written["bandwidth"] == {"recommended": 300.0} and written["coordinates"]["domain"] == "d"


def test_a_domain_is_the_same_whatever_its_seed() -> None:
    same = [domain_identity(RadiationSim(16, seed=seed)) for seed in (0, 1)]
    assert same[0] == same[1] != domain_identity(RadiationSim(16, mach=1.0))
    assert domain_identity(GalaxiesSim(16)) not in same
    drawings = [domain_identity(SketchesOf(16, partial(RadiationSim, seed=seed))) for seed in (0, 1)]
    assert drawings[0] == drawings[1] != domain_identity(SketchesOf(16, GalaxiesSim))


def test_a_folder_is_known_by_its_path_and_classes(tmp_path: Path) -> None:
    for i, name in enumerate(("cat/1.png", "cat/2.png", "dog/1.png", "dog/2.png")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8), (i, i, 0)).save(tmp_path / name)
    cats, again, dogs = (
        domain_identity(ImageFolder(8, tmp_path, seed=seed, classes=classes))
        for seed, classes in ((0, ["cat"]), (3, ["cat"]), (0, ["dog"]))
    )
    assert cats == again != dogs


def test_a_domain_twice_as_far_apart_has_balls_twice_as_large() -> None:
    line = torch.arange(9.0)[:, None] * torch.tensor([3.0, 4.0])
    assert median_radius(line, 2) == pytest.approx(5) and median_radius(2 * line, 2) == pytest.approx(10)


def test_what_stands_for_a_domain_is_not_moved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sets = {
        "references": {f"u{i}": "" for i in range(9)},
        "training_references": {f"t{i}": "" for i in range(11)},
    }
    run = cast(Run, SimpleNamespace(**sets, pictures=None))
    monkeypatch.setattr("ood_diffusion.study.bandwidth.walk.features_of", lambda *given: list(given[2]))
    unseen, own = domain_features(run, BandwidthSettings(**{**GOOD, "n_judges": 20, "nearest_k": 3}))
    assert list(unseen) == [f"u{i}" for i in range(4, 9)] and list(own) == [f"t{i}" for i in range(4, 9)]
    with pytest.raises(UserError, match="more than 9 images"):
        domain_features(run, BandwidthSettings(**GOOD))


def test_too_few_images_are_found_before_compute() -> None:
    def run(references: int, training: int) -> Run:
        knobs = SimpleNamespace(n_references=references, n_training=training)
        domain = SimpleNamespace(size=lambda split: None)
        return cast(Run, SimpleNamespace(settings=knobs, training_domain=domain))

    Bandwidth(**GOOD).check(run(10, 10))  # 4 moved, 6 are more than nearest_k
    for counts in ((9, 20), (20, 9), (2, 20)):
        message = f"more than 9 images of each domain: 4 that it moves.* got {min(counts)}"
        with pytest.raises(UserError, match=message):
            Bandwidth(**GOOD).check(run(*counts))


def test_galleries_of_either_domain_are_equally_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Among more images it is harder to be the nearest, so equal galleries must give no difference."""
    sizes = []

    def recognised(run: Run, settings: BandwidthSettings) -> Any:
        sizes.append(len(run.references))
        return np.array([[True, False]] * len(run.references))

    monkeypatch.setattr("ood_diffusion.study.bandwidth.band.recognised", recognised)
    run = SimpleNamespace(
        at=lambda subset: SimpleNamespace(references=subset), settings=SimpleNamespace(seed=0)
    )
    unseen, training = ({f"{name}{i}": "" for i in range(n)} for name, n in (("u", 6), ("t", 4)))
    settings = BandwidthSettings(**{**GOOD, "etas": [0, 1]})
    found, at_rest = eta_bands(cast(Run, run), unseen, training, settings)
    assert sizes == [4, 4] and found.difference.value == 0 and [x.value for x in at_rest] == [1, 1]
    assert found.unseen.n == found.training.n == 4


def test_dry_run_says_that_auto_is_not_counted(folder: Path) -> None:
    done = run_cli(folder, *RUN, "dry_run=true")
    assert done.returncode == 0, done.stderr
    assert "level=auto: the stage bandwidth runs first" in done.stdout


def test_levels_that_cannot_be_are_found_before_anything_is_computed(tmp_path: Path) -> None:
    done = run_cli(tmp_path, *RUN, "stage.bandwidth.levels=[300,5000]")
    assert done.returncode == 2 and "5000" in done.stderr and not results(tmp_path)


def test_plots_are_svg_whatever_was_found() -> None:
    levels, fids = [at_level(500.0, 0.0)], {500.0: Estimate(90.0, 80.0, 100.0, 4)}
    band = EtaBand(0.6, 0.5, 0.8, 4, censored=False, recognised=[1.0, 0.25])
    for text in (
        eta_plot(EtaBands([0.0, 1.0], band, band, Estimate(0.0, -0.1, 0.1, 4))),
        curves_plot(levels, levels, 0.9),
        band_plot(levels, levels),
        recommendation_plot(levels, fids, 500.0, 70.0),
    ):
        assert ElementTree.fromstring(text).tag.endswith("svg")
