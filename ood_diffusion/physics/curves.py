"""What pictures look like in physics, to be drawn: a curve per picture, and the band of a set."""

import numpy as np
from torch import Tensor

from ood_diffusion.physics.images import Array
from ood_diffusion.physics.intensity import intensity_pdf
from ood_diffusion.physics.profile import radial_profile
from ood_diffusion.physics.spectrum import power_spectrum


def curves(images: Tensor) -> dict[str, Array]:
    """Radial profile, power spectrum (log10, shape only) and intensity PDFs of uint8 ``[n, 3, H, H]``.

    Returns:
        Name -> ``[n, k]``, k as in `abscissae`. Copies all pictures as float64: hand over a block at a time.
    """
    return {
        "radial_profile": radial_profile(images, rings(images.shape[-1])),
        "power_spectrum": power_spectrum(images),
        "intensity_pdf": intensity_pdf(images)[1],
        "log_intensity_pdf": intensity_pdf(images, logarithmic=True)[1],
    }


def abscissae(images: Tensor) -> dict[str, list[float]]:
    """Where the curves are known: share of half a side; cycles per picture; luminance; log10 of it."""
    side = images.shape[-1]
    x = {
        "radial_profile": np.arange(rings(side)) / rings(side),
        "power_spectrum": np.arange(1.0, side // 2 + 1),
        "intensity_pdf": intensity_pdf(images[:1])[0],
        "log_intensity_pdf": intensity_pdf(images[:1], logarithmic=True)[0],
    }
    return {name: values.tolist() for name, values in x.items()}


def rings(side: int) -> int:
    """How many rings a radial profile has."""
    return 16 if side >= 32 else side // 2


def band(values: Array) -> dict[str, list[float]]:
    """ "mean", and "low" and "high", the 16th and 84th percentile, over the pictures of curves ``[n, k]``."""
    low, high = np.percentile(values, [16, 84], axis=0)
    return {"mean": values.mean(axis=0).tolist(), "low": low.tolist(), "high": high.tolist()}
