"""Running the real command in a process of its own, as a user does."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

TINY = ["n_references=12", "n_samples=8", "n_held_out=16", "steps=2", "batch_size=4", "logger=none"]
"""Overrides that make a run take seconds."""


def run_cli(folder: Path, *overrides: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`ood-diffusion` with `overrides`, in `folder`; outputs and store lie in ``folder/outputs``.

    `environment` is added to this process's; an empty value removes a variable.
    """
    # WANDB_SERVICE would point the new process at the W&B service of this one
    own = {"OMP_NUM_THREADS": "1", "COLUMNS": "120", "WANDB_SERVICE": ""}
    merged = {**os.environ, **own, **environment}
    return subprocess.run(
        [sys.executable, "-m", "ood_diffusion", *overrides],
        cwd=folder,
        env={name: value for name, value in merged.items() if value},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def results(folder: Path) -> list[dict[str, Any]]:
    """Every results.json below `folder`, oldest first."""
    files = sorted(folder.rglob("results.json"), key=lambda path: path.stat().st_mtime_ns)
    return [json.loads(path.read_text()) for path in files]


def calls(folder: Path, stage: str) -> int:
    """Network calls of one stage over all runs below `folder`."""
    return sum(r["cost"].get("network_calls", {}).get(stage, 0) for r in results(folder))
