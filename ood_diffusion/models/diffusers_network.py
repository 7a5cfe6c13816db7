"""The network in a folder that diffusers has saved: a UNet, or a transformer."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from ood_diffusion.checks import require, require_choice
from ood_diffusion.models.diffusers_condition import ENCODE, Condition, Prompted, embedding_of
from ood_diffusion.models.diffusers_folder import OTHER, contents, read_config, read_json, read_part, usable
from ood_diffusion.models.unet import UNet, check_class, empty_unet, fill, halvings, sides

PLACES = ("unet_ema", "unet", "transformer")
"""Where a pipeline keeps its network, the average over the training first; or at the top."""
TRANSFORMERS = ("DiTTransformer2DModel", "Transformer2DModel")
ALSO_TOLD = ("addition_embed_type", "class_embed_type", "encoder_hid_dim_type", "num_class_embeds")
"""Settings of networks that are told more than a prompt: sizes (SDXL), classes, pictures."""


class Network(NamedTuple):
    """A network, and what is known of it.

    Args:
        network: see `FrozenModel`.
        recipe: its architecture and class, JSON.
        shape: (C, H, W) of its states.
        tokens: patches that a transformer divides a state into; None for a UNet.
    """

    network: nn.Module
    recipe: Mapping[str, Any]
    shape: tuple[int, int, int]
    tokens: int | None = None


class Transformer(nn.Module):
    """A DiT (Peebles & Xie 2023) of diffusers, asked for one class.

    Args:
        transformer: diffusers' `DiTTransformer2DModel`, or its predecessor `Transformer2DModel`.
        class_label: the class, or the number of classes: none of them, as in the training of guidance.
    """

    version = 1

    def __init__(self, transformer: nn.Module, class_label: int) -> None:
        super().__init__()
        self.transformer, self.class_label = transformer, class_label

    def forward(self, x: Tensor, timestep: Tensor) -> Tensor:
        """`x`: ``[B, C, H, W]``; `timestep`: ``[]`` or ``[B]``. Returns ``[B, C, H, W]``, without the second
        half of the channels, with which most DiTs predict their variance."""
        labels = torch.full((len(x),), self.class_label, device=x.device)
        output: Tensor = self.transformer(
            x, timestep=timestep.expand(len(x)).to(x.dtype), class_labels=labels
        ).sample
        return output[:, : x.shape[1]]


def read_network(folder: Path, channels: int | None, condition: Condition) -> Network:
    """The network of a pipeline.

    Args:
        folder: the pipeline's; the network is in one of `PLACES` or in itself.
        channels: that its states must have; None: any number.
        condition: what it is asked for.

    Raises:
        UserError: if it is of another kind, or does not fit.
    """
    place = next((folder / name for name in PLACES if (folder / name).is_dir()), folder)
    where = place / "config.json"
    require(
        place != folder or where.is_file(),
        f"{folder} must hold a network as diffusers saves it, in {'/, '.join(PLACES)}/ or at the top",
        contents(folder),
        "Correct model.path, or choose another model: docs/models.md says which are read.",
    )
    kind = str(read_json(where).get("_class_name"))
    require_choice(f"_class_name in {where}", kind, ("UNet2DModel", *TRANSFORMERS, *ENCODE), OTHER)
    if kind in ENCODE:
        return read_prompted(folder, place, channels, condition)
    require(
        condition.prompt is None and condition.embedding is None,
        f"model.prompt and model.embedding must be null for a {kind}, which knows no words",
        condition.prompt if condition.embedding is None else condition.embedding,
        "Set them to null.",
    )
    read = read_transformer if kind in TRANSFORMERS else read_unet
    return read(place, channels, condition.class_label)


def read_unet(place: Path, channels: int | None, class_label: int | None) -> Network:
    """A `UNet2DModel` in the folder `place`; see `read_network`."""
    from diffusers import UNet2DModel

    where = place / "config.json"
    config = read_config(where, UNet2DModel, ("UNet2DModel",))
    unet = usable(lambda: empty_unet(config), where)
    built: Any = unet.config
    wanted = check_channels(where, built.in_channels, built.out_channels, channels)
    require(
        config.get("class_embed_type") is None,
        f"the network in {where} must be unconditional or have numbered classes",
        f"class_embed_type {config.get('class_embed_type')}",
        OTHER,
    )
    check_class(class_label, config.get("num_class_embeds"))
    size = read_size(where, config.get("sample_size"))
    height, width = sides(size, halvings(unet))
    fill(unet, *read_part(place))
    architecture = {**config, "sample_size": height if height == width else size}
    recipe = {"architecture": architecture, "class_label": class_label}
    return Network(UNet(unet, class_label=class_label), recipe, (wanted, height, width))


def read_transformer(place: Path, channels: int | None, class_label: int | None) -> Network:
    """A DiT in the folder `place`; see `read_network`. Without a class it is asked for none of them."""
    import diffusers

    where = place / "config.json"
    kind: Any = getattr(diffusers, str(read_json(where)["_class_name"]))
    config = read_config(where, kind, TRANSFORMERS)
    norm, classes = config.get("norm_type", "ada_norm_zero"), config.get("num_embeds_ada_norm", 1000)
    require(
        norm == "ada_norm_zero" and isinstance(classes, int),
        f"the transformer in {where} must be a DiT: norm_type ada_norm_zero and num_embeds_ada_norm classes",
        (norm, classes),
        OTHER,
    )
    if class_label is not None:
        check_class(class_label, classes)
    network = usable(lambda: kind(**config), where)  # not on "meta": its positions are in no state dict
    built = network.config
    wanted = check_channels(where, built.in_channels, built.out_channels or built.in_channels, channels)
    height, width = sides(built.sample_size, built.patch_size)
    fill(network, *read_part(place))
    asked = classes if class_label is None else class_label
    recipe = {"architecture": {"kind": kind.__name__, **config}, "class_label": asked}
    tokens = height * width // built.patch_size**2
    return Network(Transformer(network, asked), recipe, (wanted, height, width), tokens)


def read_prompted(folder: Path, place: Path, channels: int | None, condition: Condition) -> Network:
    """A network in the folder `place` that is asked for a prompt; see `read_network`."""
    import diffusers

    where = place / "config.json"
    name = str(read_json(where)["_class_name"])
    kind: Any = getattr(diffusers, name, None)
    require(kind is not None, "diffusers must know the network", f"no {name} in this version", "Update it.")
    config = read_config(where, kind, (name,))
    more = [setting for setting in ALSO_TOLD if config.get(setting) is not None]
    require(
        not more and condition.class_label is None,
        f"the network in {where} must be asked for a prompt and nothing else",
        {setting: config[setting] for setting in more} or f"class_label {condition.class_label}",
        OTHER if more else "Set model.class_label=null.",
    )
    with torch.device("meta"):
        network = usable(lambda: kind(**config), where)
    built, patch = network.config, network.config.get("patch_size")
    wanted = check_channels(where, built.in_channels, built.out_channels, channels)
    height, width = sides(read_size(where, built.sample_size), patch or halvings(network))
    fill(network, *read_part(place))
    embedding = embedding_of(folder, name, built, condition)
    recipe = {"architecture": {"kind": name, **config}}
    prompted = Prompted(network, embedding, 1e-3 if name == "AuraFlowTransformer2DModel" else 1.0)
    tokens = height * width // patch**2 if patch else None
    return Network(prompted, recipe, (wanted, height, width), tokens)


def read_size(where: Path, size: object) -> int | list[int]:
    """`size`, if it can be that of a network's states."""
    require(
        isinstance(size, int | list),
        f"sample_size in {where} must be the side of the images, or [H, W]",
        size,
        "Write it there.",
    )
    return cast(int | list[int], size)


def check_channels(where: Path, coming: int, leaving: int, channels: int | None) -> int:
    """The channels of a network's states; `UserError` unless it maps `channels` to as many, or to twice."""
    wanted = channels or coming
    require(
        coming == wanted and leaving in (wanted, 2 * wanted),
        f"the network in {where} must map {wanted} channels to as many (or twice, with a variance)",
        (coming, leaving),
        OTHER,
    )
    return wanted
