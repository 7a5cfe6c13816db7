"""What `pip install .` installs works from an empty folder: configuration and weights travel in the wheel."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.cli import TINY, results, run_anew

ROOT = Path(__file__).parents[2]


def test_wheel_is_complete(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*build, "--wheel-dir", str(tmp_path), str(ROOT)], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    site, empty = tmp_path / "site", tmp_path / "empty"
    zipfile.ZipFile(wheel).extractall(site)
    empty.mkdir()
    where = "import ood_diffusion.runs.configuration as c; print(c.conf_folder())"
    environment = {**os.environ, "PYTHONPATH": str(site)}
    found = subprocess.run(
        [sys.executable, "-c", where], cwd=empty, env=environment, capture_output=True, text=True, check=True
    )
    assert Path(found.stdout.strip()) == site / "ood_diffusion" / "conf"
    done = run_anew(empty, "+sweep=eta", "eta=0", *TINY, PYTHONPATH=str(site))
    assert done.returncode == 0, done.stderr
    assert (done.stdout.strip().splitlines()[-1]).endswith("report.html")
    assert results(empty)[0]["weights"]["before"]
    assert (site / "ood_diffusion" / "py.typed").is_file()
    assert wheel.stat().st_size < 40_000_000
    sweeps = {path.name for path in (ROOT / "sweeps").glob("*.yaml")}
    assert sweeps == {path.name for path in (site / "ood_diffusion" / "conf" / "sweep").glob("*.yaml")}
