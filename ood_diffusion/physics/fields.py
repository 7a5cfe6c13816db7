"""Physical statistics of fields of any number of channels, in the units of the domain, channel by channel."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from ood_diffusion.fields.scale import Scale
from ood_diffusion.geometry.structure import channel_correlations, minkowski, peaks
from ood_diffusion.physics.curves import rings
from ood_diffusion.physics.images import Array
from ood_diffusion.physics.intensity import moments
from ood_diffusion.physics.morphology import morphology
from ood_diffusion.physics.profile import radial_profile, source
from ood_diffusion.physics.spectrum import power_spectrum, slope, small_scale_power

BINS = 32
"""Of the distribution of values; a tenth of the range is added on either side."""
THRESHOLDS = np.linspace(-2.5, 2.5, 21)
"""Where Minkowski functionals are drawn, in standard deviations of each field."""
GROUPS = {
    "power spectrum": ("spectrum_slope", "small_scale_power", "power"),
    "morphology": ("half_light_radius", "concentration", "asymmetry", "smoothness", "gini", "m20"),
    "values": ("mean", "sd", "skewness", "kurtosis", "mean_flux"),
    "topology": (
        *(f"{what}_{where}" for where in ("low", "high") for what in ("area", "boundary", "euler")),
        "peaks",
    ),
}
"""Statistics of each channel, in the groups that have one verdict."""
CURVES = ("power_spectrum", "pdf", "radial_profile", "boundary", "euler")


class Fields:
    """What is measured of the largest centred square of each field.

    Values are those of `Scale.stretched`: in decades, unless the scale is linear.
    Morphology, radial profile and mean flux are of physical values, the rest of these.

    Args:
        scale: of the domain; None: photographs that are not RGB, whose values are bytes in units of 255.
        channels: how many; where there are more than one, names end with the number of the channel.
    """

    def __init__(self, scale: Scale | None, channels: int) -> None:
        self.scale, self.channels = scale, channels
        self.unit = "share of white" if scale is None else scale.unit

    def named(self, name: str, channel: int) -> str:
        """A statistic or curve of one channel."""
        return f"{name}_{channel}" if self.channels > 1 else name

    @property
    def groups(self) -> dict[str, tuple[str, ...]]:
        """Group -> its statistics of all channels; correlations of neighbouring ones are a group."""
        every = range(self.channels)
        found = {
            group: tuple(self.named(n, c) for c in every for n in names) for group, names in GROUPS.items()
        }
        pairs = tuple(f"correlation_{c}_{c + 1}" for c in every[:-1])
        return found | ({"channels": pairs} if pairs else {})

    def statistics(self, images: Tensor) -> dict[str, Array]:
        """Every statistic of each field ``[n, C, H, W]``: name -> ``[n]``, finite."""
        values, flux = self._measured(images)
        found = {}
        for c in range(self.channels):
            for name, value in statistics(values[:, c], flux[:, c]).items():
                found[self.named(name, c)] = value
        for c, value in enumerate(channel_correlations(values).T.numpy()):
            found[f"correlation_{c}_{c + 1}"] = value
        return found

    def curves(self, images: Tensor) -> dict[str, Array]:
        """What is drawn of each field: `CURVES` of each channel, name -> ``[n, k]``."""
        values, flux = self._measured(images)
        found: dict[str, Array] = {}
        for c in range(self.channels):
            edges = self._edges(c)
            rows = values[:, c].flatten(1).numpy().clip(edges[0], edges[-1])
            functionals = torch.stack(
                [minkowski(values[:, [c]], t)[:, 0] for t in THRESHOLDS.tolist()], dim=1
            )
            drawn = {
                "power_spectrum": power_spectrum(values[:, c], normalised=False),
                "pdf": np.stack([np.histogram(row, edges, density=True)[0] for row in rows]),
                "radial_profile": radial_profile(flux[:, c], rings(flux.shape[-1])),
                "boundary": functionals[..., 1].numpy(),
                "euler": functionals[..., 2].numpy(),
            }
            found |= {self.named(name, c): curve for name, curve in drawn.items()}
        return found

    def abscissae(self, images: Tensor) -> dict[str, list[float]]:
        """Where the curves are known."""
        side = min(images.shape[-2:])
        found: dict[str, list[float]] = {}
        for c in range(self.channels):
            edges = self._edges(c)
            x = {
                "power_spectrum": np.arange(1.0, side // 2 + 1),
                "pdf": (edges[1:] + edges[:-1]) / 2,
                "radial_profile": np.arange(rings(side)) / rings(side),
                "boundary": THRESHOLDS,
                "euler": THRESHOLDS,
            }
            found |= {self.named(name, c): each.tolist() for name, each in x.items()}
        return found

    @property
    def labels(self) -> dict[str, tuple[str, str]]:
        """Curve -> what its axes show."""
        log = "" if self.unit == "data units" else f" ({self.unit})"
        axes = {
            "power_spectrum": ("cycles per field", f"log10 of power per mode{log and f' ({self.unit}²)'}"),
            "pdf": (f"value{log}", "probability density"),
            "radial_profile": ("distance from the centre (share of half a side)", "physical value (mean 1)"),
            "boundary": ("threshold (standard deviations)", "boundary length per pixel"),
            "euler": ("threshold (standard deviations)", "pieces minus holes per pixel"),
        }
        every: Sequence[int] = range(self.channels)
        suffix: Callable[[int], str] = lambda c: f", channel {c}" if self.channels > 1 else ""  # noqa: E731
        return {self.named(n, c): (x, y + suffix(c)) for c in every for n, (x, y) in axes.items()}

    def _measured(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Stretched and physical values, float64 ``[n, C, S, S]``, on the CPU."""
        images = images.cpu()
        height, width = images.shape[-2:]
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        square = images[..., top : top + side, left : left + side]
        if self.scale is None:
            share = square.double() / 255 if square.dtype == torch.uint8 else (square.double() + 1) / 2
            return share, share
        return self.scale.stretched(square), self.scale.to_physical(square)

    def _edges(self, channel: int) -> Array:
        ends = torch.tensor([-1.2, 1.2]).expand(1, self.channels, 1, 2)
        values = (ends.double() + 1) / 2 if self.scale is None else self.scale.stretched(ends)
        low, high = values[0, channel, 0].tolist()
        return np.linspace(low, high, BINS + 1)


def statistics(values: Tensor, flux: Tensor) -> dict[str, Array]:
    """Every statistic of one channel, of stretched and physical values, float64 ``[n, S, S]``."""
    logs = power_spectrum(values, normalised=False)
    shapes = [morphology(source(light)) for light in flux.numpy()]
    levels = {"low": minkowski(values[:, None], -1.0)[:, 0], "high": minkowski(values[:, None], 1.0)[:, 0]}
    return {
        **{name.removeprefix("intensity_"): value for name, value in moments(values).items()},
        "mean_flux": flux.mean(dim=(1, 2)).numpy(),
        "spectrum_slope": slope(logs),
        "small_scale_power": small_scale_power(logs),
        "power": logs.mean(axis=1),
        **{
            f"{what}_{where}": level[:, i].numpy()
            for where, level in levels.items()
            for i, what in enumerate(("area", "boundary", "euler"))
        },
        "peaks": peaks(values[:, None], 1.0)[:, 0].numpy(),
        **{name: np.array([shape[name] for shape in shapes]) for name in shapes[0]},
    }
