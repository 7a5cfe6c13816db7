"""A pipeline of diffusers with a `UNet2DModel` and a scheduler with betas."""

from pathlib import Path
from typing import Any, cast

from torch import nn

from ood_diffusion.checks import require, require_choice
from ood_diffusion.diffusion.schedule import Schedule
from ood_diffusion.models.base import FrozenModel
from ood_diffusion.models.diffusers_folder import find_folder, read_config, read_json, read_part
from ood_diffusion.models.unet import UNet, check_class, empty_unet, fill, halvings, sides

BETAS = {
    "linear": Schedule.linear,
    "scaled_linear": Schedule.scaled_linear,
    "squaredcos_cap_v2": lambda timesteps, beta_start, beta_end: Schedule.cosine(timesteps),
}
"""diffusers' `beta_schedule` -> the schedule from T, beta_start and beta_end."""


def load_diffusers(path: str, class_label: int | None = None, revision: str | None = None) -> FrozenModel:
    """A frozen model from a pipeline of a `UNet2DModel` and a scheduler with betas.

    Schedule, prediction type and image size are those of its own configs.

    Args:
        path: the folder, or an id on the hub such as ``google/ddpm-church-256``.
        class_label: the class to ask a class-conditional network for.
        revision: commit, tag or branch of a hub id.

    Raises:
        UserError: if the folder or a file in it is missing, damaged or does not fit.
    """
    folder = find_folder(path, revision)
    unet, architecture, shape = read_unet(folder, None, class_label)
    schedule, prediction_type = read_schedule(folder)
    recipe = {"architecture": architecture, "class_label": class_label}
    network = UNet(unet, class_label=class_label)
    return FrozenModel(network, schedule, shape, prediction_type, recipe)


def read_unet(
    folder: Path, channels: int | None, class_label: int | None
) -> tuple[nn.Module, dict[str, Any], tuple[int, int, int]]:
    """The `UNet2DModel` of a pipeline, its architecture and the (C, H, W) of its states.

    Args:
        folder: the pipeline's; the network is in its `unet/` or in itself.
        channels: that its states must have; None: any number.
        class_label: the class chosen, if any.

    Raises:
        UserError: if it is of another kind, or does not fit.
    """
    from diffusers import UNet2DModel

    place = folder / "unet" if (folder / "unet").is_dir() else folder
    config = read_config(place / "config.json", UNet2DModel, ("UNet2DModel",))
    where = place / "config.json"
    found = (config.get("in_channels", 3), config.get("out_channels", 3))
    wanted = channels or found[0]
    require(
        found[0] == wanted and found[1] in (wanted, 2 * wanted),
        f"the network in {where} must map {wanted} channels to as many (or twice, with a variance)",
        found,
        "Choose another model.",
    )
    require(
        config.get("class_embed_type") is None,
        f"the network in {where} must be unconditional or have numbered classes",
        f"class_embed_type {config.get('class_embed_type')}",
        "Choose another model.",
    )
    check_class(class_label, config.get("num_class_embeds"))
    size = config.get("sample_size")
    require(
        isinstance(size, int | list),
        f"sample_size in {where} must be the side of the images, or [H, W]",
        size,
        "Write it there.",
    )
    unet = empty_unet(config)
    height, width = sides(cast(int | list[int], size), halvings(unet))
    fill(unet, *read_part(place))
    return unet, {**config, "sample_size": height if height == width else size}, (wanted, height, width)


def read_schedule(folder: Path) -> tuple[Schedule, str]:
    """Noise schedule and prediction type from a pipeline's `scheduler_config.json`.

    Raises:
        UserError: if it is missing or is not a variance-preserving schedule with betas.
    """
    name = "scheduler_config.json"
    path = next((p for p in (folder / "scheduler" / name, folder / name) if p.is_file()), folder / name)
    config = read_json(path)
    prediction_type = str(config.get("prediction_type", "epsilon"))
    require(
        not config.get("rescale_betas_zero_snr", False),
        f"the schedule in {path} must leave some signal at its end",
        "rescale_betas_zero_snr: true",
        "A latent at the last level would be pure noise; choose another model.",
    )
    if config.get("trained_betas") is not None:
        return Schedule.from_betas(config["trained_betas"]), prediction_type
    kind = config.get("_class_name")
    require(
        "beta_schedule" in config,
        f"{path} must describe a schedule with betas",
        kind,
        "For a network that is evaluated at a sigma (EDM) use model=edm.",
    )
    require_choice(f"beta_schedule in {path}", config["beta_schedule"], BETAS)
    ends = (config.get("beta_start", 1e-4), config.get("beta_end", 0.02))
    return BETAS[config["beta_schedule"]](config.get("num_train_timesteps", 1000), *ends), prediction_type
