"""The Python of docs/api.md, which has the README's, and every script in docs/examples runs."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image

from tests.cli import MEANS, QUICK, ROOT, TINY, results, run_cli
from tests.contracts.test_readme import images
from tests.scale.test_slurm import partitions

EXAMPLES = ROOT / "docs" / "examples"
SMALLER = {
    r"n_references=\d+": "n_references=6",
    r"n_held_out=\d+": "n_held_out=6",
    r"steps=\d+": "steps=1",
    r"(draw\(bank, )\d+": r"\g<1>6",
}


def small(code: str) -> str:
    """The code with fewer images and steps."""
    for number, smaller in SMALLER.items():
        code = re.sub(number, smaller, code)
    return code


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    images(tmp_path / "my_images", 12, seed=0)
    np.save(tmp_path / "my_maps.npy", np.random.default_rng(3).uniform(0.1, 100, (24, 20, 30)))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def blocks(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


def test_page() -> None:
    found: dict[str, object] = {}
    exec(small("\n".join(blocks("docs/api.md"))), found)
    assert "FID" in str(found["scores"])


def test_the_readme_has_the_lines_of_the_page() -> None:
    assert blocks("README.md") == blocks("docs/api.md")[:1]


@pytest.mark.parametrize("name", ["own_images.py", "own_model.py", "latent_prior.py"])
def test_script(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [name, "my_images"])
    exec(small((EXAMPLES / name).read_text()), {"__name__": "__main__"})
    said = capsys.readouterr().out
    assert "round trip" in said and said.count("FID") == 2
    for grid in folder.glob("*.png"):
        assert np.asarray(Image.open(grid)).std() > 10
    assert (
        len(list(folder.glob("*.png"))) == {"own_images.py": 1, "own_model.py": 2, "latent_prior.py": 1}[name]
    )


def test_runs_side_by_side(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The table has the figures of the runs, in the order of the setting."""
    small = [*TINY, *QUICK, *MEANS, "stages=[invert,sample,evaluate]"]
    done = run_cli(folder, "-m", "eta=1,0", *small)
    assert done.returncode == 0, done.stderr
    monkeypatch.setattr(sys, "argv", ["compare_runs.py", "outputs", "eta"])
    exec((EXAMPLES / "compare_runs.py").read_text(), {"__name__": "__main__"})
    head, *lines = capsys.readouterr().out.splitlines()
    expected = {r["coordinates"]["eta"]: r["metrics"]["intervals"] for r in results(folder)}
    assert "FID of samples" in head and [float(line.split()[0]) for line in lines] == [0, 1]
    for line, eta in zip(lines, (0, 1), strict=True):
        for name in ("samples", "twin"):
            assert f" {expected[eta][name]['fid']['value']:.1f} [" in line
    assert np.asarray(Image.open("compare_runs.png")).std() > 10


def test_no_other_script_is_there() -> None:
    scripts = {"own_images.py", "own_model.py", "latent_prior.py", "compare_runs.py", "grid_on_slurm.sh"}
    assert {path.name for path in EXAMPLES.iterdir()} == scripts


def commands_of(script: str) -> list[list[str]]:
    """The words of each `ood-diffusion` of a script, as its shell passes them on."""
    instead = "ood-diffusion() { printf '%s\\n' \"$@\"; echo; }\n"
    said = subprocess.run(["bash", "-c", instead + script], capture_output=True, text=True, check=True).stdout
    return [command.split("\n") for command in said.strip().split("\n\n")]


def test_grid(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """On a real SLURM where one answers, else without it: the plan, and the runs in this process."""
    script = (EXAMPLES / "grid_on_slurm.sh").read_text()
    tiny = {
        "domain=galaxies_sim,radiation_sim": f"domain=galaxies_sim {' '.join(TINY[:-1])} 'stages=[invert]'",
        "level=300,500,700": "level=300",
        "linear_combination,draw": "draw",
        "launcher=slurm": "launcher=slurm hydra.launcher.cpus_per_task=1",  # a machine with two has no 8
    }
    for values, value in tiny.items():
        assert values in script
        script = script.replace(values, value)
    if not partitions():
        script = re.sub(r"launcher=slurm|hydra\.launcher\.\w+=\S+", "", script)
    with FileLock(tmp_path_factory.getbasetemp().parent / "slurm.lock"):
        for words in commands_of(script):
            done = run_cli(folder, *words)
            assert done.returncode == 0, done.stdout + done.stderr
    assert len(results(folder)) == 1 and (folder / "outputs/sweeps/levels/runs.csv").is_file()
