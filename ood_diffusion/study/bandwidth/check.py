"""Was the recommended level a good one? Only FID of samples from several levels can say."""

from collections.abc import Mapping, Sequence
from typing import Any

from ood_diffusion.claims.check import Check
from ood_diffusion.claims.excess import Floor
from ood_diffusion.optional import optional
from ood_diffusion.runs.run import Run
from ood_diffusion.stages.evaluate import features_in_order, features_of, samples_of
from ood_diffusion.stages.invert import invert
from ood_diffusion.stages.sample import sample
from ood_diffusion.statistics.estimate import Estimate
from ood_diffusion.statistics.feature_intervals import fid_interval
from ood_diffusion.storage.atomic import atomic_write
from ood_diffusion.study.bandwidth.plots import recommendation_plot
from ood_diffusion.study.bandwidth.verdict import well_recommended
from ood_diffusion.study.floor import floor_of

PLOT = "bandwidth_recommended.svg"


def fids_at(run: Run, levels: Sequence[float]) -> tuple[dict[float, Estimate], Floor]:
    """FID of the run's samples against all held-out images, if it sampled from each of these levels.

    Returns:
        Level -> FID, and the FID of as many real images.
    """
    judge, found = features_of(run, run.pictures, run.held_out), {}
    for level in levels:
        child = run.at(level=level)
        invert(child)
        sample(child)
        found[level] = fid_interval(features_in_order(child, *samples_of(child)), judge)
    return found, floor_of(run, judge, run.settings.n_samples)


def check_recommendation(
    run: Run,
    fids: Mapping[float, Estimate],
    floor: Floor,
    levels: Sequence[Mapping[str, Any]],
    recommended: float,
    max_regret: float,
) -> list[Check]:
    """Draw FID and score against the level, and compare the recommended level with the others, if there are.

    Args:
        run: where the picture goes.
        fids: of `fids_at`, the recommended level among them.
        floor: of `fids_at`.
        levels: "level" and "score" of each measured level.
        recommended: the level of the largest score.
        max_regret: the limit, of `BandwidthSettings`.
    """
    checked = [{"level": level, "fid": vars(fid)} for level, fid in fids.items()]
    with optional(f"draw {PLOT}"):
        text = recommendation_plot(levels, checked, recommended, floor.fid.value)
        atomic_write(run.workspace.folder / PLOT, text.encode())
    return [well_recommended(fids, floor, recommended, max_regret, PLOT)] if len(fids) > 1 else []
