"""What real images score in FID: the floor of claims about it."""

from itertools import islice

from torch import Tensor

from ood_diffusion.claims.excess import Floor
from ood_diffusion.runs.run import Run
from ood_diffusion.stages.features import features_of
from ood_diffusion.statistics.feature_intervals import fid_interval


def floor_of(run: Run, held_out: Tensor, n_samples: int) -> Floor:
    """FID of the first `n_samples` references of the run, or of all, against the same images.

    Args:
        run: with at least 2 references.
        held_out: features of held-out images, ``[n, d]``.
        n_samples: images in each FID that will be compared with the floor.
    """
    real = features_of(run, run.pictures, dict(islice(run.references.items(), n_samples)))
    return Floor(fid_interval(real, held_out), len(real), n_samples)
