"""Latents moved along the shell, and what they decode to."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from ood_diffusion.geometry.shell import move
from ood_diffusion.geometry.slerp import slerp
from ood_diffusion.metrics.manifold import inside
from ood_diffusion.pixels import psnr
from ood_diffusion.seeding import generator, normal
from ood_diffusion.stages.bandwidth_settings import BandwidthSettings
from ood_diffusion.stages.cell import Cell
from ood_diffusion.stages.decode import decode, stored_latents
from ood_diffusion.stages.evaluate import features_in_order
from ood_diffusion.stages.invert import invert
from ood_diffusion.stages.recommend import unexplained
from ood_diffusion.statistics.estimate import Array
from ood_diffusion.statistics.intervals import proportion_interval


@dataclass(frozen=True)
class Walk:
    """What n references become at one level: turned by a angles, then moved half way to the next one.

    Args:
        images: uint8 ``[n, a + 1, C, H, W]``.
        inside: whether each is in the domain, bool ``[n, a + 1]``.
        distances: feature distance to the reconstruction (angle 0), float64 ``[n, a + 1]``.
    """

    images: Tensor
    inside: Tensor
    distances: Tensor

    @property
    def turned(self) -> Array:
        """Who is inside at which angle, ``[n, a]``."""
        found: Array = self.inside[:, :-1].numpy()
        return found

    def curve(self, angles: Sequence[float]) -> list[dict[str, Any]]:
        """The figures at each angle: share inside, mean distance and PSNR (dB) to the reconstruction."""
        return [{"angle": angle, **self._figures(i)} for i, angle in enumerate(angles)]

    def half_way(self) -> dict[str, Any]:
        """The figures half way, and how much of the images is no superposition of the two reconstructions."""
        start = self.images[:, 0]
        new = unexplained(self.images[:, -1], start, start.roll(-1, 0))
        return {**self._figures(-1), "unexplained": float(new.mean())}

    def _figures(self, column: int) -> dict[str, Any]:
        found = proportion_interval(int(self.inside[:, column].sum()), len(self.inside))
        return {
            "inside": found.value,
            "interval": asdict(found),
            "distance": float(self.distances[:, column].mean()),
            "psnr": float(psnr(self.images[:, column], self.images[:, 0]).mean()),
        }


def walk(cell: Cell, settings: BandwidthSettings, domain: Tensor) -> Walk:
    """Invert the cell's references to its level, move them, and decode without noise.

    Args:
        cell: with eta 0.
        settings: of the stage.
        domain: features of the images that stand for the domain, none of them moved, ``[m, d]``.
    """
    invert(cell)
    references, seed, level = list(cell.references), cell.settings.seed, f"{cell.settings.level:g}"
    moved = moved_latents(cell.bank.read(references), references, settings.angles, seed)
    recipe = moves_recipe(references, settings.angles, seed)
    flat = moved.flatten(0, 1)
    latents, ids = stored_latents(cell, recipe, len(flat), flat.__getitem__)
    images, names = decode(cell, latents, ids, f"bandwidth {level}")
    features = features_in_order(cell, images, names)
    shape = (len(references), len(settings.angles) + 1)
    steps = features.double().view(*shape, -1)
    return Walk(
        images.read(names).view(*shape, *cell.model.image_shape),
        inside(features, domain, settings.nearest_k).view(shape),
        (steps - steps[:, :1]).square().sum(dim=2).sqrt(),
    )


def moved_latents(z: Tensor, names: Sequence[str], angles: Sequence[float], seed: int) -> Tensor:
    """Each latent turned by every angle, then half way to its successor, the last's being the first.

    An image has one direction at all angles and levels, so that they can be compared.

    Args:
        z: float32 ``[n, …]``.
        names: of the images; with the seed they determine the directions.
        angles: in degrees.
        seed: see `names`.

    Returns:
        float32 ``[n, len(angles) + 1, …]``.
    """
    directions = normal([generator(seed, "direction", name) for name in names], z.shape[1:])
    turned = [move(z, directions, angle) for angle in angles]
    return torch.stack([*turned, slerp(z, z.roll(-1, 0), torch.full((len(z),), 0.5))], dim=1)


def moves_recipe(references: Sequence[str], angles: Sequence[float], seed: int) -> dict[str, Any]:
    """What determines `moved_latents` beside the trajectory."""
    moves = {"angles": [float(angle) for angle in angles], "half_way": True}
    return {"stage": "bandwidth", "references": list(references), **moves, "seed": seed}
