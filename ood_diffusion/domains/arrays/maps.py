"""From a map of physical values to a picture, and back."""

import hashlib

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ood_diffusion.checks import require, require_choice
from ood_diffusion.domains.arrays.census import Census
from ood_diffusion.domains.arrays.scale import Scale
from ood_diffusion.domains.arrays.source import Map
from ood_diffusion.domains.images.encoded import MIN_SIDE
from ood_diffusion.domains.images.preprocess import centred
from ood_diffusion.domains.preparation import Preparation
from ood_diffusion.simulators.radiation.colour_map import from_rgb, to_rgb

COLOURS = ("grey", "inferno")


class Maps(Preparation[Map]):
    """Values are clipped, stretched, cut to the largest centred square, resized (bicubic) and coloured.

    Resizing happens after stretching, so that what is averaged is what is seen.

    Args:
        scale: the range shown and the stretch.
        colours: of maps with one channel, ``grey`` or ``inferno``. Three channels become red, green and
            blue, each by the same scale; they need ``grey``.

    Raises:
        UserError: if `colours` is unknown.
    """

    version = 1

    def __init__(self, scale: Scale, colours: str) -> None:
        require_choice("domain.colours", colours, COLOURS)
        self.scale, self.colours = scale, colours
        self.census = Census(scale)
        self.channels = 0

    def check(self, content: Map, where: str) -> None:
        """Refuse what is too small, not finite, or has other channels; count what is clipped."""
        channels, height, width = content.shape
        require(
            min(height, width) >= MIN_SIDE,
            f"a map must be at least {MIN_SIDE} pixels on each side",
            f"{width} x {height} pixels in {where}",
            "Check domain.axes, or remove it.",
        )
        require(
            channels == (self.channels or channels) and (channels == 1 or self.colours == "grey"),
            "all maps must have one channel, or all three and domain.colours=grey",
            f"{channels} in {where}",
            "Use one kind of map at a time; three channels are shown as red, green and blue.",
        )
        self.channels = channels
        bad = np.argwhere(~np.isfinite(content))[:, 1:]
        require(
            len(bad) == 0,
            "a map must hold finite values",
            f"{len(bad)} NaN or infinite in {where}, at [row, column] {bad[:3].tolist()}",
            "Fill them, or remove the map.",
        )
        self.census.add(content)

    def digest(self, content: Map) -> str:
        """SHA-256 of shape and values, whatever file they came from."""
        sha = hashlib.sha256(str(content.shape).encode())
        sha.update(np.ascontiguousarray(content, dtype="<f8").data)
        return sha.hexdigest()

    def recipe(self) -> dict[str, object]:
        """The scale, the colours and the version of the pixel path."""
        scale = [self.scale.low, self.scale.high, self.scale.stretch]
        return {"maps": self.version, "scale": scale, "colours": self.colours}

    def picture(self, content: Map, where: str, sides: tuple[int, int]) -> Tensor:
        """Nothing can fail here that `check` has let pass."""
        planes = [
            np.asarray(centred(Image.fromarray(plane.astype(np.float32)), sides))
            for plane in self.scale.shown(content)
        ]
        shown = torch.from_numpy(np.stack(planes))
        if self.colours == "inferno":
            return to_rgb(shown[0])
        return (255 * shown.clamp(0, 1)).round().to(torch.uint8).expand(3, -1, -1).contiguous()

    def physical(self, picture: Tensor) -> Tensor:
        """See `Array.to_physical`."""
        if self.colours == "inferno":
            shown = from_rgb(picture)
        else:
            shown = picture.double() / 255
            shown = shown if self.channels == 3 else shown.mean(dim=-3)
        return torch.from_numpy(self.scale.physical(shown.double().cpu().numpy())).float()
