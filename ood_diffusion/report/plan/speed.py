"""How fast a network was here, from what earlier runs recorded."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ood_diffusion.report.collect.run_files import RESULTS
from ood_diffusion.report.collect.run_folder import find_runs
from ood_diffusion.report.results import Results

PICTURES = "pictures"
"""Under `cost` beside the stages: the pictures of a domain that a network draws, before any stage."""


class Speed(NamedTuple):
    """Network calls a second, and the run that measured them."""

    calls: float
    run: Path


def newest_speed(folders: Iterable[Path], network: Sequence[Any]) -> Speed | None:
    """The speed in the newest run below `folders` that has called the same network.

    Args:
        folders: where to look.
        network: digest of the weights, precision, compile.

    Returns:
        None if no run has.
    """
    runs = {run.folder: run for folder in folders for run in find_runs(folder)}
    ran = [(folder / RESULTS, run.results) for folder, run in runs.items() if run.results]
    for path, results in sorted(ran, key=lambda each: each[0].stat().st_mtime, reverse=True):
        used, weights = results.get("coordinates", {}), results.get("weights", {})
        same = [weights.get("before"), used.get("precision"), used.get("compile")] == list(network)
        if same and (calls := calls_per_second(results)):
            return Speed(calls, path.parent)
    return None


def calls_per_second(results: Results) -> float | None:
    """Over all stages that called the network; without any, what the stage inspect measured.

    Not over the drawing of a domain's pictures, which may be another network's.
    """
    cost = results.get("cost", {})
    calls = {stage: n for stage, n in cost.get("network_calls", {}).items() if n and stage != PICTURES}
    if seconds := sum(cost.get("seconds", {}).get(stage, 0) for stage in calls):
        return float(sum(calls.values()) / seconds)
    speed = results.get("model", {}).get("images_per_second")
    return float(speed) if speed else None
