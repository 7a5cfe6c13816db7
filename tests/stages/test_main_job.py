"""The main job through the real command, small."""

import math
from pathlib import Path

import pytest

from tests.cli import TINY, results, run_cli


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("job")
    done = run_cli(folder, *TINY)
    assert done.returncode == 0, done.stderr
    (folder / "stdout.txt").write_text(done.stdout)
    return folder


def test_every_figure_is_there_and_finite(folder: Path) -> None:
    (r,) = results(folder)
    assert r["coordinates"] == {
        "model": "cats_64",
        "domain": "galaxies_sim",
        "prior": r["coordinates"]["prior"],
        "sampler": r["coordinates"]["sampler"],
        "selection": r["coordinates"]["selection"],
        "solver": "dpmpp_2m",
        "grid": "uniform_lambda",
        "extractor": "efficientnet_lite0",
        "eta": 0.0,
        "steps": 2,
        "level": r["coordinates"]["level"],
        "seed": 0,
        "n_references": 12,
        "n_held_out": 16,
        "n_samples": 8,
        "n_training": 96,
        "batch_size": 4,
        "precision": "fp32",
        "compile": False,
    }
    for name in ("samples", "reconstructions", "references"):
        figures = r["metrics"]["sets"][name]
        assert set(figures) == {"n", "fid", "kid", "precision", "recall", "density", "coverage"}
        assert all(math.isfinite(value) for value in figures.values())
        intervals = r["metrics"]["intervals"][name]
        if name == "samples":
            figures = {**figures, "copies": r["metrics"]["novelty"]["copies"]}
        assert set(intervals) == {"fid", "kid", "precision", "recall", "copies"} & {*figures}
        for metric, found in intervals.items():
            assert found["value"] == pytest.approx(figures[metric], rel=1e-6, abs=1e-9)
            assert found["low"] < found["value"] < found["high"] or found["value"] in (0, 1)
        assert intervals["precision"]["n"] == figures["n"] and intervals["recall"]["n"] == 16
    made = {
        "uses_prior": False,
        "calls_per_reference": 2,
        "calls_per_sample": 2,
        "calls_per_image": 2 + 2 * 12 / 8,
    }
    assert r["metrics"]["making"] == made and r["sample"]["share_kept"] == 1
    assert r["metrics"]["sets"]["samples"]["n"] == 8 and r["metrics"]["n_real"] == 16
    assert r["metrics"]["extractor"].startswith("efficientnet_lite0")
    assert r["weights"]["before"] == r["weights"]["after"]
    assert 5 < r["reconstruct"]["psnr_mean"] < 60
    assert set(r["latents"]) == {"references", "samples", "isotropic"}
    assert set(r["versions"]) >= {"torch", "pytorch-lightning", "ood-diffusion"}


def test_network_calls_are_the_minimum(folder: Path) -> None:
    (r,) = results(folder)
    assert r["cost"]["network_calls"] == {
        "invert": 12 * 2,
        "reconstruct": 12 * 2,
        "sample": 8 * 2,
        "evaluate": 0,
        "report": 0,
    }


def test_files_of_a_run(folder: Path) -> None:
    (run,) = (folder / "outputs" / "runs").iterdir()
    names = {path.name for path in run.iterdir()}
    assert {"results.json", "report.html", "references.png", "samples.png", "reconstructions.png"} <= names
    assert (run / ".hydra" / "config.yaml").exists()


def test_it_ends_with_a_table_and_the_path_of_the_report(folder: Path) -> None:
    out = (folder / "stdout.txt").read_text()
    assert "FID" in out and "round-trip PSNR" in out
    assert out.strip().endswith("report.html")
