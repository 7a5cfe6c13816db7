"""SIGTERM, which `kill`, `timeout` and schedulers send, ends a run at once, and nothing is lost."""

import os
import signal
import time
from pathlib import Path

from safetensors.torch import load_file

from tests.cli import GATED, LIMIT, TINY, start_cli

OVERRIDES = [*TINY, *GATED, "stages=[invert]"]


def test_a_run_ends_in_the_middle_of_a_loop(tmp_path: Path) -> None:
    job = start_cli(tmp_path, *OVERRIDES)
    store = tmp_path / "outputs/store"
    while not list(store.glob("latents/*/shards/*.safetensors")):
        assert job.poll() is None, job.stderr and job.stderr.read()
        time.sleep(0.05)
    os.kill(job.pid, signal.SIGTERM)
    _, errors = job.communicate(timeout=LIMIT)
    assert job.returncode == 128 + signal.SIGTERM
    assert "error: ended by SIGTERM. What is finished is in the store" in errors and "Traceback" not in errors
    assert not list(store.rglob("*.part"))
    for shard in store.rglob("*.safetensors"):
        load_file(shard)
    assert len(list(store.glob("latents/*/shards/*.safetensors"))) == 1
