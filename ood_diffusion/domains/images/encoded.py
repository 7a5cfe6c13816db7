"""From the bytes of an image file to a picture, without trusting a header."""

import hashlib
import struct
import warnings
from collections.abc import Sequence
from io import BytesIO

import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from ood_diffusion.checks import UserError, require
from ood_diffusion.domains.images.preprocess import PREPROCESSING_VERSION, to_rgb
from ood_diffusion.domains.preparation import Preparation
from ood_diffusion.domains.source import unreadable
from ood_diffusion.pixels import LUMINANCE

MIN_SIDE = 8
"""Pixels. What is smaller, such as a tracking pixel or a failed download, is no picture to learn from."""

FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "BMP", "GIF", "JPEG2000", "PPM", "TIFF", "TGA")
"""Raster formats that Pillow decodes itself, whatever a file is called. It would hand others, such as EPS, to
programs of the system, and some to whatever other packages have registered."""

DAMAGED = (
    OSError,
    SyntaxError,
    ValueError,
    LookupError,
    ArithmeticError,
    RuntimeError,
    EOFError,
    struct.error,
)
"""What Pillow's decoders raise on damaged files; AVIF's raises RuntimeError."""


class EncodedImages(Preparation[bytes]):
    """Image files of any size and mode in one of `FORMATS`; `preprocess` says how they become pictures.

    Args:
        crop: share of the largest centred part of the pictures' aspect that is kept, in (0, 1].
        channels: ``rgb``, ``grey`` (their luminance), or indices of R, G and B in the order that is wanted.

    Raises:
        UserError: if `crop` is out of range or `channels` names none.
    """

    version = PREPROCESSING_VERSION

    def __init__(self, crop: float, channels: str | Sequence[int] = "rgb") -> None:
        require(
            isinstance(crop, int | float) and not isinstance(crop, bool) and 0 < crop <= 1,
            "domain.crop must be a number above 0, at most 1",
            crop,
            "1 keeps the whole short side, 0.5 its middle half.",
        )
        listed = channels if isinstance(channels, str) else list(channels)
        known = listed in ("rgb", "grey") or (
            isinstance(listed, list) and len(listed) > 0 and all(i in (0, 1, 2) for i in listed)
        )
        require(known, "domain.channels must be rgb, grey or a list of 0, 1 and 2", listed, "Try grey.")
        self.crop, self._chosen = float(crop), listed
        self.channels = {"rgb": 3, "grey": 1}[listed] if isinstance(listed, str) else len(listed)

    def check(self, content: bytes, where: str) -> None:
        """Read the header: an image in a known format, not too large and not too small."""
        width, height = open_image(content, where).size
        require(
            self.crop * min(width, height) >= MIN_SIDE,
            f"the square crop of an image must be at least {MIN_SIDE} pixels wide",
            f"{width} x {height} pixels in {where}",
            "Remove it" + ("." if self.crop == 1 else f", or raise domain.crop ({self.crop:g})."),
        )

    def digest(self, content: bytes) -> str:
        """SHA-256 of the file."""
        return hashlib.sha256(content).hexdigest()

    def recipe(self) -> dict[str, object]:
        """The version of the pixel path, the crop, and the channels unless they are RGB."""
        chosen = {} if self._chosen == "rgb" else {"channels": self._chosen}
        return {"preprocessing": self.version, "crop": self.crop, **chosen}

    def picture(self, content: bytes, where: str, sides: tuple[int, int]) -> Tensor:
        """Decode all pixels; a truncated file is found here."""
        image = open_image(content, where)
        try:
            picture = to_rgb(image, sides, self.crop)
        except UserError as error:  # a UserError is a ValueError: keep its wording, add the file
            raise UserError(f"{where}: {error}") from error
        except DAMAGED as error:
            raise unreadable(where, error) from error
        if self._chosen == "grey":
            weights = torch.tensor(LUMINANCE, dtype=torch.float64).view(3, 1, 1)
            return (weights * picture).sum(dim=0, keepdim=True).round().to(torch.uint8)
        return picture if isinstance(self._chosen, str) else picture[self._chosen]


def open_image(data: bytes, where: str) -> Image.Image:
    """Read an image's header; its pixels are decoded on first use.

    Raises:
        UserError: naming `where`, if this is no image or holds more pixels than
            ``PIL.Image.MAX_IMAGE_PIXELS`` (Pillow's guard against decompression bombs).
    """
    if not data:
        raise unreadable(where, "0 bytes")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            Image.init()
            return Image.open(BytesIO(data), formats=[name for name in FORMATS if name in Image.OPEN])
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UserError(
            f"an image must hold at most {Image.MAX_IMAGE_PIXELS} pixels, but got more in {where}. "
            "Save it smaller; this is Pillow's guard against decompression bombs."
        ) from error
    except UnidentifiedImageError as error:
        raise unreadable(where, "none of the image formats that are read (docs/data.md)") from error
    except DAMAGED as error:
        raise unreadable(where, error) from error
