"""Quality against the number of references: random subsets of the bank, several of each size."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from ood_diffusion.checks import require
from ood_diffusion.metrics.novelty import novelty
from ood_diffusion.optional import optional
from ood_diffusion.runs.cell import Cell
from ood_diffusion.seeding import generator
from ood_diffusion.stages.evaluate import features_in_order, features_of, samples_of, score
from ood_diffusion.stages.invert import invert
from ood_diffusion.stages.sample import sample
from ood_diffusion.statistics.feature_intervals import fid_interval, interval_over_seeds
from ood_diffusion.storage.atomic import atomic_write
from ood_diffusion.study.few_shot.plots import quality_curve
from ood_diffusion.study.few_shot.verdict import enough
from ood_diffusion.study.floor import floor_of

PLOT = "few_shot.svg"


@dataclass(frozen=True)
class FewShotSettings:
    """Settings of the stage.

    Args:
        counts: numbers of references; those above `n_references` are left out, and all references added.
        repeats: random subsets, with draws of their own, of each count.
        n_images: new images per subset, at most; `n_samples` is the other limit.
        tolerance: largest rise of FID, from all references to the largest count that is at most half of them
            and relative to what is above the FID of real images, that still counts as "enough".
    """

    counts: Sequence[int]
    repeats: int
    n_images: int
    tolerance: float

    def __post_init__(self) -> None:
        least = min(self.counts, default=0)
        require(least >= 2, "stage.few_shot.counts must hold numbers of at least 2", least, "Try [8,24,96].")
        require(self.repeats >= 2, "stage.few_shot.repeats must be at least 2", self.repeats, "Try 3.")
        require(self.tolerance > 0, "stage.few_shot.tolerance must be positive", self.tolerance, "Try 0.1.")


def few_shot(cell: Cell) -> None:
    """Sample from subsets of each size and judge what comes out by the held-out images."""
    settings: FewShotSettings = cell.stage_settings["few_shot"]
    judge = features_of(cell, cell.pictures, cell.held_out)
    invert(cell)
    curve = []
    for count in sizes(cell, settings):
        runs = [one_run(cell, settings, judge, count, repeat) for repeat in range(settings.repeats)]
        intervals = [run.pop("interval") for run in runs]
        fid = interval_over_seeds([i.value for i in intervals], intervals)
        curve.append({"n_references": count, "fid": vars(fid), "runs": runs})
    floor = floor_of(cell, judge, min(settings.n_images, cell.settings.n_samples))
    check = enough(curve, floor, settings.tolerance, PLOT)
    with optional(f"draw {PLOT}"):
        atomic_write(cell.run_folder / PLOT, quality_curve(curve, floor.fid.value).encode())
    cell.results["few_shot"] = {"curve": curve, "floor": asdict(floor), "checks": [check.as_json()]}


def sizes(cell: Cell, settings: FewShotSettings) -> list[int]:
    """The counts that prior, sampler and selection can learn from, ascending; the last is all references."""
    least = max(part.min_references for part in (cell.prior, cell.sampler, cell.selection))
    total = len(cell.references)
    return sorted({*(n for n in settings.counts if least <= n < total), total})


def seed_of(run_seed: int, repeat: int) -> int:
    """The seed of one repeat, which no other run seed shares: repeats of several runs are independent."""
    return generator(run_seed, "few_shot repeat", repeat).initial_seed() % 2**31


def one_run(cell: Cell, settings: FewShotSettings, judge: Tensor, count: int, repeat: int) -> dict[str, Any]:
    """Metrics of the images that one random subset of `count` references leads to."""
    seed = seed_of(cell.settings.seed, repeat)
    order = torch.randperm(len(cell.references), generator=generator(seed, "few_shot", count))
    everyone = list(cell.references)
    subset = {everyone[i]: cell.references[everyone[i]] for i in order[:count].tolist()}
    n = min(settings.n_images, cell.settings.n_samples)
    child = cell.at(subset=subset, seed=seed, n_samples=n)
    sample(child)
    new = features_in_order(child, *samples_of(child))
    references = features_of(child, child.pictures, child.references)
    found = novelty(new, references, judge)
    return {
        "seed": child.settings.seed,
        **score(child.make_metrics, judge, new),
        "copies": found["copies"],
        "novelty": found["ratio"],
        "interval": fid_interval(new, judge),
    }
