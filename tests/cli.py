"""Running the real command in a process of its own, as a user does."""

import atexit
import functools
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ood_diffusion.report.collect.run_files import parse_results

TINY = ["n_references=12", "n_samples=8", "n_held_out=16", "steps=2", "batch_size=4", "logger=none"]
"""Overrides that make a run take seconds."""
QUICK = [
    "model=torch_module",
    "model.network._target_=tests.lightning.networks.GaussianNetwork",
    "model.image_size=64",
]
"""Overrides that put a network known in closed form, which costs nothing, in place of the embedded one."""
MEANS = ["extractor._target_=tests.faults.networks.Means", "extractor.input_size=2"]
"""Overrides that judge by twelve means instead of an ImageNet network."""
UNREPORTED = "stages=[invert,reconstruct,sample,evaluate]"
"""The main job without its page, for what has no part in it: a third of a quick run."""
GATED = [*QUICK, "model.network._target_=tests.faults.parts.Gated"]
"""`QUICK`, and the network waits after the first batch until `go` lies in the folder."""
LIMIT = 1800
"""Seconds after which a process counts as hanging: more than the busiest machine needs."""
ROOT = Path(__file__).parents[1]


def run_cli(folder: Path, *overrides: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`ood-diffusion` with `overrides`, in `folder`; outputs and store lie in ``folder/outputs``.

    `environment` is added to this process's; an empty value removes a variable. The command is a fork of a
    process that has done its imports (`zygote`). `run_anew` starts one: where imports are what is tested, and
    under joblib, whose workers end with the interpreter that started them, not with a fork.
    """
    return run_forked(folder, overrides, environment=environment)


def run_anew(folder: Path, *overrides: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`run_cli` in a process that is started from scratch."""
    return subprocess.run(
        [sys.executable, "-m", "ood_diffusion", *overrides],
        cwd=folder,
        env=environment_with(**environment),
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )


def start_cli(folder: Path, *overrides: str) -> "subprocess.Popen[str]":
    """`ood-diffusion` on its way, from scratch; what it says on standard error can be read."""
    return subprocess.Popen(
        [sys.executable, "-m", "ood_diffusion", *overrides],
        cwd=folder,
        env=environment_with(),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )


def environment_with(**more: str) -> dict[str, str]:
    """This process's environment for a run: one thread, a wide terminal, the parts in `tests`, and `more`."""
    # WANDB_SERVICE would point the new process at the W&B service of this one
    own = {"OMP_NUM_THREADS": "1", "COLUMNS": "120", "WANDB_SERVICE": "", "PYTHONPATH": str(ROOT)}
    return {name: value for name, value in {**os.environ, **own, **more}.items() if value}


@functools.cache
def zygote() -> "subprocess.Popen[str]":
    """The process that is forked, started when first needed and ended with this one."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.zygote"],
        cwd=ROOT,
        env=environment_with(PYTHONPATH=str(ROOT)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    atexit.register(process.kill)
    return process


def run_forked(
    folder: Path,
    overrides: Sequence[str],
    shards: str = "*.safetensors",
    delay: float = 0,
    number: int = signal.SIGKILL,
    **more: Any,
) -> subprocess.CompletedProcess[str]:
    """One run in a fork of `zygote`; with `kill_at` it is sent the signal `number`, `delay` seconds after so
    many `shards` lie in `folder`. Of several `copies`, all at once, the first is killed, and the status is
    that of the last."""
    process = zygote()
    assert process.stdin is not None and process.stdout is not None
    with TemporaryDirectory() as outputs:
        files = {name: f"{outputs}/{name}" for name in ("stdout", "stderr")}
        how = {"shards": shards, "delay": delay, "number": int(number), **more}
        job = {"folder": str(folder), "overrides": overrides, **files, **how}
        process.stdin.write(json.dumps(job) + "\n")
        process.stdin.flush()
        if not select.select([process.stdout], [], [], LIMIT)[0]:
            process.kill()
            zygote.cache_clear()
            raise subprocess.TimeoutExpired(list(overrides), LIMIT)
        status = int(process.stdout.readline())
        texts = {name: Path(file).read_text() for name, file in files.items()}
    return subprocess.CompletedProcess(["ood-diffusion", *overrides], status, **texts)


def results(folder: Path) -> list[dict[str, Any]]:
    """Every results.json below `folder`, oldest first, of the shape that readers rely on."""
    files = sorted(folder.rglob("results.json"), key=lambda path: path.stat().st_mtime_ns)
    return [parse_results(path.read_bytes()) for path in files]


def calls(folder: Path, stage: str) -> int:
    """Network calls of one stage over all runs below `folder`."""
    return sum(r["cost"].get("network_calls", {}).get(stage, 0) for r in results(folder))
