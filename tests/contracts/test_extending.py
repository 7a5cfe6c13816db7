"""docs/extending.md, followed to the letter."""

import re
import shlex
from pathlib import Path

import pytest

from tests.cli import TINY, results, run_cli

PAGE = (Path(__file__).parents[2] / "docs" / "extending.md").read_text()
FILES = dict(re.findall(r'```\w+ title="([^"]+)"\n(.*?)```', PAGE, re.DOTALL))
COMMANDS = re.findall(r"```bash\npython -m ood_diffusion (.*?)\n```", PAGE, re.DOTALL)


def test_the_page_shows_all_six() -> None:
    assert len(COMMANDS) == 7 and len(FILES) == 12


@pytest.mark.parametrize("command", COMMANDS)
def test_the_page_works(command: str, tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "mine" / "__init__.py").touch()
    done = run_cli(tmp_path, *shlex.split(command), *TINY)
    assert done.returncode == 0, done.stderr
    (r,) = results(tmp_path)
    group, name = shlex.split(command)[2].split("=")
    if group == "metric":
        assert set(r["metrics"]["sets"]["samples"]) == {"n", "fid", "mean_shift"}
        assert r["metrics"]["better"]["mean_shift"] == "lower"
        assert "mean shift ↓" in done.stdout
    else:
        assert r["cell"][group] == name
