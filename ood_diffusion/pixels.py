"""Between stored bytes and what the network sees."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ood_diffusion.checks import require

LUMINANCE = (0.2126, 0.7152, 0.0722)
"""Weights of R, G, B in what the eye takes for brightness (ITU-R BT.709)."""


def to_unit_range(images: Tensor) -> Tensor:
    """uint8 0 … 255 to float32 in [-1, 1], same shape; fields, which are float32, stay as they are."""
    return images if images.is_floating_point() else images.float() / 127.5 - 1.0


def to_bytes(images: Tensor) -> Tensor:
    """float in [-1, 1] to uint8 0 … 255 with rounding; what lies outside is clipped (only here).

    Examples:
        >>> import torch
        >>> to_bytes(torch.tensor([-2.0, -1.0, 0.0, 1.0]))
        tensor([  0,   0, 128, 255], dtype=torch.uint8)
    """
    return ((images + 1.0) * 127.5).round_().clamp_(0, 255).to(torch.uint8)


def as_stored(images: Tensor, dtype: torch.dtype) -> Tensor:
    """Float in [-1, 1] as stores keep it: `to_bytes` of photographs (uint8), fields (float32) as they are."""
    return to_bytes(images) if dtype == torch.uint8 else images.to(dtype)


def finite_rows(*tensors: Tensor) -> Tensor:
    """Which rows are finite in all `tensors` ``[B, ...]``: bool ``[B]``; nothing waits for the device."""
    rows = [tensor.isfinite().flatten(1).all(dim=1) for tensor in tensors]
    return torch.stack(rows).all(dim=0)


def require_finite(kind: str, ids: Sequence[str], finite: Tensor) -> None:
    """Raise `UserError` unless all rows come from finite numbers.

    Args:
        kind: of things.
        ids: of the rows.
        finite: bool, one for each.
    """
    bad = [i for i, fine in zip(ids, finite.tolist(), strict=True) if not fine]
    require(
        not bad,
        f"{kind} must come from finite numbers",
        f"NaN or infinity for {', '.join(bad[:3])} ({len(bad)} of {len(ids)} in a batch)",
        "The network diverges there: use more steps or a lower level.",
    )


def psnr(a: Tensor, b: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB, one per image, of images ``[n, C, H, W]``.

    The peak is 255 if either is uint8, else, of fields in [-1, 1], 2. Equal images would give infinity; the
    error is floored at that of one pixel value in one level, of fields at the rounding of float32, so a mean
    over images stays finite.

    Examples:
        >>> import torch
        >>> black = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
        >>> psnr(black, black + 1)
        tensor([48.1308], dtype=torch.float64)
        >>> psnr(torch.ones(1, 3, 8, 8), black)
        tensor([48.1308], dtype=torch.float64)
    """
    error = (a.double() - b.double()).square().flatten(1)
    fields = a.is_floating_point() and b.is_floating_point()
    peak, least = (2.0, 2.0**-48) if fields else (255.0, 1 / error.shape[1])
    return 10 * (peak**2 / error.mean(dim=1).clamp_min(least)).log10()
