"""Capture by the training domain, through the real command, small."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import Image

from ood_diffusion.checks import UserError
from ood_diffusion.report.flatten import flatten
from ood_diffusion.statistics.estimate import Estimate
from ood_diffusion.study.interference import held_out as domain_held_out
from ood_diffusion.study.interference.held_out import HeldOut, fitted_on, held_out_of
from ood_diffusion.study.interference.plots import capture_curve, fid_curves, sampler_bars
from ood_diffusion.study.interference.section import AtEta, Figures
from ood_diffusion.study.interference.settings import InterferenceSettings
from ood_diffusion.study.interference.stage import Interference
from tests.cli import MEANS, QUICK, TINY, results, run_cli
from tests.report.workspace import shown_figures

SMALL = [
    *TINY,
    *QUICK,
    *MEANS,
    "n_held_out=24",  # half of them fit the probe
    "n_training=12",
    "domain@training_domain=radiation_sim",
    "stages=[interference]",
]
NAMES = ["own", "white", "span", "slerp", "copies"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("interference")
    done = run_cli(folder, *SMALL)
    assert done.returncode == 0, done.stderr
    return folder


def first(folder: Path) -> Any:
    return results(folder)[0]


def test_every_figure_is_there(folder: Path) -> None:
    found = first(folder)["interference"]
    assert [point["eta"] for point in found["etas"]] == [0.0, 0.5, 1.0]
    assert list(found["samplers"]) == NAMES
    assert found["n_judges"] == 12
    for point in (*found["etas"], *found["samplers"].values(), found["training_domain"]):
        assert 0 <= point["capture"]["low"] <= point["capture"]["value"] <= point["capture"]["high"] <= 1
        assert point["fid_unseen"]["low"] < point["fid_unseen"]["value"]
    assert found["samplers"]["own"] == {key: x for key, x in found["etas"][0].items() if key != "eta"}
    probe = found["probe"]
    assert probe["auc"] > 0.9 and probe["accuracy"]["value"] > 0.8  # galaxies and clouds are unlike
    assert probe["false_capture"]["n"] == probe["recognised"]["n"] == 12


def test_the_wandb_workspace_shows_figures_that_exist(folder: Path) -> None:
    shown = shown_figures("interference")
    assert shown and shown <= set(flatten(first(folder)))


def test_the_domains_are_the_ends_of_every_scale(folder: Path) -> None:
    found = first(folder)["interference"]
    assert found["training_domain"]["capture"]["value"] > 0.7
    assert found["training_domain"]["position"]["value"] == pytest.approx(1, abs=0.4)
    assert "fid_training" not in found["training_domain"]


def test_the_checks_and_their_pictures(folder: Path) -> None:
    checks = first(folder)["interference"]["checks"]
    assert [check["claim"] for check in checks] == ["C5"] * 5 + ["C7"] * 2
    (run,) = (folder / "outputs" / "runs").iterdir()
    made = {path.name for path in run.iterdir()}
    assert {check["picture"] for check in checks} - {"samples_and_nearest.png"} <= made  # by the stage report
    for name in ("interference_capture.svg", "interference_fid.svg", "interference_samplers.svg"):
        assert "</svg>" in (run / name).read_text()
    with (
        Image.open(run / "interference_eta.png") as eta,
        Image.open(run / "interference_samplers.png") as way,
    ):
        assert eta.size[0] == way.size[0] and (eta.size[1] + 2) * 5 == (way.size[1] + 2) * 3


def test_network_calls_are_the_minimum(folder: Path) -> None:
    """Per step: 12 references, 8 own samples, those at two other etas, three other samplers, some copies."""
    calls = first(folder)["cost"]["network_calls"]["interference"]
    assert 2 * (12 + 8 + 16 + 24) < calls <= 2 * (12 + 8 + 16 + 24 + 8)
    assert calls % 2 == 0


def test_another_sampler_is_found_by_a_run_that_has_it_as_its_own(folder: Path) -> None:
    done = run_cli(folder, *TINY, *QUICK, "sampler=slerp", "prior=gaussian", "stages=[sample]")
    assert done.returncode == 0, done.stderr
    assert results(folder)[-1]["cost"]["network_calls"] == {"sample": 0}


def test_only_its_own_samples_at_eta_0_cost_no_call_more(folder: Path) -> None:
    alone = ["stage.interference.etas=[0]", "stage.interference.samplers=null"]
    done = run_cli(folder, *SMALL, *alone)
    assert done.returncode == 0, done.stderr
    found = results(folder)[-1]
    assert found["cost"]["network_calls"]["interference"] == 0
    assert found["interference"]["own"] == first(folder)["interference"]["own"]
    assert list(found["interference"]["samplers"]) == ["own"]
    assert [check["claim"] for check in found["interference"]["checks"]] == ["C5"] * 5


def test_a_deterministic_solver_says_that_nothing_follows(folder: Path) -> None:
    done = run_cli(folder, *SMALL, "solver=heun", "stage.interference.samplers=null")
    assert done.returncode == 0, done.stderr
    found = results(folder)[-1]["interference"]
    assert [point["eta"] for point in found["etas"]] == [0.0]
    last = found["checks"][-1]
    assert last["claim"] == "C7" and last["verdict"] == "inconclusive" and "heun" in last["against"]


@pytest.mark.parametrize(("n_training", "n_held_out", "fitted"), [(96, 512, 96), (96, 100, 50), (12, 11, 5)])
def test_the_probe_is_fitted_on_half_of_the_held_out_images_at_most(
    n_training: int, n_held_out: int, fitted: int
) -> None:
    assert fitted_on(n_training, n_held_out) == fitted


@pytest.fixture
def held_out(monkeypatch: pytest.MonkeyPatch) -> HeldOut:
    """`held_out_of` a run whose sets of images are numbers, so that one sees which were read for what."""
    sets = {name: torch.randn(n, 9) + i for i, (name, n) in enumerate((("a", 6), ("b", 20), ("c", 7)))}
    monkeypatch.setattr(domain_held_out, "features_of", lambda run, pictures, which: sets[which["name"]])
    monkeypatch.setattr(domain_held_out, "fit_probe", lambda training, unseen, seed: (training, unseen))
    names = {"training_references": "a", "held_out": "b", "training_held_out": "c"}
    run: Any = SimpleNamespace(
        pictures=None,
        settings=SimpleNamespace(seed=0),
        **{
            split: {"name": name, **dict.fromkeys(range(len(sets[name]) - 1))}
            for split, name in names.items()
        },
    )
    return held_out_of(run)


def test_the_probe_never_sees_references_nor_what_it_is_asked_about(held_out: HeldOut) -> None:
    fitted: Any = held_out.probe
    assert [len(part) for part in fitted] == [6, 6] and len(held_out.fresh) == 14
    assert torch.equal(torch.cat([fitted[1], held_out.fresh]), held_out.unseen)
    assert len(held_out.training) == 7 and not torch.equal(fitted[0], held_out.training[:6])


def checked(controls: Sequence[str] = ("twin",), **changes: int) -> None:
    knobs = {"n_training": 5, "n_held_out": 10, "n_references": 2, "n_samples": 2} | changes
    domain = SimpleNamespace(size=lambda split: None)
    run: Any = SimpleNamespace(
        settings=SimpleNamespace(**knobs),
        domain=domain,
        training_domain=domain,
        controls=controls,
    )
    Interference(**vars(settings(samplers=None))).check(run)


@pytest.mark.parametrize("knob", ["n_training", "n_held_out", "n_references", "n_samples"])
def test_too_few_images_are_refused_before_compute(knob: str) -> None:
    checked()
    with pytest.raises(UserError, match=f"the stage interference needs {knob} to be at least"):
        checked(**{knob: {"n_training": 4, "n_held_out": 9}.get(knob, 1)})


def test_what_the_network_adds_needs_the_twin() -> None:
    with pytest.raises(UserError, match=r"needs the control twin, but got \['wiener'\]. Add twin to control"):
        checked(controls=["wiener"])


def settings(**changes: Any) -> InterferenceSettings:
    fine: dict[str, Any] = {
        "etas": [0, 1],
        "samplers": None,
        "n_images": 8,
        **dict.fromkeys(("least_accuracy", "negligible", "precision_share", "copy_margin"), 0.5),
    }
    return InterferenceSettings(**fine | changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"etas": [0.5, 1]}, "etas must hold 0"),
        ({"etas": [0, 2]}, "etas must hold 0 and lie"),
        ({"n_images": 5}, "n_images must be at least 6"),
        ({"samplers": {"own": {}}}, "must not use the name of the run's own"),
        ({"negligible": 1.0}, "negligible must lie between 0 and 1"),
    ],
)
def test_mistakes_in_the_settings(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        settings(**changes)


def test_the_plots_are_the_same_bytes_for_the_same_figures() -> None:
    each = Estimate(0.25, 0.1, 0.5, 16)
    point = Figures(16, each, each, Estimate(90, 80, 100, 16), Estimate(150, 140, 160, 16))
    curve = [AtEta(**vars(point), eta=eta) for eta in (0.0, 0.5, 1.0)]
    for draw in (
        lambda: capture_curve(curve, each),
        lambda: fid_curves(curve, point),
        lambda: sampler_bars({"own": point, "white": point}, each, point),
    ):
        assert draw() == draw() and "</svg>" in draw()
