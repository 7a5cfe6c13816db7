"""Peak memory against the number of images

Peak resident memory of the real command, as each run's results.json says, each in a process of its own
with an empty store: the whole main job making 64, 512 and 4,096 images, and the stage invert for as many
references, 2 steps each way.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.measure import Figure, figure

COUNTS = (64, 512, 4096)
SMALL = ["steps=2", "n_held_out=64", "logger=none"]


def run() -> list[Figure]:
    """Generated images, then inverted references, relative to 64 of them."""
    generated = peaks(lambda n: [f"n_samples={n}", "n_references=32"])
    inverted = peaks(lambda n: [f"n_references={n}", "stages=[invert]"])
    return growth("images generated", generated) + growth("references inverted", inverted)


def growth(what: str, found: dict[int, float]) -> list[Figure]:
    """One figure for every count but the first."""
    first, *more = found
    return [
        figure(
            f"peak memory with {n:,} {what} against {first}",
            [found[n] / found[first]],
            target=1.1,
            better="lower",
            detail=f"{found[n]:,.0f} MiB against {found[first]:,.0f} MiB",
        )
        for n in more
    ]


def peaks(overrides: Callable[[int], list[str]]) -> dict[int, float]:
    """Peak MiB for every count."""
    return {n: peak(overrides(n)) for n in COUNTS}


def peak(overrides: list[str]) -> float:
    """Peak MiB of one run.

    A process's peak begins at that of the one that starts it, so a shell, which is small, stands between.
    """
    command = [sys.executable, "-m", "ood_diffusion", *SMALL, *overrides]
    with tempfile.TemporaryDirectory() as folder:
        between = ["sh", "-c", '"$@"; exit $?', "sh", *command]
        subprocess.run(between, cwd=folder, capture_output=True, check=True)
        (results,) = Path(folder).rglob("results.json")
        return float(json.loads(results.read_text())["cost"]["peak_memory_mib"])
