r"""Which level to sample from, judged by points half way between references, before any sample is drawn.

The rule was written down before any FID was seen, and uses neither one nor held-out images (other
references took their place once, after a review that had seen a first run on one domain). Half way between
two references is where interpolation and linear combinations leave the references furthest behind. There a
good level has to give an image

* of the domain: at high levels the network paints in what the latent lacks, and leaves it;
* that is new: at low levels the network has little to do, and returns the two pictures laid over each other.

Each is expressed as a share of what *real* images of the domain score, 1 at most, and the level with the
largest product is recommended. No threshold is needed, and for a perfect sampler both shares are 1.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor


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


def level_score(half_way: Mapping[str, Any], real: Mapping[str, Any]) -> float:
    """The product of both shares, in [0, 1].

    Args:
        half_way: of decoded midpoints, "inside" (share) and "unexplained" (mean), each in [0, 1].
        real: the same of real images.
    """
    shares = [half_way[key] / real[key] if real[key] > 0 else 0.0 for key in ("inside", "unexplained")]
    return min(1.0, shares[0]) * min(1.0, shares[1])


def recommend_level(levels: Sequence[Mapping[str, Any]]) -> float:
    """The level with the largest score, of equal ones the lowest: it asks the least of the network.

    Args:
        levels: "level" and "score" of each, at least one.
    """
    best = max(levels, key=lambda found: (found["score"], -found["level"]))
    return float(best["level"])
