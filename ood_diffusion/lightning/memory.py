"""How much memory this process takes."""

import resource
import sys

import torch

MIB = 1024**2


def peak_mib() -> float:
    """The most main memory that the process has taken so far, in MiB."""
    unit = MIB if sys.platform == "darwin" else 1024  # of ru_maxrss: bytes there, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def peak_memory(device: torch.device | None = None) -> str:
    """The peak on the device, if it is a GPU, else that in main memory: "GPU 2.1 GiB", "812 MiB"."""
    if device is not None and device.type == "cuda":
        return f"GPU {size(torch.cuda.max_memory_allocated(device) / MIB)}"
    return size(peak_mib())


def size(mib: float) -> str:
    """MiB in words, three digits or so."""
    return f"{mib:.0f} MiB" if mib < 1000 else f"{mib / 1024:.1f} GiB"
