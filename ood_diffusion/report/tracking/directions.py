"""Which way a figure of a cell is better, by its path."""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Literal

from ood_diffusion.report.wording import metric_words

Direction = Literal["lower", "higher"]
OTHERS: dict[str, Direction] = {
    "reconstruct/psnr_mean": "higher",
    "reconstruct/psnr_min": "higher",
    "metrics/novelty/copies": "lower",
    "metrics/making/calls_per_*": "lower",
    "interference/own/capture/value": "lower",
    "cost/network_calls/*": "lower",
    "cost/seconds/*": "lower",
    "cost/images_per_second/*": "higher",
    "cost/peak_memory_mib": "lower",
}
"""Beside the metrics: path, or pattern of paths -> what is better. Anything else is neither."""


def directions(paths: Iterable[str], better: Mapping[str, str]) -> dict[str, Direction]:
    """Path -> "lower" or "higher", for those of the paths of which one is better.

    `better`: metric name -> "higher" or "lower", from `results.json`, for metrics not known here.
    """
    return {path: way for path in paths if (way := _direction(path, better)) is not None}


def _direction(path: str, better: Mapping[str, str]) -> Direction | None:
    if path.startswith("metrics/sets/"):
        for word in metric_words(better, [path.split("/")[-1]]):  # one, or none for "n"
            return None if word.better == "neither" else word.better
    return next((way for pattern, way in OTHERS.items() if fnmatchcase(path, pattern)), None)
