"""Images that a frozen model draws itself: a domain for every model, without a data set."""

from collections.abc import Sequence
from functools import cached_property, partial

import torch
from PIL import Image
from torch import Tensor

from ood_diffusion.checks import require
from ood_diffusion.diffusion.grids import Grid
from ood_diffusion.diffusion.integrate import integrate
from ood_diffusion.diffusion.solver import Solver
from ood_diffusion.domains.base import Domain, Split
from ood_diffusion.domains.drawing import BLOCK, Drawing, Model, block_of
from ood_diffusion.domains.images.preprocess import PREPROCESSING_VERSION, to_rgb
from ood_diffusion.domains.item_generator import check_seed
from ood_diffusion.fingerprint import fingerprint
from ood_diffusion.pixels import as_stored, finite_rows, require_finite
from ood_diffusion.seeding import generator, normal
from ood_diffusion.source import Recipe

KEPT = 4
"""Blocks kept in memory, so that pictures asked for in order are each drawn once."""


class ModelSamples(Domain):
    """Draws from N(0, I) at the top of a model's schedule, denoised deterministically and in fp32.

    Stands for the model's training images where these are not at hand, and is an unseen domain for
    every other model. It is as good as the model: what the model never learned is not in it. Pictures
    never run out; where their size is not the model's, they are cut and resized as a user's are.

    Args:
        image_size: side of the pictures in pixels, or (H, W).
        model: draws the pictures; its weights must not change afterwards.
        solver: the numerical method.
        grid: where it stops along the trajectory.
        steps: solver steps from the top of the schedule to the image.
        seed: of the whole set; another seed gives other pictures.
        dtype: uint8, or float32 for fields in [-1, 1], which are never resized.

    Raises:
        UserError: if a setting is out of range, or images that are not RGB would have to be resized.
    """

    version = 2
    rectangular = True

    def __init__(
        self,
        image_size: int | Sequence[int],
        model: Model,
        solver: Solver,
        grid: Grid,
        steps: int = 24,
        seed: int = 0,
        dtype: torch.dtype = torch.uint8,
    ) -> None:
        """Check the settings; nothing is drawn yet."""
        super().__init__(image_size)
        check_seed(seed)
        require(
            hasattr(model, "eps"),
            "the model of model_samples must be a frozen model",
            model,
            "Name one in the defaults of conf/domain/model_samples.yaml; null is the run's own.",
        )
        self.channels = model.image_shape[0]
        require(
            (self.channels == 3 and dtype == torch.uint8) or self.shape == model.image_shape,
            "images that are not RGB photographs can be used only at the size at which the model makes them",
            f"{model.image_shape} for {self.shape}",
            "Choose another domain.",
        )
        self.seed, self.dtype = seed, dtype
        self._drawing = Drawing(model, solver, grid(model.schedule, model.schedule.timesteps, steps))
        self._drawn: dict[tuple[Split, int], Tensor] = {}

    @property
    def drawing(self) -> Drawing:
        """The model, and its way from noise to pictures."""
        return self._drawing

    def size(self, split: Split) -> None:
        """Pictures never run out."""
        return None

    @cached_property
    def recipe(self) -> Recipe:
        """What determines all pictures, as JSON; the weights are hashed once."""
        return {
            "domain": "model_samples",
            "version": self.version,
            "model": self.drawing.model.recipe(),
            "compile": self.drawing.model.compiled,
            "solver": self.drawing.solver.recipe(),
            "levels": [float(f"{t:.9g}") for t in self.drawing.levels],
            "seed": self.seed,
            "block": BLOCK,
            "image_size": self.sides[0] if self.sides[0] == self.sides[1] else list(self.sides),
            "preprocessing": PREPROCESSING_VERSION,
            **({"dtype": "float32"} if self.dtype == torch.float32 else {}),
        }

    def key(self, split: Split, index: int) -> str:
        """Hash the model with its weights, the trajectory, every setting and the item."""
        self.check_item(split, index)
        return fingerprint({**self.recipe, "split": split, "index": index})

    def render(self, split: Split, index: int) -> Tensor:
        """Draw the picture with its block, or recall it."""
        self.check_item(split, index)
        block = block_of(index)
        if (split, block.start) not in self._drawn:
            while len(self._drawn) >= KEPT:
                del self._drawn[next(iter(self._drawn))]
            self._drawn[split, block.start] = self._draw(split, block)
        return self._drawn[split, block.start][index - block.start].clone()

    def _draw(self, split: Split, block: range) -> Tensor:
        model = self.drawing.model
        z = normal([generator(self.seed, "model_samples", split, i) for i in block], model.state_shape)
        z *= model.schedule.scale(self.drawing.levels[-1])
        images = as_stored(denoised(self.drawing, z.to(self.drawing.device)), self.dtype).cpu()
        if images.shape[1:] == self.shape:
            return images
        pictures = [Image.fromarray(image.numpy()) for image in images.permute(0, 2, 3, 1)]
        return torch.stack([to_rgb(picture, self.sides) for picture in pictures])


@torch.inference_mode()
def denoised(drawing: Drawing, z: Tensor) -> Tensor:
    """Carry states down to level 0, without fresh noise, and decode them.

    Args:
        drawing: the frozen model, and its way from `z` to level 0.
        z: float32 ``[B, *state_shape]`` on the model's device.

    Returns:
        Images, float32 ``[B, C, H, W]``, not clipped to [-1, 1].
    """
    model = drawing.model
    x = integrate(
        partial(model.eps, exact=True),
        z,
        model.schedule,
        drawing.levels[::-1],
        drawing.solver,
        clean=partial(model.clean, exact=True),
    )
    images = model.decode(x)
    require_finite("the model's images", [str(i) for i in range(len(x))], finite_rows(x, images))
    return images
