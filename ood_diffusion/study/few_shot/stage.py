"""Quality against the number of references: random subsets of the bank, several of each size."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ood_diffusion.checks import require, require_positive
from ood_diffusion.metrics.novelty import novelty
from ood_diffusion.optional import optional
from ood_diffusion.report.figures import BLUE, INK, ORANGE, Drawing, arms, panel, save, svg
from ood_diffusion.report.results import Results
from ood_diffusion.runs.run import Run
from ood_diffusion.runs.stage import Need, Stage
from ood_diffusion.seeding import generator
from ood_diffusion.stages.evaluate import samples_of, score
from ood_diffusion.stages.features import features_in_order, features_of
from ood_diffusion.stages.invert import invert
from ood_diffusion.stages.sample import sample
from ood_diffusion.statistics.estimate import Estimate
from ood_diffusion.statistics.feature_intervals import fid_interval, interval_over_seeds
from ood_diffusion.study.few_shot.section import AtCount, FewShotSection
from ood_diffusion.study.few_shot.verdict import enough
from ood_diffusion.study.floor import floor_of

PLOT = "few_shot.svg"


@dataclass(frozen=True)
class FewShot(Stage):
    """Samples from subsets of each size against the held-out images.

    Args:
        counts: numbers of references; those above `n_references` are left out, and all references added.
        repeats: random subsets, with draws of their own, of each count.
        n_images: new images per subset, at most; `n_samples` is the other limit.
        tolerance: largest rise of FID, from all references to the largest count that is at most half of them
            and relative to what is above the FID of real images, that still counts as "enough".
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"images", "level", "draws", "metrics"})
    counts: Sequence[int]
    repeats: int
    n_images: int
    tolerance: float

    def __post_init__(self) -> None:
        least = min(self.counts, default=0)
        require(least >= 2, "stage.few_shot.counts must hold numbers of at least 2", least, "Try [8,24,96].")
        require(self.repeats >= 2, "stage.few_shot.repeats must be at least 2", self.repeats, "Try 3.")
        require_positive("stage.few_shot.tolerance", self.tolerance, "Try 0.1.")

    def __call__(self, run: Run, earlier: Results) -> dict[str, FewShotSection]:
        """FID against the number of references, and the check of C9."""
        held_out = features_of(run, run.pictures, run.held_out)
        invert(run)
        curve = []
        for count in sizes(run, self.counts):
            repeats = [one_run(run, self.n_images, held_out, count, i) for i in range(self.repeats)]
            intervals = [interval for _, interval in repeats]
            fid = interval_over_seeds([i.value for i in intervals], intervals)
            curve.append(AtCount(count, fid, [found for found, _ in repeats]))
        floor = floor_of(run, held_out, min(self.n_images, run.settings.n_samples))
        check = enough(curve, floor, self.tolerance, PLOT)
        with optional(f"draw {PLOT}"):
            save(run.workspace.folder / PLOT, quality_curve(curve, floor.fid.value))
        return {"few_shot": FewShotSection(curve, floor, [check])}


def sizes(run: Run, counts: Sequence[int]) -> list[int]:
    """The counts that prior, sampler and selection can learn from, ascending; the last is all references."""
    least = max(part.min_references for part in (run.prior, run.sampler, run.selection))
    total = len(run.references)
    return sorted({*(n for n in counts if least <= n < total), total})


def seed_of(run_seed: int, repeat: int) -> int:
    """The seed of one repeat, which no other run seed shares: repeats of several runs are independent."""
    return generator(run_seed, "few_shot repeat", repeat).initial_seed() % 2**31


def one_run(
    run: Run, n_images: int, held_out: Tensor, count: int, repeat: int
) -> tuple[dict[str, float], Estimate]:
    """Metrics of the images that a random subset of `count` references leads to; FID with its interval."""
    seed = seed_of(run.settings.seed, repeat)
    order = torch.randperm(len(run.references), generator=generator(seed, "few_shot", count))
    everyone = list(run.references)
    subset = {everyone[i]: run.references[everyone[i]] for i in order[:count].tolist()}
    n = min(n_images, run.settings.n_samples)
    child = run.at(subset=subset, seed=seed, n_samples=n)
    sample(child)
    new = features_in_order(child, *samples_of(child))
    references = features_of(child, child.pictures, child.references)
    found = novelty(new, references, held_out)
    return {
        "seed": child.settings.seed,
        **score(child.make_metrics, {"features": (held_out, new)}),
        "copies": found["copies"],
        "novelty": found["ratio"],
    }, fid_interval(new, held_out)


def quality_curve(curve: Sequence[AtCount], floor: float) -> Drawing:
    """FID with its interval, and every run, against the number of references on a log axis; SVG text.

    Args:
        curve: ascending; each of its `runs` has a "fid".
        floor: FID of real images.
    """
    figure, axes = panel("references", "FID")
    counts = [point.n_references for point in curve]
    values = [point.fid.value for point in curve]
    reach = arms(point.fid for point in curve)
    axes.errorbar(counts, values, reach, color=BLUE, capsize=4, label="mean and 95 % interval")
    runs = [(point.n_references, run["fid"]) for point in curve for run in point.runs]
    axes.plot(
        *zip(*runs, strict=True), "o", color=ORANGE, markersize=4, alpha=0.8, label="one subset, one seed"
    )
    axes.axhline(floor, color=INK, linewidth=1, linestyle=":", label="real images")
    axes.set_xscale("log", base=2)
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.set_ylim(bottom=0)
    return svg(figure, axes)
