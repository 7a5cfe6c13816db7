"""The pixel path of a user's picture: any mode and size in, a uint8 RGB tensor of the wanted size out.

In this order: the EXIF rotation is applied; 16-bit grey is scaled by 65535 (not truncated to its low or
high byte); transparency is laid over WHITE, as browsers and viewers show it (a transparent drawing has
dark strokes, which would vanish on black); everything becomes RGB; the largest centred part
of the wanted aspect is cut and resized with Pillow's antialiased bicubic filter, the one Parmar et al.
(2022, "On Aliased Resizing and Surprising Subtleties in GAN Evaluation") recommend, because it does not
alias and barely rings.
Colour profiles are not applied: the numbers are read as sRGB. Of an animation, the first frame counts.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor

from ood_diffusion.checks import require

PREPROCESSING_VERSION = 1
"""Part of every key: raise it whenever this file changes a single pixel."""

BACKGROUND = (255, 255, 255)
FULL_SCALE_16_BIT = 65535


def to_rgb(image: Image.Image, sides: tuple[int, int], crop: float = 1.0) -> Tensor:
    """Turn one picture into uint8, shape ``[3, H, W]``, RGB; `crop` as in `centred`.

    The result is that of resizing the side that is kept whole and then cutting (the filter sees a little
    beyond the cut), without rounding the long side and without ever holding an enlarged panorama.

    Raises:
        UserError: if the mode cannot be read as a picture (floating point, 32-bit integers, Lab).
        OSError, SyntaxError, ValueError: from Pillow, if the data are damaged.
    """
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I"):
        grey = centred(_grey_16_bit(upright), sides, crop)
        level = np.asarray(grey, dtype=np.float64) * (255.0 / FULL_SCALE_16_BIT)
        pixels = np.repeat(np.rint(level.clip(0, 255)).astype(np.uint8)[:, :, None], 3, axis=2)
    else:
        pixels = np.asarray(centred(_rgb(upright), sides, crop)).copy()
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()


def _grey_16_bit(image: Image.Image) -> Image.Image:
    """A mode-F image with the values of a 16-bit grey one ("I" is how Pillow hands over some of them)."""
    values: NDArray[np.float32] = np.asarray(image).astype(np.float32)
    require(
        values.min() >= 0 and values.max() <= FULL_SCALE_16_BIT,
        f"a grey image with more than 8 bits must hold values from 0 to {FULL_SCALE_16_BIT}",
        (float(values.min()), float(values.max())),
        "Save it as 8- or 16-bit with the stretch you want.",
    )
    return Image.fromarray(values)


def _rgb(image: Image.Image) -> Image.Image:
    require(
        image.mode not in ("F", "LAB"),
        "an image must be 8- or 16-bit RGB, grey, palette or CMYK",
        f"Pillow mode {image.mode}",
        "Save it as 8- or 16-bit with the stretch you want, or as .npy: domain=array asks for the range.",
    )
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        paper = Image.new("RGBA", layer.size, (*BACKGROUND, 255))
        return Image.alpha_composite(paper, layer).convert("RGB")
    return image.convert("RGB")


def centred(image: Image.Image, sides: tuple[int, int], crop: float = 1.0) -> Image.Image:
    """Cut the largest centred part with the aspect of `sides` (H, W), or the share `crop` of its sides, and
    resize it to them.

    Any mode that Pillow resamples; a part that already has that size keeps its pixels, bit for bit.
    """
    rows, columns = sides
    width = crop * min(image.width, image.height * columns / rows)
    height = crop * min(image.height, image.width * rows / columns)
    left, top = (image.width - width) / 2, (image.height - height) / 2
    if (height, width) == sides:  # nothing to resample: a half-pixel offset would only blur
        return image.crop((int(left), int(top), int(left) + columns, int(top) + rows))
    box = (left, top, left + width, top + height)
    return image.resize((columns, rows), Image.Resampling.BICUBIC, box=box)
