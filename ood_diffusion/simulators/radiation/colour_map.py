"""An invertible colour map: one physical number per pixel to RGB and back.

The map is matplotlib's "inferno" (van der Walt & Smith 2015): 256 distinct colours whose luminance rises
from black to pale yellow, so that brighter means more in a grey print too. Being listed, it can be
undone: the nearest of its 256 colours names the value to within half a step, 1/510.
"""

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from ood_diffusion.checks import require

COLOURS = 256


@lru_cache(maxsize=1)
def _table() -> Tensor:
    from matplotlib import colormaps  # imported here: the rest of a domain does not need matplotlib

    rgb = colormaps["inferno"].resampled(COLOURS)(np.arange(COLOURS), bytes=True)[:, :3]
    return torch.from_numpy(np.ascontiguousarray(rgb))


def to_rgb(values: Tensor) -> Tensor:
    """Colour values by the nearest of 256 steps.

    Args:
        values: float, shape ``[..., H, W]``, in [0, 1]; values outside are clipped to the ends.

    Returns:
        uint8, shape ``[..., 3, H, W]``.

    Raises:
        UserError: if a value is not finite.
    """
    require(
        bool(torch.isfinite(values).all()),
        "a colour map needs finite values",
        "a NaN or an infinity",
        "Clip or fill the field before it is coloured.",
    )
    steps = (values.clamp(0.0, 1.0) * (COLOURS - 1)).round().long()
    return _table()[steps].movedim(-1, -3).contiguous()


def from_rgb(picture: Tensor) -> Tensor:
    """Read the values back from colours; colours off the curve take the nearest point on it (Euclidean).

    Args:
        picture: uint8 or float in 0 … 255, shape ``[..., 3, H, W]``.

    Returns:
        float32, shape ``[..., H, W]``, in [0, 1]; within 1/510 of what `to_rgb` was given.
    """
    colours = picture.movedim(-3, -1)
    table = _table().to(device=picture.device, dtype=torch.float32)
    # |p - c|^2 = |p|^2 - 2 p.c + |c|^2, and |p|^2 does not change which c is nearest. Every term is an
    # integer below 2^24 for uint8 input, so float32 is exact.
    scores = (table * table).sum(1) - 2.0 * colours.reshape(-1, 3).to(torch.float32) @ table.T
    return (scores.argmin(1).to(torch.float32) / (COLOURS - 1)).reshape(colours.shape[:-1])
