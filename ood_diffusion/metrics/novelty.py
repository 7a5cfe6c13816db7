"""Are the new images new, or copies of the references that the prior was learned from?"""

import torch
from torch import Tensor

from ood_diffusion.checks import require
from ood_diffusion.metrics.distances import k_nearest

COPY_QUANTILE = 0.01
"""Share of genuinely new images that lie closer to a reference than what is called a copy."""


def nearest(queries: Tensor, references: Tensor) -> tuple[Tensor, Tensor]:
    """The nearest reference of each query.

    Args:
        queries: ``[m, d]``.
        references: ``[n, d]``, n >= 1.

    Returns:
        Euclidean distances, float64 ``[m]`` (exactly 0 for a copy), and indices, int64 ``[m]``.

    Raises:
        UserError: if there is no reference, or d differs.
    """
    require(
        references.ndim == queries.ndim == 2
        and len(references) >= 1
        and queries.shape[1] == references.shape[1],
        "queries [m, d] and references [n, d] must share d, with n >= 1",
        (list(queries.shape), list(references.shape)),
        "Take both from one extractor, and give at least one reference.",
    )
    found, at = k_nearest(queries, references, 1)
    return found[:, 0], at[:, 0]


def novelty(generated: Tensor, references: Tensor, held_out: Tensor) -> dict[str, float]:
    """Distance of new images to the nearest reference, measured by that of genuinely new ones.

    A distance means nothing by itself, so held-out images of the domain, which the prior has not
    seen, serve as the yardstick (the design of the data-copying test of Meehan et al. 2020).

    Args:
        generated: features of new images ``[m, d]``, m >= 1.
        references: features of the images given to the prior ``[n, d]``, n >= 1.
        held_out: features of other images of the domain ``[k, d]``, k >= 1.

    Returns:
        generated: mean distance from a new image to its nearest reference, at least 0.
        held_out: the same for held-out images.
        ratio: generated / held_out; 1 = as far from the references as unseen images, ~0 = copies.
        copies: share in [0, 1] of new images strictly nearer to a reference than the 1st percentile
            of held-out images. Genuinely new images score about 0.01.

    Raises:
        UserError: if a set is empty, d differs, or every held-out image repeats a reference.
    """
    require(
        len(generated) >= 1 and len(held_out) >= 1,
        "novelty must be given at least one generated and one held-out image",
        (len(generated), len(held_out)),
        "Raise n_samples or n_held_out.",
    )
    new, _ = nearest(generated, references)
    unseen, _ = nearest(held_out, references)
    require(
        bool(unseen.mean() > 0),
        "held-out images must differ from the references",
        "distance 0 for all of them",
        "Split the domain so that no image is in both sets.",
    )
    limit = torch.quantile(unseen, COPY_QUANTILE)
    return {
        "generated": float(new.mean()),
        "held_out": float(unseen.mean()),
        "ratio": float(new.mean() / unseen.mean()),
        "copies": float((new < limit).double().mean()),
    }
