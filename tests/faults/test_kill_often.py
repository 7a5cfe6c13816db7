"""kill -9 again and again at random points of inversion, generation and evaluation, on one store."""

import random
from pathlib import Path

import torch
from safetensors.torch import load_file

from tests.cli import MEANS, QUICK, TINY, results, run_cli, run_forked
from tests.scale.test_ranks import items

JOB = [
    *[*QUICK, *MEANS, *TINY[:-2], "batch_size=2", "logger=none"],
    "stages=[invert,reconstruct,sample,evaluate]",
]
KILLS = 15


def test_kills_lose_and_redo_nothing(tmp_path: Path) -> None:
    store, written = tmp_path / "outputs/store", dict[Path, int]()
    chance, stopped_in = random.Random(0), dict.fromkeys(("latents", "images", "features"), 0)
    for _ in range(KILLS):
        target = len(list(store.rglob("*.safetensors"))) + chance.randint(0, 4)
        done = run_forked(tmp_path, tuple(JOB), kill_at=target, delay=chance.uniform(0, 0.3))
        if done.returncode == 0:  # finished before its time: begin again, with all but the pictures gone
            for shard in store.glob("[!p]*/*/shards/*"):
                shard.unlink()
                written.pop(shard, None)
        shards = list(store.rglob("*.safetensors"))
        for shard in shards:
            load_file(shard)  # whole
        for shard, when in written.items():
            assert shard.stat().st_mtime_ns == when, f"{shard} was lost or written again"
        new = [shard for shard in shards if shard not in written]
        for kind in stopped_in:
            stopped_in[kind] += any(kind in shard.parts for shard in new)
        written |= {shard: shard.stat().st_mtime_ns for shard in new}
    assert all(stopped_in.values()), stopped_in
    assert run_cli(tmp_path, *JOB).returncode == 0
    undisturbed = tmp_path / "undisturbed"
    undisturbed.mkdir()
    assert run_cli(undisturbed, *JOB).returncode == 0
    for kind in ("latents", "draws", "images", "features"):
        ours, theirs = items(store, kind), items(undisturbed / "outputs/store", kind)
        assert ours.keys() == theirs.keys() and all(torch.equal(ours[i], theirs[i]) for i in ours), kind
    a, b = results(tmp_path / "outputs")[-1], results(undisturbed)[-1]
    assert a["metrics"] == b["metrics"]
