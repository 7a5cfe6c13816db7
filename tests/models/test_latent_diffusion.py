"""Latent diffusion: states are the autoencoder's latents, images are met at the border only."""

import json
from pathlib import Path

import pytest
import torch

from ood_diffusion.checks import UserError
from ood_diffusion.diffusion.dpmpp_2m import DPMpp2M
from ood_diffusion.diffusion.grids import uniform_lambda
from ood_diffusion.lightning.trajectory import Generator, Inverter
from ood_diffusion.models.latent_diffusion import load_latent_diffusion
from tests.models.tiny_pipelines import save_ddpm, save_ldm

IMAGES = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
STATES = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("kind", ["vq", "kl"])
@torch.inference_mode()
def test_the_border_is_the_pipelines(kind: str, tmp_path: Path) -> None:
    pipeline = save_ldm(tmp_path, kind)
    model = load_latent_diffusion(str(tmp_path))
    assert (model.image_shape, model.state_shape) == ((3, 32, 32), (3, 16, 16))
    if kind == "vq":
        encoded = pipeline.vqvae.encode(IMAGES).latents * 0.7
        decoded = pipeline.vqvae.decode(STATES / 0.7).sample
    else:
        encoded = (pipeline.vqvae.encode(IMAGES).latent_dist.mean - 0.1) * 0.3
        decoded = pipeline.vqvae.decode(STATES / 0.3 + 0.1).sample
    assert torch.allclose(model.encode(IMAGES), encoded, atol=1e-5)
    assert torch.allclose(model.decode(STATES), decoded, atol=1e-4)
    assert torch.allclose(
        model.eps(STATES, 11.0), pipeline.unet(STATES, torch.tensor(10.0)).sample, atol=1e-5
    )


@torch.inference_mode()
def test_a_vq_config_older_than_the_scaling_factor_means_one(tmp_path: Path) -> None:
    """`CompVis/ldm-celebahq-256` is such a folder; diffusers' later default is 0.18215."""
    pipeline = save_ldm(tmp_path, "vq")
    path = tmp_path / "vqvae" / "config.json"
    config = json.loads(path.read_text())
    del config["scaling_factor"]
    path.write_text(json.dumps(config))
    model = load_latent_diffusion(str(tmp_path))
    assert torch.allclose(model.encode(IMAGES), pipeline.vqvae.encode(IMAGES).latents, atol=1e-5)


@torch.inference_mode()
def test_loops_carry_states_between_images(tmp_path: Path) -> None:
    save_ldm(tmp_path, "kl")
    model = load_latent_diffusion(str(tmp_path))
    levels = uniform_lambda(model.schedule, 300.0, 4)
    images = (torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 255).to(torch.uint8)
    ids = ["a", "b", "c"]
    z = Inverter(model, DPMpp2M(), levels).predict_step({"ids": ids, "data": images})
    assert z.shape == (3, 3, 16, 16) and z.dtype == torch.float32
    back = Generator(model, DPMpp2M(), levels, eta=0.0, seed=0).predict_step({"ids": ids, "data": z})
    assert back.shape == (3, 3, 32, 32) and back.dtype == torch.uint8


def test_the_digest_covers_the_autoencoder(tmp_path: Path) -> None:
    save_ldm(tmp_path, "vq")
    model = load_latent_diffusion(str(tmp_path))
    before = model.digest()
    model.autoencoder.quantize.embedding.weight.data[0, 0] += 1
    assert model.digest() != before
    assert not any(p.requires_grad for p in model.parameters()) and not model.autoencoder.training


def test_a_pipeline_without_autoencoder(tmp_path: Path) -> None:
    save_ddpm(tmp_path)
    with pytest.raises(UserError, match=r"must hold a folder vqvae/ or vae/, but got .*model=diffusers"):
        load_latent_diffusion(str(tmp_path))


def test_channels_must_match(tmp_path: Path) -> None:
    save_ldm(tmp_path, "vq", in_channels=4, out_channels=4)
    with pytest.raises(UserError, match=r"must map 3 channels to as many .*but got \(4, 4\)"):
        load_latent_diffusion(str(tmp_path))
