"""The figures of a cell by which the page can compare cells, each with its 95 % interval where it has one."""

from collections.abc import Mapping, Sequence
from typing import Any

from ood_diffusion.claims.leaderboard import PATHS, acceptance, cost, figure
from ood_diffusion.report.wording import Word, metric_words

FURTHER = (
    Word("fid_ratio", "FID over that of real images", "lower", "of the samples over the references' own"),
    Word("psnr", "round-trip PSNR (dB)", "higher", "of references after inversion and denoising"),
    Word("novelty", "novelty", "neither", "1: as far from the references as unseen images are; 0: copies"),
    Word("copies", "copies", "lower", "share closer to a reference than 99 % of unseen images are"),
    Word("capture", "captured", "lower", "share of samples taken for images of the training domain"),
    Word("acceptance", "accepted", "neither", "share of proposed latents that the selection keeps"),
    Word("cost", "calls per image", "lower", "of the network, with the image's share of the inversions"),
    Word("gap", "domain gap", "neither", "FID between the unseen domain and the training domain"),
    Word("bandwidth", "bandwidth (degrees)", "neither", "turn of a latent that half of the images survive"),
)
"""Beside the metrics of the samples."""
GAPS = ("bandwidth/gap", "interference/training_domain/fid_unseen")
"""Where the domain gap is in the results: of references, or of held-out images."""
BOUNDED = {
    "capture": ("interference/own/capture",),
    "gap": GAPS,
    "bandwidth": ("bandwidth/comparison/unseen",),
}
"""Figures that are estimates in the results, and where: the first that is there."""
Bounded = list[float]
"""A value, and the ends of its interval if there is one."""


def figures(results: Mapping[str, Any]) -> dict[str, Bounded]:
    """Key of a word -> what a cell found; figures that it has not are left out."""
    sets = figure(results, "metrics/sets") or {}
    samples = {
        key: value
        for key, value in sets.get("samples", {}).items()
        if key != "n" and isinstance(value, int | float)
    }
    found: dict[str, Any] = {**samples, **{name: figure(results, path) for name, path in PATHS.items()}}
    yardstick = sets.get("references", {}).get("fid")
    found["fid_ratio"] = samples["fid"] / yardstick if yardstick and samples.get("fid") is not None else None
    found["psnr"] = figure(results, "reconstruct/psnr_mean")
    found |= {"acceptance": acceptance(results), "cost": cost(results)}
    intervals = {key: figure(results, f"metrics/intervals/samples/{key}") for key in samples}
    for key, paths in BOUNDED.items():
        intervals[key] = next(filter(None, (figure(results, path) for path in paths)), None)
    bounded = {key: bounds(interval) for key, interval in intervals.items()}
    plain = {key: [value] for key, value in found.items() if value is not None}
    return plain | {key: values for key, values in bounded.items() if values}


def bounds(estimate: Any) -> Bounded:
    """Value and interval of an `Estimate` in the results; only the value where an end is unknown."""
    value, low, high = (figure(estimate or {}, key) for key in ("value", "low", "high"))
    if value is None:
        return []
    return [value] if None in (low, high) else [value, low, high]


def words(results: Sequence[Mapping[str, Any]]) -> list[Word]:
    """Of all figures that any cell has, in the order in which the page offers them."""
    found = dict.fromkeys(key for each in results for key in figures(each))
    better: dict[str, str] = {}
    for each in results:
        better |= figure(each, "metrics/better") or {}
    further = {word.key for word in FURTHER}
    metrics = metric_words(better, [key for key in found if key not in further])
    return [*metrics, *(word for word in FURTHER if word.key in found)]
