"""Latent diffusion (Rombach et al. 2022) in diffusers' layout: an autoencoder and a network.

The trajectory runs in the autoencoder's latent space; images are encoded and decoded at the border.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ood_diffusion.checks import Json, require
from ood_diffusion.diffusion.schedule import Schedule
from ood_diffusion.fingerprint import weights_digest
from ood_diffusion.models.base import FrozenModel, tensors_of
from ood_diffusion.models.diffusers_condition import Condition
from ood_diffusion.models.diffusers_folder import (
    OTHER,
    find_folder,
    read_config,
    read_json,
    read_part,
    usable,
)
from ood_diffusion.models.diffusers_network import read_network
from ood_diffusion.models.diffusers_scheduler import read_scheduler
from ood_diffusion.models.unet import fill
from ood_diffusion.precision import arithmetic

AUTOENCODERS = ("vqvae", "vae")
"""Where a pipeline keeps its autoencoder."""


class LatentDiffusionModel(FrozenModel):
    """A frozen model whose states are an autoencoder's latents, scaled to unit variance or so.

    Args:
        network: see `FrozenModel`; its input is a state.
        autoencoder: diffusers' `VQModel` (decoding quantises) or `AutoencoderKL` (encoding takes the mean).
        schedule: see `FrozenModel`.
        image_shape: (C, H, W) of the images.
        state_shape: (C, h, w) of the states.
        prediction_type: see `FrozenModel`.
        recipe: see `FrozenModel`.
    """

    version = 1

    def __init__(
        self,
        network: nn.Module,
        autoencoder: nn.Module,
        schedule: Schedule,
        image_shape: tuple[int, int, int],
        state_shape: tuple[int, int, int],
        prediction_type: str,
        recipe: Mapping[str, Any],
    ) -> None:
        super().__init__(network, schedule, image_shape, prediction_type, recipe)
        self.autoencoder: Any = autoencoder.eval().requires_grad_(False)
        self._state_shape = state_shape
        config: Any = autoencoder.config
        self._scale, self._shift = config.scaling_factor, config.get("shift_factor") or 0.0

    @property
    def state_shape(self) -> tuple[int, int, int]:
        """(C, h, w) of the autoencoder's latents."""
        return self._state_shape

    def encode(self, images: Tensor) -> Tensor:
        """Images, float32 ``[B, 3, H, W]`` in [-1, 1], to states ``[B, *state_shape]``; no noise is drawn."""
        with arithmetic("fp32", images.device.type):
            code = self.autoencoder.encode(images.contiguous(memory_format=torch.channels_last))
        latents: Tensor = code.latent_dist.mode() if hasattr(code, "latent_dist") else code.latents
        return (latents - self._shift) * float(self._scale)

    def decode(self, states: Tensor) -> Tensor:
        """States ``[B, *state_shape]`` to images, float32 ``[B, 3, H, W]``, not clipped."""
        latents = states / self._scale + self._shift
        with arithmetic("fp32", states.device.type):
            images: Tensor = self.autoencoder.decode(latents).sample
        return images

    def digest(self) -> str:
        """Content hash of both networks' weights as they are now."""
        autoencoder = {f"autoencoder.{name}": value for name, value in tensors_of(self.autoencoder).items()}
        return weights_digest({**tensors_of(self.network), **autoencoder})


def load_latent_diffusion(
    path: str,
    class_label: int | None = None,
    revision: str | None = None,
    prompt: str | None = None,
    embedding: str | None = None,
) -> FrozenModel:
    """A frozen model from a pipeline with `vqvae/` or `vae/`, `unet/` or `transformer/`, and `scheduler/`.

    Args:
        path: the folder, or an id on the hub such as ``CompVis/ldm-celebahq-256``.
        class_label: see `diffusers_pipeline.load_diffusers`.
        revision: commit, tag or branch of a hub id.
        prompt: see `diffusers_pipeline.load_diffusers`.
        embedding: likewise.

    Raises:
        UserError: if the folder or a file in it is missing, damaged or does not fit.
    """
    folder = find_folder(path, revision)
    autoencoder, config, factor = read_autoencoder(folder)
    channels = config.get("latent_channels", autoencoder.config.latent_channels)  # type: ignore[union-attr]
    condition = Condition(class_label, prompt, embedding)
    network, recipe, (_, height, width), tokens = read_network(folder, channels, condition)
    schedule, prediction_type, sigma_data = read_scheduler(folder, tokens)
    require(
        sigma_data is None,
        "a network with EDM's preconditioning must work on images here",
        f"one with an autoencoder in {folder}",
        OTHER,
    )
    return LatentDiffusionModel(
        network,
        autoencoder,
        schedule,
        (autoencoder.config.in_channels, height * factor, width * factor),  # type: ignore[union-attr, arg-type]
        (channels, height, width),
        prediction_type,
        {**{k: v for k, v in recipe.items() if v is not None}, "autoencoder": config},
    )


def read_autoencoder(folder: Path) -> tuple[nn.Module, Json, int]:
    """The autoencoder of a pipeline, its arguments, and by how much it shrinks the side of an image."""
    import diffusers

    place = next((p for name in AUTOENCODERS if (p := folder / name).is_dir()), None)
    require(
        place is not None,
        "a latent diffusion pipeline must hold a folder vqvae/ or vae/",
        f"neither in {folder}",
        "For a pipeline without an autoencoder use model=diffusers.",
    )
    path = Path(str(place)) / "config.json"
    name = str(read_json(path).get("_class_name"))
    kinds: dict[str, type] = {"VQModel": diffusers.VQModel, "AutoencoderKL": diffusers.AutoencoderKL}
    config = read_config(path, kinds.get(name, diffusers.VQModel), tuple(kinds))
    if name == "VQModel":  # configs older than the setting mean 1; diffusers' later default is another
        config.setdefault("scaling_factor", 1.0)
    require(
        config.get("latents_mean") is None and config.get("latents_std") is None,
        f"the autoencoder in {path} must scale its latents by one number",
        "latents_mean and latents_std",
        OTHER,
    )
    with torch.device("meta"):
        autoencoder = usable(lambda: kinds[name](**config), path)
    fill(autoencoder, *read_part(path.parent))
    return autoencoder, config, 2 ** (len(autoencoder.config.block_out_channels) - 1)
