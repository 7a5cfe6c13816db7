"""diffusers' `UNet2DModel`: built empty, filled from a file, and asked for one prediction."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from ood_diffusion.checks import require
from ood_diffusion.diffusion.schedule import Schedule
from ood_diffusion.models.base import FrozenModel
from ood_diffusion.models.checkpoint import read_state
from ood_diffusion.models.conversion import require_same_entries


class UNet(nn.Module):
    """A `diffusers.UNet2DModel` asked the way all loops ask.

    Args:
        unet: the network.
        patch: side of the ``patch × patch`` blocks of pixels that are folded into channels. Folding
            64×64×3 into 32×32×12 gives a 64-pixel model at the price of a 32-pixel one.
        class_label: the class that a class-conditional network is always asked for.
        time_scale: what the timestep is multiplied with before the network sees it.
    """

    version = 1

    def __init__(
        self, unet: nn.Module, patch: int = 1, class_label: int | None = None, time_scale: float = 1.0
    ) -> None:
        super().__init__()
        self.unet, self.patch, self.class_label, self.time_scale = unet, patch, class_label, time_scale

    def forward(self, x: Tensor, timestep: Tensor) -> Tensor:
        """`x`: ``[B, C, H, W]``; `timestep`: a tensor of shape ``[]`` or ``[B]`` (a Python float
        would be cut to an integer by diffusers).

        Returns:
            ``[B, C, H, W]``; a second half of the channels, with which some networks predict their
            variance, is left out.
        """
        folded = pixel_unshuffle(x, self.patch)
        labels = None
        if self.class_label is not None:
            labels = torch.full((len(x),), self.class_label, device=x.device)
        output: Tensor = self.unet(folded, timestep * self.time_scale, class_labels=labels).sample
        return pixel_shuffle(output[:, : folded.shape[1]], self.patch)


def empty_unet(architecture: Mapping[str, Any]) -> nn.Module:
    """A `UNet2DModel` without memory behind its weights, to be given some by `fill`."""
    from diffusers import UNet2DModel

    with torch.device("meta"):
        unet: nn.Module = UNet2DModel(**architecture)  # type: ignore[no-untyped-call, assignment]
    return unet


def fill(network: nn.Module, state: Mapping[str, Tensor], path: str) -> None:
    """Give `network` the weights in `state`, strictly, and the memory layout that convolutions like best.

    Raises:
        UserError: naming the first entries that are missing, unexpected or of another shape.
    """
    require_same_entries(path, {k: tuple(v.shape) for k, v in network.state_dict().items()}, state)
    network.load_state_dict(dict(state), assign=True)
    network.to(memory_format=torch.channels_last)


def check_class(class_label: int | None, classes: int | None) -> None:
    """Raise `UserError` unless a class is chosen exactly where the network has classes.

    Args:
        class_label: the class chosen, if any.
        classes: how many the network has; None: it is unconditional.
    """
    if classes is None:
        require(
            class_label is None,
            "model.class_label must be null for an unconditional network",
            class_label,
            "Set model.class_label=null.",
        )
        return
    require(
        isinstance(class_label, int) and not isinstance(class_label, bool) and 0 <= class_label < classes,
        f"model.class_label must be one of this class-conditional network's classes, 0 to {classes - 1}",
        class_label,
        "Choose the class used for inversion and generation, or use an unconditional model.",
    )


def sides(image_size: int | Sequence[int], multiple: int) -> tuple[int, int]:
    """(H, W) of images of `image_size`, one number or both.

    Raises:
        UserError: unless the network can halve them as often as it does.
    """
    both = [image_size, image_size] if isinstance(image_size, int) else list(image_size)
    require(
        len(both) == 2 and all(isinstance(n, int) and n >= multiple and n % multiple == 0 for n in both),
        f"model.image_size must be a multiple of {multiple} for this network, or two of them (H, W)",
        image_size,
        "Set it to the size of the images that the network was trained on.",
    )
    return both[0], both[1]


def read_channels(state: Mapping[str, Tensor], first: str) -> int:
    """How many channels a network's images have, by the weights of its first convolution."""
    return int(state[first].shape[1]) if first in state and state[first].ndim == 4 else 3


def load_unet(
    weights: str,
    architecture: Mapping[str, Any],
    patch: int,
    image_size: int | Sequence[int],
    prediction_type: str,
    schedule: Schedule,
    sha256: str | None = None,
) -> FrozenModel:
    """A frozen model from a file with the names of `UNet2DModel`.

    Args:
        weights: path of the file; half precision on disk is computed with in float32.
        architecture: keyword arguments of `UNet2DModel`; with ``patch²`` times the images' channels.
        patch: see `UNet`.
        image_size: side of the square images in pixels, or (H, W).
        prediction_type: "epsilon", "v_prediction" or "sample".
        schedule: the noise schedule of the training.
        sha256: see `checkpoint.read_state`.

    Raises:
        UserError: if the file is missing, damaged or of another architecture.
    """
    unet = empty_unet(architecture)
    size = sides(image_size, patch * halvings(unet))
    channels = int(unet.config.in_channels) // patch**2  # type: ignore[union-attr, arg-type]
    fill(unet, read_state(weights, sha256), weights)
    recipe = {"architecture": dict(architecture), "patch": patch}
    return FrozenModel(UNet(unet, patch), schedule, (channels, *size), prediction_type, recipe)


def halvings(unet: nn.Module) -> int:
    """What the side of an image must be a multiple of: 2 to the number of times the network halves it."""
    return int(2 ** (len(unet.config.block_out_channels) - 1))  # type: ignore[union-attr, arg-type]
