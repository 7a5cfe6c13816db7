"""Pictures with known statistics, uint8 ``[n, 3, H, H]``."""

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from ood_diffusion.domains.base import Domain
from ood_diffusion.domains.galaxies_sim import GalaxiesSim
from ood_diffusion.domains.radiation_sim import RadiationSim
from ood_diffusion.physics.images import Array

DOMAINS: dict[str, type[Domain]] = {"galaxies": GalaxiesSim, "radiation": RadiationSim}


@lru_cache
def real(domain: str, number: int, side: int = 32) -> Tensor:
    made = DOMAINS[domain](image_size=side)
    return torch.stack([made.render("held_out", i) for i in range(number)])


def grey(light: Array) -> Tensor:
    """Luminance ``[n, H, H]`` in [0, 1] as pictures."""
    stored = torch.from_numpy((255 * light.clip(0, 1)).round().astype(np.uint8))
    return stored[:, None].expand(-1, 3, -1, -1).contiguous()


def field(number: int, slope: float, side: int = 64) -> Tensor:
    """Stationary periodic noise, P(k) ∝ k^slope, of mean 0.5 and standard deviation 0.15."""
    white = np.random.default_rng(0).normal(size=(number, side, side))
    k = np.hypot(*np.meshgrid(*2 * [np.fft.fftfreq(side, 1 / side)]))
    k[0, 0] = np.inf
    noise = np.fft.ifft2(np.fft.fft2(white) * k ** (slope / 2)).real
    return grey(0.5 + 0.15 * noise / noise.std(axis=(1, 2), keepdims=True))


def distance(side: int, row: float, column: float) -> Array:
    rows, columns = np.indices((side, side))
    from_there: Array = np.hypot(rows - row, columns - column)
    return from_there
