"""The network of the paper's checkpoints: 256 × 256 pixels, 113 million parameters.

diffusers' `UNet2DModel` in the architecture of `google/ddpm-*-256`, random weights, batch 2 on a CPU
and 32 on a GPU, through `FrozenModel.eps`. Its arithmetic is counted by PyTorch's `FlopCounterMode`;
the ceiling is the better of the rates that a large matrix product and a 3 × 3 convolution of the
network's widest layer reach in bf16 on this machine.
"""

import time
from collections.abc import Callable

import torch
from diffusers import UNet2DModel
from torch import nn
from torch.nn.functional import conv2d
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.measure import Figure, alternate, figure
from ood_diffusion.diffusion.schedule import Schedule
from ood_diffusion.models.base import FrozenModel
from ood_diffusion.models.unet import UNet

ARCHITECTURE = {
    "sample_size": 256,
    "in_channels": 3,
    "out_channels": 3,
    "layers_per_block": 2,
    "block_out_channels": [128, 128, 256, 256, 512, 512],
    "down_block_types": [*["DownBlock2D"] * 4, "AttnDownBlock2D", "DownBlock2D"],
    "up_block_types": ["UpBlock2D", "AttnUpBlock2D", *["UpBlock2D"] * 4],
    "attention_head_dim": None,
    "downsample_padding": 0,
    "flip_sin_to_cos": False,
    "freq_shift": 1,
    "norm_eps": 1e-6,
    "act_fn": "silu",
}
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
BATCH, ROUNDS = (32, 10) if DEVICE == "cuda" else (2, 3)


def run() -> list[Figure]:
    """Images per second in fp32 and bf16, and bf16's share of the ceiling."""
    torch.manual_seed(0)
    network: nn.Module = UNet(UNet2DModel(**ARCHITECTURE)).to(DEVICE, memory_format=torch.channels_last)
    millions = sum(p.numel() for p in network.parameters()) / 1e6
    model = FrozenModel(network, Schedule.linear(), (3, 256, 256), "epsilon", {})
    x = torch.randn(BATCH, 3, 256, 256, device=DEVICE)
    with torch.inference_mode():
        with FlopCounterMode(display=False) as counter:
            model.eps(x, 500.0)
        work = counter.get_total_flops()
        calls = {p: timed(model, x, p) for p in ("fp32", "bf16")}
        seconds = alternate(calls, ROUNDS)
        peak = ceiling()
    gflop = f"{work / BATCH / 1e9:.0f} GFLOP per image, {millions:.0f} M parameters, batch {BATCH}, {DEVICE}"
    rates = {p: [BATCH / s for s in times] for p, times in seconds.items()}
    share = [100 * work / s / peak for s in seconds["bf16"]]
    return [
        figure("fp32", rates["fp32"], unit="images/s", detail=gflop),
        figure("bf16", rates["bf16"], unit="images/s", detail=gflop),
        figure("bf16's share of the ceiling", share, unit="%", detail=f"ceiling {peak / 1e9:,.0f} GFLOP/s"),
    ]


def timed(model: FrozenModel, x: torch.Tensor, precision: str) -> Callable[[], object]:
    """One network call, finished when it returns."""

    def call() -> float:
        return float(model.compute_in(precision, False).eps(x, 500.0)[0, 0, 0, 0])

    return call


def ceiling() -> float:
    """FLOP/s of the better of a matrix product and a convolution in bf16, best of several runs."""
    n = 8192 if DEVICE == "cuda" else 4096
    a = torch.randn(n, n, device=DEVICE, dtype=torch.bfloat16)
    x = torch.randn(BATCH * 4, 256, 64, 64, device=DEVICE, dtype=torch.bfloat16)
    x = x.contiguous(memory_format=torch.channels_last)
    w = torch.randn(256, 256, 3, 3, device=DEVICE, dtype=torch.bfloat16)
    w = w.contiguous(memory_format=torch.channels_last)
    cases: list[tuple[float, Callable[[], torch.Tensor]]] = [
        (2.0 * n**3, lambda: a @ a),
        (2.0 * x.numel() * 256 * 9, lambda: conv2d(x, w, padding=1)),
    ]
    best = 0.0
    for work, case in cases:
        for _ in range(6):
            start = time.perf_counter()
            float(case().flatten()[0])
            best = max(best, work / (time.perf_counter() - start))
    return best
