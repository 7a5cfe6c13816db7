r"""What a field looks like beyond its spectrum: areas, boundaries and holes above thresholds, peaks, moments.

Thresholds are in standard deviations of each field's own values from their mean, so that nothing here
except mean and standard deviation changes with unit or contrast. Of a Gaussian random field the expectations
are closed forms, which the tests check.
"""

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

CONSTANT = 1e-9
"""Share of the largest value below which a standard deviation is round-off."""


def moments(fields: Tensor) -> Tensor:
    """Mean, standard deviation, skewness and excess kurtosis of each channel.

    ``[n, C, H, W]`` -> float64 ``[n, C, 4]``; skewness and kurtosis are 0 where nothing varies.
    """
    values = fields.double().flatten(2)
    mean, sd = values.mean(dim=2), values.std(dim=2, correction=0)
    z = standardised(fields).flatten(2)
    varies = z.any(dim=2)
    shape = [torch.where(varies, z.pow(k).mean(dim=2) - gaussian, 0.0) for k, gaussian in ((3, 0), (4, 3))]
    return torch.stack([mean, sd, *shape], dim=2)


def standardised(fields: Tensor) -> Tensor:
    """Each channel of each field with mean 0 and standard deviation 1; 0 where nothing varies. float64."""
    values = fields.double()
    centred = values - values.mean(dim=(2, 3), keepdim=True)
    sd = centred.square().mean(dim=(2, 3), keepdim=True).sqrt()
    return torch.where(sd > CONSTANT * values.abs().amax(dim=(2, 3), keepdim=True), centred / sd, 0.0)


def minkowski(fields: Tensor, threshold: float) -> Tensor:
    r"""The three Minkowski functionals of what is above `threshold` standard deviations, per pixel.

    The share of the area; the length of its boundary, in pixels, which is :math:`\pi/4` of the number of
    pixel sides on it if directions are even (Crofton); and the number of pieces minus that of holes, in
    windows of 2×2 pixels (Gray 1971) with corners joined in half of the cases.

    Args:
        fields: ``[n, C, H, W]``.
        threshold: in standard deviations of each field's channel.

    Returns:
        float64 ``[n, C, 3]``.
    """
    above = (standardised(fields) > threshold).double()
    down = (above[..., 1:, :] != above[..., :-1, :]).double().mean(dim=(2, 3))
    across = (above[..., 1:] != above[..., :-1]).double().mean(dim=(2, 3))
    corners = above[..., 1:, 1:] + above[..., 1:, :-1] + above[..., :-1, 1:] + above[..., :-1, :-1]
    euler = ((corners == 1).double() - (corners == 3).double()).mean(dim=(2, 3)) / 4
    return torch.stack([above.mean(dim=(2, 3)), torch.pi / 4 * (down + across), euler], dim=2)


def peaks(fields: Tensor, threshold: float) -> Tensor:
    """How many pixels are above their eight neighbours and above `threshold` standard deviations.

    ``[n, C, H, W]`` -> float64 ``[n, C]``; pixels on the edge do not count.
    """
    z = standardised(fields)
    inner = z[..., 1:-1, 1:-1]
    # the largest of a window is its middle, and of a plateau no pixel counts
    highest = (inner == max_pool2d(z, 3, stride=1)) & (inner > threshold)
    tied = [z[..., 1 + i : z.shape[2] - 1 + i, 1 + j : z.shape[3] - 1 + j] == inner for i, j in NEIGHBOURS]
    return (highest & ~torch.stack(tied).any(dim=0)).double().sum(dim=(2, 3))


NEIGHBOURS = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)]


def channel_correlations(fields: Tensor) -> Tensor:
    """Pearson's correlation of each channel with the next: ``[n, C, H, W]`` -> float64 ``[n, C - 1]``."""
    z = standardised(fields)
    return (z[:, 1:] * z[:, :-1]).mean(dim=(2, 3))
