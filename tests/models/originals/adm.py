"""The U-Net of guided-diffusion, as functions on an original state dict.

One architecture with flags holds the networks of improved DDPM (Nichol & Dhariwal 2021, arXiv:2102.09672),
ADM (Dhariwal & Nichol 2021, arXiv:2105.05233) and P2 weighting (Choi et al. 2022, arXiv:2204.00227). Names
and shapes are those of their checkpoints (class `UNetModel`). Nothing here knows about diffusers or converted
weights: `forward` is what a converted network has to reproduce.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from tests.models.originals.state import Shapes, State, add, conv, linear, norm, random_state

__all__ = ["Flags", "forward", "layout", "random_state"]

Step = tuple[str, str, int, int]  # a module: its name, its kind, the channels that enter and leave it

EPS = 1e-5  # of the normalizations; DDPM has 1e-6


@dataclass(frozen=True)
class Flags:
    """The flags of the original's command line, by their names there; images have 3 channels.

    `attention_resolutions` are image sides (16: where features are 16x16), as on the command line; the
    original's class has downsampling factors instead. `num_heads` counts only where `num_head_channels` is
    -1. All widths must be multiples of 32; prefer 64 or more, see `ddpm.layout`.
    """

    image_size: int
    model_channels: int
    num_res_blocks: int
    attention_resolutions: tuple[int, ...]
    channel_mult: tuple[float, ...]  # may start with 0.5
    num_heads: int = 4
    num_head_channels: int = -1
    use_scale_shift_norm: bool = True
    resblock_updown: bool = False
    learn_sigma: bool = False
    use_new_attention_order: bool = False
    num_classes: int | None = None


def _plan(flags: Flags) -> list[list[Step]]:
    """The stages in order of evaluation: those of the input, the middle one, those of the output."""
    down, up = ("block down", "block up") if flags.resblock_updown else ("down", "up")
    widths = [int(factor * flags.model_channels) for factor in flags.channel_mult]
    sides = [flags.image_size >> level for level in range(len(widths))]
    stages: list[list[Step]] = []

    def stage(prefix: str, *steps: tuple[str, int, int]) -> None:
        stages.append([(f"{prefix}.{m}", *step) for m, step in enumerate(steps)])

    def unit(level: int, wide_in: int) -> list[tuple[str, int, int]]:
        width = widths[level]
        attention = [("attention", width, width)] if sides[level] in flags.attention_resolutions else []
        return [("block", wide_in, width), *attention]

    width = widths[0]
    stage("input_blocks.0", ("conv", 3, width))
    skips = [width]
    for level in range(len(widths)):
        for _ in range(flags.num_res_blocks):
            stage(f"input_blocks.{len(stages)}", *unit(level, width))
            width = widths[level]
            skips.append(width)
        if level < len(widths) - 1:
            stage(f"input_blocks.{len(stages)}", (down, width, width))
            skips.append(width)
    stage("middle_block", ("block", width, width), ("attention", width, width), ("block", width, width))
    start = len(stages)
    for level in reversed(range(len(widths))):
        for j in range(flags.num_res_blocks + 1):
            steps = unit(level, width + skips.pop())
            width = widths[level]
            if level > 0 and j == flags.num_res_blocks:
                steps.append((up, width, width))
            stage(f"output_blocks.{len(stages) - start}", *steps)
    return stages


def layout(flags: Flags) -> Shapes:
    """Name -> shape of every tensor, in the order of the original state dict."""
    shapes: Shapes = {}
    embedded = 4 * flags.model_channels
    add(shapes, "time_embed.0", embedded, flags.model_channels)
    add(shapes, "time_embed.2", embedded, embedded)
    if flags.num_classes is not None:
        shapes["label_emb.weight"] = (flags.num_classes, embedded)
    for name, kind, wide_in, wide_out in (step for stage in _plan(flags) for step in stage):
        if kind == "attention":
            add(shapes, f"{name}.norm", wide_in)
            add(shapes, f"{name}.qkv", 3 * wide_in, wide_in, 1)
            add(shapes, f"{name}.proj_out", wide_in, wide_in, 1)
        elif kind.startswith("block"):
            add(shapes, f"{name}.in_layers.0", wide_in)
            add(shapes, f"{name}.in_layers.2", wide_out, wide_in, 3, 3)
            add(shapes, f"{name}.emb_layers.1", wide_out * (2 if flags.use_scale_shift_norm else 1), embedded)
            add(shapes, f"{name}.out_layers.0", wide_out)
            add(shapes, f"{name}.out_layers.3", wide_out, wide_out, 3, 3)
            if wide_in != wide_out:
                add(shapes, f"{name}.skip_connection", wide_out, wide_in, 1, 1)
        else:
            add(shapes, name + {"conv": "", "down": ".op", "up": ".conv"}[kind], wide_out, wide_in, 3, 3)
    first = int(flags.channel_mult[0] * flags.model_channels)
    add(shapes, "out.0", first)
    add(shapes, "out.2", 6 if flags.learn_sigma else 3, first, 3, 3)
    return shapes


def _embedding(state: State, flags: Flags, timestep: Tensor, y: Tensor | None, dtype: torch.dtype) -> Tensor:
    """[B] -> [B, 4 C]: cosines, then sines, at frequencies 1 to just above 1/10000; two layers; label."""
    half = flags.model_channels // 2
    steps = torch.arange(half, dtype=torch.float32, device=timestep.device)
    angles = timestep.float()[:, None] * torch.exp(-math.log(10_000) * steps / half)
    waves = torch.cat([angles.cos(), angles.sin()], dim=1).to(dtype)
    embedding = linear(state, "time_embed.2", F.silu(linear(state, "time_embed.0", waves)))
    return embedding if y is None else embedding + state["label_emb.weight"][y]


def _resize(x: Tensor, kind: str) -> Tensor:
    if kind.endswith("up"):
        return F.interpolate(x, scale_factor=2.0, mode="nearest")
    return F.avg_pool2d(x, 2) if kind.endswith("down") else x


def _block(state: State, flags: Flags, name: str, kind: str, x: Tensor, embedding: Tensor) -> Tensor:
    """A residual block; one that resizes does so in both branches, before its first convolution."""
    h = _resize(F.silu(norm(state, f"{name}.in_layers.0", x, EPS)), kind)
    h = conv(state, f"{name}.in_layers.2", h)
    shift = linear(state, f"{name}.emb_layers.1", F.silu(embedding))[:, :, None, None]
    if flags.use_scale_shift_norm:
        scale, shift = shift.chunk(2, dim=1)
        h = norm(state, f"{name}.out_layers.0", h, EPS) * (1 + scale) + shift
    else:
        h = norm(state, f"{name}.out_layers.0", h + shift, EPS)
    h = conv(state, f"{name}.out_layers.3", F.silu(h))
    x = _resize(x, kind)
    return h + (conv(state, f"{name}.skip_connection", x) if f"{name}.skip_connection.weight" in state else x)


def _attention(state: State, flags: Flags, name: str, x: Tensor) -> Tensor:
    """Every pixel attends to every pixel; the heads split the channels.

    The 3 C rows of `qkv` are ordered by head, role (q, k, v), channel (legacy, as in improved DDPM), or with
    the new order by role, head, channel.
    """
    size, channels = x.shape[:2]
    heads = flags.num_heads if flags.num_head_channels == -1 else channels // flags.num_head_channels
    h = norm(state, f"{name}.norm", x, EPS).flatten(2)
    h = F.conv1d(h, state[f"{name}.qkv.weight"], state[f"{name}.qkv.bias"])  # [B, 3 C, HW]
    if flags.use_new_attention_order:
        q, k, v = h.unflatten(1, (3, heads, -1)).unbind(1)  # each [B, heads, C / heads, HW]
    else:
        q, k, v = h.unflatten(1, (heads, 3, -1)).unbind(2)
    share = torch.softmax(q.mT @ k / math.sqrt(channels // heads), dim=-1)  # [B, heads, queries, keys]
    h = (v @ share.mT).reshape(size, channels, -1)
    return x + F.conv1d(h, state[f"{name}.proj_out.weight"], state[f"{name}.proj_out.bias"]).view_as(x)


def forward(state: State, flags: Flags, x: Tensor, timestep: Tensor, y: Tensor | None = None) -> Tensor:
    """The network's output (Dhariwal & Nichol 2021, section 3; without dropout): [B, 3, H, W] -> the same.

    With `learn_sigma` [B, 6, H, W]: noise, then the variance's interpolation. `timestep` is [B], what the
    network itself receives (possibly fractional; `rescale_timesteps` happens before it). `y` is [B], labels,
    given exactly if there are classes. The embedding's waves are float32 as in the original, all else has the
    dtype of `x` and `state`.
    """
    if (y is None) != (flags.num_classes is None):
        raise ValueError("y is given exactly if the network is class-conditional")
    embedding = _embedding(state, flags, timestep, y, x.dtype)
    h = x
    skips: list[Tensor] = []
    for stage in _plan(flags):
        side = stage[0][0].split("_")[0]
        if side == "output":
            h = torch.cat([h, skips.pop()], dim=1)
        for name, kind, _, _ in stage:
            if kind == "attention":
                h = _attention(state, flags, name, h)
            elif kind.startswith("block"):
                h = _block(state, flags, name, kind, h, embedding)
            elif kind == "down":
                h = conv(state, f"{name}.op", h, stride=2)
            else:
                h = conv(state, f"{name}.conv" if kind == "up" else name, _resize(h, kind))
        if side == "input":
            skips.append(h)
    return conv(state, "out.2", F.silu(norm(state, "out.0", h, EPS)))
