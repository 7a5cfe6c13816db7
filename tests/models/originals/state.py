"""What the two original U-Nets share: layouts, random weights, and layers on a state dict."""

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

Shapes = dict[str, tuple[int, ...]]
State = Mapping[str, Tensor]


def add(shapes: Shapes, name: str, *weight: int) -> None:
    """Adds the layer `name`: a weight of this shape, and a bias as long as its first dimension."""
    shapes[f"{name}.weight"], shapes[f"{name}.bias"] = weight, weight[:1]


def random_state(layout: Shapes, seed: int, gain: float = 1.0) -> dict[str, Tensor]:
    """Random float32 tensors for a layout (of either original), such that each of them changes the output.

    (Each but `k.bias`: it adds the same to all logits of a query, which a softmax ignores.) Matrices and
    kernels preserve the variance of their input, those of queries and keys increase it, so that attention is
    far from uniform; normalizations are not the identity, biases are not zero. `gain` scales all but the
    normalizations: with 0.01 they receive so little that their epsilon shows, which with 1 it hardly does.
    """
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, shape in layout.items():
        layer, part = name.rsplit(".", 1)
        noise = torch.randn(shape, generator=generator)
        if len(layout[f"{layer}.weight"]) == 1:  # a normalization
            state[name] = 0.3 * noise + (1.0 if part == "weight" else 0.0)
        elif part == "bias":
            state[name] = 0.3 * gain * noise
        else:  # the label's table is read, not summed over
            fan_in = 1 if layer == "label_emb" else math.prod(shape[1:])
            boost = 1.5 if layer.rsplit(".", 1)[-1] in ("q", "k", "qkv") else 1.0
            state[name] = boost * gain / math.sqrt(fan_in) * noise
    return state


def linear(state: State, name: str, x: Tensor) -> Tensor:
    """The affine map `name`: [..., I] -> [..., O]."""
    return F.linear(x, state[f"{name}.weight"], state[f"{name}.bias"])


def conv(state: State, name: str, x: Tensor, stride: int = 1, padding: int | None = None) -> Tensor:
    """The convolution `name`: [B, I, H, W] -> [B, O, H', W'], by default padded to preserve size."""
    weight = state[f"{name}.weight"]
    padding = weight.shape[-1] // 2 if padding is None else padding
    return F.conv2d(x, weight, state[f"{name}.bias"], stride=stride, padding=padding)


def norm(state: State, name: str, x: Tensor, eps: float) -> Tensor:
    """Group normalization with 32 groups, [B, C, ...] -> same shape."""
    return F.group_norm(x, 32, state[f"{name}.weight"], state[f"{name}.bias"], eps)
