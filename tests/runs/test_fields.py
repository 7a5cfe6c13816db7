"""Fields through the real command: one channel and five bands, square and not, in physical units."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

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
    again = run_cli(tmp_path, *RUN, *domain, *view, f"model.shape={shape}")
    assert again.returncode == 0 and results(tmp_path)[1]["store"]["made"] == 0


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
