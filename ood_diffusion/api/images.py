"""What a caller's images must be."""

import torch
from torch import Tensor

from ood_diffusion.checks import UserError, require

FAR = 2.0
"""Fields lie in [-1, 1]; what a network makes of them may be a little outside."""


def check_images(name: str, images: Tensor, wanted: tuple[int, int, int] | None = None) -> None:
    """Raise `UserError` unless `images` is uint8 or finite float32 ``[n, C, H, W]``, n >= 1, of the `wanted`
    (C, H, W).
    """
    shape = "[n, C, H, W]" if wanted is None else f"[n, {', '.join(map(str, wanted))}]"
    if not isinstance(images, Tensor):
        raise UserError(
            f"{name} must be a torch tensor, uint8 {shape}, but got {type(images).__name__}. An array "
            "[n, H, W, 3] becomes one by torch.from_numpy(array).permute(0, 3, 1, 2)."
        )
    fields = images.dtype == torch.float32 and bool((images.abs() <= FAR).all()) and bool((images < 0).any())
    if images.dtype != torch.uint8 and not fields:
        raise UserError(
            f"{name} must be uint8, 0 to 255, or fields, float32 in [-1, 1], but got {described(images)}. "
            "Values in [0, 1] become bytes by (255 * x).round().to(torch.uint8), fields by 2 * x - 1."
        )
    require(
        images.ndim == 4 and (wanted is None or images.shape[1] == wanted[0]) and len(images) >= 1,
        f"{name} must have the shape {shape} with n >= 1",
        list(images.shape),
        "Convert one image [C, H, W] with x[None], grey images [n, 1, H, W] with x.expand(-1, 3, -1, -1).",
    )
    require(
        wanted is None or images.shape[1:] == wanted,
        f"{name} must have the size of the model's images, {shape}",
        list(images.shape),
        'Resize them, or let load_domain("image_folder", model, path=…) do it.',
    )


def described(tensor: Tensor) -> str:
    """Dtype, and the range where there is one."""
    if tensor.numel() == 0 or tensor.is_complex():
        return str(tensor.dtype)
    return f"{tensor.dtype} from {float(tensor.min()):g} to {float(tensor.max()):g}"
