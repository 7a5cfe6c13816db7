"""The arithmetic inside the network; everything outside it is float32.

Importing this file does not import PyTorch: settings are checked against `PRECISIONS` before that.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ood_diffusion.checks import UserError

if TYPE_CHECKING:
    import torch

PRECISIONS = {
    "fp32": "IEEE single precision everywhere (TensorFloat-32 off, also in cuDNN, where PyTorch has it on)",
    "tf32": "TensorFloat-32 in matrix products and convolutions on an NVIDIA GPU; elsewhere the same as fp32",
    "bf16": "bfloat16 autocast: products and convolutions with 8 significant bits",
    "fp16": "float16 autocast on a GPU, for those that emulate bf16: 11 significant bits, up to 65,504",
}
"""Choices of the setting `precision`."""


def check_precision(precision: str, device: str) -> None:
    """Raise `UserError` for float16 on a CPU, where PyTorch computes it many times slower than fp32.

    Args:
        precision: a key of `PRECISIONS`.
        device: type of the device that computes ("cpu", "cuda", …).
    """
    if (precision, device) == ("fp16", "cpu"):
        raise UserError(
            "precision=fp16 needs a GPU, but the network computes on the CPU. Use precision=fp32."
        )


def effective(precision: str, device: "torch.device") -> str:
    """What `precision` comes to on `device`: TensorFloat-32 is there on NVIDIA GPUs from Ampere (8.0) on."""
    import torch

    if precision != "tf32":
        return precision
    nvidia = device.type == "cuda" and torch.version.hip is None
    return "tf32" if nvidia and torch.cuda.get_device_capability(device) >= (8, 0) else "fp32"


def tf32_switches() -> list[tuple[Any, str, Any, Any]]:
    """PyTorch's switches of TensorFloat-32: object, attribute, its values for on and for off.

    Before PyTorch 2.9 they are flags; later ones refuse to read these once the new switches have been used.
    """
    import torch

    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    if not hasattr(cudnn, "conv"):
        return [(each, "allow_tf32", True, False) for each in (matmul, cudnn)]
    return [(each, "fp32_precision", "tf32", "ieee") for each in (matmul, cudnn.conv, cudnn.rnn)]


@contextmanager
def arithmetic(precision: str, device: str) -> Iterator[None]:
    """Within the block matrix products and convolutions follow `precision`; afterwards all is as before.

    Args:
        precision: a key of `PRECISIONS`.
        device: type of the device that computes ("cpu", "cuda", …).
    """
    import torch

    check_precision(precision, device)
    switches = tf32_switches()
    before = [getattr(product, name) for product, name, _, _ in switches]
    for product, name, on, off in switches:
        setattr(product, name, on if precision == "tf32" else off)
    try:
        reduced = torch.float16 if precision == "fp16" else torch.bfloat16
        with torch.autocast(device, reduced, enabled=precision in ("bf16", "fp16")):
            yield
    finally:
        for (product, name, _, _), choice in zip(switches, before, strict=True):
            setattr(product, name, choice)
