"""The colour map can be undone."""

import pytest
import torch

from ood_diffusion.checks import UserError
from ood_diffusion.simulators.radiation.colour_map import from_rgb, to_rgb


def test_every_step_survives_the_round_trip() -> None:
    steps = torch.arange(256, dtype=torch.float32).reshape(1, 16, 16) / 255
    assert torch.equal(from_rgb(to_rgb(steps)), steps)


def test_any_value_comes_back_to_half_a_step() -> None:
    values = torch.rand(2, 5, 33, 17, generator=torch.Generator().manual_seed(0))
    rgb = to_rgb(values)
    assert rgb.dtype == torch.uint8 and rgb.shape == (2, 5, 3, 33, 17)
    assert (from_rgb(rgb) - values).abs().max() <= 0.5 / 255 + 1e-6


def test_luminance_rises_with_the_value() -> None:
    rgb = to_rgb(torch.linspace(0, 1, 256)[None]).double()
    linear = (rgb / 255) ** 2.2
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    assert (luminance.diff() > -2e-3).all()
    assert (luminance[0, 8:] > luminance[0, :-8]).all()


def test_colours_off_the_curve_take_the_nearest() -> None:
    values = torch.full((4, 4), 100 / 255)
    shifted = to_rgb(values).float() + torch.tensor([1.0, -1.0, 1.0])[:, None, None]
    assert (from_rgb(shifted) - values).abs().max() <= 2 / 255


def test_values_outside_are_clipped_and_nan_is_refused() -> None:
    assert torch.equal(from_rgb(to_rgb(torch.tensor([[-1.0, 2.0]]))), torch.tensor([[0.0, 1.0]]))
    with pytest.raises(UserError, match="finite values"):
        to_rgb(torch.tensor([[float("nan")]]))
