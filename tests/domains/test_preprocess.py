"""Every image mode becomes the right pixels."""

import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ood_diffusion.checks import UserError
from ood_diffusion.domains.images.preprocess import to_rgb


def saved(image: Image.Image, path: Path, **options: object) -> Image.Image:
    image.save(path, **options)
    return Image.open(path)


def flat(mode: str, colour: object, size: tuple[int, int] = (20, 16)) -> Image.Image:
    return Image.new(mode, size, colour)  # type: ignore[arg-type]


def middle(image: Image.Image, size: int = 8) -> list[int]:
    picture = to_rgb(image, (size, size))
    assert picture.dtype == torch.uint8 and picture.shape == (3, size, size) and picture.is_contiguous()
    return picture[:, size // 2, size // 2].tolist()


def test_rgb_of_the_right_size_passes_bit_for_bit(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    picture = to_rgb(saved(Image.fromarray(pixels), tmp_path / "a.png"), (16, 16))
    assert np.array_equal(picture.permute(1, 2, 0).numpy(), pixels)


def test_the_middle_square_is_kept() -> None:
    pixels = np.zeros((10, 30, 3), dtype=np.uint8)
    pixels[:, 10:20] = 200
    assert (to_rgb(Image.fromarray(pixels), (10, 10)) == 200).all()
    inner = to_rgb(Image.fromarray(pixels.transpose(1, 0, 2).copy()), (5, 5))[:, 1:-1]
    assert (inner - 200.0).abs().max() <= 3  # the filter sees a little beyond the cut


def test_cutting_first_equals_resizing_first() -> None:
    rows, columns = np.mgrid[:60, :90]
    pixels = (127 + 60 * np.sin(rows / 9) + 60 * np.cos(columns / 7)).astype(np.uint8)
    image = Image.fromarray(np.stack([pixels] * 3, axis=2))
    resized = image.resize((30, 20), Image.Resampling.BICUBIC).crop((5, 0, 25, 20))
    difference = np.asarray(resized).astype(int) - to_rgb(image, (20, 20)).permute(1, 2, 0).numpy()
    assert np.abs(difference).max() <= 1


def test_shrinking_is_antialiased() -> None:
    stripes = np.zeros((64, 64, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    picture = to_rgb(Image.fromarray(stripes), (16, 16)).float()[:, :, 2:-2]
    assert picture.std() < 3 and abs(picture.mean() - 127.5) < 2


def test_a_thin_panorama_is_never_enlarged_as_a_whole() -> None:
    assert to_rgb(flat("RGB", (1, 2, 3), (200_000, 1)), (64, 64)).float().std(dim=(1, 2)).max() == 0


@pytest.mark.parametrize(
    ("mode", "colour", "suffix", "expected"),
    [
        ("RGB", (10, 20, 30), "png", [10, 20, 30]),
        ("L", 77, "png", [77, 77, 77]),
        ("1", 1, "png", [255, 255, 255]),
        ("CMYK", (0, 255, 255, 0), "tif", [255, 0, 0]),
        ("RGBA", (10, 20, 30, 255), "png", [10, 20, 30]),
        ("RGBA", (10, 20, 30, 0), "png", [255, 255, 255]),  # white paper
        ("RGBA", (0, 0, 0, 51), "png", [204, 204, 204]),
        ("LA", (0, 51), "png", [204, 204, 204]),
        ("I;16", 65535, "png", [255, 255, 255]),
        ("I;16", 25700, "png", [100, 100, 100]),  # 257 * 100
        ("I;16", 25700, "tif", [100, 100, 100]),
        ("I;16", 129, "png", [1, 1, 1]),  # 0.502 rounds up; taking the high byte would give 0
        ("I", 25700, "tif", [100, 100, 100]),
    ],
)
def test_modes(mode: str, colour: object, suffix: str, expected: list[int], tmp_path: Path) -> None:
    assert middle(saved(flat(mode, colour), tmp_path / f"a.{suffix}")) == expected


def test_16_bit_grey_keeps_a_smooth_ramp(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 64).astype(np.uint16)
    image = saved(Image.fromarray(np.tile(ramp, (64, 1))), tmp_path / "a.png")
    picture = to_rgb(image, (64, 64))[0, 0].int()
    assert (picture - torch.from_numpy(ramp.astype(np.int32)) / 257).abs().max() <= 0.5 + 1e-3


def test_16_bit_colour_png_keeps_its_high_byte() -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    row = b"\0" + struct.pack(">3H", 0x0A80, 0x1480, 0x1E80) * 8
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">2I5B", 8, 8, 16, 2, 0, 0, 0))
    png += chunk(b"IDAT", zlib.compress(row * 8)) + chunk(b"IEND", b"")
    assert np.abs(np.subtract(middle(Image.open(BytesIO(png))), [10, 20, 30])).max() <= 1


def test_palette_with_and_without_transparency(tmp_path: Path) -> None:
    plain = flat("RGB", (200, 10, 10)).quantize(4)
    assert middle(saved(plain, tmp_path / "a.png")) == [200, 10, 10]
    index = plain.getpixel((0, 0))
    assert middle(saved(plain, tmp_path / "b.png", transparency=index)) == [255, 255, 255]
    assert middle(saved(plain, tmp_path / "c.gif")) == [200, 10, 10]


def test_rgb_with_a_transparent_colour(tmp_path: Path) -> None:
    image = saved(flat("RGB", (9, 9, 9)), tmp_path / "a.png", transparency=(9, 9, 9))
    assert middle(image) == [255, 255, 255]


def test_transparent_pixels_do_not_bleed_into_edges(tmp_path: Path) -> None:
    pixels = np.zeros((32, 32, 4), dtype=np.uint8)
    pixels[:, :, 0] = 255  # hidden red under full transparency
    pixels[:, 16:] = [0, 0, 0, 255]
    picture = to_rgb(saved(Image.fromarray(pixels), tmp_path / "a.png"), (8, 8)).int()
    assert (picture[0] - picture[1]).abs().max() <= 1  # white to black, never red


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied(orientation: int, tmp_path: Path) -> None:
    upright = np.zeros((16, 16, 3), dtype=np.uint8)
    upright[:8, :8] = 255
    undo = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: np.rot90(a, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(undo(upright)))
    image = saved(stored, tmp_path / "a.jpg", exif=exif, quality=100)
    picture = to_rgb(image, (16, 16))[0]
    assert picture[:7, :7].min() > 200 and picture[9:].max() < 60 and picture[:, 9:].max() < 60


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.fromarray(np.ones((4, 4), dtype=np.float32)), "must be 8- or 16-bit"),
        (Image.fromarray(np.full((4, 4), 70_000, dtype=np.int32)), "values from 0 to 65535"),
        (Image.fromarray(np.full((4, 4), -1, dtype=np.int32)), "values from 0 to 65535"),
    ],
)
def test_numbers_of_unknown_range_are_refused(image: Image.Image, expected: str) -> None:
    with pytest.raises(UserError, match=expected):
        to_rgb(image, (4, 4))
