"""Simulated maps of gas density, an unlimited domain of one float channel in physical units."""

import math

import numpy as np
import torch
from torch import Tensor

from ood_diffusion.checks import require
from ood_diffusion.domains.base import Domain, Split
from ood_diffusion.domains.item_generator import check_seed, item_generator
from ood_diffusion.fields.scale import Scale
from ood_diffusion.fingerprint import fingerprint
from ood_diffusion.simulators.radiation.density import gaussian_field, log_density_variance, stirred

MACH_SCATTER = math.log(1.6)
"""Standard deviation of the logarithm of the Mach number, from map to map."""
SLOPE_SCATTER = 0.25
"""Standard deviation of the slope of the spectrum, from map to map."""
SETTINGS = ("image_size", "seed", "mach", "slope", "stirring")


class DensitySim(Domain):
    """Density in slices of turbulent molecular clouds, in units of the mean: float32, log-scaled.

    Log-normal with a power-law spectrum, each map with a Mach number and a slope of its own, drawn out into
    filaments by a random flow (`simulators.radiation.density`). 1e-3 is -1 and 100 is 1; the few values
    outside stay outside. Maps are periodic and never run out.

    Args:
        image_size: side of the maps in pixels.
        seed: of the whole set; another seed gives other clouds.
        mach: median Mach number of the turbulence, which sets the width of the density PDF.
        slope: mean slope of the power per mode of ln(density), k^-slope.
        stirring: how far the flow carries the gas, root mean square, in sides of the map; at 0 the logarithm
            of the density is a Gaussian random field.

    Raises:
        UserError: if a setting is out of range.
    """

    version = 1
    channels = 1
    dtype = torch.float32
    physical_scale = Scale("log10", 1e-3, 100)

    def __init__(
        self, image_size: int, seed: int = 0, mach: float = 8.0, slope: float = 2.8, stirring: float = 0.08
    ) -> None:
        super().__init__(image_size)
        check_seed(seed)
        ranges = {
            "mach": (mach, 50, "Molecular clouds have 5 to 20."),
            "slope": (slope, 6, "Molecular clouds have 2.5 to 3.5."),
            "stirring": (stirring, 0.5, "0.08 shows filaments."),
        }
        for name, (value, high, remedy) in ranges.items():
            require(0 <= value <= high, f"domain.{name} must lie between 0 and {high}", value, remedy)
        self.seed = seed
        self.mach, self.slope, self.stirring = float(mach), float(slope), float(stirring)

    def size(self, split: Split) -> None:
        """Maps never run out."""
        return None

    def key(self, split: Split, index: int) -> str:
        """Hash every setting, the simulation's version and the item."""
        self.check_item(split, index)
        item = {"domain": "density_sim", "version": self.version, "split": split, "index": index}
        return fingerprint(item | {name: getattr(self, name) for name in SETTINGS})

    def render(self, split: Split, index: int) -> Tensor:
        """Simulate one map: float32, shape ``[1, image_size, image_size]``."""
        self.check_item(split, index)
        rng = item_generator(self.seed, split, index)
        variance = log_density_variance(self.mach * math.exp(rng.normal(0, MACH_SCATTER)))
        field = gaussian_field(rng, self.image_size, self.slope + rng.normal(0, SLOPE_SCATTER))
        logs = math.sqrt(variance) * stirred(rng, field, self.stirring) - variance / 2
        return self.physical_scale.to_unit(torch.from_numpy(np.exp(logs)[None]))
