"""kill -9 in the middle, the embedded network, once; `test_kill_often` kills a quick one."""

import json
from pathlib import Path

import torch
from safetensors import safe_open

from tests.cli import TINY, calls, run_cli, run_forked

JOB = [*TINY, "n_references=16", "n_samples=16"]


def shards(folder: Path, kind: str) -> int:
    return len(list((folder / "outputs" / "store" / kind).rglob("[!.]*.safetensors")))


def decoded(folder: Path) -> dict[str, torch.Tensor]:
    """Every image in the folder's store, by the digest of its latent."""
    found: dict[str, torch.Tensor] = {}
    for file in (folder / "outputs" / "store" / "images").rglob("[!.]*.safetensors"):
        with safe_open(file, framework="pt") as shard:
            found |= dict(zip(json.loads(shard.metadata()["ids"]), shard.get_tensor("data"), strict=True))
    return found


def test_killed_run_continues(tmp_path: Path) -> None:
    overrides = [*JOB, "stages=[invert,sample]"]
    assert run_cli(tmp_path, *JOB, "stages=[invert]").returncode == 0
    there = len(list(tmp_path.rglob("*.safetensors")))
    run_forked(tmp_path, tuple(overrides), kill_at=there + 3, delay=0)  # after the draws and two batches
    done_before = 4 * shards(tmp_path, "images")
    assert done_before >= 8

    done = run_cli(tmp_path, *overrides)
    assert done.returncode == 0, done.stderr
    redone = calls(tmp_path, "sample") / 2 - (16 - done_before)
    assert redone == 0  # what the killed batch had begun is all that was lost

    untouched = tmp_path / "untouched"
    untouched.mkdir()
    assert run_cli(untouched, *overrides).returncode == 0
    images, twins = decoded(tmp_path), decoded(untouched)
    assert len(images) == 16
    assert all(torch.equal(images[name], twins[name]) for name in twins), "resuming changed an image"
