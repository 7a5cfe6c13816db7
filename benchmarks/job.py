"""The whole job, 64 references to 64 new images and their FID: ours against the method as a script.

Both are whole processes, from start to exit, on the same PNG files (simulated galaxies: 64
references, 256 held out), alternating. Theirs is `benchmarks/naive.py`: 80 DDIM steps uniform in t each way
to level 900, one image and one candidate at a time, fp32. Ours is `ood-diffusion` with its defaults,
twice: on a fresh store, and again with another seed on the store that is then there (the inversion is
shared). Quality is measured in the same way for both, outside the timing: our FID of both sets of
images against the same held-out images, and round-trip PSNR.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from benchmarks.measure import Figure, figure, ratios
from benchmarks.naive import features, round_trip
from benchmarks.networks import simulated
from ood_diffusion.metrics.efficientnet_lite0 import EfficientNetLite0
from ood_diffusion.metrics.fid import FID

ROUNDS, REFERENCES, HELD_OUT = 1, 64, 256
ARGUMENTS = ["n_references=64", "n_samples=64", "n_held_out=256", "logger=none", "domain=image_folder"]


def run() -> list[Figure]:
    """Time ratios, and the figures that say whether the results are as good."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_images(folder / "images")
        naive, fresh, again = [], [], []
        for i in range(ROUNDS):
            out = folder / f"naive{i}"
            out.mkdir()
            fresh.append(ours(folder, i, "seed=0"))
            naive.append(timed([sys.executable, "-m", "benchmarks.naive", str(folder / "images"), str(out)]))
            again.append(ours(folder, i, "seed=1"))
        ours(folder, 0, "seed=0", "stages=[invert,reconstruct,sample,evaluate]")
        last = max((folder / "run0").rglob("results.json"), key=lambda path: path.stat().st_mtime_ns)
        results: dict[str, Any] = json.loads(last.read_text())
        theirs = {**json.loads((folder / "naive0" / "naive.json").read_text()), "fid": naive_fid(folder)}
        psnr = round_trip(folder / "images", folder / "naive0")
    fid, decibels = results["metrics"]["sets"]["samples"]["fid"], results["reconstruct"]["psnr_mean"]
    cost = f"{theirs['calls']} calls, {theirs['tried']} candidates"
    speed = f"{naive[0]:.0f} s ({cost}) against {fresh[0]:.1f} s"
    quality = f"{fid:.0f} / {theirs['fid']:.0f}"
    return [
        figure("script / ours", ratios(naive, fresh), target=20, detail=speed),
        figure("script / ours with the bank there", ratios(naive, again), detail=f"{again[0]:.1f} s"),
        figure("FID, ours / script", [fid / theirs["fid"]], target=1, better="lower", detail=quality),
        figure(
            "round trip, ours minus script",
            [decibels - psnr],
            unit="dB",
            target=0,
            detail=f"{decibels:.1f} dB, {psnr:.1f} dB",
        ),
    ]


def write_images(folder: Path) -> None:
    """PNG files in references/ and held_out/."""
    pictures = simulated("galaxies_sim", REFERENCES + HELD_OUT)
    for i, picture in enumerate(pictures):
        path = folder / ("references" if i < REFERENCES else "held_out") / f"{i:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(path)


def timed(command: list[str]) -> float:
    """Seconds of a process."""
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return time.perf_counter() - start


def ours(folder: Path, i: int, *more: str) -> float:
    """Seconds of `ood-diffusion`; by default without reconstruction and report, which the script lacks."""
    out = folder / f"run{i}"
    places = [
        f"domain.path={folder / 'images'}",
        f"store={out / 'store'}",
        f"hydra.run.dir={out / str(len(more))}",
    ]
    stages = "stages=[invert,sample,evaluate]"
    return timed([sys.executable, "-m", "ood_diffusion", *ARGUMENTS, *places, stages, *more])


def naive_fid(folder: Path) -> float:
    """Our FID of the script's images."""
    extractor, metric = EfficientNetLite0(), FID()
    for real, path in ((True, folder / "images" / "held_out"), (False, folder / "naive0")):
        rows = features(extractor, sorted(path.glob("*.png")))
        metric.update(torch.from_numpy(np.asarray(rows)), real=real)
    return float(metric.compute()["fid"])
