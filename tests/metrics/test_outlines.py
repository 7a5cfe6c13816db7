"""Outlines stay where they are under a change of style."""

from functools import partial

import pytest
import torch
from torch import Tensor

from ood_diffusion.domains.galaxies_sim import GalaxiesSim
from ood_diffusion.domains.sketches_of import SketchesOf
from ood_diffusion.metrics.outlines import outlines, retrieved

N = 8


@pytest.fixture(scope="module")
def photos() -> Tensor:
    return torch.stack([GalaxiesSim(64).render("references", i) for i in range(N)])


@pytest.fixture(scope="module")
def sketches() -> Tensor:
    drawn = SketchesOf(64, partial(GalaxiesSim))
    return torch.stack([drawn.render("references", i) for i in range(N)])


def test_they_are_centred_and_of_unit_length(photos: Tensor) -> None:
    found = outlines(photos)
    assert found.shape == (N, 64 * 64) and found.dtype == torch.float64
    assert torch.allclose(found.norm(dim=1), torch.ones(N).double())
    assert torch.allclose(found.sum(dim=1), torch.zeros(N).double(), atol=1e-9)


def test_a_negative_in_false_colours_has_the_same_outlines(photos: Tensor) -> None:
    grey = photos[:, 1:2].expand(-1, 3, -1, -1)
    changed = 255 - grey // 2
    assert ((outlines(grey) * outlines(changed)).sum(dim=1) > 0.9).all()


def test_a_drawing_finds_its_picture(photos: Tensor, sketches: Tensor) -> None:
    assert retrieved(photos, photos).all()
    assert retrieved(sketches, photos).sum() >= N - 1


def test_another_picture_is_not_found(photos: Tensor, sketches: Tensor) -> None:
    assert not retrieved(photos.roll(1, 0), photos).any()
    assert retrieved(sketches.roll(1, 0), photos).sum() <= 1


def test_pictures_without_outlines_are_like_none(photos: Tensor) -> None:
    assert not retrieved(torch.full_like(photos, 90), photos).any()
    assert not retrieved(torch.full_like(photos, 90), torch.full_like(photos, 90)).any()
