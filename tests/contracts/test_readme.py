"""Every command of the README and of the sweeps page runs."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli import TINY, results, run_cli

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = "\n".join(re.findall(r"```bash\n(.*?)```", README, re.DOTALL)).splitlines()
COMMANDS = [line.split(" ", 1)[1] for line in BLOCKS if line.startswith("ood-diffusion")]
SWEEPS = re.findall(r"`ood-diffusion (-m .*?)`", (ROOT / "sweeps" / "README.md").read_text())
MAKE = [line.split("#")[0].split()[1] for line in BLOCKS if line.startswith("make")]
SMALL = {
    "experiment=paper": ["steps=4", "selection.tolerance=20"],
    "selection=geometric": ["selection.tolerance=20"],
    "selection=none,geometric": ["selection=geometric", "selection.tolerance=20"],
    "experiment=train_cats_64": [
        "n_references=6",
        "n_held_out=4",
        "training.max_steps=1",
        "training.batch_size=2",
    ],
    "steps=80": ["steps=3"],
    "batch_size=auto": ["batch_size=auto"],
    "n_references=16,32,64,96": ["n_references=11,12"],
    "level=100,300,500,700,900": ["level=300,700"],
    "eta=0,0.25,0.5,0.75,1": ["eta=0,1"],
    "sampler=draw,slerp,linear_combination": ["sampler=draw,slerp"],
    "prior=gaussian,spectral,span,shrunk": ["prior=gaussian,span"],
}


def small(command: str) -> list[str]:
    """The command with fewer images; a value that is made smaller replaces the one in the page."""
    words = shlex.split(command)
    extra = [change for word in words for change in SMALL.get(word, [])]
    replaced = {change.split("=")[0] for change in extra}
    if any(word.startswith("logger.") for word in words):
        replaced.add("logger")  # logger=none has no such setting
    tiny = [t for t in TINY if t.split("=")[0] not in replaced]
    return [w for w in words if w.split("=")[0] not in replaced] + tiny + extra


def images(folder: Path, n: int, seed: int) -> None:
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for i in range(n):
        Image.fromarray(rng.integers(0, 255, (20, 30, 3), dtype=np.uint8)).save(folder / f"{i}.png")


@pytest.mark.parametrize("command", COMMANDS + SWEEPS)
def test_command(command: str, tmp_path: Path) -> None:
    images(tmp_path / "my_images", 40, seed=0)
    shutil.make_archive(str(tmp_path / "my_images"), "zip", tmp_path / "my_images")
    np.save(tmp_path / "my_maps.npy", np.random.default_rng(3).lognormal(0, 2, (40, 20, 30)))
    images(tmp_path / "my_training_images" / "train", 8, seed=1)
    images(tmp_path / "my_training_images" / "held_out", 4, seed=2)
    done = run_cli(tmp_path, *small(command))
    assert done.returncode == 0, done.stderr
    assert results(tmp_path)


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize("target", MAKE)
def test_make_target_exists(target: str) -> None:
    assert subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, check=False).returncode == 0


def test_commands_were_found() -> None:
    assert len(COMMANDS) >= 9 and len(SWEEPS) >= 6 and MAKE == ["study", "test"]


@pytest.mark.parametrize(
    "page",
    ["README.md", "docs/architecture.md", "docs/data.md", "docs/extending.md", "sweeps/README.md"],
)
def test_links_lead_somewhere(page: str) -> None:
    path = ROOT / page
    for link in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
        if not link.startswith("http"):
            assert (path.parent / link).exists(), link
