"""Images beside what they must be compared with, encoded for the page."""

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import interpolate

from ood_diffusion.report.pictures import Pictures, data_uri
from ood_diffusion.report.wording import number

THUMBNAIL = 192
"""The longest side on the page, in pixels; larger images are shrunk."""
LOSSLESS = 96
"""The widest image that a page may hold without loss, in pixels."""


@dataclass(frozen=True)
class Tile:
    """One or two images side by side, as ``(data URI, alt text)``, with a caption."""

    images: list[tuple[str, str]]
    caption: str = ""


def references(pictures: Pictures, count: int, lossless: bool) -> list[Tile]:
    """The first `count` references, each beside its reconstruction when there is one."""
    tiles = []
    for i, reference in enumerate(pictures.references[:count]):
        images = [(_thumbnail(reference, lossless), f"reference {i + 1}")]
        if pictures.reconstructions is not None:
            rebuilt = pictures.reconstructions[i]
            images.append((_thumbnail(rebuilt, lossless), f"reconstruction of reference {i + 1}"))
        tiles.append(Tile(images))
    return tiles


def samples(pictures: Pictures, count: int, lossless: bool) -> list[Tile]:
    """The first `count` samples, each beside its nearest reference and captioned with the distance."""
    tiles = []
    for i, sample in enumerate([] if pictures.samples is None else pictures.samples[:count]):
        images, caption = [(_thumbnail(sample, lossless), f"new sample {i + 1}")], ""
        if pictures.nearest is not None:
            nearest = _thumbnail(pictures.nearest[i], lossless)
            images.append((nearest, f"the reference nearest to new sample {i + 1}"))
        if pictures.nearest_distances is not None:
            caption = f"distance {number(float(pictures.nearest_distances[i]))}"
        tiles.append(Tile(images, caption))
    return tiles


def _thumbnail(image: Tensor, lossless: bool) -> str:
    if max(image.shape[1:]) > THUMBNAIL:
        scale = THUMBNAIL / max(image.shape[1:])
        small = interpolate(image[None].float(), scale_factor=scale, mode="bilinear", antialias=True)
        image = small[0].round().clamp(0, 255).byte()
    return data_uri(image, lossless=lossless)
