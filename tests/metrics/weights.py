"""Weights files laid out as published ones, with made-up numbers: small, whatever the network's size."""

import math
import warnings
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor, nn


def made_up(shape: Iterable[int], salt: int) -> Tensor:
    """A tensor of any shape whose numbers all lie in one short buffer."""
    shape = tuple(shape)
    strides = [2 * i + 1 for i in range(len(shape))][::-1]
    length = 1 + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
    n = torch.arange(length, dtype=torch.float64)
    fan_in = math.prod(shape[1:]) if len(shape) > 1 else 1
    return (torch.sin(n**1.3 + salt) * math.sqrt(2 / fan_in)).float().as_strided(shape, strides)


def filled(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: made_up(value.shape, i) for i, (name, value) in enumerate(state.items())}


def save_vgg16(path: Path) -> Path:
    """As torchvision's file."""
    import torchvision

    with torch.device("meta"):
        state = torchvision.models.vgg16().state_dict()
    torch.save(filled(state), path)
    return path


def save_dinov2(path: Path) -> Path:
    """As the authors' file for ViT-S/14, whose positions are those of 518-pixel images."""
    import timm

    state = timm.create_model("vit_small_patch14_dinov2", num_classes=0).state_dict()  # timm 0.9: not on meta
    assert state["pos_embed"].shape == (1, 1 + 37**2, 384)
    torch.save({**filled(state), "mask_token": torch.zeros(1, 384)}, path)
    return path


class Archive(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x


def save_clip(path: Path) -> Path:
    """As OpenAI's TorchScript archives, with a vision transformer for 32 pixels."""
    from torch_fidelity.feature_extractor_clip import CLIPVisual

    state = filled(CLIPVisual(24, 32, 2, 64, 8).state_dict())
    root = Archive()
    for name, value in {**state, "text_projection": torch.zeros(10, 24)}.items():
        *parents, leaf = name.split(".")
        here: nn.Module = root
        for parent in parents:
            if parent not in dict(here.named_children()):
                here.add_module(parent, nn.Module())
            here = here.get_submodule(parent)
        here.register_parameter(leaf, nn.Parameter(value.clone(), requires_grad=False))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="`torch.jit.script` is deprecated")
        torch.jit.script(root).save(str(path))
    return path
