"""Pipelines of diffusers small enough to run in a test, saved by diffusers itself."""

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DDPMPipeline,
    DDPMScheduler,
    EDMEulerScheduler,
    LDMPipeline,
    UNet2DModel,
    VQModel,
)

UNET: dict[str, Any] = {
    "sample_size": 16,
    "block_out_channels": (32, 64),
    "layers_per_block": 1,
    "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
    "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
    "norm_num_groups": 16,
}


def tiny_unet(**more: Any) -> UNet2DModel:
    torch.manual_seed(0)
    return UNet2DModel(**{**UNET, **more}).eval()


def save_ddpm(folder: Path, unet: UNet2DModel | None = None, **scheduler: Any) -> UNet2DModel:
    """A DDPM pipeline below `folder`; `scheduler` are arguments of diffusers' `DDPMScheduler`."""
    unet = unet or tiny_unet()
    DDPMPipeline(unet, DDPMScheduler(**scheduler)).save_pretrained(folder)
    return unet


def save_edm(folder: Path, unet: UNet2DModel | None = None) -> UNet2DModel:
    """The same with EDM's scheduler."""
    unet = save_ddpm(folder, unet)
    EDMEulerScheduler().save_pretrained(folder / "scheduler")
    return unet


def save_ldm(folder: Path, kind: str, **unet: Any) -> LDMPipeline:
    """A latent diffusion pipeline with 32-pixel images and 16-pixel latents, autoencoder `kind` vq or kl."""
    torch.manual_seed(1)
    blocks: dict[str, Any] = {
        "block_out_channels": (32, 32),
        "down_block_types": ("DownEncoderBlock2D",) * 2,
        "up_block_types": ("UpDecoderBlock2D",) * 2,
        "norm_num_groups": 16,
    }
    if kind == "vq":
        autoencoder = VQModel(**blocks, num_vq_embeddings=64, scaling_factor=0.7)
    else:
        autoencoder = AutoencoderKL(**blocks, latent_channels=3, scaling_factor=0.3, shift_factor=0.1)
    network = tiny_unet(**unet)
    pipeline = LDMPipeline(
        autoencoder, network, DDIMScheduler(beta_schedule="scaled_linear", clip_sample=False)
    )
    pipeline.save_pretrained(folder)
    if kind == "kl":
        (folder / "vqvae").rename(folder / "vae")  # where pipelines with this autoencoder keep it
    return pipeline
