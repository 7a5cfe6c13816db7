"""A sweep of 12 runs in one process

The default job over 2 priors × 2 samplers × 3 values of eta as one `ood-diffusion -m …`, start-up, metrics,
reports and the default logger (offline) included, against 12 times the pure network time of one whole run
(invert, reconstruct and sample): image-calls × seconds per image-call of the bare network at the same batch
size, measured before and after the sweep.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from hydra import compose, initialize_config_dir

from benchmarks.measure import Figure, figure
from ood_diffusion.models.base import FrozenModel
from ood_diffusion.runs.assemble import build
from ood_diffusion.runs.configuration import conf_folder

GRID = ["prior=gaussian,span", "sampler=draw,slerp", "eta=0,0.5,1"]
RUNS, CALLS = 12, 20
"""Runs of the grid; network calls per measurement of the bare network."""


def run() -> list[Figure]:
    """The sweep against what its runs would cost one by one, and against the calls that it made."""
    with initialize_config_dir(conf_folder(), version_base="1.3"):
        cfg = compose("config")
        model = build(cfg.model)
    before = seconds_per_call(model, cfg.batch_size)
    wall, whole, made = sweep()
    speeds = [before, seconds_per_call(model, cfg.batch_size)]
    least = [made * seconds for seconds in speeds]
    overhead = (wall - sum(least) / len(least)) / RUNS
    return [
        figure(
            f"sweep of {RUNS} runs against {RUNS} × the network time of one",
            [wall / (RUNS * whole * seconds) for seconds in speeds],
            target=1.1,
            better="lower",
            detail=f"{wall:.0f} s against {RUNS} × {whole * sum(speeds) / len(speeds):.0f} s; inverted once",
        ),
        figure(
            "the same sweep against the network time of the calls it made",
            [wall / seconds for seconds in least],
            better="lower",
            detail=f"{made:,} image-calls; {overhead:.1f} s per run outside the network",
        ),
    ]


def sweep() -> tuple[float, int, int]:
    """Wall seconds of the grid, network calls of the one run that inverted, and of all runs."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        command = [sys.executable, "-m", "ood_diffusion", "-m", *GRID]
        offline = {**os.environ, "WANDB_MODE": "offline"}
        subprocess.run(command, cwd=folder, env=offline, capture_output=True, check=True)
        wall = time.perf_counter() - start
        files = list(Path(folder).rglob("results.json"))
        calls = [json.loads(path.read_text())["cost"]["network_calls"] for path in files]
    inverting = [sum(run.values()) for run in calls if run["invert"]]
    if len(calls) != RUNS or len(inverting) != 1:
        raise RuntimeError(f"expected {RUNS} runs and one inversion, but got {len(calls)}, {len(inverting)}")
    return wall, inverting[0], sum(sum(run.values()) for run in calls)


def seconds_per_call(model: FrozenModel, batch_size: int) -> float:
    """Seconds per image-call of the bare network, after one call that is not counted."""
    x = torch.randn(batch_size, *model.image_shape)
    with torch.inference_mode():
        model.eps(x, 500.0)
        start = time.perf_counter()
        for _ in range(CALLS):
            model.eps(x, 500.0)
    return (time.perf_counter() - start) / (CALLS * batch_size)
