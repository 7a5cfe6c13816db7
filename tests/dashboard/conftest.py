"""A sweep of made-up runs with pictures, and its page, written once."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from ood_diffusion.dashboard.command import dashboard
from ood_diffusion.report.pictures import Pictures, png_bytes
from tests.dashboard.browser import Page, chromium
from tests.report.fake import images, results, write_run

HOSTILE = '</script><script>window.hacked = true</script><img src=x onerror="window.hacked = true">'
"""A name that a data set could have."""

TRACKED = "https://wandb.ai/someone/ood-diffusion/runs/1"


def data_in(path: Path) -> Any:
    """What the page holds."""
    (text,) = re.findall(
        r'<script type="application/json" id="data">(.*?)</script>', path.read_text(), re.DOTALL
    )
    return json.loads(text)


def estimate(value: float, half: float) -> dict[str, float]:
    return {"value": value, "low": value - half, "high": value + half, "n": 64}


def found(fid: float = 100.0, **coordinates: Any) -> dict[str, Any]:
    made: dict[str, Any] = results()
    made["coordinates"] |= {"n_references": 6, "n_samples": 5, **coordinates}
    made["metrics"]["sets"]["samples"]["fid"] = fid
    made["metrics"]["intervals"] = {"samples": {"fid": estimate(fid, 5)}}
    made["metrics"]["making"] = {"uses_prior": True, "calls_per_reference": 24, "calls_per_sample": 24}
    return made


def bandwidth() -> dict[str, Any]:
    curve = [{"angle": angle, "inside": 0.5, "interval": estimate(0.5, 0.2)} for angle in (0, 30)]
    levels = [{"level": level, "bandwidth": estimate(30, 9), "curve": curve} for level in (300.0, 600.0)]
    gap = {**estimate(700, 90), "n": 16}
    return {"gap": gap, "levels": levels, "recommended": 600.0, "comparison": {"unseen": estimate(30, 9)}}


def leave_pictures(folder: Path, pictures: Pictures) -> None:
    """What the stage report leaves."""
    from ood_diffusion.stages.report import picture_grids

    for name, sheet in picture_grids(pictures).items():
        (folder / f"{name}.png").write_bytes(png_bytes(sheet))


def pictures_of(seed: int) -> Pictures:
    """Every run has references of its own domain's and samples of its own."""
    given, drawn = images(6, 24), images(5, 24, seed=seed)
    return Pictures(given, given.flip(2), drawn, given[torch.tensor([0, 1, 2, 0, 1])])


@pytest.fixture(scope="session")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two domains at three etas, a run that failed, one that is unfinished and one with a hostile name."""
    folder = tmp_path_factory.mktemp("sweep")
    for i, (domain, eta) in enumerate((d, e) for d in ("galaxies", "fields") for e in (0.0, 0.5, 1.0)):
        made = found(100 + 10 * i, domain=domain, eta=eta)
        made["metrics"]["sets"]["samples"]["precision"] = 0.5 + 0.05 * i
        if eta == 0:
            made["bandwidth"] = bandwidth()
        if i == 1:
            made["tracking"] = {"url": TRACKED}
        write_run(folder / str(i), f"domain={domain}", f"eta={eta:g}", found=made, eta=eta)
        leave_pictures(folder / str(i), pictures_of(seed=i + 1))
    (folder / "1" / "report.html").write_text("<!doctype html>")
    write_run(folder / "6", "eta=7", eta=7, error=f"eta must lie between 0 and 1: {HOSTILE}")
    begun = {"coordinates": found(eta=0.0)["coordinates"]}
    write_run(folder / "7", "eta=0", found=begun, eta=0, made_by=None)
    write_run(folder / "8", "eta=0", found=found(500.0, domain=HOSTILE, eta=0.0), eta=0)
    return folder


@pytest.fixture(scope="session")
def written(sweep: Path) -> Iterator[Path]:
    """The page of the sweep."""
    output = sweep / "page" / "dashboard.html"
    assert not dashboard([str(sweep), "--output", str(output)])  # some runs are not complete
    yield output


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with chromium(tmp_path_factory.mktemp("chromium")) as made:
        yield made


@pytest.fixture
def page(driver: Any, written: Path) -> Page:
    """The page of the sweep, opened anew."""
    made = Page(driver)
    made.emulate("light")
    driver.get(written.as_uri())
    made.settle()
    return made
