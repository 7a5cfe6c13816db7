"""Line drawings made from the pictures of another domain, so that photo and sketch exist as a pair."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ood_diffusion.checks import Json, require
from ood_diffusion.domains.base import Domain, Split
from ood_diffusion.domains.drawing import Drawing
from ood_diffusion.fingerprint import fingerprint
from ood_diffusion.geometry.edges import ink
from ood_diffusion.pixels import LUMINANCE


class SketchesOf(Domain):
    """Black lines on white along the edges of another domain's pictures.

    Sketch i of a split is of picture i of that split: build the other domain with the same settings, and
    the two are pairs.

    Args:
        image_size: side of the pictures in pixels.
        of: builds the other domain when called as ``of(image_size=…)``; in YAML a domain with
            ``_partial_: true``.
        scale: standard deviation, in pixels, of the Gaussian that smooths before edges are looked for,
            in (0, 10]; larger leaves out detail.
        threshold: edges weaker than this share of a full-black one are left out, in [0, 1).

    Raises:
        UserError: if a setting is out of range, or for what the other domain refuses.
    """

    version = 1

    def __init__(
        self, image_size: int, of: Callable[..., Domain], scale: float = 1.0, threshold: float = 0.35
    ) -> None:
        """Build the other domain; nothing is drawn yet."""
        super().__init__(image_size)
        require(0 < scale <= 10, "domain.scale must lie in (0, 10]", scale, "1 is usual.")
        require(0 <= threshold < 1, "domain.threshold must lie in [0, 1)", threshold, "0.35 is usual.")
        self.drawn = of(image_size=image_size)
        require(
            self.drawn.channels == 3,
            "sketches can only be made of RGB pictures",
            self.drawn.shape,
            "Use another domain.",
        )
        self.halved = self.drawn.halved
        self.scale, self.threshold = float(scale), float(threshold)

    @property
    def drawing(self) -> Drawing | None:
        """That of the other domain."""
        return self.drawn.drawing

    def size(self, split: Split) -> int | None:
        """As many as the other domain has."""
        return self.drawn.size(split)

    def where(self, split: Split, index: int) -> str:
        """Where the picture is that was drawn."""
        return self.drawn.where(split, index)

    def record(self) -> Json:
        """That of the other domain."""
        return self.drawn.record()

    def key(self, split: Split, index: int) -> str:
        """Hash the other picture's key and the settings of the filter."""
        self.check_item(split, index)
        settings = {"scale": self.scale, "threshold": self.threshold, "version": self.version}
        return fingerprint({"domain": "sketches_of", "of": self.drawn.address(split, index)} | settings)

    def render(self, split: Split, index: int) -> Tensor:
        """Draw one sketch: uint8, shape ``[3, image_size, image_size]``, three equal channels."""
        self.check_item(split, index)
        picture = self.drawn.render(split, index).numpy()
        paper = 1 - ink(np.tensordot(LUMINANCE, picture / 255.0, 1), self.scale, self.threshold)
        drawing = torch.from_numpy((255 * paper).round().astype(np.uint8))
        return drawing.expand(3, -1, -1).contiguous()
