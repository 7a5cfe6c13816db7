"""Several real processes share a job: the same results to the last bit, nothing lost, clean ends."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.cli import GATED, LIMIT, MEANS, TINY, results, run_cli, start_cli

JOB = [
    *(t for t in TINY if "n_references" not in t and "n_samples" not in t),
    "n_references=13",
    "n_samples=7",
]
CLAIMS = [
    "stages=[invert,reconstruct,sample,evaluate,few_shot,preservation]",
    "n_training=10",
    "training_domain.steps=2",
    "stage.few_shot={counts:[4],repeats:2}",
    "stage.preservation={sdedit_levels:[300],n_own:2}",
    *MEANS,
]
DDP = ["trainer=ddp", "trainer.devices=2"]


def items(store: Path, kind: str) -> dict[str, torch.Tensor]:
    """Every item of every store of one kind, by its id."""
    found: dict[str, torch.Tensor] = {}
    for shard in store.glob(f"{kind}/*/shards/*.safetensors"):
        with open(shard, "rb") as file:
            size = int.from_bytes(file.read(8), "little")
            ids = json.loads(json.loads(file.read(size))["__metadata__"]["ids"])
        found |= dict(zip(ids, load_file(shard)["data"], strict=True))
    return found


def figures(result: dict[str, Any]) -> dict[str, Any]:
    parts = ("reconstruct", "sample", "latents", "metrics", "few_shot", "preservation", "weights")
    return {key: result[key] for key in parts}


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("one")
    done = run_cli(folder, *JOB, *CLAIMS)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("two")
    done = run_cli(folder, *JOB, *CLAIMS, *DDP)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("kind", ["latents", "draws", "images", "features"])
def test_two_ranks_make_what_one_makes(one: Path, two: Path, kind: str) -> None:
    """13 references and 7 samples in batches of 4: neither divides by ranks or batch."""
    ours, theirs = (items(folder / "outputs/store", kind) for folder in (one, two))
    assert ours.keys() == theirs.keys() and len(ours) >= 7
    for name, value in ours.items():
        assert torch.equal(value, theirs[name]), name


def test_figures_and_costs_are_the_same(one: Path, two: Path) -> None:
    a, b = results(one)[0], results(two)[0]
    assert figures(a) == figures(b)
    assert a["cost"]["network_calls"] == b["cost"]["network_calls"]


def test_both_ranks_have_worked(two: Path) -> None:
    """13 references in batches of 4 are 4 shards, and one rank alone writes them in order."""
    shards = list((two / "outputs/store").glob("latents/*/shards/*.safetensors"))
    assert len(shards) == 4


def test_a_multirun_gives_every_run_its_ranks_and_its_folder_and_resumes(two: Path) -> None:
    """One lost shard of 4 latents: the first run computes that batch again, and one of its ranks has nothing
    to do; the second finds it."""
    before = items(two / "outputs/store", "latents")
    lost = min((two / "outputs/store").glob("latents/*/shards/*.safetensors"))
    n = len(load_file(lost)["data"])
    lost.unlink()
    done = run_cli(two, "-m", *JOB, *DDP, "eta=0,1", "stages=[invert,sample]")
    assert done.returncode == 0, done.stderr
    runs = results(two / "outputs/sweeps")
    assert [r["coordinates"]["eta"] for r in runs] == [0.0, 1.0]
    assert len({path.parent for path in (two / "outputs/sweeps").rglob("results.json")}) == 2
    assert len({path.parent.parent for path in (two / "outputs/sweeps").rglob("results.json")}) == 1
    assert [r["cost"]["network_calls"]["invert"] for r in runs] == [2 * n, 0]
    after = items(two / "outputs/store", "latents")
    assert before.keys() == after.keys() and all(torch.equal(before[i], after[i]) for i in before)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["trainer.devices=0"], "trainer.devices must be a positive integer"),
        (["trainer=ddp", "trainer.devices=1", "trainer.num_nodes=2"], "must be started by the cluster"),
    ],
)
def test_what_cannot_work_is_refused(overrides: list[str], message: str, tmp_path: Path) -> None:
    done = run_cli(tmp_path, *JOB, *overrides)
    assert done.returncode == 2 and message in done.stderr, done.stderr


def test_a_killed_rank_ends_the_job_and_loses_nothing(one: Path, tmp_path: Path) -> None:
    job = start_cli(tmp_path, *JOB, *GATED, *DDP)
    store = tmp_path / "outputs/store"
    while not list(store.glob("latents/*/shards/*.safetensors")):
        assert job.poll() is None, job.stderr and job.stderr.read()
        time.sleep(0.05)
    os.kill(rank_of(job.pid, 1), signal.SIGKILL)
    _, errors = job.communicate(timeout=LIMIT)
    assert job.returncode == 1
    assert "rank 1 was killed by signal 9 and the others were stopped" in errors and "Traceback" not in errors
    kept = items(store, "latents")
    assert kept
    (tmp_path / "go").touch()
    done = run_cli(tmp_path, *JOB, *GATED, "stages=[invert]")
    assert done.returncode == 0, done.stderr
    assert not list(store.rglob("*.part"))  # the killed rank may have left one
    assert results(tmp_path)[-1]["cost"]["network_calls"]["invert"] <= 2 * 4 * -(-(13 - len(kept)) // 4)


def rank_of(parent: int, rank: int) -> int:
    """The process number of a rank below `parent`."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            own = dict(
                line.split(b"=", 1) for line in (folder / "environ").read_bytes().split(b"\0") if b"=" in line
            )
            above = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if b"ood_diffusion.runs.rank" in words and above == parent and own.get(b"RANK") == str(rank).encode():
            return int(folder.name)
    raise AssertionError(f"no rank {rank} below process {parent}")
