"""The device, and how much memory this process takes."""

import resource
import sys

import torch
from pytorch_lightning.utilities.memory import is_oom_error

MIB = 1024**2


def peak_mib() -> float:
    """The most main memory that the process has taken so far, in MiB."""
    unit = MIB if sys.platform == "darwin" else 1024  # of ru_maxrss: bytes there, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def out_of_memory(error: BaseException) -> bool:
    """Whether this process or its device had too little of it."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and is_oom_error(RuntimeError(str(error)))  # it reads a text


def peak_memory(device: torch.device | None = None) -> str:
    """The peak on the device, if it is a GPU, else that in main memory: "GPU 2.1 GiB", "812 MiB"."""
    if device is not None and device.type == "cuda":
        return f"GPU {size(peak_gpu_mib(device))}"
    return size(peak_mib())


def peak_gpu_mib(device: torch.device) -> float:
    """The most memory of the GPU that tensors have taken so far, in MiB."""
    return torch.cuda.max_memory_allocated(device) / MIB


def name_of(device: torch.device) -> str:
    """What it is: "NVIDIA A100-SXM4-40GB", "the CPU (AVX512)"."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"the CPU ({torch.backends.cpu.get_cpu_capability()})" if device.type == "cpu" else str(device)


def size(mib: float) -> str:
    """MiB in words, three digits or so."""
    return f"{mib:.0f} MiB" if mib < 1000 else f"{mib / 1024:.1f} GiB"
