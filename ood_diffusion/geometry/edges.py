"""Outlines of an image, as a pen would draw them."""

import numpy as np
from numpy.typing import NDArray

BLACK = 95
"""Percentile of a picture's edge strengths that is drawn in full black."""

FAINTEST = 0.01
"""Full black needs at least this luminance step per pixel (of full scale): flat pictures stay white."""


def ink(luminance: NDArray[np.float64], scale: float, threshold: float) -> NDArray[np.float64]:
    """Canny's edges with grades instead of a yes or no: 0 bare paper … 1 black, ``[H, W]``.

    The gradient of the Gaussian-smoothed luminance is kept where it is largest along its own direction
    (non-maximum suppression, Canny 1986), which leaves lines one or two pixels wide, and is then scaled
    from `threshold` to the picture's own full black. (Canny's hysteresis has no place with grades.)

    Args:
        luminance: ``[H, W]`` in [0, 1].
        scale: of the Gaussian, in pixels.
        threshold: share of full black below which nothing is drawn, in [0, 1).
    """
    from scipy import ndimage  # imported here: it costs a third of a second

    down, right = (ndimage.gaussian_filter(luminance, scale, order=order) for order in ((1, 0), (0, 1)))
    strength = np.hypot(down, right)
    place, step = np.indices(luminance.shape), np.stack([down, right]) / (strength + 1e-12)
    ahead, behind = (
        ndimage.map_coordinates(strength, place + sign * step, order=1, mode="nearest") for sign in (1, -1)
    )
    ridge = np.where((strength >= ahead) & (strength >= behind), strength, 0.0)
    black = max(float(np.percentile(strength, BLACK)), FAINTEST)
    drawn: NDArray[np.float64] = ((ridge / black - threshold) / (1 - threshold)).clip(0, 1)
    return drawn
