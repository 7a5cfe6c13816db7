"""Simulated galaxies, an unlimited astronomical domain that needs no download."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from ood_diffusion.checks import require
from ood_diffusion.domains.base import Domain, Split
from ood_diffusion.domains.item_generator import check_seed, item_generator
from ood_diffusion.fields.scale import Scale
from ood_diffusion.fingerprint import fingerprint
from ood_diffusion.simulators.galaxies.field import draw_field
from ood_diffusion.simulators.galaxies.light import EXTINCTION, field_light
from ood_diffusion.simulators.galaxies.population import MORPHOLOGIES, log_uniform
from ood_diffusion.simulators.galaxies.telescope import add_noise, observe, stretch

GRID = 192
"""The light is drawn on at least this many points per side, so that the seeing is well sampled."""

MIX = {"elliptical": 0.22, "lenticular": 0.16, "spiral": 0.48, "irregular": 0.14}
"""Shares of the morphologies: chosen for variety, not a census of the sky."""

SCALE = Scale("asinh", -10, 1000, softening=3.0)
"""Of five bands: linear where there is noise, logarithmic on galaxies; few cores are brighter than 1000."""

SETTINGS = ("image_size", "seed", "morphology", "seeing", "noise")


class GalaxiesSim(Domain):
    """Galaxies as a 2.5-m survey telescope shows them: SDSS-like g, r, i cut-outs in asinh colours.

    Every picture is one galaxy (Sérsic spheroid; exponential disc with logarithmic arms, tufts, bar,
    ring, dust lane and star-forming knots) with companions and foreground stars, blurred by the seeing,
    with photon noise, stretched as by Lupton et al. (2004). Sizes are shares of the field, so one seed shows
    the same sky at every `image_size` (with other noise). Pictures never run out.

    With five bands they are fields, float32 of u, g, r, i and z: not stretched for eyes, but in units of the
    sky noise of one pixel at `noise` = 1, the same in all bands, scaled as in `SCALE`; `domain.channels`
    chooses among them.

    Args:
        image_size: side of the pictures in pixels.
        seed: of the whole universe; another seed gives other galaxies.
        morphology: relative frequency of each of elliptical, lenticular, spiral and irregular;
            missing ones do not occur; None takes `MIX`.
        seeing: full width at half maximum of a star, as a share of the picture's side.
        noise: sky noise per pixel; 1 is SDSS-like, 0 is noiseless.
        bands: 3, an RGB picture, or 5.
        channels: of five bands, indices of those to keep, from 0 for u to 4 for z; None: all.

    Raises:
        UserError: if a setting is out of range.
    """

    version = 1

    def __init__(
        self,
        image_size: int,
        seed: int = 0,
        morphology: Mapping[str, float] | None = None,
        seeing: float = 0.02,
        noise: float = 1.0,
        bands: int = 3,
        channels: Sequence[int] | None = None,
    ) -> None:
        """Check the settings; nothing is drawn yet."""
        super().__init__(image_size)
        check_seed(seed)
        mix = dict(MIX if morphology is None else morphology)
        require(
            bool(mix)
            and set(mix) <= set(MORPHOLOGIES)
            and all(0 <= share < math.inf for share in mix.values())
            and sum(mix.values()) > 0,
            f"domain.morphology must give shares of at least 0, not all 0, to {', '.join(MORPHOLOGIES)}",
            mix,
            "For one type only: {spiral: 1}.",
        )
        require(0 < seeing <= 0.2, "domain.seeing must lie in (0, 0.2]", seeing, "SDSS-like is 0.02.")
        require(0 <= noise <= 100, "domain.noise must lie in [0, 100]", noise, "SDSS-like is 1.")
        require(
            bands in EXTINCTION, "domain.bands must be 3 or 5", bands, "3: RGB pictures; 5: ugriz fields."
        )
        require(
            channels is None
            or (bands == 5 and len(channels) > 0 and all(type(i) is int and 0 <= i < 5 for i in channels)),
            "domain.channels must be null, or with domain.bands=5 indices from 0 (u) to 4 (z)",
            channels,
            "Such as [2], the r band.",
        )
        self.bands, self.chosen = bands, list(range(bands)) if channels is None else list(channels)
        if bands == 5:
            self.channels, self.dtype, self.physical_scale = len(self.chosen), torch.float32, SCALE
        self.seed, self.seeing, self.noise = seed, float(seeing), float(noise)
        self.morphology = {name: float(mix.get(name, 0)) for name in MORPHOLOGIES}

    def size(self, split: Split) -> None:
        """Pictures never run out."""
        return None

    def key(self, split: Split, index: int) -> str:
        """Hash every setting, the simulation's version and the item."""
        self.check_item(split, index)
        settings = {name: getattr(self, name) for name in SETTINGS}
        item = {"domain": "galaxies_sim", "version": self.version, "split": split, "index": index}
        fields = {} if self.bands == 3 else {"bands": self.bands, "channels": self.chosen}
        return fingerprint(item | settings | fields)

    def render(self, split: Split, index: int) -> Tensor:
        """Simulate one picture: uint8 ``[3, image_size, image_size]``; of five bands float32 ``[C, …]``."""
        self.check_item(split, index)
        rng = item_generator(self.seed, split, index)
        shares = np.array(list(self.morphology.values()))
        field = draw_field(rng, MORPHOLOGIES[rng.choice(len(shares), p=shares / shares.sum())])
        display = _draw_display(rng)
        step = max(1, math.ceil(GRID / self.image_size))
        light = field_light(field, step * self.image_size, self.bands)
        bands = add_noise(observe(light, self.image_size, self.seeing), self.noise, rng)
        if self.bands == 5:
            return SCALE.to_unit(torch.from_numpy(bands[self.chosen]))
        return torch.from_numpy(stretch(bands, *display))


def _draw_display(rng: Generator) -> tuple[float, float, NDArray[np.float64]]:
    """Softening, white and pedestal: every EFIGI picture was stretched to its own contrast."""
    softening = log_uniform(rng, 8, 17)
    pedestal = rng.normal(0.078, 0.016) + rng.normal(0, 0.006, 3) + np.array([0.0, -0.008, 0.01])
    return softening, softening * log_uniform(rng, 18, 60), pedestal.clip(0.02, 0.2)
