"""diffusers' `UNet2DModel` from a safetensors file, optionally on pixel-unshuffled images."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from ood_diffusion.checks import UserError
from ood_diffusion.diffusion.schedule import Schedule
from ood_diffusion.models.base import FrozenModel


class PatchedUNet(nn.Module):
    """A `diffusers.UNet2DModel` on ``patch × patch`` blocks of pixels folded into channels.

    Folding 64×64×3 into 32×32×12 gives a 64-pixel model at the price of a 32-pixel one.

    Args:
        architecture: the keyword arguments of `UNet2DModel`.
        patch: side of a block; 1 leaves the image as it is.
    """

    def __init__(self, architecture: Mapping[str, Any], patch: int) -> None:
        from diffusers import UNet2DModel

        super().__init__()
        self.unet: nn.Module = UNet2DModel(**architecture)  # type: ignore[no-untyped-call, assignment]
        self.patch = patch

    def forward(self, x: Tensor, timestep: Tensor) -> Tensor:
        """`x`: ``[B, C, H, W]``; `timestep`: a tensor of shape ``[]`` or ``[B]`` (a Python float
        would be cut to an integer by diffusers)."""
        folded = pixel_unshuffle(x, self.patch)
        output: Tensor = self.unet(folded, timestep).sample
        return pixel_shuffle(output, self.patch)


def load_unet(
    weights: str,
    architecture: Mapping[str, Any],
    patch: int,
    image_size: int,
    prediction_type: str,
    schedule: Schedule,
) -> FrozenModel:
    """A frozen model from a safetensors file with the keys of `UNet2DModel`.

    Args:
        weights: path of the file; half precision on disk is computed with in float32.
        architecture: keyword arguments of `UNet2DModel`; its channels are ``3 · patch²``.
        patch: see `PatchedUNet`.
        image_size: side of the square RGB images in pixels.
        prediction_type: "epsilon", "v_prediction" or "sample".
        schedule: the noise schedule of the training.

    Raises:
        UserError: if the file is missing, damaged or of another architecture.
    """
    network = PatchedUNet(architecture, patch)
    load_weights(network.unet, Path(weights))
    network.to(memory_format=torch.channels_last)
    recipe = {"architecture": dict(architecture), "patch": patch}
    return FrozenModel(network, schedule, (3, image_size, image_size), prediction_type, recipe)


def load_weights(network: nn.Module, path: Path) -> None:
    """Load a safetensors state dict strictly: every key used once, none missing, all shapes equal.

    Raises:
        UserError: naming the file, and the first keys or shapes that do not fit.
    """
    if not path.is_file():
        raise UserError(f"model.weights must be a safetensors file, but {path} does not exist.")
    try:
        state = {name: value.float() for name, value in load_file(path).items()}
    except (SafetensorError, OSError) as error:
        raise UserError(
            f"model.weights must be a whole safetensors file, but {path} is not: {error}"
        ) from None
    wanted = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in state.items()}
    if wanted != found:
        names = sorted(k for k in wanted.keys() | found.keys() if wanted.get(k) != found.get(k))
        listed = "; ".join(f"{k}: expected {wanted.get(k)}, got {found.get(k)}" for k in names[:3])
        raise UserError(
            f"{path} does not hold the weights of the architecture in the model's YAML: {len(names)} "
            f"entries differ ({listed}). Correct model.architecture or model.weights."
        )
    network.load_state_dict(state)
