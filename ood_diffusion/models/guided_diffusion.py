"""The U-Net of OpenAI's iDDPM and guided-diffusion (ADM), and of what was trained with their code (P2).

Nichol & Dhariwal 2021; Dhariwal & Nichol 2021, table 4. The flags have the names of those repositories.
diffusers' `UNet2DModel` is the same function once the entries have its names and its attention knows
the heads.
"""

from collections.abc import Sequence

import torch
from torch import nn

from ood_diffusion.checks import Json, require
from ood_diffusion.diffusion.schedule import Schedule
from ood_diffusion.models.base import FrozenModel
from ood_diffusion.models.checkpoint import read_state
from ood_diffusion.models.conversion import convert
from ood_diffusion.models.guided_diffusion_keys import module_places, source
from ood_diffusion.models.unet import UNet, check_class, empty_unet, fill, read_channels, sides


def load_guided_diffusion(
    weights: str,
    image_size: int | Sequence[int],
    num_channels: int,
    channel_mult: Sequence[float],
    num_res_blocks: int,
    attention_resolutions: Sequence[int],
    num_heads: int,
    num_head_channels: int,
    use_scale_shift_norm: bool,
    resblock_updown: bool,
    use_new_attention_order: bool,
    rescale_timesteps: bool,
    schedule: Schedule,
    class_label: int | None = None,
    sha256: str | None = None,
    entry: str | None = None,
) -> FrozenModel:
    """A frozen model from a guided-diffusion state dict, predicting epsilon.

    Channels, classes and whether it has a learned variance are read off the checkpoint; the variance is
    left out.

    Args:
        weights: path of the checkpoint.
        image_size: side of the square images in pixels, or (H, W).
        num_channels: the width that `channel_mult` multiplies, and of the timestep embedding.
        channel_mult: width of each level in units of `num_channels`.
        num_res_blocks: residual blocks per level on the way down (one more on the way up).
        attention_resolutions: heights in pixels of the levels with self-attention.
        num_heads: attention heads, if `num_head_channels` is -1.
        num_head_channels: channels of a head, or -1.
        use_scale_shift_norm: whether the timestep scales and shifts (instead of being added).
        resblock_updown: whether residual blocks change the resolution (instead of convolutions).
        use_new_attention_order: whether queries, keys and values are split before the heads.
        rescale_timesteps: whether the network sees timesteps in units of T/1000.
        schedule: the noise schedule of the training.
        class_label: the class to ask a class-conditional network for.
        sha256: see `checkpoint.read_state`.
        entry: see `checkpoint.read_state`.

    Raises:
        UserError: if the file is missing, damaged, unsafe or of another architecture, or if it is
            class-conditional and no class was chosen.
    """
    size = sides(image_size, 2 ** (len(channel_mult) - 1))
    require(
        (num_heads == -1) != (num_head_channels == -1),
        "of model.num_heads and model.num_head_channels one must be -1 and the other the number",
        (num_heads, num_head_channels),
        "Set the one that the training did not use to -1.",
    )
    state = read_state(weights, sha256, entry)
    classes = len(state["label_emb.weight"]) if "label_emb.weight" in state else None
    check_class(class_label, classes)
    attends = [size[0] // 2**i in attention_resolutions for i in range(len(channel_mult))]
    kind = "resnet" if resblock_updown else "conv"
    plain_down, plain_up = (f"Resnet{way}sampleBlock2D" for way in ("Down", "Up"))
    if not resblock_updown:
        plain_down, plain_up = "DownBlock2D", "UpBlock2D"
    channels = read_channels(state, "input_blocks.0.0.weight")
    architecture: Json = {
        "sample_size": size[0],
        "out_channels": (1 + (len(state.get("out.2.bias", ())) == 2 * channels)) * channels,
        "block_out_channels": [int(num_channels * mult) for mult in channel_mult],
        "layers_per_block": num_res_blocks,
        "down_block_types": ["AttnDownBlock2D" if here else plain_down for here in attends],
        "up_block_types": ["AttnUpBlock2D" if here else plain_up for here in attends[::-1]],
        "downsample_type": kind,
        "upsample_type": kind,
        "resnet_time_scale_shift": "scale_shift" if use_scale_shift_norm else "default",
        "attention_head_dim": None if num_head_channels == -1 else num_head_channels,
        "attn_norm_num_groups": 32,
        "time_embedding_dim": 4 * num_channels,
        "num_class_embeds": classes,
    }
    if channels != 3:
        architecture["in_channels"] = channels
    unet = empty_unet(architecture)
    adjust(unet, num_channels, num_heads)
    places = dict(module_places(attends, num_res_blocks, resblock_updown))
    sources = {
        name: source(name, tuple(value.shape), places, num_heads, num_head_channels, use_new_attention_order)
        for name, value in unet.state_dict().items()
    }
    fill(unet, convert(unet, sources, state, weights), weights)
    time_scale = 1000 / schedule.timesteps if rescale_timesteps else 1.0
    recipe = {
        "architecture": architecture,
        "num_heads": num_heads,
        "class_label": class_label,
        "time_scale": time_scale,
    }
    network = UNet(unet, class_label=class_label, time_scale=time_scale)
    return FrozenModel(network, schedule, (channels, *size), "epsilon", recipe)


def adjust(unet: nn.Module, num_channels: int, num_heads: int) -> None:
    """What ADM has and `UNet2DModel` has no argument for.

    Args:
        unet: on "meta"; changed in place.
        num_channels: width of the timestep embedding, even where the first level is narrower (512 pixels).
        num_heads: heads of every attention, however wide it is; -1: as built.
    """
    from diffusers.models.attention_processor import Attention
    from diffusers.models.embeddings import TimestepEmbedding, Timesteps

    with torch.device("meta"):
        unet.time_proj = Timesteps(num_channels, flip_sin_to_cos=True, downscale_freq_shift=0)
        unet.time_embedding = TimestepEmbedding(num_channels, 4 * num_channels)
    for module in unet.modules():
        if num_heads != -1 and isinstance(module, Attention):
            module.heads = num_heads
