"""A Fréchet distance between fields themselves, of which a view as an RGB picture may show too little."""

import math
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from ood_diffusion.figures import Figure
from ood_diffusion.geometry.structure import channel_correlations, minkowski, moments, peaks
from ood_diffusion.metrics.feature_metric import RowMetric, require_images
from ood_diffusion.metrics.fid import frechet_distance
from ood_diffusion.statistics.feature_intervals import Influence, fid_influence
from ood_diffusion.statistics.field_spectrum import field_powers, radial_power

BANDS = 6
"""Of wavenumbers, evenly spaced in their logarithm: factors of two for 64 pixels."""
THRESHOLDS = (-1.0, 1.0)
"""Of Minkowski functionals and peaks, in standard deviations of each field."""
FAINTEST = 1e-12
"""Power below which its logarithm stops; float32 rounds at about 1e-15."""


def summaries(fields: Tensor) -> Tensor:
    """The numbers that stand for a field: per channel moments, power by scale, Minkowski functionals, peaks.

    Fields are seen in the scale in which they are stored (log10 where the domain says so).

    Args:
        fields: ``[n, C, H, W]``, float32 in [-1, 1].

    Returns:
        float64 ``[n, 18 C - 1]``: 4 moments, log10 of the power in 6 bands, 6 functionals, log10 of one more
        than the peaks, and the correlation of each channel with the next.
    """
    n, channels, height, width = fields.shape
    power = field_powers(fields.reshape(n * channels, 1, height, width)).numpy()
    by_band = torch.from_numpy(radial_power(power, width, BANDS)).clamp_min(FAINTEST).log10()
    each = [
        moments(fields),
        by_band.reshape(n, channels, -1),
        *(minkowski(fields, threshold) for threshold in THRESHOLDS),
        (1 + peaks(fields, THRESHOLDS[-1])).log10()[..., None],
    ]
    return torch.cat([torch.cat(each, dim=2).flatten(1), channel_correlations(fields)], dim=1)


class FieldDistance(RowMetric):
    """`frechet_distance` of `summaries`, each in standard deviations of the held-out fields.

    It looks at the fields themselves, without a view or a network, and is the same in any unit.
    """

    names = ("field_distance",)
    higher_is_better = False
    figures = (
        Figure(
            "field_distance",
            label="field distance",
            better="lower",
            says="Fréchet distance between summaries of the fields themselves: moments, spectrum, topology",
        ),
    )
    ratio_to_references = True
    takes = "fields"

    def update(self, features: Tensor, real: bool) -> None:
        """Take in fields, float32 ``[B, C, H, W]``; `UserError` for values that are not finite."""
        super().update(summaries(features.cpu()), real)

    def compute(self) -> dict[str, Tensor]:
        """``{"field_distance": scalar}``, float64, at least 0; `UserError` below 2 fields on either side."""
        generated, real = standardised(self.rows("generated"), self.rows("real"))
        sides = (each for side in (generated, real) for each in (side.mean(dim=0), side.T.cov()))
        return {"field_distance": frechet_distance(*sides)}

    def influences(self, real: Tensor, generated: Tensor) -> Mapping[str, Influence]:
        """See `fid_influence`; a real field also moves the standard deviations that summaries are divided by.

        The distance is quadratic in the summaries' scales, with `shares` as its parts: a real field with the
        standardised summaries y moves it by minus the sum of ``shares * y**2``, less the mean over images.
        """
        x, y = standardised(summaries(generated), summaries(real))
        found = fid_influence(x, y)
        of_real = found.of_real - y.square() @ shares(x, y)
        return {"field_distance": replace(found, of_real=of_real)}


def shares(x: Tensor, y: Tensor) -> Tensor:
    """The part ``[d]`` that each column has in the Fréchet distance of ``x [m, d]`` and ``y [n, d]``.

    It is half the derivative by the logarithm of the column's scale in both. The sum is the distance.
    """
    a, b = ((side - side.mean(dim=0)) / math.sqrt(len(side) - 1) for side in (x, y))
    left, _, right = torch.linalg.svd(a @ b.T, full_matrices=False)
    overlap: Tensor = ((left.T @ a) * (right @ b)).sum(dim=0)
    means = (x.mean(dim=0) - y.mean(dim=0)).square()
    return means + a.square().sum(dim=0) + b.square().sum(dim=0) - 2 * overlap


def standardised(generated: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
    """Both sets ``[n, d]`` in standard deviations of the real one, about its mean; what never varies is 0."""
    require_images(len(real), 2, "real", "field_distance")
    require_images(len(generated), 2, "generated", "field_distance")
    mean, sd = real.mean(dim=0), real.std(dim=0)
    scale = torch.where(sd > 1e-9, 1 / sd, 0.0)
    return (generated - mean) * scale, (real - mean) * scale
