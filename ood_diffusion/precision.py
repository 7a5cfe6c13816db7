"""The arithmetic inside the network; everything outside it is float32.

Importing this file does not import PyTorch: settings are checked against `PRECISIONS` before that.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

PRECISIONS = {
    "fp32": "IEEE single precision everywhere (TensorFloat-32 off, also in cuDNN, where PyTorch has it on)",
    "tf32": "TensorFloat-32 in matrix products and convolutions on an NVIDIA GPU; elsewhere the same as fp32",
    "bf16": "bfloat16 autocast: products and convolutions with 8 significant bits",
}
"""Choices of the setting `precision`."""


def effective(precision: str, device: "torch.device") -> str:
    """What `precision` comes to on `device`: TensorFloat-32 is there on NVIDIA GPUs from Ampere (8.0) on."""
    import torch

    if precision != "tf32":
        return precision
    nvidia = device.type == "cuda" and torch.version.hip is None
    return "tf32" if nvidia and torch.cuda.get_device_capability(device) >= (8, 0) else "fp32"


@contextmanager
def arithmetic(precision: str, device: str) -> Iterator[None]:
    """Within the block matrix products and convolutions follow `precision`; afterwards all is as before.

    Args:
        precision: a key of `PRECISIONS`.
        device: type of the device that computes ("cpu", "cuda", …).
    """
    import torch

    # legacy flags (allow_tf32) cannot be read once anyone in the process has used these
    cudnn: Any = torch.backends.cudnn
    products: tuple[Any, ...] = (torch.backends.cuda.matmul, cudnn.conv, cudnn.rnn)
    before = [product.fp32_precision for product in products]
    for product in products:
        product.fp32_precision = "tf32" if precision == "tf32" else "ieee"
    try:
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bf16"):
            yield
    finally:
        for product, choice in zip(products, before, strict=True):
            product.fp32_precision = choice
