"""Simulated radiation fields of molecular clouds, an unlimited domain far from any photograph."""

import math

import numpy as np
import torch
from torch import Tensor

from ood_diffusion.checks import require
from ood_diffusion.domains.base import Domain, Split
from ood_diffusion.domains.item_generator import check_seed, item_generator
from ood_diffusion.fields.scale import Scale
from ood_diffusion.fingerprint import fingerprint
from ood_diffusion.simulators.radiation.colour_map import from_rgb, to_rgb
from ood_diffusion.simulators.radiation.density import Map, density
from ood_diffusion.simulators.radiation.transfer import external_intensity, star_intensity

LOG_INTENSITY = (-2.0, 3.0)
"""The decades shown, log10 of the mean intensity. Fixed, so that a colour means one intensity everywhere;
the unit is the field outside the cloud (or would be, without one)."""

LUMINOSITY = 1.0
"""Median star: its undimmed light equals the outside field at 0.28 sides of the map."""

LUMINOSITY_SCATTER = 0.35
"""Standard deviation of log10 of a star's luminosity."""

BACKGROUND = 0.01
"""Light that no dust keeps out of a cloud's core, in the native fields: the least intensity, 10^-2."""

SETTINGS = ("image_size", "seed", "mach", "slope", "stars", "opacity", "external")


class RadiationSim(Domain):
    """Mean intensity of starlight in slices of turbulent molecular clouds, log-scaled, in "inferno" colours.

    Density: log-normal, power-law spectrum (`cloud_density`). Light: a few embedded stars, diluted as 1/r²
    and dimmed by exp(-tau) through the density, and the interstellar field from outside
    (`radiation_transfer`). `intensity` turns a picture back into numbers, so that physical statistics
    (power spectrum, intensity PDF) can be had from generated pictures too. Pictures never run out.

    Args:
        image_size: side of the pictures in pixels.
        seed: of the whole set; another seed gives other clouds.
        mach: Mach number of the turbulence, which sets the width of the density PDF.
        slope: the power per mode of ln(density) falls as k^-slope (two-dimensional).
        stars: mean number of embedded stars (Poisson; at least one).
        opacity: median optical depth of the mean density across the map (scatter: a factor of 1.6).
        external: intensity of the outside field; 0 leaves the cloud to its stars.

    Raises:
        UserError: if a setting is out of range.
    """

    version = 1
    name = "radiation_sim"

    def __init__(
        self,
        image_size: int,
        seed: int = 0,
        mach: float = 8.0,
        slope: float = 2.8,
        stars: float = 2.5,
        opacity: float = 6.0,
        external: float = 1.0,
    ) -> None:
        """Check the settings; nothing is drawn yet."""
        super().__init__(image_size)
        check_seed(seed)
        ranges = {
            "mach": (mach, 0, 50, "Molecular clouds have 5 to 20."),
            "slope": (slope, 0, 6, "Molecular clouds have 2.5 to 3.5."),
            "stars": (stars, 0, 20, "2.5 is usual; every star costs about half a millisecond."),
            "opacity": (opacity, 0, 100, "6 is usual."),
            "external": (external, 0, 1000, "1 is the interstellar field."),
        }
        for name, (value, low, high, remedy) in ranges.items():
            require(low <= value <= high, f"domain.{name} must lie between {low} and {high}", value, remedy)
        self.seed = seed
        self.mach, self.slope, self.stars = float(mach), float(slope), float(stars)
        self.opacity, self.external = float(opacity), float(external)

    def size(self, split: Split) -> None:
        """Pictures never run out."""
        return None

    def key(self, split: Split, index: int) -> str:
        """Hash every setting, the simulation's version and the item."""
        self.check_item(split, index)
        item = {"domain": self.name, "version": self.version, "split": split, "index": index}
        return fingerprint(item | {name: getattr(self, name) for name in SETTINGS})

    def render(self, split: Split, index: int) -> Tensor:
        """Simulate one picture: uint8, shape ``[3, image_size, image_size]``."""
        self.check_item(split, index)
        rng = item_generator(self.seed, split, index)
        low, high = LOG_INTENSITY
        shown = (np.log10(np.maximum(self._intensity(rng), 1e-30)) - low) / (high - low)
        return to_rgb(torch.from_numpy(shown))

    @staticmethod
    def intensity(picture: Tensor) -> Tensor:
        """log10 of the mean intensity that a picture shows.

        From uint8, shape ``[..., 3, H, W]``, to float32, shape ``[..., H, W]``. Good to 0.01 decades
        inside `LOG_INTENSITY`; what lies outside was clipped to its ends.
        """
        low, high = LOG_INTENSITY
        return low + (high - low) * from_rgb(picture)

    def _intensity(self, rng: np.random.Generator) -> Map:
        number = max(1, int(rng.poisson(self.stars)))
        places = rng.uniform(0.05, 0.95, (number, 2)) * self.image_size - 0.5
        luminosities = LUMINOSITY * 10 ** rng.normal(0, LUMINOSITY_SCATTER, number)
        opacity = self.opacity * math.exp(rng.normal(0, math.log(1.6)))
        gas = density(rng, self.image_size, self.slope, self.mach)
        total = self.external * external_intensity(gas, opacity)
        for (row, column), luminosity in zip(places, luminosities, strict=True):
            total += luminosity * star_intensity(gas, row, column, opacity)
        return total


class RadiationFieldSim(RadiationSim):
    """The same clouds in their native form: one float channel, log-scaled intensity over a background.

    `BACKGROUND` is added to the intensity and is -1; 1000 is 1, and pixels of stars may be brighter. Nothing
    is clipped and nothing rounded to bytes.
    """

    version = 1
    name = "radiation_field_sim"
    channels = 1
    dtype = torch.float32
    physical_scale = Scale("log10", BACKGROUND, 10 ** LOG_INTENSITY[1])

    def render(self, split: Split, index: int) -> Tensor:
        """Simulate one field: float32, shape ``[1, image_size, image_size]``."""
        self.check_item(split, index)
        intensity = self._intensity(item_generator(self.seed, split, index))
        return self.physical_scale.to_unit(torch.from_numpy(intensity[None] + BACKGROUND))
