"""Fields through the real command: one channel and five bands, square and not, in physical units."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray
from PIL import Image

from ood_diffusion.stages.export import export
from tests.cli import MEANS, TINY, results, run_cli

NETWORK = ["model=torch_module", "model.network._target_=tests.lightning.networks.GaussianNetwork"]
STAGES = "invert,reconstruct,sample,evaluate,physics,report"
RUN = [*TINY, *NETWORK, *MEANS, "metric=fid", "steps=16"]


def densities(*shape: int) -> NDArray[np.float64]:
    """Log-normal, over six decades."""
    return np.asarray(10 ** np.random.default_rng(0).uniform(-2.9, 2.9, shape))


@pytest.mark.parametrize(
    ("axes", "stored", "shape", "view", "seen"),
    [
        ("NHW", (40, 28, 28), "[1,28,28]", [], "channels"),
        ("NCHW", (40, 5, 24, 36), "[5,24,36]", ["view=lupton", "view.channels=[4,2,0]"], "lupton [4, 2, 0]"),
    ],
)
def test_the_main_job(
    axes: str, stored: tuple[int, ...], shape: str, view: list[str], seen: str, tmp_path: Path
) -> None:
    np.save(tmp_path / "maps.npy", densities(*stored))
    domain = ["domain=array", "domain.path=maps.npy", f"domain.axes={axes}", "domain.scale=log10"]
    domain += ["domain.low=0.001", "domain.high=1000", f"stages=[{STAGES}]"]
    done = run_cli(tmp_path, *RUN, *domain, *view, f"model.shape={shape}")
    assert done.returncode == 0, done.stderr
    (found,) = results(tmp_path)
    assert found["metrics"]["extractor"].startswith(f"means_2, view {seen}")
    assert found["coordinates"]["extractor"].startswith(f"efficientnet_lite0, view {seen}")
    assert found["metrics"]["sets"]["references"]["fid"] > 0
    assert found["reconstruct"]["psnr_min"] > 40
    assert found["data"]["domain"]["low"] == [0.001]
    cost = found["data"]["domain"]["cost"]
    assert cost["unit"] == "dex" and cost["cut"] == 0 and abs(cost["resize"]) < 1e-12 and cost["scale"] < 1e-6
    error = found["reconstruct"]["physical"]
    assert error["unit"] == "dex" and 0 < error["rms"] < 0.05 and abs(error["flux"]) < 0.05
    assert error["share_of_sd"] == pytest.approx(error["rms"] / (5.8 / 12**0.5), rel=0.05)
    assert "round-trip error" in done.stdout and "dex" in done.stdout
    check_physics(found["physics"], channels=1 if axes == "NHW" else 5)
    check_exports(tmp_path, stored)
    again = run_cli(tmp_path, *RUN, *domain, *view, f"model.shape={shape}")
    assert again.returncode == 0 and results(tmp_path)[1]["store"]["made"] == 0


def check_physics(found: dict[str, Any], channels: int) -> None:
    assert found["unit"] == "dex"
    assert set(found["sets"]) == {"samples", "twin", "references", "blurred references"}
    statistics = found["sets"]["references"]["statistics"]
    name = "sd" if channels == 1 else "sd_4"
    assert statistics[name]["samples"] == pytest.approx(5.8 / 12**0.5, rel=0.05)  # evenly over 5.8 decades
    groups = [check["figure"].partition(":")[0] for check in found["checks"]]
    assert groups == ["power spectrum", "morphology", "values", "topology", "channels"][: 4 + (channels > 1)]
    assert all("the twin's" in check["figure"] for check in found["checks"])


def check_exports(folder: Path, stored: tuple[int, ...]) -> None:
    (run,) = (path.parent for path in folder.rglob("results.json"))
    zarr = pytest.importorskip("zarr", reason="zarr 3 needs Python 3.11")
    formats = ([f"--format={name}"] for name in ("npz", "fits", "hdf5", "zarr", "png"))
    for options in (*formats, ["--what=latents"]):
        assert export([str(run), "--what=reconstructions", *options])
    with np.load(run / "reconstructions.npz") as file:
        found, header = file["reconstructions"], json.loads(str(file["header"]))
    assert found.shape == (12, *((1,) if len(stored) == 3 else ()), *stored[1:]) and found.dtype == np.float32
    maps = np.load(folder / "maps.npy").reshape(40, *found.shape[1:])
    dex = np.abs(np.log10(found[:, None]) - np.log10(maps[None])).reshape(12, 40, -1).max(axis=2).min(axis=1)
    assert dex.max() < 0.2, "each is one of the maps, in their unit"
    assert (header["model"], header["scale"], header["level"]) == ("torch_module", "log10", 500)
    with fits.open(run / "reconstructions.fits") as file:
        assert np.array_equal(file[0].data, found)
        assert (file[0].header["SCALE"], file[0].header["HIGH"]) == ("log10", 1000)
    stores = h5py.File(run / "reconstructions.h5")["reconstructions"], zarr.open(run / "reconstructions.zarr")
    for array in (stores[0], stores[1]["reconstructions"]):
        assert np.array_equal(array[:], found)
        assert (array.attrs["scale"], list(array.attrs["high"]), array.attrs["level"]) == (
            "log10",
            [1000],
            500,
        )
    with np.load(run / "latents.npz") as file:
        assert file["latents"].shape == (8, *found.shape[1:])
    assert len(list((run / "reconstructions").glob("*.png"))) == 12


def test_what_does_not_fit_is_refused_with_both_shapes_and_the_remedy(tmp_path: Path) -> None:
    np.save(tmp_path / "maps.npy", densities(40, 16, 16))
    domain = ["domain=array", "domain.path=maps.npy", "domain.axes=NHW", "domain.low=0", "domain.high=1000"]
    done = run_cli(tmp_path, *RUN, *domain, "model.image_size=16")
    assert done.returncode == 2
    assert "takes, (3, 16, 16), but got (1, 16, 16). Set domain.channels to grey, rgb" in done.stderr
    done = run_cli(tmp_path, *RUN, "domain=galaxies_sim", "model.shape=[1,16,16]")
    assert done.returncode == 2
    assert "takes, (1, 16, 16), but got (3, 16, 16). Set domain.channels to grey, rgb" in done.stderr
    done = run_cli(tmp_path, *RUN, "domain=galaxies_sim", "domain.bands=5", "model.image_size=16")
    assert done.returncode == 2
    assert "takes, (3, 16, 16), but got (5, 16, 16). Set domain.channels to grey, rgb" in done.stderr
    done = run_cli(tmp_path, *RUN, "domain=galaxies_sim", "model.shape=[3,16,24]")
    assert done.returncode == 2
    assert "takes, (3, 16, 24), but got (3, 16, 16). This domain makes squares only" in done.stderr
    done = run_cli(tmp_path, *RUN, *domain, "model.shape=[1,16,16]", "stages=[invert,transfer]")
    assert done.returncode == 2 and "the stage transfer needs RGB photographs" in done.stderr
    assert "made of the luminance of photographs. Leave it out: stages=[invert]." in done.stderr


def test_the_study_looks_at_fields(tmp_path: Path) -> None:
    """One channel of float32, photographs nowhere; what a stage shows is the view."""
    asked = ["stages=[analyse,bandwidth,interference,few_shot,preservation,report]", "model.shape=[1,32,32]"]
    asked += ["domain=radiation_field_sim", "domain@training_domain=density_sim"]
    asked += ["view=colormap", "view.name=inferno"]
    asked += ["n_training=12", "n_held_out=24", "metric=[fid,field_distance]"]
    asked += [
        "stage.analyse.n_latents=9",
        "stage.analyse.n_round_trip=3",
        "stage.analyse.round_trip_steps=[1]",
    ]
    asked += ["stage.analyse.levels=[1000]", "stage.analyse.n_null=40", "stage.analyse.steps=3"]
    asked += ["stage.bandwidth.levels=[300]", "stage.bandwidth.n_images=4", "stage.bandwidth.angles=[0,30]"]
    asked += ["stage.bandwidth.nearest_k=3", "stage.bandwidth.n_judges=6", "stage.interference.etas=[0]"]
    asked += ["stage.few_shot.counts=[6]", "stage.few_shot.repeats=2", "stage.preservation.n_own=2"]
    asked += ["stage.preservation.sdedit_levels=[300]", "baseline=finetune"]
    asked += [
        "stage.report.pdf=true",
        "stage.preservation.finetune.budgets=[1]",
        "stage.preservation.finetune.batch_size=4",
    ]
    done = run_cli(tmp_path, *TINY, *NETWORK, *MEANS, *asked)
    assert done.returncode == 0, done.stderr
    (found,) = results(tmp_path)
    assert {"analyse", "bandwidth", "interference", "few_shot", "preservation"} <= set(found)
    assert found["preservation"]["own"]["differing"] == 0
    (copy,) = found["preservation"]["finetune"]["copies"]
    assert copy["weights"] != found["weights"]["after"] and copy["fid_unseen"]["value"] > 0
    assert "rounding" not in found["analyse"]["round_trip"]
    assert found["few_shot"]["curve"][0]["runs"][0]["fid"] > 0
    folder = next(tmp_path.rglob("results.json")).parent
    plots, papers = ({path.stem for path in folder.glob(f"*.{kind}")} for kind in ("svg", "pdf"))
    assert plots == papers and {"analyse_spectra", "bandwidth_curves", "few_shot", "preservation"} < plots
    (coloured,) = folder.glob("bandwidth_moved.png")
    pixels = np.asarray(Image.open(coloured).convert("RGB")).reshape(-1, 3)
    assert len(np.unique(pixels, axis=0)) > 10 and (pixels[:, 0] != pixels[:, 2]).mean() > 0.5
