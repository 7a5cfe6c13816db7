import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image

from ood_diffusion.checks import UserError
from ood_diffusion.report.pictures import Pictures, data_uri, grid, pair_grid, png_bytes
from ood_diffusion.report.sheets import SEPARATOR, SHADE
from tests.report.fake import images


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (1, 8), (6, 3), (7, 3), (5, 8), (4, 1)])
def test_every_tile_can_be_recovered_from_the_grid(count: int, columns: int) -> None:
    tiles = torch.randint(0, 256, (count, 3, 5, 9), dtype=torch.uint8)
    sheet = grid(tiles, columns)
    across, down = min(columns, count), -(-count // columns)
    assert sheet.shape == (3, down * 5 + (down - 1) * SEPARATOR, across * 9 + (across - 1) * SEPARATOR)
    rest = torch.ones(sheet.shape, dtype=torch.bool)
    for i in range(count):
        y, x = (i // across) * (5 + SEPARATOR), (i % across) * (9 + SEPARATOR)
        assert torch.equal(sheet[:, y : y + 5, x : x + 9], tiles[i])
        rest[:, y : y + 5, x : x + 9] = False
    assert (sheet[rest] == SHADE).all()


def test_pairs_stand_side_by_side() -> None:
    left, right = images(5), images(5, seed=9)
    mixed = torch.stack([image for pair in zip(left, right, strict=True) for image in pair])
    assert torch.equal(pair_grid(left, right, pairs=2), grid(mixed, 4))


def test_png_keeps_every_pixel_and_the_size() -> None:
    image = torch.randint(0, 256, (3, 7, 11), dtype=torch.uint8)
    with Image.open(io.BytesIO(png_bytes(image))) as png:
        assert png.format == "PNG" and png.size == (11, 7)
        assert np.array_equal(np.asarray(png), image.permute(1, 2, 0).numpy())


@pytest.mark.parametrize("kind", ["png", "webp"])
def test_data_uris_hold_the_image_without_loss(kind: str) -> None:
    image = torch.randint(0, 256, (3, 7, 11), dtype=torch.uint8)
    head, body = data_uri(image, kind).split(",")
    assert head == f"data:image/{kind};base64"
    with Image.open(io.BytesIO(base64.b64decode(body))) as back:
        assert np.array_equal(np.asarray(back.convert("RGB")), image.permute(1, 2, 0).numpy())


def test_floats_and_mismatched_counts_are_refused() -> None:
    with pytest.raises(UserError, match="uint8"):
        Pictures(torch.rand(2, 3, 4, 4))
    with pytest.raises(UserError, match="shape of references"):
        Pictures(images(3), reconstructions=images(2))
    with pytest.raises(UserError, match="shape of samples"):
        Pictures(images(3), nearest=images(2))
    with pytest.raises(UserError, match="one number for each"):
        Pictures(images(3), samples=images(2), nearest_distances=np.ones(3))
    with pytest.raises(UserError, match="at least one column"):
        grid(images(3), 0)
