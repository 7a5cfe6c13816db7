"""What eyes and extractors see of a field."""

import numpy as np
import pytest
import torch
from matplotlib import colormaps

from ood_diffusion.checks import UserError
from ood_diffusion.fields.view import Channels, Colormap, Grey, Lupton, described

FIELDS = torch.linspace(-1.2, 1.2, 2 * 5 * 6 * 7).reshape(2, 5, 6, 7)
SHOWN = ((FIELDS + 1) / 2).clamp(0, 1)


def to_bytes(shown: torch.Tensor) -> torch.Tensor:
    return (255 * shown).round().to(torch.uint8)


def test_photographs_are_what_they_are() -> None:
    photos = torch.arange(2 * 3 * 4 * 5, dtype=torch.uint8).reshape(2, 3, 4, 5)
    for view in (Channels(), Channels([0, 1, 2])):
        assert view(photos) is photos and described(view, (3, 4, 5), torch.uint8) == {}
    assert torch.equal(Channels([2, 1, 0])(photos), photos.flip(1))
    assert described(Channels([2, 1, 0]), (3, 4, 5), torch.uint8) == {"view": "channels [2, 1, 0]"}
    assert described(Channels(), (1, 4, 5), torch.uint8) == {"view": "channels"}
    assert described(Channels(), (3, 4, 5), torch.float32) == {"view": "channels"}


def test_channels_of_any_field() -> None:
    assert torch.equal(Channels()(FIELDS), to_bytes(SHOWN[:, :3]))
    assert torch.equal(Channels()(FIELDS[:, :1]), to_bytes(SHOWN[:, :1]).expand(-1, 3, -1, -1))
    assert torch.equal(Channels([4, 0, 2])(FIELDS), to_bytes(SHOWN[:, [4, 0, 2]]))
    grey = torch.full((1, 1, 2, 2), 77, dtype=torch.uint8)
    assert torch.equal(Channels()(grey), grey.expand(-1, 3, -1, -1)), "bytes stay what they are"


def test_grey_is_the_mean() -> None:
    seen = Grey()(FIELDS).float()
    assert bool((seen[:, :1] == seen).all())
    assert float((seen[:, 0] / 255 - SHOWN.mean(1)).abs().max()) < 2 / 255


def test_colours_are_matplotlibs() -> None:
    seen = Colormap("inferno", 3)(FIELDS).permute(0, 2, 3, 1).numpy()
    theirs = colormaps["inferno"](to_bytes(SHOWN[:, 3]).numpy(), bytes=True)[..., :3]
    assert np.abs(seen.astype(int) - theirs).max() <= 1


def test_lupton_is_astropys() -> None:
    rgb = pytest.importorskip("astropy.visualization")
    seen = Lupton([4, 2, 0], stretch=0.5, q=8)(FIELDS)
    for one, field in zip(seen, SHOWN.double().numpy(), strict=True):
        theirs = rgb.make_lupton_rgb(field[4], field[2], field[0], minimum=0, stretch=0.5, Q=8)
        assert np.abs(one.permute(1, 2, 0).numpy().astype(int) - theirs).max() <= 1


def test_channels_must_be_there() -> None:
    with pytest.raises(UserError, match=r"that have 5, numbered from 0, but got \[5\]"):
        Channels([5])(FIELDS)
    with pytest.raises(UserError, match=r"view\.channels must be one index of a channel, or three"):
        Channels([0, 1])
    with pytest.raises(UserError, match=r"view\.name must be a colour map of matplotlib"):
        Colormap("ashes")
