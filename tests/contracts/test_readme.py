"""Every command of the README and of the sweeps page runs."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ood_diffusion.cli import COMMANDS as READERS
from ood_diffusion.storage.store import TensorStore
from tests.cli import MEANS, QUICK, TINY, UNREPORTED, results, run_cli
from tests.report.fake import results as fake_results
from tests.report.fake import write_run

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "sweeps" / "README.md").read_text()


def blocks(page: str) -> list[str]:
    return "\n".join(re.findall(r"```bash\n(.*?)```", page, re.DOTALL)).splitlines()


def commands(lines: list[str]) -> list[str]:
    return [line.split("#")[0].split(" ", 1)[1] for line in lines if line.startswith("ood-diffusion")]


BLOCKS = blocks((ROOT / "README.md").read_text())
COMMANDS = commands(BLOCKS)
SWEEPS = [*re.findall(r"`ood-diffusion (.+?)`", PAGE), *commands(blocks(PAGE))]
MAKE = [line.split("#")[0].split()[1] for line in BLOCKS if line.startswith("make")]
CLAIMS = [
    "n_training=10",
    "training_domain.steps=2",
    "stage.analyse.n_round_trip=2",
    "stage.analyse.round_trip_steps=[2]",
    "stage.analyse.steps=4",
    "stage.analyse.levels=[1000]",
    "stage.analyse.n_null=40",
    "stage.bandwidth.levels=[300,500]",
    "stage.bandwidth.n_images=3",
    "stage.bandwidth.etas=[0,1]",
    "stage.interference.samplers=null",
    "stage.few_shot.repeats=2",
    "stage.preservation.sdedit_levels=[300]",
    "stage.preservation.n_own=2",
    "stage.transfer.n_images=4",
    "stage.transfer.levels=[]",
]
SMALL = {
    "experiment=paper": ["steps=4", "selection.tolerance=20"],
    "selection=geometric": ["selection.tolerance=20"],
    "experiment=train_cats_64": [
        "n_references=6",
        "n_held_out=4",
        "training.max_steps=1",
        "training.batch_size=2",
    ],
    "steps=80": ["steps=3"],
    "batch_size=auto": ["batch_size=auto"],
    "launcher=joblib": ["launcher=basic"],  # with joblib, and on several devices: tests/scale
    "trainer.devices=2": ["trainer.devices=1"],
    "eta=0,1": ["eta=1"],
    "eta=0,0.5,1": ["eta=0"],
    "+sweep=domain_gap": ["model=galaxies_64", "domain=galaxies_sim"],
    "+sweep=eta": ["eta=1"],
    "+sweep=few_shot": ["n_references=8"],
    "+sweep=level": ["level=300", "domain=galaxies_sim"],
    "experiment=claims": CLAIMS,
    "baseline=finetune": ["stage.preservation.finetune.budgets=[0.05]"],
    "level=auto": ["level=auto", *CLAIMS],
    "+sweep=bandwidth": [*CLAIMS, "domain=radiation_sim"],
    "+sweep=leaderboard": [*CLAIMS, "sampler=copy_references", "prior=span", "domain=galaxies_sim"],
    "+sweep=search": ["hydra.sweeper.n_trials=2", "steps=2,3", "level=500"],
    "sweeper=optuna": ["hydra.sweeper.n_trials=2"],
    "sweeper=wandb": ["eta=0,1"],
    "+sweep=steps": ["steps=3", "solver=ddim", "domain=radiation_sim"],
}
"""One run of a sweep is enough: test_sweep.py in tests/runs has more, test_sweeps.py composes all."""


OWN_NETWORK = ("model=", "+sweep=domain_gap", "experiment=train", "inspect")
"""In commands that need a network of their own."""


OWN_STAGES = ("stages=", "experiment=", "debug=", "level=auto", "+sweep=", "sweeper=")
"""Beginnings of words that may choose stages, or need those of the main job; without one, no page is made."""
CLAIMS_ALONE = "experiment=claims"
"""Its stages all run in the same command with a baseline; one of them is enough here."""


def small(command: str) -> list[str]:
    """The command with fewer images and, where it can, a quick network; changes replace the page's words."""
    words = shlex.split(command)
    extra = [change for word in words for change in SMALL.get(word, [])]
    replaced = {change.split("=")[0] for change in extra}
    if command.strip() == CLAIMS_ALONE:
        extra = [*extra, "stages=[invert,analyse,report]"]
    if not any(word.startswith(OWN_STAGES) for word in words):
        extra = [*extra, UNREPORTED]
    if any(word.startswith("logger.") for word in words):
        replaced.add("logger")  # logger=none has no such setting
    kept = replaced | {"logger"} if any(word.startswith("logger=") for word in words) else replaced
    tiny = [t for t in TINY if t.split("=")[0] not in kept]
    quick = MEANS if any(word in command for word in OWN_NETWORK) else [*QUICK, *MEANS]
    return [w for w in words if w.split("=")[0] not in replaced] + tiny + extra + quick


def images(folder: Path, n: int, seed: int) -> None:
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for i in range(n):
        Image.fromarray(rng.integers(0, 255, (20, 30, 3), dtype=np.uint8)).save(folder / f"{i}.png")


def left_behind() -> Any:
    """Results of a run, with a claim tested and a FID with its interval."""
    found = fake_results() | {"stores": []}
    estimate = {"value": 143.27, "low": 130.0, "high": 156.0, "n": 64}
    found["metrics"]["intervals"] = {"samples": {"fid": estimate}}
    found["metrics"]["making"] = {"uses_prior": True, "calls_per_reference": 24, "calls_per_sample": 24}
    check = {"claim": "C9", "figure": "f", "against": "a", "verdict": "supported", "picture": ""}
    found["few_shot"] = {"checks": [{**check, "found": estimate, "against_found": estimate}]}
    return found


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the commands have in common is made once, as on a user's disk."""
    return tmp_path_factory.mktemp("store")


@pytest.mark.parametrize("command", dict.fromkeys(COMMANDS + SWEEPS))
def test_command(command: str, store: Path, tmp_path: Path) -> None:
    images(tmp_path / "my_images", 40, seed=0)
    shutil.make_archive(str(tmp_path / "my_images"), "zip", tmp_path / "my_images")
    maps = np.random.default_rng(3).lognormal(0, 2, (40, 20, 30)).clip(0.1, 100)
    np.save(tmp_path / "my_maps.npy", maps)
    images(tmp_path / "my_training_images" / "train", 8, seed=1)
    images(tmp_path / "my_training_images" / "held_out", 4, seed=2)
    reads = command.split()[0] in READERS
    if reads:
        for folder in ("sweeps/now/0", "runs/first", "runs/second"):
            write_run(tmp_path / "outputs" / folder, found=left_behind())
        TensorStore(tmp_path / "outputs/store", "latents", {}, torch.float32).write(["a"], torch.ones(1, 2))
    done = run_cli(tmp_path, *(shlex.split(command) if reads else [*small(command), f"store={store}"]))
    assert done.returncode == 0, done.stderr
    assert bool(results(tmp_path)) is ("dry_run=true" not in command and "sweeper=wandb" not in command)


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize("target", MAKE)
def test_make_target_exists(target: str) -> None:
    assert subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, check=False).returncode == 0


def test_commands_were_found() -> None:
    assert len(COMMANDS) >= 12 and len(SWEEPS) >= 8 and MAKE == ["study", "test"]


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "docs/api.md",
        "docs/architecture.md",
        "docs/claims.md",
        "docs/cluster.md",
        "docs/dashboard.md",
        "docs/data.md",
        "docs/extending.md",
        "docs/fields.md",
        *(f"docs/gallery/{path.name}" for path in (ROOT / "docs/gallery").iterdir()),
        "docs/hour.md",
        "docs/models.md",
        "docs/neighbours.md",
        "docs/paper.md",
        "sweeps/README.md",
    ],
)
def test_links_lead_somewhere(page: str) -> None:
    path = ROOT / page
    for link in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
        if not link.startswith("http"):
            assert (path.parent / link).exists(), link
