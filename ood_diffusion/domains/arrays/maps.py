"""From a map of physical values to a field in [-1, 1]."""

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ood_diffusion.checks import require
from ood_diffusion.domains.arrays.source import Map
from ood_diffusion.domains.images.encoded import MIN_SIDE
from ood_diffusion.domains.preparation import Preparation
from ood_diffusion.fields.scale import Scale

Channels = str | Sequence[int] | None
Extremes = tuple[NDArray[np.float64], NDArray[np.float64]]
"""The least and the largest value of each channel of a map."""


class Maps(Preparation[Map]):
    """Channels are chosen, NaN are filled, values outside the range are clipped or were refused; the largest
    centred part of the wanted aspect is cut and resized by areas, on physical values, so that their mean
    stays; then the scale maps them to [-1, 1].

    Args:
        channels: None: all; indices; ``grey``: their mean; ``rgb``: three, or the only one three times.
        fill: physical value of NaN pixels; None refuses them.
        crop: pixels to cut off at the first and last rows and the first and last columns; None: none.

    Raises:
        UserError: for other settings.
    """

    version = 2
    dtype = torch.float32

    def __init__(self, channels: Channels, fill: float | None, crop: Sequence[int] | None = None) -> None:
        listed = channels if channels is None or isinstance(channels, str) else list(channels)
        known = listed in (None, "grey", "rgb") or (
            isinstance(listed, list) and len(listed) > 0 and all(type(i) is int and i >= 0 for i in listed)
        )
        require(known, "domain.channels must be null, grey, rgb or a list of indices", channels, "Try [0].")
        number = fill is None or (type(fill) in (int, float) and bool(np.isfinite(fill)))
        require(number, "domain.fill must be null or a number", fill, "For example 0.")
        edges = [0, 0, 0, 0] if crop is None else list(crop)
        require(
            len(edges) == 4 and all(type(n) is int and n >= 0 for n in edges),
            "domain.crop must be null or four numbers of pixels",
            crop,
            "First rows, last rows, first columns, last columns: [8,8,8,8].",
        )
        self.chosen, self.fill, self.crop = listed, fill, edges
        self.stored = self.channels = 0
        self.extremes: dict[str, Extremes] = {}
        """Where each map is -> its least and largest values."""
        self.scale = Scale("linear", -1, 1)
        """Set when all maps have been seen."""

    def check(self, content: Map, where: str) -> None:
        """Refuse what is too small, not finite, or has other channels; note the extremes."""
        stored, height, width = self.cropped(content).shape
        require(
            min(height, width) >= MIN_SIDE,
            f"a map must be at least {MIN_SIDE} pixels on each side",
            f"{width} x {height} pixels in {where}",
            "Check domain.axes and domain.crop, or remove it.",
        )
        require(
            stored == (self.stored or stored),
            f"all maps must have as many channels as the first, {self.stored}",
            f"{stored} in {where}",
            "Use one kind of map at a time.",
        )
        indices = [0, 0, 0] if (self.chosen, stored) == ("rgb", 1) else self.chosen
        wanted = [0, 1, 2] if indices == "rgb" else indices if isinstance(indices, list) else [0]
        require(
            max(wanted) < stored and (self.chosen != "rgb" or stored in (1, 3)),
            f"domain.channels={self.chosen} must choose existing channels",
            f"{stored} in {where}",
            f"Give indices from 0 to {stored - 1}.",
        )
        values = self.values(content)
        bad = np.argwhere(~np.isfinite(values))
        require(
            len(bad) == 0,
            "a map must hold finite values",
            f"{len(bad)} NaN or infinite in {where}, at [channel, row, column] {bad[:3].tolist()}",
            "Set domain.fill to the value that replaces NaN, crop NaN borders with domain.crop, or "
            "remove maps with infinities.",
        )
        self.stored, self.channels = stored, len(values)
        self.extremes[where] = values.min(axis=(1, 2)), values.max(axis=(1, 2))

    def values(self, content: Map) -> Map:
        """The chosen channels within the crop, NaN filled."""
        content = self.cropped(content)
        filled = content if self.fill is None else np.where(np.isnan(content), self.fill, content)
        if self.chosen == "grey":
            return np.asarray(filled.mean(axis=0, keepdims=True))
        if self.chosen == "rgb" and len(filled) == 1:
            return np.repeat(filled, 3, axis=0)
        return filled[self.chosen] if isinstance(self.chosen, list) else filled

    def cropped(self, content: Map) -> Map:
        """What is left within the crop."""
        top, bottom, left, right = self.crop
        _, height, width = content.shape
        return content[:, top : max(top, height - bottom), left : max(left, width - right)]

    def digest(self, content: Map) -> str:
        """SHA-256 of shape and values, whatever file they came from."""
        sha = hashlib.sha256(str(content.shape).encode())
        sha.update(np.ascontiguousarray(content, dtype="<f8").data)
        return sha.hexdigest()

    def recipe(self) -> dict[str, object]:
        """The version, the channels, the fill and the scale."""
        own: dict[str, object] = {"maps": self.version, "channels": self.chosen, "fill": self.fill}
        return own | ({"crop": self.crop} if any(self.crop) else {}) | self.scale.recipe()

    def picture(self, content: Map, where: str, sides: tuple[int, int]) -> Tensor:
        """float32 in [-1, 1]; nothing can fail here that `check` has let pass."""
        low, high = (np.array(end)[:, None, None] for end in (self.scale.low, self.scale.high))
        values = torch.from_numpy(resized(np.clip(self.values(content), low, high), sides))
        return self.scale.to_unit(values).clamp(-1, 1)  # rounding


def resized(values: Map, sides: tuple[int, int]) -> Map:
    """The largest centred part with the aspect of `sides` (H, W), averaged over areas; its mean stays."""
    shape = values.shape[1:]
    down, across = (
        overlaps(n, length, part) for n, length, part in zip(sides, shape, kept(shape, sides), strict=True)
    )
    return np.ascontiguousarray(down @ values @ across.T)


def kept(shape: Sequence[int], sides: tuple[int, int]) -> tuple[float, float]:
    """Height and width in pixels of the largest part of a map (H, W) with the aspect of `sides`."""
    (height, width), (rows, columns) = shape, sides
    return min(height, width * rows / columns), min(width, height * columns / rows)


def mean_within(values: Map, part: tuple[float, float]) -> float:
    """Mean of the centred `part` (height, width, in pixels) of a map."""
    down, across = (overlaps(1, n, length) for n, length in zip(values.shape[1:], part, strict=True))
    return float((down @ values @ across.T).mean())


def overlaps(n: int, length: int, part: float) -> NDArray[np.float64]:
    """Shares ``[n, length]`` of `length` pixels in each of the `n` equal cells of their centred `part`."""
    edges = (length - part) / 2 + np.linspace(0, part, n + 1)
    pixels = np.arange(length)
    covered = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    shares = covered.clip(0)
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))
