"""Networks of any number of channels and any sides, square or not, in every family."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from ood_diffusion.checks import UserError
from ood_diffusion.diffusion.schedule import Schedule
from ood_diffusion.models.ddpm import load_ddpm
from ood_diffusion.models.diffusers_pipeline import load_diffusers
from ood_diffusion.models.edm import load_edm
from ood_diffusion.models.torch_module import load_torch_module
from ood_diffusion.models.unet import load_unet
from tests.models.originals import adm, ddpm
from tests.models.originals.state import random_state
from tests.models.test_originals import LEGACY, SMALL, load_original_adm
from tests.models.tiny_pipelines import UNET, save_ddpm, save_edm, tiny_unet

SHAPE = (5, 16, 24)
X = torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(0))


class Same(nn.Module):
    def forward(self, x: Tensor, timestep: Tensor) -> Tensor:
        return x


def test_torch_module_states_its_shape() -> None:
    model = load_torch_module(Same(), None, "epsilon", Schedule.linear(), shape=[1, 28, 20])
    assert model.image_shape == model.state_shape == (1, 28, 20)
    assert load_torch_module(Same(), 8, "epsilon", Schedule.linear()).image_shape == (3, 8, 8)


@pytest.mark.parametrize(("size", "shape"), [(None, None), (8, [3, 8, 8])])
def test_torch_module_says_its_shape_once(size: int | None, shape: list[int] | None) -> None:
    with pytest.raises(UserError, match=r"of model\.image_size and model\.shape one must say"):
        load_torch_module(Same(), size, "epsilon", Schedule.linear(), shape=shape)


@pytest.mark.parametrize("shape", [[28, 28], [1, 28, 0], [1, 28, 28.5], [1, 2, 3, 4]])
def test_a_shape_is_three_numbers(shape: list[int]) -> None:
    with pytest.raises(UserError, match=r"model\.shape must be \[C, H, W\], positive integers, but got"):
        load_torch_module(Same(), None, "epsilon", Schedule.linear(), shape=shape)


def test_diffusers_and_edm_say_their_shape_in_their_config(tmp_path: Path) -> None:
    unet = save_ddpm(tmp_path, tiny_unet(in_channels=5, out_channels=5, sample_size=[16, 24]))
    model = load_diffusers(str(tmp_path))
    save_edm(tmp_path / "edm", unet)
    assert model.image_shape == load_edm(str(tmp_path / "edm"), Schedule.karras(), 0.5).image_shape == SHAPE
    with torch.no_grad():
        assert torch.allclose(model.eps(X, 300.0), unet(X, torch.tensor(299.0)).sample, atol=1e-5)


def test_channels_of_a_ddpm_are_read_off_its_weights(tmp_path: Path) -> None:
    state = random_state(ddpm.layout(ch=64, in_channels=1, out_channels=1, **SMALL), seed=0)
    torch.save(state, tmp_path / "a.ckpt")
    model = load_ddpm(str(tmp_path / "a.ckpt"), [32, 48], 64, (1, 2, 2), 2, (16,), Schedule.linear())
    x = torch.randn(1, 1, 32, 48, generator=torch.Generator().manual_seed(0))
    theirs = ddpm.forward(state, x, torch.tensor([299.0]), **SMALL)
    assert model.image_shape == (1, 32, 48)
    assert torch.allclose(model.eps(x, 300.0), theirs, atol=1e-5 * float(theirs.abs().max()))


@pytest.mark.parametrize("learn_sigma", [True, False])
def test_channels_of_guided_diffusion_are_read_off_its_weights(learn_sigma: bool, tmp_path: Path) -> None:
    flags = replace(LEGACY, learn_sigma=learn_sigma)
    state = random_state(adm.layout(flags), seed=0)
    state["input_blocks.0.0.weight"] = state["input_blocks.0.0.weight"][:, :1]
    state |= {name: state[name][: 1 + learn_sigma] for name in ("out.2.weight", "out.2.bias")}
    torch.save(state, tmp_path / "a.pt")
    model = load_original_adm(tmp_path / "a.pt", flags)
    assert model.image_shape == (1, 32, 32)
    assert model.eps(torch.zeros(2, 1, 32, 32), 300.0).shape == (2, 1, 32, 32)


def test_channels_of_the_embedded_kind_are_folded(tmp_path: Path) -> None:
    architecture = {**UNET, "in_channels": 20, "out_channels": 20}
    torch.save(tiny_unet(in_channels=20, out_channels=20).state_dict(), tmp_path / "a.pt")
    model = load_unet(str(tmp_path / "a.pt"), architecture, 2, SHAPE[1:], "epsilon", Schedule.linear())
    assert model.image_shape == SHAPE and model.eps(X, 300.0).shape == X.shape
    with pytest.raises(UserError, match=r"model\.image_size must be a multiple of 4 for this network"):
        load_unet(str(tmp_path / "a.pt"), architecture, 2, [16, 22], "epsilon", Schedule.linear())
