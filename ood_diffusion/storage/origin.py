"""What made a result: it can move last digits, but is no part of an address."""

import functools
from pathlib import Path

import torch

DRIVER = Path("/proc/driver/nvidia/version")


@functools.cache
def origin(device: torch.device) -> dict[str, str]:
    """Name of the device (of a CPU: its vector instructions), versions of torch, CUDA, cuDNN and driver."""
    found = {"torch": str(torch.__version__)}
    if device.type != "cuda":
        cpu = f"cpu {torch.backends.cpu.get_cpu_capability()}"
        return found | {"device": cpu if device.type == "cpu" else device.type}
    cudnn = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
    found |= {"device": torch.cuda.get_device_name(device)}
    found |= {"cuda": str(torch.version.cuda), "cudnn": str(cudnn)}
    return found | ({"driver": DRIVER.read_text().splitlines()[0]} if DRIVER.exists() else {})
