"""Images that a frozen model draws itself: a domain for every model, without a data set."""

from collections.abc import Sequence
from functools import cached_property, partial
from typing import Any, Protocol

import torch
from PIL import Image
from torch import Tensor

from ood_diffusion.diffusion.grids import Grid
from ood_diffusion.diffusion.integrate import integrate
from ood_diffusion.diffusion.schedule import Schedule
from ood_diffusion.diffusion.solver import Solver
from ood_diffusion.domains.base import Domain, Split
from ood_diffusion.domains.images.preprocess import PREPROCESSING_VERSION, to_square_rgb
from ood_diffusion.domains.item_generator import check_seed
from ood_diffusion.fingerprint import fingerprint
from ood_diffusion.pixels import to_bytes
from ood_diffusion.seeding import generator, normal
from ood_diffusion.source import identity

BLOCK = 16
"""Pictures drawn together. Fixed, because a network's rounding depends on the shape of its batch."""

KEPT = 4
"""Blocks kept in memory, so that pictures asked for in order are each drawn once."""


class Model(Protocol):
    """What is asked of the model: a part of `models.base.FrozenModel`, explained there."""

    @property
    def schedule(self) -> Schedule:
        """The noise schedule."""

    @property
    def state_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of a state on the trajectory."""

    def eps(self, x: Tensor, t: float, exact: bool = False) -> Tensor:
        """The noise estimate at level `t`; with `exact` in fp32 whatever the precision."""

    def decode(self, states: Tensor) -> Tensor:
        """States at level 0 to images with values in [-1, 1], not clipped."""

    def recipe(self) -> dict[str, Any]:
        """Everything that determines `eps` and `decode`, as JSON."""

    def to(self, device: torch.device) -> object:
        """Move the weights."""


class ModelSamples(Domain):
    """Draws from N(0, I) at the top of a model's schedule, denoised deterministically and in fp32.

    Stands for the model's training images where these are not at hand, and is an unseen domain for
    every other model. It is as good as the model: what the model never learned is not in it. Pictures
    never run out; where their size is not the model's, they are resized as a user's are.

    Args:
        image_size: side of the pictures in pixels.
        model: draws the pictures; its weights must not change afterwards.
        solver: the numerical method.
        grid: where it stops along the trajectory.
        steps: solver steps from the top of the schedule to the image.
        seed: of the whole set; another seed gives other pictures.
        device: where to draw ("cpu", "cuda:1"); None takes the first GPU, or else the CPU. Not part of
            the key: two devices differ by rounding. The model is on the CPU before and after.

    Raises:
        UserError: if a setting is out of range.
    """

    version = 1

    def __init__(
        self,
        image_size: int,
        model: Model,
        solver: Solver,
        grid: Grid,
        steps: int = 24,
        seed: int = 0,
        device: str | None = None,
    ) -> None:
        """Check the settings; nothing is drawn yet."""
        super().__init__(image_size)
        check_seed(seed)
        self.model, self.solver, self.seed, self.device = model, solver, seed, device
        self.levels = grid(model.schedule, model.schedule.timesteps, steps)
        self._drawn: dict[tuple[Split, int], Tensor] = {}

    def size(self, split: Split) -> None:
        """Pictures never run out."""
        return None

    @cached_property
    def recipe(self) -> dict[str, Any]:
        """What determines all pictures, as JSON; the weights are hashed once."""
        return {
            "domain": "model_samples",
            "version": self.version,
            "model": self.model.recipe(),
            "solver": {"code": identity(self.solver), **self.solver.settings()},
            "levels": [float(f"{t:.9g}") for t in self.levels],
            "seed": self.seed,
            "block": BLOCK,
            "image_size": self.image_size,
            "preprocessing": PREPROCESSING_VERSION,
        }

    def key(self, split: Split, index: int) -> str:
        """Hash the model with its weights, the trajectory, every setting and the item."""
        self.check_item(split, index)
        return fingerprint({**self.recipe, "split": split, "index": index})

    def render(self, split: Split, index: int) -> Tensor:
        """Draw the picture with its block, or recall it: uint8, shape ``[3, image_size, image_size]``."""
        self.check_item(split, index)
        number, row = divmod(index, BLOCK)
        if (split, number) not in self._drawn:
            while len(self._drawn) >= KEPT:
                del self._drawn[next(iter(self._drawn))]
            self._drawn[split, number] = self._draw(split, number * BLOCK)
        return self._drawn[split, number][row].clone()

    def _draw(self, split: Split, first: int) -> Tensor:
        streams = [generator(self.seed, "model_samples", split, first + i) for i in range(BLOCK)]
        device = torch.device(self.device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.model.to(device)
        try:
            z = normal(streams, self.model.state_shape).to(device)
            images = denoised(self.model, self.solver, self.levels, z).cpu()
        finally:
            self.model.to(torch.device("cpu"))
        pictures = [Image.fromarray(image.numpy()) for image in images.permute(0, 2, 3, 1)]
        return torch.stack([to_square_rgb(picture, self.image_size) for picture in pictures])


@torch.inference_mode()
def denoised(model: Model, solver: Solver, levels: Sequence[float], z: Tensor) -> Tensor:
    """Carry states down to level 0, without fresh noise, and decode them.

    Args:
        model: the frozen model.
        solver: the numerical method.
        levels: ascending from 0 to the level of `z`.
        z: float32 ``[B, *state_shape]`` on the model's device.

    Returns:
        Images, uint8 ``[B, 3, H, W]``, rounded; what lies outside [-1, 1] is clipped.
    """
    x = integrate(partial(model.eps, exact=True), z, model.schedule, levels[::-1], solver)
    return to_bytes(model.decode(x))
