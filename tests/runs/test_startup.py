"""Help and mistakes in the configuration answer before anything heavy is imported."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli import LIMIT, ROOT

HEAVY = {"torch", "pytorch_lightning", "diffusers", "torchvision", "scipy", "matplotlib", "wandb", "numpy"}
ANSWERS = [
    (["--help"], 0, "Groups"),
    (["nonsense=1"], 2, "nonsense"),
    (["model=nope"], 2, "cats_64"),
    (["steps=-1"], 2, "steps must be an integer"),
    (["eta=2"], 2, "eta must lie between 0"),
    (["stages=[invrt]"], 2, "stages must be chosen from"),
    (["--cfg", "job"], 0, "n_references"),
]


def imported(importtime: str) -> set[str]:
    """Top-level packages in what ``python -X importtime`` writes."""
    lines = [line for line in importtime.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


@pytest.mark.parametrize(("arguments", "status", "says"), ANSWERS, ids=lambda value: str(value))
def test_an_answer_needs_no_heavy_library(
    tmp_path: Path, arguments: list[str], status: int, says: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "ood_diffusion", *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == status, done.stderr
    assert says in done.stdout + done.stderr
    assert "hydra" in imported(done.stderr)
    assert not imported(done.stderr) & HEAVY


def test_nobody_reads_on(tmp_path: Path) -> None:
    """As in `… | head -1`: no traceback, no message."""
    command = [sys.executable, "-m", "ood_diffusion", "--cfg", "job"]
    running = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert running.stdout is not None and running.stderr is not None
    running.stdout.close()
    assert running.stderr.read() == "" and running.wait() == 1


def test_other_hydra_programs_import_next_to_nothing_of_it() -> None:
    """Hydra looks through `hydra_plugins` whatever program it starts."""
    code = "import sys, hydra_plugins.ood_diffusion_sweeps; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    own = {name for name in done.stdout.split() if name.startswith("ood_diffusion")}
    assert own == {"ood_diffusion", "ood_diffusion.runs", "ood_diffusion.runs.swept"}
