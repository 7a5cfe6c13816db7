"""docs/extending.md, followed to the letter."""

import re
import shlex
from pathlib import Path

import pytest

from tests.cli import MEANS, QUICK, TINY, UNREPORTED, results, run_cli

PAGE = (Path(__file__).parents[2] / "docs" / "extending.md").read_text()
FILES = dict(re.findall(r'```\w+ title="([^"]+)"\n(.*?)```', PAGE, re.DOTALL))
COMMANDS = re.findall(r"```bash\npython -m ood_diffusion (.*?)\n```", PAGE, re.DOTALL)


def test_the_page_shows_all_eight() -> None:
    assert len(COMMANDS) == 9 and len(FILES) == 16


@pytest.mark.parametrize("command", COMMANDS)
def test_the_page_works(command: str, tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "mine" / "__init__.py").touch()
    job = [*shlex.split(command), *TINY, *MEANS, *(() if "model=" in command else QUICK)]
    job += [] if "stage" in command else [UNREPORTED]
    done = run_cli(tmp_path, *job)
    assert done.returncode == 0, done.stderr
    (r,) = results(tmp_path)
    group, name = shlex.split(command)[2].split("=")
    if "stage" in group:
        (folder,) = (tmp_path / "outputs" / "runs").iterdir()
        page = (folder / "report.html").read_text()
        for where in (done.stdout, page):
            assert "New images are as bright as real ones" in where
        assert any("brightness" in line and " bytes" in line for line in done.stdout.splitlines())
        assert "brightness: brightness.svg" in page and r["claims"]["brightness"]
        planned = run_cli(tmp_path, *job, "dry_run=true")
        assert "brightness: no network calls beyond those of the samples" in planned.stdout
        refused = run_cli(tmp_path, *job, "n_samples=4")
        assert refused.returncode == 2 and "brightness needs 8 samples" in refused.stderr
    elif "control" in group:
        assert set(r["metrics"]["network_adds"]) == {"twin", "average", "wiener", "copies"}
        assert set(r["metrics"]["network_adds"]["copies"]) == {"fid", "kid"}
    elif group == "metric":
        assert set(r["metrics"]["sets"]["samples"]) == {"n", "fid", "mean_shift"}
        assert {each["better"] for each in r["figures"] if "mean_shift" in each["path"]} == {"lower"}
        assert "mean shift ↓" in done.stdout
    else:
        assert r["coordinates"][group] == name
