"""The authors' reading of bandwidth: with how much fresh noise is an inverted image still given back?"""

from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from ood_diffusion.metrics.novelty import nearest
from ood_diffusion.stages.bandwidth_curve import bandwidth_difference, bandwidth_interval, censored
from ood_diffusion.stages.bandwidth_settings import BandwidthSettings
from ood_diffusion.stages.cell import Cell
from ood_diffusion.stages.decode import decode
from ood_diffusion.stages.evaluate import features_in_order, features_of
from ood_diffusion.stages.invert import invert
from ood_diffusion.statistics.estimate import Array, Estimate


def recognised(cell: Cell, settings: BandwidthSettings) -> Array:
    """Decode the cell's references from their latents with every eta.

    Returns:
        Whether each result's nearest reference, among the cell's, is the one that it came from: bool
        ``[n, len(settings.etas)]``. By chance 1 in n is.
    """
    invert(cell)
    originals = features_of(cell, cell.pictures, cell.references)
    own, found = torch.arange(len(cell.references)), []
    for eta in settings.etas:
        child = cell.at(eta=eta)
        images, names = decode(child, child.bank, list(cell.references), f"bandwidth, eta {eta:g}")
        found.append(nearest(features_in_order(child, images, names), originals)[1] == own)
    shares: Array = torch.stack(found, dim=1).numpy()
    return shares


def eta_bands(unseen: Cell, training: Cell, settings: BandwidthSettings) -> tuple[dict[str, Any], Estimate]:
    """The eta at which the share recognised has fallen to half, of both domains, and their difference.

    Args:
        unseen: a cell whose references are the unseen domain's.
        training: likewise of the training domain, with as many references.
        settings: of the stage.
    """
    etas, seed = np.array(settings.etas, dtype=np.float64), unseen.settings.seed
    sets = {"unseen": recognised(unseen, settings), "training": recognised(training, settings)}
    difference = bandwidth_difference(etas, sets["unseen"], sets["training"], seed)
    figures: dict[str, Any] = {
        name: {
            **asdict(bandwidth_interval(etas, found, seed)),
            "censored": censored(found),
            "recognised": found.mean(axis=0).tolist(),
        }
        for name, found in sets.items()
    }
    return {"etas": etas.tolist(), **figures, "difference": asdict(difference)}, difference
