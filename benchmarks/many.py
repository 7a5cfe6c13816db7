"""`python -m benchmarks.many`: a million items, a thousand runs; figures of docs/scale.md.

A store of 1,000,000 features and one of 100,000 latents, in shards of 64 and 16 (rows of one number: only
headers count here): until a process that opens the store knows what is missing of one item, and of all. Then
1,000 copies of one real run, with other settings and figures, as one sweep: until `collect` has written its
table and `dashboard` its page. All in seconds of one core's time, which other work changes least.
"""

import contextlib
import io
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.measure import Figure, figure
from ood_diffusion.dashboard.command import dashboard
from ood_diffusion.fingerprint import fingerprint
from ood_diffusion.report.collect.command import collect
from ood_diffusion.storage.store import TensorStore

STORES = {"1,000,000 features": (1_000_000, 64), "100,000 latents": (100_000, 16)}
RUNS, ETAS = 1000, 10
JOB = ["-m", "eta=0.1", "n_references=24", "n_samples=32", "n_held_out=64", "steps=3", "logger=none"]


def main() -> None:
    """Print a line per figure."""
    for each in (*(each for name in STORES for each in store(name, *STORES[name])), *runs()):
        print(
            f"{each.what}: {each.median:.2f} {each.unit} (target {each.target:g}) {each.detail}", flush=True
        )


def store(name: str, count: int, batch: int) -> list[Figure]:
    """Opening and asking."""
    with tempfile.TemporaryDirectory() as folder:
        ids = [2 * fingerprint(i) for i in range(count)]
        made = TensorStore(Path(folder), "features", {}, torch.float32)
        for start in range(0, count, batch):
            made.write(some := ids[start : start + batch], torch.full((len(some), 1), float(start)))
        without = seconds(lambda: made.missing(ids[:1]))
        opened, asked = [], []
        for _ in range(3):
            handle = TensorStore(Path(folder), "features", {}, torch.float32)
            opened.append(seconds(lambda handle=handle: handle.missing(ids[:1])))  # type: ignore[misc]
            asked.append(seconds(lambda handle=handle: handle.missing(ids)))  # type: ignore[misc]
    detail = f"{without:.1f} s where there is no index yet, which that writes"
    return [
        figure(f"opening {name}", opened, unit="s", target=2.0, better="lower", detail=detail),
        figure(f"what is missing of {name}", asked, unit="s", target=1.0, better="lower"),
    ]


def runs() -> list[Figure]:
    """The commands that read runs."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "ood_diffusion", *JOB]
        subprocess.run(command, cwd=folder, capture_output=True, check=True)
        (one,) = Path(folder).glob("outputs/sweeps/*/0")
        copied(one, sweep := Path(folder, "many"))
        gathered = seconds(lambda: collect([str(sweep)]))
        drawn = seconds(lambda: dashboard([str(sweep)]))
        page = (sweep / "dashboard.html").stat().st_size / 1e6
    return [
        figure(f"`collect`, {RUNS:,} runs", [gathered], unit="s", target=10.0, better="lower"),
        figure(f"`dashboard`, {RUNS:,} runs", [drawn], unit="s", target=60.0, better="lower"),
        figure("its page", [page], unit="MB", target=5.0, better="lower"),
    ]


def copied(one: Path, sweep: Path) -> None:
    """Write `RUNS` runs that differ from `one` in eta, seed and FID."""
    sweep.mkdir()
    grid = f"- eta={','.join(str(i / ETAS) for i in range(ETAS))}\n    - seed=range({RUNS // ETAS})"
    whole = (one.parent / "multirun.yaml").read_text()
    (sweep / "multirun.yaml").write_text(whole.replace("- eta=0.1", grid))
    results = json.loads((one / "results.json").read_text())
    for i in range(RUNS):
        eta, seed, run = (i % ETAS) / ETAS, i // ETAS, sweep / str(i)
        (run / ".hydra").mkdir(parents=True)
        config = re.sub(r"^eta: .*$", f"eta: {eta}", (one / ".hydra/config.yaml").read_text(), flags=re.M)
        (run / ".hydra/config.yaml").write_text(re.sub(r"^seed: .*$", f"seed: {seed}", config, flags=re.M))
        hydra = (one / ".hydra/hydra.yaml").read_text()
        (run / ".hydra/hydra.yaml").write_text(hydra.replace("- eta=0.1", f"- eta={eta}\n    - seed={seed}"))
        results["coordinates"] |= {"eta": eta, "seed": seed}
        results["metrics"]["sets"]["samples"]["fid"] = 100 + i % 97
        (run / "results.json").write_text(json.dumps(results))
        for sheet in one.glob("*.png"):
            shutil.copy(sheet, run)


def seconds(work: Callable[[], object]) -> float:
    """Of this process's CPU time; what is printed goes nowhere."""
    start = time.process_time()
    with contextlib.redirect_stdout(io.StringIO()):
        work()
    return time.process_time() - start


if __name__ == "__main__":
    main()
