"""Was the recommended level a good one? Only FID of samples from several levels can say."""

from collections.abc import Mapping, Sequence
from typing import Any

from ood_diffusion.claims.bandwidth import well_recommended
from ood_diffusion.claims.check import Check
from ood_diffusion.report.bandwidth_plots import recommendation_plot
from ood_diffusion.stages.cell import Cell
from ood_diffusion.stages.evaluate import features_of, samples_of
from ood_diffusion.stages.invert import invert
from ood_diffusion.stages.sample import sample
from ood_diffusion.statistics.estimate import Estimate
from ood_diffusion.statistics.feature_intervals import fid_interval
from ood_diffusion.storage.atomic import atomic_write

PLOT = "bandwidth_recommended.svg"


def fids_at(cell: Cell, levels: Sequence[float]) -> dict[float, Estimate]:
    """FID of the cell's samples against all held-out images, if it sampled from each of these levels."""
    judge, found = features_of(cell, cell.pictures, cell.held_out), {}
    for level in levels:
        child = cell.at(level=level)
        invert(child)
        sample(child)
        found[level] = fid_interval(features_of(child, *samples_of(child)), judge)
    return found


def check_recommendation(
    cell: Cell, fids: Mapping[float, Estimate], levels: Sequence[Mapping[str, Any]], recommended: float
) -> list[Check]:
    """Draw FID and score against the level, and compare the recommended level with the others, if there are.

    Args:
        cell: where the picture goes, and the limit comes from.
        fids: of `fids_at`, the recommended level among them.
        levels: "level" and "score" of each measured level.
        recommended: the level of the largest score.
    """
    checked = [{"level": level, "fid": vars(fid)} for level, fid in fids.items()]
    atomic_write(cell.run_folder / PLOT, recommendation_plot(levels, checked, recommended).encode())
    max_regret = cell.stage_settings["bandwidth"].max_regret
    return [well_recommended(fids, recommended, max_regret, PLOT)] if len(fids) > 1 else []
