"""What a search saves: how many network calls until it finds the best run of a grid (sweeps/README.md).

    python -m benchmarks.search

Makes the runs of a grid (13 minutes of one core; a second call finds them in outputs/search), then
searches in their results: SEEDS times TRIALS runs as `sweeper=optuna` chooses them, and SEEDS times all runs
in random order. A run costs the calls of its samples and of the inversions that no run before it has made.
The picture is printed as SVG, and how many calls the best run took on standard error.
"""

import math
import random
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from hydra.core.override_parser.overrides_parser import OverridesParser

from ood_diffusion.report.collect.run_folder import find_runs
from ood_diffusion.report.figures import BLUE, INK, ORANGE, Drawing, panel, svg
from ood_diffusion.runs.space import distribution, proposal, size

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "outputs" / "search"
SEEDS, TRIALS = 10, 40
SWEPT = [
    "level=500,700",
    "steps=4,8",
    "sampler=linear_combination,local_combination,slerp,draw",
    "prior=span,shrunk",
    "eta=0,0.25,0.5",
]
SPACE = {each.key_or_group: distribution(each) for each in OverridesParser.create().parse_overrides(SWEPT)}
SMALL = [
    "n_references=32", "n_samples=32", "n_held_out=256", "stages=[invert,sample,evaluate]",
    "control=[twin]", "metric=[fid]", "logger=none", "output=quiet",
    f"store={FOLDER}/store", f"hydra.sweep.dir={FOLDER}/grid",
]  # fmt: skip

Run = tuple[Any, ...]
"""The values of a run, in the order of `SPACE`."""
Progress = tuple[list[int], list[float]]
"""Calls made, and the best objective found, after every run of a sequence."""


def grid() -> dict[Run, Mapping[str, Any]]:
    """Values -> `results.json` of every run, made where it is not there."""
    if len(found := runs_in(FOLDER / "grid")) < size(SPACE):
        command = [sys.executable, "-m", "ood_diffusion", "-m", *SMALL, *SWEPT]
        subprocess.run(command, cwd=ROOT, stdout=sys.stderr, check=True)
        found = runs_in(FOLDER / "grid")
    return found


def runs_in(folder: Path) -> dict[Run, Mapping[str, Any]]:
    """Values -> `results.json` of the complete runs below a folder."""
    read: list[Mapping[str, Any]] = [run.results for run in find_runs(folder)]
    return {tuple(each["coordinates"][key] for key in SPACE): each for each in read if "metrics" in each}


def value(results: Mapping[str, Any]) -> float:
    """The objective: FID of the samples minus that of their twin."""
    return float(results["metrics"]["network_adds"]["twin"]["fid"]["value"])


def progress(order: Sequence[Run], found: Mapping[Run, Mapping[str, Any]]) -> Progress:
    """Calls made, and the best objective found, after every run of a sequence."""
    made: set[Run] = set()
    calls, best, spent = [], [], 0
    for run in order:
        results, own = found[run], dict(zip(SPACE, run, strict=True))
        making, number = results["metrics"]["making"], results["coordinates"]
        prior = own["prior"] if making["uses_prior"] else ""
        for work, cost in (
            ((own["level"], own["steps"]), number["n_references"] * making["calls_per_reference"]),
            (tuple({**own, "prior": prior}.values()), number["n_samples"] * making["calls_per_sample"]),
        ):
            spent += 0 if work in made else cost
            made.add(work)
        calls.append(spent)
        best.append(min([value(results), *best[-1:]]))
    return calls, best


def search(found: Mapping[Run, Mapping[str, Any]], seed: int) -> list[Run]:
    """The runs that a search with this seed makes, in their order."""
    study = optuna.create_study()
    for _ in range(TRIALS):
        values = proposal(study, SPACE, seed * 1000) or {}
        result = value(found[tuple(values[key] for key in SPACE)])
        study.add_trial(optuna.create_trial(value=result, params=values, distributions=SPACE))
    return [tuple(each.params[key] for key in SPACE) for each in study.trials]


def shuffled(found: Mapping[Run, Any], seed: int) -> list[Run]:
    """All runs in random order."""
    order = sorted(found, key=str)
    random.Random(seed).shuffle(order)
    return order


def drawn(paths: Mapping[str, Sequence[Progress]], best: float, whole: int) -> Drawing:
    """Best objective found against network calls: the median over seeds, and the band of the middle 80 %."""
    figure, axes = panel("network calls", "smallest FID minus twin so far")
    places = np.linspace(0, whole, 400)
    for (label, each), colour in zip(paths.items(), (ORANGE, BLUE), strict=True):
        at = places[places <= np.median([calls[-1] for calls, _ in each])]
        lines = [np.array([np.nan, *found])[np.searchsorted(calls, at, "right")] for calls, found in each]
        low, middle, high = np.nanpercentile(lines, [10, 50, 90], axis=0)
        axes.plot(at, middle, color=colour, label=label)
        axes.fill_between(at, low, high, color=colour, alpha=0.2, linewidth=0)
    axes.axhline(best, color=INK, linestyle=":", linewidth=1, label="the best of the grid")
    return svg(figure, axes)


def main() -> None:
    """Print the picture."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    found = grid()
    paths = {
        f"search, {TRIALS} runs": [progress(search(found, seed), found) for seed in range(SEEDS)],
        f"grid of {len(found)} in random order": [
            progress(shuffled(found, seed), found) for seed in range(SEEDS)
        ],
    }
    best, whole = min(map(value, found.values())), progress([*found], found)[0][-1]
    print(drawn(paths, best, whole))
    for label, each in paths.items():
        until = [next((c for c, b in zip(*one, strict=True) if b == best), math.inf) for one in each]
        words = ", ".join(f"{calls:,.0f}" for calls in np.percentile(until, [25, 50, 75], method="nearest"))
        print(f"{label}: the best ({best:.1f}) after {words} of {whole:,} calls", file=sys.stderr)


if __name__ == "__main__":
    main()
