r"""Which level to sample from, chosen by points half way between references, before any sample is drawn.

The rule was written down before any FID was seen, and uses neither one nor held-out images (other
references took their place once, after a review that had seen a first run on one domain). Half way between
two references is where interpolation and linear combinations leave the references furthest behind. There a
good level has to give an image

* of the domain: at high levels the network paints in what the latent lacks, and leaves it;
* that is new: at low levels the network has little to do, and returns the two pictures laid over each other.

Each is expressed as a share of what *real* images of the domain score, 1 at most, and the level with the
largest product is recommended. No threshold is needed, and for a perfect sampler both shares are 1. Whether
it was a good level only FIDs of samples from several can say (`check_recommendation`).
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ood_diffusion.claims.check import Check
from ood_diffusion.claims.excess import Floor
from ood_diffusion.optional import optional
from ood_diffusion.report.figures import save
from ood_diffusion.runs.run import Run
from ood_diffusion.stages.evaluate import samples_of
from ood_diffusion.stages.features import features_in_order, features_of
from ood_diffusion.stages.invert import invert
from ood_diffusion.stages.sample import sample
from ood_diffusion.statistics.estimate import Estimate
from ood_diffusion.statistics.feature_intervals import fid_interval
from ood_diffusion.study.bandwidth.plots import recommendation_plot
from ood_diffusion.study.bandwidth.section import HalfWay, Level, Real
from ood_diffusion.study.bandwidth.verdict import well_recommended
from ood_diffusion.study.floor import floor_of

PLOT = "bandwidth_recommended.svg"


def unexplained(images: Tensor, first: Tensor, second: Tensor) -> Tensor:
    r"""Share of an image's variance that no superposition of its two parents accounts for.

    :math:`|x - \hat x|^2 / |x - \bar x|^2` with :math:`\hat x = c + v a + w b` fitted by least squares to all
    pixels and channels: 1 less the coefficient of determination.

    Args:
        images: x, ``[n, C, H, W]``, any dtype.
        first: a, of the same shape.
        second: b, of the same shape.

    Returns:
        float64 ``[n]`` in [0, 1]; 0 for an image without variance.
    """
    x, a, b = (
        t.double().flatten(1) - t.double().flatten(1).mean(dim=1, keepdim=True)
        for t in (images, first, second)
    )
    parents = torch.stack([a, b], dim=2)
    fitted = parents @ (torch.linalg.pinv(parents) @ x[:, :, None])
    left, all_of_it = (x - fitted[:, :, 0]).square().sum(dim=1), x.square().sum(dim=1)
    return torch.where(all_of_it > 0, left / all_of_it.clamp_min(torch.finfo(torch.float64).tiny), 0.0)


def level_score(half_way: HalfWay, real: Real) -> float:
    """The product of both shares of what real images score, in [0, 1]."""
    pairs = (half_way.inside, real.inside), (half_way.unexplained, real.unexplained)
    inside, new = (min(1.0, ours / theirs) if theirs > 0 else 0.0 for ours, theirs in pairs)
    return inside * new


def recommend_level(levels: Sequence[Level]) -> float:
    """Of at least one, the level with the largest score, of equal ones the lowest: it asks the least of the
    network."""
    return max(levels, key=lambda found: (found.score, -found.level)).level


def fids_at(run: Run, levels: Sequence[float]) -> tuple[dict[float, Estimate], Floor]:
    """FID of the run's samples against all held-out images, if it sampled from each of these levels.

    Returns:
        Level -> FID, and the FID of as many real images.
    """
    held_out, found = features_of(run, run.pictures, run.held_out), {}
    for level in levels:
        child = run.at(level=level)
        invert(child)
        sample(child)
        found[level] = fid_interval(features_in_order(child, *samples_of(child)), held_out)
    return found, floor_of(run, held_out, run.settings.n_samples)


def check_recommendation(
    run: Run,
    fids: Mapping[float, Estimate],
    floor: Floor,
    levels: Sequence[Level],
    recommended: float,
    max_regret: float,
) -> list[Check]:
    """Draw FID and score against the level, and compare the recommended level with the others, if there are.

    Args:
        run: where the picture goes.
        fids: of `fids_at`, the recommended level among them.
        floor: of `fids_at`.
        levels: each measured level.
        recommended: the level of the largest score.
        max_regret: the limit, of `BandwidthSettings`.
    """
    with optional(f"draw {PLOT}"):
        drawn = recommendation_plot(levels, fids, recommended, floor.fid.value)
        save(run.workspace.folder / PLOT, drawn)
    return [well_recommended(fids, floor, recommended, max_regret, PLOT)] if len(fids) > 1 else []
