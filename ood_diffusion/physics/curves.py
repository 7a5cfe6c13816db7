"""What two sets of pictures look like in physics, to be drawn: means and bands."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ood_diffusion.physics.images import PART, Array
from ood_diffusion.physics.intensity import intensity_pdf
from ood_diffusion.physics.profile import radial_profile
from ood_diffusion.physics.spectrum import power_spectrum


def curves(samples: Tensor, held_out: Tensor) -> dict[str, dict[str, Any]]:
    """What to plot: radial profile, power spectrum (log10, shape only) and intensity PDFs of both sets.

    Returns:
        Name -> ``x`` (share of half a side; cycles per picture; luminance; log10 of it), ``samples`` and
        ``held_out``: each ``mean``, ``low`` and ``high`` (16th and 84th percentile over the pictures), lists.
    """
    side = samples.shape[-1]
    bins = 16 if side >= 32 else side // 2
    makers: dict[str, tuple[Array, Callable[[Tensor], Array]]] = {
        "radial_profile": (np.arange(bins) / bins, lambda images: radial_profile(images, bins)),
        "power_spectrum": (np.arange(1.0, side // 2 + 1), lambda images: power_spectrum(images)),
        "intensity_pdf": (intensity_pdf(samples[:1])[0], lambda images: intensity_pdf(images)[1]),
        "log_intensity_pdf": (
            intensity_pdf(samples[:1], logarithmic=True)[0],
            lambda images: intensity_pdf(images, logarithmic=True)[1],
        ),
    }
    return {
        name: {"x": x.tolist(), "samples": _band(make, samples), "held_out": _band(make, held_out)}
        for name, (x, make) in makers.items()
    }


def _band(make: Callable[[Tensor], Array], images: Tensor) -> dict[str, list[float]]:
    values = np.concatenate([make(part) for part in torch.split(images, PART)])
    low, high = np.percentile(values, [16, 84], axis=0)
    return {"mean": values.mean(axis=0).tolist(), "low": low.tolist(), "high": high.tolist()}
