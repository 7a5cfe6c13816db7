"""The U-Net of DDPM (Ho et al. 2020, arXiv:2006.11239), as functions on an original state dict.

Names and shapes are those of the checkpoints of the PyTorch port (pesser/pytorch_diffusion, class `Model`).
Nothing here knows about diffusers or converted weights: `forward` is what a converted network must reproduce.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from tests.models.originals.state import Shapes, State, add, conv, linear, norm, random_state

__all__ = ["forward", "layout", "random_state"]

EPS = 1e-6  # of the normalizations; ADM has 1e-5


def layout(
    ch: int = 128,
    ch_mult: Sequence[int] = (1, 1, 2, 2, 4, 4),
    num_res_blocks: int = 2,
    attn_resolutions: Sequence[int] = (16,),
    resolution: int = 256,
    in_channels: int = 3,
    out_channels: int = 3,
) -> Shapes:
    """Name -> shape of every tensor, in the order of the original state dict.

    Level `i` works at `resolution / 2^i` with `ch * ch_mult[i]` channels, multiples of 32 (the normalization
    groups). Prefer 64 or more: with one channel per group, the next normalization removes the timestep and
    the biases that were added to the channels, and a test would not notice if they were wrong.
    """
    widths = [ch * factor for factor in ch_mult]
    depth, last = len(widths), widths[-1]
    shapes: Shapes = {}

    def add_block(name: str, wide_in: int, wide_out: int) -> None:
        add(shapes, f"{name}.norm1", wide_in)
        add(shapes, f"{name}.conv1", wide_out, wide_in, 3, 3)
        add(shapes, f"{name}.temb_proj", wide_out, 4 * ch)
        add(shapes, f"{name}.norm2", wide_out)
        add(shapes, f"{name}.conv2", wide_out, wide_out, 3, 3)
        if wide_in != wide_out:
            add(shapes, f"{name}.nin_shortcut", wide_out, wide_in, 1, 1)

    def add_attention(name: str, width: int) -> None:
        add(shapes, f"{name}.norm", width)
        for part in ("q", "k", "v", "proj_out"):
            add(shapes, f"{name}.{part}", width, width, 1, 1)

    def add_level(name: str, level: int, inputs: list[int]) -> None:
        for j, wide_in in enumerate(inputs):
            add_block(f"{name}.{level}.block.{j}", wide_in, widths[level])
        if resolution >> level in attn_resolutions:
            for j in range(len(inputs)):
                add_attention(f"{name}.{level}.attn.{j}", widths[level])

    add(shapes, "temb.dense.0", 4 * ch, ch)
    add(shapes, "temb.dense.1", 4 * ch, 4 * ch)
    add(shapes, "conv_in", ch, in_channels, 3, 3)
    above = [ch, *widths]  # width of what a level receives: that of the level before it, `ch` for the first
    for level, width in enumerate(widths):
        add_level("down", level, [above[level]] + [width] * (num_res_blocks - 1))
        if level < depth - 1:
            add(shapes, f"down.{level}.downsample.conv", width, width, 3, 3)
    add_block("mid.block_1", last, last)
    add_attention("mid.attn_1", last)
    add_block("mid.block_2", last, last)
    for level, width in enumerate(widths):  # a skip joins each block's input; the last is the level's own
        below = widths[min(level + 1, depth - 1)]
        running, skips = [below] + [width] * num_res_blocks, [width] * num_res_blocks + [above[level]]
        add_level("up", level, [a + b for a, b in zip(running, skips, strict=True)])
        if level > 0:
            add(shapes, f"up.{level}.upsample.conv", width, width, 3, 3)
    add(shapes, "norm_out", widths[0])
    add(shapes, "conv_out", out_channels, widths[0], 3, 3)
    return shapes


def _embedding(state: State, timestep: Tensor, dtype: torch.dtype) -> Tensor:
    """[B] -> [B, 4 ch]: sines, then cosines, at frequencies from 1 to exactly 1/10000, then two layers."""
    half = state["temb.dense.0.weight"].shape[1] // 2
    steps = torch.arange(half, dtype=torch.float32, device=timestep.device)
    angles = timestep.float()[:, None] * torch.exp(-math.log(10_000) / (half - 1) * steps)
    waves = torch.cat([angles.sin(), angles.cos()], dim=1).to(dtype)
    return linear(state, "temb.dense.1", F.silu(linear(state, "temb.dense.0", waves)))


def _block(state: State, name: str, x: Tensor, embedding: Tensor) -> Tensor:
    h = conv(state, f"{name}.conv1", F.silu(norm(state, f"{name}.norm1", x, EPS)))
    h = h + linear(state, f"{name}.temb_proj", F.silu(embedding))[:, :, None, None]
    h = conv(state, f"{name}.conv2", F.silu(norm(state, f"{name}.norm2", h, EPS)))
    return h + (conv(state, f"{name}.nin_shortcut", x) if f"{name}.nin_shortcut.weight" in state else x)


def _attention(state: State, name: str, x: Tensor) -> Tensor:
    """Every pixel attends to every pixel, with one head as wide as the features."""
    h = norm(state, f"{name}.norm", x, EPS)
    q, k, v = (conv(state, f"{name}.{part}", h).flatten(2) for part in "qkv")  # [B, C, HW]
    share = torch.softmax(q.mT @ k / math.sqrt(q.shape[1]), dim=-1)  # [B, HW of queries, HW of keys]
    return x + conv(state, f"{name}.proj_out", (v @ share.mT).view_as(x))


def forward(
    state: State,
    x: Tensor,
    timestep: Tensor,
    resolution: int = 256,
    ch_mult: Sequence[int] = (1, 1, 2, 2, 4, 4),
    num_res_blocks: int = 2,
    attn_resolutions: Sequence[int] = (16,),
) -> Tensor:
    """The predicted noise (Ho et al. 2020, appendix B; without dropout): [B, C, H, W] -> [B, C_out, H, W].

    `timestep` is [B], 0 to 999, possibly fractional. The embedding's waves are float32 as in the original,
    all else has the dtype of `x` and `state` (both in float64 tell which of two results is the closer).
    """
    embedding = _embedding(state, timestep, x.dtype)

    def unit(name: str, level: int, j: int, h: Tensor) -> Tensor:
        h = _block(state, f"{name}.{level}.block.{j}", h, embedding)
        attends = resolution >> level in attn_resolutions
        return _attention(state, f"{name}.{level}.attn.{j}", h) if attends else h

    h = conv(state, "conv_in", x)
    skips, depth = [h], len(ch_mult)
    for level in range(depth):
        for j in range(num_res_blocks):
            h = unit("down", level, j, h)
            skips.append(h)
        if level < depth - 1:  # zeros only right and below, as TensorFlow pads an even size
            h = conv(state, f"down.{level}.downsample.conv", F.pad(h, (0, 1, 0, 1)), stride=2, padding=0)
            skips.append(h)
    h = _block(state, "mid.block_1", h, embedding)
    h = _block(state, "mid.block_2", _attention(state, "mid.attn_1", h), embedding)
    for level in reversed(range(depth)):
        for j in range(num_res_blocks + 1):
            h = unit("up", level, j, torch.cat([h, skips.pop()], dim=1))
        if level > 0:
            h = conv(state, f"up.{level}.upsample.conv", F.interpolate(h, scale_factor=2.0, mode="nearest"))
    return conv(state, "conv_out", F.silu(norm(state, "norm_out", h, EPS)))
