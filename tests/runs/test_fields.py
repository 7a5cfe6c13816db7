"""Fields through the real command: one channel and five bands, square and not, in physical units."""

import json
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray

from ood_diffusion.stages.export import export
from tests.cli import MEANS, TINY, results, run_cli

NETWORK = ["model=torch_module", "model.network._target_=tests.lightning.networks.GaussianNetwork"]
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
    domain += ["domain.low=0.001", "domain.high=1000"]
    done = run_cli(tmp_path, *RUN, *domain, *view, f"model.shape={shape}")
    assert done.returncode == 0, done.stderr
    (found,) = results(tmp_path)
    assert found["metrics"]["extractor"].startswith(f"means_2, view {seen}")
    assert found["cell"]["extractor"].startswith(f"efficientnet_lite0, view {seen}")
    assert found["metrics"]["sets"]["references"]["fid"] > 0
    assert found["reconstruct"]["psnr_min"] > 40
    assert found["data"]["domain"]["low"] == [0.001]
    check_exports(tmp_path, stored)
    again = run_cli(tmp_path, *RUN, *domain, *view, f"model.shape={shape}")
    assert again.returncode == 0 and results(tmp_path)[1]["store"]["made"] == 0


def check_exports(folder: Path, stored: tuple[int, ...]) -> None:
    (run,) = (path.parent for path in folder.rglob("results.json"))
    for options in (["--format=npz"], ["--format=fits"], ["--what=latents"], ["--format=png"]):
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
    with np.load(run / "latents.npz") as file:
        assert file["latents"].shape == (8, *found.shape[1:])
    assert len(list((run / "reconstructions").glob("*.png"))) == 12


def test_what_does_not_fit_is_refused_with_both_shapes_and_the_remedy(tmp_path: Path) -> None:
    np.save(tmp_path / "maps.npy", densities(40, 16, 16))
    domain = ["domain=array", "domain.path=maps.npy", "domain.axes=NHW", "domain.low=0", "domain.high=1000"]
    done = run_cli(tmp_path, *RUN, *domain, "model.image_size=16")
    assert done.returncode == 2
    assert "takes, (3, 16, 16), but got (1, 16, 16). Set domain.channels to grey, rgb" in done.stderr
    done = run_cli(tmp_path, *RUN, "domain=galaxies_sim", "model.shape=[3,16,24]")
    assert done.returncode == 2
    assert "takes, (3, 16, 24), but got (3, 16, 16). This domain makes squares only" in done.stderr
    done = run_cli(tmp_path, *RUN, *domain, "model.shape=[1,16,16]", "stages=[invert,physics]")
    assert done.returncode == 2 and "the stage physics needs RGB photographs" in done.stderr
