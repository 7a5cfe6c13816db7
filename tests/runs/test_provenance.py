"""What made a result: command, data and versions, in `results.json` and on the page."""

import html
import re
from pathlib import Path

import numpy as np

from ood_diffusion.report.collect.rows import figures
from ood_diffusion.report.collect.run_folder import RunFolder
from tests.cli import QUICK, TINY, results, run_cli


def test_results_and_report_say_what_made_them(tmp_path: Path) -> None:
    maps = np.random.default_rng(0).uniform(0, 5, (30, 16, 16)).astype(np.float32)
    (tmp_path / "my maps").mkdir()
    np.save(tmp_path / "my maps" / "a.npy", maps)
    (tmp_path / "my maps" / "b.fits.gz").touch()
    domain = ["domain=array", "domain.path=${data}/my maps", "domain.axes=NHW", "domain.low=1"]
    domain += ["domain.high=10", "domain.outside=clip", "domain.channels=rgb", f"data={tmp_path}"]
    done = run_cli(tmp_path, *TINY, *QUICK, *domain, "stages=[invert,report]", "n_held_out=3", "eta=0.5")
    assert done.returncode == 0, done.stderr
    found = results(tmp_path)[0]
    assert found["command"].startswith("ood-diffusion n_references=12 ")
    assert "'domain.path=${data}/my maps' domain.axes=NHW" in found["command"]
    data = found["data"].pop("domain")
    assert found["data"] == {}  # no stage has used the training domain
    assert data["path"] == str(tmp_path / "my maps") and data["settings"]["axes"] == "NHW"
    assert data["passed_over"] == {".fits.gz": 1} and data["low"] == [1.0]
    assert data["clipped"] == 3 * int((maps < 1).sum())
    assert data["pictures"] == {"references": 15, "held_out": 15}
    assert {split: used["n"] for split, used in data["used"].items()} == {"references": 12, "held_out": 3}
    assert all(re.fullmatch("[0-9a-f]{16}", used["digest"]) for used in data["used"].values())
    page = html.unescape(next(tmp_path.rglob("report.html")).read_text())
    for word in (
        found["command"],
        data["path"],
        data["used"]["references"]["digest"],
        found["versions"]["torch"],
    ):
        assert word in page
    assert f"Skipped in {tmp_path}/my maps: 1 .fits.gz. Read: 30." in done.stderr
    run = RunFolder(next(tmp_path.rglob("results.json")).parent)
    assert not run.contents.damage
    assert not [name for name in figures(run.results) if name.startswith(("data", "command"))]


def test_the_digest_depends_on_what_is_used(tmp_path: Path) -> None:
    digests = []
    for n in (12, 13, 12):
        done = run_cli(
            tmp_path, *TINY, *QUICK, "stages=[invert]", f"n_references={n}", f"hydra.run.dir=run_{n}"
        )
        assert done.returncode == 0, done.stderr
        found = results(tmp_path / f"run_{n}")[0]["data"]["domain"]
        assert found["settings"]["_target_"].endswith("GalaxiesSim")
        digests.append(found["used"]["references"]["digest"])
    assert digests[0] == digests[2] != digests[1]


def test_names_that_are_no_utf_8_cost_no_result(tmp_path: Path) -> None:
    folder = Path(f"{tmp_path}/\udcff")
    folder.mkdir()
    np.save(folder / "a.npy", np.random.default_rng(0).uniform(0, 5, (30, 16, 16)))
    domain = [
        "domain=array",
        f"domain.path={tmp_path}/given",
        "domain.axes=NHW",
        "domain.low=1",
        "domain.outside=clip",
        "domain.channels=rgb",
        "domain.high=10",
    ]
    (tmp_path / "given").symlink_to(folder)
    done = run_cli(tmp_path, *TINY, *QUICK, *domain, "stages=[invert,report]", "n_held_out=3")
    assert done.returncode == 0, done.stderr
