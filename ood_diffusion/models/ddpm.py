"""The network of Ho et al. 2020 as the PyTorch port and DDIM's code save it (`*.ckpt`).

The paper's CelebA-HQ and LSUN checkpoints are of this kind. diffusers' `UNet2DModel` is the same
function once the entries have its names.
"""

import re
from collections.abc import Sequence

from ood_diffusion.checks import Json
from ood_diffusion.diffusion.schedule import Schedule
from ood_diffusion.models.base import FrozenModel
from ood_diffusion.models.checkpoint import read_state
from ood_diffusion.models.conversion import Source, convert, pointwise, same
from ood_diffusion.models.unet import UNet, empty_unet, fill, read_channels, sides

NAMES = (  # of UNet2DModel, of the port
    (r"time_embedding\.linear_(\d)", lambda m: f"temb.dense.{int(m[1]) - 1}"),
    (r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}"),
    (r"mid_block\.attentions\.0", lambda m: "mid.attn_1"),
    (r"(down|up)_blocks\.(\d+)\.resnets\.(\d+)", lambda m: f"{m[1]}.{m[2]}.block.{m[3]}"),
    (r"(down|up)_blocks\.(\d+)\.attentions\.(\d+)", lambda m: f"{m[1]}.{m[2]}.attn.{m[3]}"),
    (r"(down|up)_blocks\.(\d+)\.\w+samplers\.0", lambda m: f"{m[1]}.{m[2]}.{m[1]}sample"),
    (r"time_emb_proj", lambda m: "temb_proj"),
    (r"conv_shortcut", lambda m: "nin_shortcut"),
    (r"group_norm", lambda m: "norm"),
    (r"\bto_([qkv])\b", lambda m: m[1]),
    (r"to_out\.0", lambda m: "proj_out"),
    (r"conv_norm_out", lambda m: "norm_out"),
)


def load_ddpm(
    weights: str,
    image_size: int | Sequence[int],
    num_channels: int,
    channel_mult: Sequence[int],
    num_res_blocks: int,
    attention_resolutions: Sequence[int],
    schedule: Schedule,
    sha256: str | None = None,
    entry: str | None = None,
) -> FrozenModel:
    """A frozen model from a DDPM state dict, predicting epsilon. The number of channels is read off it.

    Args:
        weights: path of the checkpoint.
        image_size: side of the square images in pixels, or (H, W).
        num_channels: channels of the first level.
        channel_mult: channels of each level, in units of `num_channels`.
        num_res_blocks: residual blocks per level on the way down (one more on the way up).
        attention_resolutions: heights in pixels of the levels with self-attention.
        schedule: the noise schedule of the training.
        sha256: see `checkpoint.read_state`.
        entry: see `checkpoint.read_state`.

    Raises:
        UserError: if the file is missing, damaged, unsafe or of another architecture.
    """
    size = sides(image_size, 2 ** (len(channel_mult) - 1))
    state = read_state(weights, sha256, entry)
    architecture = ddpm_architecture(
        size[0], num_channels, channel_mult, num_res_blocks, attention_resolutions
    )
    channels = read_channels(state, "conv_in.weight")
    if channels != 3:
        architecture |= {"in_channels": channels, "out_channels": channels}
    unet = empty_unet(architecture)
    sources = {name: source(name, len(channel_mult)) for name in unet.state_dict()}
    fill(unet, convert(unet, sources, state, weights), weights)
    return FrozenModel(UNet(unet), schedule, (channels, *size), "epsilon", {"architecture": architecture})


def ddpm_architecture(
    image_size: int,
    num_channels: int,
    channel_mult: Sequence[int],
    num_res_blocks: int,
    attention_resolutions: Sequence[int],
) -> Json:
    """The keyword arguments with which `UNet2DModel` is Ho et al.'s network."""
    attends = [image_size // 2**i in attention_resolutions for i in range(len(channel_mult))]
    return {
        "sample_size": image_size,
        "block_out_channels": [num_channels * mult for mult in channel_mult],
        "layers_per_block": num_res_blocks,
        "down_block_types": ["AttnDownBlock2D" if here else "DownBlock2D" for here in attends],
        "up_block_types": ["AttnUpBlock2D" if here else "UpBlock2D" for here in attends[::-1]],
        "attention_head_dim": None,  # one head
        "downsample_padding": 0,  # right and below only, as TensorFlow pads
        "flip_sin_to_cos": False,  # sines before cosines ...
        "freq_shift": 1,  # ... and the last frequency is exactly 1/10000
        "norm_eps": 1e-6,
    }


def source(name: str, levels: int) -> Source:
    """Where the parameter `name` of `UNet2DModel` is in the port; `levels` counts the resolutions."""
    key = re.sub(r"up_blocks\.(\d+)", lambda m: f"up_blocks.{levels - 1 - int(m[1])}", name)
    for pattern, replacement in NAMES:
        key = re.sub(pattern, replacement, key)
    return pointwise(key, ones=2) if ".attentions." in name else same(key)
