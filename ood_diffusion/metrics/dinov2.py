"""DINOv2 features, from a weights file on this machine."""

import math
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ood_diffusion.metrics.weights_file import FileExtractor, Published, tensors_only

PUBLISHED = Published(
    "https://dl.fbaipublicfiles.com/dinov2/dinov2_vits14/dinov2_vits14_pretrain.pth",
    "b938bf1bc15cd2ec0feacfe3a1bb553fe8ea9ca46a7e1d8d00217f29aef60cd9",
)
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SIDE = 16
"""Patches of 14 pixels along each side of torch-fidelity's 224 pixels."""
OFFSET = 0.1
"""Added to the side by the authors' code before it forms the ratio of sizes, against rounding."""


class DINOv2(FileExtractor):
    """The class token of DINOv2 (Oquab et al. 2023): ViT-S/14, d = 384; by file ViT-B (768) or L (1024).

    Resize and scaling are torch-fidelity's. That loads the network with `torch.hub`, which downloads and runs
    its code; here the network is timm's, of the same architecture and names, with the authors' interpolation
    of the position embedding.

    Args:
        weights_path: the authors' state dict without registers; None looks in torch.hub's checkpoint folder.
    """

    version = 1
    choice = "dinov2"
    published = PUBLISHED

    @staticmethod
    def load(path: Path) -> nn.Module:
        """The network with the weights in a file."""
        import timm

        state = tensors_only(path)
        state.pop("mask_token", None)
        size = {384: "small", 768: "base", 1024: "large"}[state["cls_token"].shape[-1]]
        network = timm.create_model(
            f"vit_{size}_patch14_dinov2", pretrained=False, num_classes=0, img_size=224
        )
        network.load_state_dict({**state, "pos_embed": resized_positions(state["pos_embed"])})
        return _Prepared(network).eval()


def resized_positions(embedding: Tensor) -> Tensor:
    """The position embedding ``[1, 1 + n * n, d]``, trained on larger images, for 16 × 16 patches."""
    side = math.isqrt(embedding.shape[1] - 1)
    if side == SIDE:
        return embedding
    grid = embedding[:, 1:].mT.reshape(1, -1, side, side)
    ratio = (SIDE + OFFSET) / side
    smaller = interpolate(grid, scale_factor=(ratio, ratio), mode="bicubic")
    return torch.cat([embedding[:, :1], smaller.flatten(2).mT], dim=1)


class _Prepared(nn.Module):
    """Uint8 images to what the network was trained on."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", 255 * torch.tensor(MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("deviation", 255 * torch.tensor(DEVIATION).view(3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> tuple[Tensor]:
        from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

        x = interpolate_bilinear_2d_like_tensorflow1x(images.float(), size=(224, 224), align_corners=False)
        return (self.network((x - self.mean) / self.deviation),)
