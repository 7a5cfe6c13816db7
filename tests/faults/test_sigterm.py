"""SIGTERM, which `kill`, `timeout` and schedulers send, ends a run at once, and nothing is lost."""

import signal
from pathlib import Path

from safetensors.torch import load_file

from tests.cli import GATED, TINY, run_forked

LATENTS = "latents/*/shards/*.safetensors"


def test_a_run_ends_in_the_middle_of_a_loop(tmp_path: Path) -> None:
    job = [*TINY, *GATED, "stages=[invert]"]
    done = run_forked(tmp_path, job, shards=LATENTS, kill_at=1, number=signal.SIGTERM)
    assert done.returncode == 128 + signal.SIGTERM
    assert "error: ended by SIGTERM. What is finished is in the store" in done.stderr
    assert "Traceback" not in done.stderr
    store = tmp_path / "outputs/store"
    assert not list(store.rglob("*.part"))
    for shard in store.rglob("*.safetensors"):
        load_file(shard)
    assert len(list(store.glob(LATENTS))) == 1
