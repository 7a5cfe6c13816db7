"""Settings of the stage transfer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ood_diffusion.checks import require
from ood_diffusion.domains.base import Domain


@dataclass(frozen=True)
class TransferSettings:
    """How images are moved to another style; the choices are explained in `conf/stage/transfer.yaml`.

    Args:
        style: builds the domain of the other style when called as ``style(image_size=…, of=…)``; its picture
            i is made of picture i of the domain that ``of(image_size=…)`` gives.
        n_images: images per style.
        levels: measured beside the run's own.
        strength: share of the transport, in (0, 1].
        blend: share of the way to the nearest latent after it, in (0, 1]; the second way.
    """

    style: Callable[..., Domain]
    n_images: int
    levels: Sequence[float]
    strength: float
    blend: float

    def __post_init__(self) -> None:
        prefix = "stage.transfer"
        require(self.n_images >= 2, f"{prefix}.n_images must be at least 2", self.n_images, "Try 32.")
        lowest = min(self.levels, default=2)
        require(lowest > 1, f"{prefix}.levels must be above 1", lowest, "Try [300,500,700].")
        for name in ("strength", "blend"):
            share = getattr(self, name)
            require(0 < share <= 1, f"{prefix}.{name} must lie in (0, 1]", share, "See the file's default.")
