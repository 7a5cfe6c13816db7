"""Is the content still there? Outlines are compared, which a change of style leaves in place."""

import numpy as np
import torch
from torch import Tensor

from ood_diffusion.geometry.edges import ink
from ood_diffusion.pixels import LUMINANCE

SCALE, THRESHOLD = 1.0, 0.35
"""Of the edge filter: those that `domains.sketches_of` draws with."""

TOLERANCE = 2.0
"""Standard deviation in pixels of the blur of the lines. The edges of a drawn line are two lines, one on each
side, some three pixels apart; blurred they fall together with the line that is the photo's edge."""


def outlines(images: Tensor) -> Tensor:
    """Blurred edge map of each image, with mean 0 and norm 1.

    Args:
        images: uint8 ``[n, 3, H, W]``, of any style.

    Returns:
        float64 ``[n, H * W]``; zeros for an image without edges.
    """
    from scipy import ndimage

    luminance = np.einsum("c,nchw->nhw", LUMINANCE, images.numpy() / 255.0)
    lines = np.stack([ink(each, SCALE, THRESHOLD) for each in luminance])
    soft = torch.from_numpy(ndimage.gaussian_filter(lines, (0, TOLERANCE, TOLERANCE))).flatten(1)
    soft = soft - soft.mean(dim=1, keepdim=True)
    unit: Tensor = soft / soft.norm(dim=1, keepdim=True).clamp_min(1e-12)
    return unit


def retrieved(results: Tensor, sources: Tensor) -> Tensor:
    """Whether each result's outlines correlate most with those of its own source.

    Args:
        results: uint8 ``[n, 3, H, W]``.
        sources: uint8 ``[n, 3, H, W]``, in the same order.

    Returns:
        bool ``[n]``; False on a tie (an image without outlines is like none).
    """
    alike = outlines(results) @ outlines(sources).T
    own = alike.diagonal()
    return (alike >= own[:, None]).sum(dim=1) == 1
