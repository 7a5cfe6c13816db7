"""The authors' reading of bandwidth: with how much fresh noise is an inverted image still given back?"""

from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from ood_diffusion.metrics.novelty import nearest
from ood_diffusion.runs.run import Run
from ood_diffusion.stages.decode import decode
from ood_diffusion.stages.evaluate import features_in_order, features_of
from ood_diffusion.stages.invert import invert
from ood_diffusion.statistics.estimate import Array, Estimate
from ood_diffusion.study.bandwidth.curve import bandwidth_difference, bandwidth_interval, censored, start
from ood_diffusion.study.bandwidth.images import first
from ood_diffusion.study.bandwidth.settings import BandwidthSettings


def recognised(run: Run, settings: BandwidthSettings) -> Array:
    """Decode the run's references from their latents with every eta.

    Returns:
        Whether each result's nearest reference, among the run's, is the one that it came from: bool
        ``[n, len(settings.etas)]``. By chance 1 in n is.
    """
    invert(run)
    originals = features_of(run, run.pictures, run.references)
    own, found = torch.arange(len(run.references)), []
    for eta in settings.etas:
        child = run.at(eta=eta)
        images, names = decode(child, child.bank, list(run.references), f"bandwidth, eta {eta:g}")
        found.append(nearest(features_in_order(child, images, names), originals)[1] == own)
    shares: Array = torch.stack(found, dim=1).numpy()
    return shares


def eta_bands(
    run: Run, unseen: dict[str, str], training: dict[str, str], settings: BandwidthSettings
) -> tuple[dict[str, Any], Estimate, tuple[Estimate, Estimate]]:
    """The eta at which the share recognised has fallen to half, of both domains, and their difference.

    Args:
        run: at the level that is compared.
        unseen: images of the unseen domain, content digest -> picture id.
        training: likewise of the training domain. As many of each are used as the smaller set has: among
            more images it is harder to be the nearest.
        settings: of the stage.

    Returns:
        For `results.json`; the difference; the shares recognised at eta 0, of both domains.
    """
    etas, seed = np.array(settings.etas, dtype=np.float64), run.settings.seed
    n = min(len(unseen), len(training))
    here, there = (recognised(run.at(subset=first(images, n)), settings) for images in (unseen, training))
    difference = bandwidth_difference(etas, here, there, seed)
    figures: dict[str, Any] = {
        name: {
            **asdict(bandwidth_interval(etas, found, seed)),
            "censored": censored(found),
            "recognised": found.mean(axis=0).tolist(),
        }
        for name, found in (("unseen", here), ("training", there))
    }
    found = {"etas": etas.tolist(), **figures, "difference": asdict(difference)}
    return found, difference, (start(here), start(there))
